"""What a person waits for before a command starts, as ratios to Python itself; prints a table.

``python -m tests.benchmarks.bench_startup [ROUNDS]``, with the interpreter of the environment that
`orc` is installed in. Every round runs everything once, every other round backwards, in a
repository with one item of 20 attempts; a ratio is the median over the rounds, each taken in its
own round. Round 0 writes the bytecode, as installing does, and is not counted. In a second such
repository an engine runs: there `orc status` asks it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.run.engine.engine import run_engine
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.store.store import open_store
from tests.steps import Steps

ATTEMPTS = 20

ORC = str(Path(sys.executable).with_name("orc"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import attrs'": [sys.executable, "-c", "import attrs"],
    "python -c 'import trio'": [sys.executable, "-c", "import trio"],
    "orc --help": [ORC, "--help"],
    "orc status": [ORC, "status"],
    "orc status --json": [ORC, "status", "--json"],
    "orc status, asking": [ORC, "-C", "../served", "status"],
}


def make_project(path: Path) -> None:
    """Make a repository in which a run was begun and tried `ATTEMPTS` times."""
    path.mkdir()
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "Start"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@localhost"]
        subprocess.run(["git", *identity, *arguments], cwd=path, check=True)
    repo = Repository.open(path)
    with open_store(repo.state_dir) as store:
        steps = Steps(repo, store)
        opened = steps.open()
        for number in range(1, ATTEMPTS + 1):
            steps.begin(opened, number=number)


@contextmanager
def served(path: Path) -> Generator[None, None, None]:
    """Run an engine in a repository for as long as the block lasts."""
    up, over = threading.Event(), threading.Event()

    async def work(_: Orchestrator) -> None:
        up.set()
        await trio.to_thread.run_sync(over.wait)

    run = partial(run_engine, Repository.open(path), "item", work, config=Config())
    engine = threading.Thread(target=trio.run, args=(run,))
    engine.start()
    up.wait()
    try:
        yield
    finally:
        over.set()
        engine.join()


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every command, round by round."""
    found: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ["XDG_STATE_HOME"] = f"{directory}/state"
        make_project(Path(directory, "project"))
        make_project(Path(directory, "served"))
        stack.enter_context(served(Path(directory, "served")))
        env = {**os.environ, "PYTHONPYCACHEPREFIX": f"{directory}/bytecode"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for number in range(rounds + 1):
            names = list(COMMANDS) if number % 2 else list(COMMANDS)[::-1]
            for name in names:
                start = time.perf_counter()
                subprocess.run(
                    COMMANDS[name],
                    cwd=f"{directory}/project",
                    env=env,
                    stdout=subprocess.DEVNULL,
                    check=True,
                )
                if number:
                    found[name].append(time.perf_counter() - start)
    return found


def main(rounds: int = 30) -> None:
    """Measure and print everything."""
    found = measure(rounds)
    limit = found["python -c pass"]
    print(f"{'':26}{'ms':>8}{'x python -c pass':>20}")
    for name, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, limit, strict=True))
        print(f"{name:26}{statistics.median(times) * 1e3:8.1f}{ratio:20.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
