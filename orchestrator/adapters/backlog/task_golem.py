"""Reads the lines of task-golem: its own fields, and the extensions that phase-golem keeps there.

The line an item came from is kept in ``Item.foreign``: an export gives it back as it was, or with
no more changed than the item is.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.document import read_document
from orchestrator.work.backlog.item import (
    UNDESCRIBED,
    Claim,
    Description,
    Item,
    Pool,
    Question,
    Status,
)

from . import golem
from .files import lines_of, wrong_line
from .imported import Imported, Values, each_once, is_text, sound_id
from .timestamps import read_time

VERSION = 1
HEADER = "schema_version"

FOREIGN = "task_golem"
"""Where ``Item.foreign`` keeps the line, and whether it was an archived one."""

PREFIXES = ("x-pg-", "x-")
"""What extension keys begin with, the older form first; an item has those of one."""

CLOSED = "closed-reason"
"""The extension that tells a closed item of ours from a done one."""

EXTENSIONS = (
    "status",
    "phase",
    "phase-pool",
    "size",
    "complexity",
    "risk",
    "impact",
    "requires-human-review",
    "pipeline-type",
    "origin",
    "blocked-type",
    "blocked-from-status",
    "unblock-context",
    "last-phase-commit",
    "description",
    CLOSED,
)
NATIVE = (
    "id",
    "title",
    "status",
    "priority",
    "description",
    "tags",
    "dependencies",
    "created_at",
    "updated_at",
    "blocked_reason",
    "blocked_from_status",
    "claimed_by",
    "claimed_at",
    "parent",
)
"""In the order they are written in."""


_KNOWN = {prefix: frozenset(f"{prefix}{name}" for name in EXTENSIONS) for prefix in PREFIXES}
_NATIVE = frozenset(NATIVE)


class NativeStatus(enum.Enum):
    """A status of theirs."""

    TODO = "todo"
    DOING = "doing"
    DONE = "done"
    BLOCKED = "blocked"


_STATUSES = frozenset(member.value for member in NativeStatus)


class _Todo(enum.Enum):
    NEW = "new"
    SCOPING = "scoping"
    READY = "ready"


def read_tasks(data: bytes, name: str, *, archived: bool = False) -> Imported:
    """Read a file of task-golem.

    Args:
      name: of the file, for notes and errors.
      archived: whether it is the archive: its items are over, malformed lines are noted and left
        out, and of two lines for one item the later counts.

    Raises:
      BacklogFileError: when its version is unknown, or a line of an active file is malformed;
        names the line.
    """
    found: list[tuple[int, Item]] = []
    notes: list[str] = []
    has_header = False
    for number, line in lines_of(data, name):
        try:
            document = _object(line, name, number)
            if HEADER not in document:
                found.append((number, _item(document, line, name, number, notes, archived)))
                continue
        except BacklogFileError as error:
            if not archived:
                raise
            notes.append(f"{error.message}; left out")
            continue
        _check_version(document[HEADER], name, number, is_first=not (has_header or found))
        has_header = True
    if found and not has_header:
        notes.append(f"{name}: has no {HEADER}; read as version {VERSION}")
    if archived:
        latest = {item.id: number for number, item in found}
        for number, item in found:
            if latest[item.id] != number:
                notes.append(f"{name}: line {number}: {item.id} comes again; the later one counts")
        found = [(number, item) for number, item in found if latest[item.id] == number]
    return Imported(each_once(found, name), tuple(notes))


def reread(line: str, *, archived: bool = False) -> tuple[dict[str, Any], Item]:
    """Return what a line that was read before says, and the item that it stands for.

    Raises:
      BacklogFileError: when it stands for none.
    """
    document = _object(line, "line", 1)
    return document, _item(document, line, "line", 1, [], archived)


def prefix_of(document: Mapping[str, Any]) -> str | None:
    """Return what the item's extension keys begin with, None when it has none that is known."""
    for prefix, keys in _KNOWN.items():
        if not keys.isdisjoint(document):
            return prefix
    return None


def _object(line: str, name: str, number: int) -> dict[str, Any]:
    try:
        document = read_document(line)
    except ValueError as error:
        raise wrong_line(name, number, str(error)) from None
    if type(document) is not dict:
        raise wrong_line(name, number, "it is no object")
    if "\\ud" in line.lower() and not is_text(document):
        raise wrong_line(name, number, "it holds half a character")
    return document


def _check_version(version: object, name: str, number: int, *, is_first: bool) -> None:
    if type(version) is not int or version != VERSION:
        raise BacklogFileError(
            f"{name}: unsupported {HEADER} {version!r}; version {VERSION} can be read",
            where=name,
            fix="export it with a version of its tool that writes this one",
        )
    if not is_first:
        raise wrong_line(name, number, f"{HEADER} comes before all items, and once")


def _item(
    document: dict[str, Any],
    line: str,
    name: str,
    number: int,
    notes: list[str],
    archived: bool,
) -> Item:
    id = sound_id(document.get("id"), name, number)
    _check_native(document, name, number)
    prefix = prefix_of(document) or PREFIXES[0]
    values = Values(f"{name}: line {number}: {id}", document, notes)
    for key in document:
        if key not in _NATIVE and not key.startswith("x-"):
            values.note(f"{key}: no key of task-golem; kept for an export only")
    if prefix == PREFIXES[0]:
        for key in document:
            if key in _KNOWN[PREFIXES[1]]:
                values.note(f"{key}: kept for an export only, {prefix}* is there, too")
    native = NativeStatus(document["status"])
    status, reason = _status(values, native, prefix, archived=archived)
    created = _time(document, "created_at", name, number) or 0
    updated = _time(document, "updated_at", name, number)
    question = _question(values, status, prefix)
    phase = values.text(f"{prefix}phase") or None
    pool = values.choice(f"{prefix}phase-pool", Pool)
    kept: dict[str, Any] = {"line": line}
    if archived:
        kept["archived"] = True
    return Item(
        id=id,
        title=document["title"],
        status=status,
        priority=document.get("priority") or 0,
        description=_description(values, f"{prefix}description"),
        tags=values.texts("tags"),
        needs=values.texts("dependencies"),
        parent=values.text("parent"),
        pipeline=values.text(f"{prefix}pipeline-type") or None,
        phase=phase,
        pool=golem.pool(pool, phase, status, question.since if question else None),
        ratings=golem.assessments(values, prefix),
        needs_review=values.truth(f"{prefix}requires-human-review"),
        origin=values.text(f"{prefix}origin") or "",
        question=question,
        answer=values.text(f"{prefix}unblock-context") or "",
        claim=_claim(values, name, number, created if updated is None else updated),
        reason=reason,
        based_on=values.text(f"{prefix}last-phase-commit") or "",
        created=created,
        updated=created if updated is None else updated,
        foreign={FOREIGN: kept},
    )


def _check_native(document: Mapping[str, Any], name: str, number: int) -> None:
    """Refuse a line whose own fields are not of their types, as task-golem does."""
    if not isinstance(document.get("title"), str):
        raise wrong_line(name, number, "title is missing or no text")
    status = document.get("status")
    if not isinstance(status, str) or status not in _STATUSES:
        raise wrong_line(name, number, f"status {status!r} is none of todo, doing, done, blocked")
    priority = document.get("priority", 0)
    if type(priority) is not int or not -(2**63) <= priority < 2**63:
        raise wrong_line(name, number, "priority is no whole number of 64 bits")
    for key in ("tags", "dependencies"):
        entries = document.get(key, [])
        if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
            raise wrong_line(name, number, f"{key} is no list of texts")
    for key in ("description", "blocked_reason", "blocked_from_status", "claimed_by", "parent"):
        if not isinstance(document.get(key), str | None):
            raise wrong_line(name, number, f"{key} is no text")


def _status(
    values: Values, native: NativeStatus, prefix: str, *, archived: bool
) -> tuple[Status, str]:
    """Return the status, and why the item is over when it is closed."""
    key = f"{prefix}status"
    if native is NativeStatus.TODO and not archived:
        todo = values.choice(key, _Todo)
        return Status(todo.value) if todo else Status.NEW, ""
    if native is not NativeStatus.TODO and key in values.held:
        values.note(f"{key}: left over from before it was {native.value}; left out")
    if native is NativeStatus.DONE:
        why = values.text(f"{prefix}{CLOSED}")
        return (Status.DONE, "") if why is None else (Status.CLOSED, why)
    if archived:
        values.note("archived without being done; it counts as closed")
        return Status.CLOSED, "archived without being done"
    return (Status.BLOCKED if native is NativeStatus.BLOCKED else Status.IN_PROGRESS), ""


def _question(values: Values, status: Status, prefix: str) -> Question | None:
    """Return what a blocked item waits for; notes what is left over from a block that is over."""
    from_key, type_key = f"{prefix}blocked-from-status", f"{prefix}blocked-type"
    native = values.held.get("blocked_from_status")
    if status is not Status.BLOCKED:
        for key in (from_key, type_key, "blocked_reason", "blocked_from_status"):
            if values.held.get(key) is not None:
                values.note(f"{key}: left over, it is not blocked; left out")
        return None
    since = values.choice(from_key, golem.OpenStatus)
    if native is None and since is not None:
        values.note(f"{from_key}: left over, blocked_from_status is not set; goes back to new")
        since = None
    elif native is not None and from_key not in values.held:
        values.note(f"blocked_from_status: {native} alone does not tell where; goes back to new")
    asks = values.choice(type_key, golem.BlockedType)
    return golem.question(values.text("blocked_reason"), asks, since)


def _description(values: Values, key: str) -> Description:
    """Return the five parts; what only task-golem knows of it is the context."""
    found = golem.description(values, key)
    text = values.text("description") or ""
    if not found:
        return Description(context=text) if text else UNDESCRIBED
    if text and text != found.context:
        values.note(f"description: it differs from {key}, which counts")
    return found


def _claim(values: Values, name: str, number: int, updated: int) -> Claim | None:
    by = values.text("claimed_by")
    if by is None:
        return None
    at = _time(values.held, "claimed_at", name, number)
    return Claim(by=by, at=updated if at is None else at)


def _time(document: Mapping[str, Any], key: str, name: str, number: int) -> int | None:
    value = document.get(key)
    if value is None:
        return None
    try:
        return read_time(value if isinstance(value, str) else "")
    except ValueError as error:
        raise wrong_line(name, number, f"{key}: {error}") from None
