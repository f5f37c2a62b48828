"""An item's memory in git: its branch, its run, its attempts. Blocking; worker threads only.

Git alone is the truth: ``refs/heads/orchestrator/<item>`` holds the checkpoints,
``refs/orchestrator/runs/<item>`` the run, ``refs/orchestrator/attempts/<id>`` every attempt with
its tree, ``refs/orchestrator/pins/<item>`` a checkpoint on its way to the branch. Each step moves
one ref by compare-and-swap, in an order that `opening.open_run` can finish or take back after a
crash.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from orchestrator.adapters.git import objects, refs, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError
from orchestrator.work.records import (
    AttemptRecord,
    RunRecord,
    attempt_from_json,
    run_from_json,
    to_json,
)
from orchestrator.work.states import PHASE


def read_run(repo: Repository, item: str) -> RunRecord | None:
    """Return the item's current or last run."""
    found = refs.read_refs(repo.git, refs.run_ref(item)).get(refs.run_ref(item))
    return run_from_json(found.body) if found else None


def read_attempts(repo: Repository, item: str | None = None) -> tuple[AttemptRecord, ...]:
    """Return every recorded attempt, of one item or of all, oldest first."""
    records = (
        attempt_from_json(record.body)
        for record in refs.read_refs(repo.git, refs.ATTEMPTS).values()
    )
    mine = [record for record in records if record and item in (None, record.item)]
    return tuple(sorted(mine, key=lambda record: (record.at, record.run, record.number)))


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
    if now == tip:
        return tip
    if now is None or not objects.is_ancestor(repo.git, tip, now):
        raise ConflictError(
            f"branch orchestrator/{item} was moved off its last checkpoint {tip[:9]}",
            where=refs.branch_ref(item),
            fix=f"bring it back: git branch -f orchestrator/{item} {tip[:9]}; then run again",
        )
    snapshot.restore(repo, place, now)
    return now


def begin_attempt(
    repo: Repository, run: RunRecord, story: str, number: int, tip: str, now: int
) -> AttemptRecord:
    """Record that an attempt starts, before its worker does."""
    attempt = AttemptRecord(
        id=f"{run.item}.{run.id}.{refs.item_slug(story)}.{number}",
        item=run.item,
        run=run.id,
        story=story,
        number=number,
        at=now,
    )
    record_attempt(repo, attempt, objects.its_tree(tip), tip, now, old=None)
    return attempt


def keep_attempt(
    repo: Repository,
    attempt: AttemptRecord,
    place: workspace.Workspace,
    tip: str,
    now: int,
) -> str:
    """Pin what an unsuccessful attempt left, then bring the workspace back to ``tip``.

    Returns the ref that keeps the exact tree.
    """
    taken = snapshot.snapshot(
        repo, place, tip, f"Attempt {attempt.id}", identity=repo.identity(), when=now
    )
    ref = refs.attempt_ref(attempt.id)
    record_attempt(repo, attempt, objects.its_tree(taken), tip, now, old=tips(repo, ref)[ref])
    snapshot.restore(repo, place, tip)
    return ref


def keep_checkpoint(
    repo: Repository,
    attempt: AttemptRecord,
    place: workspace.Workspace,
    *,
    tree: str,
    tip: str,
    title: str,
    verified: bool,
    now: int,
) -> str:
    """Commit ``tree`` on the item's branch and return the commit.

    Raises:
      ConflictError: when the branch has moved meanwhile; nothing is changed then.
    """
    message = f"{attempt.item}: {title}\n\n" + _trailers(
        attempt, {"Verified": "yes" if verified else "no"}
    )
    commit = objects.commit(
        repo.git, tree, [tip], message, identity=repo.identity(), when=attempt.at
    )
    pin, ref = refs.pin_ref(attempt.item), refs.attempt_ref(attempt.id)
    at = tips(repo, pin, ref)
    refs.move_ref(repo.git, pin, commit, at[pin], f"pin {attempt.id}")
    refs.move_ref(repo.git, refs.branch_ref(attempt.item), commit, tip, f"checkpoint {attempt.id}")
    record_attempt(repo, attempt, tree, commit, now, old=at[ref])
    snapshot.restore(repo, place, commit)
    return commit


def record_attempt(
    repo: Repository, attempt: AttemptRecord, tree: str, parent: str, now: int, *, old: str | None
) -> None:
    """Record where an attempt is, with its tree, in place of ``old``: its record so far."""
    subject = f"Attempt {attempt.id}: {attempt.state.value}"
    message = f"{subject}\n\n{to_json(attempt)}\n\n{_trailers(attempt, {})}"
    commit = objects.commit(repo.git, tree, [parent], message, identity=repo.identity(), when=now)
    refs.move_ref(repo.git, refs.attempt_ref(attempt.id), commit, old, subject)


def record_run(repo: Repository, run: RunRecord) -> None:
    """Record where a run is, and keep the spec that it has seen."""
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


def _trailers(attempt: AttemptRecord, more: Mapping[str, str]) -> str:
    values = {
        "Op": attempt.id,
        "Item": attempt.item,
        "Phase": PHASE,
        "Story": attempt.story,
        "Attempt": attempt.id,
        **more,
    }
    return "".join(f"Orchestrator-{name}: {value}\n" for name, value in values.items())


def new_id() -> str:
    """Return a fresh id for a run."""
    return secrets.token_hex(4)
