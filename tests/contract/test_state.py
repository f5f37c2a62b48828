"""Promise: `status` reads what the ledger wrote, whatever else is there and however light it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.discover import discover
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import RepositoryError, StoreError
from orchestrator.run.records.state import ItemState, read_items
from orchestrator.store.database import store_path
from orchestrator.store.store import open_store
from orchestrator.work.records import AttemptState, RunState
from orchestrator.work.worker import Usage
from tests.gitrepo import git, make_repository
from tests.steps import Steps

pytestmark = pytest.mark.processes


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Repository.open(make_repository(tmp_path / "repo"))


@pytest.fixture
def steps(repo: Repository) -> Iterator[Steps]:
    with open_store(repo.state_dir) as store:
        yield Steps(repo, store)


def only(repo: Repository, *, running: str | None) -> ItemState:
    (item,) = read_items(repo.git, running=running)
    return item


def test_running_attempt_is_shown_while_an_engine_runs_and_interrupted_after(
    repo: Repository, steps: Steps
) -> None:
    opened = steps.open()
    attempt = steps.begin(opened, story="1.2")
    item = only(repo, running="item")
    assert (item.id, item.title, item.status, item.run) == (
        "item",
        "Title",
        "in progress",
        opened.run.id,
    )
    assert (item.phase, item.story, item.attempt) == ("build", "1.2", attempt.id)
    assert item.branch == "orchestrator/item"
    item = only(repo, running=None)
    assert (item.status, item.phase, item.story, item.attempt) == ("interrupted", None, None, None)


def test_attempts_are_in_order_with_their_cost(repo: Repository, steps: Steps) -> None:
    opened = steps.open()
    for number in (1, 2):
        steps.fail(opened, steps.begin(opened, number=number), Usage(cost=0.25))
    item = only(repo, running=None)
    assert [attempt.number for attempt in item.attempts] == [1, 2]
    assert {attempt.state for attempt in item.attempts} == {AttemptState.FAILED}
    assert item.cost == 0.5


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.BLOCKED])
def test_ended_run_tells_why(repo: Repository, steps: Steps, state: RunState) -> None:
    steps.end(steps.open(), state, "why", "3")
    git(repo.checkout, "branch", "-D", "orchestrator/item")
    item = only(repo, running=None)
    assert (item.status, item.reason, item.story, item.branch) == (state.value, "why", "3", None)
    assert item.blocked == ("why" if state is RunState.BLOCKED else None)


def test_without_a_store_git_tells_the_same(repo: Repository, steps: Steps) -> None:
    opened = steps.open()
    steps.fail(opened, steps.begin(opened), Usage(cost=0.25))
    steps.work(opened, 2)
    steps.end(opened, RunState.FAILED, "why")
    told = only(repo, running=None)
    assert [attempt.state.value for attempt in told.attempts] == ["failed", "verified"]
    for left in ("", "emptied"):
        shutil.rmtree(repo.state_dir)
        if left:
            with open_store(repo.state_dir):
                pass
        assert only(repo, running=None) == told


def test_a_store_that_cannot_be_read_is_named(repo: Repository) -> None:
    store_path(repo.state_dir).write_bytes(b"no database at all\n" * 500)
    with pytest.raises(StoreError, match="damaged"):
        only(repo, running=None)


def test_refs_that_are_no_records_are_left_out(repo: Repository, steps: Steps) -> None:
    opened = steps.open()
    shutil.rmtree(repo.state_dir)
    for ref in (refs.run_ref("other"), refs.attempt_ref("other")):
        refs.move_ref(repo.git, ref, repo.head, None, "not ours")
    assert [item.id for item in read_items(repo.git, running=None)] == [opened.run.item]


def test_repository_is_found_where_none_can_be_worked_on(repo: Repository) -> None:
    (repo.git_dir / "MERGE_HEAD").write_text(f"{repo.head}\n")
    with pytest.raises(RepositoryError):
        Repository.open(repo.checkout).require_settled()
    found = discover(repo.checkout)
    assert (found.common_dir, found.checkout) == (repo.common_dir, repo.checkout)


def test_git_directory_is_no_checkout(repo: Repository) -> None:
    with pytest.raises(RepositoryError, match="git's own directory"):
        discover(repo.git_dir)
