"""Says where a branch is and what is expected of it; nothing is changed."""

from __future__ import annotations

import trio

from orchestrator.adapters.git.checkout import history as git_history
from orchestrator.adapters.git.checkout import looking
from orchestrator.context import Context
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import finding
from orchestrator.run.machine.answers import (
    BranchState,
    CommitAnswer,
    PassedAnswer,
    Planned,
    WorkContext,
)
from orchestrator.run.machine.commands import GetContext, GetPlan, GetState
from orchestrator.run.machine.describing import commits_of, guidance_of, planned_of, state_of
from orchestrator.run.machine.own_git import own_git
from orchestrator.run.threads import GitThreads
from orchestrator.store.store import Store
from orchestrator.text import one_line
from orchestrator.work.machine.steps import track_of

plugin = Plugin("phase")
_DEADLINE = 60.0
_HISTORY = 20
"""Lines of its history that the context of a branch tells."""


@plugin.handles(GetState, name="get-state", deadline=_DEADLINE, reads=True)
async def get_state(command: GetState, context: Context) -> BranchState:
    """Handle `GetState`."""
    found = await finding.find(context, command.branch)
    rules = context.service(Book).rules
    return state_of(found.item, rules, saved=found.saved, problem=found.problem)


@plugin.handles(GetContext, name="get-context", deadline=_DEADLINE, reads=True)
async def get_context(command: GetContext, context: Context) -> WorkContext:
    """Handle `GetContext`."""
    found = await finding.find(context, command.branch)
    item, rules = found.item, context.service(Book).rules
    threads, git, store = context.service(GitThreads), own_git(context), context.service(Store)
    commits: tuple[CommitAnswer, ...] = ()
    if command.commits:
        start = track_of(item).branch
        commits = commits_of(
            await threads.run(git_history.log, git, start=start, limit=command.commits)
        )
    here = await threads.run(looking.status, git)
    rows = await trio.to_thread.run_sync(store.last_history, item.id, _HISTORY)
    history = tuple(
        PassedAnswer(
            at=row.at // 10**9,
            what=row.what,
            text=one_line(str(row.document.get("text", ""))),
            by=str(row.document.get("by", "")),
        )
        for row in rows
    )
    state = state_of(item, rules, saved=found.saved, problem=found.problem)
    told, plan = guidance_of(item, rules), planned_of(item)
    lines = [state.message, "", told]
    lines += ["", f"Last report: {one_line(item.summary)}"] if item.summary else []
    lines += ["", plan.message] if plan.cycles or plan.phases else []
    lines += ["", "Commits:", *(f"- {each.commit[:9]} {each.subject}" for each in commits)]
    lines += ["", f"Uncommitted: {', '.join(here.uncommitted[:20]) or 'nothing'}"]
    return WorkContext(
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


@plugin.handles(GetPlan, name="get-plan", deadline=_DEADLINE, reads=True)
async def get_plan(command: GetPlan, context: Context) -> Planned:
    """Handle `GetPlan`."""
    return planned_of((await finding.find(context, command.branch)).item)
