"""What a phase costs beside its worker, as a ratio to the bare work; run by hand, prints tables.

``python -m tests.benchmarks.bench_phase [PHASES [ROUNDS]]``. `orc run` takes one item through
phases whose commands end at once: such that change nothing, and such that write a file, which is
committed each time. (The first phase always writes one: until then an item starts anew from HEAD.)
They are compared with a loop that keeps the same promises by hand, as cheaply as git and SQLite
allow: a row of the attempt before and after; the workspace compared with its commit; for a result
the commit, its intent in SQLite, its pin, the branch, and the workspace compared again; every row,
commit and ref synced to disk; and the command as a plain process. Each does an item of
PHASES phases and a first one; what a phase costs is the median time from the end of one to the end
of the next, so start and end do not count. Every round runs all, every other round backwards; a
ratio is the median over the rounds. The number of git processes per phase is counted in a run of
its own, with a git that keeps count.

Makespan: how long `orc run` takes for items of one phase that need nothing of each other, two at a
time, whose workers sleep; as a ratio to the least that is possible, without start and end.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path

from orchestrator.adapters.git.repository import Repository
from orchestrator.store.reading import open_reader
from tests.benchmarks.by_hand import ORC, count_git, git, in_fresh_directory

NOTHING = "true"
WRITE = "echo $ORCHESTRATOR_PHASE > file-$ORCHESTRATOR_PHASE"
CONCURRENT = 2
ITEMS = 8
"""Of the backlog whose makespan is taken."""

SLEEPS = (0.0, 1.0, 4.0)
"""Seconds that its workers sleep."""


def make_project(path: Path, commands: Sequence[str], concurrent: int = 1) -> None:
    """Make a repository whose pipeline has phases of these commands, all of it committed."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    rows = [f"[execution]\nverify = []\nmax_concurrent = {concurrent}"]
    rows += [f"[backlog]\nmax_wip = {concurrent}"]
    rows += [
        f'[[pipelines.feature.phases]]\nname = "p{number}"\ncommand = "{said}"'
        for number, said in enumerate(commands, start=1)
    ]
    (path / "orchestrator.toml").write_text("\n".join(rows) + "\n")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "Start")


def commands(command: str, count: int) -> list[str]:
    """Return so many commands, of which the first one writes a file."""
    return [WRITE, *[command] * (count - 1)]


def orc(directory: Path, *arguments: str) -> str:
    """Run the command line."""
    done = subprocess.run(
        [ORC, *arguments],
        cwd=directory / "project",
        env={**os.environ, "XDG_STATE_HOME": str(directory / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def add_ready(directory: Path, count: int = 1) -> None:
    """Add items that need no triage any more."""
    for number in range(count):
        told = orc(directory, "add", f"Item {number}")
        orc(directory, "move", told.split()[1])


def orchestrated(command: str, directory: Path, phases: int) -> float:
    """Return the seconds of a phase of `orc run`."""
    make_project(directory / "project", commands(command, phases))
    add_ready(directory)
    orc(directory, "run")
    store = Repository.open(directory / "project").state_dir
    with open_reader(store) as reader:
        assert reader is not None
        ends = [row.at / 1e9 for row in reader.history() if row.document["outcome"] == "Complete"]
    assert len(ends) == phases
    return typical(ends)


def typical(ends: Sequence[float]) -> float:
    """Return the median time from one end to the next."""
    return statistics.median(later - earlier for earlier, later in pairwise(ends))


def bare(command: str, directory: Path, phases: int) -> float:
    """Return the seconds of a phase by hand, in a clone that shares the objects."""
    path, work = directory / "project", directory / "work"
    make_project(path, commands(command, phases))
    with closing(sqlite3.connect(directory / "store.db", isolation_level=None)) as store:
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = FULL")
        store.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, document TEXT)")
        git(directory, "clone", "-q", "--shared", str(path), str(work))
        tip, ends = git(path, "rev-parse", "HEAD"), []
        for phase, said in enumerate(commands(command, phases), start=1):
            tip = bare_phase(said, path, work, store, tip, phase)
            ends.append(time.perf_counter())
        return typical(ends)


def bare_phase(
    command: str, path: Path, work: Path, store: sqlite3.Connection, tip: str, phase: int
) -> str:
    """Do one phase by hand and return the commit that it ends with."""
    at = ("--git-dir", str(path / ".git"), "--work-tree", str(work))
    index = str(work / ".git" / "index")

    def record(what: str) -> None:
        row = (f"{phase}", what * 20)
        store.execute("INSERT OR REPLACE INTO rows VALUES (?, ?)", row)

    record("begun")
    env = {**os.environ, "ORCHESTRATOR_PHASE": f"p{phase}"}
    subprocess.run(["/bin/sh", "-c", command], cwd=work, env=env, capture_output=True, check=True)
    listed = ("ls-files", "--modified", "--others", "--exclude-standard")
    if git(work, *at, *listed, index=index):
        git(work, *at, "add", "-A", index=index)
        tree = git(work, *at, "write-tree", index=index)
        commit = git(path, "commit-tree", tree, "-p", tip, "-F", "-", stdin=f"Phase {phase}")
        record("intent")
        branch = "refs/heads/orchestrator/item"
        old = "0" * len(tip) if phase == 1 else tip
        git(path, "update-ref", "--create-reflog", f"refs/orchestrator/attempts/{phase}", commit)
        git(path, "update-ref", "--create-reflog", branch, commit, old)
        tip = commit
        git(work, *at, *listed, index=index)
    record("ended")
    return tip


def count_processes(command: str, directory: Path, phases: int) -> int:
    """Return how many git processes `orc run` starts."""
    make_project(directory / "project", commands(command, phases))
    add_ready(directory)
    return count_git(directory, lambda: orc(directory, "run"))


def makespan(sleep: float, directory: Path, items: int) -> float:
    """Return the seconds of `orc run` over items whose only worker sleeps."""
    make_project(directory / "project", [f"sleep {sleep}"], CONCURRENT)
    add_ready(directory, items)
    start = time.perf_counter()
    orc(directory, "run")
    return time.perf_counter() - start


def print_overhead(command: str, title: str, phases: int, rounds: int) -> None:
    """Measure and print what one phase costs."""
    ways = {"orc run": partial(orchestrated, command), "by hand": partial(bare, command)}
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways) if number % 2 else list(ways)[::-1]:
            seconds = in_fresh_directory(ways[name], phases + 1)
            if number:  # round 0 warms up
                found[name].append(seconds)
    for name, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, found["by hand"], strict=True))
        print(f"{title:20}{name:12}{statistics.median(times) * 1e3:8.1f}{ratio:10.2f}")
    counts = [in_fresh_directory(partial(count_processes, command), n) for n in (2, 6)]
    hand = 1 if command == NOTHING else 7
    print(f"{'':20}git processes per phase: {(counts[1] - counts[0]) / 4:g}, by hand {hand}")


def print_makespan(sleep: float) -> None:
    """Measure and print how long a backlog takes."""
    few, many = (
        in_fresh_directory(partial(makespan, sleep), count) for count in (CONCURRENT, ITEMS)
    )
    least = sleep * (ITEMS - CONCURRENT) / CONCURRENT
    ratio = f"{(many - few) / least:8.2f}" if least else ""
    print(f"{sleep:8.1f}{many:9.2f}{many - few:20.2f}{least:9.2f}{ratio}")


def main(phases: int = 30, rounds: int = 3) -> None:
    """Measure and print everything."""
    print(f"{'per phase':32}{'ms':>8}{'x by hand':>10}")
    print_overhead(NOTHING, "changes nothing", phases, rounds)
    print_overhead(WRITE, "writes a file", phases, rounds)
    print(f"\n{ITEMS} items of one phase, {CONCURRENT} at a time, seconds")
    print(f"{'worker':>8}{'all':>9}{'without start, end':>20}{'least':>9}{'x least':>8}")
    for sleep in SLEEPS:
        print_makespan(sleep)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
