"""What is kept goes when it was delivered long ago; what is not delivered never goes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestrator.adapters.git import workspace
from orchestrator.adapters.git.checkout.restoring import restore
from orchestrator.adapters.git.checkout.running import OwnGit
from orchestrator.adapters.git.repository import Repository
from orchestrator.run.delivery import discarding, landing, planning
from orchestrator.run.delivery.retention import Collected, collect
from orchestrator.store.store import open_store
from tests.finished import BRANCH, make_finished
from tests.scratch import CHANGE, Scratch

pytestmark = pytest.mark.processes

DAY = 86400.0


@pytest.fixture
def done(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """A scratch repository whose change was run to its end."""
    return make_finished(tmp_path, tmp_path_factory.mktemp("finished"))


def collected(made: Scratch, days: float, *, dry_run: bool = False) -> Collected:
    repo = Repository.open(made.path)
    return collect(repo, 14 * DAY, time.time() + days * DAY, dry_run=dry_run, limit=None)


def pins(made: Scratch) -> str:
    """Everything that is kept for a while only."""
    kinds = [f"refs/orchestrator/{kind}" for kind in ("attempts", "kept", "base", "pins")]
    return made.git("for-each-ref", "--format=%(refname)", *kinds)


def deliver(made: Scratch, how: str) -> None:
    repo = Repository.open(made.path)
    with open_store(repo.state_dir) as store:
        if how == "discard":
            discarding.discard(repo, store, CHANGE, int(time.time()))
        else:
            ready = planning.plan_delivery(repo, CHANGE, how, terminal=False)
            landing.deliver(repo, store, ready, int(time.time()))


@pytest.mark.parametrize("how", ["merge", "discard"])
def test_pins_and_logs_of_what_was_delivered_go_after_their_time(done: Scratch, how: str) -> None:
    deliver(done, how)
    all_pins = pins(done)
    assert collected(done, 13).refs == ()
    would = collected(done, 15, dry_run=True)
    assert set(would.refs) == set(all_pins.split())
    assert pins(done) == all_pins
    gone = collected(done, 15)
    assert (gone.refs, gone.files) == (would.refs, would.files)
    assert len([path for path in gone.files if path.suffix == ".log"]) == 2
    assert gone.bytes > 0
    assert pins(done) == ""
    assert collected(done, 15).files == ()


def test_what_is_not_delivered_is_never_collected(done: Scratch) -> None:
    repo = Repository.open(done.path)
    place = workspace.create(repo, CHANGE, repo.head)
    before = pins(done), done.git("rev-parse", BRANCH)
    logs = sorted(path.name for path in (repo.state_dir / "attempts").iterdir())
    gone = collected(done, 10_000)
    assert gone.refs == ()
    assert (pins(done), done.git("rev-parse", BRANCH)) == before
    assert sorted(path.name for path in (repo.state_dir / "attempts").iterdir()) == logs
    assert place.path.is_dir()


def test_branch_that_a_person_kept_keeps_its_pins(done: Scratch) -> None:
    done.git("worktree", "add", "-q", str(done.home / "linked"), BRANCH)
    deliver(done, "merge")
    assert done.git("rev-parse", BRANCH) == done.git("rev-parse", "main")
    assert collected(done, 10_000).refs == ()


def test_workspace_that_a_killed_finish_left_is_collected(done: Scratch) -> None:
    repo = Repository.open(done.path)
    place = planning.prepare_merge(repo, CHANGE, repo.head)
    assert place.path in collected(done, 0).files
    assert not place.path.exists()


def test_what_a_restore_put_aside_goes_after_its_time(done: Scratch) -> None:
    (done.path / "README.md").write_text("mine")
    kept = restore(OwnGit.open(done.path), ["README.md"]).kept
    assert kept is not None
    assert kept not in collected(done, 13, dry_run=True).refs
    assert kept in collected(done, 15).refs
    assert kept not in pins(done).split()
