"""What a name in a repository stands for, and the errors for names that stand for nothing."""

from __future__ import annotations

import os

import attrs

from orchestrator.errors import RepositoryError, UsageError

from .paths import near, shown_name
from .running import OwnGit


@attrs.frozen(kw_only=True)
class Named:
    """A commit, and the name by which git takes exactly the one that is meant."""

    name: str
    commit: str


def resolve(git: OwnGit, name: str) -> Named:
    """Return the commit that a branch, a tag, a remote's branch or an expression names. Blocking.

    A branch goes before a tag of the same name.

    Raises:
      RepositoryError: when there is no commit yet.
      UsageError: when it names none; says what may have been meant.
    """
    if is_plain(name):
        heads = f"refs/heads/{name}"
        found = _exact(git, heads, f"refs/tags/{name}")
        if heads in found:
            return Named(name=name if len(found) == 1 else heads, commit=found[heads])
        done = git.run(
            "rev-parse", "--verify", "-q", "--end-of-options", f"{name}^{{commit}}", check=False
        )
        commit = done.stdout.decode().rstrip("\n").rpartition("\n")[2]
        if done.returncode == 0 and commit.isalnum():  # "^main" is a name too, of what is left out
            return Named(name=name, commit=commit)
    if name in {"HEAD", "@"}:
        raise RepositoryError(
            "there is no commit yet", where=str(git.checkout), fix="commit something first"
        )
    raise UsageError(
        f"no commit is named {shown_name(name)!r}",
        where=str(git.checkout),
        fix=near(name, names(git), "name a branch, a tag or a commit: git branch --all"),
    )


def require_new_branch(git: OwnGit, name: str) -> None:
    """Refuse a name that a new branch cannot have. Blocking.

    Raises:
      UsageError: when git would not take it, it is taken, or another branch's name is in the way.
    """
    done = git.run("check-ref-format", "--branch", name, check=False) if is_plain(name) else None
    # Git answers "@{-1}" with the branch that it stands for.
    if done is None or done.returncode != 0 or os.fsdecode(done.stdout).rstrip("\n") != name:
        raise UsageError(
            f"{shown_name(name)!r} cannot be the name of a branch",
            where=str(git.checkout),
            fix="use letters, digits, dots, dashes, underscores and single slashes",
        )
    for other in names(git, "refs/heads"):
        if other == name:
            raise UsageError(
                f"the branch {shown_name(name)} exists",
                where=f"refs/heads/{name}",
                fix="switch to it, or choose another name",
            )
        if other.startswith(f"{name}/") or name.startswith(f"{other}/"):
            raise UsageError(
                f"there cannot be a branch {shown_name(name)} beside {shown_name(other)}",
                where=f"refs/heads/{other}",
                fix="choose another name",
            )


def no_such_branch(git: OwnGit, name: str) -> UsageError:
    """Return the error for a branch that does not exist. Blocking."""
    known = names(git, "refs/heads", "refs/remotes")
    return UsageError(
        f"no branch is named {shown_name(name)!r}",
        where=str(git.checkout),
        fix=near(name, known, "see which there are: git branch --all"),
    )


def names(git: OwnGit, *places: str) -> tuple[str, ...]:
    """Return the short names of all refs in these places, else of branches and tags. Blocking."""
    found = _refs(git, *(places or ("refs/heads", "refs/remotes", "refs/tags")))
    return tuple(ref.split("/", 2)[2] for ref in found)


def is_plain(name: str) -> bool:
    """Whether git takes it for a name, and not for an option or nothing."""
    return bool(name) and not name.startswith("-") and "\0" not in name


def _exact(git: OwnGit, *refs: str) -> dict[str, str]:
    # Asked for a name, git also lists what lies below it.
    return {ref: commit for ref, commit in _refs(git, *refs).items() if ref in refs}


def _refs(git: OwnGit, *patterns: str) -> dict[str, str]:
    output = git.run("for-each-ref", "--format=%(refname)%00%(objectname)%00", *patterns).stdout
    parts = os.fsdecode(output).split("\0")
    return {ref.lstrip("\n"): commit for ref, commit in zip(parts[0::2], parts[1::2], strict=False)}
