"""Merges and deletes branches for the git commands: where the way of a branch ends."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git.checkout import branching, looking, merging
from orchestrator.adapters.git.checkout.naming import no_such_branch
from orchestrator.context import Context
from orchestrator.errors import IllegalStepError, UsageError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import finding
from orchestrator.run.machine.describing import with_warnings
from orchestrator.run.machine.finding import Found
from orchestrator.run.machine.git_answers import Done
from orchestrator.run.machine.git_commands import DeleteBranch, MergeBranch
from orchestrator.run.machine.guards import require_free_checkout, require_ready
from orchestrator.run.machine.own_git import apart, own_git, patient_git
from orchestrator.run.machine.stepping import ChangeBranch
from orchestrator.run.threads import GitThreads
from orchestrator.settings import Config
from orchestrator.work.backlog import moves

plugin = Plugin("git")
_CHANGE = 900.0


def _lane(_: object) -> str:
    return "checkout"


@plugin.handles(MergeBranch, name="merge-branch", deadline=_CHANGE, lane=_lane)
async def merge_branch(command: MergeBranch, context: Context) -> Done:
    """Handle `MergeBranch`."""
    found = await _tracked(context, await _local_name(context, command.branch))
    if found is not None:
        require_ready(context, found.item)
    await require_free_checkout(context)
    into = await finding.current_branch(context)
    head = await apart(context).run(
        merging.merge, patient_git(context), command.branch, command.message
    )
    done = Done(
        message=f"{command.branch} was merged into {into}: {head[:9]}", branch=into, commit=head
    )
    if found is None:
        return done
    id, summary = found.item.id, f"merged into {into} at {head[:12]}"
    if not found.saved:
        await finding.save(context, found.item, command.by)
    changed = await context.call(
        ChangeBranch(
            item=id,
            decide=lambda view, now: moves.complete(view, id, summary, now=now, by=command.by),
        )
    )
    return with_warnings(_telling(done, f"; {id} is done"), changed.warnings)


@plugin.handles(DeleteBranch, name="delete-branch", deadline=_CHANGE, lane=_lane)
async def delete_branch(command: DeleteBranch, context: Context) -> Done:
    """Handle `DeleteBranch`."""
    context.service(Config).branches.check_unprotected(command.branch, "it is not deleted")
    item = finding.item_of(context.service(Book), command.branch)
    if item is not None and not command.force:
        raise IllegalStepError(
            f"{command.branch} is under way, in {item.phase}",
            where=item.id,
            fix=f'merge it, or end it: orc close {item.id} --reason "…"',
        )
    deleted = await apart(context).run(
        branching.delete_branch, patient_git(context), command.branch, force=command.force
    )
    told = f"{command.branch} was deleted; it was at {deleted.head[:9]}"
    told += f" and is kept at {deleted.kept}" if deleted.kept else ""
    done = Done(message=told, branch=command.branch, commit=deleted.head, kept=deleted.kept or "")
    if item is None:
        return done
    id, reason = item.id, "its branch was deleted"
    changed = await context.call(
        ChangeBranch(
            item=id,
            decide=lambda view, now: moves.close(view, id, reason, now=now, by=command.by),
        )
    )
    return with_warnings(_telling(done, f"; {id} is closed"), changed.warnings)


async def _local_name(context: Context, branch: str) -> str:
    """Return the name under which a branch is known here; of a remote's, without the remote.

    Raises:
      UsageError: it is no name of a branch: what a commit is part of cannot be told from its id.
    """
    git = own_git(context)
    every = await context.service(GitThreads).run(looking.branches, git, remote=True)
    for known in every:
        if known.name == branch:
            return branch.partition("/")[2] if known.is_remote else branch
    raise await context.service(GitThreads).run(no_such_branch, git, branch)


async def _tracked(context: Context, branch: str) -> Found | None:
    """Return the item of a branch, also one that the store lost; None when it never had one."""
    branches = context.service(Config).branches
    if finding.item_of(context.service(Book), branch) is None and not branches.type_of(branch):
        return None
    try:
        return await finding.find(context, branch)
    except UsageError:
        return None  # it is over


def _telling(done: Done, more: str) -> Done:
    """Return an answer with more to tell."""
    return attrs.evolve(done, message=done.message + more)
