"""Reads all that ever ran here, a line each: what needs a person first, then the newest. Blocking.

It costs the same few processes however many items there are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from orchestrator.adapters.git.repository import Repository
from orchestrator.run.lock import running_item
from orchestrator.run.records.history import read_history
from orchestrator.store.reading import open_reader
from orchestrator.work.backlog.item import Item, Status
from orchestrator.work.records import (
    AttemptRecord,
    AttemptState,
    RunRecord,
    RunState,
    attempt_from,
    run_from,
)

from .cleaning import Cleaner
from .model import Row
from .tasks import read_tasks

_FIRST = ("blocked", "failed", "interrupted", "in progress")
"""What needs a person, or goes on now, comes before what is over."""

_NANOSECONDS = 1_000_000_000

Counts = tuple[tuple[str, int], ...]
"""Statuses, and how many items have each."""


def read_overview(repo: Repository, clean: Cleaner) -> tuple[tuple[Row, ...], Counts]:
    """Return all that ever ran or waits for a person, and how many items the backlog has.

    Raises:
      StoreError: when there is a store that cannot be read.
    """
    history, running = read_history(repo.git), running_item(repo.state_dir)
    with open_reader(repo.state_dir) as reader:
        tasks = read_tasks(reader, repo.git)
    attempts: dict[str, list[AttemptRecord]] = defaultdict(list)
    for record in filter(None, map(attempt_from, history.attempts)):
        attempts[record.item].append(clean.attempt(record))
    runs = {run.item: run for run in filter(None, map(run_from, history.runs))}
    rows = [
        _of_backlog(item, attempts[item.id], runs.get(item.id), clean)
        for item in tasks.values()
        if item.id in runs or item.is_blocked
    ]
    rows += [
        _of_change(run, attempts[item], running == item, clean)
        for item, run in runs.items()
        if item not in tasks
    ]
    found = Counter(item.status for item in tasks.values())
    counts = tuple((_words(status), found[status]) for status in Status if found[status])
    return tuple(sorted(rows, key=_order)), counts


def _of_backlog(
    item: Item, attempts: Sequence[AttemptRecord], run: RunRecord | None, clean: Cleaner
) -> Row:
    gone = run is not None and run.state in (RunState.DELIVERED, RunState.DISCARDED)
    status = run.state.value if run is not None and gone else _words(item.status)
    reason = item.question.text if item.question is not None else item.reason
    return _row(item.id, item.title, status, reason, item.updated // _NANOSECONDS, attempts, clean)


def _of_change(
    run: RunRecord, attempts: Sequence[AttemptRecord], running: bool, clean: Cleaner
) -> Row:
    status = run.state.value
    if run.state is RunState.OPEN:
        status = "in progress" if running else "interrupted"
    return _row(run.item, run.title, status, run.reason, run.at, attempts, clean)


def _row(
    id: str,
    title: str,
    status: str,
    reason: str,
    at: float,
    attempts: Sequence[AttemptRecord],
    clean: Cleaner,
) -> Row:
    good = {(a.phase, a.story) for a in attempts if a.state is AttemptState.VERIFIED}
    return Row(
        id=id,
        title=clean.line(title or id),
        status=status,
        done=len(good),
        tries=sum(one.state is not AttemptState.LIMITED for one in attempts),
        cost=sum(one.usage.cost for one in attempts),
        at=max([at, *(one.at for one in attempts)]),
        reason=clean.line(reason) if status not in ("delivered", "discarded") else "",
    )


def _order(row: Row) -> tuple[int, float, str]:
    first = _FIRST.index(row.status) if row.status in _FIRST else len(_FIRST)
    return first, -row.at, row.id


def _words(status: Status) -> str:
    return status.value.replace("_", " ")
