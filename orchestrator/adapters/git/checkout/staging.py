"""Puts changes of a checkout into its index and takes them out again."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.adapters.git.runner import git_error
from orchestrator.errors import UsageError

from .looking import Status, require_merged, status
from .paths import covered, inside, listed, path_error, shown_name, shown_names
from .running import OwnGit

_FROM_STDIN = ("--pathspec-from-file=-", "--pathspec-file-nul")


def stage(git: OwnGit, paths: Sequence[str] | None = None, *, update: bool = False) -> Status:
    """Put the files as they are into the index, deleted ones too; return the new state. Blocking.

    A path that is named counts as merged; all or nothing is staged.

    Args:
      paths: files and folders, None for all that changed.
      update: only what git tracks already.

    Raises:
      UsageError: when a path matches nothing, is ignored, or belongs to another repository.
      ConflictError: when all is to be staged, and something is not merged.
    """
    git.require_free()
    state = status(git)
    if paths is not None:
        _add(git, state, inside(git, paths), "--update" if update else "--all")
    elif update:
        require_merged(git, state)
        git.run("add", "--update")
    else:
        stage_all(git, state)
    return status(git)


def unstage(git: OwnGit, paths: Sequence[str] | None = None) -> Status:
    """Make the index what HEAD is, leave the files; return the new state. Blocking.

    Args:
      paths: files and folders, None for all that is staged. What is not merged stays so.

    Raises:
      UsageError: when nothing is staged there.
    """
    git.require_free()
    state = status(git)
    chosen = (".",) if paths is None else inside(git, paths)
    taken: list[str] = []
    for path in chosen:
        found = covered(path, state.staged)
        if not found:
            what = "nothing is staged" if path == "." else f"not staged: {shown_name(path)}"
            raise UsageError(what, where=str(git.checkout), fix="see what is: git status")
        taken += found
    reset(git, taken)
    return status(git)


def stage_all(git: OwnGit, state: Status) -> None:
    """Put everything that is not as committed into the index.

    Raises:
      UsageError: when there is another repository in the checkout that git does not ignore.
      ConflictError: when something is not merged.
    """
    require_merged(git, state)
    require_own(git, state, (".",))
    git.run("add", "--all")


def add_new(git: OwnGit, paths: Sequence[str]) -> None:
    """Have git know these files, without what is in them."""
    if paths:
        git.run("add", "--intent-to-add", *_FROM_STDIN, stdin=listed(paths))


def _add(git: OwnGit, state: Status, paths: Sequence[str], how: str) -> None:
    require_own(git, state, paths)
    # Of several paths git adds the good ones, and only then says which is ignored.
    for args in (["add", "--dry-run", how, *_FROM_STDIN], ["add", how, *_FROM_STDIN]):
        done = git.run(*args, stdin=listed(paths), check=False)
        if done.returncode != 0:
            error = path_error(git, done, state.uncommitted)
            raise error or git_error(["git", *args], done)


def reset(git: OwnGit, paths: Sequence[str]) -> None:
    """Make the index what HEAD is at exactly these files."""
    if paths:
        git.run("reset", "-q", *_FROM_STDIN, stdin=listed(paths))


def require_own(git: OwnGit, state: Status, paths: Sequence[str]) -> None:
    """Refuse paths in another repository: git would record its commit, and none of its files.

    Raises:
      UsageError: names the repositories.
    """
    inner = [name for name in state.untracked if name.endswith("/")]
    for path in paths:
        taken = covered(path, inner) or [name for name in inner if path.startswith(name)]
        if taken:
            raise UsageError(
                f"a repository of its own: {shown_names(tuple(taken))}",
                where=str(git.checkout),
                fix="have git ignore it (.git/info/exclude), or make it a submodule",
            )
