"""Promise: an item's memory in git survives a crash between any two of its steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from orchestrator.adapters.git import checkpoint, refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import BranchTakenError, ConflictError
from orchestrator.run import ledger, opening
from orchestrator.work.records import AttemptState, RunState
from tests.gitrepo import fingerprint, git, make_repository

pytestmark = pytest.mark.processes


class Killed(BaseException):
    """Stands for SIGKILL between two steps."""


def open_(repo: Repository, **carried: Path | None) -> opening.OpenedRun:
    """Open a run of a change whose files lie in ``spec/``; keywords are names there."""
    spec = opening.Spec(
        change="item",
        title="A",
        root=".",
        directory="spec",
        carried={f"spec/{name}".encode(): file for name, file in carried.items()},
    )
    return opening.open_run(Repository.open(repo.checkout), "item", spec, 100)


def work(repo: Repository, opened: opening.OpenedRun, number: int = 1) -> str:
    """One successful attempt on story 1."""
    attempt = ledger.begin_attempt(repo, opened.run, "1", number, opened.tip, 200)
    (opened.workspace.path / "new.txt").write_text("new\n")
    taken = checkpoint.take(repo, opened.workspace, opened.tip)
    return ledger.keep_checkpoint(
        repo,
        attrs.evolve(attempt, state=AttemptState.VERIFIED),
        opened.workspace,
        tree=taken.tree,
        tip=opened.tip,
        title="1 First",
        verified=True,
        now=201,
    )


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Repository.open(make_repository(tmp_path / "repo"))


def test_run_attempt_checkpoint(repo: Repository) -> None:
    before = fingerprint(repo.checkout)
    opened = open_(repo)
    assert not opened.continued
    commit = work(repo, opened)
    again = open_(repo)
    assert again.continued
    assert again.tip == commit
    assert [a.state for a in again.attempts] == [AttemptState.VERIFIED]
    assert fingerprint(repo.checkout) == before


def write(repo: Repository, name: str, text: str) -> Path:
    path = repo.checkout / "spec" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_carried_files_become_the_first_commit(repo: Repository) -> None:
    opened = open_(repo, new=write(repo, "new", "spec\n"))
    assert opened.tip != repo.head
    assert (opened.workspace.path / "spec" / "new").read_text() == "spec\n"


def test_what_a_person_mends_before_any_checkpoint_counts(repo: Repository) -> None:
    opened = open_(repo, tasks=write(repo, "tasks", "one\n"))
    attempt = ledger.begin_attempt(repo, opened.run, "1", 1, opened.tip, 200)
    failed = attrs.evolve(attempt, state=AttemptState.FAILED, reason="bad")
    ledger.keep_attempt(repo, failed, opened.workspace, opened.tip, 201)
    git(repo.checkout, "commit", "-q", "--allow-empty", "-m", "Mended")
    again = open_(repo, tasks=write(repo, "tasks", "two\n"))
    assert again.run.base == git(repo.checkout, "rev-parse", "HEAD")
    assert (again.workspace.path / "spec" / "tasks").read_text() == "two\n"
    assert again.run.id == opened.run.id
    assert [a.id for a in again.attempts] == [attempt.id]
    assert open_(repo, tasks=write(repo, "tasks", "two\n")).tip == again.tip


def test_spec_changed_after_a_checkpoint_is_carried_and_merged(repo: Repository) -> None:
    text = "[ ] one\n\nabout two\n\n[ ] two\n"
    opened = open_(repo, tasks=write(repo, "tasks", text), notes=write(repo, "notes", "old\n"))
    (opened.workspace.path / "spec" / "tasks").write_text(text.replace("[ ] one", "[x] one"))
    work(repo, opened)
    changed = {
        "tasks": write(repo, "tasks", text.replace("[ ] two", "[ ] two and three")),
        "notes": write(repo, "notes", "new\n"),
    }
    again = open_(repo, **changed)
    assert (again.workspace.path / "spec" / "tasks").read_text() == (
        "[x] one\n\nabout two\n\n[ ] two and three\n"
    )
    assert (again.workspace.path / "spec" / "notes").read_text() == "new\n"
    assert open_(repo, **changed).tip == again.tip


def test_modes_of_changed_spec_files_are_carried(repo: Repository) -> None:
    script = write(repo, "script", "one\n")
    opened = open_(repo, script=script)
    work(repo, opened)
    script.write_text("two\n")
    script.chmod(0o755)
    tip = open_(repo, script=script).tip
    assert git(repo.checkout, "ls-tree", tip, "spec/script").startswith("100755")


def test_spec_changed_on_both_sides_stops_and_changes_nothing(repo: Repository) -> None:
    opened = open_(repo, tasks=write(repo, "tasks", "[ ] one\n"))
    (opened.workspace.path / "spec" / "tasks").write_text("[x] one\n")
    commit = work(repo, opened)
    with pytest.raises(ConflictError) as caught:
        open_(repo, tasks=write(repo, "tasks", "[ ] something else\n"))
    assert "spec/tasks" in caught.value.message
    assert ledger.branch_tip(repo, "item") == commit


def test_ended_run_gives_a_fresh_allowance_on_the_same_branch(repo: Repository) -> None:
    opened = open_(repo)
    commit = work(repo, opened)
    ledger.record_run(repo, attrs.evolve(opened.run, state=RunState.FAILED, reason="no"))
    again = open_(repo)
    assert not again.continued
    assert again.run.id != opened.run.id
    assert again.tip == commit
    assert again.attempts == ()
    assert len(again.history) == 1


def test_failed_attempt_is_pinned_and_the_workspace_restored(repo: Repository) -> None:
    opened = open_(repo)
    attempt = ledger.begin_attempt(repo, opened.run, "1", 1, opened.tip, 200)
    (opened.workspace.path / "junk").write_text("junk")
    failed = attrs.evolve(attempt, state=AttemptState.FAILED, reason="bad")
    ref = ledger.keep_attempt(repo, failed, opened.workspace, opened.tip, 201)
    assert not (opened.workspace.path / "junk").exists()
    assert git(repo.checkout, "show", f"{ref}:junk") == "junk"
    assert ledger.read_attempts(repo, "item") == (failed,)


def test_branch_with_other_work_is_refused(repo: Repository) -> None:
    git(repo.checkout, "branch", "orchestrator/item")
    with pytest.raises(BranchTakenError):
        open_(repo)


def test_branch_named_orchestrator_is_refused(repo: Repository) -> None:
    git(repo.checkout, "branch", "orchestrator")
    with pytest.raises(BranchTakenError):
        open_(repo)


def test_branch_deleted_under_way_is_not_made_anew(repo: Repository) -> None:
    opened = open_(repo)
    work(repo, opened)
    git(repo.checkout, "branch", "-q", "-D", "orchestrator/item")
    with pytest.raises(ConflictError) as caught:
        open_(repo)
    assert "git branch" in (caught.value.fix or "")


def test_commits_of_a_person_on_the_branch_are_adopted(repo: Repository) -> None:
    opened = open_(repo)
    work(repo, opened)
    tree = git(repo.checkout, "rev-parse", "orchestrator/item^{tree}")
    mine = git(repo.checkout, "commit-tree", tree, "-p", "orchestrator/item", "-m", "Mine")
    git(repo.checkout, "update-ref", "refs/heads/orchestrator/item", mine)
    assert open_(repo).tip == mine


STEPS = 25


@pytest.mark.parametrize("step", range(1, STEPS))
def test_killed_before_any_ref_moves_it_carries_on(
    repo: Repository, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run with a failed and a good attempt, killed before its nth ref update, then redone."""
    before = fingerprint(repo.checkout)
    moves = 0
    real = refs.move_ref

    def counted(*arguments: str, **named: str) -> None:
        nonlocal moves
        moves += 1
        if moves == step:
            raise Killed
        real(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(refs, "move_ref", counted)
    finished: Callable[[], bool] = lambda: any(  # noqa: E731
        a.state is AttemptState.VERIFIED for a in ledger.read_attempts(repo, "item")
    )
    for _ in range(3):
        try:
            opened = open_(repo)
            if not finished():
                number = max((a.number for a in opened.attempts), default=0) + 1
                failing = ledger.begin_attempt(repo, opened.run, "1", number, opened.tip, 150)
                failed = attrs.evolve(failing, state=AttemptState.FAILED, reason="bad")
                ledger.keep_attempt(repo, failed, opened.workspace, opened.tip, 151)
                work(repo, opened, number + 1)
            ledger.record_run(repo, attrs.evolve(opened.run, state=RunState.DONE))
            break
        except Killed:
            continue
    subjects = git(repo.checkout, "log", "--format=%s", "orchestrator/item").splitlines()
    assert subjects == ["item: 1 First", "Start"]
    run = ledger.read_run(repo, "item")
    assert run is not None
    assert run.state is RunState.DONE
    assert fingerprint(repo.checkout) == before
