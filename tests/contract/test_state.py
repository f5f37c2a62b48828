"""Promise: `status` reads what the ledger wrote, whatever else is there and however light it is."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.discover import discover
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import RepositoryError
from orchestrator.run import ledger, opening
from orchestrator.run.state import ItemState, read_items
from orchestrator.work.records import AttemptState, RunState
from orchestrator.work.worker import Usage
from tests.gitrepo import git, make_repository

pytestmark = pytest.mark.processes

SPEC = opening.Spec(change="item", title="Title", root=".", directory="spec", carried={})


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Repository.open(make_repository(tmp_path / "repo"))


def open_(repo: Repository) -> opening.OpenedRun:
    return opening.open_run(repo, "item", SPEC, 100)


def only(repo: Repository, *, running: str | None) -> ItemState:
    (item,) = read_items(repo.git, running=running)
    return item


def test_running_attempt_is_shown_while_an_engine_runs_and_interrupted_after(
    repo: Repository,
) -> None:
    opened = open_(repo)
    attempt = ledger.begin_attempt(repo, opened.run, "1.2", 1, opened.tip, 200)
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


def test_attempts_are_in_order_with_their_cost(repo: Repository) -> None:
    opened = open_(repo)
    for number in (2, 1):
        attempt = ledger.begin_attempt(repo, opened.run, "1", number, opened.tip, 200)
        failed = attrs.evolve(attempt, state=AttemptState.FAILED, usage=Usage(cost=0.25))
        ledger.keep_attempt(repo, failed, opened.workspace, opened.tip, 201)
    item = only(repo, running=None)
    assert [attempt.number for attempt in item.attempts] == [1, 2]
    assert {attempt.state for attempt in item.attempts} == {AttemptState.FAILED}
    assert item.cost == 0.5


@pytest.mark.parametrize("state", [RunState.DONE, RunState.FAILED, RunState.BLOCKED])
def test_ended_run_tells_why(repo: Repository, state: RunState) -> None:
    opened = open_(repo)
    ledger.record_run(repo, attrs.evolve(opened.run, state=state, reason="why", story="3"))
    git(repo.checkout, "branch", "-D", "orchestrator/item")
    item = only(repo, running=None)
    assert (item.status, item.reason, item.story, item.branch) == (state.value, "why", "3", None)
    assert item.blocked == ("why" if state is RunState.BLOCKED else None)


def test_refs_that_are_no_records_are_left_out(repo: Repository) -> None:
    opened = open_(repo)
    for ref in (refs.run_ref("other"), refs.attempt_ref("other")):
        refs.move_ref(repo.git, ref, repo.head, None, "not ours")
    assert [item.id for item in read_items(repo.git, running=None)] == [opened.run.item]


def test_repository_is_found_where_none_can_be_worked_on(repo: Repository) -> None:
    (repo.git_dir / "MERGE_HEAD").write_text(f"{repo.head}\n")
    with pytest.raises(RepositoryError):
        Repository.open(repo.checkout).require_workable()
    found = discover(repo.checkout)
    assert (found.common_dir, found.checkout) == (repo.common_dir, repo.checkout)


def test_git_directory_is_no_checkout(repo: Repository) -> None:
    with pytest.raises(RepositoryError, match="git's own directory"):
        discover(repo.git_dir)
