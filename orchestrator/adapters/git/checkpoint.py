"""Takes the tree of what a worker changed, as git would commit it, without trusting its clone."""

from __future__ import annotations

import os
import shutil
import stat

import attrs

from . import objects, submodules
from .faithful import filtered_paths, unusable_filters, with_required
from .place import Workspace
from .repository import Repository
from .runner import Git
from .scan import Scan, aligned_index, keep_index, mode_of, scan, stage


@attrs.frozen
class Checkpoint:
    """What a worker did.

    Attributes:
      tree: the tree to commit, "" when there is none.
      changed: paths in which it differs from the base.
      problems: why it must not be committed, one sentence each; empty when it may be.
    """

    tree: str
    changed: tuple[bytes, ...]
    problems: tuple[str, ...]


def take(repo: Repository, workspace: Workspace, base: str) -> Checkpoint:
    """Return the workspace's tree relative to a commit or tree. Blocking; changes no ref.

    Only paths whose bytes changed differ from the base; attributes of the tree apply, ignored
    files are left out. The clone's own ``.git`` is never read.
    """
    if workspace.path.is_symlink() or not workspace.path.is_dir():
        return Checkpoint("", (), ("the worker removed its workspace",))
    git = workspace.kind.git(repo, workspace)
    with objects.private_index(git) as index:
        aligned_index(git, workspace.index, index, base, refresh=False)
        found = scan(git, index, workspace.brought)
        problems = [f"the worker made a git repository in {_shown(d)}" for d in found.nested]
        problems += [f"{_shown(path)} cannot be read" for path in found.unreadable]
        filters = filtered_paths(git, found.present)
        for path, name in unusable_filters(git, filters):
            problems.append(f"{_shown(path)} needs the filter {_shown(name)}, which is not run")
        problems += _gitlink_problems(git, found)
        problems += submodules.changed(repo, workspace, found.links).values()
        if problems or not found.differs:
            return Checkpoint("", (*found.present, *found.gone), tuple(problems))
        stage(with_required(git, filters), index, found.present, found.gone)
        tree = git.text("write-tree", index=index)
        changes = objects.diff_changes(git, base, tree)
        same = [change for change in changes if _same_bytes(repo, workspace, change)]
        if same:
            objects.put_entries(
                git, index, [c.old_mode + b" " + c.old.encode() + b"\t" + c.path for c in same]
            )
            tree = git.text("write-tree", index=index)
        else:
            # `restore` need not read again what was read to be staged.
            fresh = workspace.taken.with_name(f"{workspace.taken.name}.new")
            shutil.copy2(index, fresh)
            keep_index(fresh, workspace.taken, tree)
        changed = tuple(change.path for change in changes if change not in same)
    return Checkpoint(tree, changed, ())


def _same_bytes(repo: Repository, workspace: Workspace, change: objects.Change) -> bool:
    """Whether git only normalised line ends of a file that is as the base has it."""
    if change.status != b"M" or change.old_mode != change.new_mode:
        return False
    path = os.path.join(os.fsencode(workspace.path), change.path)
    return objects.blob_id(path, repo.object_format) == change.old


def _gitlink_problems(git: Git, found: Scan) -> list[str]:
    """Name submodules that are no directory any more."""
    assert git.work_tree is not None
    root = os.fsencode(git.work_tree)
    problems = []
    for path, kind in found.tracked.items():
        if kind == b"160000":
            mode = mode_of(root, path)
            if mode is None or not stat.S_ISDIR(mode) or path in found.present:
                problems.append(f"the worker replaced the submodule {_shown(path)}")
    return problems


def _shown(path: bytes) -> str:
    return repr(os.fsdecode(path))
