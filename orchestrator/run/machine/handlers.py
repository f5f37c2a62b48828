"""Moves a branch on and takes down what is said of it; durable, and in git, before the answer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import attrs
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.errors import UsageError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.backlog.handlers import minting
from orchestrator.run.build import choose_build
from orchestrator.run.machine import finding
from orchestrator.run.machine.answers import CheckAnswer, Planned, Said, Stepped, Verified
from orchestrator.run.machine.commands import (
    AskOperator,
    ForceCycle,
    ForceTransition,
    PlannedPart,
    ReportResult,
    RunVerify,
    SavePlan,
    TransitionBranch,
    TransitionCycle,
)
from orchestrator.run.machine.describing import planned_of, with_warnings
from orchestrator.run.machine.gating import CheckoutRunner
from orchestrator.run.machine.stepping import ChangeBranch, TakeStep
from orchestrator.settings import Config
from orchestrator.text import one_line
from orchestrator.work.backlog import moves
from orchestrator.work.backlog.change import Change, View
from orchestrator.work.backlog.editing import NewItem
from orchestrator.work.backlog.gate import Gate
from orchestrator.work.backlog.item import Asks, Item
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.track import Cycle, Deliverable, Plan
from orchestrator.work.machine import moving, plans, steps
from orchestrator.work.machine.scope import names
from orchestrator.work.machine.steps import Step, track_of, workflow_of

plugin = Plugin("phase")
_STEP = 900.0
_VERIFY = 3600.0


@plugin.handles(TransitionBranch, name="transition-branch", deadline=_STEP)
async def transition_branch(command: TransitionBranch, context: Context) -> Stepped:
    """Handle `TransitionBranch`."""
    plan = partial(steps.step_on, to=command.to, approved_by=command.approved_by)
    return await _take(context, command, plan)


@plugin.handles(ForceTransition, name="force-transition", deadline=_STEP)
async def force_transition(command: ForceTransition, context: Context) -> Stepped:
    """Handle `ForceTransition`."""
    plan = partial(
        steps.force_on, to=command.to, reason=command.reason, approved_by=command.approved_by
    )
    return await _take(context, command, plan)


@plugin.handles(TransitionCycle, name="transition-cycle", deadline=_STEP)
async def transition_cycle(command: TransitionCycle, context: Context) -> Stepped:
    """Handle `TransitionCycle`."""
    plan = partial(steps.cycle_on, to=command.to, approved_by=command.approved_by)
    return await _take(context, command, plan)


@plugin.handles(ForceCycle, name="force-cycle", deadline=_STEP)
async def force_cycle(command: ForceCycle, context: Context) -> Stepped:
    """Handle `ForceCycle`."""
    plan = partial(
        steps.force_cycle, to=command.to, reason=command.reason, approved_by=command.approved_by
    )
    return await _take(context, command, plan)


@plugin.handles(SavePlan, name="save-plan", deadline=_STEP)
async def save_plan(command: SavePlan, context: Context) -> Planned:
    """Handle `SavePlan`."""
    rules = context.service(Book).rules
    item = await finding.ensure(context, command.branch, command.by)
    said = Plan(
        cycles=tuple(
            Cycle(
                number=cycle.number,
                name=one_line(cycle.name),
                exit_criteria=cycle.exit_criteria,
                deliverables=tuple(map(_part, cycle.deliverables)),
            )
            for cycle in command.cycles
        ),
        deliverables={each.phase: tuple(map(_part, each.deliverables)) for each in command.phases},
    )

    def decide(view: View, now: int) -> Change:
        current = view.get(item.id) or item
        track = track_of(current)
        plan = plans.changed(
            track.plan,
            said,
            command.mode,
            phases=names(workflow_of(current, rules)),
            begun=max(track.begun, default=0),
        )
        return moving.keep_plan(view, item.id, plan, now=now, by=command.by)

    changed = await context.call(ChangeBranch(item=item.id, decide=decide))
    planned = context.service(Book).backlog.get(item.id) or item
    return with_warnings(planned_of(planned), changed.warnings)


@plugin.handles(ReportResult, name="report-result", deadline=_STEP)
async def report_result(command: ReportResult, context: Context) -> Said:
    """Handle `ReportResult`."""
    book, by = context.service(Book), command.by
    item = await finding.ensure(context, command.branch, by)
    new = [NewItem(title=title, origin=f"{item.id}/{item.phase}") for title in command.follow_ups]
    mint = minting(book)

    def decide(view: View, now: int) -> Change:
        told = moving.report(view, item.id, command.summary, now=now, by=by)
        added = moves.add_all(view, book.rules, new, mint=mint, now=now, by=by)
        return Change(items=(*told.items, *added.items), entries=(*told.entries, *added.entries))

    changed = await context.call(ChangeBranch(item=item.id, decide=decide))
    added = tuple(each.item for each in changed.change.entries if each.what == "added")
    told = f"; new items: {', '.join(added)}" if added else ""
    said = Said(message=f"reported for {item.phase} of {track_of(item).branch}{told}", items=added)
    return with_warnings(said, changed.warnings)


@plugin.handles(AskOperator, name="ask-operator", deadline=_STEP)
async def ask_operator(command: AskOperator, context: Context) -> Said:
    """Handle `AskOperator`."""
    item = await finding.ensure(context, command.branch, command.by)
    asks, question = Asks(command.asks), command.question
    changed = await context.call(
        ChangeBranch(
            item=item.id,
            decide=lambda view, now: moving.ask(
                view, item.id, question, asks, now=now, by=command.by
            ),
        )
    )
    said = Said(
        message=f"{track_of(item).branch} waits for an answer: orc answer {item.id} TEXT. Until "
        "then it does not change its phase",
        items=(item.id,),
    )
    return with_warnings(said, changed.warnings)


@plugin.handles(RunVerify, name="run-verify", deadline=_VERIFY, lane=lambda _: "verify")
async def run_verify(_: RunVerify, context: Context) -> Verified:
    """Handle `RunVerify`."""
    repo, config = context.service(Repository), context.service(Config)
    build = await trio.to_thread.run_sync(choose_build, config, repo.checkout, repo.checkout)
    if not build.verify:
        raise UsageError(
            "there is nothing to verify with",
            where="execution.verify",
            fix="configure execution.verify",
        )
    runner = CheckoutRunner(
        context=context, root=repo.checkout, seconds=config.execution.attempt_timeout
    )
    results = await runner.run(build.verify)
    passed = all(result.passed for result in results) and len(results) == len(build.verify)
    last = results[-1]
    told = "all verify commands passed" if passed else f"{last.command} failed: {last.reason}"
    return Verified(
        message=told if passed else f"{told}\n{last.output}",
        passed=passed,
        checks=tuple(
            CheckAnswer(
                command=result.command,
                passed=result.passed,
                reason=result.reason,
                seconds=round(result.seconds, 3),
                output=result.output,
            )
            for result in results
        ),
    )


async def _take(
    context: Context,
    command: TransitionBranch | ForceTransition | TransitionCycle | ForceCycle,
    plan: Callable[[Item, Rules], Step],
) -> Stepped:
    rules = context.service(Book).rules
    item = await finding.ensure(context, command.branch, command.by)
    step = TakeStep(item=item.id, plan=lambda current: plan(current, rules), by=command.by)
    return await context.call(step)


def _part(part: PlannedPart) -> Deliverable:
    gate = Gate(**attrs.asdict(part.gate)) if part.gate is not None else None
    return Deliverable(id=part.id, description=part.description, gate=gate)
