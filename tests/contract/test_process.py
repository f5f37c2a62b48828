"""What everybody who starts a process relies on: bounds, deadlines and nothing left running."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import trio

from orchestrator.adapters.process import Completed, live_pids, run, spawn
from orchestrator.adapters.threads import in_thread
from orchestrator.errors import AdapterError, AdapterTimedOutError, NotStartedError

pytestmark = pytest.mark.processes


def python(code: str, *, stdout_limit: int = 1 << 20, stderr_limit: int = 1 << 16) -> Completed:
    return run(
        [sys.executable, "-c", code],
        cwd=Path("/"),
        env=dict(os.environ),
        stdout_limit=stdout_limit,
        stderr_limit=stderr_limit,
    )


def test_it_returns_what_the_process_wrote_and_its_status() -> None:
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")

    assert done == Completed(3, b"out\n", b"err\n")


def test_a_signal_is_a_negative_return_code() -> None:
    assert python("import os; os.kill(os.getpid(), 9)").returncode == -9


def test_input_larger_than_every_pipe_comes_back_whole() -> None:
    data = os.urandom(3 << 20)

    done = run(["cat"], cwd=Path("/"), env=dict(os.environ), stdin=data)

    assert done.stdout == data


def test_a_process_that_does_not_read_its_input_is_no_deadlock() -> None:
    done = run(["true"], cwd=Path("/"), env=dict(os.environ), stdin=b"x" * (1 << 20))

    assert done.returncode == 0


def test_too_much_output_kills_the_process() -> None:
    with pytest.raises(AdapterError, match="wrote more than 1000 bytes"):
        python("while True: print('x' * 100)", stdout_limit=1000)


def test_the_end_of_a_long_error_output_is_kept() -> None:
    done = python("import sys; sys.stderr.write('x' * 300000 + 'end')", stderr_limit=100)

    assert done.stderr == b"x" * 97 + b"end"


def test_a_program_that_is_missing_was_never_started() -> None:
    with pytest.raises(NotStartedError, match="cannot start no-such-program"):
        run(["no-such-program"], cwd=Path("/"), env={"PATH": "/usr/bin"})


def test_a_grandchild_that_holds_the_pipe_cannot_hold_us() -> None:
    began = time.monotonic()

    done = run(["sh", "-c", "sleep 30 & echo $!"], cwd=Path("/"), env={"PATH": os.environ["PATH"]})

    os.kill(int(done.stdout), 9)
    assert time.monotonic() - began < 5


async def test_a_deadline_kills_the_process_and_what_it_started(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 60 & echo $! >child; wait; while :; do sleep 60; done"

    def blocked() -> Completed:
        env = dict(os.environ)
        return run(["sh", "-c", script], cwd=tmp_path, env=env, stop_grace=0.1)

    with pytest.raises(AdapterTimedOutError, match="it did not finish within 1 s"):
        await in_thread(blocked, deadline=1, limiter=trio.CapacityLimiter(1), what="it")

    child = int((tmp_path / "child").read_text())
    assert ends(child, within=5)


async def test_a_terminated_process_can_clean_up_before_the_kill(tmp_path: Path) -> None:
    script = "touch lock; trap 'rm lock; exit' TERM; while :; do sleep 0.01; done"

    def locked() -> Completed:
        return run(["sh", "-c", script], cwd=tmp_path, env=dict(os.environ))

    with pytest.raises(AdapterTimedOutError):
        await in_thread(locked, deadline=1, limiter=trio.CapacityLimiter(1), what="it")

    assert os.listdir(tmp_path) == []


async def test_waiting_for_the_limiter_does_not_count_and_starts_nothing() -> None:
    limiter = trio.CapacityLimiter(1)
    started: list[bool] = []
    await limiter.acquire()

    with trio.move_on_after(1.2) as scope:
        await in_thread(started.append, True, deadline=1, limiter=limiter, what="it")

    assert scope.cancelled_caught
    assert started == []


def test_a_spawned_process_is_registered_until_it_is_reaped() -> None:
    source = os.open(os.devnull, os.O_RDONLY)
    process = spawn(["sleep", "60"], cwd=Path("/"), env=dict(os.environ), stdin=source)
    os.close(source)
    with live_pids() as before:
        pass
    process.kill()

    assert process.reap() == -9
    with live_pids() as after:
        pass
    assert process.pid in before
    assert process.pid not in after


def ends(pid: int, *, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False
