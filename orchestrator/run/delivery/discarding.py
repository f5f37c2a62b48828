"""Gives an item up; everything it made stays pinned. Blocking."""

from __future__ import annotations

from orchestrator.adapters.git import delivery as checkout
from orchestrator.adapters.git import refs, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError
from orchestrator.run.hosting.claim import claim_workspace
from orchestrator.run.records import ledger
from orchestrator.run.records.settle import settle_attempt
from orchestrator.store.store import Store
from orchestrator.work.records import AttemptState, DeliveryRecord, DeliveryState

from .items import require_run
from .landing import arrive, last_of, require_no_landing
from .pins import record_delivery


def discard(repo: Repository, store: Store, item: str, now: int) -> DeliveryRecord:
    """Give an item up: everything it made is pinned, then its workspace and its branch go.

    Raises:
      BusyError: when processes of a killed run do not leave the workspace.
    """
    run, tip = require_run(repo, item)
    holder = checkout.checked_out_at(repo, refs.branch_ref(item))
    if holder is not None:
        raise ConflictError(
            f"branch orchestrator/{item} is checked out",
            where=str(holder),
            fix="check out another branch there, then discard it",
        )
    last = last_of(repo, run)
    if last is not None and last.state is DeliveryState.INTENT and last.how != "discard":
        require_no_landing(repo, last)
    record = DeliveryRecord(
        id=f"{item}.{run.id}",
        item=item,
        run=run.id,
        how="discard",
        tip=tip,
        target="",
        old=run.base,
        new=run.base,
        was=run.state,
        why=run.reason,
        at=now,
    )
    record_delivery(repo, record)
    with claim_workspace(workspace.place_of(repo, item)):
        place = workspace.open_existing(repo, item)
        for attempt in ledger.read_attempts(repo, item) if place is not None else ():
            if place is not None and attempt.state is AttemptState.STARTED:
                settle_attempt(repo, store, attempt, place, tip, now)
    return arrive(repo, store, record, checkout.Landed(run.base, ""))
