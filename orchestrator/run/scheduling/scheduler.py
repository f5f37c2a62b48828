"""Works on the backlog: starts what is selected, until there is a reason to end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import attrs
import trio

from orchestrator.errors import OrchestratorError
from orchestrator.run.scheduling.executions import Executions
from orchestrator.run.scheduling.session import Session
from orchestrator.work.backlog import outcomes
from orchestrator.work.backlog.change import Change, View
from orchestrator.work.backlog.halt import Course, Ending, Halt, Orders, Stop, Wait, Work
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.selection import Action, Promote, RunPhase, Triage


@attrs.define(eq=False)
class Scheduler:
    """The loop of one run. What it decides by is pure: see `Course`."""

    session: Session
    orders: Orders
    _course: Course = attrs.field(init=False)
    _executions: Executions = attrs.field(init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)
    _failure: OrchestratorError | None = attrs.field(default=None, init=False)
    _visits: dict[str, int] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._course = Course(self.orders)
        self._executions = Executions(self.session)

    @property
    def phases(self) -> int:
        """How many were begun."""
        return self._course.started

    async def run(self) -> Halt:
        """Work until there is a reason to end; nothing runs then.

        A stop begins nothing more and lets what runs end. Cancellation kills what runs.

        Raises:
          OrchestratorError: the first error that was not one item's alone; what ran has ended.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_items)
            nursery.start_soon(self._watch_stop)
            halt = await self._loop(nursery)
            nursery.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure
        return halt

    async def _loop(self, nursery: trio.Nursery) -> Halt:
        backlog = self.session.book.backlog
        while True:
            self._news = trio.Event()
            if self.session.stopping.is_set():
                self._course.stop()
            elif await self.session.steering.hold(self.session.stopping):
                continue
            match self._course.next(backlog):
                case Stop(halt=halt):
                    return halt
                case Wait():
                    await self._news.wait()
                case Work(actions=actions):
                    await self._begin(actions, nursery)

    async def _begin(self, actions: Sequence[Action], nursery: trio.Nursery) -> None:
        # Phases first, at once: they were chosen for how the backlog is now.
        for action in actions:
            if not isinstance(action, Promote):
                destructive = isinstance(action, RunPhase) and action.destructive
                backlog = self.session.book.backlog
                backlog.begin(action.item, destructive=destructive)
                item = backlog.get(action.item)
                self._visits[action.item] = item.visit if item is not None else 0
                nursery.start_soon(self._execute, action)
        rules = self.session.book.rules
        for action in actions:
            if isinstance(action, Promote):
                await self.session.decide(partial(_promoted, rules, action.item))

    async def _execute(self, action: Triage | RunPhase) -> None:
        try:
            ending = await self._executions.run(action)
        except OrchestratorError as error:
            self._failure = self._failure or error
            self._course.stop()
            ending = Ending.CANCELLED
        if self.session.refusal is not None:
            self._course.stop(Halt.LIMITED)
        self.session.book.backlog.end(action.item)
        self._course.ended(action.item, ending)
        self._tell()

    async def _watch_items(self) -> None:
        """Look again whenever an item changes; what a person took from a worker is interrupted."""
        while True:
            # First: what changed before this task began to wait woke nobody.
            for item in self._taken():
                self.session.steering.interrupt(item.id)
            self._tell()
            await self.session.book.wait_changed()

    def _taken(self) -> Iterator[Item]:
        backlog = self.session.book.backlog
        for id in backlog.running:
            item = backlog.get(id)
            if item is None:
                continue
            moved = item.visit != self._visits[id]
            if moved or item.by_hand or item.is_blocked or item.status.is_final:
                yield item

    async def _watch_stop(self) -> None:
        await self.session.stopping.wait()
        self._tell()

    def _tell(self) -> None:
        self._news.set()


def _promoted(rules: Rules, id: str, view: View, now: int) -> Change:
    return outcomes.promoted(view, rules, id, now=now)
