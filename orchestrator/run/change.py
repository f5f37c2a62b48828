"""Drives a planned change: opens its run, then the story loop, inside an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio

from orchestrator.bridge import Sink
from orchestrator.guardian.client import Guardians
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.commands import OpenRun, RecordFact, ReleaseWorkspace
from orchestrator.run.delivery.commands import SettleDelivery
from orchestrator.run.engine.comforts import collect_garbage, comforts, interrupt_later
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.engine.steering import Steering
from orchestrator.run.events import BuildInferred, RunStarted, Warned
from orchestrator.run.loop.results import Outcome
from orchestrator.run.loop.story_loop import StoryLoop
from orchestrator.run.plan import Plan, RunOptions
from orchestrator.run.runner import make_runner
from orchestrator.runtime import Orchestrator


async def run_change(
    plan: Plan,
    options: RunOptions,
    *,
    sinks: Mapping[str, Sink],
    signals: bool = False,
    on_force: Callable[[], None] | None = None,
) -> Outcome:
    """Drive the planned change until it is done, failed, blocked, limited or stopped.

    A polite stop starts no new attempt and has the running worker interrupted by its own protocol
    after 10 s; a second one cancels it now. What it had done is pinned either way.

    Args:
      sinks, signals, on_force: see `open_orchestrator`.

    Raises:
      BusyError: when another engine works on the repository.
      BaselineError: when set-up or verification fails before any work.
      StoppedError: when it was cancelled.
    """

    steering = Steering()

    async def work(orchestrator: Orchestrator) -> Outcome:
        async with comforts(plan.config, plan.repo.checkout, plan.item, orchestrator):
            return await _work(plan, options, orchestrator, steering)

    return await run_engine(
        plan.repo,
        plan.item,
        work,
        config=plan.config,
        sinks=sinks,
        signals=signals,
        on_force=on_force,
        steering=steering,
    )


async def _work(
    plan: Plan, options: RunOptions, orchestrator: Orchestrator, steering: Steering
) -> Outcome:
    async with Guardians() as guardians, trio.open_nursery() as nursery:
        interrupt = trio.Event()
        stopping = orchestrator.stopping.requested
        nursery.start_soon(interrupt_later, stopping, interrupt, steering)
        spec = plan.target.spec(plan.repo.checkout)
        for directory in plan.agent.directories:
            await trio.Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            await orchestrator.call(SettleDelivery(item=plan.item, running=True))
            fact = _started(plan)
            opened = await orchestrator.call(OpenRun(item=plan.item, spec=spec, fact=fact))
            runner = make_runner(
                plan, options, opened, orchestrator, guardians, interrupt, steering
            )
            await _warn(plan, runner)
            outcome = await StoryLoop(runner=runner, stopping=stopping).run()
        finally:
            with trio.CancelScope(shield=True):  # bounded by the command's own deadline
                for message in await orchestrator.call(ReleaseWorkspace(item=plan.item)):
                    told = Warned(message=message)
                    await orchestrator.call(RecordFact(fact=told, item=plan.item, run=""))
        nursery.cancel_scope.cancel()
    await collect_garbage(plan.config, orchestrator)
    return outcome


def _started(plan: Plan) -> RunStarted:
    return RunStarted(
        item=plan.item,
        agent=plan.agent.label,
        stories=len(plan.target.change.stories),
        left_behind=plan.target.left_behind,
    )


async def _warn(plan: Plan, runner: AttemptRunner) -> None:
    if runner.opened.workspace.kind.boundary:
        await runner.record(Warned(message=runner.opened.workspace.kind.boundary))
    if plan.target.note is not None:
        await runner.record(Warned(message=plan.target.note))
    build = plan.build
    if build.inferred:
        await runner.record(
            BuildInferred(setup=build.setup, verify=build.commands, not_used=build.not_used)
        )
    if plan.agent.settings.kind == "command" and _counts_usage(plan):
        message = f"{plan.agent.name} is only measured by the usage in its result file"
        await runner.record(Warned(message=message))
    if plan.anonymous:
        message = "git has no identity: committing as Orchestrator <orchestrator@localhost>"
        await runner.record(Warned(message=message))


def _counts_usage(plan: Plan) -> bool:
    """Tell whether a budget needs to know what the worker uses."""
    limits = (plan.config.execution, plan.agent.settings)
    return any(at.max_cost or at.max_tokens or at.max_turns for at in limits)
