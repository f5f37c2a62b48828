"""Takes the last delivery back, when nothing was built on it since. Blocking.

What is to go back is looked at first; then the checkout and its branch, the item's branch, its
run and the record follow, each by compare-and-swap, so that a second call completes the first.
"""

from __future__ import annotations

import attrs

from orchestrator.adapters.git import delivery as checkout
from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.index_lock import IndexLock
from orchestrator.adapters.git.landing import Landing, read_record
from orchestrator.adapters.git.merging import MergePlan
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.runner import split_z
from orchestrator.errors import ConflictError, UsageError
from orchestrator.run.events import DeliveryUndone
from orchestrator.run.records import ledger
from orchestrator.store.store import Store
from orchestrator.work.records import DeliveryRecord, RunRecord
from orchestrator.work.states import DeliveryState

from .items import short
from .landing import carried, landed_commit, plan_of
from .pins import keep_tree, read_deliveries, record_delivery
from .settling import settle


def undo(repo: Repository, store: Store, item: str | None) -> DeliveryRecord:
    """Take back the last delivery, of one item or of all; returns its record.

    Raises:
      UsageError: when there is none.
      ConflictError: when something was built on it since, or the checkout has changes in the way;
        nothing is changed then.
      BusyError: when another git is at work in the checkout.
    """
    records = [r for r in read_deliveries(repo, item) if r.state is not DeliveryState.VOID]
    if not records:
        of = f" of {item}" if item else ""
        raise UsageError(f"there is no delivery{of} to take back", fix="orc status lists all")
    record = records[-1]
    run = ledger.read_run(repo, record.item)
    if run is None or run.id != record.run:
        fix = {
            "apply": "take its files back by hand",
            "discard": f"orc recover {record.item} has what it was",
        }.get(record.how, f"git revert {record.commit[:12]}")
        raise _built_on(record, f"{record.item} was run again since", fix)
    if record.state is DeliveryState.INTENT and landed_commit(repo, record):
        record = settle(repo, store, record.item) or record
    if record.state is DeliveryState.INTENT:
        _take_back_begun(repo, run, record)
    else:
        _require_free_branch(repo, record)
        if record.how == "apply":
            _take_back_files(repo, record)
        elif record.how != "discard" and record.commit != record.old:
            _take_back_target(repo, record)
    return _restore_item(repo, store, run, record)


def _take_back_begun(repo: Repository, run: RunRecord, record: DeliveryRecord) -> None:
    """Bring back the files of a delivery that was cut short before its target moved."""
    if not read_record(repo):
        return
    with IndexLock(repo):
        # Written whole, they can be told from what somebody changed since.
        landing = Landing.begin(
            repo, plan_of(record), carried(repo, run), loose=record.how == "apply"
        )
        left = landing.take_back()
    if left is not None:
        why = f"What was changed in the files of {record.item} before they were taken back"
        keep_tree(repo, record.item, left, record.tip, why, record.at)


def _take_back_target(repo: Repository, record: DeliveryRecord) -> None:
    target = short(record.target)
    at = ledger.tips(repo, record.target)[record.target]
    if at == record.old and not read_record(repo):
        return
    if at not in (record.commit, record.old):
        raise _built_on(
            record, f"{target} has moved on since", f"git revert {record.commit[:12]}", at or ""
        )
    known = repo.git.run(
        "for-each-ref", "--count=1", "--format=%(refname)", f"--contains={record.commit}",
        "refs/remotes/", "refs/tags/",
    ).stdout.decode().strip()  # fmt: skip
    if known:
        raise _built_on(record, f"{known} has it", f"git revert {record.commit[:12]}", known)
    message = f"undo {record.how} of {record.item}"
    plan = MergePlan(record.target, record.commit, record.old, message, record.start)
    checkout.land(repo, plan, {})


def _take_back_files(repo: Repository, record: DeliveryRecord) -> None:
    if repo.head != record.old:
        raise _built_on(record, "another commit is checked out since", "take it back by hand")
    staged = split_z(
        repo.checkout_git.run("diff-index", "--cached", "-z", "--name-only", record.old).stdout
    )
    changed = set(objects.diff_paths(repo.git, record.start, record.new))
    if changed & set(staged):
        raise _built_on(record, "its files are staged since", "unstage them: git restore --staged")
    plan = MergePlan("", record.new, record.old, f"undo apply of {record.item}", record.start)
    checkout.apply(repo, plan, {})


def _require_free_branch(repo: Repository, record: DeliveryRecord) -> None:
    tip = ledger.branch_tip(repo, record.item)
    if tip not in (None, record.tip):
        raise _built_on(
            record,
            f"branch orchestrator/{record.item} holds something else",
            f"git branch -m orchestrator/{record.item} other-name",
        )


def _restore_item(
    repo: Repository, store: Store, run: RunRecord, record: DeliveryRecord
) -> DeliveryRecord:
    refs.move_ref(
        repo.git, refs.branch_ref(record.item), record.tip,
        ledger.branch_tip(repo, record.item), f"undo {record.how}",
    )  # fmt: skip
    if record.state is DeliveryState.DONE:
        ledger.record_run(
            repo,
            store,
            attrs.evolve(run, state=record.was, reason=record.why),
            DeliveryUndone(item=run.item, how=record.how),
        )
    return record_delivery(repo, attrs.evolve(record, state=DeliveryState.VOID))


def _built_on(record: DeliveryRecord, what: str, fix: str, where: str = "") -> ConflictError:
    return ConflictError(
        f"the {record.how} of {record.item} cannot be taken back: {what}",
        where=where or record.target or None,
        fix=fix,
    )
