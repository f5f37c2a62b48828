"""What deliveries and attempts leave pinned: recorded, listed, restored. Blocking.

A delivery is a commit at ``refs/orchestrator/kept/<item>.<run>`` that says what `undo` needs and
has the item's branch, and what the checkout held before, as its parents.
"""

from __future__ import annotations

from pathlib import Path

import attrs

from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.export import export_tree
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import UsageError
from orchestrator.run.records import ledger
from orchestrator.work.records import DeliveryRecord, delivery_from_json, to_json
from orchestrator.work.states import DeliveryState


@attrs.frozen(kw_only=True)
class Pinned:
    """Something `recover` can restore, with its exact tree; ``at`` is Unix time in seconds."""

    id: str
    item: str
    phase: str
    story: str
    state: str
    reason: str
    at: int
    ref: str
    commit: str


def record_delivery(repo: Repository, record: DeliveryRecord) -> DeliveryRecord:
    """Record where a delivery is; from then on its branch's tip is kept. Returns the record."""
    subject = f"Delivery {record.id}: {record.how} {record.state.value}"
    parents = [record.tip]
    if record.start:
        before = objects.commit(
            repo.git, record.start, [record.old], "The checkout before", repo.identity(), record.at
        )
        parents.append(before)
    commit = objects.commit(
        repo.git,
        objects.its_tree(record.tip),
        parents,
        f"{subject}\n\n{to_json(record)}\n\nOrchestrator-Item: {record.item}\n",
        repo.identity(),
        record.at,
    )
    ref = refs.kept_ref(record.id)
    old = ledger.tips(repo, ref)[ref]
    if old != commit:
        refs.move_ref(repo.git, ref, commit, old, subject)
    return record


def read_deliveries(repo: Repository, item: str | None = None) -> tuple[DeliveryRecord, ...]:
    """Return the last delivery of each run, of one item or of all, oldest first."""
    found = refs.read_refs(repo.git, refs.KEPT).values()
    records = (delivery_from_json(ref.body) for ref in found)
    mine = [record for record in records if record and item in (None, record.item)]
    return tuple(sorted(mine, key=lambda record: (record.at, record.id)))


def keep_tree(repo: Repository, item: str, tree: str, parent: str, why: str, now: int) -> str:
    """Pin a tree for an item, beside what is kept of it already; returns the ref."""
    commit = objects.commit(
        repo.git, tree, [parent], f"{why}\n\nOrchestrator-Item: {item}\n", repo.identity(), now
    )
    ref = refs.kept_ref(f"{item}.{commit[:8]}")
    refs.move_ref(repo.git, ref, commit, ledger.tips(repo, ref)[ref], why)
    return ref


def pinned(repo: Repository) -> tuple[Pinned, ...]:
    """Return everything that is pinned, oldest first."""
    found = refs.read_refs(repo.git, refs.ATTEMPTS, refs.KEPT)
    pins = [
        Pinned(
            id=attempt.id,
            item=attempt.item,
            phase=attempt.phase,
            story=attempt.story,
            state=attempt.state.value,
            reason=attempt.reason,
            at=attempt.at,
            ref=refs.attempt_ref(attempt.id),
            commit=found[refs.attempt_ref(attempt.id)].oid,
        )
        for attempt in ledger.read_attempts(repo)
        if refs.attempt_ref(attempt.id) in found
    ]
    for name, ref in found.items():
        if not name.startswith(refs.KEPT):
            continue
        record = delivery_from_json(ref.body)
        done = record is not None and record.state is DeliveryState.DONE
        pins.append(
            Pinned(
                id=name.removeprefix(refs.KEPT),
                item=ref.trailers.get("Orchestrator-Item", ""),
                phase="",
                story="",
                state=record.state.value if record and not done else "kept",
                reason=f"the branch, before: {record.how}" if record else ref.subject,
                at=ref.timestamp,
                ref=name,
                commit=ref.oid,
            )
        )
    return tuple(sorted(pins, key=lambda pin: pin.at))


def restore_to(repo: Repository, chosen: Pinned, directory: Path) -> int:
    """Write a pinned tree's files into a new directory; returns how many.

    Raises:
      UsageError: when the directory exists already.
    """
    if directory.exists():
        raise UsageError("exists already", where=str(directory), fix="name a new directory")
    return export_tree(repo.git, chosen.commit, directory)
