"""Runs the verify commands of an attempt for its worker, where and as the engine will."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.process import run
from orchestrator.adapters.threads import in_thread
from orchestrator.agents.assignment import Assignment
from orchestrator.errors import AdapterTimedOutError, NotStartedError
from orchestrator.redact import matches
from orchestrator.settings import Check
from orchestrator.text import clean
from orchestrator.work.records import tail

OUTPUT_LIMIT = 8_192
"""Characters of what a command printed that are told, from its end."""

_ADDED = ("CLAUDECODE", "CLAUDE_CODE_*", "CLAUDE_PROJECT_DIR", "AI_AGENT")
"""What an agent tells its children of itself, and verification does not see."""

_LONGEST = 86_400.0
_GRACE = 1.0
_MARGIN = 10.0
_BOTH = 'exec /bin/sh -c "$1" 1>&2'
"""Both outputs are one, and of the standard error the end is what is kept."""


@attrs.frozen(kw_only=True)
class Verified:
    """How the verify commands ended.

    Attributes:
      passed: whether all of them did.
      command: the one that failed, after which none was run; "" when all passed.
      reason: what was wrong with its end.
      message: all that in words, with the end of what it printed.
    """

    passed: bool
    command: str = ""
    reason: str = ""
    message: str


@attrs.define(eq=False, kw_only=True)
class Verifier:
    """Runs the verify commands of one attempt.

    Attributes:
      environ: of this process.
      doing: the command that runs, "" when none does.
    """

    assignment: Assignment
    environ: Mapping[str, str]
    doing: str = attrs.field(default="", init=False)
    _limiter: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(1), init=False
    )

    @property
    def variables(self) -> dict[str, str]:
        """What the commands get: neither the worker's credentials nor what is its own."""
        out = (*self.assignment.withheld, *_ADDED)
        return {name: text for name, text in self.environ.items() if not matches(name, out)}

    async def run(self) -> Verified:
        """Run them in order; stop at the first that fails.

        Cancellation kills the process group of the one that runs, and returns when it is gone.
        """
        checks = self.assignment.verify
        for check in checks:
            self.doing = check.run
            try:
                reason, output = await self._run(check)
            finally:
                self.doing = ""
            if reason:
                said = tail(clean(output.decode(errors="replace")), OUTPUT_LIMIT)
                message = f"{check.run} failed ({reason})\n{said}".rstrip()
                return Verified(passed=False, command=check.run, reason=reason, message=message)
        if not checks:
            return Verified(passed=True, message="No commands verify this attempt.")
        all_pass = "It passes" if len(checks) == 1 else f"All {len(checks)} pass"
        return Verified(
            passed=True, message=f"{all_pass}: {'; '.join(check.run for check in checks)}"
        )

    async def _run(self, check: Check) -> tuple[str, bytes]:
        """Run one; returns what is wrong with its end, "" for nothing, and what it printed."""
        limit = check.timeout or _LONGEST
        try:
            return await in_thread(
                self._run_blocking,
                check,
                limit,
                deadline=limit + _MARGIN,
                limiter=self._limiter,
                what=check.run,
            )
        except AdapterTimedOutError:
            return f"took longer than {limit:g} s", b""
        except NotStartedError as error:
            return error.message, b""

    def _run_blocking(self, check: Check, limit: float) -> tuple[str, bytes]:
        cwd = self.assignment.root / check.cwd
        if not _is_inside(cwd, self.assignment.root):
            return f"its directory {check.cwd} is not in the project", b""
        done = run(
            ("/bin/sh", "-c", _BOTH, "sh", check.run),
            cwd=cwd,
            env={**self.variables, "PWD": str(cwd)},
            stderr_limit=4 * OUTPUT_LIMIT,
            deadline=limit,
            stop_grace=_GRACE,
        )
        return f"exit {done.returncode}" if done.returncode else "", done.stderr


def _is_inside(cwd: Path, root: Path) -> bool:
    """Tell whether it is a directory of the project, also after following its links."""
    resolved = cwd.resolve()
    return resolved.is_relative_to(root.resolve()) and resolved.is_dir()
