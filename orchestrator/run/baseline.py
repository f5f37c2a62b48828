"""Prepares a workspace: set-up once, then the baseline in the untouched tree, before any worker."""

from __future__ import annotations

import json

import attrs

from orchestrator.errors import BaselineError, StoppedError
from orchestrator.settings import Check

from .attempt import AttemptRunner
from .commands import RestoreWorkspace, TakeCheckpoint
from .events import BaselinePassed, Warned
from .judge import shown_paths


@attrs.frozen(kw_only=True)
class Baseline:
    """The state of an item's workspace before its next attempt; ``tip`` is the branch's commit."""

    runner: AttemptRunner
    tip: str

    async def prepare(self) -> None:
        """Run set-up once per workspace, and verification before the first checkpoint.

        Raises:
          BaselineError: when one of them fails: no worker may start then.
          StoppedError: when a stop interrupted them.
        """
        settings, opened = self.runner.settings, self.runner.opened
        mark = opened.workspace.directory / "setup.json"
        made = (opened.workspace.directory / "marker.json").read_text()
        checker = self.runner.checker
        setup = checker.setup
        current = json.dumps([made, [check.run for check in setup]])
        checks: tuple[Check, ...] = ()
        if setup and (not mark.exists() or mark.read_text() != current):
            checks = setup
        fresh = self.tip == opened.run.start
        if settings.baseline and fresh:
            checks += checker.build.verify
        if fresh and not self.runner.is_checked:
            message = "no verify command: stories will be done, unverified"
            await self.runner.record(Warned(message=message))
        if not checks:
            return
        results = await checker.run(checks)
        last = results[-1]
        if not last.passed and self.runner.interrupt.is_set():
            raise StoppedError("stopped before any work", fix="run the same command again")
        if not last.passed:
            raise BaselineError(
                f"`{last.command}` fails before any work ({last.reason}):\n{last.output}",
                where=str(self.runner.root),
                fix="mend it, choose other commands with --setup or --verify, or --baseline skip",
            )
        seconds = sum(result.seconds for result in results)
        commands = tuple(check.run for check in checks)
        await self.runner.record(BaselinePassed(commands=commands, seconds=seconds))
        await self._take_back()
        mark.write_text(current)

    async def _take_back(self) -> None:
        """Remove what set-up and verify left and git does not ignore: it is nobody's work."""
        item, place = self.runner.opened.run.item, self.runner.opened.workspace
        taken = await self.runner.caller.call(
            TakeCheckpoint(item=item, workspace=place, tip=self.tip)
        )
        if taken.changed:
            message = (
                f"set-up or verify left files that git does not ignore: "
                f"{shown_paths(taken.changed)}; they were taken back"
            )
            await self.runner.record(Warned(message=message))
            await self.runner.caller.call(
                RestoreWorkspace(item=item, workspace=place, tip=self.tip)
            )
