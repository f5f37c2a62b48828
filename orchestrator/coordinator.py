"""The actor: takes commands from its mailbox and runs each inline, in its lane, or beside all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import attrs
import trio

from .context import Context
from .envelope import Envelope, Mailbox
from .errors import CommandTimedOutError, PluginError, StoppedError
from .messages import Command, Event
from .plugin import Registration
from .registry import Registry

BATCH = 256
"""Envelopes handled before other tasks get a turn."""


@attrs.define(eq=False)
class _Turn:
    """What one command from outside holds and waits for, its nested calls included."""

    held: list[str] = attrs.field(factory=list)
    awaited: list[str] = attrs.field(factory=list)


@attrs.define(eq=False)
class _Job:
    """An async handler that is to run: for a caller outside, or inside another's turn."""

    envelope: Envelope
    registration: Registration
    turn: _Turn


@attrs.define(eq=False, kw_only=True)
class Coordinator:
    """Runs commands. Made for one `run`; a handler's error is its caller's, never a crash.

    Attributes:
      services: what `Context.service` finds.
    """

    mailbox: Mailbox
    registry: Registry
    publish: Callable[[Event], None]
    services: Mapping[type[Any], object]
    _lanes: dict[str, deque[_Job]] = attrs.field(factory=dict, init=False)
    _holders: dict[str, _Turn] = attrs.field(factory=dict, init=False)
    _nursery: trio.Nursery = attrs.field(init=False)
    _inline: Context = attrs.field(init=False)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until the mailbox is closed and empty and the last handler has ended.

        However this ends, every envelope is settled: no caller is left waiting.
        """
        self._inline = self._context(_Turn())
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                while await self.mailbox.wait():
                    for _ in range(BATCH):
                        envelope = self.mailbox.take()
                        if envelope is None:
                            break
                        if not envelope.is_settled:
                            self._dispatch(envelope)
        finally:
            self.mailbox.close()
            while (envelope := self.mailbox.take()) is not None:
                envelope.fail(StoppedError("stopped before the command started"))

    def _dispatch(self, envelope: Envelope) -> None:
        try:
            registration = self.registry.lookup(envelope.command)
            if registration.deadline is None:
                envelope.succeed(registration.handler(envelope.command, self._inline))
                return
            job = _Job(envelope, registration, _Turn())
            lane = _lane(registration, envelope.command)
        except Exception as exc:
            envelope.fail(exc)
            return
        if lane is None:
            self._nursery.start_soon(self._run, job)
        else:
            self._queue(lane, job)

    def _queue(self, lane: str, job: _Job) -> None:
        jobs = self._lanes.get(lane)
        if jobs is None:
            self._lanes[lane] = deque([job])
            self._nursery.start_soon(self._run_lane, lane)
        else:
            jobs.append(job)

    async def _run_lane(self, lane: str) -> None:
        jobs = self._lanes[lane]
        try:
            while jobs:
                job = jobs.popleft()
                if job.envelope.is_settled:
                    continue
                self._holders[lane] = job.turn
                job.turn.held.append(lane)
                try:
                    await self._run(job)
                finally:
                    job.turn.held.remove(lane)
                    del self._holders[lane]
        finally:
            del self._lanes[lane]
            for job in jobs:
                job.envelope.fail(StoppedError("stopped before the command started"))

    async def _run(self, job: _Job) -> None:
        envelope = job.envelope
        try:
            with envelope.start():
                envelope.succeed(await self._handle(job.registration, envelope.command, job.turn))
        except Exception as exc:
            envelope.fail(exc)
        finally:
            envelope.fail_cancelled(job.registration.name)

    async def _handle(self, registration: Registration, command: Command[Any], turn: _Turn) -> Any:
        if registration.deadline is None:
            await trio.lowlevel.checkpoint()
            return registration.handler(command, self._inline)
        with trio.move_on_after(registration.deadline):
            return await registration.handler(command, self._context(turn))
        raise CommandTimedOutError(registration.name, registration.deadline)

    async def _call_nested(self, turn: _Turn, command: Command[Any]) -> Any:
        registration = self.registry.lookup(command)
        lane = _lane(registration, command)
        if lane is None or lane in turn.held:
            return await self._handle(registration, command, turn)
        self._check_cycle(turn, lane, registration)
        envelope = Envelope(command)
        turn.awaited.append(lane)
        try:
            self._queue(lane, _Job(envelope, registration, turn))
            return await envelope.wait()
        finally:
            turn.awaited.remove(lane)

    def _check_cycle(self, turn: _Turn, lane: str, registration: Registration) -> None:
        """Refuse a wait that would close a circle of turns; each alone would look legitimate."""
        todo, seen = [lane], {lane}
        while todo:
            holder = self._holders.get(todo.pop())
            if holder is turn:
                raise PluginError(
                    f"{registration.name} waits for lane {lane}, whose turn waits for this one",
                    where=registration.name,
                    fix="call commands of several lanes in one order everywhere",
                )
            if holder is not None:
                todo += [other for other in holder.awaited if other not in seen]
                seen.update(holder.awaited)

    def _context(self, turn: _Turn) -> Context:
        return Context(
            publish=self.publish, services=self.services, call=partial(self._call_nested, turn)
        )


def _lane(registration: Registration, command: Command[Any]) -> str | None:
    return None if registration.lane is None else registration.lane(command)
