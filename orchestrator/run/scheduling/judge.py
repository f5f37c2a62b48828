"""Judges what a phase left: by its tree, its gates and the verify commands, never by its word."""

from __future__ import annotations

import os

import attrs

from orchestrator.errors import AdapterError, GuardianError, OrchestratorError, StoreError
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.attempts.judge import Judge, Judgement
from orchestrator.run.backlog.gates import examine, failing, gate_values
from orchestrator.run.backlog.plugin_checks import asking
from orchestrator.settings import Check
from orchestrator.text import one_line
from orchestrator.work import protect
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.pipeline import Phase
from orchestrator.work.backlog.report import phase_result
from orchestrator.work.backlog.result import Outcome, PhaseResult
from orchestrator.work.globs import any_matches
from orchestrator.work.protect import Definition
from orchestrator.work.records import AttemptState
from orchestrator.work.spec import Change
from orchestrator.work.worker import Verdict, WorkerReport

GATE_SECONDS = 30.0
"""Seconds that looking at the files of one phase's gates may take."""

_LONGEST_REASON = 400


@attrs.frozen(kw_only=True)
class PhaseJudge:
    """Judges one attempt at a phase in its item's workspace.

    Attributes:
      task: the item as a change, whose words may name protected paths.
      head: the commit that the workspace was at.
      is_last: whether what is only checked at the end is checked.
    """

    runner: AttemptRunner
    judge: Judge
    item: Item
    phase: Phase
    task: Change
    head: str
    is_last: bool

    async def definition(self) -> Definition:
        """Return what decides now how the workspace is verified."""
        return await self.judge.definition(self.task)

    async def decide(
        self, report: WorkerReport, before: Definition
    ) -> tuple[Judgement, PhaseResult]:
        """Judge what the worker left; its tree is dead, so the workspace is what is taken here.

        Args:
          before: what `definition` said when the attempt began.
        """
        result = phase_result(
            report.document, report.verdict, report.reason, item=self.item.id, phase=self.phase.name
        )
        judged = await self._decide(report, result, before)
        state = judged.state
        if state is AttemptState.FAILED and self.judge.interrupt.is_set():
            state = AttemptState.INTERRUPTED
        if isinstance(result, str):
            result = PhaseResult(outcome=Outcome.FAILED, summary=result)
        judged = attrs.evolve(
            judged,
            state=state,
            reason=one_line(judged.reason, _LONGEST_REASON),
            usage=report.usage,
            learnings=report.learnings,
        )
        return judged, result

    async def _decide(
        self, report: WorkerReport, result: PhaseResult | str, before: Definition
    ) -> Judgement:
        if self.judge.interrupt.is_set() and report.verdict is not Verdict.COMPLETE:
            return _failed("interrupted on request")
        if report.verdict is Verdict.LIMITED:
            reason = report.reason or "the worker says it is limited"
            return Judgement(
                state=AttemptState.LIMITED, reason=reason, resets_at=report.limit_reset
            )
        if isinstance(result, str):
            return _failed(result)
        if result.outcome is Outcome.BLOCKED:
            reason = result.context or result.summary or "it does not say on what"
            return Judgement(state=AttemptState.BLOCKED, reason=reason)
        if result.outcome is Outcome.FAILED:
            return _failed(result.summary or report.reason or "the worker says it failed")
        try:
            return await self._check(result, before)
        except (AdapterError, GuardianError, StoreError):
            raise  # the disk or git fails: nothing that the worker did
        except OrchestratorError as error:
            return _failed(f"the result could not be checked: {error.message}")

    async def _check(self, result: PhaseResult, before: Definition) -> Judgement:
        taken = await self.judge.take(self.head)
        if taken.problems:
            return _failed(taken.problems[0], "\n".join(taken.problems))
        changed = [os.fsdecode(path) for path in taken.changed]
        crossed = protect.complaints(
            changed,
            self.runner.checker.build.protect,
            before,
            await self.definition(),
            [self.task.brief],
        )
        if crossed:
            return _failed(crossed[0], "\n".join(crossed))
        is_complete = result.outcome is Outcome.COMPLETE
        if is_complete:
            values = gate_values(self.item.id, self.phase.name)
            closed = failing(
                await examine(
                    self.phase.leave,
                    root=self.runner.root,
                    values=values,
                    checker=self.judge.checker,
                    deadline=GATE_SECONDS,
                    ask=asking(self.runner.caller, values),
                    verify=self.judge.checker.build.verify,
                )
            )
            if closed:
                reason = f"it may not leave {self.phase.name}: {closed[0]}"
                return _failed(reason, "\n".join(closed))
        checks = await self._due(changed, at_end=self.is_last and is_complete)
        if checks:
            last = (await self.judge.checker.run(checks))[-1]
            if not last.passed:
                return _failed(f"verify failed: {last.command} ({last.reason})", last.output)
        return Judgement(state=AttemptState.VERIFIED, tree=taken.tree, verified=bool(checks))

    async def _due(self, changed: list[str], *, at_end: bool) -> tuple[Check, ...]:
        """Return the verify commands that this attempt has to pass."""
        checks = [
            check for check in self.judge.checker.build.verify if at_end or check.at == "story"
        ]
        whole = changed
        if any(check.at == "end" and check.when for check in checks):
            taken = await self.judge.take(self.judge.start)
            whole = [os.fsdecode(path) for path in taken.changed]
        return tuple(
            check
            for check in checks
            if not check.when or any_matches(whole if check.at == "end" else changed, check.when)
        )


def _failed(reason: str, evidence: str = "") -> Judgement:
    return Judgement(state=AttemptState.FAILED, reason=reason, evidence=evidence)
