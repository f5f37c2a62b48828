"""Reads what there is to tell of items from store, git and spec, bounded. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from contextlib import suppress

import attrs

from orchestrator import __version__
from orchestrator.adapters.git import refs
from orchestrator.adapters.git.refs import RefRecord
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.stat import FileStat, commit_stats
from orchestrator.errors import AdapterError
from orchestrator.run.lock import BACKLOG, running_item
from orchestrator.store.reading import FactRow, Reader, open_reader
from orchestrator.text import one_line
from orchestrator.work.backlog.item import Item as BacklogItem
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.records import (
    AttemptRecord,
    AttemptState,
    DeliveryState,
    RunRecord,
    RunState,
)

from .cleaning import Cleaner, ended_at
from .differences import Differences
from .endings import Ending, ending_of
from .known import Known, read_known
from .model import Attempt, Item, Note, Report, Run
from .notes import notes_of, waiting
from .phases import checks_of, phases_of
from .stories import stories_of, story_checks
from .task import notes
from .tasks import batched_of, checked_of, never_run, read_happened, read_tasks, task_of
from .words import moment

MOST_ATTEMPTS = 300
"""The newest attempts of an item are told; what came before them is counted in no total."""

_ALL_PATCHES = 4 << 20
_PAGE = 1000

Redact = Callable[[str], str]


def gather(
    repo: Repository,
    items: Sequence[str],
    *,
    now: float,
    redact: Redact,
    patches: bool = False,
    rules: Rules | None = None,
) -> Report:
    """Return all that is known of these items.

    Args:
      now: Unix time in seconds.
      redact: takes secrets out of every text.
      patches: whether unified diffs are wanted too, as far as they are not too long.
      rules: tell which phases items of the backlog have before them.

    Raises:
      StoreError: when there is a store that cannot be read.
      AdapterError: when git fails.
    """
    running = running_item(repo.state_dir)
    room = _ALL_PATCHES // max(len(items), 1) if patches else 0
    with open_reader(repo.state_dir) as reader:
        known, cleaner = read_known(repo, items), Cleaner(redact)
        tasks = read_tasks(reader, repo.git)
        gathered = (
            _Gathering(
                repo=repo,
                name=item,
                reader=reader,
                clean=cleaner,
                running=running == (BACKLOG if item in tasks else item),
                now=now,
                differences=Differences(git=repo.git, clean=cleaner, room=room),
                known=known,
                tasks=tasks,
                rules=rules,
            ).item()
            for item in items
        )
        return Report(
            product=f"orchestrator {__version__}",
            repository=one_line(repo.checkout.name),
            at=now,
            items=tuple(item for item in gathered if item is not None),
        )


@attrs.define(eq=False, kw_only=True)
class _Gathering:
    """Reads one item."""

    _repo: Repository
    _name: str
    _reader: Reader | None
    _clean: Cleaner
    _running: bool
    _now: float
    _differences: Differences
    _known: Known
    _tasks: Mapping[str, BacklogItem]
    _rules: Rules | None

    def item(self) -> Item | None:
        runs, task = self._known.runs[self._name], self._tasks.get(self._name)
        if not runs and task is None:
            return None
        run = runs[-1] if runs else never_run(self._name)
        records = self._known.attempts[self._name][-MOST_ATTEMPTS:]
        facts = self._facts()
        branch = refs.branch_ref(run.item)
        pinned = (refs.attempt_ref(record.id) for record in records)
        found = refs.read_refs(self._repo.git, branch, *pinned)
        attempts = self._attempts(records, run, found, batched_of(facts))
        if task is not None:
            return self._of_backlog(task, run, attempts, facts, found)
        return self._of_change(run, records, attempts, facts, found)

    def _of_change(
        self,
        run: RunRecord,
        records: Sequence[AttemptRecord],
        attempts: Sequence[Attempt],
        facts: Sequence[FactRow],
        found: Mapping[str, RefRecord],
    ) -> Item:
        ending = ending_of(run, facts) if not self._running else Ending()
        status, reason = self._status(run), run.reason
        if run.state is RunState.OPEN and not self._running:
            status, reason = ending.state, ending.reason
        return attrs.evolve(
            self._common(run, attempts, facts, found),
            status=status,
            reason=self._clean.line(reason, 400),
            evidence=self._clean.text(ending.evidence),
            advice=self._clean.line(ending.advice) if status == ending.state else "",
            checks=story_checks(records, found, facts),
            stories=stories_of(self._repo, run, attempts, facts, self._clean),
        )

    def _of_backlog(
        self,
        task: BacklogItem,
        run: RunRecord,
        attempts: Sequence[Attempt],
        facts: Sequence[FactRow],
        found: Mapping[str, RefRecord],
    ) -> Item:
        history = read_happened(self._reader, task.id, self._clean)
        checked = checked_of(facts, found)
        common = self._common(run, attempts, facts, found)
        gone = run.state in (RunState.DELIVERED, RunState.DISCARDED)
        status = run.state.value if gone else task.status.value.replace("_", " ")
        reason = task.question.text if task.question is not None else task.reason
        return attrs.evolve(
            common,
            status=status,
            reason=self._clean.line(reason, 400),
            checks=checks_of(attempts, checked),
            stories=phases_of(task, attempts, history, checked=checked, rules=self._rules),
            notes=tuple(sorted((*common.notes, *notes(history)), key=lambda note: note.at)),
            task=task_of(task, self._tasks, history, self._clean),
        )

    def _common(
        self,
        run: RunRecord,
        attempts: Sequence[Attempt],
        facts: Sequence[FactRow],
        found: Mapping[str, RefRecord],
    ) -> Item:
        """Return what there is to tell of any item."""
        branch = refs.branch_ref(run.item)
        tip = found[branch].oid if branch in found else ""
        last = tip or next(
            (a.commit for a in reversed(attempts) if a.state is AttemptState.VERIFIED), ""
        )
        return Item(
            status="",
            reason="",
            evidence="",
            advice="",
            waiting=self._clean.line(waiting(facts, self._now)) if self._running else "",
            told=self._told(),
            run=self._clean.run(run),
            checks=None,
            branch=branch.removeprefix("refs/heads/") if tip else "",
            tip=tip,
            commits=self._count(run.base, tip) if tip and run.base else 0,
            diff=self._differences.between(run.base, last) if last and run.base else None,
            deliveries=self._deliveries(),
            runs=self._runs(run, attempts, facts) if run.id else (),
            stories=(),
            notes=tuple(self._note(note) for note in notes_of(facts)),
        )

    def _facts(self) -> tuple[FactRow, ...]:
        facts: list[FactRow] = []
        while self._reader is not None:
            since = facts[-1].seq if facts else 0
            page = self._reader.facts(since, item=self._name, limit=_PAGE)
            facts += page
            if len(page) < _PAGE:
                break
        return tuple(facts)

    def _status(self, run: RunRecord) -> str:
        if run.state is RunState.OPEN:
            return "in progress" if self._running else "interrupted"
        return str(run.state.value)

    def _attempts(
        self,
        records: Sequence[AttemptRecord],
        run: RunRecord,
        found: Mapping[str, RefRecord],
        batched: Container[str],
    ) -> tuple[Attempt, ...]:
        commits = {
            record.id: found[ref].oid
            for record in records
            if (ref := refs.attempt_ref(record.id)) in found
        }
        stats: Mapping[str, tuple[FileStat, ...]] = {}
        with suppress(AdapterError):  # too much to count is no reason to tell nothing
            stats = commit_stats(self._repo.git, tuple(commits.values()))
        attempts, waits = [], ""
        for record in records:
            commit = commits.get(record.id, "")
            started = record.state is AttemptState.STARTED
            diff = None
            if commit in stats and not started:
                diff = self._differences.of(stats[commit], f"{commit}^", commit)
            if record.state is AttemptState.VERIFIED and commit:
                if waits and record.id not in batched:
                    # Its commit holds what waited, too.
                    diff = self._differences.between(waits, commit)
                waits = commit if record.id in batched else ""
            attempts.append(
                Attempt(
                    record=self._clean.attempt(record),
                    ended=ended_at(record),
                    running=started and self._running and record.run == run.id,
                    commit=commit,
                    diff=diff,
                )
            )
        return tuple(attempts)

    def _count(self, base: str, tip: str) -> int:
        said = self._repo.git.text("rev-list", "--count", "--end-of-options", f"{base}..{tip}")
        return int(said)

    def _deliveries(self) -> tuple[str, ...]:
        words = {
            DeliveryState.INTENT: "begun, not finished",
            DeliveryState.DONE: "done",
            DeliveryState.VOID: "taken back",
        }
        return tuple(
            self._clean.line(
                f"{moment(record.at)} {record.how}"
                + (f" into {record.target.removeprefix('refs/heads/')}" if record.target else "")
                + (f" at {record.commit[:9]}" if record.commit and record.target else "")
                + f": {words[record.state]}"
            )
            for record in self._known.deliveries[self._name]
        )

    def _told(self) -> tuple[str, ...]:
        rows = self._reader.guidance(self._name) if self._reader is not None else ()
        return tuple(self._clean.line(row.text, 400) for row in rows if row.attempt is None)

    def _runs(
        self, last: RunRecord, attempts: Sequence[Attempt], facts: Sequence[FactRow]
    ) -> tuple[Run, ...]:
        known = {run.id: run for run in self._known.runs[self._name]} | {last.id: last}
        ended = {a.record.run: a.ended for a in attempts if a.ended is not None}
        ended |= {fact.run: float(fact.at) for fact in facts if fact.name == "run_ended"}
        return tuple(
            Run(
                id=run.id,
                at=run.at,
                state=self._status(run) if run.id == last.id else run.state.value,
                reason=self._clean.line(run.reason, 400),
                ended=ended.get(run.id) if run.state is not RunState.OPEN else None,
            )
            for run in sorted(known.values(), key=lambda run: run.at)
        )

    def _note(self, note: Note) -> Note:
        return attrs.evolve(note, text=self._clean.line(note.text, 400))
