"""Puts what git remembers back into a store that is new, was lost or was emptied. Blocking."""

from __future__ import annotations

from orchestrator.adapters.git.repository import Repository
from orchestrator.run.events import Warned
from orchestrator.run.records.facts import add_fact
from orchestrator.run.records.history import from_git
from orchestrator.store.store import Store
from orchestrator.store.transaction import Transaction
from orchestrator.work.records import attempt_from, run_from, to_json


def rebuild(repo: Repository, store: Store) -> Warned | None:
    """Fill a store that knows no run with every run and attempt of git, all or nothing.

    What only the store knew stays lost: facts, timers, checks, guidance, what verified attempts
    learned. Returns what is told of it, recorded; None when there was nothing to put back.
    """
    if store.runs():
        return None
    found = from_git(repo.git)
    runs = [run for one in found.runs if (run := run_from(one))]
    attempts = [attempt for one in found.attempts if (attempt := attempt_from(one))]
    if not runs:
        return None
    told = Warned(
        message=f"the store was new: {_counted(len(runs), 'run')} and "
        f"{_counted(len(attempts), 'attempt')} were put back from git"
    )

    def change(tx: Transaction) -> Warned:
        for run in runs:
            tx.put_run(to_json(run))
        for attempt in attempts:
            tx.put_attempt(to_json(attempt))
        return add_fact(tx, told, item="", run="")

    return store.write(change)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
