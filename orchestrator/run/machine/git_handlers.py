"""What the git commands do: a sequence in a thread each; those that change files in turn."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git.checkout import (
    branching,
    committing,
    history,
    looking,
    merging,
    remote,
    restoring,
    staging,
    stashing,
)
from orchestrator.adapters.git.checkout.looking import Status
from orchestrator.adapters.git.checkout.paths import shown_name
from orchestrator.context import Context
from orchestrator.errors import IllegalStepError, UsageError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import finding
from orchestrator.run.machine.answers import BranchState, CommitAnswer
from orchestrator.run.machine.describing import guidance_of, state_of
from orchestrator.run.machine.git_answers import (
    BranchAnswer,
    BranchesAnswer,
    CheckedOut,
    CommitMade,
    Done,
    LogAnswer,
    StatusAnswer,
    TextAnswer,
)
from orchestrator.run.machine.git_commands import (
    CheckoutBranch,
    CommitChanges,
    CreateBranch,
    DeleteBranch,
    FetchRemote,
    ListBranches,
    MergeBranch,
    PullBranch,
    PushBranch,
    RestoreFiles,
    ShowDiff,
    ShowLog,
    ShowStatus,
    StageFiles,
    StashChanges,
    UnstageFiles,
)
from orchestrator.run.machine.guards import (
    require_free_checkout,
    require_ready,
    require_unprotected,
)
from orchestrator.run.machine.own_git import apart, own_git, patient_git
from orchestrator.run.machine.stepping import KeepRecord
from orchestrator.run.threads import GitThreads
from orchestrator.settings import Config
from orchestrator.text import clock_time, one_line
from orchestrator.work.backlog import moves
from orchestrator.work.backlog.item import Item
from orchestrator.work.machine import moving, scope
from orchestrator.work.machine.scope import Scope
from orchestrator.work.machine.steps import phase_of, track_of, workflow_of

plugin = Plugin("git")
_LOOK = 60.0
_CHANGE = 900.0


def _lane(_: object) -> str:
    return "checkout"


@plugin.handles(ShowStatus, name="show-status", deadline=_LOOK, reads=True)
async def show_status(_: ShowStatus, context: Context) -> StatusAnswer:
    """Handle `ShowStatus`."""
    return _status(await context.service(GitThreads).run(looking.status, own_git(context)))


@plugin.handles(ListBranches, name="list-branches", deadline=_LOOK, reads=True)
async def list_branches(command: ListBranches, context: Context) -> BranchesAnswer:
    """Handle `ListBranches`."""
    book, git = context.service(Book), own_git(context)
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
    return await _checked_out(
        context, switched.branch, switched.head, command.by, created=switched.created
    )


@plugin.handles(CommitChanges, name="commit-changes", deadline=_CHANGE, lane=_lane)
async def commit_changes(command: CommitChanges, context: Context) -> CommitMade:
    """Handle `CommitChanges`."""
    branch = await finding.current_branch(context)
    config, rules = context.service(Config), context.service(Book).rules
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
        wanted = tuple(
            path for path in wanted if any(_covers(name, path) for name in command.files)
        )
    require_unprotected(context, item, wanted)
    trailers = [f"Orchestrator-Item: {item.id}", f"Orchestrator-Phase: {phase.name}"]
    made = await threads.run(committing.commit, git, text, command.files, trailers)
    book = context.service(Book)
    recorded = await book.change(
        lambda view, now: moving.note_commit(
            view, item.id, command.subphase, made.commit, now=now, by=command.by
        )
    )
    recorded.tell(context.publish)
    files = tuple(map(shown_name, made.files))
    return CommitMade(
        message=f"{made.commit[:9]} {made.subject}\n{_counted(files)}",
        commit=made.commit,
        subject=made.subject,
        files=files,
        state=state_of(book.get(item.id) or item, rules),
    )


@plugin.handles(StageFiles, name="stage-files", deadline=_CHANGE, lane=_lane)
async def stage_files(command: StageFiles, context: Context) -> StatusAnswer:
    """Handle `StageFiles`."""
    await require_free_checkout(context)
    git = own_git(context)
    return _status(await context.service(GitThreads).run(staging.stage, git, command.files))


@plugin.handles(UnstageFiles, name="unstage-files", deadline=_CHANGE, lane=_lane)
async def unstage_files(command: UnstageFiles, context: Context) -> StatusAnswer:
    """Handle `UnstageFiles`."""
    await require_free_checkout(context)
    git = own_git(context)
    return _status(await context.service(GitThreads).run(staging.unstage, git, command.files))


@plugin.handles(RestoreFiles, name="restore-files", deadline=_CHANGE, lane=_lane)
async def restore_files(command: RestoreFiles, context: Context) -> Done:
    """Handle `RestoreFiles`."""
    await require_free_checkout(context)
    restored = await context.service(GitThreads).run(
        restoring.restore, own_git(context), command.files, command.source
    )
    files = ", ".join(map(shown_name, restored.paths))
    told = f"; what they were is kept: git show {restored.kept}:PATH" if restored.kept else ""
    return Done(
        message=f"{files}: as in {restored.source[:9]}{told}",
        commit=restored.source,
        kept=restored.kept or "",
    )


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
    commits = tuple(
        CommitAnswer(commit=each.commit, subject=each.subject, author=each.author, at=each.at)
        for each in found
    )
    lines = [
        f"{each.commit[:9]}  {clock_time(each.at)}  {one_line(each.author, 30)}  {each.subject}"
        for each in commits
    ]
    return LogAnswer(message="\n".join(lines) or "no commits", commits=commits)


@plugin.handles(FetchRemote, name="fetch-remote", deadline=_CHANGE, lane=lambda _: "remote")
async def fetch_remote(command: FetchRemote, context: Context) -> Done:
    """Handle `FetchRemote`."""
    fetched = await apart(context).run(
        remote.fetch, patient_git(context), command.remote, prune=command.prune
    )
    changed = ", ".join(map(shown_name, fetched.changed)) or "nothing is new"
    return Done(message=f"fetched from {fetched.remote}: {changed}")


@plugin.handles(PullBranch, name="pull-branch", deadline=_CHANGE, lane=_lane)
async def pull_branch(command: PullBranch, context: Context) -> CheckedOut:
    """Handle `PullBranch`."""
    await require_free_checkout(context)
    pulled = await apart(context).run(
        remote.pull,
        patient_git(context),
        rebase=command.how == "rebase",
        merge=command.how == "merge",
    )
    way = "was up to date" if pulled.before == pulled.head else f"now at {pulled.head[:9]}"
    answer = await _checked_out(context, pulled.branch, pulled.head, command.by, created=False)
    return attrs.evolve(
        answer, message=f"{pulled.branch} {way}, as {pulled.upstream}\n{answer.message}"
    )


@plugin.handles(PushBranch, name="push-branch", deadline=_CHANGE, lane=lambda _: "remote")
async def push_branch(command: PushBranch, context: Context) -> Done:
    """Handle `PushBranch`."""
    branch = command.branch or await finding.current_branch(context)
    context.service(Config).branches.check_unprotected(branch, "it is not pushed from here")
    pushed = await apart(context).run(remote.push, patient_git(context), branch, command.remote)
    what = "is new there" if pushed.is_new else "was brought up to date there"
    what = what if pushed.is_changed else "was up to date there"
    return Done(
        message=f"{pushed.branch} {what}: {pushed.remote} has {pushed.head[:9]}",
        branch=pushed.branch,
        commit=pushed.head,
    )


@plugin.handles(MergeBranch, name="merge-branch", deadline=_CHANGE, lane=_lane)
async def merge_branch(command: MergeBranch, context: Context) -> Done:
    """Handle `MergeBranch`."""
    book = context.service(Book)
    found = await _tracked(context, command.branch)
    item = found.item if found is not None else None
    if item is not None:
        require_ready(context, item)
    await require_free_checkout(context)
    into = await finding.current_branch(context)
    git, threads = patient_git(context), apart(context)
    head = await threads.run(merging.merge, git, command.branch, command.message)
    told = f"{command.branch} was merged into {into}: {head[:9]}"
    if found is not None and item is not None:
        if not found.saved:
            await finding.save(context, found, command.by)
        id, summary = item.id, f"merged into {into} at {head[:12]}"
        recorded = await book.change(
            lambda view, now: moves.complete(view, id, summary, now=now, by=command.by)
        )
        recorded.tell(context.publish)
        told += f"; {id} is done"
        await context.call(KeepRecord(item=id, entries=recorded.change.entries))
    return Done(message=told, branch=into, commit=head)


@plugin.handles(DeleteBranch, name="delete-branch", deadline=_CHANGE, lane=_lane)
async def delete_branch(command: DeleteBranch, context: Context) -> Done:
    """Handle `DeleteBranch`."""
    book = context.service(Book)
    context.service(Config).branches.check_unprotected(command.branch, "it is not deleted")
    item = finding.item_of(book, command.branch)
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
    if item is not None:
        id = item.id
        recorded = await book.change(
            lambda view, now: moves.close(
                view, id, "its branch was deleted", now=now, by=command.by
            )
        )
        recorded.tell(context.publish)
        told += f"; {id} is closed"
        await context.call(KeepRecord(item=id, entries=recorded.change.entries))
    return Done(message=told, branch=command.branch, commit=deleted.head, kept=deleted.kept or "")


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
        return Done(message=f"brought back\n{_status(state).message}")
    made = await threads.run(
        stashing.stash_push, git, command.message, include_untracked=command.include_untracked
    )
    return Done(message=f"put aside as {made.name}: {made.subject}", commit=made.commit)


async def _checked_out(
    context: Context, branch: str, head: str, by: str, *, created: bool
) -> CheckedOut:
    """Return what is checked out, with its state, which is put back or begun when it is missing."""
    rules = context.service(Book).rules
    state: BranchState | None = None
    lines = [f"{branch} is checked out, at {head[:9]}"]
    base = ""
    try:
        found = await finding.find(context, branch)
        item = found.item if found.saved else await finding.save(context, found, by)
    except UsageError as error:
        # Not every branch is brought through phases; of this one nothing is known, and that is it.
        lines.append(f"It has no state: {error.message}")
    else:
        if not found.saved:
            lines += await context.call(KeepRecord(item=item.id))
        state = state_of(item, rules)
        base = state.base or await finding.base_of(context, branch)
        lines += [state.message, "", guidance_of(item, rules)]
    return CheckedOut(
        message="\n".join(lines).rstrip(),
        branch=branch,
        commit=head,
        base=base,
        created=created,
        state=state,
    )


async def _tracked(context: Context, branch: str) -> finding.Found | None:
    """Return the item of a branch, also one that the store lost; None when it never had one."""
    branches = context.service(Config).branches
    if finding.item_of(context.service(Book), branch) is None and not branches.type_of(branch):
        return None
    try:
        return await finding.find(context, branch)
    except UsageError:
        return None  # there is no such branch: git says so better


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


def _covers(name: str, path: str) -> bool:
    name = name.removeprefix("./").rstrip("/")
    return name in ("", ".", path) or path.startswith(f"{name}/")


def _counted(files: tuple[str, ...]) -> str:
    """Return some names, and how many there are."""
    noun = "file" if len(files) == 1 else "files"
    return f"{len(files)} {noun}: {', '.join(files[:20])}{', …' if len(files) > 20 else ''}"


def _status(state: Status) -> StatusAnswer:
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
