"""Promise: no history of legal decisions reaches an illegal state, loses an item or turns back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from orchestrator.errors import UsageError
from orchestrator.work.backlog import moves, outcomes
from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.guardrails import exceeded
from orchestrator.work.backlog.item import (
    DELIVER,
    Asks,
    Assessments,
    Cause,
    Item,
    Level,
    Pool,
    Size,
    Status,
)
from orchestrator.work.backlog.merging import reaches
from orchestrator.work.backlog.moves import Edits, NewItem
from orchestrator.work.backlog.outcomes import Attempted, Landed
from orchestrator.work.backlog.result import FollowUp, Outcome, PhaseResult
from orchestrator.work.backlog.transitions import LEGAL
from orchestrator.work.backlog.triage import triaged
from tests.backlogs import DELIVERING, LONG, RULES, SHORT, Backlog, minting

PRE = [phase.name for phase in LONG.pre_phases]
MAIN = [phase.name for phase in (*LONG.phases, *SHORT.phases)]
OPEN = (Status.NEW, Status.SCOPING, Status.READY, Status.IN_PROGRESS)
WORKED_ON = (Status.SCOPING, Status.IN_PROGRESS)
PHASES = [*PRE, *MAIN, DELIVER, "triage", "nowhere"]

RATINGS = st.builds(
    Assessments,
    size=st.none() | st.sampled_from(Size),
    complexity=st.none() | st.sampled_from(Level),
    risk=st.none() | st.sampled_from(Level),
)
PIPELINES = st.sampled_from([None, "feature", "chore"])
RESULTS = st.builds(
    PhaseResult,
    outcome=st.just(Outcome.COMPLETE),
    summary=st.sampled_from(["", "did it"]),
    ratings=RATINGS,
    follow_ups=st.lists(
        st.builds(FollowUp, title=st.sampled_from(["", "", "", "more"]), ratings=RATINGS),
        max_size=1,
    ).map(tuple),
)
PLACES = st.builds(
    Landed, head=st.sampled_from(["c1", "c2"]), committed=st.booleans(), based_on=st.just("c0")
)
SOME = st.integers(0, 47)
MANY = st.lists(SOME, max_size=3)


class Histories(RuleBasedStateMachine):
    """People and phases do what they like with a backlog, which it may refuse."""

    @initialize(delivers=st.booleans())
    def begin(self, delivers: bool) -> None:
        self.plan = DELIVERING if delivers else RULES
        self.backlog = Backlog()
        self.mint = minting()
        self.now = 0
        self.told: dict[str, Status] = {}
        new = [
            NewItem(title="new", key="1"),
            NewItem(title="scoping", key="2", needs=["1"], parent="1"),
            NewItem(title="ready", key="3", needs=["2"], parent="2", pipeline="chore"),
            NewItem(title="planned", key="4", needs=["3"]),
            NewItem(title="built", key="5", needs=["2"], parent="3"),
            NewItem(title="reviewed", key="6", needs=["4"]),
        ]
        self.decide(moves.add_all, self.plan, new, mint=self.mint)
        for id, to in (("2", None), ("3", None), ("4", "plan"), ("5", "build"), ("6", "review")):
            self.decide(moves.move, self.plan, f"N-{id}", to=to)
        if delivers:
            self.decide(moves.move, self.plan, "N-6")

    def name(self, number: int, *statuses: Status) -> str:
        """Return the id of some item; mostly of one with such a status, where there is one."""
        ids = sorted(self.backlog.items)
        fit = [id for id in ids if self.backlog.items[id].status in statuses]
        chosen = fit if fit and number % 8 else ids
        return chosen[number // 8 % len(chosen)]

    def names(self, numbers: list[int]) -> list[str]:
        return [self.name(number) for number in numbers]

    def decide(self, decision: Callable[..., Change], *arguments: Any, **more: Any) -> bool:
        """Let a decision happen unless it is refused, and check each of its steps."""
        self.now += 1
        before = dict(self.backlog.items)
        try:
            change = decision(self.backlog, *arguments, now=self.now, **more)
        except UsageError:
            assert self.backlog.items == before
            return False
        self.backlog.apply(change)
        for entry in change.entries:
            known = self.told.get(entry.item, Status.NEW)
            assert entry.before is known, entry
            assert entry.after is known or entry.after in LEGAL[known], entry
            self.told[entry.item] = entry.after
        told = {entry.item for entry in change.entries}
        for item in change.items:
            earlier = before.get(item.id)
            assert self.told[item.id] is item.status
            assert item.updated == max(self.now, item.created)
            if earlier is None:
                assert item.id in told
                continue
            assert item.visit >= earlier.visit
            if item.phase not in (None, earlier.phase):
                assert item.visit > earlier.visit
            if item.ratings != earlier.ratings:
                assert not item.overridden
            if earlier.status.is_final:
                assert (
                    attrs.evolve(
                        item,
                        updated=earlier.updated,
                        needs=earlier.needs,
                        parent=earlier.parent,
                        claim=earlier.claim,
                        head=earlier.head,
                        based_on=earlier.based_on,
                        waiting=earlier.waiting,
                    )
                    == earlier
                )
        return True

    def delivering(self, number: int) -> str:
        """Return the id of an item that is to be delivered, or of any."""
        found = [item.id for item in self.backlog.items.values() if item.phase == DELIVER]
        return found[number % len(found)] if found else self.name(number)

    def count_open(self) -> int:
        return sum(not item.status.is_final for item in self.backlog.items.values())

    def attempt(self, number: int, *statuses: Status, is_late: bool = False) -> Attempted:
        attempt = self.backlog.attempt(self.name(number, *statuses))
        return attrs.evolve(attempt, visit=attempt.visit - 1) if is_late else attempt

    @precondition(lambda self: len(self.backlog.items) < 9)
    @rule(
        title=st.sampled_from(["a", "b", " "]),
        ratings=RATINGS,
        pipeline=PIPELINES,
        needs=MANY,
        parent=st.none() | SOME,
        review=st.booleans(),
    )
    def add(
        self,
        title: str,
        ratings: Assessments,
        pipeline: str | None,
        needs: list[int],
        parent: int | None,
        review: bool,
    ) -> None:
        new = NewItem(
            title=title,
            ratings=ratings,
            pipeline=pipeline,
            needs=self.names(needs),
            parent=None if parent is None else self.name(parent),
            needs_review=review,
        )
        self.decide(moves.add, self.plan, new, mint=self.mint)

    @rule(
        number=SOME,
        ratings=st.none() | RATINGS,
        pipeline=st.none() | st.sampled_from(["", "chore"]),
        needs=st.none() | MANY,
        parent=st.none() | SOME,
        review=st.none() | st.booleans(),
    )
    def edit(
        self,
        number: int,
        ratings: Assessments | None,
        pipeline: str | None,
        needs: list[int] | None,
        parent: int | None,
        review: bool | None,
    ) -> None:
        edits = Edits(
            ratings=ratings,
            pipeline=pipeline,
            needs=None if needs is None else self.names(needs),
            parent=None if parent is None else self.name(parent),
            needs_review=review,
        )
        self.decide(moves.edit, self.plan, self.name(number, *OPEN), edits)

    @rule(number=SOME, to=st.none() | st.sampled_from(PHASES), force=st.booleans())
    def move(self, number: int, to: str | None, force: bool) -> None:
        self.decide(
            moves.move,
            self.plan,
            self.name(number, *OPEN),
            to=to,
            force=force,
            reason="because",
            approved_by="ann" if force else "",
        )

    @rule(
        number=SOME,
        text=st.sampled_from(["", "so"]),
        verdict=st.none() | st.sampled_from([True, True, False]),
    )
    def answer(self, number: int, text: str, verdict: bool | None) -> None:
        self.decide(
            moves.answer, self.plan, self.name(number, Status.BLOCKED), text, verdict=verdict
        )

    @rule(number=SOME)
    def retry(self, number: int) -> None:
        self.decide(moves.retry, self.plan, self.name(number, Status.BLOCKED))

    @precondition(lambda self: self.count_open() > 3)
    @rule(number=SOME, other=st.none() | SOME)
    def close(self, number: int, other: int | None) -> None:
        twin = None if other is None else self.name(other)
        self.decide(moves.close, self.name(number), "because", duplicate_of=twin)

    @precondition(lambda self: self.count_open() > 3)
    @rule(number=SOME)
    def complete(self, number: int) -> None:
        self.decide(moves.complete, self.name(number), "did it")

    @rule(number=SOME, release=st.booleans())
    def claim(self, number: int, release: bool) -> None:
        if release:
            self.decide(moves.unclaim, self.name(number))
        else:
            self.decide(moves.claim, self.name(number), "ann")

    @rule(number=SOME)
    def hold(self, number: int) -> None:
        self.decide(moves.hold, self.name(number, *WORKED_ON), "wait")

    @rule(number=SOME)
    def promote(self, number: int) -> None:
        self.decide(outcomes.promoted, self.plan, self.name(number, Status.READY))

    @rule(
        number=SOME,
        result=RESULTS,
        asks=st.booleans(),
        pipeline=st.sampled_from([None, None, "feature", "chore", "gone"]),
        duplicates=MANY,
        late=st.booleans(),
    )
    def triage(
        self,
        number: int,
        result: PhaseResult,
        asks: bool,
        pipeline: str | None,
        duplicates: list[int],
        late: bool,
    ) -> None:
        result = attrs.evolve(
            result,
            pipeline=pipeline,
            duplicates=tuple(self.names(duplicates)),
            outcome=Outcome.BLOCKED if asks else Outcome.COMPLETE,
        )
        attempt = self.attempt(number, Status.NEW, is_late=late)
        taken = self.decide(triaged, self.plan, attempt, result, None, mint=self.mint)
        assert not (taken and late)

    @rule(number=SOME, result=RESULTS, landed=PLACES, part=st.booleans(), late=st.booleans())
    def end_phase(
        self, number: int, result: PhaseResult, landed: Landed, part: bool, late: bool
    ) -> None:
        end = outcomes.subphase_completed if part else outcomes.phase_completed
        attempt = self.attempt(number, *WORKED_ON, is_late=late)
        taken = self.decide(end, self.plan, attempt, result, landed, mint=self.mint)
        assert not (taken and late)

    @rule(number=SOME, result=RESULTS, landed=PLACES)
    def complete_phase(self, number: int, result: PhaseResult, landed: Landed) -> None:
        attempt = self.attempt(number, *WORKED_ON)
        self.decide(outcomes.phase_completed, self.plan, attempt, result, landed, mint=self.mint)

    @rule(number=SOME)
    def fail(self, number: int) -> None:
        self.decide(
            outcomes.phase_failed, self.attempt(number, *WORKED_ON), attempts=3, failure="no"
        )

    @rule(number=SOME, asks=st.sampled_from(Asks))
    def ask(self, number: int, asks: Asks) -> None:
        result = PhaseResult(outcome=Outcome.BLOCKED, context="which?", asks=asks)
        self.decide(outcomes.phase_blocked, self.attempt(number, *WORKED_ON), result)

    @rule(number=SOME, how=st.sampled_from(["gate", "stale", "park", "configuration", "cancel"]))
    def stop(self, number: int, how: str) -> None:
        attempt = self.attempt(number)
        if how == "gate":
            self.decide(outcomes.gate_refused, attempt, "no plan")
        elif how == "stale":
            self.decide(outcomes.stale, attempt, "abc")
        elif how == "park":
            self.decide(outcomes.parked, attempt.item, "odd")
        elif how == "configuration":
            self.decide(outcomes.bad_configuration, attempt.item, "gone")
        else:
            self.decide(outcomes.phase_cancelled, attempt)

    @rule(number=SOME, refused=st.booleans())
    def deliver(self, number: int, refused: bool) -> None:
        attempt = self.backlog.attempt(self.delivering(number))
        if refused:
            self.decide(outcomes.delivery_refused, attempt, "a conflict")
        else:
            self.decide(outcomes.delivered, attempt, text="merged")

    @rule(number=SOME, late=st.booleans(), landed=PLACES)
    def lose_or_batch(self, number: int, late: bool, landed: Landed) -> None:
        if late:
            self.decide(outcomes.overtaken, self.attempt(number), landed)
        else:
            self.decide(outcomes.batch_committed, self.name(number), "c3")

    @invariant()
    def every_item_is_where_it_can_be(self) -> None:
        assert set(self.told) == set(self.backlog.items)
        for item in self.backlog.items.values():
            assert self.told[item.id] is item.status
            assert (item.status is Status.BLOCKED) is (item.question is not None), item
            self._check_place(item)
            assert 0 <= item.subphases <= outcomes.MAX_SUBPHASES
            if item.status.is_final:
                assert item.summary == ""
            if item.status is Status.CLOSED:
                assert item.reason

    def _check_place(self, item: Item) -> None:
        status = item.question.since if item.question else item.status
        pipeline = self.plan.pipeline(item.pipeline)
        assert pipeline is not None
        assert status in (*LEGAL[Status.BLOCKED], Status.DONE, Status.CLOSED)
        if status in (Status.NEW, Status.READY):
            assert item.phase is None, item
        elif status is Status.SCOPING:
            assert item.phase in [phase.name for phase in pipeline.pre_phases], item
        elif status is Status.IN_PROGRESS:
            mains = [phase.name for phase in pipeline.phases]
            assert item.phase in [*mains, *([DELIVER] if self.plan.delivers else [])], item
        if not status.is_final:
            wanted = {Status.SCOPING: Pool.PRE, Status.IN_PROGRESS: Pool.MAIN}.get(status)
            assert item.pool is wanted, item

    @invariant()
    def nothing_waits_for_itself(self) -> None:
        for item in self.backlog.items.values():
            assert len(set(item.needs)) == len(item.needs)
            assert all(need in self.backlog.items for need in item.needs)
            assert not reaches(self.backlog, item.id, item.id), item
            above, seen = item.parent, {item.id}
            while above is not None:
                assert above not in seen, item
                seen.add(above)
                above = self.backlog.items[above].parent

    @invariant()
    def nothing_begins_that_a_person_has_to_approve(self) -> None:
        for item in self.backlog.items.values():
            if item.status in (Status.READY, Status.IN_PROGRESS) and not item.overridden:
                assert not exceeded(item.ratings, self.plan.guardrails), item
            if item.question is not None and item.question.cause is Cause.GUARDRAILS:
                assert item.question.asks is Asks.APPROVAL


def test_no_history_reaches_an_illegal_state() -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=100,
            stateful_step_count=50,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # shrinking a history takes minutes
            suppress_health_check=list(HealthCheck),
        ),
    )
