"""What a start with many items costs: reading them, `orc add` beside them, memory; prints tables.

``python -m tests.benchmarks.bench_backlog_start [ROUNDS]``. Reading: `load_book`, against the least
that could read the same rows, `json.loads` of each. Commands: the real `orc` in a repository whose
store holds that many items, with no engine, as ratios to ``python -c pass``; and with an engine of
another process of which callers change items all the time. Every round runs everything once, every
other round backwards; a ratio is the median over the rounds, each taken in its own round. Memory is
what Python allocates for a book, and what the process grows by.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.run.backlog.book import Book, load_book
from orchestrator.run.engine.engine import run_engine
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.store.store import open_store
from tests.benchmarks.bench_backlog import CALLERS, Many
from tests.benchmarks.many_items import RULES, SIZES, fill_store, growth

ORC = str(Path(sys.executable).with_name("orc"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "orc add": [ORC, "add", "One more"],
    "orc status": [ORC, "status"],
    "orc show": [ORC, "show", "WRK-0000007"],
    "orc list --only": [ORC, "list", "--only", "status=blocked"],
}
SERVED = 10_000
"""How many items there are while an engine changes them."""


def make_project(path: Path, count: int) -> None:
    """Make a repository whose store holds items."""
    path.mkdir()
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "Start"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@localhost"]
        subprocess.run(["git", *identity, *arguments], cwd=path, check=True)
    state = Repository.open(path).state_dir
    state.mkdir(exist_ok=True)
    fill_store(state, count)


def load(path: Path) -> float:
    """Return the seconds that it takes to read a backlog."""
    with open_store(Repository.open(path).state_dir) as store:
        gc.collect()
        start = time.perf_counter()
        book = load_book(store, RULES)
        spent = time.perf_counter() - start
        assert len(book.backlog)
    return spent


def parse(path: Path) -> float:
    """Return the seconds that it takes to read the same rows as plain JSON."""
    with open_store(Repository.open(path).state_dir) as store:
        gc.collect()
        start = time.perf_counter()
        found = [json.loads(row.document) for row in store.items()]
        spent = time.perf_counter() - start
        assert found
    return spent


def command(argv: list[str], path: Path) -> float:
    """Return the seconds of one command in a repository."""
    start = time.perf_counter()
    subprocess.run(argv, cwd=path, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def measure(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Return the seconds of everything, round by round."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways) if number % 2 else list(ways)[::-1]:
            seconds = ways[name]()
            if number:  # round 0 warms up
                found[name].append(seconds)
    return found


def print_found(title: str, found: dict[str, list[float]], limit: str) -> None:
    """Print a table of seconds, and their ratios to one of the rows."""
    print(f"\n{title:34}{'ms':>10}  x {limit}")
    for name, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, found[limit], strict=True))
        print(f"{name:34}{statistics.median(times) * 1e3:10.1f}{ratio:8.2f}")


@contextmanager
def served(path: Path) -> Generator[None, None, None]:
    """Run an engine in another process, whose callers change items, while the block lasts."""
    argv = [sys.executable, "-m", "tests.benchmarks.bench_backlog_start", "--serve", str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdin is not None
        assert engine.stdout is not None
        engine.stdout.readline()
        try:
            yield
        finally:
            engine.stdin.close()


def serve(path: Path) -> None:
    """Change items in an engine until standard input ends."""

    async def work(orchestrator: Orchestrator) -> None:
        async with trio.open_nursery() as nursery:
            many = Many(orchestrator.service(Book))
            nursery.start_soon(many.change, orchestrator, CALLERS, 10**9)
            print("up", flush=True)
            await trio.to_thread.run_sync(sys.stdin.read)
            nursery.cancel_scope.cancel()

    trio.run(partial(run_engine, Repository.open(path), "item", work, config=Config()))


def memory(path: Path) -> tuple[float, float]:
    """Return the bytes that each item of a book takes: as Python counts, and as the system does."""
    with open_store(Repository.open(path).state_dir) as store:
        gc.collect()
        before = resident()
        book = load_book(store, RULES)
        grown = resident() - before
        count = len(book.backlog)
        del book
        gc.collect()
        tracemalloc.start()
        book = load_book(store, RULES)
        traced, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(book.backlog) == count
    return traced / count, grown / count


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main(rounds: int = 3) -> None:
    """Measure and print everything."""
    with tempfile.TemporaryDirectory() as root:
        os.environ["XDG_STATE_HOME"] = f"{root}/state"
        os.environ["PYTHONPYCACHEPREFIX"] = f"{root}/bytecode"
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        places = {size: Path(root, str(size)) for size in SIZES}
        for size, place in places.items():
            make_project(place, size)
        traced, grown = memory(places[SIZES[-1]])
        print(f"memory per item: {traced:.0f} bytes allocated, the process grows by {grown:.0f}")
        loads: dict[int, float] = {}
        for size, place in places.items():
            reading = {"load_book": partial(load, place), "json.loads": partial(parse, place)}
            found = measure(reading, rounds)
            loads[size] = statistics.median(found["load_book"]) / size
            print_found(f"{size:,} items ({loads[size] * 1e6:.1f} us each)", found, "json.loads")
        print(f"growth exponent of load_book, per item: {growth(loads):.3f}")
        for size, place in places.items():
            ways = {name: partial(command, argv, place) for name, argv in COMMANDS.items()}
            print_found(f"{size:,} items, no engine", measure(ways, rounds), "python -c pass")
        place = places[SERVED]
        ways = {name: partial(command, argv, place) for name, argv in COMMANDS.items()}
        with served(place):
            title = f"{SERVED:,} items, changed meanwhile"
            print_found(title, measure(ways, rounds), "python -c pass")


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve(Path(sys.argv[-1]))
    else:
        main(*map(int, sys.argv[1:]))
