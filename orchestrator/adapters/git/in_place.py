"""In place: the operator's own checkout is the workspace, borrowed for a run and given back.

While it is borrowed HEAD is detached at the item's branch, which moves by checkpoints only. What
git ignores, and what was untracked before, stays where it is: workers see it, it is never
committed, and `borrowed` keeps it. At the end of the run, however it ends, everything is put back
and the result is on the branch, as with a clone. An engine that was killed gives the checkout back
when `run` or `finish` is given again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Collection
from pathlib import Path

import attrs

from orchestrator.errors import RepositoryError

from . import borrowed, place, snapshot
from .place import Workspace
from .repository import Repository
from .runner import Git, split_z
from .scan import GITLINK


@attrs.frozen
class InPlace:
    """The checkout itself, for who has what no fresh work tree has."""

    mode: str = "in-place"
    boundary: str = (
        'mode = "in-place": workers change your checkout itself; it is given back at the end'
    )

    def require(self, repo: Repository, carried: Collection[bytes]) -> None:
        """Refuse a checkout that could not be given back, or that holds work in progress."""
        fix = 'commit, stash or carry it (--carry), or use mode = "clone"'
        where = str(repo.checkout)
        if repo.branch is None:
            raise RepositoryError("HEAD is detached", where=where, fix="check out a branch")
        if (repo.git_dir / "index.lock").exists():
            raise RepositoryError(
                "another git is at work in the checkout",
                where=str(repo.git_dir / "index.lock"),
                fix="wait for it; if none runs, remove this file",
            )
        if repo.checkout_git.run("ls-files", "-u", "-z").stdout:
            raise RepositoryError("the index has conflicts", where=where, fix="resolve them first")
        inner = [path for path in _inner_repositories(repo) if path]
        if inner:
            names = ", ".join(repr(os.fsdecode(path)) for path in inner[:3])
            raise RepositoryError(
                f"a repository inside the checkout could not be given back: {names}",
                where=where,
                fix='use mode = "clone" or "worktree"',
            )
        changed = [path for path in _tracked_changes(repo) if path not in carried]
        if changed:
            names = ", ".join(repr(os.fsdecode(path)) for path in changed[:3])
            raise RepositoryError(f"uncommitted changes in {names}", where=where, fix=fix)

    def path(self, repo: Repository, item: str) -> Path:
        """See `Kind.path`."""
        return repo.checkout

    def git(self, repo: Repository, workspace: Workspace) -> Git:
        """Return git that ignores, besides what git ignores, what was untracked before."""
        git = repo.private_git(repo.operator_git(), workspace.directory / "tree.git")
        with (git.git_dir / "info" / "exclude").open("ab") as exclude:
            exclude.write(b"\n" + (workspace.directory / "untracked").read_bytes())
        return git.at(workspace.path)

    def create(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """Keep the checkout, then bring it to ``commit``."""
        untracked = borrowed.keep(repo, workspace.item)
        patterns = b"".join(_pattern(path) + b"\n" for path in untracked)
        (workspace.directory / "untracked").write_bytes(patterns)
        workspace.index.unlink(missing_ok=True)
        if (repo.git_dir / "index").is_file():
            shutil.copy2(repo.git_dir / "index", workspace.index)
        place.mark(workspace, workspace.path)
        snapshot.restore(repo, workspace, commit)

    def rebuild(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """See `Kind.rebuild`."""
        borrowed.leave(repo, workspace, commit)

    def release(self, repo: Repository, workspace: Workspace) -> tuple[str, ...]:
        """Give the checkout back as it was."""
        return borrowed.give_back(repo, workspace)

    def remove(self, repo: Repository, workspace: Workspace) -> None:
        """Give the checkout back as it was."""
        borrowed.give_back(repo, workspace)

    def writable(self, repo: Repository, workspace: Workspace) -> tuple[Path, ...]:
        """Return the git directories: they need not lie in the checkout."""
        return (repo.git_dir, repo.common_dir)


def _inner_repositories(repo: Repository) -> list[bytes]:
    """Return submodules that are checked out, and git repositories among untracked files."""
    git = repo.checkout_git
    found = []
    for entry in split_z(git.run("ls-files", "-z", "--stage").stdout):
        header, path = entry.split(b"\t", 1)
        if header.startswith(GITLINK) and (repo.checkout / os.fsdecode(path) / ".git").exists():
            found.append(path)
    others = split_z(git.run("ls-files", "-z", "--others", "--exclude-standard").stdout)
    return [*found, *(path for path in others if path.endswith(b"/"))]


def _tracked_changes(repo: Repository) -> list[bytes]:
    done = repo.checkout_git.run(
        "status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames",
        "--ignore-submodules=all",
    )  # fmt: skip
    return [entry[3:] for entry in split_z(done.stdout)]


def _pattern(path: bytes) -> bytes:
    """Return the line of an exclude file that means exactly this path, or nearly."""
    escaped = re.sub(rb"([\\*?\[\] #!])", rb"\\\1", path)
    return b"/" + re.sub(rb"[\n\r]", b"?", escaped)
