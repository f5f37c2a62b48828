"""Items as a table that fits the terminal, each with what it waits for."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orchestrator.text import one_line
from orchestrator.work.backlog.filters import Filters
from orchestrator.work.backlog.item import Item, Status
from orchestrator.work.backlog.needs import unmet
from orchestrator.work.backlog.pipeline import DEFAULT
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.selection import urgency

from .cells import cells, cut, padded
from .item_words import status_word, waiting
from .output import coloured, width

_RANKS = (
    Status.IN_PROGRESS,
    Status.BLOCKED,
    Status.READY,
    Status.SCOPING,
    Status.NEW,
    Status.DONE,
    Status.CLOSED,
)
_COLOURS = {Status.DONE: "green", Status.BLOCKED: "yellow", Status.IN_PROGRESS: "bold"}
_LEAST = 24
"""Columns that a title gets at least; columns that matter less make room for it."""

_GAP = 2
_DISPENSABLE = ("PIPELINE", "RISK", "SIZE", "IMPACT", "PHASE")


def in_order(items: Iterable[Item]) -> list[Item]:
    """Return items by their status, priority and impact, then in the order they were added."""
    return sorted(items, key=_place)


def ready(known: Mapping[str, Item], rules: Rules) -> list[Item]:
    """Return what a run could work on right now, what it would begin with first."""
    keys = (
        key
        for item in known.values()
        if not unmet(known, item) and (key := urgency(item, rules)) is not None
    )
    return [known[key[-1]] for key in sorted(keys)]


def wanted(items: Iterable[Item], filters: Filters, *, final: bool) -> Iterator[Item]:
    """Yield the items that match; those that are over only when they are asked for."""
    named = any(criterion.field == "status" for criterion in filters.criteria)
    for item in items:
        if filters.matches(item) and (final or named or not item.status.is_final):
            yield item


def print_items(items: Sequence[Item], known: Mapping[str, Item]) -> None:
    """Print items as a table, and below each what it waits for.

    Args:
      known: every item, for the needs.
    """
    rows = [_row(item) for item in items]
    columns = _fitting(rows, width())
    room = width() - sum(size + _GAP for size in columns.values())
    head = "".join(padded(name, size + _GAP) for name, size in columns.items()) + "TITLE"
    print(coloured(head, "dim", sys.stdout))
    for item, row in zip(items, rows, strict=True):
        print(_line(item, row, columns, room))
        for text in waiting(item, unmet(known, item)):
            print(coloured(f"    {cut(text, width() - 4)}", "dim", sys.stdout))
    counts = Counter(item.status for item in items)
    told = ", ".join(f"{counts[s]} {status_word(s.value)}" for s in _RANKS if counts[s])
    print(cut(f"{len(items)} item{'s' if len(items) != 1 else ''}: {told}", width()))


def _place(item: Item) -> tuple[int, int, int, int]:
    impact = item.ratings.impact
    importance = 0 if impact is None else -impact.rank - 1
    return _RANKS.index(item.status), -item.priority, importance, item.created


def _row(item: Item) -> dict[str, str]:
    ratings = item.ratings
    return {
        "ID": item.id,
        "STATUS": status_word(item.status.value),
        "PHASE": one_line(item.phase or "-", 16),
        "PIPELINE": one_line(item.pipeline or DEFAULT, 16),
        "IMPACT": ratings.impact.value if ratings.impact else "-",
        "SIZE": ratings.size.value if ratings.size else "-",
        "RISK": ratings.risk.value if ratings.risk else "-",
    }


def _fitting(rows: Sequence[Mapping[str, str]], room: int) -> dict[str, int]:
    """Return the columns that leave room for a title, with their widths."""
    columns = {name: max(cells(name), *(cells(row[name]) for row in rows)) for name in rows[0]}
    empty = {name for name in _DISPENSABLE if {row[name] for row in rows} <= {"-", DEFAULT}}
    columns = {name: size for name, size in columns.items() if name not in empty}
    for name in _DISPENSABLE:
        if room - sum(size + _GAP for size in columns.values()) >= _LEAST:
            break
        columns.pop(name, None)
    columns["ID"] = min(columns["ID"], max(12, room // 2))
    return columns


def _line(item: Item, row: Mapping[str, str], columns: Mapping[str, int], room: int) -> str:
    parts = []
    for name, size in columns.items():
        text = padded(row[name], size) + " " * _GAP
        colour = _COLOURS.get(item.status) if name == "STATUS" else None
        parts.append(coloured(text, colour, sys.stdout) if colour else text)
    return "".join(parts) + cut(one_line(item.title), max(room, 8))
