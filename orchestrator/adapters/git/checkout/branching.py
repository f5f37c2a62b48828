"""Makes, switches to and deletes branches of a checkout."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git import refs
from orchestrator.adapters.process import Completed
from orchestrator.errors import RepositoryError, UsageError

from .looking import Branch, branches, require_settled, status
from .naming import is_plain, no_such_branch, require_new_branch, resolve
from .paths import shown_name, shown_names
from .refusals import refusal
from .running import OwnGit


@attrs.frozen(kw_only=True)
class Switched:
    """What is checked out now; ``created``: whether the branch was made, after a remote's."""

    branch: str
    head: str
    created: bool


@attrs.frozen(kw_only=True)
class Deleted:
    """A branch that is gone; ``kept``: the ref that holds its commits, None when merged."""

    branch: str
    head: str
    kept: str | None


def create_branch(git: OwnGit, name: str, base: str = "HEAD", *, keep_changes: bool = False) -> str:
    """Make a branch at ``base``, switch to it and return its commit. Blocking.

    It follows no other branch.

    Args:
      base: a branch, tag, remote's branch or commit.
      keep_changes: whether what is not committed comes along; else there must be nothing.

    Raises:
      UsageError: when ``name`` cannot be a new branch, or ``base`` is no commit.
      RepositoryError: when something is under way, or not committed.
      ConflictError: when what is not committed cannot come along.
    """
    require_new_branch(git, name)
    start = resolve(git, base)
    git.require_free()
    require_settled(git)
    state = status(git)
    if not keep_changes and not state.is_clean:
        raise RepositoryError(
            f"not committed: {shown_names(state.uncommitted)}",
            where=str(git.checkout),
            fix="commit or stash it first, or have it come along",
        )
    args = ["switch", "--no-track", "-c", name, start.name]
    _require_switched(git, name, args, git.run(*args, check=False))
    return start.commit


def switch(git: OwnGit, name: str) -> Switched:
    """Check out a branch; one that only a remote has is made, and follows that. Blocking.

    Args:
      name: a local branch, or a remote's, with or without the remote in front.

    Raises:
      UsageError: when there is no such branch, or several remotes have it.
      RepositoryError: when something is under way.
      ConflictError: when uncommitted changes would be overwritten; names the files.
      BusyError: when it is checked out in another work tree, or another git is at work.
    """
    every = branches(git, remote=True)
    local = {branch.name: branch for branch in every if not branch.is_remote}
    name, source = _chosen(git, name, every)
    head = (source or local[name]).head
    if source is None and local[name].is_current:
        return Switched(branch=name, head=head, created=False)
    git.require_free()
    require_settled(git)
    args = ["switch", "--no-guess", name]
    if source is not None:
        args = ["switch", "--track", "-c", name, f"refs/remotes/{source.name}"]
    _require_switched(git, name, args, git.run(*args, check=False))
    return Switched(branch=name, head=head, created=source is not None)


def delete_branch(git: OwnGit, name: str, *, force: bool = False) -> Deleted:
    """Delete a local branch; the commits that only it has are kept. Blocking.

    Args:
      force: also when it is not merged; then a ref of ours holds it.

    Raises:
      UsageError: when there is no such branch, it is checked out here, or it is not merged.
      BusyError: when it is checked out in another work tree.
    """
    found = {branch.name: branch for branch in branches(git)}.get(name)
    if found is None or not is_plain(name):
        raise no_such_branch(git, name)
    if found.is_current:
        raise UsageError(
            f"{shown_name(name)} is checked out",
            where=str(git.checkout),
            fix="switch to another branch first",
        )
    args = ["branch", "-d", name]
    done = git.run(*args, check=False)
    kept = None
    if done.returncode != 0 and b"not fully merged" in done.stderr:
        if not force:
            raise UsageError(
                f"{shown_name(name)} is not merged",
                where=f"refs/heads/{name}",
                fix="merge it first, or force it: its commits are kept then",
            )
        kept = refs.kept_ref(f"branch-{refs.item_slug(name)}-{found.head[:8]}")
        refs.move_ref(git.store, kept, found.head, None, f"Kept of {shown_name(name)}")
        args = ["branch", "-D", name]
        done = git.run(*args, check=False)
    if done.returncode != 0:
        raise refusal(git, args, done)
    return Deleted(branch=name, head=found.head, kept=kept)


def _chosen(git: OwnGit, name: str, every: tuple[Branch, ...]) -> tuple[str, Branch | None]:
    """Return the local name, and the remote's branch that it has to be made from, if any."""
    local = {branch.name for branch in every if not branch.is_remote}
    if name in local and is_plain(name):
        return name, None
    theirs = {branch.name: branch for branch in every if branch.is_remote}
    remotes = git.text("remote").split("\n")
    short, found = name, [f"{remote}/{name}" for remote in remotes if f"{remote}/{name}" in theirs]
    for remote in remotes:
        if name in theirs and name.startswith(f"{remote}/"):
            short, found = name.removeprefix(f"{remote}/"), [name]
    if short in local and found:
        return short, None
    if len(found) > 1:
        raise UsageError(
            f"several remotes have {shown_name(name)}",
            where=str(git.checkout),
            fix=f"say which: {shown_names(found)}",
        )
    if not found or not is_plain(short):
        raise _no_branch(git, name)
    return short, theirs[found[0]]


def _no_branch(git: OwnGit, name: str) -> UsageError:
    error = no_such_branch(git, name)
    try:
        resolve(git, name)
    except UsageError:
        return error
    error.fix = f"it is no branch but a commit; make a branch at it: git switch -c NAME {name}"
    return error


def _require_switched(git: OwnGit, name: str, args: list[str], done: Completed) -> None:
    """Raise what kept git from switching; a hook that fails afterwards does not count."""
    if done.returncode != 0:
        head = git.run("symbolic-ref", "-q", "HEAD", check=False).stdout
        if head.rstrip(b"\n") != f"refs/heads/{name}".encode(errors="surrogateescape"):
            raise refusal(git, args, done)
