"""The durable steps of a delivery: pinned, landed, recorded, cleared away. Blocking.

Each step can be given again after a crash. What a delivery was about is pinned before it changes
anything, and the branch goes last.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator

import attrs

from orchestrator.adapters.git import delivery as checkout
from orchestrator.adapters.git import objects, refs, workspace
from orchestrator.adapters.git.index_lock import IndexLock
from orchestrator.adapters.git.landing import Landing
from orchestrator.adapters.git.merging import MergePlan
from orchestrator.adapters.git.own_commit import made_commit
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError, OrchestratorError, UsageError
from orchestrator.run.events import DeliveryBlocked, ItemDelivered
from orchestrator.run.hosting.claim import claim_workspace
from orchestrator.run.records import ledger
from orchestrator.store.store import Store
from orchestrator.work.records import DeliveryRecord, DeliveryState, RunRecord
from orchestrator.work.states import RunState

from .items import require_run, short
from .pins import keep_tree, read_deliveries, record_delivery
from .planning import Ready


def begin(repo: Repository, ready: Ready, now: int) -> DeliveryRecord:
    """Record what is about to be delivered, and so pin it.

    Raises:
      ConflictError: when the branch moved since it was worked out.
    """
    run, tip = require_run(repo, ready.run.item)
    if tip != ready.tip:
        raise ConflictError(
            f"branch orchestrator/{run.item} moved since the {ready.how} was worked out",
            where=refs.branch_ref(run.item),
            fix="nothing was changed; finish it again",
        )
    record = DeliveryRecord(
        id=f"{run.item}.{run.id}",
        item=run.item,
        run=run.id,
        how=ready.how,
        tip=tip,
        target=ready.plan.target,
        old=ready.plan.old,
        new=ready.plan.new,
        was=RunState.DONE,
        why="",
        at=now,
    )
    last = last_of(repo, run)
    if last is None or last.state is not DeliveryState.INTENT:
        return record_delivery(repo, record)
    if (last.how, last.old, last.new) == (ready.how, record.old, record.new):
        return last
    require_no_landing(repo, last)
    return record_delivery(repo, record)


def require_no_landing(repo: Repository, record: DeliveryRecord) -> None:
    """Refuse to go on while another delivery has half of its files in the checkout.

    Raises:
      UsageError: when it has.
    """
    if checkout.unfinished_landing(repo):
        raise UsageError(
            f"a {record.how} of {record.item} was interrupted while it changed this checkout",
            where=str(repo.checkout),
            fix=f"complete it: orc finish {record.item} --{record.how}; "
            f"or take it back: orc undo {record.item}",
        )


def last_of(repo: Repository, run: RunRecord) -> DeliveryRecord | None:
    """Return the last delivery of a run."""
    mine = [record for record in read_deliveries(repo, run.item) if record.run == run.id]
    return mine[-1] if mine else None


def plan_of(record: DeliveryRecord) -> MergePlan:
    """Return the plan that a delivery was begun with."""
    return MergePlan(record.target, record.old, record.new, f"{record.how} {record.item}")


def deliver(repo: Repository, store: Store, ready: Ready, now: int) -> DeliveryRecord:
    """Merge or apply; returns the record of the delivery that arrived.

    Raises:
      ConflictError: when it does not fit the checkout, or something moved; nothing is changed then.
      BusyError: when another git, or a process of a killed run, is at work.
    """
    record = begin(repo, ready, now)
    put = checkout.apply if ready.how == "apply" else checkout.land
    with _void_when_refused(repo, ready.run):
        landed = put(repo, ready.plan, carried(repo, ready.run), _noting(repo, record))
    return arrive(repo, store, record, landed)


def landed_commit(repo: Repository, record: DeliveryRecord) -> str | None:
    """Return where a begun delivery has moved its target to, or None when it has not."""
    if record.how == "squash":
        return made_commit(repo, record.target, mark(record), record.old)
    if record.how == "apply":
        # What the files were is noted first, and the note of the landing goes last.
        return record.old if record.start and not checkout.unfinished_landing(repo) else None
    if record.how != "merge" or record.old == record.new:
        return None
    at = ledger.tips(repo, record.target)[record.target]
    return record.new if at and objects.is_ancestor(repo.git, record.new, at) else None


def mark(record: DeliveryRecord) -> str:
    """Return how the reflog names the operator's commit of this delivery."""
    return f"commit (orc finish {record.id})"


def begin_squash(repo: Repository, ready: Ready, now: int) -> tuple[DeliveryRecord, Landing]:
    """Write what is squashed into the checkout, for the operator's commit; ends with the other two.

    Raises:
      ConflictError: when it does not fit the checkout; nothing is changed then.
      BusyError: when another git is at work in the checkout.
    """
    record = begin(repo, ready, now)
    lock = IndexLock(repo)
    with _void_when_refused(repo, ready.run), lock:
        landing = Landing.begin(repo, ready.plan, carried(repo, ready.run))
        _noting(repo, record)(landing.start)
        lock.keep()
    return attrs.evolve(record, start=landing.start), landing


def end_squash(
    repo: Repository, store: Store, record: DeliveryRecord, landing: Landing
) -> DeliveryRecord | None:
    """Let the index follow the commit that was made, or take the files back when none was.

    What somebody, a hook perhaps, made of the files meanwhile is kept at a ref.
    """
    with IndexLock(repo):
        commit = made_commit(repo, record.target, mark(record), record.old)
        at = ledger.tips(repo, record.target)[record.target]
        if commit is None and at and objects.parents_of(repo.git, at) == (record.old,):
            commit = at  # made just now, in a repository that keeps no reflog
        if commit is not None:
            landing.finish(at or commit)  # a hook may have committed more on top
        else:
            left = landing.take_back()
            if left is not None:
                why = f"What was changed in the files of {record.item} while it was committed"
                keep_tree(repo, record.item, left, record.tip, why, record.at)
    if commit is None:
        record_delivery(repo, attrs.evolve(record, state=DeliveryState.VOID))
        return None
    return arrive(repo, store, record, checkout.Landed(commit, record.start))


def arrive(
    repo: Repository, store: Store, record: DeliveryRecord, landed: checkout.Landed
) -> DeliveryRecord:
    """Record that a delivery took place, then remove its workspace and its branch."""
    done = record_delivery(
        repo,
        attrs.evolve(
            record, state=DeliveryState.DONE, commit=landed.commit, start=landed.start
        ),
    )  # fmt: skip
    run = ledger.read_run(repo, record.item)
    assert run is not None  # its record was just written
    reason = {
        "discard": "given up",
        "apply": f"applied to the work tree on {record.old[:12]}",
    }.get(record.how, f"{short(record.target)} at {landed.commit[:12]}")
    state = RunState.DISCARDED if record.how == "discard" else RunState.DELIVERED
    told = attrs.evolve(run, state=state, reason=reason)
    if run != told:
        fact = ItemDelivered(
            item=run.item, how=record.how, target=short(record.target), commit=landed.commit
        )
        ledger.record_run(repo, store, told, fact)
    clear_away(repo, done)
    return done


def clear_away(repo: Repository, record: DeliveryRecord) -> None:
    """Remove the workspace and the branch of what was delivered; its tip is pinned.

    A branch that a person has checked out, or added to, stays.
    """
    with claim_workspace(workspace.place_of(repo, record.item)):
        place = workspace.open_existing(repo, record.item)
        if place is not None:
            workspace.remove(repo, place)
    branch = refs.branch_ref(record.item)
    unmoved = ledger.tips(repo, branch)[branch] == record.tip
    if unmoved and checkout.checked_out_at(repo, branch) is None:
        refs.delete_ref(repo.git, branch, record.tip)


def block(repo: Repository, store: Store, item: str, reason: str) -> None:
    """Record that a delivery waits for a person; `finish` may be given again."""
    run = ledger.read_run(repo, item)
    if run is not None and run.state in (RunState.DONE, RunState.BLOCKED) and not run.story:
        ledger.record_run(
            repo,
            store,
            attrs.evolve(run, state=RunState.BLOCKED, reason=reason),
            DeliveryBlocked(item=item, reason=reason),
        )


def carried(repo: Repository, run: RunRecord) -> dict[bytes, str | None]:
    """Return the uncommitted files that the branch began with, and their blobs."""
    return {
        change.path: change.new if change.new.strip("0") else None
        for change in objects.diff_changes(repo.git, run.base, run.start)
    }


@contextlib.contextmanager
def _void_when_refused(repo: Repository, run: RunRecord) -> Generator[None, None, None]:
    """Call off what was begun when it changed nothing: `undo` takes back the one before."""
    try:
        yield
    except OrchestratorError:
        record = last_of(repo, run)
        if record is None or record.state is not DeliveryState.INTENT:
            raise
        if not checkout.unfinished_landing(repo) and not landed_commit(repo, record):
            record_delivery(repo, attrs.evolve(record, state=DeliveryState.VOID))
        raise


def _noting(repo: Repository, record: DeliveryRecord) -> Callable[[str], None]:
    def note(start: str) -> None:
        record_delivery(repo, attrs.evolve(record, start=start))

    return note
