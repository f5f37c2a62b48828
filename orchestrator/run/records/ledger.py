"""An item's memory: its decisions in the store, its content in git. Blocking; worker threads only.

``refs/heads/orchestrator/<item>`` holds the checkpoints, ``refs/orchestrator/attempts/<id>`` keeps
what every attempt left: a verified one its checkpoint, any other the exact tree with its record.
``refs/orchestrator/runs/<item>`` keeps the run. Git is written first and the store after it, so
that a row never tells of what is not there; a lost store is put together again from git.
"""

from __future__ import annotations

import secrets

import attrs

from orchestrator.adapters.git import objects, refs, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError
from orchestrator.run.events import AttemptFailed, AttemptStarted, StoryVerified
from orchestrator.run.records.facts import F, add_fact, event_fields
from orchestrator.run.records.history import read_history
from orchestrator.store.store import Store
from orchestrator.store.transaction import Transaction
from orchestrator.work.records import (
    AttemptRecord,
    AttemptState,
    RunRecord,
    attempt_from,
    run_from,
    to_document,
    to_json,
)
from orchestrator.work.states import PHASE
from orchestrator.work.trailers import attempt_trailers

CHECKPOINT = "checkpoint"
"""The kind of operation that moves an item's branch to a new checkpoint."""


def read_run(repo: Repository, item: str) -> RunRecord | None:
    """Return the item's current or last run."""
    runs = read_history(repo.git, item).runs
    return run_from(runs[-1]) if runs else None


def read_attempts(repo: Repository, item: str | None = None) -> tuple[AttemptRecord, ...]:
    """Return every recorded attempt, of one item or of all, oldest first."""
    records = (attempt_from(attempt) for attempt in read_history(repo.git, item).attempts)
    return tuple(record for record in records if record is not None)


def branch_tip(repo: Repository, item: str) -> str | None:
    """Return the commit of the item's branch, or None when there is none."""
    ref = refs.branch_ref(item)
    return tips(repo, ref)[ref]


def adopt_branch(repo: Repository, item: str, place: workspace.Workspace, tip: str) -> str:
    """Return the branch's tip, with the workspace brought to what a person added to it.

    Raises:
      ConflictError: when the branch no longer contains ``tip``; nothing is changed then.
    """
    now = branch_tip(repo, item)
    require_checkpoint(repo, item, now, tip)
    if now is not None and now != tip:
        snapshot.restore(repo, place, now)
    return now or tip


def require_checkpoint(repo: Repository, item: str, now: str | None, tip: str) -> None:
    """Refuse a branch, which is at ``now``, that does not contain ``tip``.

    Raises:
      ConflictError: with the command that brings it back.
    """
    if now == tip:
        return
    if now is None or not objects.is_ancestor(repo.git, tip, now):
        raise ConflictError(
            f"branch orchestrator/{item} was moved off its last checkpoint {tip[:9]}",
            where=refs.branch_ref(item),
            fix=f"bring it back: git branch -f orchestrator/{item} {tip[:9]}; then run again",
        )


def begin_attempt(
    store: Store,
    run: RunRecord,
    story: str,
    number: int,
    place: workspace.Workspace,
    now: int,
    fact: AttemptStarted,
    *,
    phase: str = PHASE,
    visit: int = 0,
) -> tuple[AttemptRecord, AttemptStarted]:
    """Record that an attempt starts, before its worker does. No process is started.

    Args:
      story: "" for a phase that has none.
      fact: what is told; its ``attempt`` is filled in.
    """
    attempt = AttemptRecord(
        id="",
        item=run.item,
        run=run.id,
        story=story,
        number=number,
        at=now,
        phase=phase,
        visit=visit,
    )
    while True:
        id = f"{run.item}.{run.id}.{refs.item_slug(story or phase)}.{attempt.number}"
        # A store that was lost forgot attempts, but not their directories.
        if not (place.directory / "attempts" / id).exists():
            break
        attempt = attrs.evolve(attempt, number=attempt.number + 1)
    attempt = attrs.evolve(attempt, id=id)
    return attempt, put_attempt(store, attempt, attrs.evolve(fact, attempt=id))


def keep_attempt(
    repo: Repository,
    store: Store,
    attempt: AttemptRecord,
    place: workspace.Workspace,
    tip: str,
    now: int,
    fact: AttemptFailed,
) -> AttemptFailed:
    """Pin what an unsuccessful attempt left, record it, then bring the workspace back to ``tip``.

    Args:
      fact: what is told; its ``ref``, which keeps the exact tree, is filled in.
    """
    ref = refs.attempt_ref(attempt.id)
    subject = f"Attempt {attempt.id}: {attempt.state.value}"
    message = f"{subject}\n\n{to_json(attempt)}\n\n{attempt_trailers(attempt)}"
    taken = snapshot.snapshot(repo, place, tip, message, identity=repo.identity(), when=now)
    refs.move_ref(repo.git, ref, taken, tips(repo, ref)[ref], subject)
    fact = put_attempt(store, attempt, attrs.evolve(fact, ref=ref))
    snapshot.restore(repo, place, tip)
    return fact


def keep_checkpoint(
    repo: Repository,
    store: Store,
    attempt: AttemptRecord,
    place: workspace.Workspace,
    *,
    tree: str,
    tip: str,
    title: str,
    fact: StoryVerified,
) -> tuple[StoryVerified, tuple[bytes, ...]]:
    """Commit ``tree`` on the item's branch: recorded, pinned, moved, recorded again.

    Then the workspace is brought to it. Returns the fact, and the paths that differed: what
    verification itself changed.

    Wherever that is cut short, `settle` finishes it or takes it back.

    Args:
      fact: what is told; its ``commit`` is filled in.

    Raises:
      ConflictError: when the branch has moved meanwhile; it is left alone then.
    """
    trailers = attempt_trailers(attempt, verified=fact.verified)
    commit = objects.commit(
        repo.git,
        tree,
        [tip],
        f"{attempt.item}: {title}\n\n{trailers}",
        identity=repo.identity(),
        when=attempt.at,
    )
    fact = attrs.evolve(fact, commit=commit)
    ref = refs.branch_ref(attempt.item)
    plan = {
        "ref": ref,
        "old": tip,
        "new": commit,
        "attempt": to_document(attempt),
        "fact": event_fields(fact),
    }
    store.write(lambda tx: tx.begin_operation(attempt.id, CHECKPOINT, attempt.item, plan))
    try:
        apply_checkpoint(repo, attempt.id, ref, tip, commit)
    except ConflictError:
        store.write(lambda tx: tx.void_operation(attempt.id))
        raise

    def done(tx: Transaction) -> StoryVerified:
        tx.finish_operation(attempt.id)
        tx.put_attempt(to_json(attempt))
        return add_fact(tx, fact, item=attempt.item, run=attempt.run)

    return store.write(done), snapshot.restore(repo, place, commit, tree)


def apply_checkpoint(repo: Repository, attempt: str, ref: str, old: str | None, new: str) -> None:
    """Pin a checkpoint, then move the item's branch, or where its results wait, to it.

    Raises:
      ConflictError: when the ref is not at ``old`` any more.
    """
    refs.move_ref(repo.git, refs.attempt_ref(attempt), new, None, f"pin {attempt}")
    refs.move_ref(repo.git, ref, new, old, f"checkpoint {attempt}")


def put_attempt(store: Store, attempt: AttemptRecord, fact: F) -> F:
    """Record where an attempt is together with the fact that tells of it."""

    def change(tx: Transaction) -> F:
        tx.put_attempt(to_json(attempt))
        return add_fact(tx, fact, item=attempt.item, run=attempt.run)

    return store.write(change)


def record_run(repo: Repository, store: Store, run: RunRecord, fact: F) -> F:
    """Record where a run is together with the fact that tells of it; returns that, numbered."""
    keep_run(repo, run)

    def change(tx: Transaction) -> F:
        tx.put_run(to_json(run))
        return add_fact(tx, fact, item=run.item, run=run.id)

    return store.write(change)


def keep_run(repo: Repository, run: RunRecord) -> None:
    """Keep a run's record in git, where it outlives the store."""
    subject = f"Run {run.id} of {run.item}: {run.state.value}"
    commit = objects.commit(
        repo.git,
        run.seen,
        [run.start],
        f"{subject}\n\n{to_json(run)}\n\nOrchestrator-Item: {run.item}\n",
        identity=repo.identity(),
        when=run.at,
    )
    ref = refs.run_ref(run.item)
    old = tips(repo, ref)[ref]
    if old != commit:
        refs.move_ref(repo.git, ref, commit, old, subject)


def tips(repo: Repository, *names: str) -> dict[str, str | None]:
    """Return the commits that refs are at, None for one that does not exist."""
    found = refs.read_refs(repo.git, *names)
    return {name: found[name].oid if name in found else None for name in names}


def new_id() -> str:
    """Return a fresh id for a run."""
    return secrets.token_hex(4)


def last_checkpoint(run: RunRecord, attempts: tuple[AttemptRecord, ...]) -> str:
    """Return a name for the newest commit that the branch is known to have had."""
    verified = [a for a in attempts if a.run == run.id and a.state is AttemptState.VERIFIED]
    return refs.attempt_ref(verified[-1].id) if verified else run.start
