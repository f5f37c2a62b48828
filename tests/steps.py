"""An item's run, one durable step at a time, as the loop takes them but without an engine."""

from __future__ import annotations

from pathlib import Path

import attrs

from orchestrator.adapters.git import checkpoint
from orchestrator.adapters.git.repository import Repository
from orchestrator.run.events import (
    AttemptFailed,
    AttemptStarted,
    RunEnded,
    RunStarted,
    StoryVerified,
)
from orchestrator.run.records import ledger, opening
from orchestrator.store.store import Store
from orchestrator.work.records import AttemptRecord, AttemptState, RunState
from orchestrator.work.worker import Usage

ITEM = "item"


@attrs.frozen
class Steps:
    """The steps of item ``item`` in a repository."""

    repo: Repository
    store: Store

    def open(self, **carried: Path | None) -> opening.OpenedRun:
        """Open a run of a change whose files lie in ``spec/``; keywords are names there."""
        spec = opening.Spec(
            change=ITEM,
            title="Title",
            root=".",
            directory="spec",
            carried={f"spec/{name}".encode(): file for name, file in carried.items()},
        )
        fact = RunStarted(item=ITEM, agent="mine", stories=1, left_behind=())
        repo = Repository.open(self.repo.checkout)
        return opening.open_run(repo, self.store, ITEM, spec, 100, fact)

    def begin(
        self, opened: opening.OpenedRun, *, story: str = "1", number: int = 1
    ) -> AttemptRecord:
        """Begin an attempt."""
        fact = AttemptStarted(
            item=ITEM, story=story, title="First", position=1, done=0, stories=1, number=number
        )
        attempt, _ = ledger.begin_attempt(
            self.store, opened.run, story, number, opened.workspace, 200, fact
        )
        return attempt

    def fail(
        self, opened: opening.OpenedRun, attempt: AttemptRecord, usage: Usage | None = None
    ) -> AttemptRecord:
        """Keep what a failed attempt left; returns its record."""
        failed = attrs.evolve(
            attempt, state=AttemptState.FAILED, reason="bad", usage=usage or Usage()
        )
        fact = AttemptFailed(
            story=attempt.story,
            title="First",
            position=1,
            stories=1,
            number=attempt.number,
            attempt=attempt.id,
            state="failed",
            reason="bad",
            evidence="",
            seconds=1.0,
            usage=failed.usage,
        )
        ledger.keep_attempt(self.repo, self.store, failed, opened.workspace, opened.tip, 201, fact)
        return failed

    def verify(
        self, opened: opening.OpenedRun, attempt: AttemptRecord, usage: Usage | None = None
    ) -> str:
        """Checkpoint the workspace as it is; returns the commit."""
        taken = checkpoint.take(self.repo, opened.workspace, opened.tip)
        good = attrs.evolve(attempt, state=AttemptState.VERIFIED, usage=usage or Usage())
        fact = StoryVerified(
            story=attempt.story,
            title="First",
            position=1,
            done=1,
            stories=1,
            number=attempt.number,
            attempt=attempt.id,
            verified=True,
            seconds=1.0,
            usage=good.usage,
        )
        done, _ = ledger.keep_checkpoint(
            self.repo,
            self.store,
            good,
            opened.workspace,
            tree=taken.tree,
            tip=opened.tip,
            title="1 First",
            fact=fact,
        )
        return done.commit

    def work(self, opened: opening.OpenedRun, number: int = 1) -> str:
        """One successful attempt on story 1 that writes ``new.txt``; returns the commit."""
        attempt = self.begin(opened, number=number)
        (opened.workspace.path / "new.txt").write_text("new\n")
        return self.verify(opened, attempt)

    def end(
        self, opened: opening.OpenedRun, state: RunState, reason: str = "", story: str = ""
    ) -> None:
        """Record how the run ended."""
        run = attrs.evolve(opened.run, state=state, reason=reason, story=story)
        fact = RunEnded(
            run=run.id,
            item=ITEM,
            change=ITEM,
            state=state.value,
            reason=reason,
            done=0,
            stories=1,
            attempts=0,
            cost=0.0,
            verified=True,
            advice="",
            branch=f"orchestrator/{ITEM}",
            target="main",
        )
        ledger.record_run(self.repo, self.store, run, fact)
