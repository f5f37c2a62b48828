"""Promises of phase-golem's settings: ours say the same, and what they cannot say is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.adapters.backlog.golem_toml import import_settings
from orchestrator.config import load_config
from orchestrator.errors import BacklogFileError
from orchestrator.settings import Config, Seconds
from orchestrator.work.backlog.item import Level, Size
from orchestrator.work.backlog.pipeline import Phase, Staleness
from orchestrator.work.backlog.rules import Guardrails

FULL = """\
[project]
prefix = "HAMY"

[guardrails]
max_size = "large"
max_complexity = "low"
max_risk = "high"

[execution]
phase_timeout_minutes = 45
max_retries = 0
default_phase_cap = 7
max_wip = 2
max_concurrent = 3

[agent]
cli = "claude"
model = " opus "

[pipelines.feature]
pre_phases = [{ name = "research", workflows = ["r.md"], is_destructive = false }]
phases = [
    { name = "build", workflows = ["b \\"1\\".md", "c.md"], is_destructive = true },
    { name = "review", destructive = false, staleness = "warn" },
]

[pipelines.bugfix]
phases = [{ name = "fix", workflows = ["ä.md"], is_destructive = false }]
"""


def convert(tmp_path: Path, text: str) -> tuple[Config, tuple[str, ...]]:
    """Return our configuration of their settings, and the notes."""
    theirs, ours = tmp_path / "phase-golem.toml", tmp_path / "orchestrator.toml"
    theirs.write_text(text)
    said, notes = import_settings(theirs)
    ours.write_text(said)
    return load_config(ours, environ={}), notes


def test_everything_is_carried_over(tmp_path: Path) -> None:
    config, notes = convert(tmp_path, FULL)
    assert notes == ()
    assert config.guardrails == Guardrails(
        max_size=Size.LARGE, max_complexity=Level.LOW, max_risk=Level.HIGH
    )
    backlog, execution = config.backlog, config.execution
    assert (backlog.prefix, backlog.cap, backlog.max_wip) == ("HAMY", 7, 2)
    assert (execution.attempt_timeout, execution.max_attempts) == (Seconds(2700.0), 1)
    assert (execution.max_concurrent, execution.agent) == (3, "claude")
    assert config.agents["claude"].model == "opus"
    pipelines = config.rules().pipelines
    assert set(pipelines) == {"feature", "bugfix"}
    assert pipelines["feature"].pre_phases == (Phase(name="research", workflows=("r.md",)),)
    assert pipelines["feature"].phases == (
        Phase(name="build", workflows=('b "1".md', "c.md"), destructive=True),
        Phase(name="review", staleness=Staleness.WARN),
    )
    assert pipelines["bugfix"].phases == (Phase(name="fix", workflows=("ä.md",)),)


def test_settings_that_say_nothing_come_to_nothing(tmp_path: Path) -> None:
    (tmp_path / "phase-golem.toml").write_text("[project]\n")
    assert import_settings(tmp_path / "phase-golem.toml") == ("", ())


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("future = 1", "future: no table that is known; left out"),
        ('[project]\nbacklog_path = "x.yaml"', "project.backlog_path: 'x.yaml': only says what"),
        ("[project]\nname = 1", "project.name: unknown; left out"),
        ('[guardrails]\nmax_size = "HUGE"', "guardrails.max_size: 'HUGE' is no value for it"),
        ("[guardrails]\nmax_cost = 1", "guardrails.max_cost: unknown"),
        ("[execution]\nphase_timeout_minutes = 0", "execution.phase_timeout_minutes: 0 is no"),
        ("[execution]\nmax_wip = true", "execution.max_wip: True is no value"),
        ("[execution]\nfast = true", "execution.fast: unknown"),
        ('[agent]\ncli = "opencode"', "agent.cli: 'opencode': no agent of ours; left out"),
        ("[agent]\nmodel = 1", "agent.model: 1 is no value"),
        ("[agent]\nspeed = 1", "agent.speed: unknown"),
        ("[pipelines]\nfeature = 1", "pipelines.feature: 1 is no value"),
        ("[pipelines.a]\ncolour = 1", "pipelines.a.colour: unknown"),
        ("[pipelines.a]\nphases = 1", "pipelines.a.phases: 1 is no value"),
        ("[pipelines.a]\nphases = [1]", "pipelines.a.phases[0]: 1 is no value"),
        (
            '[pipelines.a]\nphases = [{ name = "b", staleness = "maybe" }]',
            "pipelines.a.phases[0].staleness: 'maybe' is no value",
        ),
        (
            '[pipelines.a]\nphases = [{ name = "b", skills = [] }]',
            "pipelines.a.phases[0].skills: unknown",
        ),
        (
            '[pipelines.a]\nphases = [{ name = "b", workflows = ["~/w.md"] }]',
            "pipelines.a.phases[0].workflows: ~/w.md: make sure",
        ),
    ],
)
def test_what_is_not_carried_over_is_told(tmp_path: Path, text: str, note: str) -> None:
    (tmp_path / "phase-golem.toml").write_text(text)
    _, notes = import_settings(tmp_path / "phase-golem.toml")
    assert [said.startswith(f"phase-golem.toml: {note}") for said in notes] == [True], notes


@pytest.mark.parametrize("data", [b"[", b"\xff", b"a = " + b"[" * 5000])
def test_what_is_no_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "phase-golem.toml").write_bytes(data)
    with pytest.raises(BacklogFileError):
        import_settings(tmp_path / "phase-golem.toml")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BacklogFileError, match="cannot be read: No such file"):
        import_settings(tmp_path / "phase-golem.toml")
