"""What `status` tells, as one document: from the records, with or without an engine. Light."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from orchestrator.adapters.git.runner import Git
from orchestrator.run.records.open_items import read_backlog
from orchestrator.run.records.state import ItemState, read_items
from orchestrator.store.reading import Reader, open_reader
from orchestrator.text import clock_time

_COUNTED = ("attempt_started", "story_verified", "run_ended")


def status_document(git: Git, state_dir: Path, *, running: str | None) -> dict[str, Any]:
    """Return every item that ever ran here, and whether something runs. Blocking.

    Args:
      running: the item that an engine works on.

    Raises:
      StoreError: when there is a store that cannot be read.
    """
    with open_reader(state_dir) as reader:
        changes = [_item(item, reader) for item in read_items(git, running=running)]
        backlog = read_backlog(git, reader, running=running is not None)
        # What was run for an item of the backlog is told with that item.
        others = (change for change in changes if not backlog.holds(change["id"]))
        items = [*backlog.entries, *others]
    run = {"running": running is not None, "item": running}
    return {
        "items": items,
        "backlog": backlog.counts,
        "run": {**run, "paused": False, "stopping": False, "latest": []},
    }


def _item(item: ItemState, reader: Reader | None) -> dict[str, Any]:
    done, stories = _progress(item, reader)
    status, reason = _ending(item, reader)
    return {
        "id": item.id,
        "title": item.title,
        "kind": "change",
        "status": status,
        "phase": item.phase,
        "story": item.story,
        "attempt": item.attempt,
        "branch": item.branch,
        "blocked": item.blocked,
        "reason": reason,
        "run": item.run,
        "waits": _waits(item, reader) if item.status == "in progress" else None,
        "cost": round(item.cost, 6),
        "stories_done": done,
        "stories": stories,
    }


def _ending(item: ItemState, reader: Reader | None) -> tuple[str, str]:
    """Return the status, and why: an open run that nobody works on may have ended by itself."""
    if item.status == "interrupted" and reader is not None:
        last = reader.last_fact(item.id, "run_started", "baseline_failed", "run_ended")
        if last is not None and last.name == "run_ended" and last.run == item.run:
            return str(last.document["state"]), str(last.document["reason"])
    return item.status, item.reason


def _progress(item: ItemState, reader: Reader | None) -> tuple[int, int | None]:
    """Return how many stories are done, of how many; None when nobody has counted them."""
    last = reader.last_fact(item.id, *_COUNTED) if reader is not None else None
    if last is not None and {"done", "stories"} <= last.document.keys():
        return last.document["done"], last.document["stories"]
    return sum(attempt.state.value == "verified" for attempt in item.attempts), None


def _waits(item: ItemState, reader: Reader | None) -> str | None:
    last = reader.last_fact(item.id, *_COUNTED, "limit_reached") if reader is not None else None
    if last is None or last.name != "limit_reached" or last.document["until"] < time.time():
        return None
    return f"{last.document['agent']} limit until {clock_time(last.document['until'])}"
