"""What is recorded of the attempts at a phase: that they begin, and what they leave."""

from __future__ import annotations

import json

import attrs
import trio

from orchestrator.errors import AdapterTimedOutError, ConflictError
from orchestrator.run.attempts.judge import Judgement
from orchestrator.run.backlog.keeping import Brought
from orchestrator.run.backlog.phases import SettleItem
from orchestrator.run.commands import BeginAttempt, KeepAttempt
from orchestrator.run.events import AttemptFailed, AttemptStarted
from orchestrator.run.records.opening import OpenedRun
from orchestrator.run.scheduling.desk import Desk
from orchestrator.run.scheduling.session import Session
from orchestrator.text import one_line
from orchestrator.work.backlog.attempted import Attempted
from orchestrator.work.backlog.result import PhaseResult
from orchestrator.work.records import AttemptRecord, AttemptState, attempt_from


@attrs.define(eq=False, kw_only=True)
class PhaseRecords:
    """The records of one visit of a phase.

    Attributes:
      place: where the phase stands among ``of``, from 1.
      batch: whether what it brings waits to be committed with what follows.
      attempts: those of this visit, oldest first, once they were read.
    """

    session: Session
    desk: Desk
    opened: OpenedRun
    what: Attempted
    place: int
    of: int
    batch: bool
    attempts: list[AttemptRecord] = attrs.field(factory=list, init=False)
    _last: int = attrs.field(default=0, init=False)

    @property
    def tries(self) -> int:
        """Which try of this visit the next attempt is; those that a limit ended are none."""
        return 1 + sum(one.state is not AttemptState.LIMITED for one in self.attempts)

    async def read(self) -> None:
        """Find the attempts that were made before."""
        known = await trio.to_thread.run_sync(self._known)
        self.attempts = [one for one in known if one.visit == self.what.visit]
        run = self.opened.run.id
        self._last = max((one.number for one in known if one.run == run), default=0)

    async def begin(self) -> AttemptRecord:
        """Record that an attempt begins."""
        attempt = await self.session.orchestrator.call(
            BeginAttempt(
                run=self.opened.run,
                story="",
                number=self._last + 1,
                workspace=self.opened.workspace,
                phase=self.what.phase,
                visit=self.what.visit,
                fact=AttemptStarted(
                    item=self.what.item,
                    story="",
                    title=f"{self.what.item} {self.what.phase}",
                    position=self.place,
                    done=self.place - 1,
                    stories=self.of,
                    number=self.tries,
                    phase=self.what.phase,
                ),
            )
        )
        self._last = attempt.number
        return attempt

    async def keep_failed(self, attempt: AttemptRecord) -> None:
        """Pin what an attempt left that does not count, and bring the workspace back."""
        tries = self.tries
        self.attempts.append(attempt)
        self.session.spending.end(attempt)
        await self.session.orchestrator.call(
            KeepAttempt(
                attempt=attempt,
                workspace=self.opened.workspace,
                tip=self.desk.head,
                fact=AttemptFailed(
                    story="",
                    title=f"{self.what.item} {self.what.phase}",
                    position=self.place,
                    stories=self.of,
                    number=tries,
                    attempt=attempt.id,
                    state=attempt.state.value,
                    reason=attempt.reason,
                    evidence=attempt.evidence,
                    seconds=attempt.seconds,
                    usage=attempt.usage,
                    phase=self.what.phase,
                ),
            )
        )

    async def keep_good(
        self, attempt: AttemptRecord, judged: Judgement, result: PhaseResult
    ) -> None:
        """Keep what was verified, and let the item go on.

        Raises:
          ConflictError: when a person moved the branch where it does not fit any more; the attempt
            is lost then. Such losses are bounded like those to a crash.
        """
        brought = Brought(
            attempt=attempt,
            report=result,
            tree=judged.tree,
            batch=self.batch,
            verified=judged.verified,
            tries=self.tries,
            base=result.based_on or self.opened.run.base,
        )
        try:
            await self.desk.keep(brought)
        except ConflictError as error:
            reason = one_line(error.message, 400)
            await self.keep_failed(attrs.evolve(attempt, state=AttemptState.LOST, reason=reason))
            raise
        except AdapterTimedOutError:
            # Whether it came is unknown: the refs tell.
            await self.session.orchestrator.call(SettleItem(item=attempt.item))
            known = await trio.to_thread.run_sync(self._known)
            if not any((one.id, one.state) == (attempt.id, attempt.state) for one in known):
                raise
        self.session.spending.end(attempt)

    def _known(self) -> list[AttemptRecord]:
        rows = self.session.book.store.attempts(self.what.item)
        found = (attempt_from(json.loads(row.document)) for row in rows)
        phase = self.what.phase
        return [one for one in found if one is not None and (one.phase, one.story) == (phase, "")]
