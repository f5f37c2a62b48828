"""An engine in a process of its own, which a test can kill: one guarded worker, told on stdin."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import trio

from orchestrator.errors import GuardianError
from orchestrator.guardian import tree
from orchestrator.guardian.client import Guardians, Job
from orchestrator.guardian.reaper import become_subreaper


async def _main(order: dict[str, object]) -> None:
    job = Job(
        argv=("sh", "-c", str(order["script"])),
        cwd=Path("/"),
        env=dict(order["env"]),  # type: ignore[call-overload]
        lock=Path(str(order["lock"])),
    )
    async with Guardians() as guardians:
        async with guardians.run(job) as process:
            assert await process.stdout.receive_some() == b"ready\n"
            worker = tree.look(process.pid)
            assert worker is not None
            print(worker.parent, flush=True)
            try:
                await process.wait()
            except GuardianError:
                print("lost", flush=True)
        print("left", flush=True)
        await trio.sleep_forever()


if __name__ == "__main__":
    given = json.loads(sys.stdin.readline())
    if given["subreaper"]:
        become_subreaper()
    trio.run(_main, given)
