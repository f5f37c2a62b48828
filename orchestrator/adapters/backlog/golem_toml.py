"""Turns ``phase-golem.toml`` into the tables of ``orchestrator.toml`` that say the same."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import Level, Size
from orchestrator.work.backlog.pipeline import Staleness
from orchestrator.work.backlog.text import one_line

from .files import read_bytes, to_text

LIMIT = 1 << 20

_LEVELS = {"max_size": Size, "max_complexity": Level, "max_risk": Level}
_POOLS = ("pre_phases", "phases")


def import_settings(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the tables as TOML, and notes of what they do not carry over. Blocking.

    Raises:
      BacklogFileError: when the file cannot be read, or is no TOML.
    """
    text = to_text(read_bytes(path, LIMIT), path.name)
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BacklogFileError(
            f"{path.name} is no TOML: {one_line(str(error))}", where=str(path), fix="mend it"
        ) from None
    return convert(document, path.name)


def convert(document: Mapping[str, Any], name: str) -> tuple[str, tuple[str, ...]]:
    """Return the tables as TOML, and the notes; ``name`` is what these begin with."""
    settings = _Settings(name)
    for table, held in document.items():
        read = _TABLES.get(table)
        if read is None or not isinstance(held, dict):
            settings.note(table, "no table that is known; left out")
        else:
            read(settings, held)
    return settings.toml(), tuple(settings.notes)


@attrs.frozen
class _Settings:
    """What is said so far: keys by table, in the order they are written in; and pipelines."""

    name: str
    notes: list[str] = attrs.field(factory=list)
    tables: dict[str, dict[str, Any]] = attrs.field(
        factory=lambda: {
            "backlog": {},
            "guardrails": {},
            "execution": {},
            "agents.claude": {},
        }
    )
    phases: list[tuple[str, dict[str, Any]]] = attrs.field(factory=list)

    def note(self, key: str, text: str) -> None:
        self.notes.append(f"{self.name}: {one_line(key, 80)}: {text}")

    def wrong(self, key: str, value: object) -> None:
        self.note(key, f"{one_line(repr(value), 60)} is no value for it; left out")

    def toml(self) -> str:
        """Return all of it as TOML."""
        blocks = [(f"[{table}]", held) for table, held in self.tables.items() if held]
        blocks += [(f"[[{table}]]", held) for table, held in self.phases]
        return "\n".join(_block(head, held) for head, held in blocks)


def _block(head: str, held: Mapping[str, Any]) -> str:
    return "".join(f"{line}\n" for line in (head, *(f"{k} = {_toml(v)}" for k, v in held.items())))


def _toml(value: str | int | bool | list[str]) -> str:
    """Return a value as TOML spells it: as JSON does, but for one character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _key(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else _toml(name)


def _project(settings: _Settings, held: Mapping[str, Any]) -> None:
    for key, value in held.items():
        if key == "prefix" and isinstance(value, str):
            settings.tables["backlog"]["prefix"] = value
        elif key == "backlog_path":
            settings.note(f"project.{key}", f"{one_line(repr(value), 60)}: only says what to read")
        else:
            settings.note(f"project.{key}", "unknown; left out")


def _guardrails(settings: _Settings, held: Mapping[str, Any]) -> None:
    for key, value in held.items():
        kind = _LEVELS.get(key)
        if kind is None:
            settings.note(f"guardrails.{key}", "unknown; left out")
        elif value in [member.value for member in kind]:
            settings.tables["guardrails"][key] = value
        else:
            settings.wrong(f"guardrails.{key}", value)


def _execution(settings: _Settings, held: Mapping[str, Any]) -> None:
    for key, value in held.items():
        place = _NUMBERS.get(key)
        if place is None:
            settings.note(f"execution.{key}", "unknown; left out")
            continue
        table, ours, least, say = place
        if type(value) is int and value >= least:
            settings.tables[table][ours] = say(value)
        else:
            settings.wrong(f"execution.{key}", value)


def _agent(settings: _Settings, held: Mapping[str, Any]) -> None:
    cli = held.get("cli", "claude")
    for key, value in held.items():
        if key == "cli":
            if value == "claude":
                settings.tables["execution"]["agent"] = value
            else:
                settings.note(
                    "agent.cli", f"{one_line(repr(value), 60)}: no agent of ours; left out"
                )
        elif key != "model":
            settings.note(f"agent.{key}", "unknown; left out")
        elif not isinstance(value, str):
            settings.wrong("agent.model", value)
        elif cli != "claude":
            settings.note("agent.model", f"{one_line(value, 60)}: of an agent that is left out")
        elif value.strip():
            settings.tables["agents.claude"] |= {"kind": "claude", "model": value.strip()}


def _pipelines(settings: _Settings, held: Mapping[str, Any]) -> None:
    for name, pipeline in held.items():
        where = f"pipelines.{name}"
        if not isinstance(pipeline, dict):
            settings.wrong(where, pipeline)
            continue
        for key in pipeline.keys() - set(_POOLS):
            settings.note(f"{where}.{key}", "unknown; left out")
        for pool in _POOLS:
            listed = pipeline.get(pool, [])
            if not isinstance(listed, list):
                settings.wrong(f"{where}.{pool}", listed)
                continue
            for place, phase in enumerate(listed):
                said = f"{where}.{pool}[{place}]"
                if not isinstance(phase, dict) or not isinstance(phase.get("name"), str):
                    settings.wrong(said, phase)
                    continue
                keys = dict(_phase(settings, phase, said))
                settings.phases.append((f"pipelines.{_key(name)}.{pool}", keys))


def _phase(
    settings: _Settings, phase: Mapping[str, Any], where: str
) -> Iterator[tuple[str, str | bool | list[str]]]:
    yield "name", phase["name"]
    for key, value in phase.items():
        if key == "workflows" and isinstance(value, list) and all(
            isinstance(path, str) for path in value
        ):  # fmt: skip
            if value:
                yield "workflows", value
            for path in value:
                if path.startswith("~"):
                    settings.note(f"{where}.workflows", f"{path}: make sure that it is found")
        elif key in ("is_destructive", "destructive") and isinstance(value, bool):
            if value:
                yield "destructive", True
        elif key == "staleness" and value in [member.value for member in Staleness]:
            yield "staleness", value
        elif key in ("workflows", "is_destructive", "destructive", "staleness"):
            settings.wrong(f"{where}.{key}", value)
        elif key != "name":
            settings.note(f"{where}.{key}", "unknown; left out")


_NUMBERS: dict[str, tuple[str, str, int, Callable[[int], str | int]]] = {
    "phase_timeout_minutes": ("execution", "attempt_timeout", 1, lambda minutes: f"{minutes}m"),
    "max_retries": ("execution", "max_attempts", 0, lambda retries: retries + 1),
    "default_phase_cap": ("backlog", "cap", 1, int),
    "max_wip": ("backlog", "max_wip", 1, int),
    "max_concurrent": ("execution", "max_concurrent", 1, int),
}
"""Our table and key, the least value that makes sense, and how it is said there."""

_TABLES: dict[str, Callable[[_Settings, Mapping[str, Any]], None]] = {
    "project": _project,
    "guardrails": _guardrails,
    "execution": _execution,
    "agent": _agent,
    "pipelines": _pipelines,
}
