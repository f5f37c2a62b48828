"""Makes and removes workspaces: shared clones in which an item's workers work."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import attrs

from orchestrator.errors import RepositoryError

from .refs import branch_ref
from .repository import Repository

CEILING_VARIABLE = "GIT_CEILING_DIRECTORIES"
"""Set to the workspace's parent for every worker: without its .git it must find no other."""

_PRIVATE = ".private"


@attrs.frozen
class Workspace:
    """A place to work in.

    Attributes:
      path: the work tree that workers see.
      index: seed index, out of the workers' reach: the commit it was last brought to, with what
        the file system says of each unchanged file.
      directory: private directory beside the work tree: marker, index, trash.
      item: whose it is.
    """

    path: Path
    index: Path
    directory: Path
    item: str


def create(repo: Repository, item: str, commit: str, home: Path) -> Workspace:
    """Make the item's workspace at ``commit`` and return it. Blocking; a crash leaves only a
    ``.tmp`` that the next call clears.

    Raises:
      RepositoryError: when something that is no workspace of ours lies in its place.
    """
    place = place_of(home, item)
    if os.path.lexists(place.path):
        raise RepositoryError(
            f"the place of the workspace of {item} is taken",
            where=str(place.path),
            fix="move it away",
        )
    for directory in (home.parent, home, place.directory.parent, place.directory):
        directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    building = place.path.with_name(place.path.name + ".tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    for left in (place.index, place.index.with_name(f"{place.index.name}.lock")):
        left.unlink(missing_ok=True)
    git = repo.git.at(building)
    git.run("read-tree", "-m", "-u", commit, index=place.index)
    rebuild_git_dir(repo, attrs.evolve(place, path=building), commit)
    _mark(place, building)
    os.rename(building, place.path)
    return place


def open_existing(repo: Repository, item: str, home: Path) -> Workspace | None:
    """Return the item's workspace, or None when there is none that we made."""
    place = place_of(home, item)
    return place if _is_ours(place) else None


def remove(workspace: Workspace) -> None:
    """Delete a workspace and everything beside it.

    Raises:
      RepositoryError: when it is not the directory that was made; nothing is deleted then.
    """
    if os.path.lexists(workspace.path) and not _is_ours(workspace):
        raise RepositoryError(
            "this is not a workspace that was made here; it is left alone",
            where=str(workspace.path),
            fix="remove it yourself if it is of no use",
        )
    doomed = workspace.directory / "removing"
    if os.path.lexists(workspace.path):
        if doomed.exists():
            delete_tree(doomed)
        os.rename(workspace.path, doomed)
    delete_tree(workspace.directory)


def make_again(workspace: Workspace) -> None:
    """Put an empty directory where a workspace was; whatever lies there goes to the trash."""
    if os.path.lexists(workspace.path):
        move_to_trash(workspace, os.fsencode(workspace.path))
    building = workspace.path.with_name(workspace.path.name + ".tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(mode=0o700)
    _mark(workspace, building)
    os.rename(building, workspace.path)


def move_to_trash(workspace: Workspace, path: bytes) -> None:
    """Move what lies at an absolute path out of the workspace, keeping it in its private trash."""
    trash = workspace.directory / "trash"
    trash.mkdir(mode=0o700, exist_ok=True)
    aside = os.fsencode(trash / f"{time.time_ns()}-{secrets.token_hex(4)}")
    try:
        os.rename(path, aside)
    except PermissionError:
        _make_writable(os.path.dirname(path))
        if os.path.isdir(path) and not os.path.islink(path):
            _make_writable(path)  # moving a directory changes what its `..` is
        os.rename(path, aside)


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


def rebuild_git_dir(repo: Repository, workspace: Workspace, commit: str) -> None:
    """Give the workspace a fresh ``.git`` on its branch at ``commit``.

    The old one is kept in the trash when it holds objects that a worker made.
    """
    fresh = workspace.directory / "git.tmp"
    shutil.rmtree(fresh, ignore_errors=True)
    ref = branch_ref(workspace.item)
    for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
        (fresh / name).mkdir(parents=True)
    (fresh / ref).parent.mkdir(parents=True)
    _write(fresh / "HEAD", f"ref: {ref}\n")
    _write(fresh / ref, f"{commit}\n")
    _write(fresh / "objects" / "info" / "alternates", f"{repo.common_dir / 'objects'}\n")
    _write(fresh / "config", _config(repo))
    for name in ("info/exclude", "info/attributes", "shallow"):
        if (repo.common_dir / name).is_file():
            shutil.copyfile(repo.common_dir / name, fresh / name)
    shutil.copy2(workspace.index, fresh / "index")
    old = workspace.path / ".git"
    if os.path.lexists(old):
        if _holds_objects(old):
            move_to_trash(workspace, os.fsencode(old))
        else:
            delete_tree(old)
    os.rename(fresh, old)


def place_of(home: Path, item: str) -> Workspace:
    """Return where the item's workspace is or would be, made or not."""
    branch_ref(item)
    directory = home / _PRIVATE / item
    return Workspace(home / item, directory / "index", directory, item)


def _mark(workspace: Workspace, made: Path) -> None:
    """Record which directory is the workspace, before it is put in its place."""
    found = made.stat()
    marker = {
        "item": workspace.item,
        "nonce": secrets.token_hex(16),
        "device": found.st_dev,
        "inode": found.st_ino,
    }
    _write(workspace.directory / "marker.json", json.dumps(marker))


def _is_ours(workspace: Workspace) -> bool:
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


def _holds_objects(git_dir: Path) -> bool:
    """Whether a worker may have left something in it: anything but the objects of a fresh one."""
    try:
        if not stat.S_ISDIR(os.lstat(git_dir).st_mode):
            return True
        entries = set(os.listdir(git_dir / "objects"))
        return entries != {"info", "pack"} or bool(os.listdir(git_dir / "objects" / "pack"))
    except OSError:
        return True


def _config(repo: Repository) -> str:
    identity = repo.identity()
    version, extension = 0, ""
    if repo.object_format != "sha1":
        version, extension = 1, f"[extensions]\n\tobjectFormat = {repo.object_format}\n"
    core = {"bare": "false", "logAllRefUpdates": "true"}
    for key, value in repo.git.extra_config.items():
        section, _, name = key.partition(".")
        if section == "core":
            core[name] = value
    lines = "".join(f"\t{name} = {_quoted(value)}\n" for name, value in core.items())
    return (
        f"[core]\n\trepositoryformatversion = {version}\n{lines}{extension}"
        f"[user]\n\tname = {_quoted(identity.name)}\n\temail = {_quoted(identity.email)}\n"
        "[gc]\n\tauto = 0\n"
    )


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _write(path: Path, text: str) -> None:
    path.write_bytes(os.fsencode(text))
