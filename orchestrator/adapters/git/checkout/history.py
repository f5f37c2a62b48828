"""What a checkout's history says: commits, differences, where a branch began."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence

import attrs

from orchestrator.adapters.git.runner import git_error
from orchestrator.errors import AdapterError, UsageError

from .naming import is_plain, names, resolve
from .paths import inside, literal
from .running import OUTPUT_LIMIT, OwnGit

DIFF_LIMIT = 200_000
_REFLOG_DEPTH = "5000"

_MADE = re.compile(r"branch: Created from (.+)")
_MOVED = re.compile(r"checkout: moving from (\S+) to (\S+)")
_RENAMED = re.compile(r"Branch: renamed refs/heads/(\S+) to refs/heads/(\S+)")


@attrs.frozen(kw_only=True)
class LogEntry:
    """A commit in a list; ``at``: when it was made, Unix seconds."""

    commit: str
    author: str
    at: int
    subject: str


def log(
    git: OwnGit, *, start: str = "HEAD", limit: int = 20, paths: Sequence[str] = ()
) -> tuple[LogEntry, ...]:
    """Return the newest commits that ``start`` contains, newest first. Blocking.

    Args:
      paths: files and folders that the commits have to touch.

    Raises:
      UsageError: when ``start`` names no commit, or a path is none of the checkout's.
    """
    if limit < 1:
        raise UsageError(f"{limit} commits cannot be listed", fix="ask for one or more")
    chosen = literal(inside(git, paths)) if paths else ("--",)
    if start == "HEAD" and git.run("rev-parse", "-q", "--verify", start, check=False).returncode:
        return ()
    output = git.run(
        "log", "-z", f"--max-count={limit}", "--format=%H%x00%an%x00%ct%x00%s",
        resolve(git, start).commit, *chosen,
    ).stdout  # fmt: skip
    parts = output.decode(errors="replace").split("\0")
    return tuple(
        LogEntry(commit=commit, author=author, at=int(at), subject=subject)
        for commit, author, at, subject in zip(*(parts[n::4] for n in range(4)), strict=False)
    )


def diff(
    git: OwnGit,
    *,
    against: str | None = None,
    staged: bool = False,
    stat: bool = False,
    paths: Sequence[str] = (),
    limit: int = DIFF_LIMIT,
) -> str:
    """Return a difference as text, bytes that are no UTF-8 replaced. Blocking.

    Args:
      against: a branch: what HEAD has since it left that; else what is not committed.
      staged: what the index has, and not the files.
      stat: only which files changed, and how much.
      limit: bytes to return at most; the end says how many there were.

    Raises:
      UsageError: when ``against`` names no commit, or has nothing in common with HEAD, or both it
        and ``staged`` are asked for, or the whole is too big to be read.
    """
    if against is not None and staged:
        raise UsageError("what is staged is compared with HEAD only", fix="ask for one of the two")
    args = ["diff", "--no-ext-diff", *(["--stat"] if stat else [])]
    args += ["--cached"] if staged else []
    if against is not None:
        args.append(f"{resolve(git, against).commit}...{resolve(git, 'HEAD').commit}")
    args += literal(inside(git, paths)) if paths else ["--"]
    try:
        done = git.run(*args, check=False, limit=OUTPUT_LIMIT)
    except AdapterError as error:
        if type(error) is AdapterError:
            raise UsageError(
                f"the difference is bigger than {OUTPUT_LIMIT >> 20} MB",
                where=str(git.checkout),
                fix="ask for the summary, or for some paths only",
            ) from None
        raise
    if done.returncode != 0:
        if b"no merge base" in done.stderr:
            raise UsageError(
                "the two have no commit in common",
                where=against,
                fix="compare with a branch of the same history",
            )
        raise git_error(["git", *args], done)
    if len(done.stdout) <= limit:
        return done.stdout.decode(errors="replace")
    shown = done.stdout[:limit].rpartition(b"\n")[0].decode(errors="replace")
    return f"{shown}\n[the first {limit} of {len(done.stdout)} bytes]\n"


def reflog_parent(git: OwnGit, branch: str) -> str | None:
    """Return the branch that another was made from, as far as the reflogs tell. Blocking.

    Never the branch itself, nor what a remote has of it; None when that is not known, or the branch
    is gone.
    """
    if not is_plain(branch):
        return None
    entries = list(_reflog(git, f"refs/heads/{branch}"))
    own = {branch} | {found[1] for _, said in entries if (found := _RENAMED.match(said))}
    known = {name for name in names(git, "refs/heads") if name not in own}
    theirs = names(git, "refs/remotes")
    known |= {name for name in theirs if name.partition("/")[2] not in own}
    made = next(((at, found[1]) for at, said in entries if (found := _MADE.match(said))), None)
    if made is not None:
        source = re.sub(r"\Arefs/(heads|remotes)/", "", made[1])
        if source != "HEAD":
            return source if source in known else None
    # It was made from what was checked out: the first move to it says what that was.
    since = made[0] if made is not None else 0
    for at, said in _reflog(git, "HEAD"):
        moved = _MOVED.match(said)
        if moved is not None and at >= since and moved[2] in own and moved[1] not in own:
            return moved[1] if moved[1] in known else None
    return None


def _reflog(git: OwnGit, ref: str) -> Iterator[tuple[int, str]]:
    """Yield when and why a ref was moved, oldest first; nothing when that is not known."""
    done = git.run(
        "log", "-g", "-z", "--date=unix", f"--max-count={_REFLOG_DEPTH}", "--format=%gd%x00%gs",
        ref, "--", check=False,
    )  # fmt: skip
    parts = os.fsdecode(done.stdout).split("\0") if done.returncode == 0 else []
    for selector, said in reversed(list(zip(parts[0::2], parts[1::2], strict=False))):
        yield int(selector.rpartition("@{")[2].rstrip("}")), said
