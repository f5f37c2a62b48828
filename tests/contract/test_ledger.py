"""Promise: an item's memory in git survives a crash between any two of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.runner import Git
from orchestrator.errors import BranchTakenError, ConflictError
from orchestrator.run.records import ledger
from orchestrator.run.records.rebuild import rebuild
from orchestrator.store.database import store_path
from orchestrator.store.store import Store, open_store
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord, RunState
from orchestrator.work.worker import Usage
from tests.gitrepo import fingerprint, git, make_repository
from tests.steps import Steps

pytestmark = pytest.mark.processes


class Killed(BaseException):
    """Stands for SIGKILL between two steps."""


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Repository.open(make_repository(tmp_path / "repo"))


@pytest.fixture
def steps(repo: Repository) -> Iterator[Steps]:
    with open_store(repo.state_dir) as store:
        yield Steps(repo, store)


def test_run_attempt_checkpoint(repo: Repository, steps: Steps) -> None:
    before = fingerprint(repo.checkout)
    opened = steps.open()
    assert not opened.continued
    commit = steps.work(opened)
    again = steps.open()
    assert again.continued
    assert again.tip == commit
    assert [a.state for a in again.attempts] == [AttemptState.VERIFIED]
    assert fingerprint(repo.checkout) == before


def write(repo: Repository, name: str, text: str) -> Path:
    path = repo.checkout / "spec" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_carried_files_become_the_first_commit(repo: Repository, steps: Steps) -> None:
    opened = steps.open(new=write(repo, "new", "spec\n"))
    assert opened.tip != repo.head
    assert (opened.workspace.path / "spec" / "new").read_text() == "spec\n"


def test_what_a_person_mends_before_any_checkpoint_counts(repo: Repository, steps: Steps) -> None:
    opened = steps.open(tasks=write(repo, "tasks", "one\n"))
    attempt = steps.fail(opened, steps.begin(opened))
    git(repo.checkout, "commit", "-q", "--allow-empty", "-m", "Mended")
    again = steps.open(tasks=write(repo, "tasks", "two\n"))
    assert again.run.base == git(repo.checkout, "rev-parse", "HEAD")
    assert (again.workspace.path / "spec" / "tasks").read_text() == "two\n"
    assert again.run.id == opened.run.id
    assert [a.id for a in again.attempts] == [attempt.id]
    assert steps.open(tasks=write(repo, "tasks", "two\n")).tip == again.tip


def test_spec_changed_after_a_checkpoint_is_carried_and_merged(
    repo: Repository, steps: Steps
) -> None:
    text = "[ ] one\n\nabout two\n\n[ ] two\n"
    opened = steps.open(tasks=write(repo, "tasks", text), notes=write(repo, "notes", "old\n"))
    (opened.workspace.path / "spec" / "tasks").write_text(text.replace("[ ] one", "[x] one"))
    steps.work(opened)
    changed = {
        "tasks": write(repo, "tasks", text.replace("[ ] two", "[ ] two and three")),
        "notes": write(repo, "notes", "new\n"),
    }
    again = steps.open(**changed)
    assert (again.workspace.path / "spec" / "tasks").read_text() == (
        "[x] one\n\nabout two\n\n[ ] two and three\n"
    )
    assert (again.workspace.path / "spec" / "notes").read_text() == "new\n"
    assert steps.open(**changed).tip == again.tip


def test_modes_of_changed_spec_files_are_carried(repo: Repository, steps: Steps) -> None:
    script = write(repo, "script", "one\n")
    opened = steps.open(script=script)
    steps.work(opened)
    script.write_text("two\n")
    script.chmod(0o755)
    tip = steps.open(script=script).tip
    assert git(repo.checkout, "ls-tree", tip, "spec/script").startswith("100755")


def test_spec_changed_on_both_sides_stops_and_changes_nothing(
    repo: Repository, steps: Steps
) -> None:
    opened = steps.open(tasks=write(repo, "tasks", "[ ] one\n"))
    (opened.workspace.path / "spec" / "tasks").write_text("[x] one\n")
    commit = steps.work(opened)
    with pytest.raises(ConflictError) as caught:
        steps.open(tasks=write(repo, "tasks", "[ ] something else\n"))
    assert "spec/tasks" in caught.value.message
    assert ledger.branch_tip(repo, "item") == commit


def test_ended_run_gives_a_fresh_allowance_on_the_same_branch(
    repo: Repository, steps: Steps
) -> None:
    opened = steps.open()
    commit = steps.work(opened)
    steps.end(opened, RunState.FAILED, "no")
    again = steps.open()
    assert not again.continued
    assert again.run.id != opened.run.id
    assert again.tip == commit
    assert again.attempts == ()
    assert len(again.history) == 1


def test_failed_attempt_is_pinned_and_the_workspace_restored(
    repo: Repository, steps: Steps
) -> None:
    opened = steps.open()
    attempt = steps.begin(opened)
    (opened.workspace.path / "junk").write_text("junk")
    failed = steps.fail(opened, attempt)
    ref = refs.attempt_ref(attempt.id)
    assert not (opened.workspace.path / "junk").exists()
    assert git(repo.checkout, "show", f"{ref}:junk") == "junk"
    assert ledger.read_attempts(repo, "item") == (failed,)


def test_branch_with_other_work_is_refused(repo: Repository, steps: Steps) -> None:
    git(repo.checkout, "branch", "orchestrator/item")
    with pytest.raises(BranchTakenError):
        steps.open()


def test_branch_named_orchestrator_is_refused(repo: Repository, steps: Steps) -> None:
    git(repo.checkout, "branch", "orchestrator")
    with pytest.raises(BranchTakenError):
        steps.open()


def test_branch_deleted_under_way_is_not_made_anew(repo: Repository, steps: Steps) -> None:
    opened = steps.open()
    steps.work(opened)
    git(repo.checkout, "branch", "-q", "-D", "orchestrator/item")
    with pytest.raises(ConflictError) as caught:
        steps.open()
    assert "git branch" in (caught.value.fix or "")


def test_commits_of_a_person_on_the_branch_are_adopted(repo: Repository, steps: Steps) -> None:
    opened = steps.open()
    steps.work(opened)
    tree = git(repo.checkout, "rev-parse", "orchestrator/item^{tree}")
    mine = git(repo.checkout, "commit-tree", tree, "-p", "orchestrator/item", "-m", "Mine")
    git(repo.checkout, "update-ref", "refs/heads/orchestrator/item", mine)
    assert steps.open().tip == mine


def subjects(repo: Repository) -> list[str]:
    return git(repo.checkout, "log", "--format=%s", "orchestrator/item").splitlines()


def drive(steps: Steps) -> None:
    """A run with a failed and a good attempt, as far as it has not been made yet."""
    opened = steps.open()
    mine = {a.number: a.state for a in opened.history}
    if AttemptState.VERIFIED not in mine.values():
        if AttemptState.FAILED not in mine.values():
            attempt = steps.begin(opened, number=max(mine, default=0) + 1)
            (opened.workspace.path / "junk").write_text("junk")
            steps.fail(opened, attempt)
            mine[attempt.number] = AttemptState.FAILED
        steps.work(opened, max(mine) + 1)
    steps.end(opened, RunState.DONE)


class Knife:
    """Kills before or after the nth durable step: a ref that moves, or a change of the store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.steps = 0
        self.at = at
        for owner, name in ((refs, "move_ref"), (Store, "write")):
            monkeypatch.setattr(owner, name, self.cut(getattr(owner, name)))

    def cut(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: Any, **named: Any) -> Any:
            self.point()
            result = real(*arguments, **named)
            self.point()
            return result

        return step

    def point(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            raise Killed


def story_of(steps: Steps) -> list[str]:
    """What the facts tell, in order, without what tells of a start and an end."""
    return [
        f"{fact.name} {fact.document['attempt']}"
        for fact in steps.store.facts()
        if "attempt" in fact.document
    ]


POINTS = 28


@pytest.mark.parametrize("point", range(1, POINTS + 1))
def test_killed_at_any_durable_step_it_carries_on(
    repo: Repository, steps: Steps, point: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint(repo.checkout)
    with monkeypatch.context() as patch:
        knife = Knife(patch, point)
        with pytest.raises(Killed):
            drive(steps)
        assert knife.steps == point
    drive(steps)
    assert subjects(repo) == ["item: 1 First", "Start"]
    run = ledger.read_run(repo, "item")
    assert run is not None
    assert run.state is RunState.DONE
    attempts = ledger.read_attempts(repo, "item")
    states = [attempt.state for attempt in attempts]
    assert states.count(AttemptState.VERIFIED) == 1
    assert states.count(AttemptState.FAILED) == 1
    assert set(states) <= {AttemptState.VERIFIED, AttemptState.FAILED, AttemptState.LOST}
    assert len(states) <= 3
    # Every attempt is told of once when it starts and once when it ends, and is pinned.
    assert sorted(story_of(steps)) == sorted(
        line
        for a in attempts
        for verified in [a.state is AttemptState.VERIFIED]
        for line in (
            f"attempt_started {a.id}",
            f"{'story_verified' if verified else 'attempt_failed'} {a.id}",
        )
    )
    for attempt in attempts:
        assert git(repo.checkout, "rev-parse", refs.attempt_ref(attempt.id))
    failed = next(a for a in attempts if a.state is AttemptState.FAILED)
    assert git(repo.checkout, "show", f"{refs.attempt_ref(failed.id)}:junk") == "junk"
    assert steps.store.operations(state="intent") == ()
    assert fingerprint(repo.checkout) == before


def test_the_points_are_all_there_are(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    knife = Knife(monkeypatch, 0)
    drive(steps)
    assert knife.steps == POINTS


def killed_in_checkpoint(steps: Steps, monkeypatch: pytest.MonkeyPatch, *, moved: bool) -> str:
    """Kill right before or after the branch moves to a checkpoint; returns the checkpoint."""
    opened = steps.open()
    real = refs.move_ref

    def kill(git: Git, ref: str, *arguments: Any) -> None:
        mine = ref == refs.branch_ref("item")
        if mine and not moved:
            raise Killed
        real(git, ref, *arguments)
        if mine:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(refs, "move_ref", kill)
        with pytest.raises(Killed):
            steps.work(opened)
    (operation,) = steps.store.operations(state="intent")
    return str(operation.plan["new"])


def move(repo: Repository, commit: str) -> None:
    git(repo.checkout, "update-ref", "--create-reflog", "refs/heads/orchestrator/item", commit)


def test_checkpoint_that_a_person_took_back_is_told_and_not_put_back(
    repo: Repository, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = killed_in_checkpoint(steps, monkeypatch, moved=True)
    move(repo, repo.head)
    with pytest.raises(ConflictError, match="taken back") as caught:
        steps.open()
    assert new in (caught.value.fix or "")
    assert ledger.branch_tip(repo, "item") == repo.head
    # Running again is the person's answer: the work goes on from where the branch is.
    opened = steps.open()
    assert opened.tip == repo.head
    (attempt,) = opened.attempts
    assert attempt.state is AttemptState.LOST
    assert git(repo.checkout, "show", f"{refs.attempt_ref(attempt.id)}:new.txt") == "new"


def test_checkpoint_that_a_person_gives_back_counts(
    repo: Repository, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = killed_in_checkpoint(steps, monkeypatch, moved=True)
    git(repo.checkout, "branch", "-q", "-D", "orchestrator/item")
    with pytest.raises(ConflictError, match="deleted") as caught:
        steps.open()
    assert "git branch" in (caught.value.fix or "")
    git(repo.checkout, "branch", "orchestrator/item", new)
    opened = steps.open()
    assert opened.tip == new
    assert [attempt.state for attempt in opened.attempts] == [AttemptState.VERIFIED]


def test_commit_of_a_person_in_place_of_a_checkpoint_wins(
    repo: Repository, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_in_checkpoint(steps, monkeypatch, moved=False)
    mine = git(repo.checkout, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "Mine")
    move(repo, mine)
    opened = steps.open()
    assert opened.tip == mine
    assert [attempt.state for attempt in opened.attempts] == [AttemptState.LOST]


def test_checkpoint_whose_commit_a_power_cut_took_is_given_up(
    repo: Repository, steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = killed_in_checkpoint(steps, monkeypatch, moved=False)
    git(repo.checkout, "update-ref", "-d", f"refs/orchestrator/attempts/item.{run_id(steps)}.1.1")
    (repo.common_dir / "objects" / new[:2] / new[2:]).unlink()
    opened = steps.open()
    assert opened.tip == repo.head
    assert [attempt.state for attempt in opened.attempts] == [AttemptState.LOST]


def run_id(steps: Steps) -> str:
    run = steps.store.run("item")
    assert run is not None
    return run.id


def rebuilt(repo: Repository) -> tuple[list[AttemptRecord], RunRecord | None, list[str]]:
    """What a new store knows after it was filled from git."""
    with open_store(repo.state_dir) as store:
        told = rebuild(repo, store)
        assert (told is None) == (store.facts() == ())
        assert rebuild(repo, store) is None
        messages = [fact.document["message"] for fact in store.facts()]
    return list(ledger.read_attempts(repo)), ledger.read_run(repo, "item"), messages


def test_lost_store_is_put_together_from_git(repo: Repository) -> None:
    with open_store(repo.state_dir) as store:
        steps = Steps(repo, store)
        opened = steps.open()
        steps.fail(opened, steps.begin(opened), Usage(cost=0.5, turns=2))
        attempt = steps.begin(opened, story="2.1", number=2)
        (opened.workspace.path / "new.txt").write_text("new\n")
        steps.verify(opened, attempt, Usage(cost=0.25, turns=3, input_tokens=9))
        steps.end(opened, RunState.BLOCKED, "why?")
    before = ledger.read_attempts(repo)
    run = ledger.read_run(repo, "item")
    store_path(repo.state_dir).unlink()
    attempts, again, messages = rebuilt(repo)
    assert attempts == list(before)
    assert again == run
    assert len(messages) == 1
    assert "1 run and 2 attempts" in messages[0]
    # Of the verified one the branch alone tells as much.
    store_path(repo.state_dir).unlink()
    git(repo.checkout, "update-ref", "-d", refs.attempt_ref(attempts[1].id))
    assert rebuilt(repo)[0] == list(before)


def test_new_store_of_a_new_repository_tells_nothing(repo: Repository) -> None:
    assert rebuilt(repo) == ([], None, [])


def test_attempt_under_way_when_the_store_was_lost_is_kept(repo: Repository) -> None:
    with open_store(repo.state_dir) as store:
        steps = Steps(repo, store)
        opened = steps.open()
        attempt = steps.begin(opened)
        (opened.workspace.directory / "attempts" / attempt.id).mkdir(parents=True)
        (opened.workspace.path / "half").write_text("half")
    store_path(repo.state_dir).unlink()
    with open_store(repo.state_dir) as store:
        rebuild(repo, store)
        steps = Steps(repo, store)
        opened = steps.open()
        assert opened.continued
        assert [(a.id, a.state) for a in opened.attempts] == [(attempt.id, AttemptState.LOST)]
        assert git(repo.checkout, "show", f"{refs.attempt_ref(attempt.id)}:half") == "half"
        assert steps.begin(opened).id != attempt.id
