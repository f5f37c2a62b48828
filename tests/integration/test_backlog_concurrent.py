"""Promise: phases run side by side within their limits, and a person can act meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backlog_scratch import PATIENCE, BacklogScratch, make_backlog
from tests.scratch import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

BUILD = {"name": "build", "destructive": True}


def spans(scratch: BacklogScratch) -> list[tuple[int, int, str]]:
    """Return when each try ran: begin, end and "TITLE/PHASE"."""
    ends = {entry["attempt"]: entry["at"] for entry in scratch.noted if entry["what"] == "end"}
    return [
        (entry["at"], ends[entry["attempt"]], f"{entry['title']}/{entry['phase']}")
        for entry in scratch.noted
        if entry["what"] == "begin"
    ]


def beside(scratch: BacklogScratch) -> Iterator[set[str]]:
    """Yield, for each try, all that ran when it began."""
    all_of_them = spans(scratch)
    for at, _, _ in all_of_them:
        yield {name for begin, end, name in all_of_them if begin <= at < end}


def test_destructive_phases_run_alone_and_are_not_starved(tmp_path: Path) -> None:
    scratch = make_backlog(
        tmp_path, ["plan", BUILD, "review"], max_concurrent=3, tables={"backlog": {"max_wip": 3}}
    )
    titles = ("One", "Two", "Three")
    scratch.script({f"{title}/plan": {"hold": title} for title in titles})
    scratch.add(*titles)
    engine = scratch.background("run")
    for title in titles:
        scratch.reach(title)
    scratch.let_go("One")
    wait_for(lambda: scratch.subjects("One"), PATIENCE)
    # A slot is free, but the build of One waits for the others to end: nothing begins before it.
    scratch.add("Late")
    assert scratch.statuses()["Late"] == "new"
    scratch.let_go("Two")
    scratch.let_go("Three")
    ran = engine.ended()
    assert ran.code == 0, ran.out
    assert set(scratch.statuses().values()) == {"done"}
    begun = scratch.begun()
    assert begun.index("Late/triage") > begun.index("One/build")
    together = list(beside(scratch))
    assert max(map(len, together)) == 3
    for running in together:
        if any(name.endswith("/build") for name in running):
            assert len(running) == 1, running


@pytest.mark.slow
def test_limits_hold_and_phases_do_not_see_each_others_files(tmp_path: Path) -> None:
    scratch = make_backlog(
        tmp_path, ["build", "review"], max_concurrent=2, tables={"backlog": {"max_wip": 2}}
    )
    half = {"write": {"half.txt": "half\n"}, "see": True, "then": {"half.txt": "whole\n"}}
    scratch.script(
        {
            "One/build": {**half, "hold": "one"},
            "Two/build": {**half, "write": {"two.txt": "half\n"}, "hold": "two"},
            "Three/build": {},
        }
    )
    scratch.add("One", "Two", "Three")
    engine = scratch.background("run")
    scratch.reach("one")
    scratch.reach("two")
    counts = json.loads(scratch.orc("status", "--json").out)["backlog"]
    assert counts["in_progress"] == 2, counts
    assert "Three/build" not in scratch.begun()
    scratch.let_go("two")
    scratch.let_go("one")
    assert engine.ended().code == 0
    own = [".git", "README.md", "old.txt"]
    sees = {entry["title"]: entry["files"] for entry in scratch.noted if entry["what"] == "sees"}
    assert sees == {"One": own, "Two": own}
    assert scratch.git("show", f"{scratch.branch('One')}:half.txt") == "whole\n"
    assert scratch.changed(f"{scratch.branch('Two')}~") == ["half.txt", "two.txt"]
    assert max(map(len, beside(scratch))) == 2


@pytest.mark.slow
def test_a_run_takes_up_what_a_person_adds_answers_and_releases_meanwhile(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"], tables={"backlog": {"max_wip": 3}})
    asks: list[dict[str, Any]] = [{"report": {"result": "blocked", "context": "Which?"}}, {}]
    scratch.script({"Asks/build": asks, "Long/build": {"hold": "long"}})
    scratch.add({"title": "Asks", "priority": 2}, "Long", "Mine")
    assert scratch.orc("claim", scratch.ids["Mine"]).code == 0
    engine = scratch.background("run")
    scratch.reach("long")
    items = scratch.items()
    assert items["Asks"]["question"]["text"] == "Which?"
    assert "Which?" in scratch.orc("status").out
    assert scratch.orc("answer", scratch.ids["Asks"], "That").code == 0
    scratch.add("Added")
    assert scratch.orc("claim", scratch.ids["Mine"], "--release").code == 0
    scratch.let_go("long")
    ran = engine.ended()
    assert ran.code == 0, ran.out
    assert set(scratch.statuses().values()) == {"done"}
    assert "> That" in scratch.prompts("Asks", "build")[-1]
    assert len(scratch.subjects("Asks")) == 1


@pytest.mark.slow
def test_what_a_person_takes_from_a_worker_is_interrupted_pinned_and_not_applied(
    tmp_path: Path,
) -> None:
    scratch = make_backlog(
        tmp_path, ["plan", "build"], max_concurrent=4, tables={"backlog": {"max_wip": 4}}
    )
    stays = {"write": {"partial.txt": "partial\n"}}
    titles = ("Closed", "Claimed", "Moved", "Held")
    scratch.script({f"{t}/plan": [{**stays, "hold": t, "hang": True}, {}] for t in titles})
    scratch.add(*titles)
    engine = scratch.background("run")
    for title in titles:
        scratch.reach(title)
    ids = scratch.ids
    assert scratch.orc("close", ids["Closed"], "--reason", "not wanted").code == 0
    assert scratch.orc("claim", ids["Claimed"], "--by", "me").code == 0
    assert scratch.orc("move", ids["Moved"], "--to", "build").code == 0
    assert scratch.orc("hold", ids["Held"], "--reason", "wait").code == 0
    ran = engine.ended()
    assert ran.code == 4, ran.out
    assert scratch.no_worker()
    statuses = scratch.statuses()
    assert statuses == {
        "Closed": "closed",
        "Claimed": "in_progress",
        "Moved": "done",
        "Held": "blocked",
    }
    assert scratch.subjects("Moved") == ["[ID][build] Do build"]
    pinned = {e["item"]: e for e in scratch.attempts() if e["state"] != "verified"}
    for title in titles:
        assert scratch.subjects(title) == (["[ID][build] Do build"] if title == "Moved" else [])
        entry = pinned[ids[title]]
        assert entry["state"] == "interrupted", entry
        assert scratch.git("show", f"{entry['commit']}:partial.txt") == "partial\n"
    assert scratch.orc("claim", ids["Claimed"], "--release").code == 0
    assert scratch.orc("answer", ids["Held"], "now").code == 0
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.subjects("Held") == ["[ID][plan] Do plan", "[ID][build] Do build"]


@pytest.mark.slow
def test_a_stop_pins_what_ran_and_the_same_command_goes_on(tmp_path: Path) -> None:
    scratch = make_backlog(
        tmp_path, ["plan", "build"], max_concurrent=2, tables={"backlog": {"max_wip": 2}}
    )
    hang = {"write": {"partial.txt": "partial\n"}, "hold": "one", "hang": True}
    scratch.script({"One/plan": [hang, {}], "Two/plan": [{**hang, "hold": "two"}, {}]})
    scratch.add("One", "Two", "Three")
    engine = scratch.background("run")
    scratch.reach("one")
    scratch.reach("two")
    assert scratch.orc("stop", "--now").code == 0
    ran = engine.ended()
    assert ran.code == 130, ran.out
    assert scratch.no_worker()
    assert [entry["state"] for entry in scratch.attempts()] == ["interrupted"] * 2
    assert scratch.statuses()["One"] == "in_progress"
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    for title in ("One", "Two", "Three"):
        assert scratch.subjects(title) == ["[ID][plan] Do plan", "[ID][build] Do build"]
        assert scratch.changed(f"{scratch.branch(title)}~") == [f"{title}-plan.txt"]


@pytest.mark.slow
def test_a_polite_stop_interrupts_after_its_grace(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    scratch.script({"build": [{"hold": "it", "hang": True, "write": {"a.txt": "a"}}, {}]})
    scratch.add("One")
    engine = scratch.background("run")
    scratch.reach("it")
    engine.process.send_signal(2)
    ran = engine.ended()
    assert ran.code == 130, ran.out
    assert [entry["state"] for entry in scratch.attempts()] == ["interrupted"]
    assert scratch.orc("run").code == 0


@pytest.mark.slow
def test_what_a_person_closes_while_its_worker_waits_for_a_limit_is_not_begun(
    tmp_path: Path,
) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    limited = {"result": None, "status": "limited", "resets_in": 15}
    scratch.script({"One/build": [{"report": limited}, {}]})
    scratch.add("One")
    engine = scratch.background("run", "--json")
    wait_for(lambda: "limit_reached" in engine.output.read_text(), PATIENCE)
    assert scratch.orc("close", scratch.ids["One"], "--reason", "Not wanted").code == 0
    ran = engine.ended()
    assert ran.code == 0, ran.out
    assert scratch.begun("build") == ["One/build"]


@pytest.mark.slow
def test_second_instance_is_refused_and_commands_reach_the_first(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    scratch.script({"One/build": {"hold": "one"}})
    scratch.add("One")
    engine = scratch.background("run")
    scratch.reach("one")
    again = scratch.orc("run")
    assert again.code == 2
    assert "another orchestrator" in again.err
    shown = json.loads(scratch.orc("status", "--json").out)
    assert [item["status"] for item in shown["items"]] == ["in progress"]
    scratch.let_go("one")
    assert engine.ended().code == 0
    wait_for(scratch.no_worker)


@pytest.mark.slow
def test_a_budget_holds_over_all_items_and_the_next_run_goes_on(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    costs = {"report": {"usage": {"cost": 1.0}}}
    scratch.script({"build": costs, "triage": {}})
    scratch.add("One", "Two", "Three")
    ran = scratch.orc("run", "--max-cost", "1.5", "--json")
    assert ran.code == 3, ran.out + ran.err
    ended = ran.events[-1]
    assert (ended["halt"], ended["cost"]) == ("limited", 2.0)
    assert len(scratch.begun("build")) == 2
    assert "--max-cost" in ended["advice"]
    ran = scratch.orc("run", "--max-cost", "9", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.events[-1]["cost"] == 3.0
    assert len(scratch.begun("build")) == 3


@pytest.mark.slow
def test_a_limit_of_the_service_costs_no_attempt_and_ends_the_run(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"], max_attempts=1)
    far = {"result": None, "status": "limited", "resets_at": 4e9, "reason": "out of tokens"}
    over = {**far, "resets_at": 1}
    scratch.script({"One/build": [{"report": far}, {}], "Two/build": [{"report": over}, {}]})
    scratch.add("One", "Two")
    ran = scratch.orc("run", "--wait", "0", "--json")
    assert ran.code == 3, ran.out + ran.err
    assert ran.events[-1]["halt"] == "limited"
    assert scratch.begun("build") == ["One/build"]
    ran = scratch.orc("run", "--again")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.begun("build") == ["One/build", "One/build", "Two/build", "Two/build"]
