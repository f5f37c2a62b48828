"""Exchanges commits with the remotes of a checkout, with the operator's keys and helpers."""

from __future__ import annotations

import os
import re

import attrs

from orchestrator.errors import ConflictError, RepositoryError, UsageError

from .looking import branches
from .merging import combine, settled
from .naming import no_such_branch
from .paths import near, shown_name
from .refusals import network_refusal, refusal, said
from .running import OwnGit

_REFUSED = re.compile(r"^!\t[^\t]*\t\[(.+)\] ?(.*)$", re.MULTILINE)


@attrs.frozen(kw_only=True)
class Fetched:
    """What came from a remote; ``changed``: its branches that are new, elsewhere or gone here."""

    remote: str
    changed: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Pulled:
    """A branch that follows ``upstream``, and its commits ``before`` and now."""

    branch: str
    upstream: str
    before: str
    head: str


@attrs.frozen(kw_only=True)
class Pushed:
    """What a remote has of a branch; ``is_new``: it had none; ``is_changed``: it had another."""

    branch: str
    remote: str
    head: str
    is_new: bool
    is_changed: bool


def fetch(git: OwnGit, remote: str = "origin", *, prune: bool = False) -> Fetched:
    """Take over what a remote has, without touching index or files. Blocking.

    Args:
      prune: forget branches that it has no more.

    Raises:
      UsageError: when there is no such remote.
      ProcessError: when it cannot be reached.
    """
    _require_remote(git, remote)
    before = _heads(git, remote)
    args = ["fetch", *(["--prune"] if prune else []), remote]
    done = git.run(*args, check=False, env=_quiet_ssh(git))
    if done.returncode != 0:
        raise network_refusal(git, args, done)
    now = _heads(git, remote)
    changed = {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
    return Fetched(remote=remote, changed=tuple(sorted(changed)))


def pull(git: OwnGit, *, rebase: bool = False, merge: bool = False) -> Pulled:
    """Bring the checked-out branch up to its upstream. Blocking.

    Only fast-forwards, unless it is told what to do with commits of both sides.

    Raises:
      UsageError: when both are asked for, or the branch follows none.
      RepositoryError: when HEAD is detached, something is under way, or not committed.
      ConflictError: when both sides have commits, or they conflict; everything is as before then.
      ProcessError: when the remote cannot be reached.
    """
    if rebase and merge:
        raise UsageError("a pull either rebases or merges", fix="ask for one of the two")
    state = settled(git)
    if state.branch is None:
        raise RepositoryError(
            "HEAD is detached", where=str(git.checkout), fix="switch to a branch first"
        )
    if state.upstream is None:
        raise UsageError(
            f"{shown_name(state.branch)} follows no other branch",
            where=f"refs/heads/{state.branch}",
            fix="push it and have it follow that, or: git branch --set-upstream-to=REMOTE/BRANCH",
        )
    how = ["--rebase"] if rebase else ["--no-rebase", "--ff" if merge else "--ff-only"]
    args = ["pull", *how, "--no-edit"]
    done = combine(git, args, state, _quiet_ssh(git))
    if done.returncode != 0:
        if b"no such ref was fetched" in done.stderr:
            raise UsageError(
                f"{shown_name(state.upstream)} is gone",
                where=f"refs/heads/{state.branch}",
                fix="push the branch again, or have it follow another",
            )
        raise network_refusal(git, args, done)
    head = git.text("rev-parse", "HEAD")
    return Pulled(branch=state.branch, upstream=state.upstream, before=state.head, head=head)


def push(git: OwnGit, branch: str, remote: str = "origin", *, set_upstream: bool = True) -> Pushed:
    """Give a remote a local branch, under the same name; never by force. Blocking.

    Args:
      set_upstream: have the branch follow the remote's from then on.

    Raises:
      UsageError: when there is no such branch or remote.
      ConflictError: when the remote has commits that the branch has not, or it or a hook refuses.
      ProcessError: when the remote cannot be reached.
    """
    _require_remote(git, remote)
    found = {one.name: one for one in branches(git)}.get(branch)
    if found is None:
        raise no_such_branch(git, branch)
    ref = f"refs/heads/{branch}"
    args = ["push", "--porcelain", *(["--set-upstream"] if set_upstream else []), remote]
    args.append(f"{ref}:{ref}")
    done = git.run(*args, check=False, env=_quiet_ssh(git))
    text = os.fsdecode(done.stdout)
    if (refused := _REFUSED.search(text)) is not None:
        if refused[1] == "rejected":
            raise ConflictError(
                f"{remote} has commits that {shown_name(branch)} has not",
                where=ref,
                fix="pull first, then push again",
            )
        raise ConflictError(
            f"{remote} refused {shown_name(branch)}:\n{said(done)}",
            where=ref,
            fix="mend what it says, then push again",
        )
    if done.returncode != 0:
        error = refusal(git, args, done, ("pre-push",))
        raise error if isinstance(error, ConflictError) else network_refusal(git, args, done)
    flags = {line[:1] for line in text.splitlines() if "\t" in line}
    return Pushed(
        branch=branch,
        remote=remote,
        head=found.head,
        is_new="*" in flags,
        is_changed="=" not in flags,
    )


def _require_remote(git: OwnGit, remote: str) -> None:
    known = git.text("remote").split("\n")
    if not remote or remote not in known:
        raise UsageError(
            f"no remote is named {shown_name(remote)!r}",
            where=str(git.checkout),
            fix=near(remote, known, "see which there are: git remote -v"),
        )


def _heads(git: OwnGit, remote: str) -> dict[str, str]:
    return {
        branch.name: branch.head
        for branch in branches(git, remote=True)
        if branch.is_remote and branch.name.startswith(f"{remote}/")
    }


def _quiet_ssh(git: OwnGit) -> dict[str, str]:
    """Have ssh fail where it would ask, unless the operator says himself how it is called."""
    if {"GIT_SSH_COMMAND", "GIT_SSH"} & os.environ.keys():
        return {}
    if git.run("config", "core.sshCommand", check=False).returncode == 0:
        return {}
    return {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}
