"""Writes items as lines that task-golem and phase-golem read.

An item that came from such a line and still means the same is written as that very line. Of one
that changed, only the keys are written anew whose meaning changed; all others stay as they were,
also those that nobody here understands.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

import attrs

from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import Asks, Cause, Item, Status

from .task_golem import (
    CLOSED,
    EXTENSIONS,
    FOREIGN,
    HEADER,
    NATIVE,
    PREFIXES,
    VERSION,
    NativeStatus,
    prefix_of,
    reread,
)
from .timestamps import write_time

_STATUSES = {
    Status.IN_PROGRESS: NativeStatus.DOING,
    Status.BLOCKED: NativeStatus.BLOCKED,
    Status.DONE: NativeStatus.DONE,
    Status.CLOSED: NativeStatus.DONE,
}
"""The others are all things to do."""

_said = attrgetter(*(field.name for field in attrs.fields(Item) if field.name != "foreign"))
"""All of an item but what is kept of its line: where that is the same, the line is."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_PLACES = {name: place for place, name in enumerate(NATIVE)}


@attrs.frozen(kw_only=True)
class TaskFiles:
    """The two files of task-golem: items that are still open, and those that are over."""

    active: bytes
    archive: bytes


def export_task_golem(items: Iterable[Item]) -> bytes:
    """Return one file of all items, sorted by id."""
    return _file(_lines(items).values())


def export_task_files(items: Iterable[Item]) -> TaskFiles:
    """Return the content of ``tasks.jsonl`` and ``archive.jsonl``, each sorted by id."""
    items = tuple(items)
    lines = _lines(items)
    over = {item.id for item in items if item.status.is_final}
    return TaskFiles(
        active=_file(line for id, line in lines.items() if id not in over),
        archive=_file(line for id, line in lines.items() if id in over),
    )


def _file(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in (_encode({HEADER: VERSION}), *lines)).encode()


def _lines(items: Iterable[Item]) -> dict[str, str]:
    """Return the line of each item, in the order of ids as bytes."""
    ordered = sorted(items, key=lambda item: item.id.encode())
    sources = {item.id: _source(item) for item in ordered}
    usual = _usual(source.document for source in sources.values() if source is not None)
    return {item.id: _line(item, sources[item.id], usual) for item in ordered}


@attrs.frozen
class _Source:
    """The line an item came from, and the item that it was then."""

    line: str
    document: Mapping[str, Any]
    item: Item


@attrs.frozen
class _Usual:
    """How the lines are written that an item without one is written like."""

    prefix: str
    has_parent: bool


def _source(item: Item) -> _Source | None:
    kept = item.foreign.get(FOREIGN)
    line = kept.get("line") if isinstance(kept, Mapping) else None
    if not isinstance(kept, Mapping) or not isinstance(line, str) or "\n" in line:
        return None
    try:
        return _Source(line, *reread(line, archived=kept.get("archived") is True))
    except BacklogFileError:
        return None  # edited by hand: the item itself is all there is


def _usual(documents: Iterable[Mapping[str, Any]]) -> _Usual:
    counts = dict.fromkeys(PREFIXES, 0)
    has_parent = False
    for document in documents:
        prefix = prefix_of(document)
        if prefix is not None:
            counts[prefix] += 1
        has_parent = has_parent or "parent" in document
    return _Usual(max(PREFIXES, key=lambda prefix: counts[prefix]), has_parent)


def _line(item: Item, source: _Source | None, usual: _Usual) -> str:
    if source is None:
        entries = _entries(item, usual.prefix)
        if item.parent is None and not usual.has_parent:
            del entries["parent"]
        return _write(_without_absent(entries))
    if _said(source.item) == _said(item):
        return source.line
    prefix = prefix_of(source.document) or usual.prefix
    was, now = _entries(source.item, prefix), _entries(item, prefix)
    changed = {key: value for key, value in now.items() if value != was[key]}
    if not changed:
        return source.line
    kept = {key: value for key, value in source.document.items() if key not in changed}
    return _write(kept | _without_absent(changed))


def _without_absent(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return entries without the extensions that are absent; their own keys may be null."""
    return {key: held for key, held in entries.items() if held is not None or key in _PLACES}


def _write(document: Mapping[str, Any]) -> str:
    """Return a line: their own keys in their order, then the extensions by name."""
    last = len(_PLACES)
    keys = sorted(document, key=lambda key: (_PLACES.get(key, last), key.encode()))
    return _encode({key: _sorted(document[key]) for key in keys})


def _sorted(value: Any) -> Any:
    """Return a value with all keys in it sorted."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=str.encode)}
    return [_sorted(entry) for entry in value] if isinstance(value, list) else value


def _entries(item: Item, prefix: str) -> dict[str, Any]:
    """Return all keys that say something of an item; an extension of None is absent."""
    question, claim, ratings = item.question, item.claim, item.ratings
    since = question.since if question else None
    entries: dict[str, Any] = {
        "id": item.id,
        "title": item.title,
        "status": _STATUSES.get(item.status, NativeStatus.TODO).value,
        "priority": item.priority,
        "description": item.description.context or None,
        "tags": list(item.tags),
        "dependencies": list(item.needs),
        "created_at": write_time(item.created),
        "updated_at": write_time(item.updated),
        "blocked_reason": question.text if question else None,
        "blocked_from_status": _STATUSES.get(since, NativeStatus.TODO).value if since else None,
        "claimed_by": claim.by if claim else None,
        "claimed_at": write_time(claim.at) if claim else None,
        "parent": item.parent,
    }
    asked = question is not None and question.cause is Cause.ASKED
    extensions: dict[str, Any] = {
        "status": None if item.status in _STATUSES else item.status.value,
        "phase": item.phase,
        "phase-pool": item.pool.value if item.pool else None,
        "size": ratings.size.value if ratings.size else None,
        "complexity": ratings.complexity.value if ratings.complexity else None,
        "risk": ratings.risk.value if ratings.risk else None,
        "impact": ratings.impact.value if ratings.impact else None,
        "requires-human-review": item.needs_review or None,
        "pipeline-type": item.pipeline,
        "origin": item.origin or None,
        "blocked-type": question.asks.value
        if question and asked and question.asks is not Asks.APPROVAL
        else None,
        "blocked-from-status": since.value if since else None,
        "unblock-context": item.answer or None,
        "last-phase-commit": item.based_on or None,
        "description": attrs.asdict(item.description) if item.description else None,
        CLOSED: item.reason if item.status is Status.CLOSED else None,
    }
    return entries | {f"{prefix}{name}": extensions[name] for name in EXTENSIONS}
