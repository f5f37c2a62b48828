"""Promise: open needs are known, and nothing can be made to wait for itself."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.work.backlog.item import Item, Status
from orchestrator.work.backlog.needs import MOST_CIRCLES, check_needs, circles, unmet


def known(*items: Item) -> dict[str, Item]:
    return {item.id: item for item in items}


def item(id: str, *needs: str, status: Status = Status.NEW) -> Item:
    return Item(id=id, title=f"Do {id}", needs=needs, status=status)


def test_needs_are_met_by_what_is_ended_in_either_way_and_by_nothing_else() -> None:
    others = [item(status.value, status=status) for status in Status]
    one = item("one", *(other.id for other in others), "gone")
    open_ones = [status.value for status in Status if status not in (Status.DONE, Status.CLOSED)]
    assert unmet(known(one, *others), one) == (*open_ones, "gone")


def test_needs_that_are_known_and_ahead_are_accepted() -> None:
    there = known(item("a"), item("b", "a"), item("c", "a", "b"), item("d", "gone"))
    check_needs(there, "new", ["a", "b", "c", "d"])
    check_needs(there, "c", ["d", "b", "a"])
    check_needs(there, "c", [])


@pytest.mark.parametrize(
    ("id", "needs", "message"),
    [
        ("a", ["gone"], "a needs gone, and there is no such item"),
        ("a", ["a"], "a cannot need itself"),
        ("a", ["b"], "a would wait for itself: a → b → a"),
        ("a", ["z", "c"], "a would wait for itself: a → c → b → a"),
        ("new", ["hopeful"], "new would wait for itself: new → hopeful → new"),
    ],
)
def test_needs_that_can_never_be_met_are_refused(id: str, needs: list[str], message: str) -> None:
    there = known(item("a"), item("b", "a"), item("c", "b"), item("z"), item("hopeful", "new"))
    with pytest.raises(UsageError) as caught:
        check_needs(there, id, needs)
    assert caught.value.message == message
    assert caught.value.where == id
    assert caught.value.fix


def test_a_circle_among_others_is_no_trap() -> None:
    check_needs(known(item("a", "b"), item("b", "a")), "new", ["a"])


def test_circles_are_found_once_each_from_their_smallest_id() -> None:
    found = circles(
        [
            item("c", "a"),
            item("b", "c"),
            item("a", "b", "x"),
            item("self", "self"),
            item("y", "x"),
            item("x", "y"),
            item("behind", "a", "gone"),
        ]
    )
    assert found == [("a", "b", "c", "a"), ("self", "self"), ("x", "y", "x")]


def test_ways_that_join_again_and_circles_through_what_is_ended_are_none() -> None:
    assert circles([item("a", "b", "c"), item("b", "d"), item("c", "d"), item("d")]) == []
    assert circles([item("a", "b"), item("b", "a", status=Status.DONE)]) == []


def test_blocked_items_are_part_of_circles() -> None:
    assert circles([item("a", "b", status=Status.BLOCKED), item("b", "a")]) == [("a", "b", "a")]


def test_long_ways_are_followed_to_their_end() -> None:
    count = 30_000
    ids = [f"i{number:06}" for number in range(count)]
    chain = [item(id, need) for id, need in pairwise(ids)]
    assert circles([*chain, item(ids[-1])]) == []
    (circle,) = circles([*chain, item(ids[-1], ids[0])])
    assert circle == (*ids, ids[0])
    with pytest.raises(UsageError, match="wait for itself"):
        check_needs(known(*chain, item(ids[-1])), ids[-1], [ids[0]])


def test_a_tangle_is_told_in_part() -> None:
    ids = [f"i{number:03}" for number in range(300)]
    assert len(circles([item(id, *ids) for id in ids])) == MOST_CIRCLES


graphs = st.dictionaries(
    st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefgh"), max_size=3, unique=True)
)


def reachable(graph: dict[str, list[str]], start: str) -> set[str]:
    seen: set[str] = set()
    ahead = list(graph.get(start, ()))
    while ahead:
        id = ahead.pop()
        if id not in seen:
            seen.add(id)
            ahead += graph.get(id, ())
    return seen


@given(graphs)
def test_every_circle_is_one_and_there_is_one_where_items_wait_for_themselves(
    graph: dict[str, list[str]],
) -> None:
    found = circles([item(id, *needs) for id, needs in graph.items()])
    assert found == circles([item(id, *graph[id]) for id in sorted(graph, reverse=True)])
    assert len(set(found)) == len(found)
    for circle in found:
        assert circle[0] == circle[-1] == min(circle)
        assert len(set(circle)) == len(circle) - 1
        assert all(need in graph[id] for id, need in pairwise(circle))
    in_themselves = {id for id in graph if id in reachable(graph, id)}
    told = {id for circle in found for id in circle}
    assert told <= in_themselves
    assert all(reachable(graph, id) & told for id in in_themselves)


@given(graphs, st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), unique=True))
def test_what_is_accepted_makes_no_circle(
    graph: dict[str, list[str]], id: str, needs: list[str]
) -> None:
    there = known(*(item(one, *graph[one]) for one in graph))
    refusable = any(
        need == id or need not in graph or id in reachable(graph, need) for need in needs
    )
    try:
        check_needs(there, id, needs)
    except UsageError:
        assert refusable
    else:
        assert not refusable
