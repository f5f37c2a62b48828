"""Puts the changes of a checkout aside, and back."""

from __future__ import annotations

import os

import attrs

from orchestrator.adapters.git.runner import split_z
from orchestrator.errors import ConflictError, UsageError

from .looking import Status, require_commit, require_merged, status
from .paths import literal, shown_names
from .refusals import refusal
from .running import OwnGit


@attrs.frozen(kw_only=True)
class Stash:
    """Changes that are put aside; ``name``: what git calls them now, ``at``: Unix seconds."""

    name: str
    commit: str
    at: int
    subject: str


def stash_list(git: OwnGit) -> tuple[Stash, ...]:
    """Return what is put aside, newest first. Blocking."""
    output = git.run("stash", "list", "-z", "--format=%H%x00%ct%x00%gs").stdout
    parts = output.decode(errors="replace").split("\0")
    return tuple(
        Stash(name=f"stash@{{{number}}}", commit=commit, at=int(at), subject=subject)
        for number, (commit, at, subject) in enumerate(
            zip(parts[0::3], parts[1::3], parts[2::3], strict=False)
        )
    )


def stash_push(
    git: OwnGit, message: str | None = None, *, include_untracked: bool = False
) -> Stash:
    """Put what is not committed aside, and return where it is. Blocking.

    Raises:
      UsageError: when there is nothing to put aside.
      RepositoryError: when there is no commit yet.
      ConflictError: when something is not merged.
    """
    git.require_free()
    state = status(git)
    require_commit(git, state)
    require_merged(git, state)
    if state.is_committed and not (include_untracked and state.untracked):
        raise UsageError(
            "there is nothing to put aside",
            where=str(git.checkout),
            fix="include what git does not know" if state.untracked else None,
        )
    args = ["stash", "push", *(["--include-untracked"] if include_untracked else [])]
    args += [] if message is None else ["-m", message]
    done = git.run(*args, check=False)
    if done.returncode != 0:
        raise refusal(git, args, done)
    return stash_list(git)[0]


def stash_pop(git: OwnGit) -> Status:
    """Bring back what was put aside last, and return the new state. Blocking.

    When that conflicts the checkout is as before, and it stays put aside.

    Raises:
      UsageError: when nothing is put aside.
      ConflictError: when it conflicts with what is there; names the files.
    """
    git.require_free()
    newest = stash_list(git)
    if not newest:
        raise UsageError("nothing is put aside", where=str(git.checkout))
    before = status(git)
    require_merged(git, before)
    index = git.text("write-tree")
    new = _untracked_of(git, newest[0].commit)
    taken = [name for name in new if os.path.lexists(git.checkout / name)]
    if taken:
        raise ConflictError(
            f"exists already: {shown_names(taken)}",
            where=str(git.checkout / taken[0]),
            fix="move it away first",
        )
    done = git.run("stash", "pop", check=False)
    if done.returncode == 0:
        return status(git)
    files = status(git).conflicted
    _undo(git, index, new)
    if files:
        raise ConflictError(
            f"conflicts in {shown_names(files)}; everything is as before, and still put aside",
            where=str(git.checkout / files[0]),
            fix="commit what is there first, or make a branch of it: git stash branch NAME",
        )
    raise refusal(git, ["stash", "pop"], done)


def _untracked_of(git: OwnGit, stash: str) -> tuple[str, ...]:
    """Return the files in a stash that git did not know."""
    done = git.run("ls-tree", "-r", "-z", "--name-only", f"{stash}^3", check=False)
    return tuple(os.fsdecode(name) for name in split_z(done.stdout) if done.returncode == 0)


def _undo(git: OwnGit, index: str, new: tuple[str, ...]) -> None:
    """Take back what a stash brought before it conflicted.

    What the index has that it had not was written by git, over files that were as in the index.

    Args:
      index: the tree that the index was; ``new``: files that were not there.
    """
    args = ("diff", "--cached", "--name-only", "-z", "--no-renames", index)
    changed = [os.fsdecode(name) for name in split_z(git.run(*args).stdout)]
    if changed:
        git.run(
            "restore", f"--source={index}", "--staged", "--worktree", "--no-recurse-submodules",
            *literal(changed),
        )  # fmt: skip
    for name in new:
        (git.checkout / name).unlink(missing_ok=True)
