"""Reads ``BACKLOG.yaml`` of phase-golem, of each schema it ever had."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs

from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.description import parse_description
from orchestrator.work.backlog.item import Description, Item, Pool, Question, Status
from orchestrator.work.backlog.pipeline import DEFAULT
from orchestrator.work.backlog.text import one_line

from . import golem, yaml_values
from .files import wrong_line
from .imported import Imported, Values, each_once, sound_id
from .timestamps import read_time

VERSIONS = (1, 2, 3)
LIMIT = 32 << 20
"""Largest file that is read, in bytes: YAML takes many times its size."""

FOREIGN = "phase_golem"
"""Where ``Item.foreign`` keeps what the YAML said and the item does not."""

_TOP = {"schema_version", "items", "next_item_id"}
_STATUSES = {"researching": "scoping", "scoped": "ready"}
"""What schema 1 called them."""

_KEYS = {
    "id",
    "title",
    "status",
    "phase",
    "size",
    "complexity",
    "risk",
    "impact",
    "requires_human_review",
    "origin",
    "blocked_from_status",
    "blocked_reason",
    "blocked_type",
    "unblock_context",
    "tags",
    "dependencies",
    "created",
    "updated",
    "pipeline_type",
    "description",
    "phase_pool",
    "last_phase_commit",
}


def read_yaml(data: bytes, name: str, *, phases: Collection[str] | None = None) -> Imported:
    """Read a backlog of schema 1, 2 or 3.

    Args:
      name: of the file, for notes and errors.
      phases: those of the project's default pipeline, None when they are not known; an item of
        schema 1 whose phase is none of them starts its pipeline anew.

    Raises:
      BacklogFileError: when it is no such file; names the line.
    """
    top = yaml_values.parse(data, name)
    held = yaml_values.fields(top, name) if top is not None else {}
    if held is None:
        raise wrong_line(name, 1, "no backlog: it has no schema_version and no items")
    version = yaml_values.plain(held["schema_version"], name) if "schema_version" in held else 1
    if version not in VERSIONS or type(version) is not int:
        raise BacklogFileError(
            f"{name}: unsupported schema_version {one_line(repr(version), 60)}; versions 1, 2 and 3"
            " can be read",
            where=name,
            fix="write it with a version of phase-golem that has one of these",
        )
    notes: list[str] = []
    for key in held.keys() - _TOP:
        said = one_line(repr(yaml_values.plain(held[key], name)), 120)
        notes.append(f"{name}: {key}: {said}: unknown; left out")
    if "next_item_id" in held:
        notes.append(f"{name}: next_item_id: left out; new ids are random")
    listed = yaml_values.entries(held["items"]) if "items" in held else iter(())
    if listed is None:
        raise wrong_line(name, yaml_values.line_of(held["items"]), "items is no list")
    found = []
    for node in listed:
        line = yaml_values.line_of(node)
        document = yaml_values.plain(node, name)
        if not isinstance(document, dict):
            raise wrong_line(name, line, "an item is a mapping")
        found.append((line, _item(document, version, name, line, phases, notes)))
    return Imported(each_once(found, name), tuple(notes))


def _item(
    document: dict[str, Any],
    version: int,
    name: str,
    line: int,
    phases: Collection[str] | None,
    notes: list[str],
) -> Item:
    id = sound_id(document.get("id"), name, line)
    title = document.get("title")
    if not isinstance(title, str | int) or isinstance(title, bool):
        raise wrong_line(name, line, f"{id} has no title")
    values = Values(f"{name}: line {line}: {id}", document, notes)
    if version == 1:
        values = attrs.evolve(values, held=_second(values, phases))
    before = len(notes)
    created = _time(values, "created")
    item = Item(
        id=id,
        title=str(title),
        status=_status(values),
        description=_description(values, version),
        tags=values.texts("tags"),
        needs=values.texts("dependencies"),
        pipeline=values.text("pipeline_type") or None,
        phase=values.text("phase") or None,
        ratings=golem.assessments(values),
        needs_review=values.truth("requires_human_review"),
        origin=values.text("origin") or "",
        answer=values.text("unblock_context") or "",
        based_on=values.text("last_phase_commit") or "",
        created=created or 0,
        updated=_time(values, "updated") or created or 0,
    )
    question = _question(values, item.status)
    since = question.since if question else None
    said = values.choice("phase_pool", Pool)
    pool = golem.pool(said, item.phase, item.status, since)
    item = attrs.evolve(item, question=question, pool=pool)
    kept = {key: value for key, value in document.items() if key not in _KEYS}
    for key in kept:
        values.note(f"{key}: {one_line(repr(kept[key]), 60)}: unknown; kept as it is")
    if len(notes) > before or values.held.get("phase") != document.get("phase"):
        kept = document
    return attrs.evolve(item, foreign={FOREIGN: kept}) if kept else item


def _second(values: Values, phases: Collection[str] | None) -> dict[str, Any]:
    """Return the values of schema 1 as schema 2 has them."""
    held = dict(values.held)
    was = held.get("status")
    for key in ("status", "blocked_from_status"):
        if isinstance(held.get(key), str):
            held[key] = _STATUSES.get(held[key], held[key])
    held["pipeline_type"] = DEFAULT
    phase = held.get("phase")
    if phase is not None and was == "researching":
        values.note(f"phase: {phase}: its pipeline is begun anew")
        del held["phase"]
    elif phase is not None and phases is not None and phase not in phases:
        values.note(f"phase: {phase} is not in the pipeline {DEFAULT}, which is begun anew")
        del held["phase"]
    elif phase is not None and was == "in_progress":
        held["phase_pool"] = Pool.MAIN.value
    return held


def _status(values: Values) -> Status:
    status = values.choice("status", golem.AnyStatus)
    return Status(status.value) if status else Status.NEW


def _question(values: Values, status: Status) -> Question | None:
    if status is not Status.BLOCKED:
        for key in ("blocked_reason", "blocked_type", "blocked_from_status"):
            if values.held.get(key) is not None:
                values.note(f"{key}: left over, it is not blocked; left out")
        return None
    return golem.question(
        values.text("blocked_reason"),
        values.choice("blocked_type", golem.BlockedType),
        values.choice("blocked_from_status", golem.OpenStatus),
    )


def _description(values: Values, version: int) -> Description:
    """Return the five parts; schemas 1 and 2 have them in one text."""
    if isinstance(values.held.get("description"), str):
        return parse_description(values.held["description"])
    if version < 3 and values.held.get("description") is not None:
        values.note("description: no text; read as the parts of schema 3")
    return golem.description(values, "description")


def _time(values: Values, key: str) -> int | None:
    text = values.text(key)
    if text is None:
        return None
    try:
        return read_time(text)
    except ValueError as error:
        values.note(f"{key}: {text}: {error}; left out")
        return None
