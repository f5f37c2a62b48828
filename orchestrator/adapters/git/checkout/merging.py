"""Merges into what is checked out; what does not go well leaves the checkout as it was."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from orchestrator.adapters.process import Completed
from orchestrator.errors import AdapterTimedOutError, ConflictError, OrchestratorError

from .looking import Status, require_commit, require_committed, require_settled, status
from .naming import resolve
from .paths import shown_names
from .refusals import refusal
from .running import OwnGit

_HOOKS = ("pre-merge-commit", "prepare-commit-msg", "commit-msg")


def merge(git: OwnGit, branch: str, message: str | None = None) -> str:
    """Merge a branch into what is checked out and return the new head. Blocking.

    Files that git does not know may lie about; they are never overwritten.

    Args:
      branch: a branch, tag, remote's branch or commit.
      message: the message of the merge, git's own when None.

    Raises:
      UsageError: when ``branch`` is no commit.
      RepositoryError: when something is under way, or not committed.
      ConflictError: when it conflicts, names the files; or a hook refuses. Nothing changed then.
    """
    other = resolve(git, branch)
    state = settled(git)
    require_commit(git, state)
    text = [] if message is None else ["-m", message]
    args = ["merge", "--no-edit", *text, other.name]
    done = combine(git, args, state)
    if done.returncode != 0:
        raise refusal(git, args, done, _HOOKS)
    return git.text("rev-parse", "HEAD")


def settled(git: OwnGit) -> Status:
    """Return the state of a checkout that something can be merged into. Blocking.

    Raises:
      RepositoryError: when something is under way, or not committed.
      BusyError: when another git is at work.
    """
    git.require_free()
    require_settled(git)
    state = status(git)
    require_committed(git, state)
    return state


def combine(
    git: OwnGit, args: Sequence[str], before: Status, env: dict[str, str] | None = None
) -> Completed:
    """Run a command that merges or rebases; unless it succeeds the checkout is as before.

    Raises:
      ConflictError: when it conflicts; names the files.
      AdapterTimedOutError: when it hangs; what it had begun is undone, or it was done.
    """
    try:
        done = git.run(*args, check=False, env=env)
    except AdapterTimedOutError as error:
        with suppress(OrchestratorError):
            _undo(git)
            if (now := status(git).head) != before.head:
                error.fix = f"{now[:12]} is checked out all the same; what hangs is a hook after it"
        raise
    if done.returncode == 0:
        return done
    files = status(git).conflicted
    _undo(git)
    if files:
        raise ConflictError(
            f"conflicts in {shown_names(files)}; everything is as before",
            where=str(git.checkout / files[0]),
            fix="merge it by hand, or change one side first",
        )
    return done


def _undo(git: OwnGit) -> None:
    """Leave the merge or rebase that is under way, in a checkout where all was committed."""
    state = status(git)
    if state.under_way is not None and "rebase" in state.under_way:
        git.run("rebase", "--abort")
    elif state.under_way is not None or not state.is_committed:
        # As `git merge --abort` does it, but also when git has not noted yet that it merges, and
        # when it has committed already.
        git.run("reset", "-q", "--merge", "HEAD")
