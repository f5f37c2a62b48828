"""Keeps the exact bytes of a workspace in a commit, and brings a workspace to a commit."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import objects, submodules
from .objects import Author
from .place import Workspace, clear, make_again
from .repository import Repository
from .runner import Git, join_z
from .scan import Scan, aligned_index, is_of, keep_index, mode_of, scan, stage


def snapshot(
    repo: Repository,
    workspace: Workspace,
    parent: str,
    message: str,
    identity: Author,
    when: int,
) -> str:
    """Return a commit on ``parent`` with the workspace's exact bytes. Blocking; moves no ref.

    Untracked files and the files of nested repositories are in it; ignored files, special files
    and files that cannot be read are not. The workspace is only read.
    """
    raw = repo.raw_git().at(workspace.path)
    with objects.private_index(raw) as index:
        if not workspace.path.is_symlink() and workspace.path.is_dir():
            # With the attributes in force an unchanged file is unchanged whatever its line ends.
            aligned_index(workspace.kind.git(repo, workspace), workspace.index, index, parent)
            found = scan(raw, index, workspace.brought)
            inner = (*found.nested, *submodules.changed(repo, workspace, found.links))
            nested = [path for place in inner for path in _files_below(raw, place)]
            stage(raw, index, (*found.present, *nested), found.gone)
        else:
            raw.run("read-tree", "--empty", index=index)
        tree = raw.text("write-tree", index=index)
    return objects.commit(repo.git, tree, [parent], message, identity, when)


def restore(
    repo: Repository, workspace: Workspace, commit: str, tree: str = ""
) -> tuple[bytes, ...]:
    """Bring the workspace to exactly ``commit``, on its branch, with a clean git. Blocking.

    Args:
      tree: the commit's tree, where that is known: it costs less if it was taken just now.

    Returns the paths that were not as the commit has them.

    What lies in the way is renamed into the workspace's trash, never deleted, so that nothing on
    disk is the only copy of anything; ignored files and what set-up brought stay unless a path of
    the commit needs their place. After a crash at any point, or a failure, the next call finishes
    the work.

    Raises:
      ProcessError: when git fails.
    """
    if workspace.path.is_symlink() or not workspace.path.is_dir():
        make_again(workspace)
    git = workspace.kind.git(repo, workspace)
    index = workspace.directory / "index.restoring"
    if is_of(workspace.taken, tree):
        aligned_index(git, workspace.taken, index, tree)
    else:
        aligned_index(git, workspace.index, index, commit)
    found = scan(git, index, workspace.brought)
    if found.differs:
        _set_right(workspace, git, index, found)
    keep_index(index, workspace.index, commit)
    workspace.kind.rebuild(repo, workspace, commit)
    _fill_submodules(repo, workspace, found.links)
    return (*found.present, *found.gone)


def populate(repo: Repository, workspace: Workspace) -> None:
    """Fill the submodules of a new workspace, recursively, from the checkout's own."""
    if os.path.lexists(workspace.path / ".gitmodules"):
        links = scan(workspace.kind.git(repo, workspace), workspace.index).links
        _fill_submodules(repo, workspace, links)


def _fill_submodules(repo: Repository, workspace: Workspace, links: Mapping[bytes, str]) -> None:
    root = os.fsencode(workspace.path)
    known = {found[1].path: found for found in submodules.initialised(repo, workspace, links)}
    for path in links:
        place = workspace.path / os.fsdecode(path)
        mode = mode_of(root, path)
        if mode is None or not stat.S_ISDIR(mode) or (
            place not in known and submodules.has_files(place)
        ):  # fmt: skip
            clear(workspace, root, path)
        place.mkdir(parents=True, exist_ok=True)
        if place in known:
            restore(*known[place])


def _set_right(workspace: Workspace, git: Git, index: Path, found: Scan) -> None:
    """Clear what differs from the index out of the way, then write what the index has."""
    root = os.fsencode(workspace.path)
    wrong = (*found.present, *found.gone, *found.unreadable)
    for place in found.nested:
        clear(workspace, root, os.path.join(place, b".git"))
    for place in found.nested:
        if not any(path.startswith(place + b"/") for path in found.tracked):
            clear(workspace, root, place)
    for path in wrong:
        clear(workspace, root, path)
    # A nested repository's .git, or a .gitignore that was changed, hid files from the scan.
    again = scan(git, index, workspace.brought)
    for path in (*again.present, *again.unreadable):
        clear(workspace, root, path)
    there = found.tracked.keys() - again.left_out - found.links.keys()
    missing = sorted({*wrong, *again.present, *again.gone} & there)
    git.run("checkout-index", "-q", "-u", "-f", "-z", "--stdin",
            index=index, stdin=join_z(missing))  # fmt: skip


def _files_below(raw: Git, place: bytes) -> Iterator[bytes]:
    """Yield the files of a nested repository's work tree, relative to the outer one."""
    assert raw.work_tree is not None
    root = raw.work_tree / os.fsdecode(place)
    with objects.private_index(raw) as empty:
        inner = raw.at(root)
        found = scan(inner, empty)
        for path in found.present:
            yield os.path.join(place, path)
        for deeper in found.nested:
            for path in _files_below(inner, deeper):
                yield os.path.join(place, path)


def clear_trash(workspace: Workspace) -> None:
    """Delete what `restore` moved aside."""
    trash: Path = workspace.directory / "trash"
    shutil.rmtree(trash, ignore_errors=True)
