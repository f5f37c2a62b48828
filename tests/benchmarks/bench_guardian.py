"""Prints what a guardian costs, as ratios to a bare spawn.

Run it with ``python -m tests.benchmarks.bench_guardian``. Hand-over: from the call to
the worker's start, with a guardian that waits; cold: with none.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import trio

from orchestrator.guardian.client import Guardians, Job

ROUNDS = 30


async def _start(guardians: Guardians) -> float:
    """Return the seconds until a worker has started."""
    job = Job(argv=("true",), cwd=Path("/"), env=dict(os.environ))
    began = time.perf_counter()
    async with guardians.run(job) as process:
        taken = time.perf_counter() - began
        await process.wait()
    return taken


def _spawn() -> float:
    began = time.perf_counter()
    subprocess.run(["true"], check=True)
    return time.perf_counter() - began


@contextlib.asynccontextmanager
async def _prepared() -> AsyncIterator[Guardians]:
    async with Guardians() as guardians:
        while guardians._next is None:  # noqa: ASYNC110 (no part of its work)
            await trio.sleep(0.001)
        # Registered is not ready: give the interpreter the time it has in a run.
        await trio.sleep(0.1)
        yield guardians


async def _measure() -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {"bare spawn": [], "hand-over": [], "cold start": []}
    for _ in range(ROUNDS):
        taken["bare spawn"].append(_spawn())
        async with _prepared() as guardians:
            taken["hand-over"].append(await _start(guardians))
        async with Guardians() as guardians:
            taken["cold start"].append(await _start(guardians))
    return taken


def main() -> None:
    """Measure in turns, so that all share the machine's moods, and print medians."""
    taken = trio.run(_measure)
    bare = statistics.median(taken["bare spawn"])
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{name:12} {middle * 1000:7.2f} ms  {middle / bare:6.2f} x a bare spawn")
    ratio = statistics.median(taken["cold start"]) / statistics.median(taken["hand-over"])
    print(f"a waiting guardian starts a worker {ratio:.1f} times as fast as a cold one")


if __name__ == "__main__":
    main()
