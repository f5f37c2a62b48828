"""Keeps the computer awake while a run goes on, where a program can."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from orchestrator.errors import OrchestratorError
from orchestrator.guardian.client import Guardians, Job
from orchestrator.text import one_line

_SAID = 4096
# Each holds for as long as `cat` reads its input, which ends with us at the latest.
_PROGRAMS = (
    ("systemd-inhibit", "--what=idle:sleep", "--who=orchestrator", "--why=a run is going on",
     "--mode=block", "cat"),
    ("caffeinate", "-is", "cat"),
)  # fmt: skip


@asynccontextmanager
async def kept_awake(warn: Callable[[str], Awaitable[None]]) -> AsyncGenerator[None, None]:
    """Keep the computer awake for as long as the block lasts, or ``warn`` why not.

    What holds it runs under a guardian: it does not outlive this process.
    """
    path = os.environ.get("PATH")
    argv = next((argv for argv in _PROGRAMS if shutil.which(argv[0], path=path)), None)
    if argv is None:
        names = " nor ".join(program[0] for program in _PROGRAMS)
        await warn(f"cannot keep awake: there is neither {names}")
        yield
        return
    async with Guardians() as guardians, trio.open_nursery() as nursery:
        nursery.start_soon(_hold, guardians, argv, warn)
        yield
        nursery.cancel_scope.cancel()


async def _hold(
    guardians: Guardians, argv: tuple[str, ...], warn: Callable[[str], Awaitable[None]]
) -> None:
    said = bytearray()
    try:
        async with guardians.run(Job(argv=argv, cwd=Path("/"), env=dict(os.environ))) as process:
            while data := await process.stderr.receive_some(_SAID):
                said += data
                del said[:-_SAID]
            await process.wait()
    except OrchestratorError as error:
        said = bytearray(error.message.encode())
    await warn(f"cannot keep awake: {one_line(said.decode(errors='replace')) or argv[0]}")
