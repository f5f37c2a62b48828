"""Puts uncommitted files of the checkout into a tree, as the operator's `git add` would."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orchestrator.errors import RepositoryError

from . import objects
from .faithful import filtered_paths, unusable_filters, with_required
from .repository import Repository
from .runner import split_z
from .scan import stage


def carried_tree(repo: Repository, commit: str, files: Mapping[bytes, Path | None]) -> str:
    """Return the tree of ``commit`` with ``files`` of the checkout in it. Blocking.

    Args:
      files: by path below the checkout; None: deleted there.

    Raises:
      RepositoryError: when one has conflicts, or needs a filter that is not in force: it would be
        committed raw.
    """
    git = repo.checkout_git
    if not files:
        return objects.tree_of(repo.git, commit)
    unmerged = {entry.split(b"\t", 1)[1] for entry in split_z(git.run("ls-files", "-uz").stdout)}
    for path in sorted(unmerged & files.keys()):
        raise RepositoryError(
            f"{os.fsdecode(path)!r} has conflicts and would be carried along with them",
            where=str(repo.checkout),
            fix="resolve them, then run again",
        )
    present = tuple(path for path, file in files.items() if file is not None)
    filtered = filtered_paths(git, present)
    for path, name in unusable_filters(git, filtered):
        raise RepositoryError(
            f"{os.fsdecode(path)!r} goes through the filter {os.fsdecode(name)!r} and would be "
            "carried along raw",
            where=str(repo.checkout),
            fix='commit it, or set [workspace] mode = "worktree"',
        )
    gone = tuple(path for path, file in files.items() if file is None)
    with objects.private_index(git) as index:
        git.run("read-tree", objects.its_tree(commit), index=index)
        stage(with_required(git, filtered), index, present, gone)
        return git.text("write-tree", index=index)
