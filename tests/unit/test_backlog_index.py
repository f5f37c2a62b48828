"""Promise: the index decides as the full scan does, after every change, and finds items by name."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestrator.errors import UsageError
from orchestrator.work.backlog.change import Change
from orchestrator.work.backlog.filters import Filters, parse_filters
from orchestrator.work.backlog.index import Backlog
from orchestrator.work.backlog.item import (
    DELIVER,
    Assessments,
    Claim,
    Item,
    Level,
    Pool,
    Question,
    Status,
)
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.queue import Queue
from orchestrator.work.backlog.rules import Limits, Rules
from orchestrator.work.backlog.selection import Key, RunPhase, Triage, scan
from orchestrator.work.backlog.track import Track

PIPELINES = {
    "feature": Pipeline(
        name="feature",
        pre_phases=(Phase(name="research"), Phase(name="design")),
        phases=(Phase(name="plan"), Phase(name="build", destructive=True), Phase(name="review")),
    ),
    "fix": Pipeline(name="fix", phases=(Phase(name="build", destructive=True),)),
}
IDS = [f"WRK-{letter}" for letter in "abcdefgh"]
PHASES = [None, "research", "design", "plan", "build", "review", DELIVER, "unheard of"]


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


def items(id: str) -> st.SearchStrategy[Item]:
    """Return items of this id in every condition, sensible or not."""

    def with_question(item: Item) -> Item:
        return attrs.evolve(item, question=Question(text="Which?")) if item.is_blocked else item

    return st.builds(
        Item,
        id=st.just(id),
        title=st.just("Do it"),
        status=st.sampled_from(Status),
        priority=st.integers(-1, 1),
        tags=st.sampled_from([(), ("ui",), ("ui", "api")]),
        needs=st.lists(st.sampled_from([*IDS, "WRK-gone"]), max_size=2).map(tuple),
        parent=optional(st.sampled_from(IDS)),
        pipeline=st.sampled_from([None, "feature", "fix", "unheard of"]),
        phase=st.sampled_from(PHASES),
        pool=optional(st.sampled_from(Pool)),
        ratings=st.builds(Assessments, impact=optional(st.sampled_from(Level))),
        claim=st.sampled_from([None, None, None, Claim(by="ann", at=1)]),
        track=st.sampled_from([None, None, None, Track(branch="feature/x")]),
        created=st.integers(0, 2),
    ).map(with_question)


anything = st.sampled_from(IDS).flatmap(items)


class IndexAgainstScan(RuleBasedStateMachine):
    """The index beside a dict that is looked through for every answer."""

    @initialize(
        some=st.lists(anything, max_size=8, unique_by=lambda item: item.id),
        max_wip=st.integers(1, 4),
        max_concurrent=st.integers(0, 3),
        only=st.sampled_from([(), ("status=ready",), ("tag=ui",), ("impact=h,m", "tag=api")]),
    )
    def begin(
        self, some: list[Item], max_wip: int, max_concurrent: int, only: tuple[str, ...]
    ) -> None:
        limits = Limits(max_wip=max_wip, max_concurrent=max_concurrent)
        self.by = Rules(pipelines=PIPELINES, limits=limits)
        self.wanted: Filters = parse_filters(only)
        self.items = {item.id: item for item in some}
        self.kept: set[str] = set()
        self.running: dict[str, bool] = {}
        self.backlog = Backlog(self.by, some, self.wanted)

    def is_wanted(self, item: Item) -> bool:
        return item.id in self.kept or self.wanted.matches(item)

    @rule(changed=st.lists(anything, max_size=3, unique_by=lambda item: item.id))
    def change(self, changed: list[Item]) -> None:
        for item in changed:
            old = self.items.get(item.id)
            promoted = old and (old.status, item.status) == (Status.READY, Status.IN_PROGRESS)
            if old and promoted and self.wanted.matches(old) and self.wanted:
                self.kept.add(item.id)
            self.items[item.id] = item
        self.backlog.apply(Change(items=tuple(changed)))

    @rule(id=st.sampled_from(IDS), status=st.sampled_from(Status))
    def move(self, id: str, status: Status) -> None:
        if id in self.items:
            self.change([attrs.evolve(self.items[id], status=status)])

    @rule(id=st.sampled_from(IDS), destructive=st.booleans())
    def start(self, id: str, destructive: bool) -> None:
        self.running[id] = destructive
        self.backlog.begin(id, destructive=destructive)

    @rule(id=st.sampled_from(IDS))
    def stop(self, id: str) -> None:
        self.running.pop(id, None)
        self.backlog.end(id)

    @rule()
    def start_what_is_selected(self) -> None:
        for action in self.backlog.select():
            if isinstance(action, RunPhase | Triage):
                self.start(action.item, isinstance(action, RunPhase) and action.destructive)

    @invariant()
    def decides_as_the_scan(self) -> None:
        expected = scan(self.items.values(), self.running, self.by, self.wanted, kept=self.kept)
        assert self.backlog.select() == expected
        assert self.backlog.select() == expected

    @invariant()
    def knows_the_items_and_how_they_hang_together(self) -> None:
        all_items = self.items.values()
        assert list(self.backlog.items()) == list(all_items)
        assert self.backlog.ordered() == [self.items[id] for id in sorted(self.items)]
        assert len(self.backlog) == len(self.items)
        for id in IDS:
            assert self.backlog.get(id) == self.items.get(id)
            mine = sorted(item.id for item in all_items if item.parent == id)
            assert list(self.backlog.children(id)) == mine
            needing = sorted(item.id for item in all_items if id in item.needs)
            assert list(self.backlog.dependents(id)) == needing
        assert dict(self.backlog.running) == self.running

    @invariant()
    def counts_them(self) -> None:
        for status in Status:
            of_it = [
                item for item in self.items.values() if item.status is status and item.track is None
            ]
            assert self.backlog.counts[status] == len(of_it)
            wanted = [item for item in of_it if self.is_wanted(item)]
            assert self.backlog.wanted_counts[status] == len(wanted)


TestIndexAgainstScan = IndexAgainstScan.TestCase
TestIndexAgainstScan.settings = settings(max_examples=30, stateful_step_count=20)


def backlog(*ids: str) -> Backlog:
    return Backlog(
        Rules(pipelines=PIPELINES), [Item(id=id, title=f"Do {id}", created=1) for id in ids]
    )


def test_an_item_is_found_by_a_beginning_of_its_id() -> None:
    assert backlog("WRK-001", "WRK-0012", "tg-1rh14").find("1rh") == "tg-1rh14"
    assert backlog("WRK-001", "WRK-0012", "tg-1rh14").find("wrk-001") == "WRK-001"
    with pytest.raises(UsageError, match="WRK-001, WRK-0012"):
        backlog("WRK-001", "WRK-0012", "tg-1rh14").find("WRK")
    with pytest.raises(UsageError, match="no item") as caught:
        backlog("WRK-001", "tg-1rh14").find("WRK-00l")
    assert caught.value.fix == "did you mean WRK-001?"


SOME_KEYS = st.tuples(
    st.integers(1, 3), st.just(0), st.integers(0, 3), st.just(0), st.sampled_from(IDS)
)


class QueueAgainstSorting(RuleBasedStateMachine):
    """The queue beside the collections it goes by, sorted for every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Key] = {}
        self.held: set[str] = set()
        self.running: set[str] = set()
        self.queue = Queue(self.keys, self.held, self.running)

    def let_in(self, id: str) -> None:
        if id in self.keys and id not in self.held and id not in self.running:
            self.queue.put(self.keys[id])

    @rule(key=SOME_KEYS)
    def put(self, key: Key) -> None:
        if self.keys.get(key[-1]) != key:
            self.keys[key[-1]] = key
            self.let_in(key[-1])

    @rule(id=st.sampled_from(IDS))
    def take(self, id: str) -> None:
        self.keys.pop(id, None)

    @rule(id=st.sampled_from(IDS), runs=st.booleans())
    def hold(self, id: str, runs: bool) -> None:
        (self.running if runs else self.held).add(id)

    @rule(id=st.sampled_from(IDS), times=st.integers(1, 50))
    def let_go(self, id: str, times: int) -> None:
        for _ in range(times):
            self.running.add(id)
            self.running.discard(id)
            self.held.discard(id)
            self.let_in(id)

    @rule(count=st.integers(0, 4))
    def look(self, count: int) -> None:
        inside = [key for id, key in self.keys.items() if id not in self.held | self.running]
        assert self.queue.first(count) == sorted(inside)[:count]


TestQueueAgainstSorting = QueueAgainstSorting.TestCase
TestQueueAgainstSorting.settings = settings(max_examples=30, stateful_step_count=30)


def test_a_queue_does_not_grow_by_what_left_it() -> None:
    keys: dict[str, Key] = {"a": (1, 0, 0, 0, "a")}
    queue = Queue(keys, (), (), keys.values())
    for number in range(1, 10_000):
        keys["b"] = (1, 0, number, 0, "b")  # never at the front, where it would be cleaned up
        queue.put(keys["b"])
    assert len(queue._heap) < 200
    for _ in range(10_000):
        assert queue.first(2) == [keys["a"], keys["b"]]
    assert len(queue._heap) < 200


def test_a_key_that_comes_back_is_in_the_queue_once() -> None:
    keys: dict[str, Key] = {}
    queue = Queue(keys, (), ())
    for number in range(500):
        keys["a"] = (1, 0, number % 2, 0, "a")
        queue.put(keys["a"])
    assert queue.first(2) == [keys["a"]]
