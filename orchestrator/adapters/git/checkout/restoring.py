"""Gives files of a checkout back what a commit has, and keeps what they had."""

from __future__ import annotations

import os
from collections.abc import Sequence

import attrs

from orchestrator.adapters.git.runner import git_error, split_z

from .keeping import keep
from .looking import require_commit, status
from .naming import resolve
from .paths import inside, literal, path_error
from .refusals import refusal
from .running import OwnGit


@attrs.frozen(kw_only=True)
class Restored:
    """What was restored, and from which commit.

    Attributes:
      kept: the ref that holds what was overwritten, None when nothing was:
        ``git show <kept>:<path>`` is a file, ``git show <kept>^2:<path>`` what was staged of it.
    """

    paths: tuple[str, ...]
    source: str
    kept: str | None


def restore(git: OwnGit, paths: Sequence[str], source: str = "HEAD") -> Restored:
    """Make index and files at ``paths`` what a commit has, and keep what they were. Blocking.

    Files that git tracks and the commit does not have are removed; submodules are left alone.

    Args:
      paths: files and folders.
      source: a branch, tag or commit.

    Raises:
      UsageError: when a path matches nothing, or ``source`` is no commit.
      ConflictError: when a repository lies where a file would be written.
      BusyError: when another git is at work.
    """
    chosen = inside(git, paths)
    git.require_free()
    state = status(git)
    require_commit(git, state)
    commit = resolve(git, source).commit
    args = ["ls-files", "--error-unmatch", "-z", f"--with-tree={commit}", *literal(chosen)]
    done = git.run(*args, check=False)
    if done.returncode != 0:
        known = [os.fsdecode(path) for path in split_z(git.run("ls-files", "-z").stdout)]
        raise path_error(git, done, known) or git_error(["git", *args], done)
    kept = keep(git, chosen, commit, state.head)
    args = ["restore", f"--source={commit}", "--staged", "--worktree", "--no-recurse-submodules"]
    args += literal(chosen)
    done = git.run(*args, check=False)
    if done.returncode != 0:
        raise refusal(git, args, done)
    return Restored(paths=chosen, source=commit, kept=kept)
