"""An engine for one command of a person, which answers others too when that takes long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.beside import beside
from orchestrator.bridge import Sink
from orchestrator.errors import StoppedError
from orchestrator.run.engine.calls import Calls
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.events import Warned
from orchestrator.run.lock import BRIEF
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config

T = TypeVar("T")

ALONE = 1.0
"""Seconds in which most commands are done; none is kept by a call of others that came in them."""


async def run_brief(
    repo: Repository,
    work: Callable[[Orchestrator], Awaitable[T]],
    *,
    config: Config,
    sinks: Mapping[str, Sink],
) -> T:
    """Own the repository, do ``work``, and return its result when no call of others is under way.

    Signals are watched. A stop cancels what is not done a second later, and ends the waiting for
    others: see `Calls.finish`.

    Raises:
      StoppedError: when the work was cancelled by a stop.
      OrchestratorError: as `run_engine`.
    """
    calls = Calls()

    async def work_and_wait(orchestrator: Orchestrator) -> T:
        calls.give_way(ALONE)
        try:
            return await _until_stopped(work, orchestrator)
        finally:
            calls.give_way(ALONE)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell, orchestrator)
                await calls.over(0, orchestrator.stopping.requested)
                nursery.cancel_scope.cancel()

    return await run_engine(
        repo, BRIEF, work_and_wait, config=config, sinks=sinks, signals=True, calls=calls
    )


async def _until_stopped(
    work: Callable[[Orchestrator], Awaitable[T]], orchestrator: Orchestrator
) -> T:
    """Return what the work came to; a person who stops it does not wait for what takes long."""

    async def give_up() -> None:
        await orchestrator.stopping.requested.wait()
        await trio.sleep(ALONE)

    async def whole() -> tuple[T]:
        return (await work(orchestrator),)

    done = await beside(give_up, whole)
    if done is None:
        raise StoppedError("stopped", fix="say it again; what was begun is whole, or not done")
    return done[0]


async def _tell(orchestrator: Orchestrator) -> None:
    await trio.sleep(ALONE)
    text = "waiting for what others have called here meanwhile; Ctrl-C cuts it short"
    orchestrator.publish(Warned(message=text))
