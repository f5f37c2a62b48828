"""Delivering an item: what it changed, keeping it, merging it, restoring what is pinned."""

from __future__ import annotations

from pathlib import Path

import attrs

from orchestrator.adapters.git import delivery as merging
from orchestrator.adapters.git import objects, refs, workspace
from orchestrator.adapters.git.delivery import MergePlan
from orchestrator.adapters.git.export import export_tree
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError, UsageError
from orchestrator.work.records import AttemptRecord, RunRecord, run_from_json
from orchestrator.work.states import RunState

from . import ledger
from .claim import claim_workspace


@attrs.frozen(kw_only=True)
class MergeReady:
    """A merge that was worked out; ``verified`` when exactly that tree was checked before."""

    run: RunRecord
    plan: MergePlan
    verified: bool


@attrs.frozen(kw_only=True)
class Pinned:
    """Something `recover` can restore: an attempt with its exact tree."""

    attempt: AttemptRecord
    ref: str
    commit: str


def require_run(repo: Repository, item: str) -> tuple[RunRecord, str]:
    """Return the item's run and its branch's tip.

    Raises:
      UsageError: when nothing was ever run under that name, or its branch is gone.
    """
    run = ledger.read_run(repo, item)
    if run is None:
        raise UsageError(f"no item {item}", fix="orc status lists all")
    tip = ledger.branch_tip(repo, item)
    if tip is None:
        what = f": {run.reason}" if run.state is RunState.DELIVERED else ", deleted by hand"
        raise UsageError(
            f"branch orchestrator/{item} is gone{what}",
            where=refs.branch_ref(item),
            fix=f"what was pinned is still there: orc recover {item}",
        )
    return run, tip


def diff(repo: Repository, item: str, *, names_only: bool) -> bytes:
    """Return what the item's branch changed since its base, as a patch or as names."""
    run, tip = require_run(repo, item)
    if names_only:
        paths = objects.diff_paths(repo.git, run.base, tip)
        return b"".join(_quoted(path) + b"\n" for path in paths)
    return objects.diff_text(repo.git, run.base, tip)


def _quoted(path: bytes) -> bytes:
    """Return a path on one line, with escapes where a terminal or a reader would stumble."""
    text = path.decode(errors="surrogateescape")
    return path if text.isprintable() else ascii(text).encode()


def item_named(repo: Repository, name: str) -> str:
    """Return the item that is called ``name``, or whose change is.

    Raises:
      UsageError: when there is none; the known ones are listed.
    """
    runs = [run_from_json(ref.body) for ref in refs.read_refs(repo.git, refs.RUNS).values()]
    for run in runs:
        if run is not None and name in (run.item, run.change):
            return run.item
    known = sorted(run.item for run in runs if run is not None)
    fix = f"known: {', '.join(known)}" if known else "run something first"
    raise UsageError(f"no item {name}", fix=fix)


def delivered(repo: Repository, item: str) -> RunRecord | None:
    """Return the item's run when all of its branch was merged, and nothing is left to do."""
    run = ledger.read_run(repo, item)
    if run is None or run.state is not RunState.DELIVERED:
        return None
    if merging.unfinished_landing(repo):
        return None
    tip, ref = ledger.branch_tip(repo, item), refs.branch_ref(item)
    kept = tip is not None and merging.checked_out_at(repo, ref) is not None
    arrived = tip is None or objects.is_ancestor(repo.git, tip, run.reason.split()[-1])
    return run if arrived and (tip is None or kept) else None


def plan_merge(repo: Repository, item: str) -> MergeReady:
    """Work out the merge of a finished item into its branch of origin.

    Raises:
      UsageError: when the item is not done, or started from a detached HEAD.
      ConflictError: when the changes cannot be combined; nothing is changed.
    """
    repo.require_workable()
    run, tip = require_run(repo, item)
    if run.state not in (RunState.DONE, RunState.DELIVERED):
        raise UsageError(
            f"{item} is {run.state.value}, not done", fix=f"continue it first: orc run {item}"
        )
    if not run.target:
        raise UsageError(
            f"{item} started from a detached HEAD: there is no branch to merge into",
            fix=f"git merge orchestrator/{item} where you want it",
        )
    plan = merging.merge_plan(repo, tip, run.target, f"Merge {item} (orchestrator/{item})")
    branch = refs.branch_ref(item)
    trailers = refs.read_refs(repo.git, branch)[branch].trailers
    checked = trailers.get("Orchestrator-Verified") == "yes" and plan.new == tip
    return MergeReady(run=run, plan=plan, verified=checked or plan.new == plan.old)


def land(repo: Repository, item: str, plan: MergePlan) -> str:
    """Move the target branch, and the checkout when it has that branch checked out.

    The item's branch is deleted once its tip is reachable from there, unless it is checked out.

    Raises:
      BusyError: when processes of a killed run do not leave the item's workspace.
    """
    run, tip = require_run(repo, item)
    carried = {
        change.path: change.new if change.new.strip("0") else None
        for change in objects.diff_changes(repo.git, run.base, run.start)
    }
    with claim_workspace(workspace.place_of(repo, item)):
        if not objects.is_ancestor(repo.git, tip, plan.new):
            raise ConflictError(
                f"branch orchestrator/{item} moved since the merge was worked out",
                where=refs.branch_ref(item),
                fix="nothing was merged; finish it again",
            )
        commit = merging.land(repo, plan, carried)
        where = f"{run.target.removeprefix('refs/heads/')} at {commit}"
        ledger.record_run(repo, attrs.evolve(run, state=RunState.DELIVERED, reason=where))
        place = workspace.open_existing(repo, item)
        if place is not None:
            workspace.remove(repo, place)
        if merging.checked_out_at(repo, refs.branch_ref(item)) is None:
            refs.delete_ref(repo.git, refs.branch_ref(item), tip)
    return commit


def prepare_merge(repo: Repository, item: str, commit: str) -> workspace.Workspace:
    """Make the workspace in which a merge is verified; one that a killed `finish` left goes.

    Raises:
      BusyError: when processes of a killed `finish` do not leave it.
    """
    name = f"{item}.merge"
    with claim_workspace(workspace.place_of(repo, name)):
        left = workspace.open_existing(repo, name)
        if left is not None:
            workspace.remove(repo, left)
        return workspace.create(repo, name, commit)


def pinned(repo: Repository, item: str | None = None) -> tuple[Pinned, ...]:
    """Return every pinned attempt, oldest first."""
    found = refs.read_refs(repo.git, refs.ATTEMPTS)
    return tuple(
        Pinned(
            attempt=attempt,
            ref=refs.attempt_ref(attempt.id),
            commit=found[refs.attempt_ref(attempt.id)].oid,
        )
        for attempt in ledger.read_attempts(repo, item)
        if refs.attempt_ref(attempt.id) in found
    )


def restore_to(repo: Repository, chosen: Pinned, directory: Path) -> int:
    """Write an attempt's files into a new directory; returns how many.

    Raises:
      UsageError: when the directory exists already.
    """
    if directory.exists():
        raise UsageError("exists already", where=str(directory), fix="name a new directory")
    return export_tree(repo.git, chosen.commit, directory)
