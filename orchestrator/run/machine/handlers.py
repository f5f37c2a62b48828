"""What the commands of the phase machine do; a step is durable, and in git, before its answer."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from orchestrator.adapters.git.checkout import branching, looking
from orchestrator.adapters.git.checkout import history as git_history
from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context as Surroundings
from orchestrator.errors import UsageError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.backlog.commands import AddItems, Addition
from orchestrator.run.build import choose_build
from orchestrator.run.machine import finding
from orchestrator.run.machine.answers import (
    BranchState,
    CheckAnswer,
    CommitAnswer,
    Context,
    PassedAnswer,
    Planned,
    Said,
    Started,
    Stepped,
    Verified,
)
from orchestrator.run.machine.commands import (
    AskOperator,
    ForceCycle,
    ForceTransition,
    GetContext,
    GetPlan,
    GetState,
    PlannedPart,
    ReportResult,
    RunVerify,
    SavePlan,
    StartWork,
    TransitionBranch,
    TransitionCycle,
)
from orchestrator.run.machine.describing import (
    guidance_of,
    planned_of,
    state_of,
)
from orchestrator.run.machine.gating import CheckoutRunner
from orchestrator.run.machine.guards import require_free_checkout
from orchestrator.run.machine.own_git import apart, own_git, patient_git
from orchestrator.run.machine.stepping import KeepRecord, TakeStep
from orchestrator.run.threads import GitThreads
from orchestrator.settings import Config
from orchestrator.store.store import Store
from orchestrator.text import one_line
from orchestrator.work.backlog.change import Change, View
from orchestrator.work.backlog.gate import Gate
from orchestrator.work.backlog.item import Asks, Item
from orchestrator.work.backlog.track import Cycle, Deliverable, Plan, Track
from orchestrator.work.machine import moving, plans, steps
from orchestrator.work.machine.scope import names
from orchestrator.work.machine.steps import Step, track_of, workflow_of

plugin = Plugin("phase")
_QUICK = 60.0
_STEP = 900.0
_VERIFY = 3600.0
_HISTORY = 20
"""Lines of its history that the context of a branch tells."""


@plugin.handles(StartWork, name="start-work", deadline=_STEP, lane=lambda _: "checkout")
async def start_work(command: StartWork, context: Surroundings) -> Started:
    """Handle `StartWork`."""
    book, config = context.service(Book), context.service(Config)
    branch = command.branch
    workflow = finding.workflow_for(config, book.rules, branch, command.workflow)
    if finding.item_of(book, branch) is not None:
        raise UsageError(
            f"{branch} is under way already",
            where="branch",
            fix=f"orc git checkout {branch}, orc move {branch}",
        )
    config.branches.check_unprotected(branch, "work goes on branches of its own")
    await require_free_checkout(context)
    known = await finding.known_branch(context, branch)
    base = await _check_out(command, context, exists=bool(known.tip))
    if known.item is not None and not known.item.status.is_final:
        item = finding.put_back(context, branch, known)
        found = finding.Found(item=item, saved=False, trail=known.trail)
        item = await finding.save(context, found, command.by)
    else:
        new = moving.Beginning(
            id=finding.free_id(book, branch),
            title=command.title.strip() or finding.title_for(branch),
            description=command.description,
            track=Track(
                branch=branch,
                base=base,
                issue=command.issue.strip() or config.branches.issue_of(branch),
            ),
            pipeline=workflow,
            scope=known.scope,
        )
        change = await _change(
            context, lambda view, now: moving.begin(view, book.rules, new, now=now, by=command.by)
        )
        item = change.items[-1]
    warnings = await context.call(KeepRecord(item=item.id))
    made = f"made from {base}" if not known.tip else "taken up as it is"
    lines = [f"{branch} was {made}, and is checked out", *warnings, guidance_of(item, book.rules)]
    return Started(
        message="\n".join(lines), created=not known.tip, state=state_of(item, book.rules)
    )


async def _check_out(command: StartWork, context: Surroundings, *, exists: bool) -> str:
    """Check the branch out, made when it does not exist; returns what it was made from."""
    branches, git = context.service(Config).branches, patient_git(context)
    if exists:
        await apart(context).run(branching.switch, git, command.branch)
        return command.base or await finding.base_of(context, command.branch)
    branches.check_name(command.branch)
    base = command.base or branches.default_base or await finding.current_branch(context)
    branches.check_base(command.branch, base)
    await apart(context).run(branching.create_branch, git, command.branch, base)
    return base


@plugin.handles(GetState, name="get-state", deadline=_QUICK, reads=True)
async def get_state(command: GetState, context: Surroundings) -> BranchState:
    """Handle `GetState`."""
    found = await finding.find(context, command.branch)
    return state_of(found.item, context.service(Book).rules, saved=found.saved)


@plugin.handles(GetContext, name="get-context", deadline=_QUICK, reads=True)
async def get_context(command: GetContext, context: Surroundings) -> Context:
    """Handle `GetContext`."""
    found = await finding.find(context, command.branch)
    item, rules = found.item, context.service(Book).rules
    threads, git = context.service(GitThreads), own_git(context)
    start = track_of(item).branch
    listed = (
        await threads.run(git_history.log, git, start=start, limit=command.commits)
        if command.commits
        else ()
    )
    here = await threads.run(looking.status, git)
    rows = await trio.to_thread.run_sync(lambda: context.service(Store).history(item.id))
    history = tuple(
        PassedAnswer(
            at=row.at // 10**9,
            what=row.what,
            text=one_line(str(row.document.get("text", ""))),
            by=str(row.document.get("by", "")),
        )
        for row in rows[-_HISTORY:]
    )
    state, told, plan = (
        state_of(item, rules, saved=found.saved),
        guidance_of(item, rules),
        planned_of(item),
    )
    commits = tuple(
        CommitAnswer(commit=each.commit, subject=each.subject, author=each.author, at=each.at)
        for each in listed
    )
    lines = [state.message, "", told]
    lines += ["", f"Last report: {one_line(item.summary)}"] if item.summary else []
    lines += ["", plan.message] if plan.cycles or plan.phases else []
    lines += ["", "Commits:", *(f"- {each.commit[:9]} {each.subject}" for each in commits)]
    dirty = here.uncommitted
    lines += ["", f"Uncommitted: {', '.join(dirty[:20]) or 'nothing'}"]
    return Context(
        message="\n".join(lines),
        state=state,
        guidance=told,
        summary=item.summary,
        plan=plan,
        commits=commits,
        staged=here.staged,
        changed=here.changed,
        untracked=here.untracked,
        history=history,
    )


@plugin.handles(TransitionBranch, name="transition-branch", deadline=_STEP)
async def transition_branch(command: TransitionBranch, context: Surroundings) -> Stepped:
    """Handle `TransitionBranch`."""
    rules = context.service(Book).rules
    return await _take(
        context,
        command.branch,
        command.by,
        lambda item: steps.step_on(item, rules, command.to, approved_by=command.approved_by),
    )


@plugin.handles(ForceTransition, name="force-transition", deadline=_STEP)
async def force_transition(command: ForceTransition, context: Surroundings) -> Stepped:
    """Handle `ForceTransition`."""
    rules = context.service(Book).rules
    return await _take(
        context,
        command.branch,
        command.by,
        lambda item: steps.force_on(
            item, rules, command.to, reason=command.reason, approved_by=command.approved_by
        ),
    )


@plugin.handles(TransitionCycle, name="transition-cycle", deadline=_STEP)
async def transition_cycle(command: TransitionCycle, context: Surroundings) -> Stepped:
    """Handle `TransitionCycle`."""
    rules = context.service(Book).rules
    return await _take(
        context,
        command.branch,
        command.by,
        lambda item: steps.cycle_on(item, rules, command.to, approved_by=command.approved_by),
    )


@plugin.handles(ForceCycle, name="force-cycle", deadline=_STEP)
async def force_cycle(command: ForceCycle, context: Surroundings) -> Stepped:
    """Handle `ForceCycle`."""
    rules = context.service(Book).rules
    return await _take(
        context,
        command.branch,
        command.by,
        lambda item: steps.force_cycle(
            item, rules, command.to, reason=command.reason, approved_by=command.approved_by
        ),
    )


@plugin.handles(SavePlan, name="save-plan", deadline=_QUICK)
async def save_plan(command: SavePlan, context: Surroundings) -> Planned:
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

    def decide_plan(view: View, now: int) -> Change:
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

    (changed,) = (await _change(context, decide_plan)).items
    await context.call(KeepRecord(item=item.id))
    return planned_of(changed)


@plugin.handles(GetPlan, name="get-plan", deadline=_QUICK, reads=True)
async def get_plan(command: GetPlan, context: Surroundings) -> Planned:
    """Handle `GetPlan`."""
    return planned_of((await finding.find(context, command.branch)).item)


@plugin.handles(ReportResult, name="report-result", deadline=_QUICK)
async def report_result(command: ReportResult, context: Surroundings) -> Said:
    """Handle `ReportResult`."""
    item = await finding.ensure(context, command.branch, command.by)
    await _change(
        context,
        lambda view, now: moving.report(view, item.id, command.summary, now=now, by=command.by),
    )
    added: tuple[str, ...] = ()
    if command.follow_ups:
        new = tuple(Addition(title=title) for title in command.follow_ups)
        added = await context.call(AddItems(items=new, by=command.by))
    await context.call(KeepRecord(item=item.id))
    told = f"; new items: {', '.join(added)}" if added else ""
    return Said(message=f"reported for {item.phase} of {track_of(item).branch}{told}", items=added)


@plugin.handles(AskOperator, name="ask-operator", deadline=_QUICK)
async def ask_operator(command: AskOperator, context: Surroundings) -> Said:
    """Handle `AskOperator`."""
    item = await finding.ensure(context, command.branch, command.by)
    asks = Asks(command.asks)
    await _change(
        context,
        lambda view, now: moving.ask(view, item.id, command.question, asks, now=now, by=command.by),
    )
    return Said(
        message=f"{track_of(item).branch} waits for an answer: orc answer {item.id} TEXT. Until "
        "then it does not change its phase",
        items=(item.id,),
    )


@plugin.handles(RunVerify, name="run-verify", deadline=_VERIFY, lane=lambda _: "verify")
async def run_verify(_: RunVerify, context: Surroundings) -> Verified:
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
    context: Surroundings, named: str | None, by: str, plan: Callable[[Item], Step]
) -> Stepped:
    item = await finding.ensure(context, named, by)
    return await context.call(TakeStep(item=item.id, plan=plan, by=by))


async def _change(context: Surroundings, decide_it: Callable[[View, int], Change]) -> Change:
    recorded = await context.service(Book).change(decide_it)
    return recorded.tell(context.publish)


def _part(part: PlannedPart) -> Deliverable:
    gate = Gate(**attrs.asdict(part.gate)) if part.gate is not None else None
    return Deliverable(id=part.id, description=part.description, gate=gate)
