"""What git and its hooks say when they do not do something, as errors for a person."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from orchestrator.adapters.git.runner import git_error
from orchestrator.adapters.process import Completed
from orchestrator.errors import (
    BusyError,
    ConflictError,
    OrchestratorError,
    UsageError,
)
from orchestrator.text import clean

from .paths import shown_name, shown_names
from .running import OwnGit

_LINES = 20

_ELSEWHERE = re.compile(r"'(.+)' (?:is already )?(?:checked out|used by worktree) at '(.+)'")
_OVERWRITTEN = re.compile(r"would be (?:overwritten|removed) by .*\n((?:\t.*\n)+)")
_SIGNING = re.compile(r"failed to sign the data|user\.signingkey|gpg\.ssh\.defaultKeyCommand")
_UNKNOWN_PERSON = re.compile(r"Please tell me who you are|empty ident name")
_UNREACHED = re.compile(
    r"Could not read from remote repository|unable to access|Could not resolve host"
    r"|terminal prompts disabled|could not read (?:Username|Password)|Authentication failed"
    r"|does not appear to be a git repository"
)


def said(done: Completed, lines: int = _LINES) -> str:
    """Return the last lines of what git and its hooks said."""
    text = clean((done.stdout + done.stderr).decode(errors="replace"))
    kept = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "\n".join(kept[-lines:])


def refusal(
    git: OwnGit, args: Sequence[str], done: Completed, hooks: Sequence[str] = ()
) -> OrchestratorError:
    """Return the error for a git command that failed. Blocking.

    Args:
      hooks: the hooks that may have had it fail.
    """
    where, text = str(git.checkout), os.fsdecode(done.stdout + done.stderr)
    if (elsewhere := _ELSEWHERE.search(text)) is not None:
        return BusyError(
            f"{shown_name(elsewhere[1])} is checked out in another work tree",
            where=elsewhere[2],
            fix="work there, or check out something else there first",
        )
    if overwritten := _OVERWRITTEN.findall(text):
        files = [line[1:] for names in overwritten for line in names.split("\n")[:-1]]
        return ConflictError(
            f"changes would be overwritten: {shown_names(files)}",
            where=where,
            fix="commit or stash them first",
        )
    if _SIGNING.search(text) is not None:
        return ConflictError(
            f"the commit could not be signed:\n{said(done)}",
            where=where,
            fix="unlock your key where there is a terminal, or: git config commit.gpgSign false",
        )
    if _UNKNOWN_PERSON.search(text) is not None:
        return UsageError(
            "git does not know who commits",
            where=where,
            fix="tell it: git config user.name ... and git config user.email ...",
        )
    if "fast-forward, aborting" in text:
        return ConflictError(
            "both sides have commits of their own",
            where=where,
            fix="have them merged or rebased, not only fast-forwarded",
        )
    if "unrelated histories" in text:
        return ConflictError(
            "the two have no commit in common", where=where, fix="merge it by hand if that is meant"
        )
    # Git itself dies with another status.
    present = _present(git, hooks) if done.returncode == 1 else ()
    if present:
        return ConflictError(
            f"git {args[0]} was refused, most likely by a hook ({', '.join(present)}):\n"
            f"{said(done)}",
            where=where,
            fix="mend what it says, then do it again",
        )
    return git_error(["git", *args], done)


def network_refusal(git: OwnGit, args: Sequence[str], done: Completed) -> OrchestratorError:
    """Return the error for a command that talks to a remote and failed. Blocking."""
    error = refusal(git, args, done)
    if _UNREACHED.search(os.fsdecode(done.stderr)) is not None:
        error.fix = (
            "check the remote's address (git remote -v) and your key or credential helper: "
            "nothing can ask for a password here"
        )
    return error


def _present(git: OwnGit, hooks: Sequence[str]) -> tuple[str, ...]:
    place = git.text("rev-parse", "--path-format=absolute", "--git-path", "hooks")
    return tuple(name for name in hooks if os.access(os.path.join(place, name), os.X_OK))
