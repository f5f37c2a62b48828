"""One commit on the target by the operator's own git, or everything as it was before."""

from __future__ import annotations

import trio

from orchestrator.adapters.git.landing import Landing
from orchestrator.adapters.git.own_commit import CommitRequest, commit_as_operator
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.threads import in_thread
from orchestrator.errors import ConflictError, OrchestratorError, StoppedError
from orchestrator.run.threads import GitThreads
from orchestrator.store.store import Store
from orchestrator.work.records import DeliveryRecord

from .commands import Squash
from .landing import begin_squash, end_squash, mark
from .planning import Ready

WRITING_TIME = 86400.0
"""Seconds that a person may take in the editor."""

_TAKE_BACK = 60.0


async def squash(
    command: Squash, repo: Repository, store: Store, threads: GitThreads, now: int
) -> DeliveryRecord:
    """Write the files, have them committed, let the index follow; all or nothing.

    A stop or cancellation ends the commit and takes the files back. After a crash the next
    `finish` goes on, or `undo` takes it back.

    Raises:
      ConflictError: when it does not fit, or his git refuses; everything is as before then.
      BusyError: when another git is at work in the checkout.
      StoppedError: when it was stopped.
    """
    record, landing = await threads.run(begin_squash, repo, command.ready, now)
    refusal: OrchestratorError | None = None
    done: DeliveryRecord | None = None
    try:
        refusal = await _commit(command, landing, record)
    finally:
        with trio.move_on_after(_TAKE_BACK, shield=True):
            done = await threads.run(end_squash, repo, store, record, landing)
    if done is not None:
        return done
    raise refusal or ConflictError(
        "git commit made no commit", where=str(repo.checkout), fix="finish it again"
    )


async def _commit(
    command: Squash, landing: Landing, record: DeliveryRecord
) -> OrchestratorError | None:
    """Run the operator's commit; returns why it failed, None when it did not."""
    request = CommitRequest(
        mark=mark(record),
        message=command.message or (opening if command.edit else compose)(command.ready),
        edit=command.edit,
        trailers=(
            f"Orchestrator-Op: {record.id}",
            f"Orchestrator-Item: {record.item}",
        ),
        attached=command.attached,
        deadline=WRITING_TIME if command.attached else command.deadline,
    )
    failure: OrchestratorError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_cancel_when, command.interrupt, nursery.cancel_scope)
        try:
            await in_thread(
                commit_as_operator, landing, request,
                deadline=request.deadline + _TAKE_BACK,
                limiter=trio.CapacityLimiter(1), what="git commit",
            )  # fmt: skip
        except OrchestratorError as error:
            failure = error
        nursery.cancel_scope.cancel()
    if command.interrupt.is_set():
        return StoppedError("stopped before anything was committed", fix="finish it again")
    return failure


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


def compose(ready: Ready) -> str:
    """Return the message of the squashed commit: the item's title and what its stories did."""
    title = ready.run.title or ready.run.item
    stories = "".join(f"- {story}\n" for story in ready.stories)
    return f"{title}\n\n{stories}"


def opening(ready: Ready) -> str:
    """Return what the editor opens with: the same, then the operator's own template."""
    template = ready.own.template if ready.own is not None else ""
    return f"{compose(ready)}\n{template}" if template else compose(ready)
