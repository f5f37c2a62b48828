"""Keeps what a phase brought: a commit of the item's branch, or one that waits for the next ones.

Blocking; worker threads only. The order is that of every operation: the commit, the intent, its
pin, the one ref that moves. Whoever records the item's next state records the operation as done in
the same transaction; what a crash leaves between is decided by `recovery`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import cattrs

from orchestrator.adapters.git import merging, objects, refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError
from orchestrator.run.records.ledger import apply_checkpoint, tips
from orchestrator.store.store import Store
from orchestrator.work.backlog.commit_message import commit_message
from orchestrator.work.backlog.item import Item, Waiting
from orchestrator.work.backlog.result import PhaseResult
from orchestrator.work.records import AttemptRecord, attempt_from, to_document
from orchestrator.work.trailers import attempt_trailers

PHASE_RESULT = "phase"
"""The kind of operation that keeps what a phase brought."""

_CONVERTER = cattrs.Converter(omit_if_default=True)


@attrs.frozen(kw_only=True)
class Brought:
    """What is to be kept.

    Attributes:
      attempt: the one that made it; None: nothing new, what waits is to be committed.
      tree: what it left, "" when it changed nothing.
      batch: whether it waits for the next ones.
      verified: whether a verify command passed on exactly this tree.
      tries: how many attempts of this visit there were, this one included.
      base: the commit of the target branch that it was based on.
    """

    attempt: AttemptRecord | None
    report: PhaseResult
    tree: str = ""
    batch: bool = False
    verified: bool = False
    tries: int = 1
    base: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "attempt": to_document(self.attempt) if self.attempt is not None else None,
            "report": _CONVERTER.unstructure(self.report),
            "tree": self.tree,
            "batch": self.batch,
            "verified": self.verified,
            "tries": self.tries,
            "base": self.base,
        }


@attrs.frozen(kw_only=True)
class Kept:
    """Where it is kept.

    Attributes:
      operation: its id in the store, "" when no ref had to move.
      head: the commit that the item's next phase starts from.
    """

    operation: str
    head: str
    brought: Brought


def brought_from(document: Mapping[str, Any]) -> Brought:
    """Read what `Brought.document` wrote."""
    attempt = document["attempt"]
    return Brought(
        attempt=attempt_from(attempt) if attempt is not None else None,
        report=_CONVERTER.structure(document["report"], PhaseResult),
        tree=document["tree"],
        batch=document["batch"],
        verified=document["verified"],
        tries=document["tries"],
        base=document["base"],
    )


def keep(repo: Repository, store: Store, item: Item, head: str, brought: Brought) -> Kept:
    """Bring a result to where it is kept; the operation is left open.

    Args:
      head: the commit that the phase started from.

    Raises:
      ConflictError: when the branch is not where it was left; nothing is changed then.
    """
    branch, waiting = refs.branch_ref(item.id), refs.waiting_ref(item.id)
    known = tips(repo, branch, waiting)
    tip = known[branch]
    if tip is None:
        raise ConflictError(
            f"branch orchestrator/{item.id} was deleted while a phase ran",
            where=branch,
            fix=f"bring it back: git branch orchestrator/{item.id} {head[:12]}",
        )
    if not brought.tree and not item.waiting:
        return Kept(operation="", head=head, brought=brought)
    if brought.batch:
        ref, old, parent = waiting, known[waiting], head
        results = _own(brought)
    else:
        ref, old, parent = branch, tip, tip
        head = _on_top(repo, item, head, tip, brought)
        results = (*item.waiting, *_own(brought))
    operation = brought.attempt.id if brought.attempt is not None else f"{item.id}.all.{head[:12]}"
    new = objects.commit(
        repo.git,
        brought.tree or objects.its_tree(head),
        [parent],
        f"{commit_message(item.id, results)}\n{_trailers(item, operation, brought)}",
        identity=repo.identity(),
        when=brought.attempt.at if brought.attempt is not None else objects.date_of(repo.git, head),
    )
    plan = {"ref": ref, "old": old, "new": new, "brought": brought.document()}
    store.write(lambda tx: tx.begin_operation(operation, PHASE_RESULT, item.id, plan))
    try:
        apply_checkpoint(repo, operation, ref, old, new)
    except ConflictError:
        store.write(lambda tx: tx.void_operation(operation))
        raise
    return Kept(operation=operation, head=new, brought=brought)


def is_moved(repo: Repository, item: Item) -> bool:
    """Tell whether somebody moved the branch of an item whose results wait. Blocking."""
    branch = refs.branch_ref(item.id)
    expected = objects.forebear(repo.git, item.head, len(item.waiting))
    return tips(repo, branch)[branch] != expected


def _on_top(repo: Repository, item: Item, head: str, tip: str, brought: Brought) -> str:
    """Return the commit whose tree goes on the branch: what waits, as it fits on the branch's tip.

    What a person committed there meanwhile is combined with what waits; a new result was checked
    without it, and does not go on top of it.

    Raises:
      ConflictError: when they cannot be combined; says how to go on.
    """
    expected = objects.forebear(repo.git, head, len(item.waiting))
    if tip == expected:
        return head
    if brought.attempt is None and objects.is_ancestor(repo.git, expected, tip):
        return merging.merged(repo, head, tip, f"Combine {item.id}\n", refs.branch_ref(item.id))
    raise ConflictError(
        f"branch orchestrator/{item.id} was moved while a phase ran: it was at {expected[:9]} and "
        f"is at {tip[:9]}",
        where=refs.branch_ref(item.id),
        fix=f"to go on from where it is now: orc retry {item.id}; to take it back before that: "
        f"git branch -f orchestrator/{item.id} {expected[:12]}",
    )


def _own(brought: Brought) -> tuple[Waiting, ...]:
    """Return what the commit's message tells of the new result, if there is one."""
    attempt = brought.attempt
    if attempt is None:
        return ()
    summary = brought.report.commit_summary
    return (Waiting(phase=attempt.phase, summary=summary, attempt=attempt.id),)


def _trailers(item: Item, operation: str, brought: Brought) -> str:
    if brought.attempt is not None:
        return attempt_trailers(brought.attempt, verified=brought.verified)
    phases = "".join(f"Orchestrator-Phase: {waiting.phase}\n" for waiting in item.waiting)
    return f"Orchestrator-Op: {operation}\nOrchestrator-Item: {item.id}\n{phases}"
