"""Runs set-up and verify commands and keeps the tail of what they print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import trio

from orchestrator.text import clean
from orchestrator.work.records import EVIDENCE_LIMIT, tail

from .host import GuardedHost


@attrs.frozen(kw_only=True)
class CheckResult:
    """How one shell command ended. ``output`` is the tail of both its streams, printable."""

    command: str
    passed: bool
    reason: str
    output: str
    seconds: float


async def run_checks(
    commands: Sequence[str],
    *,
    host: GuardedHost,
    cwd: Path,
    env: Mapping[str, str],
    timeout: float,
) -> tuple[CheckResult, ...]:
    """Run ``commands`` in order through the shell; stop at the first that fails.

    Args:
      timeout: seconds each command may take; then its tree is killed and it has failed.

    Cancellation kills the running command's tree.
    """
    results = []
    for command in commands:
        result = await _run_check(command, host=host, cwd=cwd, env=env, timeout=timeout)
        results.append(result)
        if not result.passed:
            break
    return tuple(results)


async def _run_check(
    command: str, *, host: GuardedHost, cwd: Path, env: Mapping[str, str], timeout: float
) -> CheckResult:
    started = trio.current_time()
    output = bytearray()
    reason = f"took longer than {timeout:g} s"
    with trio.move_on_after(timeout):
        async with host.run(("/bin/sh", "-c", command), cwd=cwd, env=env) as process:
            await process.stdin.aclose()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_collect, process.stdout, output)
                nursery.start_soon(_collect, process.stderr, output)
                ended = await process.wait()
            reason = "" if ended.returncode == 0 else f"exit {ended.returncode}"
    return CheckResult(
        command=command,
        passed=not reason,
        reason=reason,
        output=tail(clean(output.decode(errors="replace")), EVIDENCE_LIMIT),
        seconds=trio.current_time() - started,
    )


async def _collect(stream: trio.abc.ReceiveStream, output: bytearray) -> None:
    async for chunk in stream:
        output += chunk
        if len(output) > 8 * EVIDENCE_LIMIT:
            del output[: -4 * EVIDENCE_LIMIT]
