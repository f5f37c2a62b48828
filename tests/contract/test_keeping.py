"""Promise: what a phase brought is kept once, wherever the engine dies, whoever moves a branch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
import trio

from orchestrator.adapters.git import checkpoint, objects, refs, snapshot
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import ConflictError
from orchestrator.run.backlog import keeping
from orchestrator.run.backlog.book import Book, load_book
from orchestrator.run.backlog.keeping import Brought, keep
from orchestrator.run.backlog.recovery import recover_backlog
from orchestrator.run.backlog.results import finish_kept
from orchestrator.run.events import AttemptStarted, RunStarted
from orchestrator.run.records import ledger
from orchestrator.run.records.opening import OpenedRun, Spec, open_run
from orchestrator.run.threads import GitThreads
from orchestrator.store.store import Store, open_store
from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.item import Cause, Item, Pool, Status
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.result import FollowUp, Outcome, PhaseResult
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.records import AttemptRecord, AttemptState
from orchestrator.work.worker import Usage
from tests.gitrepo import fingerprint, make_repository

pytestmark = pytest.mark.processes

PHASES = tuple(Phase(name=name) for name in ("plan", "build", "review"))
RULES = Rules(pipelines={"feature": Pipeline(name="feature", phases=PHASES)})
ITEM = "WRK-1"


class Killed(BaseException):
    """Stands for SIGKILL between two steps."""


@attrs.define
class Work:
    """One item in a repository, one durable step at a time, as the scheduler takes them."""

    repo: Repository
    store: Store
    book: Book
    head: str = ""

    @property
    def item(self) -> Item:
        """The item as it is durable."""
        item = self.book.backlog.get(ITEM)
        assert item is not None
        return item

    @property
    def threads(self) -> GitThreads:
        """How git is run."""
        return GitThreads(limiter=trio.CapacityLimiter(2), deadline=60.0)

    def open(self) -> OpenedRun:
        """Open the item's workspace at its head."""
        spec = Spec(
            change=ITEM,
            title="T",
            root=".",
            directory="",
            carried={},
            brief="Do it",
            begun=bool(self.item.waiting),
        )
        fact = RunStarted(item=ITEM, agent="", stories=3, left_behind=())
        opened = open_run(self.repo, self.store, ITEM, spec, 100, fact)
        self.head = self.item.head or opened.tip
        snapshot.restore(self.repo, opened.workspace, self.head)
        return opened

    def attempt(self, opened: OpenedRun) -> AttemptRecord:
        """Begin an attempt at the item's phase, and write a file named like it."""
        phase = self.item.phase or ""
        fact = AttemptStarted(
            item=ITEM, story="", title="T", position=1, done=0, stories=3, number=1, phase=phase
        )
        attempt, _ = ledger.begin_attempt(
            self.store,
            opened.run,
            "",
            1 + len(self.store.attempts(ITEM)),
            opened.workspace,
            200,
            fact,
            phase=phase,
            visit=self.item.visit,
        )
        (opened.workspace.path / f"{phase}.txt").write_text(phase)
        return attrs.evolve(attempt, state=AttemptState.VERIFIED, usage=Usage(cost=0.5))

    def brought(self, opened: OpenedRun, *, batch: bool = False) -> Brought:
        """Run an attempt; return what it brought."""
        attempt = self.attempt(opened)
        taken = checkpoint.take(self.repo, opened.workspace, self.head)
        report = PhaseResult(
            outcome=Outcome.COMPLETE,
            summary=f"did {attempt.phase}",
            commit_summary=f"do {attempt.phase}",
            follow_ups=(FollowUp(title=f"after {attempt.phase}"),),
        )
        return Brought(attempt=attempt, report=report, tree=taken.tree, batch=batch)

    async def phase(self, *, batch: bool = False) -> None:
        """Do the item's phase and keep what it brought."""
        brought = self.brought(self.open(), batch=batch)
        kept = keep(self.repo, self.store, self.item, self.head, brought)
        await finish_kept(self.book, ITEM, kept)
        self.head = kept.head

    def log(self) -> list[str]:
        """Subjects of the item's branch that are not the base's, oldest first."""
        listed = self.repo.git.text(
            "log", "--reverse", "--format=%s", f"main..{refs.branch_ref(ITEM)}"
        )
        return listed.splitlines()

    def titles(self) -> list[str]:
        """Titles of all items."""
        return sorted(item.title for item in self.book.backlog.items())

    async def restart(self) -> None:
        """Begin as an engine does that finds what another left."""
        self.book = load_book(self.store, RULES)
        await recover_backlog(self.book, self.repo, self.threads)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    repo = Repository.open(make_repository(tmp_path / "repo"))
    before = fingerprint(repo.checkout)
    with open_store(repo.state_dir) as store:
        yield Work(repo=repo, store=store, book=load_book(store, RULES))
    assert fingerprint(repo.checkout) == before


async def begin(work: Work) -> None:
    """Put the item into its first phase."""
    item = Item(
        id=ITEM, title="T", status=Status.IN_PROGRESS, phase="plan", pool=Pool.MAIN, visit=1
    )
    await work.book.change(lambda _, __: Change(items=(item,)))


async def test_each_phase_is_one_commit_and_its_item_goes_on(work: Work) -> None:
    await begin(work)
    for phase in ("plan", "build", "review"):
        assert work.item.phase == phase
        await work.phase()
    assert work.item.status is Status.DONE
    assert work.log() == [f"[{ITEM}][{p}] do {p}" for p in ("plan", "build", "review")]
    assert work.titles() == ["T", "after build", "after plan", "after review"]
    assert not work.store.operations(state="intent")


async def test_results_wait_for_the_next_commit_and_are_in_it(work: Work) -> None:
    await begin(work)
    await work.phase(batch=True)
    await work.phase(batch=True)
    assert work.log() == []
    assert [one.phase for one in work.item.waiting] == ["plan", "build"]
    await work.phase()
    assert work.item.waiting == ()
    parts = " | ".join(f"[{ITEM}][{p}] do {p}" for p in ("plan", "build", "review"))
    assert work.log() == [parts]
    shown = work.repo.git.text("show", "--format=", "--name-only", refs.branch_ref(ITEM))
    assert shown.split() == ["build.txt", "plan.txt", "review.txt"]


def dying(where: object, name: str, *, after: bool = False, nth: int = 1) -> object:
    """Return what kills at the ``nth`` call of a function, before it or after it."""
    original = getattr(where, name)
    calls = 0

    def function(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        result = original(*args, **kwargs) if after or calls != nth else None
        if calls == nth:
            raise Killed
        return result

    return function


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("where", "name", "after", "nth"),
    [
        (objects, "commit", True, 1),
        (keeping, "apply_checkpoint", False, 1),
        (refs, "move_ref", True, 1),
        (refs, "move_ref", True, 2),
        (keeping, "apply_checkpoint", True, 1),
    ],
)
async def test_killed_between_any_two_steps_it_is_kept_once(
    work: Work,
    monkeypatch: pytest.MonkeyPatch,
    batch: bool,
    where: object,
    name: str,
    after: bool,
    nth: int,
) -> None:
    await begin(work)
    brought = work.brought(work.open(), batch=batch)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, dying(where, name, after=after, nth=nth))
        with pytest.raises(Killed):
            keep(work.repo, work.store, work.item, work.head, brought)
    await work.restart()
    if work.item.phase == "plan":  # it never got as far as the intent: the phase is done again
        await work.phase(batch=batch)
    assert work.item.phase == "build"
    await work.restart()
    assert work.item.phase == "build"
    assert work.titles() == ["T", "after plan"]
    assert work.log() == ([] if batch else [f"[{ITEM}][plan] do plan"])
    await work.phase()
    await work.phase()
    assert len(work.log()) == (2 if batch else 3)
    assert work.titles() == ["T", "after build", "after plan", "after review"]
    costs = [row for row in work.store.attempts(ITEM) if row.state == "verified"]
    assert len(costs) == 3


async def kill_before_done(work: Work, monkeypatch: pytest.MonkeyPatch, *, moved: bool) -> str:
    """Keep the plan, dying right before or after its branch moves; returns the commit."""
    await begin(work)
    brought = work.brought(work.open())
    with monkeypatch.context() as patch:
        patch.setattr(keeping, "apply_checkpoint", dying(keeping, "apply_checkpoint", after=moved))
        with pytest.raises(Killed):
            keep(work.repo, work.store, work.item, work.head, brought)
    (operation,) = work.store.operations(ITEM, state="intent")
    return str(operation.plan["new"])


def commit_on(work: Work, branch: str, *, tree: str, parent: str) -> str:
    """Put a commit of somebody else's on a branch, and return it."""
    tree = objects.tree_of(work.repo.git, tree)
    parent = work.repo.git.text("rev-parse", parent)
    new = objects.commit(work.repo.git, tree, [parent], "mine", work.repo.identity(), 300)
    work.repo.git.run("update-ref", "--create-reflog", branch, new)
    return new


def amend(work: Work) -> None:
    """Replace the branch's newest commit, as `git commit --amend` does."""
    branch = refs.branch_ref(ITEM)
    commit_on(work, branch, tree=branch, parent=objects.forebear(work.repo.git, branch, 1))


def reset(work: Work) -> None:
    """Take the branch one commit back."""
    branch = refs.branch_ref(ITEM)
    work.repo.git.run("update-ref", "--create-reflog", branch, f"{branch}~1")


def delete(work: Work) -> None:
    """Delete the branch."""
    work.repo.git.run("update-ref", "-d", refs.branch_ref(ITEM))


@pytest.mark.parametrize("interfere", [amend, reset, delete])
async def test_a_branch_that_somebody_moved_meanwhile_parks_the_item(
    work: Work, monkeypatch: pytest.MonkeyPatch, interfere: Callable[[Work], None]
) -> None:
    await kill_before_done(work, monkeypatch, moved=True)
    interfere(work)
    tip = ledger.branch_tip(work.repo, ITEM)
    await work.restart()
    assert work.item.question is not None
    assert work.item.question.cause is Cause.PARKED
    assert "git branch" in work.item.question.text
    assert work.item.phase == "plan"
    assert ledger.branch_tip(work.repo, ITEM) == tip
    assert not work.store.operations(state="intent")
    assert work.titles() == ["T"]


async def test_a_commit_on_top_of_ours_is_no_trouble(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = await kill_before_done(work, monkeypatch, moved=True)
    top = commit_on(work, refs.branch_ref(ITEM), tree=ours, parent=ours)
    await work.restart()
    assert work.item.phase == "build"
    assert ledger.branch_tip(work.repo, ITEM) == top


async def test_what_power_loss_took_is_done_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = await kill_before_done(work, monkeypatch, moved=False)
    (work.repo.common_dir / "objects" / new[:2] / new[2:]).unlink()
    await work.restart()
    assert (work.item.phase, work.item.question) == ("plan", None)
    assert not work.store.operations(state="intent")


async def test_results_that_wait_do_not_go_on_top_of_somebody_elses_commit(work: Work) -> None:
    await begin(work)
    await work.phase(batch=True)
    brought = work.brought(work.open())
    top = commit_on(work, refs.branch_ref(ITEM), tree="main", parent="main")
    with pytest.raises(ConflictError, match="was moved while a phase ran"):
        keep(work.repo, work.store, work.item, work.head, brought)
    assert ledger.branch_tip(work.repo, ITEM) == top
    assert [one.phase for one in work.item.waiting] == ["plan"]


async def test_a_result_that_comes_too_late_changes_nothing_else(work: Work) -> None:
    await begin(work)
    brought = work.brought(work.open())
    kept = keep(work.repo, work.store, work.item, work.head, brought)
    closed = attrs.evolve(work.item, status=Status.CLOSED)
    await work.book.change(lambda _, __: Change(items=(closed,)))
    await finish_kept(work.book, ITEM, kept)
    assert (work.item.status, work.item.phase) == (Status.CLOSED, "plan")
    assert work.titles() == ["T"]
    assert not work.store.operations(state="intent")
