"""An item's memory in git: its branch, its run, its attempts. Blocking; worker threads only.

Git alone is the truth: ``refs/heads/orchestrator/<item>`` holds the checkpoints,
``refs/orchestrator/runs/<item>`` the run, ``refs/orchestrator/attempts/<id>`` every attempt with
its tree, ``refs/orchestrator/pins/<item>`` a checkpoint on its way to the branch. Each step moves
one ref by compare-and-swap, in an order that `open_run` can finish or take back after a crash.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

import attrs

from orchestrator.adapters.git import objects, refs, snapshot, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import BranchTakenError, ConflictError
from orchestrator.work.records import (
    AttemptRecord,
    AttemptState,
    RunRecord,
    RunState,
    attempt_from_json,
    run_from_json,
    to_json,
)
from orchestrator.work.states import PHASE as PHASE

from .claim import claim_workspace


@attrs.frozen(kw_only=True)
class OpenedRun:
    """An item that is ready to work on.

    Attributes:
      tip: the branch's commit.
      attempts: those of this run, oldest first; ``history``: those of earlier runs too.
      continued: whether an interrupted run goes on.
    """

    run: RunRecord
    tip: str
    attempts: tuple[AttemptRecord, ...]
    history: tuple[AttemptRecord, ...]
    workspace: workspace.Workspace
    continued: bool


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
    found = refs.read_refs(repo.git, ref).get(ref)
    return found.oid if found else None


def open_run(
    repo: Repository,
    item: str,
    *,
    title: str,
    root: str,
    carried: Mapping[bytes, Path | None],
    now: int,
) -> OpenedRun:
    """Start a run of ``item``, or go on with an interrupted one, and prepare its workspace.

    Args:
      root: where the spec's root lies below the repository, "." for the top.
      carried: uncommitted files of the spec (None: deleted) for the branch's first commit.
      now: Unix time in seconds.

    Raises:
      BranchTakenError: when the branch holds other work.
      ConflictError: when someone deleted the branch although it held checkpoints.
      BusyError: when processes of an earlier run do not leave the workspace.
    """
    last = read_run(repo, item)
    tip = branch_tip(repo, item)
    if tip is not None and (last is None or not _is_ours(repo, last, tip)):
        raise BranchTakenError(
            f"branch orchestrator/{item} holds work that is not the orchestrator's",
            where=refs.branch_ref(item),
            fix=f"rename it (git branch -m orchestrator/{item} other-name) and run again",
        )
    continued = last is not None and last.state is RunState.OPEN
    history = read_attempts(repo, item)
    if last is not None and tip is None and _had_checkpoints(history):
        if not continued:
            last = None
        else:
            raise ConflictError(
                f"branch orchestrator/{item} was deleted while its run was under way",
                where=refs.branch_ref(item),
                fix=f"bring it back: git branch orchestrator/{item} {refs.pin_ref(item)}",
            )
    if last is None or (tip is None and not continued):
        run = _new_run(repo, item, title=title, root=root, carried=carried, now=now)
    elif continued:
        run = last
    else:
        run = attrs.evolve(last, id=_new_id(), at=now, state=RunState.OPEN, reason="", story="")
        _write_run(repo, run)
    if tip is None:
        refs.move_ref(repo.git, refs.branch_ref(item), run.start, None, f"run {run.id}")
        tip = run.start
    tip = _finish_checkpoint(repo, item, tip, history)
    home = repo.workspace_home()
    with claim_workspace(workspace.place_of(home, item)):
        place = workspace.open_existing(repo, item, home) or workspace.create(repo, item, tip, home)
        for attempt in history:
            if attempt.state is AttemptState.STARTED:
                _settle(repo, attempt, place, tip, now)
        snapshot.restore(repo, place, tip)
        if not continued:
            snapshot.clear_trash(place)
    history = read_attempts(repo, item)
    return OpenedRun(
        run=run,
        tip=tip,
        attempts=tuple(attempt for attempt in history if attempt.run == run.id),
        history=history,
        workspace=place,
        continued=continued,
    )


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
    _write_attempt(repo, attempt, objects.tree_of(repo.git, tip), tip, now)
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
    _write_attempt(repo, attempt, objects.tree_of(repo.git, taken), tip, now)
    snapshot.restore(repo, place, tip)
    return refs.attempt_ref(attempt.id)


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
    pin = refs.pin_ref(attempt.item)
    old = refs.read_refs(repo.git, pin).get(pin)
    refs.move_ref(repo.git, pin, commit, old.oid if old else None, f"pin {attempt.id}")
    refs.move_ref(repo.git, refs.branch_ref(attempt.item), commit, tip, f"checkpoint {attempt.id}")
    _write_attempt(repo, attempt, tree, commit, now)
    snapshot.restore(repo, place, commit)
    return commit


def close_run(repo: Repository, run: RunRecord) -> None:
    """Record how a run ended."""
    _write_run(repo, run)


def _new_run(
    repo: Repository,
    item: str,
    *,
    title: str,
    root: str,
    carried: Mapping[bytes, Path | None],
    now: int,
) -> RunRecord:
    base = repo.head
    start = base
    if carried:
        tree = objects.write_files_tree(repo.git, objects.tree_of(repo.git, base), carried)
        message = f"{item}: carry the uncommitted spec\n\nOrchestrator-Item: {item}\n"
        start = objects.commit(repo.git, tree, [base], message, identity=repo.identity(), when=now)
    ref = refs.base_ref(item)
    old = refs.read_refs(repo.git, ref).get(ref)
    if old is None or old.oid != base:
        refs.move_ref(repo.git, ref, base, old.oid if old else None, f"base of {item}")
    run = RunRecord(
        id=_new_id(),
        item=item,
        title=title,
        base=base,
        start=start,
        target=f"refs/heads/{repo.branch}" if repo.branch else "",
        root=root,
        at=now,
        carried=tuple(path.decode(errors="surrogateescape") for path in carried),
    )
    _write_run(repo, run)
    return run


def _is_ours(repo: Repository, run: RunRecord, tip: str) -> bool:
    return objects.is_ancestor(repo.git, run.start, tip)


def _had_checkpoints(attempts: tuple[AttemptRecord, ...]) -> bool:
    return any(attempt.state is AttemptState.VERIFIED for attempt in attempts)


def _finish_checkpoint(
    repo: Repository, item: str, tip: str, history: tuple[AttemptRecord, ...]
) -> str:
    """Move the branch to a verified checkpoint that a crash left pinned in front of it."""
    pin = refs.read_refs(repo.git, refs.pin_ref(item)).get(refs.pin_ref(item))
    if pin is None or pin.oid == tip:
        return tip
    waiting = {a.id for a in history if a.state is AttemptState.STARTED}
    parents = objects.parents_of(repo.git, pin.oid)
    if pin.trailers.get("Orchestrator-Attempt") in waiting and parents == (tip,):
        refs.move_ref(repo.git, refs.branch_ref(item), pin.oid, tip, "finish checkpoint")
        return pin.oid
    return tip


def _settle(
    repo: Repository,
    attempt: AttemptRecord,
    place: workspace.Workspace,
    tip: str,
    now: int,
) -> None:
    pin = refs.read_refs(repo.git, refs.pin_ref(attempt.item)).get(refs.pin_ref(attempt.item))
    if (
        pin is not None
        and pin.trailers.get("Orchestrator-Attempt") == attempt.id
        and objects.is_ancestor(repo.git, pin.oid, tip)
    ):
        done = attrs.evolve(attempt, state=AttemptState.VERIFIED)
        _write_attempt(repo, done, objects.tree_of(repo.git, pin.oid), pin.oid, now)
        return
    lost = attrs.evolve(
        attempt, state=AttemptState.LOST, reason="the orchestrator ended while it ran"
    )
    keep_attempt(repo, lost, place, tip, now)


def _write_attempt(
    repo: Repository, attempt: AttemptRecord, tree: str, parent: str, now: int
) -> None:
    subject = f"Attempt {attempt.id}: {attempt.state.value}"
    message = f"{subject}\n\n{to_json(attempt)}\n\n{_trailers(attempt, {})}"
    commit = objects.commit(repo.git, tree, [parent], message, identity=repo.identity(), when=now)
    ref = refs.attempt_ref(attempt.id)
    old = refs.read_refs(repo.git, ref).get(ref)
    refs.move_ref(repo.git, ref, commit, old.oid if old else None, subject)


def _write_run(repo: Repository, run: RunRecord) -> None:
    subject = f"Run {run.id} of {run.item}: {run.state.value}"
    commit = objects.commit(
        repo.git,
        objects.tree_of(repo.git, run.start),
        [run.start],
        f"{subject}\n\n{to_json(run)}\n\nOrchestrator-Item: {run.item}\n",
        identity=repo.identity(),
        when=run.at,
    )
    ref = refs.run_ref(run.item)
    old = refs.read_refs(repo.git, ref).get(ref)
    if old is None or old.oid != commit:
        refs.move_ref(repo.git, ref, commit, old.oid if old else None, subject)


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


def _new_id() -> str:
    return secrets.token_hex(4)
