"""The product's refs: their names, how they are read, and how one is moved."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import BranchTakenError, ConflictError, ProcessError, UsageError

from .runner import Git, git_error

BRANCHES = "refs/heads/orchestrator/"
ATTEMPTS = "refs/orchestrator/attempts/"
BASES = "refs/orchestrator/base/"
RUNS = "refs/orchestrator/runs/"
PINS = "refs/orchestrator/pins/"
"""What versions before the store pinned checkpoints at; cleared away with their item."""
BORROWED = "refs/orchestrator/borrowed/"
WAITING = "refs/orchestrator/waiting/"
BACKLOG = "refs/orchestrator/backlog"
PHASES = "refs/orchestrator/phases/"
OURS = ("refs/orchestrator/", BRANCHES)
KEPT = "refs/orchestrator/kept/"

LOCK_PATIENCE = 5.0
"""Seconds to wait for another git that holds a ref's lock."""

_SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?!\.))*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_TRAILER = re.compile(r"([A-Za-z0-9-]+): ?(.*)")


class RefRecord(NamedTuple):
    """A ref and the commit it names. ``timestamp``: Unix seconds of the commit.

    Attributes:
      body: the message after its subject, trailers included.
      trailers: the ``Key: value`` lines of the message's last paragraph.
    """

    oid: str
    subject: str
    body: str
    trailers: dict[str, str]
    timestamp: int


def branch_ref(item: str) -> str:
    """Return the ref of the item's branch."""
    return BRANCHES + _checked(item)


def attempt_ref(attempt: str) -> str:
    """Return the ref that keeps an attempt."""
    return ATTEMPTS + _checked(attempt)


def base_ref(item: str) -> str:
    """Return the ref that keeps the item's base alive."""
    return BASES + _checked(item)


def run_ref(item: str) -> str:
    """Return the ref of the item's run."""
    return RUNS + _checked(item)


def kept_ref(name: str) -> str:
    """Return the ref that keeps a delivery, or what a delivery put aside."""
    return KEPT + _checked(name)


def phases_ref(item: str) -> str:
    """Return the ref that keeps how the item's branch came through its phases."""
    return PHASES + _checked(item)


def waiting_ref(item: str) -> str:
    """Return the ref of an item's results that wait to be committed together."""
    return WAITING + _checked(item)


def borrowed_ref(item: str) -> str:
    """Return the ref that keeps the checkout while the item works in it."""
    return BORROWED + _checked(item)


def item_slug(name: str) -> str:
    """Return an id safe in refs and file names; different names give different ids."""
    if _SLUG.fullmatch(name):
        return name
    import hashlib  # late: `orc status` must not wait for OpenSSL

    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:31].strip("-")
    return f"{stem}-{digest}" if stem else digest


def read_refs(git: Git, *prefixes: str) -> dict[str, RefRecord]:
    """Return the refs with these names, or below them, by name. One process."""
    fields = ("refname", "objectname", "committerdate:unix", "contents")
    layout = "".join(f"%({field})%00" for field in fields)
    output = git.run("for-each-ref", f"--format={layout}", "--end-of-options", *prefixes).stdout
    parts = output.decode(errors="surrogateescape").split("\0")
    records = {}
    for start in range(0, len(parts) - len(fields), len(fields)):
        name, oid, when, message = parts[start : start + len(fields)]
        records[name.lstrip("\n")] = _record(oid, when, message)
    return records


def read_sound_refs(git: Git, prefix: str) -> dict[str, RefRecord]:
    """Return the refs as `read_refs`, but for those whose commits are missing.

    One process when none is; else one more for each ref.
    """
    try:
        return read_refs(git, prefix)
    except ProcessError:
        found: dict[str, RefRecord] = {}
        for name in read_oids(git, prefix):
            with suppress(ProcessError):
                found |= read_refs(git, name)
        return found


def read_oids(git: Git, prefix: str) -> dict[str, str]:
    """Return what the refs with that name, or below it, name, whether or not it is there."""
    output = git.text("for-each-ref", "--format=%(refname) %(objectname)", prefix)
    return dict(line.split(" ") for line in output.splitlines())


def read_commits(git: Git, tip: str, *, without: str = "", most: int = 0) -> tuple[RefRecord, ...]:
    """Return the commits that ``tip`` contains and ``without`` does not, newest first.

    Args:
      most: how many at most, 0 for all.
    """
    layout = "%H%x00%ct%x00%B%x00"
    args = ["log", "-z", f"--format={layout}", *([f"--max-count={most}"] if most else [])]
    args += ["--end-of-options", tip, *([f"^{without}"] if without else [])]
    output = git.run(*args).stdout
    parts = output.decode(errors="surrogateescape").split("\0")
    return tuple(
        _record(oid, when, message)
        for oid, when, message in zip(parts[0::4], parts[1::4], parts[2::4], strict=False)
    )


def read_reflog(git: Git, ref: str) -> tuple[str, ...]:
    """Return where a ref was, newest first; nothing when that is not known."""
    done = git.run("log", "-g", "--format=%H", "-n", "500", "--end-of-options", ref, check=False)
    return tuple(done.stdout.decode().split()) if done.returncode == 0 else ()


def parse_trailers(message: str) -> dict[str, str]:
    """Return the trailers of a commit message; none when its last paragraph is prose."""
    paragraphs = message.rstrip("\n").split("\n\n")
    lines = [_TRAILER.fullmatch(line) for line in paragraphs[-1].splitlines()]
    if len(paragraphs) < 2 or not all(lines):
        return {}
    return {line[1]: line[2] for line in lines if line is not None}


def _record(oid: str, when: str, message: str) -> RefRecord:
    subject, _, body = message.partition("\n\n")
    return RefRecord(oid, " ".join(subject.split()), body, parse_trailers(message), int(when or 0))


def move_ref(git: Git, ref: str, new: str, old: str | None, message: str) -> None:
    """Move ``ref`` from ``old`` (None: it must not exist) to ``new``, or change nothing.

    A ref that is at ``new`` already counts as moved.

    Raises:
      ConflictError: when the ref is elsewhere.
      BranchTakenError: when a branch named ``orchestrator`` is in the way.
      ProcessError: when another git holds the lock, or the move fails otherwise.
    """
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        with _claim(git, ref, new):
            done = git.run(
                "update-ref", *_options(ref), "--create-reflog", "-m", message,
                "--end-of-options", ref, new, old or "0" * len(new), check=False,
            )  # fmt: skip
            if done.returncode < 0:  # killed: the note of what it may have locked stays
                raise git_error(["git", "update-ref", ref], done)
        if done.returncode == 0:
            return
        now = git.run("rev-parse", "--verify", "-q", ref, check=False).stdout.decode().strip()
        if now == new:
            return
        if now != (old or ""):
            raise ConflictError(
                f"{ref} moved meanwhile: expected {old or 'nothing'}, found {now or 'nothing'}",
                where=ref,
                fix="look at what moved it, then run again",
            )
        _refuse_taken(git, ref)
        if b"reference broken" in done.stderr and _set_broken_aside(git, ref):
            continue
        if b".lock': File exists" not in done.stderr:
            break
        if time.monotonic() >= deadline and not _clear_own_namespace(git, ref):
            break
        time.sleep(0.1)
    raise git_error(["git", "update-ref", ref], done)


def _options(ref: str) -> tuple[str, ...]:
    # Who made one of ours a name of something else does not get that moved.
    return ("--no-deref",) if ref.startswith(OURS[0]) else ()


def delete_ref(git: Git, ref: str, old: str) -> None:
    """Delete ``ref`` if it is still at ``old``.

    Raises:
      ProcessError: when it moved, or another git holds its lock; it is still there then.
    """
    with _claim(git, ref, ""):
        git.run("update-ref", "-d", "--end-of-options", ref, old)


def delete_refs(git: Git, doomed: Mapping[str, str]) -> None:
    """Delete refs that are still at the commits given, all in one transaction, or none.

    Raises:
      ProcessError: when one moved, or another git holds a lock.
    """
    if doomed:
        lines = "".join(f"delete {ref}\0{oid}\0" for ref, oid in doomed.items())
        git.run("update-ref", "--stdin", "-z", stdin=lines.encode())


def clear_stale_locks(git: Git) -> None:
    """Move aside what a git of ours that was killed left locked. Call it under the engine's lock.

    A lock is ours when the note that is written before each move is still there, the lock is as
    young as the note, and it holds nothing or the beginning of what was to be written.
    """
    for note in sorted(_notes(git).glob("*.json")):
        _settle_claim(git, note)


@contextmanager
def _claim(git: Git, ref: str, new: str) -> Generator[None, None, None]:
    """Note which ref is moved for as long as the block lasts; killed, the note stays."""
    directory = _notes(git)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = directory / f"{ref.replace('/', '!')}.json"
    if note.exists():
        _settle_claim(git, note)
    note.write_text(json.dumps({"ref": ref, "new": new}))
    yield
    note.unlink(missing_ok=True)


def _settle_claim(git: Git, note: Path) -> None:
    try:
        claim = json.loads(note.read_text())
        ref, new, at = str(claim["ref"]), str(claim["new"]), note.stat().st_mtime_ns
    except (OSError, ValueError, KeyError, TypeError):
        note.unlink(missing_ok=True)
        return
    shared = git.git_dir
    if shared.parent.name == "worktrees":
        shared = shared.parent.parent
    locks = [shared / f"{ref}.lock", shared / "packed-refs.lock", git.git_dir / "HEAD.lock"]
    # The git that was killed may have left one behind that still ends by itself.
    deadline = time.monotonic() + LOCK_PATIENCE
    while any(lock.exists() for lock in locks) and time.monotonic() < deadline:
        time.sleep(0.1)
    for lock in locks:
        if _is_ours(lock, at, new):
            _move_aside(shared, lock)
    note.unlink(missing_ok=True)


def _clear_own_namespace(git: Git, ref: str) -> bool:
    """Move aside a lock on a ref that nobody but the product ever moves."""
    lock = git.git_dir / f"{ref}.lock"
    if not ref.startswith("refs/orchestrator/") or not lock.exists():
        return False
    _move_aside(git.git_dir, lock)
    return True


def _set_broken_aside(git: Git, ref: str) -> bool:
    """Move a ref of ours aside that a crash of the machine left without a value."""
    place = git.git_dir / ref
    if not ref.startswith(OURS[0]) or not place.is_file():
        return False
    _move_aside(git.git_dir, place)
    return True


def _move_aside(shared: Path, lock: Path) -> None:
    aside = shared / "orchestrator" / "quarantine"
    aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        os.rename(lock, aside / f"{time.time_ns()}-{lock.name}.left")


def _is_ours(lock: Path, at: int, new: str) -> bool:
    try:
        young = 0 <= lock.stat().st_mtime_ns - at <= LOCK_PATIENCE * 1e9
        # The list of packed refs is written whole: only when its lock was made says whose it is.
        return young and (
            lock.name == "packed-refs.lock" or f"{new}\n".startswith(lock.read_text())
        )
    except (OSError, ValueError):
        return False


def _notes(git: Git) -> Path:
    return git.git_dir / "orchestrator" / "moves"


def _refuse_taken(git: Git, ref: str) -> None:
    if not ref.startswith(BRANCHES):
        return
    blocker = "refs/heads/orchestrator"
    if git.run("rev-parse", "--verify", "-q", blocker, check=False).returncode == 0:
        raise BranchTakenError(
            "a branch named orchestrator is in the way of orchestrator/<item>",
            where=blocker,
            fix="rename it: git branch -m orchestrator other-name",
        )


def _checked(name: str) -> str:
    if not _SAFE.fullmatch(name) or name.endswith((".lock", ".")):
        raise UsageError(
            f"{name!r} cannot be part of a ref's name",
            fix="use letters, digits, dots, dashes and underscores",
        )
    return name
