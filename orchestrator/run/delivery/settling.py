"""What a crash cut short of a delivery: told, completed or called off. Blocking."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git import delivery as checkout
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import UsageError
from orchestrator.run.records import ledger
from orchestrator.store.store import Store
from orchestrator.work.records import DeliveryRecord, DeliveryState

from .discarding import discard
from .landing import arrive, carried, landed_commit, last_of, plan_of, require_no_landing
from .pins import read_deliveries, record_delivery


def require_whole(repo: Repository) -> None:
    """Refuse to begin anything in a checkout that a delivery, or its undoing, left half changed.

    Raises:
      UsageError: when one did; names what completes it.
    """
    if not checkout.unfinished_landing(repo):
        return
    records = read_deliveries(repo)
    for record in reversed(records):
        if record.state is DeliveryState.INTENT:
            require_no_landing(repo, record)
    done = [record.item for record in records if record.state is DeliveryState.DONE]
    raise UsageError(
        "a delivery, or its undoing, was interrupted while it changed this checkout",
        where=str(repo.checkout),
        fix=f"orc undo {done[-1] if done else ''}".rstrip() + " takes it back",
    )


def interrupted(repo: Repository) -> DeliveryRecord | None:
    """Return the delivery that left the checkout half changed, None when none did."""
    if not checkout.unfinished_landing(repo):
        return None
    begun = [one for one in read_deliveries(repo) if one.state is DeliveryState.INTENT]
    return begun[-1] if begun else None


def settle(repo: Repository, store: Store, item: str) -> DeliveryRecord | None:
    """Complete what a crash cut short after it could not be taken back any more.

    Returns:
      The record of the item's delivery when it has arrived, now or long ago; None when there is
      none, or it has to be given again.
    """
    run, tip = ledger.read_run(repo, item), ledger.branch_tip(repo, item)
    record = last_of(repo, run) if run is not None else None
    if run is None or record is None or record.state is DeliveryState.VOID:
        return None
    if record.state is DeliveryState.DONE:
        landed = checkout.Landed(record.commit, record.start)
        return arrive(repo, store, record, landed) if tip in (None, record.tip) else None
    if record.how == "discard":
        return discard(repo, store, item, record.at)
    commit = landed_commit(repo, record)
    if commit is None:
        return None
    landed = checkout.Landed(commit, record.start)
    if checkout.unfinished_landing(repo):
        at = ledger.tips(repo, record.target)[record.target] if record.target else None
        plan = attrs.evolve(plan_of(record), new=at or commit)
        began = checkout.land(repo, plan, carried(repo, run)).start
        landed = checkout.Landed(commit, record.start or began)
    return arrive(repo, store, record, landed)


def settle_for_run(repo: Repository, store: Store, item: str) -> DeliveryRecord | None:
    """Settle before a run goes on: as `settle`, but what was only to be discarded stays."""
    run = ledger.read_run(repo, item)
    record = last_of(repo, run) if run is not None else None
    if record is None or (record.how, record.state) != ("discard", DeliveryState.INTENT):
        return settle(repo, store, item)
    record_delivery(repo, attrs.evolve(record, state=DeliveryState.VOID))
    return None
