"""A long-lived client of a repository: ``session_host.py DIRECTORY LINGER``.

A line of its input is ``[ID, NAME, ARGUMENTS]``, a call, or ``[ID]``, which cancels that call; its
end is the client's. It answers with lines ``[ID, "done", RESULT]``, ``[ID, "failed", ERROR]``,
``[ID, "cancelled", null]`` and ``[ID, "progress", TEXT]``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import trio

from orchestrator.adapters.lines import iter_lines
from orchestrator.errors import OrchestratorError
from orchestrator.run.engine.session import Session


def say(id: int, what: str, value: Any) -> None:
    """Print a line."""
    print(json.dumps([id, what, value]), flush=True)


async def call(session: Session, scope: trio.CancelScope, id: int, name: str, given: Any) -> None:
    """Make one call and tell what came of it."""
    try:
        with scope:
            result = await session.call(name, given, lambda _, text: say(id, "progress", text))
            say(id, "done", result)
    except OrchestratorError as error:
        say(id, "failed", error.document())
    if scope.cancelled_caught:
        say(id, "cancelled", None)


async def main(directory: Path, linger: float) -> None:
    """Serve until the input ends."""
    session = Session(directory=directory, linger=linger)
    scopes: dict[int, trio.CancelScope] = {}
    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        async with trio.open_nursery() as calls, trio.lowlevel.FdStream(0) as stdin:
            async for line in iter_lines(stdin):
                assert isinstance(line, bytes)
                id, *asked = json.loads(line)
                if asked:
                    scopes[id] = trio.CancelScope()
                    calls.start_soon(call, session, scopes[id], id, *asked)
                else:
                    scopes[id].cancel()
            calls.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]), float(sys.argv[2]))
