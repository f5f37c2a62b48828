"""Delivering an item: what it changed, keeping it, merging it, restoring what is pinned."""

from __future__ import annotations

import time
from pathlib import Path

import attrs

from orchestrator.adapters.git import delivery, objects, refs, workspace
from orchestrator.adapters.git.delivery import MergePlan
from orchestrator.adapters.git.export import export_tree
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError, UsageError
from orchestrator.work.records import AttemptRecord, RunRecord, RunState

from . import ledger
from .claim import claim_workspace


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
        known = [name.removeprefix(refs.RUNS) for name in refs.read_refs(repo.git, refs.RUNS)]
        fix = f"known: {', '.join(sorted(known))}" if known else "run something first"
        raise UsageError(f"no item {item}", fix=fix)
    tip = ledger.branch_tip(repo, item)
    if tip is None:
        raise UsageError(
            f"branch orchestrator/{item} is gone: delivered and deleted, or deleted by hand",
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


def plan_merge(repo: Repository, item: str) -> MergePlan:
    """Work out the merge of a finished item into its branch of origin.

    Raises:
      UsageError: when the item is not done, or started from a detached HEAD.
      ConflictError: when the changes cannot be combined; nothing is changed.
    """
    run, tip = require_run(repo, item)
    if run.state is not RunState.DONE:
        raise UsageError(
            f"{item} is {run.state.value}, not done", fix=f"continue it first: orc run {item}"
        )
    if not run.target:
        raise UsageError(
            f"{item} started from a detached HEAD: there is no branch to merge into",
            fix=f"git merge orchestrator/{item} where you want it",
        )
    return delivery.merge_plan(
        repo, tip, run.target, f"Merge {item} (orchestrator/{item})", int(time.time())
    )


def land(repo: Repository, item: str, plan: MergePlan) -> str:
    """Move the target branch, and the checkout when it has that branch checked out.

    The item's branch is deleted once its tip is reachable from there.

    Raises:
      BusyError: when processes of a killed run do not leave the item's workspace.
    """
    run, tip = require_run(repo, item)
    carried = {
        change.path: change.new if change.new.strip("0") else None
        for change in objects.diff_changes(repo.git, run.base, run.start)
    }
    with claim_workspace(workspace.place_of(repo.workspace_home(), item)):
        commit = delivery.land(repo, plan, carried)
        if not objects.is_ancestor(repo.git, tip, commit):
            raise ConflictError(f"{item} did not arrive in {run.target}", where=run.target)
        refs.delete_ref(repo.git, refs.branch_ref(item), tip)
        place = workspace.open_existing(repo, item, repo.workspace_home())
        if place is not None:
            workspace.remove(place)
    return commit


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
