"""A workspace as a value: where it is, what kind it is, its marker and its trash."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

import attrs

from orchestrator.errors import RepositoryError

from .repository import Repository
from .runner import Git
from .scan import mode_of


@attrs.frozen
class Workspace:
    """A place to work in.

    Attributes:
      path: the work tree that workers see.
      index: seed index, out of the workers' reach: the commit it was last brought to, with what
        the file system says of each unchanged file.
      directory: private directory: marker, index, trash.
      item: whose it is.
      kind: how it is made and given back.
    """

    path: Path
    index: Path
    directory: Path
    item: str
    kind: Kind

    @property
    def taken(self) -> Path:
        """The index of the tree that was last taken of it, to be brought to a commit of it."""
        return self.directory / "index.taken"

    @property
    def brought(self) -> Path:
        """The list of what set-up brought, as patterns of ignored files; see `brought`."""
        return self.directory / "brought"


class Kind(Protocol):
    """One way to have a place to work in. Everything blocks.

    Attributes:
      mode: its name in the configuration.
      boundary: what a person should know of what workers can reach; nothing for a clone.
    """

    @property
    def mode(self) -> str: ...
    @property
    def boundary(self) -> str: ...

    def require(self, repo: Repository, carried: Collection[bytes]) -> None:
        """Refuse a repository in which this kind cannot keep its promises.

        Args:
          carried: uncommitted paths that come along.

        Raises:
          RepositoryError: with the way out.
        """
        ...

    def path(self, repo: Repository, item: str) -> Path:
        """Return where the work tree is or would be."""
        ...

    def git(self, repo: Repository, workspace: Workspace) -> Git:
        """Return git on the work tree, for use with the workspace's own index."""
        ...

    def create(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """Make the work tree at ``commit``; whatever a crash left of an earlier try goes."""
        ...

    def rebuild(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """Give the work tree a git at ``commit`` again, whatever a worker did to it."""
        ...

    def release(self, repo: Repository, workspace: Workspace) -> tuple[str, ...]:
        """Give back what was only borrowed for a run; returns what a person should know."""
        ...

    def remove(self, repo: Repository, workspace: Workspace) -> None:
        """Take the work tree away for good."""
        ...

    def writable(self, repo: Repository, workspace: Workspace) -> tuple[Path, ...]:
        """Return what a worker may write besides the work tree."""
        ...


def build(repo: Repository, workspace: Workspace, commit: str) -> None:
    """Make a new work tree beside its place, then put it there.

    Raises:
      RepositoryError: when something lies in its place already.
    """
    if os.path.lexists(workspace.path):
        raise RepositoryError(
            f"the place of the workspace of {workspace.item} is taken",
            where=str(workspace.path),
            fix="move it away",
        )
    building = attrs.evolve(workspace, path=beside(workspace))
    shutil.rmtree(building.path, ignore_errors=True)
    building.path.mkdir(mode=0o700)
    lock = workspace.index.with_name(f"{workspace.index.name}.lock")
    for left in (workspace.index, lock, workspace.brought):
        left.unlink(missing_ok=True)
    git = workspace.kind.git(repo, building)
    git.run("read-tree", "-m", "-u", commit, index=workspace.index)
    workspace.kind.rebuild(repo, building, commit)
    mark(workspace, building.path)
    os.rename(building.path, workspace.path)


def make_again(workspace: Workspace) -> None:
    """Put an empty directory where a workspace was; whatever lies there goes to the trash."""
    if os.path.lexists(workspace.path):
        move_to_trash(workspace, os.fsencode(workspace.path))
    building = beside(workspace)
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    mark(workspace, building)
    os.rename(building, workspace.path)


def take_away(workspace: Workspace) -> None:
    """Delete a work tree of ours; a crash leaves one that the next call deletes."""
    doomed = workspace.directory / "removing"
    if doomed.exists():
        delete_tree(doomed)
    if os.path.lexists(workspace.path):
        os.rename(workspace.path, doomed)
        delete_tree(doomed)


def beside(workspace: Workspace) -> Path:
    """Return where a work tree lies while it is made."""
    return workspace.path.with_name(workspace.path.name + ".tmp")


def mark(workspace: Workspace, made: Path) -> None:
    """Record which directory is the workspace, before it is put in its place."""
    found = made.stat()
    marker = {
        "item": workspace.item,
        "mode": workspace.kind.mode,
        "nonce": secrets.token_hex(16),
        "device": found.st_dev,
        "inode": found.st_ino,
    }
    workspace.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    (workspace.directory / "marker.json").write_text(json.dumps(marker))


def marked_mode(directory: Path) -> str | None:
    """Return the mode of the workspace whose private directory this is, None without one."""
    try:
        return str(json.loads((directory / "marker.json").read_text()).get("mode", "clone"))
    except (OSError, ValueError, AttributeError):
        return None


def is_ours(workspace: Workspace) -> bool:
    """Whether the directory in the workspace's place is the one that was made."""
    try:
        marker = json.loads((workspace.directory / "marker.json").read_text())
        found = os.lstat(workspace.path)
        recorded = (marker["item"], marker["device"], marker["inode"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return stat.S_ISDIR(found.st_mode) and recorded == (
        workspace.item,
        found.st_dev,
        found.st_ino,
    )


def move_to_trash(workspace: Workspace, path: bytes) -> None:
    """Move what lies at an absolute path out of the workspace, keeping it in its private trash."""
    trash = workspace.directory / "trash"
    trash.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = os.fsencode(trash / f"{time.time_ns()}-{secrets.token_hex(4)}")
    try:
        os.rename(path, aside)
    except PermissionError:
        _make_writable(os.path.dirname(path))
        if os.path.isdir(path) and not os.path.islink(path):
            _make_writable(path)  # moving a directory changes what its `..` is
        os.rename(path, aside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(os.fsdecode(path), os.fsdecode(aside))


def clear(workspace: Workspace, root: bytes, path: bytes) -> None:
    """Move away what lies at ``path``, or the file or link that lies where its parent should."""
    parts = path.split(b"/")
    for depth in range(1, len(parts) + 1):
        place = b"/".join(parts[:depth])
        mode = mode_of(root, place)
        if mode is None:
            return
        if depth == len(parts) or not stat.S_ISDIR(mode):
            move_to_trash(workspace, os.path.join(root, place))
            break
    _remove_empty_parents(root, path)


def _remove_empty_parents(root: bytes, path: bytes) -> None:
    parent = os.path.dirname(path)
    while parent and mode_of(root, parent) is not None:
        try:
            os.rmdir(os.path.join(root, parent))
        except OSError:
            return
        parent = os.path.dirname(parent)


def delete_tree(path: Path) -> None:
    """Delete a directory of ours, also what a worker made read-only in it."""

    def again(function: Callable[[str], object], name: str, _: object) -> None:
        _make_writable(os.fsencode(os.path.dirname(name)))
        if os.path.isdir(name) and not os.path.islink(name):
            _make_writable(os.fsencode(name))
        if function is os.rmdir or function is os.unlink:
            function(name)
        else:
            shutil.rmtree(name)

    shutil.rmtree(path, onerror=again)


def _make_writable(directory: bytes) -> None:
    os.chmod(directory, stat.S_IMODE(os.lstat(directory).st_mode) | stat.S_IRWXU)
