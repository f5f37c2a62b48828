"""The ready-made workflows: six kinds of change, from research to ready."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.work.backlog.gate import Gate
from orchestrator.work.backlog.pipeline import Phase, Pipeline, Pipelines

STANDARD = "standard"
"""What the preset is called in the configuration."""

_DOCS = "docs/development/{issue}"
_VERIFIED = Gate(verify=True)

_RESEARCH = Phase(
    name="research",
    prompt="Find out what there is and what is wanted: the code concerned, the ways it could be "
    f"done, what speaks for each. Write it down in {_DOCS}/research.md. Change no code.",
    commit_type="docs",
    leave=(Gate(glob=f"{_DOCS}/research*.md"),),
)
_DESIGN = Phase(
    name="design",
    prompt="Decide how it is built: interfaces, data, flows, and what was decided against. Write "
    f"it down in {_DOCS}/design.md. Change no code.",
    subphases=("contracts", "flows", "schemas"),
    commit_type="docs",
    leave=(Gate(glob=f"{_DOCS}/design*.md"),),
)
_PLANNING = Phase(
    name="planning",
    prompt="Divide the work into cycles, each with what it brings and how one can tell that it is "
    f"over. Write it down in {_DOCS}/planning.md, and save the plan.",
    subphases=("c1", "c2", "c3", "c4"),
    commit_type="docs",
    leave=(Gate(glob=f"{_DOCS}/planning*.md"),),
)
_CYCLES = Phase(
    name="implementation",
    prompt="Build it, cycle by cycle: first a test that fails (red), then what makes it pass "
    "(green), then put it in order (refactor). Commit each step with its sub-phase.",
    subphases=("red", "green", "refactor"),
    commit_types={"red": "test", "green": "feat", "refactor": "refactor"},
    cycles=True,
    leave=(_VERIFIED,),
    leave_cycle=(_VERIFIED,),
)
_IMPLEMENTATION = Phase(
    name="implementation",
    prompt="Mend it: a test that shows what is wrong, then the smallest change that makes it pass.",
    subphases=("red", "green", "refactor"),
    commit_types={"red": "test", "green": "fix", "refactor": "refactor"},
    leave=(_VERIFIED,),
)
_VALIDATION = Phase(
    name="validation",
    prompt="Try it as its users would, and its bad inputs; run all tests. Write what you saw into "
    f"{_DOCS}/validation.md.",
    subphases=("e2e", "acceptance"),
    commit_type="test",
    leave=(Gate(glob=f"{_DOCS}/validation*.md"), _VERIFIED),
)
_DOCUMENTATION = Phase(
    name="documentation",
    prompt="Bring the documentation up to date: what users read, what developers read, what agents "
    "read.",
    subphases=("reference", "guides", "agent"),
    commit_type="docs",
)
_COORDINATION = Phase(
    name="coordination",
    prompt="Hand the parts out as branches or items of their own, see how they come on, and review "
    "what they bring.",
    subphases=("delegation", "sync", "review"),
    commit_type="chore",
)
_READY = Phase(
    name="ready",
    prompt="Look over the whole change as a reviewer would. When you would put your name to it, it "
    "can be merged.",
)

_WHOLE = (_RESEARCH, _DESIGN, _PLANNING, _CYCLES, _VALIDATION, _DOCUMENTATION, _READY)

WORKFLOWS: Pipelines = MappingProxyType(
    {
        pipeline.name: pipeline
        for pipeline in (
            Pipeline(name="feature", description="something new", phases=_WHOLE),
            Pipeline(name="bug", description="something that is wrong", phases=_WHOLE),
            Pipeline(
                name="hotfix",
                description="something that is wrong and cannot wait",
                phases=(_IMPLEMENTATION, _VALIDATION, _DOCUMENTATION, _READY),
            ),
            Pipeline(
                name="refactor",
                description="the same behaviour, better built",
                phases=(_RESEARCH, _PLANNING, _CYCLES, _VALIDATION, _DOCUMENTATION, _READY),
            ),
            Pipeline(
                name="docs",
                description="documentation only",
                phases=(_PLANNING, _DOCUMENTATION, _READY),
            ),
            Pipeline(
                name="epic",
                description="a change of many parts",
                phases=(_RESEARCH, _DESIGN, _PLANNING, _COORDINATION, _DOCUMENTATION, _READY),
            ),
        )
    }
)
"""By name. A branch type without a workflow of its name takes that of `ALIASES`."""

ALIASES: Mapping[str, str] = MappingProxyType({"fix": "bug"})
"""Workflows of branch types that have another name."""
