"""Begins work on a branch or an issue: checked out, and in the first phase of its workflow."""

from __future__ import annotations

from orchestrator.adapters.git.checkout import branching
from orchestrator.context import Context
from orchestrator.errors import UsageError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import finding
from orchestrator.run.machine.answers import Started
from orchestrator.run.machine.commands import OpenIssue, StartWork
from orchestrator.run.machine.describing import guidance_of, state_of
from orchestrator.run.machine.guards import require_free_checkout
from orchestrator.run.machine.own_git import apart, patient_git
from orchestrator.run.machine.stepping import ChangeBranch
from orchestrator.settings import Config
from orchestrator.work.backlog.checks import check_title
from orchestrator.work.backlog.folders import slug
from orchestrator.work.backlog.track import Track
from orchestrator.work.machine import moving
from orchestrator.work.machine.policy import check_issue

plugin = Plugin("phase")
_DEADLINE = 900.0


def _lane(_: object) -> str:
    return "checkout"


@plugin.handles(StartWork, name="start-work", deadline=_DEADLINE, lane=_lane)
async def start_work(command: StartWork, context: Context) -> Started:
    """Handle `StartWork`."""
    book, config = context.service(Book), context.service(Config)
    branch, issue = command.branch, command.issue.strip()
    workflow = finding.workflow_for(config, book.rules, branch, command.workflow)
    if issue:
        check_issue(issue)
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
    new = moving.Beginning(
        id=finding.free_id(book, branch),
        title=command.title.strip() or finding.title_for(branch),
        description=command.description,
        track=Track(branch=branch, base=base, issue=issue or config.branches.issue_of(branch)),
        pipeline=workflow,
        scope=known.scope,
    )
    changed = await context.call(
        ChangeBranch(
            item=new.id,
            decide=lambda view, now: moving.begin(view, book.rules, new, now=now, by=command.by),
        )
    )
    item = changed.change.items[-1]
    made = f"made from {base}" if not known.tip else "taken up as it is"
    lines = [f"{branch} was {made}, and is checked out"]
    lines += [known.problem] if known.problem else []
    lines += [*changed.warnings, guidance_of(item, book.rules)]
    return Started(
        message="\n".join(lines), created=not known.tip, state=state_of(item, book.rules)
    )


@plugin.handles(OpenIssue, name="open-issue", deadline=_DEADLINE, lane=_lane)
async def open_issue(command: OpenIssue, context: Context) -> Started:
    """Handle `OpenIssue`."""
    check_issue(command.issue)
    title = check_title(command.title)
    return await context.call(
        StartWork(
            branch=f"{command.kind}/{command.issue.lower()}-{slug(title)}",
            title=title,
            issue=command.issue,
            base=command.base,
            description=command.description,
            by=command.by,
        )
    )


async def _check_out(command: StartWork, context: Context, *, exists: bool) -> str:
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
