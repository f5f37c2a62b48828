"""What differs in a workspace from an index, without following links or entering repositories."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from .runner import Git, join_z, split_z


@attrs.frozen
class Scan:
    """Paths relative to the work tree.

    Attributes:
      present: changed or new files and links that can be read.
      gone: paths of the index that are no file or link any more.
      nested: directories that are git repositories of their own.
      unreadable: changed paths that git cannot keep: no permission, or a special file.
      tracked: every path of the index, with its mode in git's octal form.
    """

    present: tuple[bytes, ...]
    gone: tuple[bytes, ...]
    nested: tuple[bytes, ...]
    unreadable: tuple[bytes, ...]
    tracked: Mapping[bytes, bytes]

    @property
    def differs(self) -> bool:
        """Whether the work tree is not what the index says."""
        return bool(self.present or self.gone or self.nested or self.unreadable)


def aligned_index(git: Git, seed: Path, target: Path, tree: str) -> None:
    """Make ``target`` the index of a tree or commit, with what ``seed`` knows of the same files."""
    # The index is private to whoever holds the workspace: a lock on it is of a git that was killed.
    Path(f"{target}.lock").unlink(missing_ok=True)
    if seed.is_file():
        shutil.copy2(seed, target)
        # With -m git refuses a tree that differs where the work tree does, and every file would
        # be read again. With -i it would not go to the work tree, could not check entries as young
        # as the index itself, and would take a file changed within that second for unchanged.
        if git.run("read-tree", "--reset", tree, index=target, check=False).returncode == 0:
            git.run("update-index", "-q", "--refresh", index=target, check=False)
            return
    target.unlink(missing_ok=True)
    git.run("read-tree", tree, index=target)
    git.run("update-index", "-q", "--refresh", index=target, check=False)


def scan(git: Git, index: Path) -> Scan:
    """Compare the work tree of ``git`` with ``index``; ignored files are left out."""
    assert git.work_tree is not None
    root = os.fsencode(git.work_tree)
    differing = git.run("diff-files", "-z", "--name-only", "--ignore-submodules=all", index=index)
    listed = git.run(
        "ls-files", "-z", "-t", "--stage", "--others", "--exclude-standard", index=index
    )
    others, tracked = [], {}
    for entry in split_z(listed.stdout):
        tag, rest = entry.split(b" ", 1)
        if tag == b"?":
            others.append(rest)
        else:
            header, path = rest.split(b"\t", 1)
            tracked[path] = header.split(b" ", 1)[0]
    nested = {path.rstrip(b"/") for path in others if path.endswith(b"/")}
    nested |= _repositories_among(root, tracked)
    present, gone, unreadable = [], [], []
    for path in sorted({*split_z(differing.stdout), *others}):
        if path.endswith(b"/"):
            continue
        mode = mode_of(root, path)
        if mode is None or stat.S_ISDIR(mode):
            gone.append(path)
        elif stat.S_ISLNK(mode) or (
            stat.S_ISREG(mode) and os.access(os.path.join(root, path), os.R_OK)
        ):
            present.append(path)
        else:
            unreadable.append(path)
    return Scan(tuple(present), tuple(gone), tuple(sorted(nested)), tuple(unreadable), tracked)


def stage(git: Git, index: Path, present: Iterable[bytes], gone: Iterable[bytes]) -> None:
    """Put files of the work tree into an index, and take paths that are no files any more out."""
    if removed := join_z(gone):
        git.run("update-index", "-z", "--force-remove", "--stdin", index=index, stdin=removed)
    if added := join_z(present):
        git.run("update-index", "-z", "--add", "--replace", "--stdin", index=index, stdin=added)


def mode_of(root: bytes, path: bytes) -> int | None:
    """Return the mode of what lies at ``path``, or None when nothing does, following no link."""
    parts = path.split(b"/")
    place = root
    for part in parts[:-1]:
        place = os.path.join(place, part)
        mode = _lstat(place)
        if mode is None or not stat.S_ISDIR(mode):
            return None
    return _lstat(os.path.join(place, parts[-1]))


def _lstat(path: bytes) -> int | None:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return None


def _repositories_among(root: bytes, tracked: Iterable[bytes]) -> set[bytes]:
    """Return directories of tracked files that hold a ``.git``, which git itself does not list."""
    directories: set[bytes] = set()
    for path in tracked:
        directory = os.path.dirname(path)
        while directory and directory not in directories:
            directories.add(directory)
            directory = os.path.dirname(directory)
    return {d for d in directories if mode_of(root, os.path.join(d, b".git")) is not None}
