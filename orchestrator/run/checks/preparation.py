"""Makes a workspace ready: what is copied into it, then set-up, once; then it is remembered."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import attrs
import trio

from orchestrator.adapters.git.workspace import Workspace
from orchestrator.messages import Fact
from orchestrator.run.checks.checker import Checker
from orchestrator.run.checks.interpreter import require_own_code
from orchestrator.run.checks.verify import CheckResult
from orchestrator.run.commands import (
    Caller,
    CopyIn,
    NoteBrought,
    RestoreWorkspace,
    TakeCheckpoint,
)
from orchestrator.run.events import Warned
from orchestrator.text import shown_paths


@attrs.frozen(kw_only=True)
class Preparation:
    """The state of one workspace before any worker or verification uses it.

    Attributes:
      record: tells a fact.
      tip: the commit it is at.
    """

    caller: Caller
    record: Callable[[Fact], Awaitable[None]]
    item: str
    workspace: Workspace
    checker: Checker
    tip: str

    async def set_up(self) -> tuple[CheckResult, ...]:
        """Set the workspace up, unless that was done; returns how the commands ended.

        What it brings and git does not ignore stays in the workspace and in no tree of ours; what
        it changes of the commit's own files is taken back. After a failure or a crash the next
        call does it again.

        Raises:
          ConfigError: when something that is to be copied is missing, or the Python of the commands
            runs code of the checkout.
        """
        results = await self._set_up()
        if (not results or results[-1].passed) and self.workspace.path != self.checker.checkout:
            await require_own_code(self.checker)
        return results

    async def _set_up(self) -> tuple[CheckResult, ...]:
        mark = trio.Path(self.workspace.directory / "setup.json")
        made = await trio.Path(self.workspace.directory / "marker.json").read_text()
        commands = [check.run for check in self.checker.setup]
        copies = self.checker.build.copy
        current = json.dumps([made, commands, copies])
        if await mark.exists() and await mark.read_text() == current:
            return ()
        if copies:
            await self.caller.call(CopyIn(item=self.item, workspace=self.workspace, names=copies))
        results = await self.checker.run(self.checker.setup)
        if results and not results[-1].passed:
            return results
        brought = await self.caller.call(NoteBrought(item=self.item, workspace=self.workspace))
        new = [path for path in brought if not self._is_copy(path)]
        if new:
            shown = shown_paths(new)
            message = f"set-up left files that git does not ignore; never committed: {shown}"
            await self.record(Warned(message=message))
        await self.take_back("set-up")
        await mark.write_text(current)
        return results

    async def take_back(self, who: str) -> None:
        """Bring the workspace to its commit again; ``who`` ran in it and is nobody's work."""
        taken = await self.caller.call(
            TakeCheckpoint(item=self.item, workspace=self.workspace, tip=self.tip)
        )
        if taken.changed:
            message = f"{who} changed files, which are taken back: {shown_paths(taken.changed)}"
            await self.record(Warned(message=message))
            await self.caller.call(
                RestoreWorkspace(item=self.item, workspace=self.workspace, tip=self.tip)
            )

    def _is_copy(self, path: bytes) -> bool:
        name = path.decode(errors="surrogateescape")
        copies = [copy.rstrip("/") for copy in self.checker.build.copy]
        return any(name == copy or name.startswith(f"{copy}/") for copy in copies)
