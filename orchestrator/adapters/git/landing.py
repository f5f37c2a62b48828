"""The operator's checkout on its way from one commit to another, and back. Blocking."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from orchestrator.errors import ConflictError

from . import objects
from .merging import MergePlan, conflict
from .objects import Change
from .repository import Repository
from .runner import Git, git_error, split_z
from .scan import aligned_index, mode_of, stage

_RECORD = "landing.json"
_ZEROS = b"000000"


@attrs.frozen
class Landing:
    """The checkout with a plan's files in it, before its branch and its index follow.

    Begin, finish, leave and take back under the lock of the index.

    Attributes:
      start: the tree that the checkout's files counted as before.
      index: the index to be, with whatever the operator has staged elsewhere.
    """

    repo: Repository
    plan: MergePlan
    start: str
    index: Path

    @classmethod
    def begin(
        cls,
        repo: Repository,
        plan: MergePlan,
        carried: Mapping[bytes, str | None],
        *,
        loose: bool = False,
    ) -> Landing:
        """Write the plan's files into the checkout; the same call goes on after a crash.

        Args:
          loose: the index does not count: only the files have to be as the old commit has them.

        Raises:
          ConflictError: when there are other changes in the way; nothing is changed then.
        """
        git, record = repo.checkout_git, repo.state_dir / _RECORD
        index, real = repo.state_dir / "landing.index", repo.git_dir / "index"
        Path(f"{index}.lock").unlink(missing_ok=True)
        if loose:
            aligned_index(git, real, index, plan.old)
        elif real.is_file():
            shutil.copy2(real, index)
        began = read_record(repo)
        again = began.items() >= _named(plan).items()
        if again:
            _drop_half_written(repo, plan)
        start, entries = _starting_tree(repo, plan, carried, index)
        objects.put_entries(git, index, entries)
        refreshed = git.run("update-index", "-q", "--refresh", index=index, check=False)
        if refreshed.returncode > 1:  # 1 says only that something differs
            raise git_error(["git", "update-index"], refreshed)
        first = str(began.get("start", start)) if again else start
        record.write_text(json.dumps({**_named(plan), "start": first}))
        moved = git.run("read-tree", "-m", "-u", start, plan.tree, index=index, check=False)
        if moved.returncode < 0:  # killed: the note of what it may have half written stays
            raise git_error(["git", "read-tree"], moved)
        if moved.returncode != 0:
            record.unlink()
            said = moved.stderr.decode(errors="replace").strip()
            raise ConflictError(
                f"the checkout has changes in the way: {said}",
                where=str(repo.checkout),
                fix="commit or move them, then do it again",
            )
        return cls(repo, plan, first, index)

    def finish(self, commit: str) -> None:
        """Let the index follow to the commit that the branch is at; what is staged stays staged."""
        git = self.repo.checkout_git
        staged = _staged(git, self.index)
        entries = [
            _entry(change, change.new if change.status != b"D" else None, change.new_mode)
            for change in objects.diff_changes(git, self.plan.tree, commit)
            if staged.get(change.path) == (None if change.status == b"A" else change.old)
        ]
        objects.put_entries(git, self.index, entries)
        os.replace(self.index, self.repo.git_dir / "index")
        (self.repo.state_dir / _RECORD).unlink()

    def leave(self) -> None:
        """End it with the files changed and the index as it was."""
        self.index.unlink()
        (self.repo.state_dir / _RECORD).unlink()

    def take_back(self) -> str | None:
        """Bring the files back to what they were; the index was never changed.

        Returns:
          A tree of the plan's files as somebody changed them meanwhile, for the caller to keep;
          None when nobody did.
        """
        git = self.repo.checkout_git
        root = os.fsencode(self.repo.checkout)
        listed = git.run("diff-files", "-z", "--name-only", "--ignore-submodules=all",
                         index=self.index).stdout  # fmt: skip
        differing = set(split_z(listed))
        edited: set[bytes] = set()
        gone: set[bytes] = set()
        for change in objects.diff_changes(git, self.start, self.plan.tree):
            mode = mode_of(root, change.path)
            absent = mode is None or stat.S_ISDIR(mode)
            if change.path in differing or (change.status == b"D" and not absent):
                (gone if absent else edited).add(change.path)
        with objects.private_index(git) as scratch:
            git.run("read-tree", self.plan.tree, index=scratch)
            for index in (scratch, self.index):
                stage(git, index, sorted(edited), sorted(gone))
            kept = git.text("write-tree", index=scratch)
        back = git.run("read-tree", "-m", "-u", kept, self.start, index=self.index, check=False)
        if back.returncode != 0:
            raise git_error(["git", "read-tree"], back)
        self.leave()
        return kept if edited or gone else None


def read_record(repo: Repository) -> dict[str, Any]:
    """Return the note of a landing that was begun and not ended; empty when there is none."""
    try:
        found = json.loads((repo.state_dir / _RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _named(plan: MergePlan) -> dict[str, str]:
    return {"target": plan.target, "old": plan.old, "new": plan.new, "files": plan.files}


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
    # What the index has in the end, which it may have already after a crash.
    last = {c.path: c.new for c in objects.diff_changes(git, plan.tree, plan.new)}
    entries, conflicts = [], []
    for change in _touched(repo, plan, carried):
        mode = mode_of(root, change.path)
        here = None
        if mode is not None and not stat.S_ISDIR(mode):
            here = objects.blob_id(os.path.join(root, change.path), repo.object_format)
        wanted = None if change.status == b"D" else change.new
        before = None if change.status == b"A" else change.old
        if here is not None and here not in (wanted, before, carried.get(change.path)):
            here = _as_committed(git, change.path) or here
        in_index = staged.get(change.path)
        known = {before, wanted, carried.get(change.path, before)}
        if change.path in last:
            known.add(last[change.path] if last[change.path].strip("0") else None)
        absent = mode is None or stat.S_ISDIR(mode)
        if in_index not in known:
            conflicts.append(change.path)
        elif (absent and wanted is None) or (here is not None and here == wanted):
            entries.append(_entry(change, wanted, change.new_mode))
        elif change.path in carried and here == carried[change.path]:
            entries.append(_entry(change, here, _mode_kept(mode)))
        elif in_index != before or (before is None and _holds_untracked(root, change.path, staged)):
            conflicts.append(change.path)
    if conflicts:
        raise conflict("the checkout has uncommitted changes in", conflicts, str(repo.checkout))
    with objects.private_index(git) as scratch:
        git.run("read-tree", plan.old, index=scratch)
        objects.put_entries(git, scratch, entries)
        return git.text("write-tree", index=scratch), entries


def _as_committed(git: Git, path: bytes) -> str | None:
    """Return the blob that a file would be committed as: its line ends, say, may differ there."""
    assert git.work_tree is not None
    place = os.path.join(os.fsencode(git.work_tree), path)
    if os.path.islink(place):
        return None
    done = git.run("hash-object", b"--path=" + path, "--", place, check=False)
    return done.stdout.decode().strip() or None


def _touched(
    repo: Repository, plan: MergePlan, carried: Mapping[bytes, str | None]
) -> tuple[Change, ...]:
    """Return what the plan changes, and what was carried to the branch and is gone from there.

    An archived change, for one, is neither in the old commit nor in the new one where it was.
    """
    changes = objects.diff_changes(repo.git, plan.old, plan.tree)
    others = carried.keys() - {change.path for change in changes}
    if not others:
        return changes
    listed = objects.entries_at(repo.git, plan.old, sorted(others))
    zeros = "0" * len(plan.old)
    more = []
    for path in sorted(others):
        mode, oid = listed.get(path, (_ZEROS, zeros))
        status = b"M" if path in listed else b"D"
        if carried[path] != (oid if path in listed else None):
            more.append(Change(path, mode, mode, oid, oid, status))
    return (*changes, *more)


def _mode_kept(mode: int | None) -> bytes:
    if mode is None:
        return _ZEROS
    if stat.S_ISLNK(mode):
        return b"120000"
    return b"100755" if mode & stat.S_IXUSR else b"100644"


def _drop_half_written(repo: Repository, plan: MergePlan) -> None:
    """Remove the files that a killed landing of the same plan began to write, and no others.

    Such a file holds the beginning of what is to be landed, and the note of that landing is there.
    """
    for change in objects.diff_changes(repo.git, plan.old, plan.tree):
        path = repo.checkout / os.fsdecode(change.path)
        if change.status == b"D" or path.is_symlink() or not path.is_file():
            continue
        here, whole = path.read_bytes(), objects.blob(repo.git, change.new) or b""
        if here != whole and whole.startswith(here):
            path.unlink()


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
