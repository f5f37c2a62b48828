"""What the git adapter costs, and what git may cost the event loop; run by hand, prints tables.

``python tests/benchmarks/bench_git_adapter.py [CALLS [ROUNDS]]``. One call: the adapter's
`Git.run`, in this thread and through `in_thread`, as a ratio to `subprocess.run` of the same
arguments in the same environment; each round times CALLS of each, every other round backwards, and
a ratio is the median over the rounds. Lateness: how much later than due a task wakes from sleeps
of 1 ms, idle, while as many bare threads as cores only start git, and while `QUEUED` calls wait for
the limiter, which has one place per core and at least two. Reads: how long an inline read of the
coordinator takes while a git command of `SLOW` seconds runs in a lane.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import attrs
import trio

from orchestrator import Command, Context, Plugin, open_orchestrator
from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.threads import in_thread
from orchestrator.run.threads import GitThreads

QUEUED = 40
REPEATS = 10
"""How often the queue is filled while the lateness is taken."""

SLOW = 5.0
PAUSE = 0.001
CALL = ("rev-parse", "--verify", "HEAD")
CORES = os.cpu_count() or 2


@attrs.frozen(kw_only=True)
class Read(Command[int]):
    """An inline read."""


@attrs.frozen(kw_only=True)
class Work(Command[None]):
    """A git command of `SLOW` seconds."""


plugin = Plugin("bench")


@plugin.handles(Read, name="read-it")
def read_it(command: Read, context: Context) -> int:
    """Handle `Read`."""
    return 1


@plugin.handles(Work, name="work-it", deadline=30, lane=lambda command: "a")
async def work_it(command: Work, context: Context) -> None:
    """Handle `Work`."""
    await context.service(GitThreads).run(context.service(Git).run, "slow")


def bare(argv: list[str], cwd: Path, env: dict[str, str]) -> None:
    """Start a process and read what it says, with nothing around it."""
    subprocess.run(
        argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True
    )


def same_call(git: Git) -> Callable[[], None]:
    """Return a bare run of what ``git`` runs for `CALL`, its arguments and environment recorded."""
    with tempfile.TemporaryDirectory() as directory:
        spy = Path(directory, "git")
        spy.write_text("#!/bin/sh\nexec env -0\n")
        spy.chmod(0o755)
        listed = git._replace(executable=str(spy)).run(*CALL).stdout
    entries = (os.fsdecode(entry).partition("=") for entry in listed.split(b"\0") if entry)
    env = {name: value for name, _, value in entries if name not in ("_", "PWD", "OLDPWD", "SHLVL")}
    argv = [git.executable, "--literal-pathspecs", "--no-replace-objects"]
    return partial(bare, [*argv, f"--git-dir={git.git_dir}", *CALL], git.git_dir, env)


async def through_thread(git: Git, calls: int) -> None:
    """Make the calls one after another, each a thread hop under a deadline."""
    limiter = trio.CapacityLimiter(max(2, CORES))
    for _ in range(calls):
        await in_thread(partial(git.run, *CALL), deadline=30, limiter=limiter, what="git")


def time_calls(git: Git, calls: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds per call of the three ways, round by round."""
    raw = same_call(git)
    ways: dict[str, Callable[[], object]] = {
        "subprocess.run": lambda: [raw() for _ in range(calls)],
        "Git.run": lambda: [git.run(*CALL) for _ in range(calls)],
        "Git.run in a thread": lambda: trio.run(through_thread, git, calls),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        names = list(ways) if number % 2 else list(ways)[::-1]
        for name in names:
            start = time.perf_counter()
            ways[name]()
            if number:  # round 0 warms up
                found[name].append((time.perf_counter() - start) / calls)
    return found


async def lateness(work: Callable[[], Awaitable[None]] | None) -> list[float]:
    """Return by how much each of the sleeps was late, sorted, while ``work`` is done."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            due = trio.current_time() + PAUSE
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        if work is None:
            await trio.sleep(1)
        else:
            await work()
        nursery.cancel_scope.cancel()
    return sorted(late)


async def bare_threads(raw: Callable[[], None]) -> None:
    """Start as many git processes as ``queue`` does, in one plain thread per core."""
    threads = max(2, CORES)

    def share() -> None:
        for _ in range(QUEUED * REPEATS // threads):
            raw()

    async with trio.open_nursery() as nursery:
        for _ in range(threads):
            nursery.start_soon(trio.to_thread.run_sync, share)


async def queue(git: Git) -> None:
    """Queue `QUEUED` calls at once, `REPEATS` times."""
    limiter = trio.CapacityLimiter(max(2, CORES))
    for _ in range(REPEATS):
        async with trio.open_nursery() as nursery:
            for _ in range(QUEUED):
                nursery.start_soon(
                    partial(
                        in_thread,
                        partial(git.run, *CALL),
                        deadline=30,
                        limiter=limiter,
                        what="git",
                    )
                )


async def reads(git: Git, *, busy: bool) -> list[float]:
    """Return the seconds that inline reads took, sorted, with or without a slow git at work."""
    threads = GitThreads(limiter=trio.CapacityLimiter(max(2, CORES)), deadline=30)
    taken = []
    services = {Git: git, GitThreads: threads}
    async with (
        open_orchestrator(plugins=[plugin], services=services) as orch,
        trio.open_nursery() as nursery,
    ):
        if busy:
            nursery.start_soon(orch.call, Work())
        end = time.perf_counter() + SLOW * 0.95
        while (start := time.perf_counter()) < end:
            await orch.call(Read())
            taken.append(time.perf_counter() - start)
            await trio.sleep(PAUSE)
    return sorted(taken)


def print_sorted(title: str, seconds: list[float], idle: list[float]) -> None:
    """Print median, 99th percentile and worst, and the 99th percentile's ratio to ``idle``'s."""

    def picks(values: list[float]) -> list[float]:
        return [values[len(values) // 2] * 1e3, values[len(values) * 99 // 100] * 1e3]

    p50, p99 = picks(seconds)
    ratio = p99 / picks(idle)[1]
    print(f"{title:44}{p50:9.3f}{p99:9.3f}{seconds[-1] * 1e3:9.3f}{ratio:14.2f}")


def main(calls: int = 50, rounds: int = 9) -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        identity = ["-c", "user.name=A", "-c", "user.email=a@localhost"]
        for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "Start"]):
            subprocess.run(["git", *identity, *arguments], cwd=path, check=True)
        git = Git(path / ".git", None, shutil.which("git") or "git")
        found = time_calls(git, calls, rounds)
        print(f"{'one call':44}{'ms':>9}{'x subprocess.run':>18}")
        for name, times in found.items():
            pairs = zip(times, found["subprocess.run"], strict=True)
            ratio = statistics.median(a / b for a, b in pairs)
            print(f"{name:44}{statistics.median(times) * 1e3:9.3f}{ratio:18.2f}")
        head = f"{'p50':>9}{'p99':>9}{'worst':>9}{'p99 x idle':>14}"
        print(f"\n{'lateness of the event loop, ms':44}{head}")
        idle = trio.run(lateness, None)
        print_sorted("idle", idle, idle)
        print_sorted(
            "bare threads that start git",
            trio.run(lateness, partial(bare_threads, same_call(git))),
            idle,
        )
        print_sorted(f"{QUEUED} git calls queued", trio.run(lateness, partial(queue, git)), idle)
        slow = path / "slow-git"
        slow.write_text(f"#!/bin/sh\nexec sleep {SLOW}\n")
        slow.chmod(0o755)
        print(f"\n{'inline read of the coordinator, ms':44}{head}")
        sleeping = git._replace(executable=str(slow))
        idle = trio.run(partial(reads, sleeping, busy=False))
        print_sorted("idle", idle, idle)
        print_sorted(
            f"a git command of {SLOW:g} s at work",
            trio.run(partial(reads, sleeping, busy=True)),
            idle,
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
