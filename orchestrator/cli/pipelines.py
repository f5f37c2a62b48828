"""`pipeline`: the pipelines in force, their phases, and who does each."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import UsageError
from orchestrator.text import duration, one_line
from orchestrator.work.backlog.gate import Gate
from orchestrator.work.backlog.pipeline import DEFAULT, CommitPolicy, Phase, Pipeline

from .item_document import plain
from .output import coloured, print_json, width
from .rows import print_row
from .stored import settings


def pipeline(arguments: argparse.Namespace) -> int:
    """Print every pipeline, or one."""
    repo = Repository.open(Path(arguments.directory))
    config = settings(repo, arguments)
    known = config.rules().pipelines
    if arguments.name is not None:
        known = {arguments.name: _named(arguments.name, known)}
    if arguments.json:
        print_json({"pipelines": [_document(one) for one in known.values()]})
        return 0
    agent = config.execution.agent or "the agent"
    for number, one in enumerate(known.values()):
        if number:
            print()
        _print(one, agent)
    return 0


def _named(name: str, known: Mapping[str, Pipeline]) -> Pipeline:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    fix = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    raise UsageError(f'there is no pipeline "{one_line(name, 80)}"', fix=fix)


def _document(one: Pipeline) -> dict[str, Any]:
    document = attrs.asdict(one, value_serializer=plain)
    return {"name": one.name, "is_default": one.name == DEFAULT, **document}


def _print(one: Pipeline, agent: str) -> None:
    usual = ", for items that name none" if one.name == DEFAULT else ""
    print(coloured(one.name, "bold", sys.stdout) + usual)
    if one.description:
        print_row("for", one_line(one.description, 400))
    for label, phases in (("first", one.pre_phases), ("then", one.phases)):
        for number, phase in enumerate(phases):
            print_row("" if number else label, _phase(phase, agent))


def _phase(phase: Phase, agent: str) -> str:
    parts = [f"{phase.name}: {_worker(phase, agent)}"]
    parts += ["alone"] if phase.destructive else []
    parts += ["committed with the next"] if phase.commit is CommitPolicy.BATCH else []
    parts += [] if phase.verify else ["not verified"]
    parts += [f"at most {duration(phase.timeout)}"] if phase.timeout is not None else []
    parts += [f"retried {phase.retries} times"] if phase.retries is not None else []
    parts += [f"stale: {phase.staleness.value}"] if phase.staleness.value != "ignore" else []
    parts += [f"{word} {_gate(gate)}" for word, gates in _gates(phase) for gate in gates]
    return ", ".join(parts)


def _worker(phase: Phase, agent: str) -> str:
    """Return who does a phase, and by what."""
    if phase.command:
        return f"the command {one_line(phase.command, 80)}"
    if phase.call:
        return f"the function {one_line(phase.call, 80)}"
    who = phase.agent or agent
    who += f" ({phase.model})" if phase.model else ""
    if phase.spec:
        return f"{who}, the stories of {one_line(phase.spec, 80)}"
    if phase.workflows:
        return f"{who} by {', '.join(one_line(path, 80) for path in phase.workflows)}"
    told = one_line(phase.prompt, max(30, width() - 40))
    return f"{who}: {told}" if told else who


def _gates(phase: Phase) -> tuple[tuple[str, tuple[Gate, ...]], ...]:
    return (
        ("enters with", phase.enter),
        ("leaves with", phase.leave),
        ("ends a cycle with", phase.leave_cycle),
    )


def _gate(gate: Gate) -> str:
    said = {name: value for name, value in attrs.asdict(gate).items() if value}
    return " ".join(
        name if value is True else f"{name} {one_line(str(value), 60)}"
        for name, value in said.items()
    )
