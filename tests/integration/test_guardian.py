"""No process of a worker outlives its guardian's block; a lock outlives no process."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from orchestrator.errors import BusyError, GuardianError
from orchestrator.guardian import landlock
from orchestrator.guardian.client import Guardians, Job

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
