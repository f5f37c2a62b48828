"""What a client of `orc mcp` waits for, as ratios to a bare echo server of the SDK.

``python -m tests.benchmarks.bench_mcp [CALLS [ROUNDS]]``. Both servers run over stdio, and are
called in turns by the SDK's own client; a ratio is the median over the rounds. Last, reads are
timed while a commit waits for a hook of 5 seconds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import trio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

HOOK = 5
"""Seconds that the slow commit takes."""

CONFIG = """\
[[pipelines.feature.phases]]
name = "one"

[[pipelines.feature.phases]]
name = "two"
"""
ECHO = """\
import trio
from mcp.server.mcpserver import MCPServer
server = MCPServer("echo")

@server.tool()
async def echo(text: str) -> str:
    return text

trio.run(server.run_stdio_async)
"""
BRANCH = "feature/1-x"
Call = Callable[[], Awaitable[object]]


def make_project(path: Path) -> None:
    """Make a repository with a workflow of two phases."""
    path.mkdir()
    (path / "orchestrator.toml").write_text(CONFIG)
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "Start"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@localhost"]
        subprocess.run(["git", *identity, *words], cwd=path, check=True)
    for name, value in (("user.name", "A"), ("user.email", "a@localhost")):
        subprocess.run(["git", "config", name, value], cwd=path, check=True)


@asynccontextmanager
async def connected(argv: Sequence[str], cwd: Path) -> AsyncGenerator[Client]:
    """Give a client of a server."""
    server = StdioServerParameters(
        command=argv[0], args=list(argv[1:]), cwd=cwd, env=dict(os.environ)
    )
    async with Client(stdio_client(server)) as client:
        yield client


async def timed(call: Call, calls: int) -> list[float]:
    """Return the seconds of each of some calls, one after another."""
    found = []
    for _ in range(calls):
        start = time.perf_counter()
        await call()
        found.append(time.perf_counter() - start)
    return found


def p99(times: Sequence[float]) -> float:
    """Return what all but one in a hundred stay below."""
    return sorted(times)[min(len(times) - 1, len(times) * 99 // 100)]


async def measure(calls: int, rounds: int, directory: Path) -> None:
    """Measure and print everything."""
    project = directory / "project"
    make_project(project)
    orc, echo = [sys.executable, "-m", "orchestrator", "mcp"], [sys.executable, "-c", ECHO]
    starts: dict[str, list[float]] = {"echo": [], "orc mcp": []}
    for _ in range(max(3, rounds)):
        for name, argv in (("echo", echo), ("orc mcp", orc)):
            begun = time.perf_counter()
            async with connected(argv, project) as client:
                await client.list_tools()
                starts[name].append(time.perf_counter() - begun)
    async with connected(orc, project) as client, connected(echo, project) as bare:
        started = await client.call_tool("phase_start_work", {"branch": BRANCH})
        assert not started.is_error, started.content
        steps = count()

        async def transition() -> None:
            to = ("two", "one")[next(steps) % 2]
            words = {"to": to, "reason": "r", "approved_by": "b"}
            result = await client.call_tool("phase_force_transition", words)
            assert not result.is_error, result.content

        kinds: dict[str, Call] = {
            "echo": lambda: bare.call_tool("echo", {"text": "x"}),
            "health": lambda: client.call_tool("health", {}),
            "get state": lambda: client.call_tool("phase_get_state", {}),
            "transition": transition,
        }
        found: dict[str, list[list[float]]] = {name: [] for name in kinds}
        for number in range(rounds):
            for name in list(kinds) if number % 2 else list(kinds)[::-1]:
                found[name].append(await timed(kinds[name], calls))
        print(f"{'':26}{'per second':>12}{'p99 ms':>10}{'x echo':>8}{'p99 x':>8}")
        for name, times in found.items():
            every = [each for one in times for each in one]
            pairs = list(zip(times, found["echo"], strict=True))
            mean = statistics.median(sum(a) / sum(b) for a, b in pairs)
            worst = statistics.median(p99(a) / p99(b) for a, b in pairs)
            rate = len(every) / sum(every)
            print(f"{name:26}{rate:12.0f}{p99(every) * 1e3:10.1f}{mean:8.2f}{worst:8.2f}")
        await beside_a_slow_commit(client, project, kinds)
    for name, seconds in starts.items():
        median, least = statistics.median(seconds), statistics.median(starts["echo"])
        print(f"{name + ', to its tools':26}{median * 1e3:8.0f} ms {median / least:20.2f}")


async def beside_a_slow_commit(client: Client, project: Path, kinds: dict[str, Call]) -> None:
    """Time reads while a commit waits for its hook, and print them."""
    hook = project / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/sh\nsleep {HOOK}\n")
    hook.chmod(0o755)
    (project / "slow").write_text("x")
    over = trio.Event()

    async def commit() -> None:
        result = await client.call_tool("git_commit_changes", {"message": "slow"})
        assert not result.is_error, result.content
        over.set()

    found: dict[str, list[float]] = {"health": [], "get state": []}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(commit)
        await trio.sleep(0.5)
        while not over.is_set():
            for name in found:
                found[name] += await timed(kinds[name], 1)
            await trio.sleep(0.005)
    for name, times in found.items():
        told = f"{name}, slow commit"
        print(f"{told:26}{'':12}{p99(times) * 1e3:10.1f}   worst {max(times) * 1e3:.1f} ms")


def main(calls: int = 200, rounds: int = 5) -> None:
    """Measure and print everything, in a directory that is gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_STATE_HOME"] = f"{directory}/state"
        trio.run(measure, calls, rounds, Path(directory))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
