"""Runs set-up and verify commands and keeps the tail of what they print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from orchestrator.errors import OrchestratorError
from orchestrator.guardian.client import GuardedProcess
from orchestrator.redact import Redactor
from orchestrator.run.hosting.denied import denied_write
from orchestrator.run.hosting.host import GuardedHost
from orchestrator.settings import Check
from orchestrator.text import clean
from orchestrator.work.records import EVIDENCE_LIMIT, tail

_TELL_EVERY = 30.0


@attrs.frozen(kw_only=True)
class CheckResult:
    """How one shell command ended. ``output`` is the tail of both its streams, printable."""

    command: str
    passed: bool
    reason: str
    output: str
    seconds: float


async def run_checks(
    checks: Sequence[Check],
    *,
    host: GuardedHost,
    root: Path,
    env: Mapping[str, str],
    timeout: float,
    interrupt: trio.Event,
    redact: Redactor,
    tell: Callable[[str, float], None],
) -> tuple[CheckResult, ...]:
    """Run commands in order through the shell; stop at the first that fails.

    Args:
      root: the project's directory, below which each starts.
      interrupt: once set, the running command's tree is killed and it has failed.
      timeout: seconds a command without a time of its own may take; then its tree is killed and
        it has failed.
      redact: takes secrets out of what they print.
      tell: is given a command as it starts, with 0, and while it runs with its seconds so far.

    Cancellation kills the running command's tree.
    """
    results = []
    for check in checks:
        result = await _run_check(
            check,
            host=host,
            root=root,
            env=env,
            timeout=timeout,
            interrupt=interrupt,
            tell=partial(tell, check.run),
        )
        result = attrs.evolve(result, output=tail(redact.text(result.output), EVIDENCE_LIMIT))
        if not result.passed and host.confines:
            advice = await trio.to_thread.run_sync(denied_write, result.output, host.writable)
            result = attrs.evolve(result, reason=result.reason + advice)
        results.append(result)
        if not result.passed:
            break
    return tuple(results)


async def _run_check(
    check: Check,
    *,
    host: GuardedHost,
    root: Path,
    env: Mapping[str, str],
    timeout: float,
    interrupt: trio.Event,
    tell: Callable[[float], None],
) -> CheckResult:
    started = trio.current_time()
    output = bytearray()
    cwd = root / check.cwd
    reason = "" if await _inside(cwd, root) else f"its directory {check.cwd} is not in the project"
    limit = check.timeout or timeout
    if not reason:
        with trio.move_on_after(limit) as scope:
            argv = ("/bin/sh", "-c", check.run)
            async with host.run(argv, cwd=cwd, env={**env, "PWD": str(cwd)}) as process:
                reason = await _follow(process, output, interrupt, scope, tell)
        if scope.cancelled_caught:
            late = f"took longer than {limit:g} s"
            reason = "interrupted on request" if interrupt.is_set() else late
    return CheckResult(
        command=check.run,
        passed=not reason,
        reason=reason,
        output=clean(output.decode(errors="replace")),
        seconds=trio.current_time() - started,
    )


async def _inside(cwd: Path, root: Path) -> bool:
    """Whether ``cwd`` is a directory of the project, also after following its links."""
    resolved = await trio.Path(cwd).resolve()
    return resolved.is_relative_to(await trio.Path(root).resolve()) and await resolved.is_dir()


async def _follow(
    process: GuardedProcess,
    output: bytearray,
    interrupt: trio.Event,
    scope: trio.CancelScope,
    tell: Callable[[float], None],
) -> str:
    """Collect what a command prints until it ends; returns what is wrong with its end."""
    failure: OrchestratorError | None = None
    code = 0
    await process.stdin.aclose()
    async with trio.open_nursery() as watcher:
        watcher.start_soon(_cancel_when, interrupt, scope)
        watcher.start_soon(_tell_time, tell)
        async with trio.open_nursery() as readers:
            readers.start_soon(_collect, process.stdout, output)
            readers.start_soon(_collect, process.stderr, output)
            try:
                code = (await process.wait()).returncode
            except OrchestratorError as error:
                failure = error  # raised here it would come out wrapped in two groups
        watcher.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return f"exit {code}" if code else ""


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


async def _tell_time(tell: Callable[[float], None]) -> None:
    started = trio.current_time()
    tell(0.0)
    while True:
        await trio.sleep(_TELL_EVERY)
        tell(trio.current_time() - started)


async def _collect(stream: trio.abc.ReceiveStream, output: bytearray) -> None:
    async for chunk in stream:
        output += chunk
        if len(output) > 8 * EVIDENCE_LIMIT:
            del output[: -4 * EVIDENCE_LIMIT]
