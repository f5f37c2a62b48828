"""Brings an item's work to the operator's branch or checkout, changing all or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from orchestrator.errors import ConflictError, OrchestratorError

from .index_lock import IndexLock, index_lock_left
from .landing import Landing, read_record
from .merging import MergePlan
from .refs import move_ref
from .repository import Repository


@attrs.frozen
class Landed:
    """A delivery that has arrived.

    Attributes:
      commit: where the target is now.
      start: the tree that the checkout's files counted as before, "" when none were changed.
    """

    commit: str
    start: str


def _ignore(_: str) -> None:
    """Note nothing."""


def land(
    repo: Repository,
    plan: MergePlan,
    carried: Mapping[bytes, str | None],
    note: Callable[[str], None] = _ignore,
) -> Landed:
    """Move the target to the planned commit, and the checkout with it if it is there. Blocking.

    A crash leaves the old state, or one that the next call finishes.

    Args:
      carried: uncommitted paths that the branch began with and their blobs (None: deleted); where
        the checkout still has exactly that, it is no conflict.
      note: told the tree that the checkout's files count as, before the branch moves.

    Raises:
      ConflictError: when the checkout has other changes in paths that the merge touches, when the
        target moved, or when another work tree has it checked out; nothing is changed then.
      BusyError: when another git is at work in the checkout.
    """
    reason = plan.message.splitlines()[0] if plan.message else "merge"
    if not holds_target(repo, plan.target):
        if plan.new != plan.old:
            move_ref(repo.git, plan.target, plan.new, plan.old, reason)
        return Landed(plan.new, "")
    if plan.new == plan.old:
        return Landed(plan.new, "")
    with IndexLock(repo):
        landing = Landing.begin(repo, plan, carried)
        try:
            note(landing.start)
            move_ref(repo.checkout_git, plan.target, plan.new, plan.old, reason)
        except OrchestratorError:
            # Killed or refused: unless the ref did move, the checkout goes back to where it was.
            if repo.git.text("rev-parse", "--verify", plan.target) != plan.new:
                landing.take_back()
            raise
        landing.finish(plan.new)
    return Landed(plan.new, landing.start)


def apply(
    repo: Repository,
    plan: MergePlan,
    carried: Mapping[bytes, str | None],
    note: Callable[[str], None] = _ignore,
) -> Landed:
    """Change the files of the checkout and nothing else: neither its index nor any ref. Blocking.

    Raises:
      ConflictError: when the checkout has other changes in these files; nothing is changed then.
      BusyError: when another git is at work in the checkout.
    """
    with IndexLock(repo):
        landing = Landing.begin(repo, plan, carried, loose=True)
        note(landing.start)
        landing.leave()
    return Landed(plan.old, landing.start)


def holds_target(repo: Repository, target: str) -> bool:
    """Tell whether the checkout has the branch checked out.

    Raises:
      ConflictError: when another work tree has.
    """
    holder = checked_out_at(repo, target)
    if holder not in (None, repo.checkout):
        raise ConflictError(
            f"{target.removeprefix('refs/heads/')} is checked out in another work tree",
            where=str(holder),
            fix="finish from there, or check out another branch there",
        )
    return holder is not None


def checked_out_at(repo: Repository, ref: str) -> Path | None:
    """Return the work tree that has a branch checked out, or None."""
    listed = repo.git.run("worktree", "list", "--porcelain", "-z").stdout
    place = None
    for line in listed.split(b"\0"):
        if line.startswith(b"worktree "):
            place = Path(os.fsdecode(line.removeprefix(b"worktree ")))
        elif place is not None and not place.exists():
            continue  # deleted without git's knowing: nothing is checked out there
        elif line == b"branch " + os.fsencode(ref) and place is not None:
            # A submodule's git directory is listed in place of its work tree.
            return repo.checkout if place == repo.common_dir else place.resolve()
    return None


def unfinished_landing(repo: Repository) -> bool:
    """Tell whether a landing in the checkout was cut short; the next one completes it."""
    return bool(read_record(repo)) or index_lock_left(repo)
