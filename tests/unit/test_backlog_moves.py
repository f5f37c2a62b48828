"""Promise: what a person asks of an item happens by legal steps, or is refused with a way on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import IllegalStepError, OrchestratorError, UnknownItemError, UsageError
from orchestrator.work.backlog import moves
from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.checks import PRIORITY
from orchestrator.work.backlog.description import parse_description
from orchestrator.work.backlog.document import read_line, write_line
from orchestrator.work.backlog.guardrails import exceeded
from orchestrator.work.backlog.item import (
    Asks,
    Assessments,
    Cause,
    Claim,
    Description,
    Item,
    Level,
    Pool,
    Question,
    Size,
    Status,
)
from orchestrator.work.backlog.moves import Edits, NewItem
from orchestrator.work.backlog.outcomes import promoted
from orchestrator.work.backlog.rules import Guardrails
from orchestrator.work.backlog.transitions import LEGAL, route
from tests.backlogs import DELIVERING, RULES, Backlog, minting

HIGH = Assessments(risk=Level.HIGH)
RATINGS = st.builds(
    Assessments,
    size=st.none() | st.sampled_from(Size),
    complexity=st.none() | st.sampled_from(Level),
    risk=st.none() | st.sampled_from(Level),
    impact=st.none() | st.sampled_from(Level),
)
NOW = 1_790_000_000_123_456_789


def item(status: Status = Status.NEW, **more: Any) -> Item:
    """Return an item that is where its status says, in the first phase there."""
    if status is Status.SCOPING:
        more = {"phase": "research", "pool": Pool.PRE, **more}
    elif status is Status.IN_PROGRESS:
        more = {"phase": "plan", "pool": Pool.MAIN, **more}
    return Item(id="A", title="a thing", status=status, **more)


def blocked(cause: Cause, since: Status, asks: Asks = Asks.DECISION, **more: Any) -> Item:
    question = Question(text="what now?", asks=asks, cause=cause, since=since)
    return attrs.evolve(item(since, **more), status=Status.BLOCKED, question=question)


def steps(change: Change, id: str = "A") -> list[Status]:
    """Return the statuses that an item came to, in order."""
    return [e.after for e in change.entries if e.item == id and e.before is not e.after]


def moved(start: Item, **more: Any) -> Item:
    backlog = Backlog(start)
    backlog.apply(moves.move(backlog, more.pop("rules", RULES), "A", now=NOW, by="ann", **more))
    return backlog.items["A"]


# --- the steps there are


@given(st.sampled_from(Status), st.sampled_from(Status))
def test_every_way_is_made_of_legal_steps(before: Status, after: Status) -> None:
    try:
        way = route(before, after)
    except IllegalStepError:
        assert before.is_final or after.is_final
        return
    for step in way:
        assert step in LEGAL[before]
        before = step
    assert before is after


@pytest.mark.parametrize("status", [Status.DONE, Status.CLOSED])
def test_what_is_over_stays_so(status: Status) -> None:
    assert not LEGAL[status]
    backlog = Backlog(item(status), Item(id="B", title="b"))
    asked: list[Callable[[], Change]] = [
        lambda: moves.move(backlog, RULES, "A", now=1),
        lambda: moves.move(
            backlog, RULES, "A", to="plan", now=1, force=True, reason="r", approved_by="a"
        ),
        lambda: moves.answer(backlog, RULES, "A", "x", now=1),
        lambda: moves.retry(backlog, RULES, "A", now=1),
        lambda: moves.close(backlog, "A", "r", now=1),
        lambda: moves.close(backlog, "A", "r", duplicate_of="B", now=1),
        lambda: moves.complete(backlog, "A", "r", now=1),
        lambda: moves.claim(backlog, "A", "ann", now=1),
        lambda: moves.hold(backlog, "A", "r", now=1),
        lambda: moves.edit(backlog, RULES, "A", Edits(title="x"), now=1),
    ]
    for ask in asked:
        with pytest.raises(IllegalStepError, match="stays so"):
            ask()


def test_an_unknown_item_is_named() -> None:
    with pytest.raises(UnknownItemError) as caught:
        moves.close(Backlog(), "Z", "r", now=1)
    assert caught.value.where == "Z"
    assert caught.value.fix


# --- adding


def test_an_added_item_is_new_and_all_that_was_said() -> None:
    backlog = Backlog(Item(id="B", title="b"))
    new = NewItem(
        title="  fix it ",
        description="Problem: slow",
        ratings=HIGH,
        pipeline="chore",
        priority=3,
        tags=["x", "y", "x"],
        needs=["B", "B"],
        parent="B",
        needs_review=True,
    )
    change = backlog.apply(moves.add(backlog, RULES, new, mint=minting(), now=NOW, by="ann"))
    assert backlog.items["N-1"] == Item(
        id="N-1",
        title="fix it",
        description=Description(problem="slow"),
        ratings=HIGH,
        pipeline="chore",
        priority=3,
        tags=("x", "y"),
        needs=("B",),
        parent="B",
        needs_review=True,
        created=NOW,
        updated=NOW,
    )
    (entry,) = change.entries
    assert (entry.what, entry.by, entry.text) == ("added", "ann", "fix it")


@pytest.mark.parametrize(
    "new",
    [
        NewItem(title=" "),
        NewItem(title="a\nb"),
        NewItem(title="a\x1b[31mb"),
        NewItem(title="x" * 201),
        NewItem(title="a", pipeline="none"),
        NewItem(title="a", needs=["nothing"]),
        NewItem(title="a", parent="nothing"),
        NewItem(title="a", tags=[" "]),
        NewItem(title="a", tags=["x,y"]),
        NewItem(title="a", tags=["x" * 65]),
    ],
)
def test_a_wrong_new_item_is_refused_with_a_way_on(new: NewItem) -> None:
    with pytest.raises(UsageError) as caught:
        moves.add(Backlog(), RULES, new, mint=minting(), now=1)
    assert caught.value.fix


def test_items_of_one_list_are_as_old_as_their_order_says() -> None:
    new = [NewItem(title=f"Item {number}") for number in range(3)]
    change = moves.add_all(Backlog(), RULES, new, mint=minting(), now=NOW)
    by_age = sorted(change.items, key=lambda item: item.created)
    assert [item.title for item in by_age] == ["Item 0", "Item 1", "Item 2"]
    assert len({item.created for item in change.items}) == 3
    assert all(item.created <= item.updated for item in change.items)


def test_items_of_one_list_need_earlier_ones_by_their_keys() -> None:
    backlog = Backlog()
    new = [
        NewItem(title="a", key="1"),
        NewItem(title="b", key="2", needs=["1"], parent="1"),
        NewItem(title="c", needs=["1", "2"]),
    ]
    backlog.apply(moves.add_all(backlog, RULES, new, mint=minting(), now=NOW))
    assert backlog.items["N-2"].needs == ("N-1",)
    assert backlog.items["N-2"].parent == "N-1"
    assert backlog.items["N-3"].needs == ("N-1", "N-2")


@pytest.mark.parametrize(
    "new",
    [
        [NewItem(title="a", needs=["2"]), NewItem(title="b", key="2")],
        [NewItem(title="a", key="1"), NewItem(title="b", key="1")],
    ],
)
def test_a_key_is_given_once_and_before_it_is_used(new: list[NewItem]) -> None:
    with pytest.raises(UsageError):
        moves.add_all(Backlog(), RULES, new, mint=minting(), now=1)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", Description()),
        ("just words\nin two lines", Description(context="just words\nin two lines")),
        (
            "before\n  CONTEXT: how\nmore\nProblem:\nslow\n\nSolution: x\nImpact: y\n"
            "Sizing rationale: z",
            Description(
                context="before\nhow\nmore",
                problem="slow",
                solution="x",
                impact="y",
                sizing_rationale="z",
            ),
        ),
        ("Problem: one\nrest\nproblem: two", Description(problem="two")),
        ("The Problem: is inside", Description(context="The Problem: is inside")),
    ],
)
def test_free_text_is_read_in_five_parts(text: str, read: Description) -> None:
    assert parse_description(text) == read


# --- editing


def test_an_edit_changes_what_it_names_and_tells_it() -> None:
    backlog = Backlog(item(tags=("x",), priority=1, ratings=Assessments(size=Size.LARGE)))
    edits = Edits(title="b", tags=(), ratings=Assessments(risk=Level.LOW))
    change = backlog.apply(moves.edit(backlog, RULES, "A", edits, now=NOW))
    after = backlog.items["A"]
    assert (after.title, after.tags, after.priority) == ("b", (), 1)
    assert after.ratings == Assessments(size=Size.LARGE, risk=Level.LOW)
    assert after.updated == NOW
    assert [entry.what for entry in change.entries] == ["edited"]
    assert set(change.entries[0].text.split(", ")) == {"title", "tags", "ratings"}


def test_an_edit_that_changes_nothing_is_no_change() -> None:
    backlog = Backlog(item(priority=1))
    assert not moves.edit(backlog, RULES, "A", Edits(priority=1, title="a thing"), now=1)


def test_an_item_needs_neither_itself_nor_who_needs_it() -> None:
    backlog = Backlog(item(), Item(id="B", title="b", needs=("A",)))
    for needs in (["A"], ["B"], ["Z"]):
        with pytest.raises(UsageError):
            moves.edit(backlog, RULES, "A", Edits(needs=needs), now=1)


def test_an_item_is_no_part_of_itself() -> None:
    backlog = Backlog(
        item(), Item(id="B", title="b", parent="A"), Item(id="C", title="c", parent="B")
    )
    for parent in ("A", "B", "C", "Z"):
        with pytest.raises(UsageError):
            moves.edit(backlog, RULES, "A", Edits(parent=parent), now=1)
    backlog.apply(moves.edit(backlog, RULES, "C", Edits(parent=""), now=1))
    assert backlog.items["C"].parent is None


def test_the_pipeline_is_chosen_before_the_item_begins_it() -> None:
    backlog = Backlog(item())
    backlog.apply(moves.edit(backlog, RULES, "A", Edits(pipeline="chore"), now=1))
    assert backlog.items["A"].pipeline == "chore"
    begun = Backlog(item(Status.SCOPING))
    with pytest.raises(UsageError, match="on its way"):
        moves.edit(begun, RULES, "A", Edits(pipeline="chore"), now=1)
    with pytest.raises(UsageError, match="no pipeline"):
        moves.edit(backlog, RULES, "A", Edits(pipeline="nothing"), now=1)


@pytest.mark.parametrize("status", [Status.READY, Status.IN_PROGRESS])
def test_ratings_that_become_too_high_stop_what_would_go_on(status: Status) -> None:
    backlog = Backlog(item(status, overridden=True))
    backlog.apply(moves.edit(backlog, RULES, "A", Edits(ratings=HIGH), now=1))
    after = backlog.items["A"]
    assert after.question is not None
    assert after.question.cause is Cause.GUARDRAILS
    assert after.question.asks is Asks.APPROVAL
    assert after.question.since is status
    assert "risk high (at most low)" in after.question.text
    assert not after.overridden


def test_a_question_about_ratings_tells_those_of_now() -> None:
    backlog = Backlog(item(Status.READY))
    backlog.apply(moves.edit(backlog, RULES, "A", Edits(ratings=HIGH), now=1))
    ratings = Assessments(risk=Level.MEDIUM, size=Size.LARGE)
    backlog.apply(moves.edit(backlog, RULES, "A", Edits(ratings=ratings), now=1))
    question = backlog.items["A"].question
    assert question is not None
    assert "size large (at most medium), risk medium (at most low)" in question.text


@given(RATINGS)
def test_guardrails_mind_what_is_rated_above_them_and_never_the_impact(
    ratings: Assessments,
) -> None:
    most = Guardrails(max_size=Size.MEDIUM, max_complexity=Level.HIGH, max_risk=Level.LOW)
    names = {text.split()[0] for text in exceeded(ratings, most)}
    expected = {"size"} if ratings.size is Size.LARGE else set()
    if ratings.risk in (Level.MEDIUM, Level.HIGH):
        expected.add("risk")
    assert names == expected


# --- moving


@pytest.mark.parametrize(
    ("start", "to", "status", "phase"),
    [
        (item(), None, Status.SCOPING, "research"),
        (item(pipeline="chore"), None, Status.READY, None),
        (item(ratings=Assessments(size=Size.SMALL)), None, Status.READY, None),
        (item(Status.SCOPING), None, Status.SCOPING, "scope"),
        (item(Status.SCOPING, phase="scope"), None, Status.READY, None),
        (item(Status.SCOPING, phase=None, pool=None), None, Status.SCOPING, "research"),
        (item(Status.READY), None, Status.IN_PROGRESS, "plan"),
        (item(Status.IN_PROGRESS), None, Status.IN_PROGRESS, "build"),
        (item(Status.IN_PROGRESS, phase=None, pool=None), None, Status.IN_PROGRESS, "plan"),
        (item(), "build", Status.IN_PROGRESS, "build"),
        (item(), "scope", Status.SCOPING, "scope"),
        (item(Status.IN_PROGRESS, phase="review"), "build", Status.IN_PROGRESS, "build"),
        (item(Status.IN_PROGRESS), "research", Status.SCOPING, "research"),
        (item(Status.READY), "triage", Status.NEW, None),
        (item(), "triage", Status.NEW, None),
        (blocked(Cause.FAILED, Status.IN_PROGRESS), None, Status.IN_PROGRESS, "build"),
        (blocked(Cause.FAILED, Status.IN_PROGRESS), "plan", Status.IN_PROGRESS, "plan"),
        (blocked(Cause.ASKED, Status.SCOPING), "review", Status.IN_PROGRESS, "review"),
    ],
)
def test_a_move_leads_where_it_says(
    start: Item, to: str | None, status: Status, phase: str | None
) -> None:
    backlog = Backlog(start)
    change = backlog.apply(moves.move(backlog, RULES, "A", to=to, now=NOW, by="ann"))
    after = backlog.items["A"]
    assert (after.status, after.phase) == (status, phase)
    assert after.pool is (
        None if phase is None else Pool.PRE if status is Status.SCOPING else Pool.MAIN
    )
    assert after.question is None
    assert after.visit > start.visit or after.status is Status.READY
    assert change.entries
    assert {entry.by for entry in change.entries} == {"ann"}
    before = start.status
    for step in steps(change):
        assert step in LEGAL[before]
        before = step


@pytest.mark.parametrize(
    ("start", "to"),
    [
        (item(Status.IN_PROGRESS, phase="review"), None),
        (item(Status.IN_PROGRESS), "nowhere"),
        (item(Status.IN_PROGRESS), "deliver"),
        (item(Status.IN_PROGRESS, phase="gone"), None),
        (item(pipeline="gone"), None),
        (item(Status.READY, pipeline="gone"), "plan"),
    ],
)
def test_a_move_to_nowhere_is_refused_with_a_way_on(start: Item, to: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        moved(start, to=to)
    assert caught.value.fix


def test_after_the_last_phase_comes_the_delivery_where_there_is_one() -> None:
    last = item(Status.IN_PROGRESS, phase="review")
    assert moved(last, rules=DELIVERING).phase == "deliver"
    assert moved(item(Status.IN_PROGRESS), rules=DELIVERING, to="deliver").phase == "deliver"
    with pytest.raises(UsageError, match="last phase"):
        moved(item(Status.IN_PROGRESS, phase="deliver"), rules=DELIVERING)


@pytest.mark.parametrize("to", [None, "plan"])
def test_a_move_past_ready_waits_for_the_approval_it_takes(to: str | None) -> None:
    start = item(Status.SCOPING, phase="scope", ratings=HIGH, needs_review=True)
    backlog = Backlog(start)
    backlog.apply(moves.move(backlog, RULES, "A", to=to, now=1))
    question = backlog.items["A"].question
    assert question is not None
    assert question.cause is Cause.REVIEW
    assert "risk high" in question.text
    with pytest.raises(IllegalStepError) as caught:
        moves.move(backlog, RULES, "A", now=1)
    assert caught.value.fix == "orc answer A --yes"
    backlog.apply(moves.answer(backlog, RULES, "A", verdict=True, now=1))
    after = backlog.items["A"]
    assert after.status is (Status.READY if to is None else Status.IN_PROGRESS)
    assert after.overridden
    if to is None:
        backlog.apply(promoted(backlog, RULES, "A", now=1))
        assert backlog.items["A"].phase == "plan"


def test_force_goes_past_an_approval_and_is_remembered() -> None:
    start = item(Status.SCOPING, phase="scope", ratings=HIGH, needs_review=True)
    backlog = Backlog(start)
    forced = moves.move(
        backlog, RULES, "A", to="build", now=1, force=True, reason="it burns", approved_by="eve"
    )
    change = backlog.apply(forced)
    assert backlog.items["A"].phase == "build"
    assert any("approved by eve: it burns" in entry.text for entry in change.entries)


@pytest.mark.parametrize("how", [{}, {"reason": "r"}, {"approved_by": "a"}])
def test_force_takes_a_reason_and_an_approval(how: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="force takes a reason"):
        moved(item(), to="plan", force=True, **how)


# --- answering


@pytest.mark.parametrize("since", [Status.NEW, Status.SCOPING, Status.READY, Status.IN_PROGRESS])
def test_an_answer_lets_the_item_go_on_where_it_was(since: Status) -> None:
    start = blocked(Cause.ASKED, since, Asks.CLARIFICATION, visit=3, based_on="abc", subphases=2)
    backlog = Backlog(start)
    backlog.apply(moves.answer(backlog, RULES, "A", " use the old one ", now=NOW, by="ann"))
    after = backlog.items["A"]
    assert after.status is since
    assert (after.phase, after.pool) == (start.phase, start.pool)
    assert (after.answer, after.asked) == ("use the old one", "what now?")
    assert after.question is None
    assert (after.visit, after.based_on, after.subphases) == (4, "", 0)


def test_no_to_an_approval_closes_the_item() -> None:
    backlog = Backlog(blocked(Cause.REVIEW, Status.READY, Asks.APPROVAL))
    backlog.apply(moves.answer(backlog, RULES, "A", verdict=False, now=1))
    after = backlog.items["A"]
    assert after.status is Status.CLOSED
    assert after.reason == "not approved: what now?"


@pytest.mark.parametrize(
    ("start", "text", "verdict"),
    [
        (blocked(Cause.GUARDRAILS, Status.READY, Asks.APPROVAL), "fine", None),
        (blocked(Cause.ASKED, Status.NEW), " ", None),
        (blocked(Cause.FAILED, Status.IN_PROGRESS), "", False),
        (item(), "x", None),
    ],
)
def test_an_answer_that_fits_no_question_is_refused(
    start: Item, text: str, verdict: bool | None
) -> None:
    with pytest.raises(UsageError) as caught:
        moves.answer(Backlog(start), RULES, "A", text, verdict=verdict, now=1)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("verdict", "text", "said"),
    [(True, "", "yes"), (False, "", "no"), (False, "rather not", "no: rather not")],
)
def test_yes_and_no_answer_what_a_worker_asks(verdict: bool, text: str, said: str) -> None:
    backlog = Backlog(blocked(Cause.ASKED, Status.IN_PROGRESS))
    backlog.apply(moves.answer(backlog, RULES, "A", text, verdict=verdict, now=1))
    assert backlog.items["A"].answer == said


def test_ratings_that_rose_while_it_waited_are_asked_about() -> None:
    backlog = Backlog(blocked(Cause.FAILED, Status.IN_PROGRESS))
    backlog.apply(moves.edit(backlog, RULES, "A", Edits(ratings=HIGH), now=1))
    backlog.apply(moves.answer(backlog, RULES, "A", now=1))
    question = backlog.items["A"].question
    assert question is not None
    assert question.cause is Cause.GUARDRAILS
    backlog.apply(moves.answer(backlog, RULES, "A", verdict=True, now=1))
    assert backlog.items["A"].status is Status.IN_PROGRESS


def test_retry_gives_a_fresh_allowance_in_the_same_phase() -> None:
    backlog = Backlog(blocked(Cause.FAILED, Status.IN_PROGRESS, answer="said before"))
    backlog.apply(moves.retry(backlog, RULES, "A", now=1))
    after = backlog.items["A"]
    assert (after.status, after.phase, after.visit) == (Status.IN_PROGRESS, "plan", 1)
    assert after.answer == "said before"


@pytest.mark.parametrize(
    "start",
    [
        item(),
        blocked(Cause.ASKED, Status.NEW),
        blocked(Cause.REVIEW, Status.READY, Asks.APPROVAL),
    ],
)
def test_what_waits_for_an_answer_is_not_retried(start: Item) -> None:
    with pytest.raises(IllegalStepError) as caught:
        moves.retry(Backlog(start), RULES, "A", now=1)
    assert caught.value.fix


# --- ending, holding, claiming


@pytest.mark.parametrize("start", [item(s) for s in (Status.NEW, Status.SCOPING, Status.READY)])
def test_what_needs_a_closed_item_is_told_in_its_history(start: Item) -> None:
    backlog = Backlog(start, Item(id="B", title="b", needs=("A",)))
    change = backlog.apply(moves.close(backlog, "A", "not needed", now=1, by="ann"))
    after = backlog.items["A"]
    assert (after.status, after.reason) == (Status.CLOSED, "not needed")
    assert "B" in change.entries[-1].text


@pytest.mark.parametrize(
    "start",
    [
        item(),
        item(Status.SCOPING),
        item(Status.READY),
        item(Status.IN_PROGRESS, claim=Claim(by="ann", at=1)),
        blocked(Cause.FAILED, Status.IN_PROGRESS),
        blocked(Cause.ASKED, Status.NEW),
    ],
)
def test_a_person_completes_an_item_by_legal_steps(start: Item) -> None:
    backlog = Backlog(start)
    change = backlog.apply(moves.complete(backlog, "A", "did it", now=1, by="ann"))
    after = backlog.items["A"]
    assert (after.status, after.reason, after.question, after.claim) == (
        Status.DONE,
        "did it",
        None,
        None,
    )
    before = start.status
    for step in steps(change):
        assert step in LEGAL[before]
        before = step
    assert [entry.outcome for entry in change.entries if entry.outcome] == ["Complete"]


def test_closing_completing_and_holding_take_words() -> None:
    backlog = Backlog(item())
    asked: list[Callable[[], Change]] = [
        lambda: moves.close(backlog, "A", " ", now=1),
        lambda: moves.complete(backlog, "A", "", now=1),
        lambda: moves.hold(backlog, "A", "\n", now=1),
    ]
    for ask in asked:
        with pytest.raises(UsageError) as caught:
            ask()
        assert caught.value.fix


def test_a_held_item_waits_until_it_is_let_go_on() -> None:
    backlog = Backlog(item(Status.READY))
    backlog.apply(moves.hold(backlog, "A", "after the release", now=1))
    question = backlog.items["A"].question
    assert question is not None
    assert question.cause is Cause.HELD
    with pytest.raises(IllegalStepError):
        moves.hold(backlog, "A", "again", now=1)
    backlog.apply(moves.retry(backlog, RULES, "A", now=1))
    assert backlog.items["A"].status is Status.READY


@given(text=st.text(st.characters(), max_size=40), priority=st.integers())
def test_what_a_person_says_can_be_read_back_from_the_store_or_is_refused(
    text: str, priority: int
) -> None:
    backlog = Backlog(item())
    wanted = NewItem(title="a", description=text, tags=(), priority=priority)
    edits = Edits(description=text, priority=priority)
    changes: tuple[Callable[[], Change], ...] = (
        lambda: moves.add_all(backlog, RULES, [wanted], mint=minting(), now=1),
        lambda: moves.edit(backlog, RULES, "A", edits, now=1),
    )
    for change in changes:
        if abs(priority) > PRIORITY:
            with pytest.raises(UsageError, match="priority"):
                change()
        else:
            changed = change().items
            assert [read_line(write_line(one)) for one in changed] == list(changed)


def test_bytes_that_are_no_text_and_numbers_out_of_bounds_do_not_reach_the_store() -> None:
    backlog = Backlog(item())
    changed = moves.edit(backlog, RULES, "A", Edits(description="a\udcff\x1b[1mb"), now=1)
    assert changed.items[0].description == Description(context="a[1mb")
    for priority in (10**25, -(10**25)):
        with pytest.raises(UsageError, match="priority"):
            moves.edit(backlog, RULES, "A", Edits(priority=priority), now=1)


def test_an_item_is_claimed_by_one_person_at_a_time() -> None:
    backlog = Backlog(item())
    backlog.apply(moves.claim(backlog, "A", "ann", now=NOW))
    assert backlog.items["A"].claim == Claim(by="ann", at=NOW)
    assert not moves.claim(backlog, "A", "ann", now=NOW + 1)
    with pytest.raises(UsageError, match="claimed by ann"):
        moves.claim(backlog, "A", "bob", now=1)
    with pytest.raises(UsageError, match="who"):
        moves.claim(backlog, "A", " ", now=1)
    backlog.apply(moves.unclaim(backlog, "A", now=1))
    assert backlog.items["A"].claim is None
    assert not moves.unclaim(backlog, "A", now=1)


def test_an_error_of_a_person_says_what_and_where_and_what_to_do() -> None:
    backlog = Backlog(blocked(Cause.GUARDRAILS, Status.READY, Asks.APPROVAL))
    with pytest.raises(OrchestratorError) as caught:
        moves.answer(backlog, RULES, "A", "text", now=1)
    assert caught.value.document() == {
        "code": "usage",
        "message": "A waits for a yes or a no",
        "where": "A",
        "fix": "orc answer A --yes, or --no",
    }
