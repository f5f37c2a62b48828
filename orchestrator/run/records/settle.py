"""Decides what a crash or a timeout left open: what took place, what did not. Blocking.

The refs say what happened (reliability §3.3). What they leave open a person is told; it is never
guessed, and no ref that somebody else moved is touched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs

from orchestrator.adapters.git import objects, refs, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError
from orchestrator.run.events import AttemptFailed
from orchestrator.run.records.history import from_refs
from orchestrator.run.records.ledger import (
    CHECKPOINT,
    apply_checkpoint,
    keep_attempt,
    put_attempt,
    tips,
)
from orchestrator.store.reading import OperationRow
from orchestrator.store.store import Store
from orchestrator.store.transaction import FACTS_KEPT, Transaction
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord, attempt_from


def settle_checkpoints(repo: Repository, store: Store, item: str) -> None:
    """Finish every checkpoint of the item that was begun, or give it up.

    Raises:
      ConflictError: when the branch was deleted, or taken back from a checkpoint that it had.
    """
    for operation in reversed(store.operations(item, state="intent")):
        if operation.kind == CHECKPOINT:
            _settle_checkpoint(repo, store, operation)


def _settle_checkpoint(repo: Repository, store: Store, operation: OperationRow) -> None:
    if settle_move(repo, store, operation):
        _record_done(store, operation)


def settle_move(repo: Repository, store: Store, operation: OperationRow) -> bool:
    """Decide whether the ref of an operation moved, moving it where it did not and still can.

    Returns True when it is where it was to go: the operation is to be recorded as done then.
    False: it did not and will not take place, which is recorded.

    Raises:
      ConflictError: when the branch was deleted, or taken back from where it had been.
    """
    plan = operation.plan
    ref, old, new = plan["ref"], plan["old"], plan["new"]
    tip = tips(repo, ref)[ref]
    name = ref.removeprefix("refs/heads/")
    if tip is None and old is not None:
        raise ConflictError(
            f"branch {name} was deleted while a checkpoint was put on it",
            where=ref,
            fix=f"bring it back: git branch {name} {old}",
        )
    if tip is not None and objects.is_ancestor(repo.git, new, tip):
        return True
    been = refs.read_reflog(repo.git, ref)
    if tip == old and (new not in been or been[0] == new):
        # Not moved yet. git writes the log first: its newest entry may tell of what never came.
        if objects.exists(repo.git, new):
            apply_checkpoint(repo, operation.id, ref, old, new)
            return True
        store.write(lambda tx: tx.void_operation(operation.id))
        return False
    store.write(lambda tx: tx.void_operation(operation.id))
    if new in been or tip is None or old is None or not objects.is_ancestor(repo.git, old, tip):
        raise ConflictError(
            f"branch {name} was taken back from checkpoint {new[:9]}, or moved elsewhere, while "
            "nothing ran",
            where=ref,
            fix=f"to have it again: git branch -f {name} {new}; to go on from where the branch is "
            "now, just run again",
        )
    return False


def _record_done(store: Store, operation: OperationRow) -> None:
    plan = operation.plan

    def change(tx: Transaction) -> None:
        if tx.finish_operation(operation.id):
            tx.put_attempt(json.dumps(plan["attempt"], sort_keys=True))
            run = plan["attempt"]["run"]
            tx.add_fact("story_verified", plan["fact"], item=operation.item, run=run)

    store.write(change)


def forgotten_attempts(
    place: workspace.Workspace, run: RunRecord, known: Sequence[AttemptRecord]
) -> list[AttemptRecord]:
    """Return the attempts of a run that began, as their directories show, and nobody remembers.

    That is what a store leaves that was lost while they were under way. Their story is known only
    as it is part of their id.
    """
    begun = {path.name: path for path in (place.directory / "attempts").glob(f"*.{run.id}.*.*")}
    return [
        AttemptRecord(
            id=name,
            item=run.item,
            run=run.id,
            story=name.split(".")[-2],
            number=int(name.rpartition(".")[2]),
            at=int(begun[name].stat().st_mtime),
        )
        for name in sorted(begun.keys() - {attempt.id for attempt in known})
        if name.rpartition(".")[2].isdecimal()
    ]


def settle_attempt(
    repo: Repository,
    store: Store,
    attempt: AttemptRecord,
    place: workspace.Workspace,
    tip: str,
    now: int,
) -> None:
    """Decide an attempt that was begun and never ended: it was kept, or else it is lost.

    Its checkpoint, if it got that far, is settled already.
    """
    ref = refs.attempt_ref(attempt.id)
    kept = from_refs(refs.read_refs(repo.git, ref)).attempts
    record = attempt_from(kept[0]) if kept else None
    if record is not None and record.state not in (AttemptState.STARTED, AttemptState.VERIFIED):
        put_attempt(store, record, _failed(store, record, ref))
        return
    lost = attrs.evolve(
        attempt, state=AttemptState.LOST, reason="the orchestrator ended while it ran"
    )
    keep_attempt(repo, store, lost, place, tip, now, _failed(store, lost, ref))


def _failed(store: Store, attempt: AttemptRecord, ref: str) -> AttemptFailed:
    """Return what is told of an attempt that nobody was there to tell of."""
    begun = [
        fact.document
        for fact in store.facts(item=attempt.item, name="attempt_started", limit=FACTS_KEPT)
        if fact.document["attempt"] == attempt.id
    ]
    told = begun[-1] if begun else {}
    return AttemptFailed(
        story=attempt.story,
        title=told.get("title", ""),
        position=told.get("position", 0),
        stories=told.get("stories", 0),
        number=attempt.number,
        attempt=attempt.id,
        state=attempt.state.value,
        reason=attempt.reason,
        evidence=attempt.evidence,
        ref=ref,
        seconds=0.0,
        usage=attempt.usage,
        phase=told.get("phase", ""),
    )
