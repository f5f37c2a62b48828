"""The linked worktree: a workspace that shares the operator's repository, filters and all.

For repositories that no clone can reproduce. It is less of a boundary: a worker's git reaches the
operator's objects, and without Landlock also his refs, stash, hooks and configuration.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path

import attrs

from orchestrator.errors import RepositoryError

from . import place
from .operator import config_text
from .place import Workspace, delete_tree, move_to_trash
from .repository import Repository
from .runner import Git


@attrs.frozen
class Worktree:
    """A worktree of the operator's repository, outside his checkout, locked against pruning.

    Its HEAD is detached: the item's branch moves by checkpoints only, and is checked out nowhere.
    """

    mode: str = "worktree"
    boundary: str = (
        'mode = "worktree": workers share your repository, a weaker boundary than a clone'
    )

    def require(self, repo: Repository, carried: Collection[bytes]) -> None:
        """See `Kind.require`: it can be made of every repository."""

    def path(self, repo: Repository, item: str) -> Path:
        """See `Kind.path`."""
        return repo.workspace_home() / item

    def git(self, repo: Repository, workspace: Workspace) -> Git:
        """Return git with the operator's filters in force; what a worker configures is not."""
        return repo.tree_git(repo.operator_git(), workspace.directory).at(workspace.path)

    def create(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """See `Kind.create`."""
        self._require_admin(repo, workspace)
        place.build(repo, workspace, commit)

    def rebuild(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """Write the worktree's administrative files afresh, and the ``.git`` that leads there."""
        admin = self._require_admin(repo, workspace)
        admin.mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(admin):
            if entry.name in _ADMIN:
                continue
            if entry.is_dir(follow_symlinks=False):
                delete_tree(Path(entry.path))
            else:
                os.unlink(entry.path)
        git = self.path(repo, workspace.item) / ".git"
        _put(admin / "locked", f"a workspace of {workspace.item}\n")
        _put(admin / "gitdir", f"{git}\n")
        _put(admin / "commondir", "../..\n")
        _put(admin / "HEAD", f"{commit}\n")
        repo.copy_info(admin)
        if repo.operator.is_on("extensions.worktreeconfig"):
            settings = repo.operator.tree_settings().items()
            sparse = [(key, value) for key, value in settings if key.startswith("core.sparse")]
            _put(admin / "config.worktree", config_text(sparse))
        shutil.copy2(workspace.index, admin / "index.tmp")
        os.replace(admin / "index.tmp", admin / "index")
        link = workspace.path / ".git"
        if os.path.lexists(link) and (link.is_symlink() or not link.is_file()):
            move_to_trash(workspace, os.fsencode(link))
        _put(link, f"gitdir: {admin}\n")

    def release(self, repo: Repository, workspace: Workspace) -> tuple[str, ...]:
        """Keep it: the next run goes on in it."""
        return ()

    def remove(self, repo: Repository, workspace: Workspace) -> None:
        """Take the work tree away, and what the repository knows of it."""
        admin = self._admin(repo, workspace)
        place.take_away(workspace)
        if admin.exists():
            delete_tree(admin)

    def writable(self, repo: Repository, workspace: Workspace) -> tuple[Path, ...]:
        """Return what git writes in a worktree with a detached HEAD: no ref, hook or setting."""
        common = repo.common_dir
        return (self._admin(repo, workspace), common / "objects", common / "lfs")

    def _admin(self, repo: Repository, workspace: Workspace) -> Path:
        return repo.common_dir / "worktrees" / f"orchestrator-{workspace.item}"

    def _require_admin(self, repo: Repository, workspace: Workspace) -> Path:
        """Return the directory of the worktree's administrative files.

        Raises:
          RepositoryError: when a worktree of somebody else has that name.
        """
        admin = self._admin(repo, workspace)
        try:
            theirs = (admin / "gitdir").read_bytes().rstrip(b"\n")
        except OSError:
            return admin
        if theirs != os.fsencode(self.path(repo, workspace.item) / ".git"):
            raise RepositoryError(
                f"a worktree named {admin.name} exists already",
                where=os.fsdecode(theirs),
                fix="remove it: git worktree remove",
            )
        return admin


_ADMIN = frozenset({"gitdir", "commondir", "locked", "HEAD", "index"})


def _put(path: Path, text: str) -> None:
    """Replace a small file at once: git may read it at any time."""
    fresh = path.with_name(f"{path.name}.tmp")
    fresh.write_bytes(os.fsencode(text))
    os.replace(fresh, path)
