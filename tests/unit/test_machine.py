"""Promises of the phase machine: steps, force, cycles, gates and plans, as decisions alone."""

from __future__ import annotations

from itertools import pairwise

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import GateError, IllegalStepError, UsageError
from orchestrator.work.backlog.change import Change, Passage
from orchestrator.work.backlog.gate import Gate, GateResult
from orchestrator.work.backlog.index import Backlog
from orchestrator.work.backlog.item import Asks, Item, Status
from orchestrator.work.backlog.moves import answer, move
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.rules import Limits, Rules
from orchestrator.work.backlog.track import Cycle, Deliverable, Plan, Track
from orchestrator.work.machine import moving, plans, steps
from orchestrator.work.machine.moving import Beginning
from orchestrator.work.machine.preset import WORKFLOWS
from orchestrator.work.machine.scope import Scope, names
from orchestrator.work.machine.steps import Step

ID = "feature-1"
FLOW = Pipeline(
    name="feature",
    phases=(
        Phase(name="design", leave=(Gate(file="design.md"),)),
        Phase(
            name="build",
            cycles=True,
            leave=(Gate(file="built"),),
            leave_cycle=(Gate(file="round"), Gate(file="second", cycle=2)),
        ),
        Phase(name="ready"),
    ),
)
RULES = Rules(pipelines={"feature": FLOW})
PLAN = Plan(
    cycles=tuple(
        Cycle(
            number=number,
            exit_criteria="it runs",
            deliverables=(Deliverable(id="part", gate=Gate(file=f"part{number}")),),
        )
        for number in (1, 2, 3)
    ),
    deliverables={"design": (Deliverable(id="sketch", gate=Gate(file="sketch")),)},
)


class Branch:
    """A branch in a backlog of its own; every step is applied as the engine would."""

    def __init__(self, rules: Rules = RULES, pipeline: str = "feature") -> None:
        self.rules, self.backlog, self.now = rules, Backlog(rules), 0
        new = Beginning(id=ID, title="Login", track=Track(branch="feature/1"), pipeline=pipeline)
        self.apply(moving.begin(self.backlog, rules, new, now=1, by="ann"))

    def apply(self, change: Change) -> Change:
        self.backlog.apply(change)
        return change

    @property
    def item(self) -> Item:
        item = self.backlog.get(ID)
        assert item is not None
        return item

    @property
    def track(self) -> Track:
        return steps.track_of(self.item)

    def take(self, step: Step, *closed: str) -> Change:
        results = [
            GateResult(gate=gate, problem=f"{gate.file} is missing" if gate.file in closed else "")
            for gate in step.gates
        ]
        self.now += 1
        return self.apply(
            moving.take(self.backlog, self.rules, ID, step, results, now=self.now, by="ann")
        )

    def on(self, to: str | None = None) -> Change:
        return self.take(steps.step_on(self.item, self.rules, to))

    def force(self, to: str, *closed: str) -> Change:
        step = steps.force_on(self.item, self.rules, to, reason="because", approved_by="bob")
        return self.take(step, *closed)

    def cycle(self, to: int | None = None) -> Change:
        return self.take(steps.cycle_on(self.item, self.rules, to))

    def plan(self, plan: Plan = PLAN) -> None:
        self.apply(moving.keep_plan(self.backlog, ID, plan, now=5, by="ann"))


def test_a_branch_begins_in_the_first_phase_and_runs_leave_it_alone() -> None:
    branch = Branch()
    assert (branch.item.status, branch.item.phase) == (Status.IN_PROGRESS, "design")
    assert branch.backlog.select() == ()
    assert sum(branch.backlog.counts.values()) == 0


def test_a_branch_takes_no_place_from_items_that_runs_work_on() -> None:
    branch = Branch(attrs.evolve(RULES, limits=Limits(max_wip=1)))
    ready = Item(id="WRK-1", title="T", status=Status.READY, pipeline="feature")
    branch.apply(Change(items=(ready,)))
    assert [action.item for action in branch.backlog.select()] == ["WRK-1"]


def test_only_the_next_phase_follows_and_the_last_one_has_none() -> None:
    branch = Branch()
    for wrong in ("design", "ready"):
        with pytest.raises(IllegalStepError, match="after design comes build"):
            branch.on(wrong)
    with pytest.raises(UsageError, match='no phase "bild"') as unknown:
        branch.on("bild")
    assert "did you mean build?" in str(unknown.value.fix)
    branch.on("build")
    branch.force("ready")
    assert branch.item.phase == "ready"
    with pytest.raises(IllegalStepError, match="last phase"):
        branch.on()


def test_every_gate_that_does_not_hold_is_told_and_nothing_changes() -> None:
    branch = Branch()
    branch.plan()
    before = branch.item
    step = steps.step_on(branch.item, RULES, None)
    assert [gate.file for gate in step.gates] == ["design.md", "sketch"]
    with pytest.raises(GateError, match="2 gates do not hold") as refused:
        branch.take(step, "design.md", "sketch")
    assert refused.value.problems == ("design.md is missing", "sketch is missing")
    assert branch.item == before


def test_force_goes_anywhere_and_tells_what_it_passed() -> None:
    branch = Branch()
    change = branch.force("ready", "design.md")
    assert branch.item.phase == "ready"
    (entry,) = change.entries
    assert entry.passage == Passage(
        source="design",
        target="ready",
        forced=True,
        reason="because",
        approved_by="bob",
        skipped=("design.md is missing",),
    )
    branch.force("design")
    assert branch.item.phase == "design"
    with pytest.raises(IllegalStepError, match="in design already"):
        branch.force("design")


@pytest.mark.parametrize(("reason", "approved"), [("", "bob"), ("why", " "), ("\n", "")])
def test_force_takes_a_reason_and_an_approval(reason: str, approved: str) -> None:
    item = Branch().item
    with pytest.raises(UsageError, match="force takes a reason"):
        steps.force_on(item, RULES, "ready", reason=reason, approved_by=approved)
    with pytest.raises(UsageError, match="no phase"):
        steps.force_on(item, RULES, "nonsense", reason="why", approved_by="bob")


def test_cycles_go_in_order_by_their_own_gates() -> None:
    branch = Branch()
    branch.plan()
    branch.on()
    assert (branch.track.cycle, branch.track.begun) == (1, (1,))
    step = steps.cycle_on(branch.item, RULES, None)
    assert [gate.file for gate in step.gates] == ["round", "part1"]
    with pytest.raises(GateError, match="cycle 2"):
        branch.take(step, "part1")
    with pytest.raises(IllegalStepError, match="after 1 comes 2"):
        branch.cycle(3)
    branch.cycle()
    step = steps.cycle_on(branch.item, RULES, 3)
    assert [gate.file for gate in step.gates] == ["round", "second", "part2"]
    with pytest.raises(IllegalStepError, match="cycle 3 is left"):
        branch.on()
    branch.cycle()
    with pytest.raises(IllegalStepError, match="no cycle 4: 3 are planned"):
        branch.cycle()
    assert [gate.file for gate in steps.step_on(branch.item, RULES, None).gates] == [
        "built",
        "round",
        "part3",
    ]
    branch.on()
    assert (branch.track.cycle, branch.track.begun) == (0, (1, 2, 3))


def test_a_phase_that_is_entered_again_goes_on_with_the_lowest_cycle_never_begun() -> None:
    branch = Branch()
    branch.plan()
    branch.on()
    branch.take(steps.force_cycle(branch.item, RULES, 3, reason="r", approved_by="b"))
    branch.force("design")
    branch.on()
    assert branch.track.cycle == 2
    branch.force("design")
    branch.on()
    assert branch.track.cycle == 3


def test_cycles_need_a_phase_that_has_them_and_a_plan() -> None:
    branch = Branch()
    with pytest.raises(IllegalStepError, match="not done in cycles"):
        branch.cycle()
    branch.on()
    with pytest.raises(IllegalStepError, match="none is planned"):
        branch.on()
    with pytest.raises(IllegalStepError, match="no cycles are planned"):
        branch.cycle()


def test_a_question_holds_a_branch_back_until_it_is_answered() -> None:
    branch = Branch()
    step = steps.step_on(branch.item, RULES, None)
    asked = moving.ask(branch.backlog, ID, "Which?", Asks.DECISION, now=7, by="agent")
    branch.apply(asked)
    with pytest.raises(IllegalStepError, match="waits for an answer"):
        branch.take(step)
    with pytest.raises(IllegalStepError, match="waits for an answer: Which"):
        branch.on()
    branch.apply(answer(branch.backlog, RULES, ID, "This", now=8))
    branch.on()
    assert (branch.item.phase, branch.item.answer) == ("build", "This")


def test_no_other_way_leads_past_the_gates() -> None:
    branch = Branch()
    with pytest.raises(IllegalStepError, match="by hand"):
        move(branch.backlog, RULES, ID, to="ready", now=3)
    with pytest.raises(IllegalStepError, match="by hand"):
        move(branch.backlog, RULES, ID, force=True, reason="r", approved_by="me", now=3)
    plain = Item(id="WRK-9", title="T")
    with pytest.raises(IllegalStepError, match="no branch"):
        steps.step_on(plain, RULES, None)


def test_a_phase_that_is_not_configured_any_more_is_left_by_force() -> None:
    branch = Branch()
    smaller = attrs.evolve(RULES, pipelines={"feature": attrs.evolve(FLOW, phases=FLOW.phases[1:])})
    with pytest.raises(IllegalStepError, match="which feature does not have") as lost:
        steps.step_on(branch.item, smaller, None)
    assert "build, ready" in str(lost.value.fix)
    step = steps.force_on(branch.item, smaller, "build", reason="r", approved_by="b")
    assert (step.phase, step.gates) == ("build", ())
    with pytest.raises(UsageError, match="not configured"):
        steps.step_on(branch.item, Rules(pipelines={"other": FLOW}), None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("on", "force", "cycle", "force-cycle")),
            st.sampled_from(("research", "design", "planning", "implementation", "ready", "none")),
            st.integers(-1, 4),
        ),
        max_size=25,
    )
)
def test_whatever_is_asked_a_branch_is_in_a_phase_of_its_workflow_and_nothing_is_lost(
    asked: list[tuple[str, str, int]],
) -> None:
    branch = Branch(Rules(pipelines=WORKFLOWS))
    branch.plan(attrs.evolve(PLAN, deliverables={}))
    passages: list[Passage] = []
    for what, phase, number in asked:
        before = branch.item
        words = {"reason": "r", "approved_by": "b"}
        try:
            if what == "on":
                change = branch.on(None if phase == "none" else phase)
            elif what == "force":
                change = branch.force(phase)
            elif what == "cycle":
                change = branch.cycle(number or None)
            else:
                step = steps.force_cycle(branch.item, branch.rules, number, **words)
                change = branch.take(step)
        except (UsageError, IllegalStepError):
            assert branch.item == before
            continue
        (entry,) = [each for each in change.entries if each.passage is not None]
        assert entry.passage is not None
        passages.append(entry.passage)
        assert (entry.passage.source, entry.passage.source_cycle) == (
            before.phase,
            steps.track_of(before).cycle,
        )
        assert (entry.passage.target, entry.passage.target_cycle) == (
            branch.item.phase,
            branch.track.cycle,
        )
        assert branch.item.phase in names(WORKFLOWS["feature"])
        assert (branch.track.cycle > 0) == (branch.item.phase == "implementation")
        assert branch.track.cycle in (0, *branch.track.begun)
    for earlier, later in pairwise(passages):
        assert (earlier.target, earlier.target_cycle) == (later.source, later.source_cycle)


PHASES = ("design", "build", "ready")


def test_a_plan_is_made_once_then_added_to() -> None:
    made = plans.changed(Plan(), PLAN, "new", phases=PHASES, begun=0)
    with pytest.raises(UsageError, match="a plan already"):
        plans.changed(made, PLAN, "new", phases=PHASES, begun=0)
    more = Plan(
        cycles=(
            Cycle(number=2, exit_criteria="better", deliverables=(Deliverable(id="new"),)),
            Cycle(number=4, exit_criteria="last", deliverables=(Deliverable(id="end"),)),
        ),
        deliverables={"design": (Deliverable(id="sketch", description="redrawn"),)},
    )
    merged = plans.changed(made, more, "merge", phases=PHASES, begun=3)
    assert [cycle.number for cycle in merged.cycles] == [1, 2, 3, 4]
    second = merged.cycles[1]
    assert second.exit_criteria == "better"
    assert [each.id for each in second.deliverables] == ["part", "new"]
    assert [each.description for each in merged.deliverables["design"]] == ["redrawn"]
    with pytest.raises(UsageError, match="cycle 3 was begun"):
        plans.changed(
            made, attrs.evolve(PLAN, cycles=PLAN.cycles[:2]), "replace", phases=PHASES, begun=3
        )


@pytest.mark.parametrize(
    ("plan", "where", "says"),
    [
        (Plan(), None, "1 to 1000 parts"),
        (Plan(cycles=(attrs.evolve(PLAN.cycles[0], number=2),)), "cycles.0.number", "without gaps"),
        (
            Plan(cycles=(attrs.evolve(PLAN.cycles[0], exit_criteria=" "),)),
            "cycles.0.exit_criteria",
            "when it is over",
        ),
        (
            Plan(cycles=(attrs.evolve(PLAN.cycles[0], deliverables=()),)),
            "cycles.0.deliverables",
            "brings nothing",
        ),
        (Plan(deliverables={"x": (Deliverable(id="a"),)}), "deliverables.x", "no phase"),
        (
            Plan(deliverables={"design": (Deliverable(id="a"), Deliverable(id="a"))}),
            "deliverables.design.1.id",
            "twice",
        ),
        (
            Plan(deliverables={"design": (Deliverable(id="a", gate=Gate(contains="x")),)}),
            "deliverables.design.0.gate",
            "got none",
        ),
    ],
)
def test_a_wrong_plan_is_named_with_its_place(plan: Plan, where: str | None, says: str) -> None:
    with pytest.raises(UsageError, match=says) as wrong:
        plans.changed(Plan(), plan, "new", phases=PHASES, begun=0)
    assert wrong.value.where == where


def test_what_two_gates_ask_is_looked_at_once() -> None:
    gate = Gate(file="same")
    phase = Phase(name="build", cycles=True, leave=(gate,), leave_cycle=(gate,))
    rules = Rules(pipelines={"feature": Pipeline(name="feature", phases=(phase,))})
    branch = Branch(rules)
    branch.plan()
    assert [each.file for each in steps.phase_gates(branch.item, phase)] == ["same"]


def test_a_commit_is_remembered_where_it_was_made_also_when_the_branch_went_on() -> None:
    branch = Branch()
    branch.plan()
    made_in = Scope(phase="design", subphase="red")
    branch.on()
    change = branch.apply(
        moving.note_commit(branch.backlog, ID, made_in, "a" * 40, now=9, by="ann")
    )
    assert (branch.item.phase, branch.track.subphase) == ("build", "")
    assert change.entries[-1].text == f"{'a' * 12} in design:red"


def test_a_workflow_that_is_not_configured_any_more_can_be_left_behind() -> None:
    branch = Branch()
    gone = Rules(pipelines={"other": FLOW})
    with pytest.raises(UsageError) as told:
        steps.step_on(branch.item, gone, None)
    assert "[pipelines.feature] again" in str(told.value.fix)
    assert f"orc close {ID} --reason TEXT, orc git start feature/1" in str(told.value.fix)
