"""No process of a worker outlives a SIGKILL of the engine or of the guardian, nor its lock."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from orchestrator.guardian import tree
from orchestrator.guardian.reaper import TOKEN, sweep_leftovers
from tests.scratch import wait_for

pytestmark = pytest.mark.processes

# Each sleeps for {0} seconds, a number that no other process has in its arguments.
ZOO = {
    "plain": ("sleep {0} &", 1),
    "ignores TERM": ("sh -c 'trap \"\" TERM HUP; sleep {0} & wait; sleep {0}' &", 1),
    "setsid": ("setsid sleep {0} &", 1),
    "daemon": ("(setsid sh -c 'sleep {0} & sleep {0}' &) ;", 2),
    "clean environment": ("(env -i setsid /bin/sh -c 'sleep {0} & sleep {0}' &) ;", 2),
    "stopped": ("sleep {0} & until grep -q sleep /proc/$!/comm; do :; done; kill -STOP $! ;", 1),
}


@attrs.frozen
class Engine:
    """A running engine, the guardian of its worker, and what tells the worker's processes."""

    process: subprocess.Popen[str]
    guardian: int
    lock: Path
    workspace: str
    seconds: str

    def survivors(self) -> list[int]:
        """Return the live processes that the worker left."""
        return _alive(self.seconds)

    def says(self) -> str:
        """Wait for the next line."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill it as the kernel does when memory is short."""
        self.process.kill()
        self.process.wait()


@contextmanager
def engine(directory: Path, animal: str, *, subreaper: bool = True) -> Iterator[Engine]:
    """Run an engine whose worker has started the animal."""
    script, count = ZOO[animal]
    seconds = f"600.{secrets.randbelow(10**9):09}1"
    workspace = str(directory / "workspace")
    order = {
        "script": f"{script.format(seconds)} echo ready; sleep {seconds}; :",
        "env": {**os.environ, TOKEN: workspace},
        "lock": str(directory / "lock"),
        "subreaper": subreaper,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.guarded_engine"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            guardian = int(process.stdout.readline())
            wait_for(lambda: len(_alive(seconds, "sleep")) == count + 1)
            yield Engine(process, guardian, directory / "lock", workspace, seconds)
        finally:
            process.kill()
            for pid in _alive(seconds):
                os.kill(pid, signal.SIGKILL)


def _alive(seconds: str, program: str = "") -> list[int]:
    found = []
    for process in tree.processes():
        try:
            arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        except (OSError, ValueError):
            continue
        if process.state != "Z" and seconds in arguments and arguments.startswith(program):
            found.append(process.pid)
    return found


def free(lock: Path) -> bool:
    handle = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


@pytest.mark.parametrize("animal", ZOO)
def test_a_killed_engine_leaves_nothing_once_the_lock_is_free(tmp_path: Path, animal: str) -> None:
    with engine(tmp_path, animal) as running:
        assert not free(running.lock)

        running.kill()
        wait_for(lambda: free(running.lock), 5)

        assert running.survivors() == []


@pytest.mark.parametrize("animal", ZOO)
def test_a_killed_guardian_leaves_nothing_when_the_engine_hears_of_it(
    tmp_path: Path, animal: str
) -> None:
    with engine(tmp_path, animal) as running:
        os.kill(running.guardian, signal.SIGKILL)

        assert running.says() == "lost"
        assert running.survivors() == []
        assert running.says() == "left"
        assert free(running.lock)
        below = tree.descendants(running.process.pid)
        assert [process for process in below if process.state == "Z"] == []


@pytest.mark.parametrize("animal", [name for name in ZOO if name != "clean environment"])
def test_a_library_finds_what_a_killed_guardian_left_by_its_workspace(
    tmp_path: Path, animal: str
) -> None:
    with engine(tmp_path, animal, subreaper=False) as running:
        os.kill(running.guardian, signal.SIGKILL)

        assert running.says() == "lost"
        assert running.survivors() == []


@pytest.mark.parametrize("animal", [name for name in ZOO if name != "clean environment"])
def test_what_outlives_engine_and_guardian_is_found_by_its_workspace(
    tmp_path: Path, animal: str
) -> None:
    with engine(tmp_path, animal) as running:
        running.process.send_signal(signal.SIGSTOP)
        os.kill(running.guardian, signal.SIGKILL)
        running.kill()
        left = set(running.survivors())
        assert left

        toll = sweep_leftovers(running.workspace)

        assert toll == tree.Toll(len(left), ())
        assert running.survivors() == []
