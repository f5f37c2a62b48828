"""What differs in a workspace from an index, without following links or entering repositories."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from .runner import Git, join_z, split_z

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")

GITLINK = b"160000"
"""The mode of a submodule in an index."""


@attrs.frozen
class Scan:
    """Paths relative to the work tree.

    Attributes:
      present: changed or new files and links that can be read.
      gone: paths of the index that are no file or link any more.
      nested: directories that are git repositories of their own.
      unreadable: changed paths that git cannot keep: no permission, or a special file.
      tracked: every path of the index, with its mode in git's octal form.
      links: the submodules of the index, with their commits.
      left_out: paths of the index that a sparse checkout has not written.
    """

    present: tuple[bytes, ...]
    gone: tuple[bytes, ...]
    nested: tuple[bytes, ...]
    unreadable: tuple[bytes, ...]
    tracked: Mapping[bytes, bytes]
    links: Mapping[bytes, str]
    left_out: frozenset[bytes]

    @property
    def differs(self) -> bool:
        """Whether the work tree is not what the index says."""
        return bool(self.present or self.gone or self.nested or self.unreadable)


def aligned_index(git: Git, seed: Path, target: Path, tree: str, *, refresh: bool = True) -> None:
    """Make ``target`` the index of a tree or commit, with what ``seed`` knows of the same files.

    Args:
      refresh: whether it is also to know of the files that ``seed`` does not; what it does not
        know has to be read by every `scan`.
    """
    # The index is private to whoever holds the workspace: a lock on it is of a git that was killed.
    Path(f"{target}.lock").unlink(missing_ok=True)
    if is_of(seed, tree) and not _is_sparse(git):
        shutil.copy2(seed, target)  # its time, too: what is as young as it is read again
        return
    known = seed.is_file()
    if known:
        shutil.copy2(seed, target)
        # With -m git refuses a tree that differs where the work tree does, and every file would
        # be read again. With -i it would not go to the work tree, could not check entries as young
        # as the index itself, and would take a file changed within that second for unchanged.
        done = git.run("read-tree", "--reset", tree, index=target, check=False)
        known = done.returncode == 0
    if not known:
        target.unlink(missing_ok=True)
        git.run("read-tree", tree, index=target)
    if _is_sparse(git):
        leave_out(git, target, tree)
    if refresh or _is_sparse(git):
        git.run("update-index", "-q", "--refresh", index=target, check=False)


def keep_index(index: Path, place: Path, tree: str) -> None:
    """Move the index of a tree or commit to its place, and note there what it is of.

    The note holds for this very index: whatever comes to lie there instead is looked into again.
    """
    os.replace(index, place)
    _note(place).write_text(_told(place, tree))


def is_of(index: Path, tree: str) -> bool:
    """Tell whether an index is known to be that of a tree or commit, given by its id."""
    try:
        return _ID.fullmatch(tree) is not None and _note(index).read_text() == _told(index, tree)
    except (OSError, ValueError):
        return False


def _told(index: Path, tree: str) -> str:
    return f"{hashlib.sha256(index.read_bytes()).hexdigest()} {tree}\n"


def _note(index: Path) -> Path:
    return index.with_name(f"{index.name}.of")


def leave_out(git: Git, index: Path, tree: str) -> None:
    """Mark in an index of ``tree`` what the sparse patterns of ``git`` leave out, and no more."""
    with tempfile.TemporaryDirectory(prefix="orchestrator-sparse-") as directory:
        # Git applies the patterns only with a work tree, and would look at the files of this one.
        empty, scratch = Path(directory, "empty"), Path(directory, "index")
        empty.mkdir()
        elsewhere = git._replace(work_tree=empty)
        elsewhere.run("read-tree", tree, index=scratch)
        elsewhere.run("read-tree", "-m", "-u", tree, index=scratch)
        wanted = _left_out(elsewhere, scratch)
    there = _left_out(git, index)
    for flag, paths in (("--skip-worktree", wanted), ("--no-skip-worktree", there - wanted)):
        if paths:
            git.run("update-index", "-z", flag, "--stdin", index=index, stdin=join_z(paths))


def _is_sparse(git: Git) -> bool:
    return git.extra_config.get("core.sparsecheckout", "false") != "false"


def _left_out(git: Git, index: Path) -> set[bytes]:
    listed = split_z(git.run("ls-files", "-z", "-t", index=index).stdout)
    return {entry[2:] for entry in listed if entry.startswith(b"S ")}


def scan(git: Git, index: Path, brought: Path | None = None) -> Scan:
    """Compare the work tree of ``git`` with ``index``; ignored files are left out.

    Args:
      brought: a file of patterns, if there is one, that are ignored as well.
    """
    assert git.work_tree is not None
    root = os.fsencode(git.work_tree)
    ignored = ignored_options(brought)
    listed = git.run(
        "ls-files", "-z", "-t", "--stage", "--modified", "--others", *ignored, index=index
    )
    others, changed, tracked, links, left_out = [], set(), {}, {}, set()
    for entry in split_z(listed.stdout):
        tag, rest = entry.split(b" ", 1)
        if tag == b"?":
            others.append(rest)
        else:
            header, path = rest.split(b"\t", 1)
            mode, oid, _ = header.split(b" ")
            tracked[path] = mode
            if tag == b"C":
                changed |= {path} if mode != GITLINK else set()
            elif tag == b"S":
                left_out.add(path)
            elif mode == GITLINK:
                links[path] = oid.decode()
    if _is_sparse(git):
        # The listing takes what is left out for unchanged even when it is there.
        differing = ("diff-files", "-z", "--name-only", "--ignore-submodules=all")
        changed.update(split_z(git.run(*differing, index=index).stdout))
    nested = {path.rstrip(b"/") for path in others if path.endswith(b"/")}
    nested |= _repositories_among(root, tracked)
    present, gone, unreadable = [], [], []
    for path in sorted({*changed, *others}):
        if path.endswith(b"/"):
            continue
        found = mode_of(root, path)
        if found is None or stat.S_ISDIR(found):
            gone.append(path)
        elif stat.S_ISLNK(found) or (
            stat.S_ISREG(found) and os.access(os.path.join(root, path), os.R_OK)
        ):
            present.append(path)
        else:
            unreadable.append(path)
    return Scan(
        tuple(present),
        tuple(gone),
        tuple(sorted(nested)),
        tuple(unreadable),
        tracked,
        links,
        frozenset(left_out),
    )


def ignored_options(brought: Path | None) -> tuple[str, ...]:
    """Return the options of `ls-files` that leave out what is nobody's work."""
    if brought is None or not brought.exists():
        return ("--exclude-standard",)
    return ("--exclude-standard", f"--exclude-from={brought}")


def stage(git: Git, index: Path, present: Iterable[bytes], gone: Iterable[bytes]) -> None:
    """Put files of the work tree into an index, and take paths that are no files any more out."""
    present = tuple(present)
    # What the index has as left out counts as unchanged whatever lies there.
    if removed := join_z((*gone, *present) if _is_sparse(git) else gone):
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
