"""Looks at the operator's checkout for the git commands; nothing is changed."""

from __future__ import annotations

from orchestrator.adapters.git.checkout import history, looking
from orchestrator.adapters.git.checkout.looking import Status
from orchestrator.adapters.git.checkout.paths import shown_name
from orchestrator.context import Context
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import finding
from orchestrator.run.machine.describing import commits_of
from orchestrator.run.machine.git_answers import (
    BranchAnswer,
    BranchesAnswer,
    LogAnswer,
    StatusAnswer,
    TextAnswer,
)
from orchestrator.run.machine.git_commands import ListBranches, ShowDiff, ShowLog, ShowStatus
from orchestrator.run.machine.own_git import own_git
from orchestrator.run.threads import GitThreads
from orchestrator.text import clock_time, one_line

plugin = Plugin("git")
_LOOK = 60.0


@plugin.handles(ShowStatus, name="show-status", deadline=_LOOK, reads=True)
async def showstatus_answer(_: ShowStatus, context: Context) -> StatusAnswer:
    """Handle `ShowStatus`."""
    return status_answer(await context.service(GitThreads).run(looking.status, own_git(context)))


@plugin.handles(ListBranches, name="list-branches", deadline=_LOOK, reads=True)
async def list_branches(command: ListBranches, context: Context) -> BranchesAnswer:
    """Handle `ListBranches`."""
    book, git = context.service(Book).backlog, own_git(context)
    found = await context.service(GitThreads).run(looking.branches, git, remote=command.remote)
    answers = []
    for branch in found:
        item = None if branch.is_remote else finding.item_of(book, branch.name)
        answers.append(
            BranchAnswer(
                name=shown_name(branch.name),
                commit=branch.head,
                subject=branch.subject,
                current=branch.is_current,
                upstream=branch.upstream or "",
                phase=item.phase or "" if item is not None else "",
                item=item.id if item is not None else "",
            )
        )
    lines = [
        f"{'*' if each.current else ' '} {each.name}  {each.commit[:9]}"
        f"{f'  {each.phase}' if each.phase else ''}  {one_line(each.subject, 60)}"
        for each in answers
    ]
    return BranchesAnswer(message="\n".join(lines) or "no branches", branches=tuple(answers))


@plugin.handles(ShowDiff, name="show-diff", deadline=_LOOK, reads=True)
async def show_diff(command: ShowDiff, context: Context) -> TextAnswer:
    """Handle `ShowDiff`."""
    text = await context.service(GitThreads).run(
        history.diff,
        own_git(context),
        against=command.against,
        staged=command.staged,
        stat=command.stat,
        paths=command.files,
    )
    return TextAnswer(message=text or "nothing differs")


@plugin.handles(ShowLog, name="show-log", deadline=_LOOK, reads=True)
async def show_log(command: ShowLog, context: Context) -> LogAnswer:
    """Handle `ShowLog`."""
    found = await context.service(GitThreads).run(
        history.log,
        own_git(context),
        start=command.start,
        limit=command.limit,
        paths=command.files,
    )
    commits = commits_of(found)
    lines = [
        f"{each.commit[:9]}  {clock_time(each.at)}  {one_line(each.author, 30)}  {each.subject}"
        for each in commits
    ]
    return LogAnswer(message="\n".join(lines) or "no commits", commits=commits)


def status_answer(state: Status) -> StatusAnswer:
    """Return the state of a checkout as it is answered."""
    kinds = ("staged", "changed", "untracked", "conflicted")
    shown = {kind: tuple(map(shown_name, getattr(state, kind))) for kind in kinds}
    follows = f", follows {state.upstream} (+{state.ahead} -{state.behind})"
    lines = [
        f"{state.branch or 'detached'} at {state.head[:9] or 'no commit yet'}"
        f"{follows if state.upstream else ''}"
    ]
    lines += [f"in the middle of {state.under_way}"] if state.under_way else []
    lines += [f"{kind}: {', '.join(names)}" for kind, names in shown.items() if names]
    lines += ["clean"] if state.is_clean else []
    return StatusAnswer(
        message="\n".join(lines),
        branch=state.branch or "",
        commit=state.head,
        upstream=state.upstream or "",
        ahead=state.ahead,
        behind=state.behind,
        clean=state.is_clean,
        staged=shown["staged"],
        changed=shown["changed"],
        untracked=shown["untracked"],
        conflicted=shown["conflicted"],
        under_way=state.under_way or "",
    )
