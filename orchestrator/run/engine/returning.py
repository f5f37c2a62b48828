"""Gives back, before anything looks at it, a checkout that a killed engine borrowed. Blocking."""

from __future__ import annotations

import time
from pathlib import Path

from orchestrator.adapters.git import borrowed, workspace
from orchestrator.adapters.git.discover import discover, state_dir
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import OrchestratorError
from orchestrator.run.engine.engine import recover
from orchestrator.run.hosting.borrowing import release
from orchestrator.run.hosting.claim import claim_workspace
from orchestrator.run.lock import engine_lock
from orchestrator.run.records.ledger import branch_tip, read_attempts
from orchestrator.run.records.rebuild import rebuild
from orchestrator.run.records.settle import settle_attempt, settle_checkpoints
from orchestrator.store.store import Store, open_store
from orchestrator.work.records import AttemptState


def give_back_left(directory: Path, *, deadline: float) -> tuple[str, ...]:
    """Give back what a killed engine had borrowed; what its worker had done is pinned first.

    Returns what a person should know. One git process where nothing was left.

    Args:
      deadline: seconds that one git command may take.

    Raises:
      BusyError: when that engine is still at work.
    """
    note = state_dir(discover(directory, deadline=deadline).common_dir) / "borrowed"
    if not note.exists():
        return ()
    repo = Repository.open(directory, deadline=deadline).working("in-place")
    item = note.read_text()
    with engine_lock(repo.state_dir, item):
        if not note.exists():
            return ()
        recover(repo)
        repo = borrowed.lender(repo, item)
        said = [f"the checkout was borrowed by a run of {item} that was killed: given back"]
        try:
            with open_store(repo.state_dir) as store:
                rebuild(repo, store)
                _settle(repo, store, item)
        except OrchestratorError as error:  # what was not pinned is in the workspace's trash
            said.append(error.message)
        return (*said, *release(repo, item))


def _settle(repo: Repository, store: Store, item: str) -> None:
    """Pin what the attempt under way had done."""
    settle_checkpoints(repo, store, item)
    place, tip = workspace.open_existing(repo, item), branch_tip(repo, item)
    if place is None or tip is None:
        return
    with claim_workspace(place):
        for attempt in read_attempts(repo, item):
            if attempt.state is AttemptState.STARTED:
                settle_attempt(repo, store, attempt, place, tip, int(time.time()))
