"""Tells a person who is away: runs his own command when a run ends, asks or waits."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.process import run
from orchestrator.adapters.threads import in_thread
from orchestrator.bus import Subscription
from orchestrator.errors import OrchestratorError
from orchestrator.messages import Event
from orchestrator.run.backlog.events import BacklogEnded, ItemChanged
from orchestrator.run.events import LimitReached, RunEnded
from orchestrator.runtime import Orchestrator
from orchestrator.text import clock_time, one_line
from orchestrator.work.backlog.item import Status

SECONDS = 30.0
"""How long one command, and all that are left at the end, may take."""


@attrs.frozen(kw_only=True)
class Notifier:
    """Runs ``command`` in a shell, in ``cwd``, with the operator's own environment.

    Attributes:
      item: what an error is about that ends the run before it has begun.
      warn: is told when the command fails: the run goes on.
    """

    command: str
    item: str
    cwd: Path
    warn: Callable[[str], Awaitable[None]]

    @asynccontextmanager
    async def around(self, orchestrator: Orchestrator) -> AsyncGenerator[None, None]:
        """Notify of what happens in the block; leaving it waits, bounded, for what is left.

        Cancellation notifies of nothing more: whoever stopped the run knows it.
        """
        failure: Exception | None = None
        with orchestrator.events() as events:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._follow, events)
                try:
                    yield
                except Exception as error:
                    # Raised here it would cancel the notification of itself.
                    failure = error
                    for ours in _ours(error):
                        orchestrator.publish(_Failed(text=ours.message))
                orchestrator.publish(_Over())
                nursery.cancel_scope.deadline = trio.current_time() + SECONDS
        if failure is not None:
            raise failure

    async def _follow(self, events: Subscription) -> None:
        async for event in events:
            match event:
                case _Over():
                    return
                case _Failed(text=text):
                    await self._notify(self.item, "failed", text)
                case RunEnded():
                    text = f"{event.state} {event.done}/{event.stories}: {event.reason}"
                    await self._notify(event.item, event.state, text.removesuffix(": "))
                case BacklogEnded():
                    await self._notify("", event.halt, event.reason)
                case ItemChanged(after=Status.BLOCKED.value) if event.before != event.after:
                    await self._notify(event.item, event.after, event.text)
                case LimitReached():
                    text = f"{event.agent}: limit until {clock_time(event.until)}"
                    await self._notify(event.item, "waiting", text)

    async def _notify(self, item: str, state: str, text: str) -> None:
        about = {"ITEM": item, "STATE": state, "TEXT": one_line(text, 1000)}
        env = {**os.environ, **{f"ORCHESTRATOR_{name}": value for name, value in about.items()}}
        argv = ("/bin/sh", "-c", self.command)
        try:
            done = await in_thread(
                lambda: run(argv, cwd=self.cwd, env=env, deadline=SECONDS),
                deadline=SECONDS + 5.0,
                limiter=trio.CapacityLimiter(1),
                what="notify",
            )
        except OrchestratorError as error:
            await self.warn(f"notify: {error.message}")
            return
        if done.returncode != 0:
            said = one_line(done.stderr.decode(errors="replace")) or "no message"
            await self.warn(f"notify exited with {done.returncode}: {said}")


@attrs.frozen(kw_only=True)
class _Failed(Event):
    text: str


@attrs.frozen(kw_only=True)
class _Over(Event):
    pass


def _ours(error: Exception) -> Iterator[OrchestratorError]:
    if isinstance(error, OrchestratorError):
        yield error
    elif isinstance(error, ExceptionGroup):
        for inner in error.exceptions:
            yield from _ours(inner)
