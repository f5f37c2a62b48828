"""What a run of the backlog has used, over all its items; it survives the engine that counts it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import attrs
import trio

from orchestrator.run.attempts.meter import Meter
from orchestrator.run.backlog.phases import RUN_KEY
from orchestrator.run.loop.allowance import usage_of
from orchestrator.store.store import Store
from orchestrator.work.records import AttemptRecord, attempt_from
from orchestrator.work.worker import Usage


@attrs.define(eq=False, kw_only=True)
class Spending:
    """Counts the attempts of one run: those that ended, and those that go on.

    Attributes:
      worked: seconds that killed engines of this run were at work; ``started``: when this one
        began, in Trio's time.
    """

    worked: float
    started: float
    _ended: dict[str, AttemptRecord]
    _running: dict[str, tuple[AttemptRecord, Meter]] = attrs.field(factory=dict, init=False)

    def begin(self, attempt: AttemptRecord, meter: Meter) -> None:
        """Count an attempt that goes on."""
        self._running[attempt.id] = (attempt, meter)

    def end(self, attempt: AttemptRecord) -> None:
        """Count an attempt as it ended."""
        self._running.pop(attempt.id, None)
        self._ended[attempt.id] = attempt

    def count(self, attempts: Iterable[AttemptRecord]) -> None:
        """Count attempts that ended, if they are not counted yet."""
        self._ended.update((attempt.id, attempt) for attempt in attempts)

    @property
    def usage(self) -> Usage:
        """What all of them used so far."""
        running = (meter.usage for _, meter in self._running.values())
        return sum(running, start=usage_of(tuple(self._ended.values())))


def open_spending(store: Store) -> Callable[[], Spending]:
    """Begin a run, or go on with one that a crash cut short. Blocking.

    Returns what makes its counter, inside Trio.
    """
    known = json.loads(store.meta(RUN_KEY) or "{}")
    since = known.get("since", 0)
    if known.get("open"):
        rows = store.attempts_since(since)
        found = [attempt for row in rows if (attempt := attempt_from(json.loads(row.document)))]
    else:
        found, since = [], store.last_attempt()
        document = json.dumps({"open": True, "since": since})
        store.write(lambda tx: tx.set_meta(RUN_KEY, document))
    worked = sum(attempt.seconds for attempt in found)
    ended = {attempt.id: attempt for attempt in found}
    return lambda: Spending(worked=worked, started=trio.current_time(), ended=ended)
