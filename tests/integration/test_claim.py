"""Nobody touches a workspace in which a process of an earlier run is alive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.threads import in_thread
from orchestrator.errors import AdapterTimedOutError, BusyError
from orchestrator.guardian.reaper import TOKEN
from orchestrator.run.hosting import claim
from orchestrator.run.hosting.claim import claim_workspace, worker_lock
from orchestrator.run.records import opening
from orchestrator.store.store import open_store
from tests.gitrepo import make_repository
from tests.steps import Steps

pytestmark = pytest.mark.processes

HOLDER = """\
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.readline()
time.sleep(1)
open(sys.argv[2], "w").write("from the old tree")
"""


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository.open(make_repository(tmp_path / "repo"))


def open_run(repo: Repository) -> opening.OpenedRun:
    with open_store(repo.state_dir) as store:
        return Steps(repo, store).open()


def hold(lock: Path, last: Path) -> subprocess.Popen[bytes]:
    """Start a process that holds the lock, and a second after a line writes ``last`` and ends."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock), str(last)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"locked\n"
    return holder


def test_a_run_waits_for_the_tree_of_the_run_before(repo: Repository) -> None:
    place = open_run(repo).workspace
    with hold(worker_lock(place), place.path / "late") as holder:
        assert holder.stdin is not None
        holder.stdin.close()

        opened = open_run(repo)

    assert sorted(os.listdir(opened.workspace.path)) == sorted(
        {".git", *os.listdir(repo.checkout)}
    ), "what the old tree wrote at last is cleared as well"


def test_a_tree_that_does_not_end_is_named_and_its_workspace_untouched(repo: Repository) -> None:
    place = open_run(repo).workspace
    (place.path / "work").write_text("half\n")
    with hold(worker_lock(place), place.path / "late") as holder:
        with pytest.raises(BusyError, match="earlier run"), claim_workspace(place, patience=0.1):
            pass
        assert (place.path / "work").exists()
        holder.kill()


async def test_the_wait_can_be_cancelled(repo: Repository) -> None:
    place = open_run(repo).workspace
    with hold(worker_lock(place), place.path / "late") as holder:
        with pytest.raises(AdapterTimedOutError):
            await in_thread(
                claim._wait_for,
                worker_lock(place),
                60.0,
                deadline=1,
                limiter=trio.CapacityLimiter(1),
                what="it",
            )
        holder.kill()


def test_what_a_killed_guardian_left_is_killed_before_the_workspace_is_restored(
    repo: Repository,
) -> None:
    place = open_run(repo).workspace
    script = "while :; do echo x >> noise; done"
    with subprocess.Popen(
        ["sh", "-c", script],
        cwd=place.path,
        env={**os.environ, TOKEN: str(place.path)},
        start_new_session=True,
    ) as stray:
        try:
            opened = open_run(repo)
        finally:
            ended = stray.poll()
            stray.kill()

        assert ended == -9
        assert not (opened.workspace.path / "noise").exists()


def test_a_workspace_is_free_again_after_its_claim(repo: Repository) -> None:
    place = open_run(repo).workspace
    for _ in range(2):
        with claim_workspace(place, patience=0.1):
            pass
