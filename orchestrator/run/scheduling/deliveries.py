"""Delivers a finished item of the backlog, as `finish` would."""

from __future__ import annotations

import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError, UsageError
from orchestrator.run.delivery.delivering import Delivery, Finished, FinishOptions
from orchestrator.run.records.ledger import branch_tip, require_checkpoint
from orchestrator.run.scheduling.desk import Desk
from orchestrator.run.scheduling.session import Session
from orchestrator.work.backlog import outcomes
from orchestrator.work.backlog.attempted import Attempted
from orchestrator.work.backlog.halt import Ending
from orchestrator.work.backlog.item import Item


async def deliver(session: Session, desk: Desk, what: Attempted) -> Ending:
    """Bring an item's result to where the configuration says, one item at a time.

    What does not fit, fails verification or is refused by the operator's git lets the item wait for
    a person; nothing is changed then. One that a crash cut short is completed.

    Raises:
      ConflictError: when the branch does not hold any more what it did.
      OvertakenError: when a person took the item before it landed.
    """
    how = session.config.execution.finish
    async with session.delivering:
        item = session.current(what)
        await desk.commit_waiting()
        item = session.current(what)
        await trio.to_thread.run_sync(_require_results, session.repo, item)
        await desk.close(item)
        delivery = Delivery(
            repo=session.repo.refreshed(),
            config=session.config,
            options=FinishOptions(
                directory=session.options.directory,
                config_file=session.options.config_file,
                item=item.id,
                how=how,
                terminal=session.terminal,
            ),
            item=item.id,
            orchestrator=session.orchestrator,
            landing=lambda: session.current(what),
        )
        try:
            finished = await delivery.run()
        except (ConflictError, UsageError) as error:
            reason = error.explanation
            await session.decide(
                lambda view, now: outcomes.delivery_refused(view, what, reason, now=now)
            )
            return Ending.BLOCKED
    await session.decide(
        lambda view, now: outcomes.delivered(view, what, text=_where(finished), now=now)
    )
    return Ending.SUCCEEDED


def _require_results(repo: Repository, item: Item) -> None:
    """Refuse a branch that lost what the item's phases brought, unless a person accepted it.

    One that is gone was delivered already, or the delivery tells of it.
    """
    now = branch_tip(repo, item.id)
    if now is not None and item.head and not item.accepts_branch:
        require_checkpoint(repo, item.id, now, item.head)


def _where(finished: Finished) -> str:
    if finished.target:
        return f"{finished.how} into {finished.target} at {finished.commit[:9]}"
    return f"{finished.how}: the files of the checkout are changed"
