"""Opens an item's run: starts it, or finishes what a crash left and goes on. Blocking."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from orchestrator.adapters.git import merging, objects, refs, snapshot, workspace
from orchestrator.adapters.git.carry import carried_tree
from orchestrator.adapters.git.delivery import checked_out_at
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import BranchTakenError, BusyError, ConflictError
from orchestrator.run.events import RunStarted
from orchestrator.run.hosting.claim import claim_workspace
from orchestrator.run.records.facts import add_fact
from orchestrator.run.records.history import from_refs
from orchestrator.run.records.ledger import (
    branch_tip,
    keep_run,
    last_checkpoint,
    new_id,
    read_attempts,
    read_run,
    tips,
)
from orchestrator.run.records.settle import forgotten_attempts, settle_attempt, settle_checkpoints
from orchestrator.store.store import Store
from orchestrator.store.transaction import Transaction
from orchestrator.work.records import (
    AttemptRecord,
    AttemptState,
    RunRecord,
    RunState,
    run_from,
    to_json,
)


@attrs.frozen(kw_only=True)
class Spec:
    """A change as it lies in the operator's checkout.

    Attributes:
      root: where the spec's root lies below the repository, "." for the top.
      directory: where the change's own files lie below the repository, or its one file; "" when
        it has none.
      carried: its uncommitted files (None: deleted); they travel to the branch.
      brief: what to do, in words, for a change without files; ``until`` is a command that must
        succeed at its end, or "".
      onto: items whose work it builds on, as far as that is not in the checkout's commit yet.
      begun: whether something was built for it, so that its start stays; None: the records say.
    """

    change: str
    title: str
    root: str
    directory: str
    carried: Mapping[bytes, Path | None]
    brief: str = ""
    until: str = ""
    onto: tuple[str, ...] = ()
    begun: bool | None = None


@attrs.frozen(kw_only=True)
class OpenedRun:
    """An item that is ready to work on.

    Attributes:
      tip: the branch's commit.
      attempts: those of this run, oldest first; ``history``: those of earlier runs too.
      continued: whether an interrupted run goes on.
      checkpointed: stories with a checkpoint on the branch, for an ad-hoc task: no file says so.
      started: what is told of it; recorded, not yet published.
    """

    started: RunStarted
    run: RunRecord
    tip: str
    attempts: tuple[AttemptRecord, ...]
    history: tuple[AttemptRecord, ...]
    workspace: workspace.Workspace
    continued: bool
    checkpointed: frozenset[str] = frozenset()


def open_run(
    repo: Repository,
    store: Store,
    item: str,
    spec: Spec,
    now: int,
    fact: RunStarted,
) -> OpenedRun:
    """Start a run of ``item``, or go on with an interrupted one, and prepare its workspace.

    Args:
      spec: the change as it lies in the checkout.
      now: Unix time in seconds.
      fact: what is told; what only this knows is filled in.

    Raises:
      BranchTakenError: when the branch holds other work.
      ConflictError: when someone deleted the branch although it held checkpoints, took it back
        while a crash had left a checkpoint open, or changed the spec where the branch changed it
        too.
      BusyError: when processes of an earlier run do not leave the workspace, or a person has the
        branch checked out.
    """
    holder = checked_out_at(repo, refs.branch_ref(item))
    if holder is not None:
        raise BusyError(
            f"branch orchestrator/{item} is checked out: a run would move it under you",
            where=str(holder),
            fix="check out another branch there",
        )
    last = _last_run(repo, item)
    tip = branch_tip(repo, item)
    if tip is not None and (last is None or not _is_ours(repo, last, tip)):
        raise BranchTakenError(
            f"branch orchestrator/{item} holds work that is not the orchestrator's",
            where=refs.branch_ref(item),
            fix=f"rename it (git branch -m orchestrator/{item} other-name) and run again",
        )
    continued = last is not None and last.state is RunState.OPEN
    settle_checkpoints(repo, store, item)
    tip = branch_tip(repo, item)
    history = read_attempts(repo, item)
    if last is None or _is_to_start(spec, last, tip, history):
        # Nothing was built on the old start: what a person mended since then counts.
        run = _start_run(repo, item, spec, last, tip, now)
        refs.move_ref(repo.git, refs.branch_ref(item), run.start, tip, f"run {run.id}")
        tip = run.start
    elif tip is None:
        raise ConflictError(
            f"branch orchestrator/{item} was deleted while its run was under way",
            where=refs.branch_ref(item),
            fix=f"bring it back: git branch orchestrator/{item} {last_checkpoint(last, history)}",
        )
    else:
        run = attrs.evolve(last, brief=spec.brief, until=spec.until)
        if not continued:
            run = attrs.evolve(
                run, id=new_id(), at=now, state=RunState.OPEN, reason="", story="", resumed=True
            )
        run, tip = _carry_edits(repo, run, tip, spec, now)
        keep_run(repo, run)
    with claim_workspace(workspace.place_of(repo, item)):
        place = workspace.open_existing(repo, item) or workspace.create(repo, item, tip)
        for attempt in (*history, *forgotten_attempts(place, run, history)):
            if attempt.state is AttemptState.STARTED:
                settle_attempt(repo, store, attempt, place, tip, now)
        if place.kind.mode != repo.mode:
            workspace.remove(repo, place)
            place = workspace.create(repo, item, tip)
        if not continued:
            # What an earlier run moved aside has been there for a whole run by now.
            snapshot.clear_trash(place)
        snapshot.restore(repo, place, tip)
    started = _record_start(store, run, continued, fact)
    history = read_attempts(repo, item)
    return OpenedRun(
        started=started,
        run=run,
        tip=tip,
        attempts=tuple(attempt for attempt in history if attempt.run == run.id),
        history=history,
        workspace=place,
        continued=continued,
        checkpointed=objects.stories_between(repo.git, run.start, tip)
        if run.brief
        else frozenset(),
    )


def _last_run(repo: Repository, item: str) -> RunRecord | None:
    """Return the item's last run. Git is written before the store: it knows at least as much."""
    found = from_refs(refs.read_refs(repo.git, refs.run_ref(item))).runs
    return (run_from(found[0]) if found else None) or read_run(repo, item)


def _record_start(store: Store, run: RunRecord, continued: bool, fact: RunStarted) -> RunStarted:
    told = attrs.evolve(
        fact,
        run=run.id,
        item=run.item,
        title=run.title,
        branch=refs.branch_ref(run.item).removeprefix("refs/heads/"),
        base=run.base,
        base_name=run.target.removeprefix("refs/heads/"),
        carried=run.carried,
        continued=continued,
    )

    def change(tx: Transaction) -> RunStarted:
        tx.put_run(to_json(run))
        return add_fact(tx, told, item=run.item, run=run.id)

    return store.write(change)


def _start_run(
    repo: Repository, item: str, spec: Spec, last: RunRecord | None, tip: str | None, now: int
) -> RunRecord:
    """Begin at today's HEAD with today's spec; an open run keeps its id, and so its counters."""
    base = repo.head
    below = _with_others(repo, item, base, spec.onto)
    tree = carried_tree(repo, below, spec.carried)
    if last is not None and last.base == base and last.seen == tree:
        start = last.start
    elif spec.carried:
        what = "spec" if _is_spec_only(spec) else "changes"
        message = f"{item}: carry the uncommitted {what}\n\nOrchestrator-Item: {item}\n"
        start = objects.commit(repo.git, tree, [below], message, identity=repo.identity(), when=now)
    else:
        start = below
    ref = refs.base_ref(item)
    refs.move_ref(repo.git, ref, base, tips(repo, ref)[ref], f"base of {item}")
    goes_on = last is not None and last.state is RunState.OPEN
    run = RunRecord(
        id=last.id if last is not None and goes_on else new_id(),
        item=item,
        change=spec.change,
        title=spec.title,
        base=base,
        start=start,
        seen=tree,
        replaces=tip or "",
        target=f"refs/heads/{repo.branch}" if repo.branch else "",
        root=spec.root,
        brief=spec.brief,
        until=spec.until,
        at=now,
        carried=tuple(path.decode(errors="surrogateescape") for path in spec.carried),
    )
    keep_run(repo, run)
    return run


def _with_others(repo: Repository, item: str, base: str, others: Sequence[str]) -> str:
    """Return the base with the branches of other items merged into it, as far as they are there.

    Raises:
      ConflictError: when they cannot be combined.
    """
    known = tips(repo, *map(refs.branch_ref, others))
    for other in others:
        branch = refs.branch_ref(other)
        tip = known[branch]
        if tip is None:
            continue
        message = f"Build on {other}\n\nOrchestrator-Item: {other}\n"
        try:
            base = merging.merged(repo, tip, base, message, branch)
        except ConflictError as error:
            raise ConflictError(
                f"{item} needs {', '.join(others)}, and the work on {other} does not go together "
                f"with the rest: {error.message}",
                where=branch,
                fix=f"merge the rest into branch orchestrator/{other}, then orc retry {item}",
            ) from error
    return base


def _is_spec_only(spec: Spec) -> bool:
    own = os.fsencode(spec.directory)
    return all(path == own or path.startswith(own + b"/") for path in spec.carried)


def _carry_edits(
    repo: Repository, run: RunRecord, tip: str, spec: Spec, now: int
) -> tuple[RunRecord, str]:
    """Bring what a person changed in the spec since it was last seen onto the branch.

    Raises:
      ConflictError: when the branch changed the same lines; nothing is changed then.
    """
    mine = carried_tree(repo, repo.head, spec.carried)
    own = os.fsencode(spec.directory)
    changes = [
        change
        for change in objects.diff_changes(repo.git, run.seen, mine)
        if own and (change.path == own or change.path.startswith(own + b"/"))
    ]
    if not changes:
        return run, tip
    on_branch = {c.path: c.new for c in objects.diff_changes(repo.git, run.seen, tip)}
    edits: dict[bytes, bytes | tuple[bytes, bytes] | Path | None] = {}
    for change in changes:
        ours = on_branch.get(change.path, change.old)
        if ours == change.new:
            continue
        if ours == change.old:
            content = objects.blob(repo.git, change.new)
            edits[change.path] = None if content is None else (change.new_mode, content)
            continue
        merged = objects.merge_blobs(repo.git, ours, change.old, change.new)
        if merged is None:
            raise ConflictError(
                "the spec was changed in your checkout and on the branch: "
                f"{os.fsdecode(change.path)}",
                where=refs.branch_ref(run.item),
                fix=f"make your file agree with the branch's (orc diff {run.item}), then run again",
            )
        edits[change.path] = (change.new_mode, merged)
    if edits:
        tree = objects.write_files_tree(repo.git, objects.tree_of(repo.git, tip), edits)
        message = f"{run.item}: carry the changed spec\n\nOrchestrator-Item: {run.item}\n"
        commit = objects.commit(repo.git, tree, [tip], message, repo.identity(), now)
        refs.move_ref(repo.git, refs.branch_ref(run.item), commit, tip, "carry the changed spec")
        tip = commit
    return attrs.evolve(run, seen=mine), tip


def _is_ours(repo: Repository, run: RunRecord, tip: str) -> bool:
    return tip == run.replaces or objects.is_ancestor(repo.git, run.start, tip)


def _is_to_start(
    spec: Spec, last: RunRecord, tip: str | None, attempts: tuple[AttemptRecord, ...]
) -> bool:
    """Whether the work begins where the checkout is now."""
    if spec.begun is None:
        return _is_unused(last, tip, attempts)
    return not spec.begun and tip in (None, last.start, last.replaces)


def _is_unused(run: RunRecord, tip: str | None, attempts: tuple[AttemptRecord, ...]) -> bool:
    """Whether nothing stands on the run's start: no checkpoint, and no branch to speak of."""
    if tip is not None:
        return tip in (run.start, run.replaces)
    if run.state is not RunState.OPEN:
        return True
    return not run.resumed and not any(
        attempt.run == run.id and attempt.state is AttemptState.VERIFIED for attempt in attempts
    )
