"""Commits in a checkout as the operator does: with his hooks, his signature, his identity."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import attrs

from orchestrator.errors import (
    AdapterTimedOutError,
    OrchestratorError,
    RepositoryError,
    UsageError,
)

from .looking import Status, require_merged, status
from .paths import covered, inside, literal, no_such_path
from .refusals import refusal
from .running import OwnGit
from .staging import add_new, require_own, reset, stage_all

_HOOKS = ("pre-commit", "prepare-commit-msg", "commit-msg")
_NOTHING = (b"nothing to commit", b"nothing added to commit", b"no changes added to commit")


@attrs.frozen(kw_only=True)
class Committed:
    """A commit that was made; ``files``: what differs from its first parent."""

    commit: str
    subject: str
    files: tuple[str, ...]


def commit(
    git: OwnGit,
    message: str,
    paths: Sequence[str] | None = None,
    trailers: Sequence[str] = (),
) -> Committed:
    """Commit to what is checked out, and return what was committed. Blocking.

    Args:
      message: lines that begin with "#" are part of it.
      paths: files and folders, new and deleted ones too; what else is staged stays so. None for
        everything that is not as committed, which is staged then, whether or not it is committed.
      trailers: ``Key: value`` lines to end the message with.

    Raises:
      UsageError: when there is nothing to commit, the message is empty, a path matches nothing, or
        git does not know who commits.
      ConflictError: when something is not merged, a hook refuses, or it cannot be signed.
      RepositoryError: when a merge is under way and only some paths are to be committed.
      AdapterTimedOutError: when a hook or the signing hangs; says whether there is a commit.
    """
    _require_message(git, message)
    git.require_free()
    state = status(git)
    require_merged(git, state)
    args = ["commit", "-F", "-", "--cleanup=whitespace", *(f"--trailer={one}" for one in trailers)]
    new: tuple[str, ...] = ()
    if paths is None:
        if state.is_clean and state.under_way is None:
            raise _nothing(git)
        stage_all(git, state)
    else:
        chosen = inside(git, paths)
        _require_changes(git, state, chosen)
        new = tuple(name for path in chosen for name in covered(path, state.untracked))
        args += ["--only", *literal(chosen)]
    with _known(git, new):
        _commit(git, args, message, state)
    return _committed(git)


def _require_message(git: OwnGit, message: str) -> None:
    if not message.strip() or "\0" in message:
        raise UsageError(
            "the message is empty" if "\0" not in message else "the message has a NUL in it",
            where=str(git.checkout),
            fix="say in a line what changes",
        )


def _require_changes(git: OwnGit, state: Status, paths: Sequence[str]) -> None:
    """Refuse paths that match nothing, and paths of which none has changed."""
    require_own(git, state, paths)
    unchanged = [path for path in paths if not covered(path, state.uncommitted)]
    for path in unchanged:
        if not git.run("ls-files", "-z", *literal((path,))).stdout:
            raise no_such_path(git, path, state.uncommitted)
    if len(unchanged) == len(paths):
        raise _nothing(git)


@contextmanager
def _known(git: OwnGit, new: Sequence[str]) -> Iterator[None]:
    """Have git know new files, which it must to commit them by name; not so when that fails."""
    add_new(git, new)
    try:
        yield
    except OrchestratorError:
        with suppress(OrchestratorError):
            reset(git, new)
        raise


def _commit(git: OwnGit, args: Sequence[str], message: str, before: Status) -> None:
    text = message.encode(errors="surrogateescape")
    try:
        done = git.run(*args, stdin=text, check=False)
    except AdapterTimedOutError as error:
        now = status(git).head
        error.fix = (
            "nothing was committed: find out what hangs, a hook or the signing"
            if now == before.head
            else f"{now[:12]} was committed all the same; what hangs is a hook that comes after it"
        )
        raise
    if done.returncode == 0:
        return
    if any(said in done.stdout for said in _NOTHING):
        raise _nothing(git)
    if b"cannot do a partial commit" in done.stderr:
        raise RepositoryError(
            f"{before.under_way} is under way, which is committed as a whole",
            where=str(git.checkout),
            fix="commit everything, or give it up first",
        )
    raise refusal(git, args, done, _HOOKS)


def _nothing(git: OwnGit) -> UsageError:
    return UsageError(
        "there is nothing to commit", where=str(git.checkout), fix="see what changed: git status"
    )


def _committed(git: OwnGit) -> Committed:
    # Of a merge git lists nothing unless it is told which side to compare with.
    output = git.run(
        "log", "-1", "-z", "-m", "--first-parent", "--no-renames", "--name-only",
        "--format=%H%x00%s",
    ).stdout  # fmt: skip
    commit, subject, *files = output.split(b"\0")
    return Committed(
        commit=commit.decode(),
        subject=subject.decode(errors="replace"),
        files=tuple(os.fsdecode(name) for name in b"\0".join(files)[1:].split(b"\0") if name),
    )
