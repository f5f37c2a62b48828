"""Finds the item that a person means, and shows what its branch holds. Blocking."""

from __future__ import annotations

from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import UsageError
from orchestrator.run.backlog.naming import item_meant
from orchestrator.run.records import ledger
from orchestrator.run.records.history import read_history
from orchestrator.work.records import RunRecord
from orchestrator.work.states import RunState


def item_named(repo: Repository, name: str) -> str:
    """Return the item that is called ``name``, or whose change is.

    An item of the backlog may be named by a beginning of its id that no other one has.

    Raises:
      UsageError: when there is none, or there are several; those that may be meant are listed.
    """
    runs = read_history(repo.git).runs
    for run in runs:
        if name in (run["item"], run["change"]):
            return str(run["item"])
    if (found := item_meant(repo.git, name)) is not None:
        return found
    known = sorted({run["item"] for run in runs})
    fix = f"known: {', '.join(known)}" if known else "run something first"
    raise UsageError(f"no item {name}", fix=fix)


def require_run(repo: Repository, item: str) -> tuple[RunRecord, str]:
    """Return the item's run and its branch's tip.

    Raises:
      UsageError: when nothing was ever run under that name, or its branch is gone.
    """
    run = ledger.read_run(repo, item)
    if run is None:
        raise UsageError(f"nothing was done for {item} yet", fix="orc status lists all")
    tip = ledger.branch_tip(repo, item)
    if tip is None:
        gone = run.state in (RunState.DELIVERED, RunState.DISCARDED)
        last = ledger.last_checkpoint(run, ledger.read_attempts(repo, item))
        raise UsageError(
            f"branch orchestrator/{item} is gone: {run.reason if gone else 'deleted by hand'}",
            where=refs.branch_ref(item),
            fix=f"what was pinned is still there: orc recover {item}"
            if gone
            else f"bring it back: git branch orchestrator/{item} {last}",
        )
    return run, tip


def diff(repo: Repository, item: str, *, names_only: bool) -> bytes:
    """Return what the item's branch changed since its base, as a patch or as names."""
    run, tip = require_run(repo, item)
    if names_only:
        paths = objects.diff_paths(repo.git, run.base, tip)
        return b"".join(_quoted(path) + b"\n" for path in paths)
    return objects.diff_text(repo.git, run.base, tip)


def short(ref: str) -> str:
    """Return how a person calls a branch."""
    return ref.removeprefix("refs/heads/")


def _quoted(path: bytes) -> bytes:
    """Return a path on one line, with escapes where a terminal or a reader would stumble."""
    text = path.decode(errors="surrogateescape")
    return path if text.isprintable() else ascii(text).encode()
