"""Brings an item's branch to the operator's branch, by merge, changing all or nothing."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

import attrs

from orchestrator.errors import BusyError, ConflictError, OrchestratorError

from . import objects
from .objects import Change
from .refs import move_ref
from .repository import Repository
from .runner import Git, git_error, split_z
from .scan import mode_of

_RECORD = "landing.json"


@attrs.frozen
class MergePlan:
    """A merge that has been computed and not applied. ``target`` is a full ref name."""

    target: str
    old: str
    new: str
    message: str


def merge_plan(repo: Repository, branch_tip: str, target: str, message: str) -> MergePlan:
    """Compute the merged commit, fast-forward where possible. Blocking; moves no ref.

    The commit is a function of the two it merges, so that a landing that was cut short is worked
    out again as the same one.

    Args:
      target: the branch's full ref.

    Raises:
      ConflictError: when both sides changed the same thing; names the files.
    """
    git = repo.git
    found = git.run("rev-parse", "--verify", "-q", target, check=False)
    if found.returncode != 0:
        raise ConflictError("the target branch is gone", where=target, fix="name another one")
    old = found.stdout.decode().strip()
    if objects.is_ancestor(git, branch_tip, old):
        return MergePlan(target, old, old, message)
    if objects.is_ancestor(git, old, branch_tip):
        return MergePlan(target, old, branch_tip, message)
    done = git.run(
        "merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", old, branch_tip,
        check=False,
    )  # fmt: skip
    tree, *names = split_z(done.stdout) or (b"",)
    if done.returncode == 1:
        raise _conflict("both sides changed", names, target)
    if done.returncode != 0:
        raise git_error(["git", "merge-tree"], done)
    when = max(objects.date_of(git, commit) for commit in (old, branch_tip))
    new = objects.commit(git, tree.decode(), [old, branch_tip], message, repo.identity(), when)
    return MergePlan(target, old, new, message)


def land(repo: Repository, plan: MergePlan, carried: Mapping[bytes, str | None]) -> str:
    """Move the target to the planned commit, and the checkout with it if it is there. Blocking.

    A crash leaves the old state, or one that the next call finishes.

    Args:
      carried: uncommitted paths that the branch began with and their blobs (None: deleted); where
        the checkout still has exactly that, it is no conflict.

    Raises:
      ConflictError: when the checkout has other changes in paths that the merge touches, when the
        target moved, or when another work tree has it checked out; nothing is changed then.
      BusyError: when another git is at work in the checkout.
    """
    reason = plan.message.splitlines()[0] if plan.message else "merge"
    holder = checked_out_at(repo, plan.target)
    if holder is None:
        if plan.new != plan.old:
            move_ref(repo.git, plan.target, plan.new, plan.old, reason)
        return plan.new
    if holder != repo.checkout:
        raise ConflictError(
            f"{plan.target.removeprefix('refs/heads/')} is checked out in another work tree",
            where=str(holder),
            fix="finish from there, or check out another branch there",
        )
    record = repo.state_dir / _RECORD
    plan = _unfinished(record, plan)
    if plan.new == plan.old:
        return plan.new
    with _IndexLock(repo):
        _land_here(repo, plan, carried, record, reason)
    return plan.new


def _land_here(
    repo: Repository,
    plan: MergePlan,
    carried: Mapping[bytes, str | None],
    record: Path,
    reason: str,
) -> None:
    git = repo.checkout_git
    index = repo.state_dir / "landing.index"
    real = repo.git_dir / "index"
    Path(f"{index}.lock").unlink(missing_ok=True)
    if real.is_file():
        shutil.copy2(real, index)
    _drop_half_written(repo, plan, record)
    start, entries = _starting_tree(repo, plan, carried, index)
    objects.put_entries(git, index, entries)
    refreshed = git.run("update-index", "-q", "--refresh", index=index, check=False)
    if refreshed.returncode > 1:  # 1 says only that something differs
        raise git_error(["git", "update-index"], refreshed)
    record.write_text(json.dumps({"target": plan.target, "old": plan.old, "new": plan.new}))
    moved = git.run("read-tree", "-m", "-u", start, plan.new, index=index, check=False)
    if moved.returncode < 0:  # killed: the note of what it may have half written stays
        raise git_error(["git", "read-tree"], moved)
    if moved.returncode != 0:
        record.unlink()
        said = moved.stderr.decode(errors="replace").strip()
        raise ConflictError(
            f"the checkout has changes in the way: {said}",
            where=str(repo.checkout),
            fix="commit or move them, then finish again",
        )
    try:
        move_ref(git, plan.target, plan.new, plan.old, reason)
    except OrchestratorError:
        # Killed or refused: unless the ref did move, the checkout goes back to where it was.
        if git.text("rev-parse", "--verify", plan.target) != plan.new:
            git.run("read-tree", "-m", "-u", plan.new, start, index=index)
            record.unlink()
        raise
    os.replace(index, real)
    record.unlink()


def _drop_half_written(repo: Repository, plan: MergePlan, record: Path) -> None:
    """Remove the files that a killed landing of the same plan began to write, and no others.

    Such a file holds the beginning of what is to be landed, and the note of that landing is there.
    """
    try:
        began = json.loads(record.read_text())
    except (OSError, ValueError):
        return
    if began != {"target": plan.target, "old": plan.old, "new": plan.new}:
        return
    for change in objects.diff_changes(repo.git, plan.old, plan.new):
        path = repo.checkout / os.fsdecode(change.path)
        if change.status == b"D" or path.is_symlink() or not path.is_file():
            continue
        here, whole = path.read_bytes(), objects.blob(repo.git, change.new) or b""
        if here != whole and whole.startswith(here):
            path.unlink()


def _starting_tree(
    repo: Repository, plan: MergePlan, carried: Mapping[bytes, str | None], index: Path
) -> tuple[str, list[bytes]]:
    """Return the tree that the checkout counts as, and the index entries that make it so.

    It is the old commit's, except where a touched path has what was carried or, after a crash,
    already the new content.
    """
    git = repo.checkout_git
    root = os.fsencode(repo.checkout)
    staged = _staged(git, index)
    entries, conflicts = [], []
    for change in objects.diff_changes(git, plan.old, plan.new):
        mode = mode_of(root, change.path)
        here = None
        if mode is not None and not stat.S_ISDIR(mode):
            here = objects.blob_id(os.path.join(root, change.path), repo.object_format)
        wanted = None if change.status == b"D" else change.new
        before = None if change.status == b"A" else change.old
        in_index = staged.get(change.path)
        known = {before, wanted, carried.get(change.path, before)}
        absent = mode is None or stat.S_ISDIR(mode)
        if in_index not in known:
            conflicts.append(change.path)
        elif (absent and wanted is None) or (here is not None and here == wanted):
            entries.append(_entry(change, wanted, change.new_mode))
        elif change.path in carried and here == carried[change.path]:
            kept = change.new_mode if change.status == b"A" else change.old_mode
            entries.append(_entry(change, here, kept))
        elif in_index != before or (before is None and _holds_untracked(root, change.path, staged)):
            conflicts.append(change.path)
    if conflicts:
        raise _conflict("the checkout has uncommitted changes in", conflicts, str(repo.checkout))
    with objects.private_index(git) as scratch:
        git.run("read-tree", plan.old, index=scratch)
        objects.put_entries(git, scratch, entries)
        return git.text("write-tree", index=scratch), entries


def _holds_untracked(root: bytes, path: bytes, staged: Mapping[bytes, str]) -> bool:
    """Whether a new path would take the place of something of the user, ignored or not."""
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        place = b"/".join(parts[:depth])
        mode = mode_of(root, place)
        if mode is not None and not stat.S_ISDIR(mode):
            return place not in staged
    for parent, _, names in os.walk(os.path.join(root, path)):
        below = os.path.relpath(parent, root)
        if any(os.path.join(below, name) not in staged for name in names):
            return True
    return False


def _entry(change: Change, oid: str | None, mode: bytes) -> bytes:
    if oid is None:
        return b"0 " + b"0" * len(change.old) + b"\t" + change.path
    return mode + b" " + oid.encode() + b"\t" + change.path


def _staged(git: Git, index: Path) -> dict[bytes, str]:
    """Return path to blob of an index; a path with merge stages has no blob that matches."""
    found = {}
    for entry in split_z(git.run("ls-files", "-z", "--stage", index=index).stdout):
        header, path = entry.split(b"\t", 1)
        _, oid, stage = header.split()
        found[path] = oid.decode() if stage == b"0" else "unmerged"
    return found


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
    return (repo.state_dir / _RECORD).exists() or _index_locks(repo)[1].exists()


def clear_index_lock(repo: Repository) -> None:
    """Remove the lock that a killed landing left on the index. Call it under the engine's lock."""
    lock, proof = _index_locks(repo)
    if proof.exists() and lock.exists() and proof.samefile(lock):
        lock.unlink()
    proof.unlink(missing_ok=True)


def _index_locks(repo: Repository) -> tuple[Path, Path]:
    """Return git's lock of the checkout's index, and the file that proves a lock to be ours."""
    return repo.git_dir / "index.lock", repo.state_dir / "landing.lock"


def _unfinished(record: Path, plan: MergePlan) -> MergePlan:
    """Return the plan of a landing whose ref moved before a crash, else ``plan``."""
    try:
        found = json.loads(record.read_text())
        began = MergePlan(found["target"], found["old"], found["new"], plan.message)
    except (OSError, ValueError, KeyError, TypeError):
        return plan
    if began.target == plan.target and plan.old == began.new == plan.new:
        return began
    return plan


def _conflict(what: str, paths: list[bytes], where: str) -> ConflictError:
    names = ", ".join(repr(os.fsdecode(path)) for path in paths)
    return ConflictError(f"{what} {names}", where=where, fix="settle it by hand, then finish again")


class _IndexLock:
    """Git's own lock of the checkout's index, as a link to a file that proves it is ours."""

    def __init__(self, repo: Repository) -> None:
        clear_index_lock(repo)
        self._lock, self._proof = _index_locks(repo)

    def __enter__(self) -> None:
        self._proof.touch()
        try:
            os.link(self._proof, self._lock)
        except FileExistsError:
            raise BusyError(
                "another git is at work in the checkout",
                where=str(self._lock),
                fix="wait for it; if none runs, remove this file",
            ) from None

    def __exit__(self, *exc: object) -> None:
        self._lock.unlink(missing_ok=True)
        self._proof.unlink(missing_ok=True)
