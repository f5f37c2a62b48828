"""Changes the operator's checkout for the git commands: a sequence in a thread each, in turn."""

from __future__ import annotations

from orchestrator.adapters.git.checkout import (
    branching,
    committing,
    looking,
    restoring,
    staging,
    stashing,
)
from orchestrator.adapters.git.checkout.paths import covered, inside, shown_name
from orchestrator.context import Context
from orchestrator.errors import IllegalStepError, UsageError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import finding
from orchestrator.run.machine.describing import state_of
from orchestrator.run.machine.git_answers import CheckedOut, CommitMade, Done, StatusAnswer
from orchestrator.run.machine.git_commands import (
    CheckoutBranch,
    CommitChanges,
    CreateBranch,
    RestoreFiles,
    StageFiles,
    StashChanges,
    UnstageFiles,
)
from orchestrator.run.machine.git_looking import status_answer
from orchestrator.run.machine.guards import require_free_checkout, require_unprotected
from orchestrator.run.machine.own_git import apart, own_git, patient_git
from orchestrator.run.machine.stepping import ChangeBranch
from orchestrator.run.machine.whereabouts import checked_out
from orchestrator.run.threads import GitThreads
from orchestrator.settings import Config
from orchestrator.text import clock_time, one_line
from orchestrator.work.backlog.item import Item
from orchestrator.work.machine import moving, scope
from orchestrator.work.machine.scope import Scope
from orchestrator.work.machine.steps import phase_of, track_of, workflow_of

plugin = Plugin("git")
_CHANGE = 900.0


def _lane(_: object) -> str:
    return "checkout"


@plugin.handles(CreateBranch, name="create-branch", deadline=_CHANGE, lane=_lane)
async def create_branch(command: CreateBranch, context: Context) -> Done:
    """Handle `CreateBranch`."""
    branches = context.service(Config).branches
    branches.check_unprotected(command.branch, "it is not made here")
    branches.check_name(command.branch)
    base = command.base or branches.default_base or await finding.current_branch(context)
    branches.check_base(command.branch, base)
    await require_free_checkout(context)
    head = await apart(context).run(
        branching.create_branch,
        patient_git(context),
        command.branch,
        base,
        keep_changes=command.keep_changes,
    )
    return Done(
        message=f"{command.branch} was made from {base} at {head[:9]}, and is checked out. "
        f"To bring it through the phases of its workflow: start work on {command.branch}",
        branch=command.branch,
        commit=head,
    )


@plugin.handles(CheckoutBranch, name="checkout-branch", deadline=_CHANGE, lane=_lane)
async def checkout_branch(command: CheckoutBranch, context: Context) -> CheckedOut:
    """Handle `CheckoutBranch`."""
    await require_free_checkout(context)
    switched = await apart(context).run(branching.switch, patient_git(context), command.branch)
    return await checked_out(
        context, switched.branch, switched.head, command.by, created=switched.created
    )


@plugin.handles(CommitChanges, name="commit-changes", deadline=_CHANGE, lane=_lane)
async def commit_changes(command: CommitChanges, context: Context) -> CommitMade:
    """Handle `CommitChanges`."""
    branch = await finding.current_branch(context)
    config, book = context.service(Config), context.service(Book)
    rules = book.rules
    config.branches.check_unprotected(branch, "nothing is committed to it here")
    item = await finding.ensure(context, branch, command.by)
    track, phase = track_of(item), phase_of(item, workflow_of(item, rules))
    _require_there(command, item)
    where = Scope(phase=phase.name, subphase=command.subphase, cycle=track.cycle)
    text = scope.message(config.branches, phase, where, command.message, command.commit_type)
    await require_free_checkout(context)
    git, threads = patient_git(context), apart(context)
    before = await threads.run(looking.status, git)
    wanted = before.uncommitted
    if command.files is not None:
        chosen = inside(git, command.files)
        wanted = tuple(path for name in chosen for path in covered(name, wanted))
    require_unprotected(context, item, wanted)
    trailers = [f"Orchestrator-Item: {item.id}", f"Orchestrator-Phase: {phase.name}"]
    made = await threads.run(committing.commit, git, text, command.files, trailers)
    await context.call(
        ChangeBranch(
            item=item.id,
            decide=lambda view, now: moving.note_commit(
                view, item.id, where, made.commit, now=now, by=command.by
            ),
        )
    )
    files = tuple(map(shown_name, made.files))
    return CommitMade(
        message=f"{made.commit[:9]} {made.subject}\n{_counted(files)}",
        commit=made.commit,
        subject=made.subject,
        files=files,
        state=state_of(book.backlog.get(item.id) or item, rules),
    )


@plugin.handles(StageFiles, name="stage-files", deadline=_CHANGE, lane=_lane)
async def stage_files(command: StageFiles, context: Context) -> StatusAnswer:
    """Handle `StageFiles`."""
    await require_free_checkout(context)
    git = own_git(context)
    return status_answer(await context.service(GitThreads).run(staging.stage, git, command.files))


@plugin.handles(UnstageFiles, name="unstage-files", deadline=_CHANGE, lane=_lane)
async def unstage_files(command: UnstageFiles, context: Context) -> StatusAnswer:
    """Handle `UnstageFiles`."""
    await require_free_checkout(context)
    git = own_git(context)
    return status_answer(await context.service(GitThreads).run(staging.unstage, git, command.files))


@plugin.handles(RestoreFiles, name="restore-files", deadline=_CHANGE, lane=_lane)
async def restore_files(command: RestoreFiles, context: Context) -> Done:
    """Handle `RestoreFiles`."""
    await require_free_checkout(context)
    git = own_git(context)
    if command.source != "HEAD":
        require_unprotected(context, await _item_here(context), inside(git, command.files))
    restored = await context.service(GitThreads).run(
        restoring.restore, git, command.files, command.source
    )
    files = ", ".join(map(shown_name, restored.paths))
    told = f"; what they were is kept: git show {restored.kept}:PATH" if restored.kept else ""
    return Done(
        message=f"{files}: as in {restored.source[:9]}{told}",
        commit=restored.source,
        kept=restored.kept or "",
    )


@plugin.handles(StashChanges, name="stash-changes", deadline=_CHANGE, lane=_lane)
async def stash_changes(command: StashChanges, context: Context) -> Done:
    """Handle `StashChanges`."""
    git, threads = patient_git(context), apart(context)
    if command.action == "list":
        stashes = await threads.run(stashing.stash_list, git)
        lines = [f"{each.name}  {clock_time(each.at)}  {each.subject}" for each in stashes]
        return Done(message="\n".join(lines) or "nothing is put aside")
    await require_free_checkout(context)
    if command.action == "pop":
        state = await threads.run(stashing.stash_pop, git)
        return Done(message=f"brought back\n{status_answer(state).message}")
    made = await threads.run(
        stashing.stash_push, git, command.message, include_untracked=command.include_untracked
    )
    return Done(message=f"put aside as {made.name}: {made.subject}", commit=made.commit)


async def _item_here(context: Context) -> Item | None:
    """Return the item of the checked-out branch, None when it has none."""
    try:
        return (await finding.find(context, None)).item
    except UsageError:
        return None


def _require_there(command: CommitChanges, item: Item) -> None:
    track = track_of(item)
    if command.phase is not None and command.phase.lower() != item.phase:
        raise IllegalStepError(
            f"{track.branch} is in {item.phase}, not in {one_line(command.phase, 80)}",
            where="phase",
            fix=f"commit as {item.phase}, or go on first: orc move {item.id}",
        )
    if command.cycle is not None and command.cycle != track.cycle:
        raise IllegalStepError(
            f"{track.branch} is in cycle {track.cycle}, not in {command.cycle}",
            where="cycle",
            fix=f"commit in cycle {track.cycle}, or go on first: orc move {item.id} --cycle N",
        )


def _counted(files: tuple[str, ...]) -> str:
    """Return some names, and how many there are."""
    noun = "file" if len(files) == 1 else "files"
    return f"{len(files)} {noun}: {', '.join(files[:20])}{', …' if len(files) > 20 else ''}"
