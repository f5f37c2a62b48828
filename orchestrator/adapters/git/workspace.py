"""Makes, finds and removes workspaces, whatever kind they are."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from orchestrator.errors import RepositoryError

from .clone import Clone
from .in_place import InPlace
from .place import Kind, delete_tree, is_ours, marked_mode
from .place import Workspace as Workspace
from .refs import branch_ref
from .repository import Repository
from .snapshot import populate
from .worktree import Worktree

KINDS: Mapping[str, Kind] = {kind.mode: kind for kind in (Clone(), Worktree(), InPlace())}
_PRIVATE = ".private"


def require_workable(repo: Repository, carried: Collection[bytes] = ()) -> None:
    """Refuse what a run cannot start from.

    Args:
      carried: uncommitted paths that come along.

    Raises:
      RepositoryError: when something is in progress, or the repository is no good for its mode.
    """
    repo.require_settled()
    KINDS[repo.mode].require(repo, carried)


def create(repo: Repository, item: str, commit: str) -> Workspace:
    """Make the item's workspace at ``commit``, as the repository's mode has it. Blocking.

    A crash leaves only what the next call clears.

    Raises:
      RepositoryError: when something that is no workspace of ours lies in its place.
    """
    place = place_of(repo, item)
    home = repo.workspace_home()
    for directory in (home.parent, home, place.directory.parent, place.directory):
        directory.mkdir(parents=True, mode=0o700, exist_ok=True)
    place.kind.create(repo, place, commit)
    populate(repo, place)
    return place


def open_existing(repo: Repository, item: str) -> Workspace | None:
    """Return the item's workspace, of whatever kind, or None when there is none that we made."""
    kind = KINDS.get(marked_mode(_directory(repo, item)) or "")
    if kind is None:
        return None
    place = _place(repo, item, kind)
    return place if is_ours(place) else None


def release(repo: Repository, workspace: Workspace) -> tuple[str, ...]:
    """Give back what was borrowed for a run; returns what a person should know."""
    return workspace.kind.release(repo, workspace)


def remove(repo: Repository, workspace: Workspace) -> None:
    """Delete a workspace and everything beside it.

    Raises:
      RepositoryError: when it is not the directory that was made; nothing is deleted then.
    """
    if os.path.lexists(workspace.path) and not is_ours(workspace):
        raise RepositoryError(
            "this is not a workspace that was made here; it is left alone",
            where=str(workspace.path),
            fix="remove it yourself if it is of no use",
        )
    workspace.kind.remove(repo, workspace)
    delete_tree(workspace.directory)


def place_of(repo: Repository, item: str) -> Workspace:
    """Return where the item's workspace is or would be, made or not."""
    return _place(repo, item, KINDS[repo.mode])


def _place(repo: Repository, item: str, kind: Kind) -> Workspace:
    directory = _directory(repo, item)
    return Workspace(kind.path(repo, item), directory / "index", directory, item, kind)


def _directory(repo: Repository, item: str) -> Path:
    branch_ref(item)
    return repo.workspace_home() / _PRIVATE / item
