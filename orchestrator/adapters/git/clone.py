"""The shared clone: a workspace with a git directory of its own that borrows the objects."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

import attrs

from . import place
from .faithful import refuse_unfaithful
from .operator import config_text
from .place import Workspace, delete_tree, move_to_trash
from .refs import BRANCHES, branch_ref
from .repository import Repository
from .runner import Git


@attrs.frozen
class Clone:
    """A clone outside the checkout, made without a transport.

    It has the operator's identity, ignored files, line ends, sparse patterns, refs and remotes to
    fetch from. Nothing leads from it to his repository but the path of the objects.

    Attributes:
      detached: whether HEAD names the commit instead of the item's branch.
    """

    detached: bool = False
    mode: str = "clone"
    boundary: str = ""

    def require(self, repo: Repository, carried: Collection[bytes]) -> None:
        """Refuse what a clone cannot reproduce."""
        refuse_unfaithful(repo.checkout_git, repo.operator)

    def path(self, repo: Repository, item: str) -> Path:
        """See `Kind.path`."""
        return repo.workspace_home() / item

    def git(self, repo: Repository, workspace: Workspace) -> Git:
        """See `Kind.git`."""
        return repo.tree_git(repo.git, workspace.directory).at(workspace.path)

    def create(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """See `Kind.create`."""
        place.build(repo, workspace, commit)

    def rebuild(self, repo: Repository, workspace: Workspace, commit: str) -> None:
        """Make a fresh ``.git``; the old one is kept in the trash when it holds objects."""
        fresh = workspace.directory / "git.tmp"
        shutil.rmtree(fresh, ignore_errors=True)
        for name in ("objects/info", "objects/pack", "refs/heads", "refs/tags", "info"):
            (fresh / name).mkdir(parents=True)
        ref = branch_ref(workspace.item)
        if self.detached:
            (fresh / "HEAD").write_text(f"{commit}\n")
        else:
            (fresh / ref).parent.mkdir(parents=True)
            (fresh / "HEAD").write_text(f"ref: {ref}\n")
            (fresh / ref).write_text(f"{commit}\n")
        objects = _listed(repo.common_dir / "objects")
        (fresh / "objects" / "info" / "alternates").write_bytes(objects)
        (fresh / "packed-refs").write_bytes(_refs(repo))
        (fresh / "config").write_bytes(os.fsencode(_config(repo)))
        repo.copy_info(fresh)
        if (repo.common_dir / "shallow").is_file():
            shutil.copyfile(repo.common_dir / "shallow", fresh / "shallow")
        shutil.copy2(workspace.index, fresh / "index")
        old = workspace.path / ".git"
        if os.path.lexists(old):
            if _holds_objects(old):
                move_to_trash(workspace, os.fsencode(old))
            else:
                delete_tree(old)
        os.rename(fresh, old)

    def release(self, repo: Repository, workspace: Workspace) -> tuple[str, ...]:
        """Keep it: the next run goes on in it."""
        return ()

    def remove(self, repo: Repository, workspace: Workspace) -> None:
        """See `Kind.remove`."""
        place.take_away(workspace)

    def writable(self, repo: Repository, workspace: Workspace) -> tuple[Path, ...]:
        """Nothing: all of a clone lies in its work tree."""
        return ()


def _refs(repo: Repository) -> bytes:
    """Return the operator's branches, tags and remote branches as a file of packed refs."""
    listed = repo.git.run(
        "for-each-ref", "--format=%(objectname) %(refname)",
        "refs/heads", "refs/tags", "refs/remotes",
    ).stdout  # fmt: skip
    ours = BRANCHES.encode()
    return b"".join(
        line
        for line in listed.splitlines(keepends=True)
        if not (line.split(b" ", 1)[1].rstrip(b"\n") + b"/").startswith(ours)
    )


def _listed(path: Path) -> bytes:
    """Return a path as a line of git's list of alternates."""
    line = os.fsencode(path)
    if b"\n" in line:
        line = line.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
        line = b'"' + line + b'"'
    return line + b"\n"


def _config(repo: Repository) -> str:
    identity = repo.identity()
    settings = [("core.repositoryformatversion", "0" if repo.object_format == "sha1" else "1")]
    if repo.object_format != "sha1":
        settings.append(("extensions.objectformat", repo.object_format))
    settings += [("core.bare", "false"), ("core.logallrefupdates", "true")]
    settings += repo.operator.for_clone()
    settings += repo.operator.tree_settings().items()
    settings += [("user.name", identity.name), ("user.email", identity.email), ("gc.auto", "0")]
    return config_text(settings)


def _holds_objects(git_dir: Path) -> bool:
    """Whether a worker may have left something in it: anything but the objects of a fresh one."""
    try:
        if not stat.S_ISDIR(os.lstat(git_dir).st_mode):
            return True
        entries = set(os.listdir(git_dir / "objects"))
        return entries != {"info", "pack"} or bool(os.listdir(git_dir / "objects" / "pack"))
    except OSError:
        return True
