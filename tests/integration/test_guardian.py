"""No process of a worker outlives its guardian's block; a lock outlives no process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from orchestrator.adapters.process import live_pids
from orchestrator.errors import BusyError, GuardianError, NotStartedError
from orchestrator.guardian import landlock, tree
from orchestrator.guardian.client import Guardians, Job
from orchestrator.guardian.reaper import TOKEN

pytestmark = pytest.mark.processes

ZOO = {
    "plain": "sleep 60 & ",
    "ignores TERM": "sh -c 'trap \"\" TERM; while :; do sleep 1; done' & ",
    "setsid": "setsid sleep 60 & ",
    "daemon": "(setsid sh -c 'sleep 60 & sleep 60' &) ; ",
    "clean environment": "(env -i /bin/sh -c 'sleep 60 & sleep 60' &) ; ",
    "stopped": "sleep 60 & kill -STOP $!; ",
}


def job(script: str, **options: object) -> Job:
    environment = dict(os.environ)
    return Job(argv=("sh", "-c", script), cwd=Path("/"), env=environment, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("animal", ZOO)
async def test_a_worker_that_exits_leaves_nothing(animal: str) -> None:
    async with Guardians() as guardians, guardians.run(job(ZOO[animal] + "exit 3")) as process:
        ended = await process.wait()

    assert ended.returncode == 3
    assert ended.survivors == ()


@pytest.mark.parametrize("animal", ZOO)
async def test_leaving_the_block_kills_the_tree(animal: str) -> None:
    script = ZOO[animal] + "echo ready; sleep 60"
    async with Guardians() as guardians:
        async with guardians.run(job(script)) as process:
            assert await process.stdout.receive_some() == b"ready\n"

        ended = await process.wait()

    assert ended.returncode == -9
    assert ended.survivors == ()


async def test_terminate_reaches_the_worker() -> None:
    script = "trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.01; done"
    async with Guardians() as guardians, guardians.run(job(script)) as process:
        await process.stdout.receive_some()
        await process.terminate()

        assert (await process.wait()).returncode == 4
        assert await process.stdout.receive_some() == b"bye\n"


async def test_a_lock_is_held_until_the_tree_is_empty(tmp_path: Path) -> None:
    locked = job("echo ready; sleep 60", lock=tmp_path / "lock")
    async with Guardians() as guardians:
        async with guardians.run(locked) as process:
            await process.stdout.receive_some()
            with pytest.raises(BusyError):
                async with guardians.run(locked):
                    pass
        async with guardians.run(locked):
            pass


async def test_a_missing_program_is_named() -> None:
    missing = Job(argv=("no-such-program",), cwd=Path("/"), env={"PATH": "/usr/bin"})
    async with Guardians(python=sys.executable) as guardians:
        with pytest.raises(GuardianError, match="cannot run no-such-program"):
            async with guardians.run(missing):
                pass


@pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock in force")
async def test_a_write_outside_is_denied(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    os.mkdir(inside)
    script = f"echo x >{inside}/a; echo x >{tmp_path}/b"
    async with (
        Guardians() as guardians,
        guardians.run(job(script, writable=(inside,))) as process,
    ):
        await process.wait()
        assert process.confined

    assert os.listdir(inside) == ["a"]
    assert os.listdir(tmp_path) == ["inside"]


@pytest.mark.parametrize("writable", [None, ()])
async def test_a_process_tells_whether_the_kernel_confines_it(
    writable: tuple[Path, ...] | None,
) -> None:
    async with Guardians() as guardians, guardians.run(job("", writable=writable)) as process:
        assert process.confined == (writable is not None and landlock.abi() > 0)


async def test_two_trees_on_different_locks_run_at_once(tmp_path: Path) -> None:
    first = job("read line; echo $line", lock=tmp_path / "first")
    second = job("echo hello; sleep 60", lock=tmp_path / "second")
    async with (
        Guardians() as guardians,
        guardians.run(first) as waits,
        guardians.run(second) as speaks,
    ):
        await waits.stdin.send_all(await speaks.stdout.receive_some())

        assert await waits.stdout.receive_some() == b"hello\n"
        assert (await waits.wait()).returncode == 0


async def test_a_run_uses_the_guardian_that_was_started_before() -> None:
    async with Guardians() as guardians:
        for _ in range(2):
            await until(lambda: guardians._next is not None)
            (prepared,) = pids()
            async with guardians.run(job("sleep 60")) as process:
                assert parent_of(process.pid) == prepared
    assert pids() == frozenset()


async def test_a_prepared_guardian_that_was_killed_is_replaced() -> None:
    async with Guardians() as guardians:
        await until(lambda: guardians._next is not None)
        (prepared,) = pids()
        os.kill(prepared, signal.SIGKILL)
        await until(lambda: getattr(tree.look(prepared), "state", "Z") == "Z")

        async with guardians.run(job("exit 3")) as process:
            assert (await process.wait()).returncode == 3


async def test_guardians_that_cannot_be_started_are_the_runs_error() -> None:
    async with Guardians(python="no-such-python") as guardians:
        with pytest.raises(NotStartedError, match="no-such-python"):
            async with guardians.run(job("exit 0")):
                pass


async def test_a_run_that_was_cancelled_first_holds_no_guardian() -> None:
    async with Guardians() as guardians:
        await until(lambda: guardians._next is not None)

        with trio.CancelScope() as scope:
            scope.cancel()
            async with guardians.run(job("sleep 60")):
                pass

        assert pids() == frozenset()


async def test_a_guardian_lost_during_cancellation_is_cleaned_up_after(tmp_path: Path) -> None:
    left = job(f"setsid sleep 60 & echo $! >{tmp_path}/pid; echo ready; sleep 60")
    left.env[TOKEN] = str(tmp_path)  # type: ignore[index]
    with trio.CancelScope() as scope:
        async with Guardians() as guardians, guardians.run(left) as process:
            await process.stdout.receive_some()
            os.kill(parent_of(process.pid), signal.SIGKILL)
            scope.cancel()
            await trio.lowlevel.checkpoint()

    child = tree.look(int((tmp_path / "pid").read_text()))
    assert child is None or child.state == "Z"


def pids() -> frozenset[int]:
    with live_pids() as live:
        return live


def parent_of(pid: int) -> int:
    process = tree.look(pid)
    assert process is not None
    return process.parent


async def until(condition: Callable[[], bool]) -> None:
    """Poll for what another process or thread does."""
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 (another process cannot set an event)
            await trio.sleep(0.01)
