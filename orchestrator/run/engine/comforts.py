"""What goes on beside any run: notices, a computer kept awake, a polite stop, clearing away."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import trio

from orchestrator.errors import OrchestratorError
from orchestrator.run.commands import RecordFact
from orchestrator.run.delivery.commands import CollectGarbage
from orchestrator.run.engine.awake import kept_awake
from orchestrator.run.engine.engine import INTERRUPT_AFTER
from orchestrator.run.engine.notify import Notifier
from orchestrator.run.engine.steering import Steering
from orchestrator.run.events import Warned
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config

_COLLECTED_AT_ONCE = 100


@asynccontextmanager
async def comforts(
    config: Config, checkout: Path, item: str, orchestrator: Orchestrator
) -> AsyncGenerator[None, None]:
    """Do for a person who is away what he asked for.

    Args:
      item: what an error is about that ends the run before it has begun.
    """

    async def warn(message: str) -> None:
        await orchestrator.call(RecordFact(fact=Warned(message=message), item=item, run=""))

    wanted = config.execution
    async with AsyncExitStack() as stack:
        if wanted.notify:
            notifier = Notifier(command=wanted.notify, item=item, cwd=checkout, warn=warn)
            await stack.enter_async_context(notifier.around(orchestrator))
        if wanted.keep_awake:
            await stack.enter_async_context(kept_awake(warn))
        yield


async def interrupt_later(requested: trio.Event, interrupt: trio.Event, steering: Steering) -> None:
    """Interrupt what runs by its own protocol, `INTERRUPT_AFTER` a polite stop was requested."""
    await requested.wait()
    await trio.sleep(INTERRUPT_AFTER)
    interrupt.set()
    steering.interrupt_all()


async def collect_garbage(config: Config, orchestrator: Orchestrator) -> None:
    """Remove a bounded share of what earlier items left and was kept long enough."""
    retention = config.execution.retention
    try:
        await orchestrator.call(CollectGarbage(retention=retention, limit=_COLLECTED_AT_ONCE))
    except OrchestratorError as error:  # the run itself ended as it did
        orchestrator.publish(Warned(message=f"nothing was cleared away: {error.message}"))
