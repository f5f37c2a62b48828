"""The items of the backlog as `status` shows them: those that were begun. Blocking, and light."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any, NamedTuple

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.branches import our_branches
from orchestrator.adapters.git.runner import Git
from orchestrator.store.reading import ItemRow, Reader
from orchestrator.work.states import AttemptState, first_object

SHOWN = ("in_progress", "blocked", "scoping")
"""The statuses of an item that was begun and is not over; what goes on comes first."""

_COUNTED = ("new", "scoping", "ready", "in_progress", "blocked", "done", "closed")


class OpenItems(NamedTuple):
    """What there is to tell of a backlog.

    Attributes:
      entries: the documents of the items that were begun and are not over.
      counts: how many items there are of each status; empty when there is no item at all.
    """

    entries: tuple[dict[str, Any], ...]
    counts: dict[str, int]
    reader: Reader | None

    def holds(self, id: str) -> bool:
        """Say whether the backlog has an item of this id."""
        return bool(self.counts) and self.reader is not None and self.reader.item(id) is not None


def read_backlog(git: Git, reader: Reader | None, *, running: bool) -> OpenItems:
    """Read the items that were begun, also while an engine works.

    Args:
      running: whether an engine works here.

    Raises:
      StoreError: when the store cannot be read.
    """
    found = reader.item_counts() if reader is not None else {}
    if reader is None or not found:
        return OpenItems((), {}, None)
    rows = sorted(reader.items(*SHOWN), key=lambda row: SHOWN.index(row.status))
    branches = our_branches(git) if rows else frozenset()
    entries = tuple(item_entry(row, reader, branches, running=running) for row in rows)
    return OpenItems(entries, {name: found.get(name, 0) for name in _COUNTED}, reader)


def item_entry(
    row: ItemRow, reader: Reader | None, branches: Container[str], *, running: bool
) -> dict[str, Any]:
    """Return the document of one item.

    Args:
      reader: tells its attempts, None when there is no store.
      branches: full names of the branches that exist.

    Raises:
      StoreError: when the store cannot be read.
    """
    item = json.loads(row.document)
    rows = reader.attempts(row.id) if reader is not None else ()
    attempts = [first_object(attempt.document) for attempt in rows]
    last = attempts[-1] if attempts else {}
    is_at_work = running and last.get("state") == AttemptState.STARTED.value
    question, claim = item.get("question") or {}, item.get("claim") or {}
    branch = refs.branch_ref(row.id)
    return {
        "id": row.id,
        "title": item.get("title", ""),
        "kind": "item",
        "status": row.status.replace("_", " "),
        "phase": item.get("phase"),
        "story": (last.get("story") or None) if is_at_work else None,
        "attempt": last["id"] if is_at_work else None,
        "branch": branch.removeprefix("refs/heads/") if branch in branches else None,
        "blocked": question.get("text"),
        "asks": question.get("asks", "clarification") if question else None,
        "cause": question.get("cause", "asked") if question else None,
        "reason": question.get("text", item.get("reason", "")),
        "run": last.get("run", ""),
        "waits": f"claimed by {claim['by']}" if claim else None,
        "cost": round(sum(attempt["usage"]["cost"] for attempt in attempts), 6),
        "stories_done": 0,
        "stories": None,
    }
