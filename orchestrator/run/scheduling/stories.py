"""Does a phase that works through the stories of a change, in the item's workspace."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from orchestrator.errors import OvertakenError, SpecError
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.backlog.handlers import minting
from orchestrator.run.commands import AdoptBranch
from orchestrator.run.loop.allowance import Allowance, Refusal
from orchestrator.run.loop.results import Outcome
from orchestrator.run.loop.story_loop import StoryLoop
from orchestrator.run.scheduling.desk import Desk
from orchestrator.run.scheduling.session import Session
from orchestrator.run.specs import FORMATS
from orchestrator.work.backlog import outcomes
from orchestrator.work.backlog import result as results
from orchestrator.work.backlog.attempted import Attempted, Landed
from orchestrator.work.backlog.halt import Ending
from orchestrator.work.records import AttemptRecord
from orchestrator.work.spec import SpecSource
from orchestrator.work.worker import Usage


def find_stories(root: Path, name: str) -> tuple[SpecSource, str]:
    """Return the change of this name or path below a directory, and where it is read. Blocking.

    Raises:
      SpecError: when there is none, or nothing is to be done in it.
    """
    for kind in FORMATS:
        path = root / name
        found = kind.named(root, path) if path.exists() else None
        if found is not None:
            return found
        source = kind.below(root)
        with suppress(SpecError):
            source.require_work(name)
            return source, name
    raise SpecError(
        f"no change {name} in the workspace",
        where=str(root / name),
        fix="let an earlier phase write it, or name another one in the phase's spec",
    )


async def run_stories(
    session: Session, desk: Desk, runner: AttemptRunner, what: Attempted
) -> Ending:
    """Work through the stories; each verified one is a commit of the item's branch.

    Raises:
      BaselineError: when set-up or verification fails before any worker has run.
      ConflictError: when the branch was moved off its last checkpoint.
      OvertakenError: when a person took the item; nothing more is begun then.
    """
    assert desk.opened is not None
    mine = tuple(
        one
        for one in desk.opened.history
        if (one.phase, one.visit) == (what.phase, what.visit) and one.story
    )
    runner = attrs.evolve(
        runner,
        opened=attrs.evolve(runner.opened, tip=desk.head, attempts=mine),
        phase=what.phase,
        visit=what.visit,
    )
    spending = session.spending

    def used(attempts: Sequence[AttemptRecord]) -> Usage:
        spending.count(attempts[len(mine) :])
        return spending.usage

    loop = StoryLoop(
        runner=runner,
        stopping=session.stopping,
        allowance=Allowance(
            runner=runner,
            stopping=session.stopping,
            worked=spending.worked,
            started=spending.started,
            used=used,
            command="orc run",
        ),
        wanted=lambda: session.current(what),
    )
    try:
        outcome = await loop.run()
    except OvertakenError:
        desk.opened = None
        raise
    finally:
        spending.count(loop.attempts[len(mine) :])
    adopt = AdoptBranch(item=what.item, workspace=desk.place, tip=desk.head)
    desk.head = await session.orchestrator.call(adopt)
    base = desk.opened.run.base
    # How the loop ended is recorded as the end of a run: the next phase begins another one.
    desk.opened = None
    return await _tell(session, what, outcome, Landed(head=desk.head, based_on=base))


async def _tell(session: Session, what: Attempted, outcome: Outcome, landed: Landed) -> Ending:
    if outcome.state == "done":
        stories = f"{outcome.done} of {outcome.stories} stories, {outcome.attempts} attempts"
        done = results.PhaseResult(outcome=results.Outcome.COMPLETE, summary=stories)
        book = session.book
        await session.decide(
            lambda view, now: outcomes.phase_completed(
                view, book.rules, what, done, landed, mint=minting(book), now=now
            )
        )
        item = book.get(what.item)
        return Ending.BLOCKED if item is not None and item.is_blocked else Ending.SUCCEEDED
    if outcome.state == "failed":
        await session.decide(
            lambda view, now: outcomes.phase_failed(
                view, what, attempts=outcome.attempts, failure=outcome.reason, now=now
            )
        )
        return Ending.EXHAUSTED
    if outcome.state == "blocked":
        asked = results.PhaseResult(outcome=results.Outcome.BLOCKED, context=outcome.reason)
        await session.decide(lambda view, now: outcomes.phase_blocked(view, what, asked, now=now))
        return Ending.BLOCKED
    if outcome.state == "limited":
        session.refusal = Refusal(reason=outcome.reason, advice=outcome.advice)
    return Ending.CANCELLED
