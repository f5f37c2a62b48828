"""The baseline: before any worker, set-up and verification must pass in the untouched tree."""

from __future__ import annotations

import os

import attrs

from orchestrator.errors import BaselineError, StoppedError
from orchestrator.run.attempts.attempt import AttemptRunner
from orchestrator.run.checks.preparation import Preparation
from orchestrator.run.checks.remembered import tree_to_build
from orchestrator.run.checks.verify import CheckResult
from orchestrator.run.commands import RecallBaseline, RememberBaseline
from orchestrator.run.events import BaselineFailed, BaselinePassed, Warned


@attrs.frozen(kw_only=True)
class Baseline:
    """The state of an item's workspace before its next attempt.

    Attributes:
      tip: the branch's commit.
      spec: where the change's own files lie below the repository, "" when they are no files.
    """

    runner: AttemptRunner
    tip: str
    spec: str

    async def set_up(self) -> tuple[CheckResult, ...]:
        """Run set-up once per workspace; returns how its commands ended.

        Raises:
          BaselineError: when one of them fails: no worker may start then.
          StoppedError: when a stop interrupted them.
        """
        results = await self._preparation.set_up()
        await self._require(results)
        return results

    async def prepare(self) -> None:
        """Run set-up once per workspace, and verification before the first checkpoint.

        Verification that passed before, on the same tree with the same commands and tools, is not
        paid for again.

        Raises:
          BaselineError: when one of them fails: no worker may start then.
          StoppedError: when a stop interrupted them.
        """
        runner, opened = self.runner, self.runner.opened
        results = await self.set_up()
        build = runner.checker.build
        if self.tip != opened.run.start:
            return
        if not runner.is_checked:
            message = "no verify command: stories will be done, unverified"
            await runner.record(Warned(message=message))
        if not build.verify or not runner.settings.baseline:
            return
        commit = tree_to_build(opened.run, self.spec)
        known = await runner.caller.call(
            RecallBaseline(commit=commit, root=opened.run.root, build=build)
        )
        if known is not None:
            await runner.record(BaselinePassed(commands=(), seconds=0, remembered=known))
            return
        checked = await runner.checker.run(build.verify)
        await self._require(checked)
        await self._preparation.take_back("verify")
        seconds = [sum(result.seconds for result in some) for some in (results, checked)]
        await runner.caller.call(
            RememberBaseline(
                commit=commit,
                root=opened.run.root,
                build=build,
                setup_seconds=seconds[0],
                verify_seconds=seconds[1],
            )
        )
        commands = tuple(result.command for result in (*results, *checked))
        await runner.record(BaselinePassed(commands=commands, seconds=sum(seconds)))

    @property
    def _preparation(self) -> Preparation:
        return Preparation(
            caller=self.runner.caller,
            record=self.runner.record,
            item=self.runner.opened.run.item,
            workspace=self.runner.opened.workspace,
            checker=self.runner.checker,
            tip=self.tip,
        )

    async def _require(self, results: tuple[CheckResult, ...]) -> None:
        if not results or results[-1].passed:
            return
        last = results[-1]
        if self.runner.interrupt.is_set():
            raise StoppedError("stopped before any work", fix="run the same command again")
        failed = BaselineFailed(command=last.command, reason=last.reason, output=last.output)
        await self.runner.record(failed)
        raise BaselineError(
            f"`{last.command}` fails before any work ({last.reason}):\n{last.output}",
            where=os.fspath(self.runner.checker.root),
            fix="mend it, choose other commands with --setup or --verify, or --baseline skip",
        )
