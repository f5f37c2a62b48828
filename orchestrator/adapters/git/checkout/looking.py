"""What is in a checkout: its state and its branches."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from orchestrator.adapters.git.repository import UNDER_WAY
from orchestrator.errors import ConflictError, RepositoryError

from .paths import shown_names
from .running import OwnGit

_FIELDS_BEFORE_PATH = {b"1": 8, b"u": 10, b"?": 1}


@attrs.frozen(kw_only=True)
class Status:
    """The state of a checkout; paths relative to its top, bytes that are no UTF-8 as surrogates.

    Attributes:
      branch: the checked-out branch, None when HEAD is detached.
      head: the checked-out commit, "" when there is none yet.
      upstream: the branch it follows, None when none; ``ahead``, ``behind``: of that, in commits.
      staged: what differs between HEAD and the index; ``changed``: between the index and the files.
      untracked: what git does not know nor ignore; a repository ends in "/".
      conflicted: what was not merged.
      dirty_submodules: submodules with changes of their own, which cannot be committed here.
      under_way: "a merge", "a rebase" or the like, None when nothing is.
    """

    branch: str | None
    head: str
    upstream: str | None
    ahead: int
    behind: int
    staged: tuple[str, ...]
    changed: tuple[str, ...]
    untracked: tuple[str, ...]
    conflicted: tuple[str, ...]
    dirty_submodules: tuple[str, ...]
    under_way: str | None

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing that could be committed."""
        return not self.untracked and self.is_committed

    @property
    def is_committed(self) -> bool:
        """Whether all that git tracks is committed."""
        return not (self.staged or self.changed or self.conflicted)

    @property
    def uncommitted(self) -> tuple[str, ...]:
        """Every path that is not as committed, each once."""
        every = (*self.conflicted, *self.staged, *self.changed, *self.untracked)
        return tuple(dict.fromkeys(every))


@attrs.frozen(kw_only=True)
class Branch:
    """A branch, or what is known of a remote's.

    Attributes:
      name: without ``refs/heads/`` or ``refs/remotes/``.
      head: its commit; ``subject``: the first line of that; ``at``: when, Unix seconds.
      upstream: the branch it follows, or None.
      is_current: whether it is checked out here; ``worktree``: where it is, None when nowhere.
      is_remote: whether it is a remote's.
    """

    name: str
    head: str
    upstream: str | None
    is_current: bool
    subject: str
    at: int
    worktree: str | None
    is_remote: bool


def status(git: OwnGit) -> Status:
    """Return the state of the checkout. Blocking; one process."""
    output = git.run(
        "status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all", "--no-renames",
        "--ahead-behind",
    ).stdout  # fmt: skip
    head: dict[str, str] = {}
    paths: dict[str, list[str]] = {
        name: [] for name in ("staged", "changed", "untracked", "conflicted", "dirty_submodules")
    }
    for record in output.split(b"\0"):
        kind = record[:1]
        if kind == b"#":
            key, _, value = os.fsdecode(record[2:]).partition(" ")
            head[key] = value
        elif kind in _FIELDS_BEFORE_PATH:
            fields = record.split(b" ", _FIELDS_BEFORE_PATH[kind])
            for name in _kinds(fields):
                paths[name].append(os.fsdecode(fields[-1]))
    ahead, behind = head.get("branch.ab", "+0 -0").split()
    return Status(
        branch=head["branch.head"] if head["branch.head"] != "(detached)" else None,
        head=head["branch.oid"] if head["branch.oid"] != "(initial)" else "",
        upstream=head.get("branch.upstream"),
        ahead=int(ahead),
        behind=-int(behind),
        under_way=_under_way(git),
        **{name: tuple(found) for name, found in paths.items()},
    )


def _kinds(fields: list[bytes]) -> tuple[str, ...]:
    if fields[0] == b"?":
        return ("untracked",)
    if fields[0] == b"u":
        return ("conflicted",)
    index, files = fields[1][:1], fields[1][1:]
    kinds = ("staged",) if index != b"." else ()
    if files == b".":
        return kinds
    # Of a submodule only which commit it is at can be committed here.
    is_inner = fields[2].startswith(b"S.") and files == b"M"
    return (*kinds, "dirty_submodules" if is_inner else "changed")


def branches(git: OwnGit, *, remote: bool = False) -> tuple[Branch, ...]:
    """Return the local branches, with ``remote`` also what is known of the remotes'. Blocking."""
    fields = (
        "refname", "objectname", "upstream:short", "HEAD", "worktreepath", "symref",
        "committerdate:unix", "subject",
    )  # fmt: skip
    layout = "".join(f"%({field})%00" for field in fields)
    places = ("refs/heads", "refs/remotes") if remote else ("refs/heads",)
    parts = git.run("for-each-ref", f"--format={layout}", *places).stdout.split(b"\0")
    found = []
    for start in range(0, len(parts) - len(fields), len(fields)):
        ref, head, upstream, here, worktree, symref, at, subject = parts[start:][: len(fields)]
        _, kind, name = os.fsdecode(ref.lstrip(b"\n")).split("/", 2)
        if symref and kind == "remotes":  # the remote's HEAD: another name of one of the others
            continue
        branch = Branch(
            name=name,
            head=head.decode(),
            upstream=os.fsdecode(upstream) or None,
            is_current=here == b"*",
            subject=subject.decode(errors="replace"),
            at=int(at or 0),
            worktree=os.fsdecode(worktree) or None,
            is_remote=kind == "remotes",
        )
        found.append(branch)
    return tuple(found)


def require_settled(git: OwnGit) -> None:
    """Refuse a checkout in the middle of something.

    Raises:
      RepositoryError: when a merge, rebase or the like is under way.
    """
    if (what := _under_way(git)) is not None:
        way_out = next(way for name, way in UNDER_WAY.values() if name == what)
        raise RepositoryError(
            f"{what} is under way", where=str(git.checkout), fix=f"finish it: {way_out}"
        )


def require_committed(git: OwnGit, state: Status) -> None:
    """Refuse a checkout with changes to what git tracks.

    Raises:
      RepositoryError: when something is not committed; names it.
    """
    if not state.is_committed:
        files = tuple(name for name in state.uncommitted if name not in state.untracked)
        raise RepositoryError(
            f"not committed: {shown_names(files)}",
            where=str(git.checkout),
            fix="commit or stash it first",
        )


def require_merged(git: OwnGit, state: Status) -> None:
    """Refuse a checkout with conflicts.

    Raises:
      ConflictError: names the files.
    """
    if state.conflicted:
        raise ConflictError(
            f"not merged: {shown_names(state.conflicted)}",
            where=str(git.checkout / Path(state.conflicted[0])),
            fix="resolve each of them and stage it by name",
        )


def require_commit(git: OwnGit, state: Status) -> None:
    """Refuse a repository without a commit.

    Raises:
      RepositoryError: when HEAD has none.
    """
    if not state.head:
        raise RepositoryError(
            "there is no commit yet", where=str(git.checkout), fix="commit something first"
        )


def _under_way(git: OwnGit) -> str | None:
    place = git.git_dir
    return next((what for name, (what, _) in UNDER_WAY.items() if (place / name).exists()), None)
