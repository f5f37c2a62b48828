"""Closes the run of an item that is done: its branch can be delivered then, and undone."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.messages import Fact
from orchestrator.run.backlog.book import Book
from orchestrator.run.events import RunEnded
from orchestrator.run.records.ledger import read_attempts, record_run
from orchestrator.run.threads import GitThreads
from orchestrator.work.backlog.item import Item, Status
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord, RunState, run_from
from orchestrator.work.states import first_object


def closed(
    run: RunRecord, item: Item, rules: Rules, attempts: Sequence[AttemptRecord]
) -> tuple[RunRecord, RunEnded]:
    """Return the run as it is once its item is done, and what is told of it.

    Args:
      attempts: those of the item.
    """
    pipeline = rules.pipeline(item.pipeline)
    phases = len(pipeline.phases) if pipeline is not None else 0
    ended = RunEnded(
        run=run.id,
        item=item.id,
        change=run.change,
        state=RunState.DONE.value,
        reason="",
        done=phases,
        stories=phases,
        attempts=sum(one.state is not AttemptState.LIMITED for one in attempts),
        cost=sum(one.usage.cost for one in attempts),
        verified=any(one.state is AttemptState.VERIFIED for one in attempts),
        advice="",
        branch=f"orchestrator/{item.id}",
        target=run.target.removeprefix("refs/heads/"),
    )
    return attrs.evolve(run, state=RunState.DONE, reason="", story=""), ended


async def close_finished(book: Book, repo: Repository, threads: GitThreads) -> tuple[Fact, ...]:
    """Close the runs of items that a crash let be done with a run that is open.

    Raises:
      StoreError: when the store cannot be written.
    """
    facts: list[Fact] = []
    for row in book.store.open_runs():
        run, item = run_from(first_object(row.document)), book.get(row.item)
        if run is not None and item is not None and item.status is Status.DONE:
            attempts = await threads.run(read_attempts, repo, item.id)
            done, ended = closed(run, item, book.rules, attempts)
            facts.append(await threads.run(record_run, repo, book.store, done, ended))
    return tuple(facts)
