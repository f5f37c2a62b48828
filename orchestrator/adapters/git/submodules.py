"""Submodules of a workspace: filled from the checkout's own, without network, and left as they are.

What is not initialised in the operator's checkout stays so. A submodule in a workspace is a clone
of its own at the commit that the outer tree names; its files are no part of an item's branch.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.errors import RepositoryError

from . import objects
from .clone import Clone
from .place import Workspace
from .repository import Repository
from .scan import aligned_index, mode_of, scan

_KIND = Clone(detached=True)


def initialised(
    repo: Repository, workspace: Workspace, links: Mapping[bytes, str]
) -> Iterator[tuple[Repository, Workspace, str]]:
    """Yield the submodules that the operator's checkout has: whose, where, and at which commit.

    Args:
      links: path and commit of every submodule of the outer tree.
    """
    for path, commit in sorted(links.items()):
        checkout = repo.checkout / os.fsdecode(path)
        if not os.path.lexists(checkout / ".git"):
            continue
        try:
            inner = Repository.open(checkout, deadline=repo.git.deadline)
        except RepositoryError:
            continue
        known = inner.git.run("cat-file", "-e", f"{commit}^{{commit}}", check=False)
        if inner.checkout != checkout or known.returncode != 0:
            continue
        name = hashlib.sha256(path).hexdigest()[:16]
        directory = workspace.directory / "modules" / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = Workspace(
            workspace.path / os.fsdecode(path),
            directory / "index",
            directory,
            workspace.item,
            _KIND,
        )
        yield inner, place, commit


def changed(repo: Repository, workspace: Workspace, links: Mapping[bytes, str]) -> dict[bytes, str]:
    """Return the submodules that hold other files than their commit, each with what is wrong.

    One that is a directory no more is left out: the outer scan has it.
    """
    root = os.fsencode(workspace.path)
    known = {found[1].path: found for found in initialised(repo, workspace, links)}
    found = {}
    for path in links:
        mode = mode_of(root, path)
        place, shown = workspace.path / os.fsdecode(path), repr(os.fsdecode(path))
        if mode is None or not stat.S_ISDIR(mode):
            continue
        if place in known and _differs(*known[place]):
            found[path] = f"the worker changed the submodule {shown}: that is not committed here"
        elif place not in known and has_files(place):
            found[path] = f"the worker put files where the submodule {shown} belongs"
    return found


def has_files(directory: Path) -> bool:
    """Whether there are files in a submodule that nobody initialised: git would not see them."""
    entries = os.listdir(directory)
    return bool(entries) and ".git" not in entries


def _differs(repo: Repository, place: Workspace, commit: str) -> bool:
    git = place.kind.git(repo, place)
    with objects.private_index(git) as index:
        aligned_index(git, place.index, index, commit)
        found = scan(git, index)
    return found.differs or bool(changed(repo, place, found.links))
