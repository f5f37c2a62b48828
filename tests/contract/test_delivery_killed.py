"""kill -9 at any step of a delivery: the same command completes it, or `undo` takes it back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.adapters import process
from orchestrator.adapters.git.delivery import unfinished_landing
from orchestrator.adapters.git.own_commit import CommitRequest, commit_as_operator
from orchestrator.adapters.git.repository import Repository
from orchestrator.run.delivery import discarding, landing, planning, settling, undo
from orchestrator.run.delivery.pins import read_deliveries
from orchestrator.run.engine.engine import recover
from orchestrator.store.store import Store, open_store
from orchestrator.work.states import DeliveryState
from tests.finished import BRANCH, make_finished, user_content
from tests.gitrepo import fingerprint, git
from tests.scratch import CHANGE, Scratch

pytestmark = pytest.mark.processes

NOW = 1800000000
WAYS = ("merge", "squash", "apply", "discard")


@pytest.fixture
def scratch(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Scratch]:
    """Give fresh copies of a finished repository, with work of its user in it."""
    numbers = iter(range(1000))

    def make() -> Scratch:
        made = make_finished(tmp_path / str(next(numbers)), tmp_path_factory.mktemp("finished"))
        (made.path / "mine.txt").write_text("mine\n")
        (made.path / "staged.txt").write_text("staged\n")
        made.git("add", "staged.txt")
        return made

    return make


def deliver(path: Path, how: str) -> None:
    """Deliver as `finish` does, in this process."""
    repo = Repository.open(path)
    recover(repo)
    with open_store(repo.state_dir) as store:
        _deliver(repo, store, how)


def _deliver(repo: Repository, store: Store, how: str) -> None:
    if settling.settle(repo, store, CHANGE) is not None:
        return
    if how == "discard":
        discarding.discard(repo, store, CHANGE, NOW)
        return
    ready = planning.plan_delivery(repo, CHANGE, how, terminal=False)
    if how != "squash":
        landing.deliver(repo, store, ready, NOW)
        return
    record, begun = landing.begin_squash(repo, ready, NOW)
    request = CommitRequest(
        mark=landing.mark(record),
        message="Squashed",
        edit=False,
        trailers=(),
        attached=False,
        deadline=60,
    )
    commit_as_operator(begun, request)
    assert landing.end_squash(repo, store, record, begun) is not None


def take_back(path: Path, _: str) -> None:
    """Take back as `undo` does."""
    repo = Repository.open(path)
    recover(repo)
    with open_store(repo.state_dir) as store:
        undo.undo(repo, store, CHANGE)


def killed_at(step: int, action: Callable[[Path, str], None], path: Path, how: str) -> bool:
    """Do it in a process that dies before its ``step``-th process or change of a file.

    Returns whether it died; False when there are fewer steps.
    """
    child = os.fork()
    if child == 0:
        _die_at(step)
        try:
            action(path, how)
        except BaseException:
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9), f"step {step}: exit {status}"
    return status == 9


def _die_at(step: int) -> None:
    left = [step]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
            return function(*args, **kwargs)

        return call

    process._start = counted(process._start)
    os.replace = counted(os.replace)
    os.link = counted(os.link)
    Path.unlink = counted(Path.unlink)  # type: ignore[method-assign]
    Path.write_text = counted(Path.write_text)  # type: ignore[method-assign]


def every_step(
    make: Callable[[], Scratch], stride: int, action: Callable[[Path, str], None], how: str,
    check: Callable[[Scratch], None], prepare: Callable[[Scratch], None] = lambda _: None,
) -> int:  # fmt: skip
    """Kill at every ``stride``-th step and check what is left each time; returns how many."""
    step = 1
    while True:
        made = make()
        prepare(made)
        died = killed_at(step, action, made.path, how)
        check(made)
        if not died:
            return step
        step += stride


def arrived(made: Scratch, how: str) -> None:
    """Check that it arrived once, whole, and that the user's work is as it was."""
    assert made.git("branch", "--list", BRANCH) == ""
    (record,) = read_deliveries(Repository.open(made.path), CHANGE)
    assert record.state is DeliveryState.DONE
    status = made.git("status", "--porcelain").splitlines()
    new = {"merge": 3, "squash": 1}.get(how, 0)
    assert len(made.git("log", "--format=%H").split()) == 1 + new
    if new:
        assert made.git("diff", "HEAD", record.tip, "--stat") == ""
        assert status == ["A  staged.txt", "?? mine.txt", "?? orchestrator.toml"]
    assert (made.path / "one.txt").exists() == (how != "discard")
    assert (made.path / "mine.txt").read_text() == "mine\n"
    nothing_left(made)


def nothing_left(made: Scratch) -> None:
    state = made.path / ".git" / "orchestrator"
    assert not (made.path / ".git" / "index.lock").exists()
    assert not (state / "landing.json").exists()
    assert git(made.path, "fsck", "--no-dangling", "--no-progress") == ""


def content(made: Scratch) -> dict[str, object]:
    """Return what the user has, but for what undoing may leave: reflogs, and the index's bytes."""
    found = user_content(fingerprint(made.path))
    root = repr(os.fsencode(made.path))[:-1]
    return {
        name.replace(root, ""): value
        for name, value in found.items()
        if not name.startswith("log ") and name not in ("index", "config")
        if "orchestrator.toml" not in name
    }


STRIDES = [pytest.param(29, id="some"), pytest.param(3, id="many", marks=pytest.mark.slow)]


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", WAYS)
def test_killed_delivery_is_completed_by_the_same_command(
    scratch: Callable[[], Scratch], how: str, stride: int
) -> None:
    def again(made: Scratch) -> None:
        deliver(made.path, how)
        arrived(made, how)

    assert every_step(scratch, stride, deliver, how, again) > 20


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", WAYS)
def test_killed_delivery_is_taken_back(
    scratch: Callable[[], Scratch], how: str, stride: int
) -> None:
    before = content(scratch())

    def back(made: Scratch) -> None:
        if read_deliveries(Repository.open(made.path), CHANGE):
            take_back(made.path, how)
        recover(Repository.open(made.path))
        assert content(made) == before
        assert made.git("status", "--porcelain").splitlines()[0] == "A  staged.txt"
        assert made.git("branch", "--list", BRANCH).strip() == BRANCH
        nothing_left(made)

    every_step(scratch, stride, deliver, how, back)


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("how", WAYS)
def test_killed_undo_is_completed_by_the_next(
    scratch: Callable[[], Scratch], how: str, stride: int
) -> None:
    before = content(scratch())

    def again(made: Scratch) -> None:
        repo = Repository.open(made.path)
        if read_deliveries(repo, CHANGE)[-1].state is not DeliveryState.VOID:
            take_back(made.path, how)
        assert content(made) == before
        assert made.git("branch", "--list", BRANCH).strip() == BRANCH
        nothing_left(made)

    every_step(scratch, stride, take_back, how, again, lambda made: deliver(made.path, how))


@pytest.mark.parametrize("how", WAYS)
def test_run_after_a_killed_delivery_does_not_take_it_for_open(
    scratch: Callable[[], Scratch], how: str
) -> None:
    """A delivery that had landed is completed first; a discard that had only begun is called off.

    Before, a squash was tried once more, with nothing left to commit; or what the run had made
    since was discarded.
    """

    def again(made: Scratch) -> None:
        repo = Repository.open(made.path)
        recover(repo)
        with open_store(repo.state_dir) as store:
            if unfinished_landing(repo):
                return  # a run is refused then, and names the command that completes it
            landed = settling.settle_for_run(repo, store, CHANGE)
            records = read_deliveries(repo, CHANGE)
            assert (landed is not None) == any(r.state is DeliveryState.DONE for r in records)
            if how == "discard" and landed is None:
                assert settling.settle(repo, store, CHANGE) is None
                assert made.git("branch", "--list", BRANCH).strip() == BRANCH
            elif landed is not None:
                assert made.git("branch", "--list", BRANCH) == ""

    every_step(scratch, 17, deliver, how, again)
