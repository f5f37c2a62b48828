"""Items and JSON values of every kind, for tests of what is read and written of them."""

from __future__ import annotations

from typing import Any

import attrs
from hypothesis import strategies as st

from orchestrator.work.backlog.gate import Gate
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
    Waiting,
)
from orchestrator.work.backlog.track import Cycle, Deliverable, Plan, Track

TEXT = st.text(max_size=5)
NAMES = st.sampled_from(("build", "prd", "tech-research", "x"))
IDS = st.integers(0, 99).map("WRK-{:03}".format)
TIMES = st.integers(min_value=0, max_value=2**62)


EVERYTHING = Item(
    id="WRK-1",
    title="Title",
    status=Status.BLOCKED,
    priority=1,
    description=Description(context="Context"),
    tags=("tag",),
    needs=("WRK-2",),
    parent="WRK-3",
    pipeline="bugfix",
    phase="build",
    pool=Pool.MAIN,
    ratings=Assessments(size=Size.LARGE),
    needs_review=True,
    overridden=True,
    origin="WRK-4/build",
    question=Question(text="Which?"),
    answer="This",
    asked="Which?",
    accepts_branch=True,
    summary="Done",
    claim=Claim(by="me", at=1),
    reason="reason",
    visit=1,
    subphases=1,
    head="c0ffee",
    waiting=(Waiting(phase="prd", summary="", attempt="a1"),),
    based_on="c0ffee",
    created=1,
    updated=2,
    foreign={"key": "value"},
    track=Track(
        branch="feature/12-x",
        base="main",
        issue="12",
        subphase="red",
        cycle=1,
        begun=(1,),
        plan=Plan(
            cycles=(
                Cycle(
                    number=1,
                    name="first",
                    exit_criteria="it runs",
                    deliverables=(Deliverable(id="a", description="A", gate=Gate(file="a")),),
                ),
            ),
            deliverables={"design": (Deliverable(id="b", gate=Gate(glob="*.md", cycle=2)),)},
        ),
        rebuilt="commits",
    ),
)
"""An item with nothing at its default."""


def tracks() -> st.SearchStrategy[Track]:
    """Return tracks of every kind."""
    number = st.integers(0, 5)
    gates = st.builds(Gate, file=NAMES, contains=TEXT, cycle=number)
    wanted = st.lists(
        st.builds(Deliverable, id=NAMES, description=TEXT, gate=st.none() | gates), max_size=2
    ).map(tuple)
    cycles = st.builds(Cycle, number=number, name=TEXT, exit_criteria=TEXT, deliverables=wanted)
    plans = st.builds(
        Plan,
        cycles=st.lists(cycles, max_size=2).map(tuple),
        deliverables=st.dictionaries(NAMES, wanted, max_size=2),
    )
    return st.builds(
        Track,
        branch=NAMES,
        base=TEXT,
        issue=TEXT,
        subphase=TEXT,
        cycle=number,
        begun=st.lists(number, max_size=3).map(tuple),
        plan=plans,
        rebuilt=st.sampled_from(("", "record", "commits", "name")),
    )


def jsons() -> st.SearchStrategy[Any]:
    """Return what JSON can hold."""
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**63)
        | TEXT
        | st.floats(width=32, allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=5,
    )


def ratings() -> st.SearchStrategy[Assessments]:
    """Return ratings of every kind."""
    level = st.none() | st.sampled_from(Level)
    return st.builds(
        Assessments,
        size=st.none() | st.sampled_from(Size),
        complexity=level,
        risk=level,
        impact=level,
    )


@st.composite
def items(draw: st.DrawFn, ids: st.SearchStrategy[str] = IDS) -> Item:
    """Return a sound item: it has a question exactly while it is blocked."""
    item = draw(
        st.builds(
            Item,
            id=ids,
            title=TEXT,
            status=st.sampled_from(Status),
            priority=st.integers(-(2**63), 2**63 - 1),
            description=st.builds(Description, context=TEXT, problem=TEXT, impact=TEXT),
            tags=st.lists(NAMES, max_size=2, unique=True).map(tuple),
            needs=st.lists(IDS, max_size=2, unique=True).map(tuple),
            parent=st.none() | IDS,
            pipeline=st.none() | NAMES,
            phase=st.none() | NAMES,
            pool=st.none() | st.sampled_from(Pool),
            ratings=ratings(),
            needs_review=st.booleans(),
            overridden=st.booleans(),
            origin=NAMES,
            answer=TEXT,
            asked=NAMES,
            accepts_branch=st.booleans(),
            summary=NAMES,
            claim=st.none() | st.builds(Claim, by=NAMES, at=TIMES),
            track=st.none() | tracks(),
            reason=TEXT,
            visit=st.integers(0, 9),
            subphases=st.integers(0, 9),
            head=NAMES,
            waiting=st.lists(
                st.builds(Waiting, phase=NAMES, summary=NAMES, attempt=NAMES), max_size=2
            ).map(tuple),
            based_on=NAMES,
            created=TIMES,
            updated=TIMES,
            foreign=st.dictionaries(TEXT, jsons(), max_size=2),
        )
    )
    if item.status is not Status.BLOCKED:
        return item
    open_statuses = (Status.NEW, Status.SCOPING, Status.READY, Status.IN_PROGRESS)
    question = st.builds(
        Question,
        text=TEXT,
        asks=st.sampled_from(Asks),
        cause=st.sampled_from(Cause),
        since=st.sampled_from(open_statuses),
    )
    return attrs.evolve(item, question=draw(question))
