"""Promise: `run` takes items from an idea to done through their pipelines, a commit a phase."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.backlog_scratch import BacklogScratch, make_backlog

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

ODD = ["-dash", "a b", "new\nline", os.fsdecode(b"\xff\xfe"), '"quoted"', "tab\there", "ä/ö.txt"]
MEDIUM = {"report": {"updated_assessments": {"size": "medium"}}}


@pytest.fixture
def scratch(tmp_path: Path) -> BacklogScratch:
    return make_backlog(tmp_path)


def test_items_go_from_an_idea_to_done_and_each_commit_is_its_phase_s(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, pre=["research"], max_concurrent=2)
    scratch.script(
        {
            "Big/triage": MEDIUM,
            "Odd/triage": {"write": {"_ideas/odd.md": "idea\n"}},
            "Odd/plan": {"write": dict.fromkeys(ODD, "x"), "report": {"commit_summary": None}},
            "Odd/build": {
                "write": {},
                "rename": {"a b": "-moved -- here", "old.txt": "new name.txt"},
                "delete": ["new\nline", "-dash"],
                "report": {"commit_summary": f"{'x' * 20}\nsecond line"},
            },
            "Odd/review": {"write": {}},
        }
    )
    scratch.add("Big", {"title": "Odd", "priority": 5})
    ran = scratch.orc("run", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.statuses() == {"Big": "done", "Odd": "done"}
    assert scratch.subjects("Big") == [
        "[ID][research] Do research",
        "[ID][plan] Do plan",
        "[ID][build] Do build",
        "[ID][review] Do review",
    ]
    assert scratch.subjects("Odd") == [
        "[ID][triage] Phase output",
        "[ID][plan] Phase output",
        f"[ID][build] {'x' * 20} second line",
    ]
    big, odd = scratch.branch("Big"), scratch.branch("Odd")
    assert scratch.changed(big) == ["Big-review.txt"]
    assert scratch.changed(f"{big}~") == ["Big-build.txt"]
    assert scratch.changed(f"{odd}~2") == ["_ideas/odd.md"]
    assert scratch.changed(f"{odd}~") == sorted(ODD)
    moved = ["a b", "-moved -- here", "old.txt", "new name.txt", "new\nline", "-dash"]
    assert scratch.changed(odd) == sorted(moved)
    ended = ran.events[-1]
    assert (ended["event"], ended["halt"], ended["phases"]) == ("backlog_ended", "all_done", 9)
    assert sorted(ended["done"]) == sorted(scratch.ids.values())
    again = scratch.orc("run")
    assert (again.code, "Nothing is left to do" in again.out) == (0, True), again.err
    history = [row["what"] for row in scratch.show("Big")["history"]]
    assert history[:3] == ["added", "phase", "triaged"]
    assert history[-2:] == ["phase", "done"]
    assert scratch.git("status", "--porcelain") == "?? orchestrator.toml\n"
    assert scratch.no_worker()


def test_needs_follow_ups_duplicates_and_what_is_added_meanwhile(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    found = [
        "Found one",
        {"title": "Found two", "context": "Problem: slow", "suggested_size": "small"},
    ]
    scratch.script(
        {
            "Top/build": {"see": True},
            "Base/build": {"hold": "base", "report": {"follow_ups": found}},
        }
    )
    scratch.add("Base", {"title": "Top", "needs": ["Base"], "priority": 9}, "Twin")
    base = scratch.ids["Base"]
    scratch.script(
        {
            **json.loads((scratch.place / "script.json").read_text()),
            "Twin/triage": {"report": {"duplicates": [base]}},
        }
    )
    engine = scratch.background("run")
    scratch.reach("base")
    assert "Top/build" not in scratch.begun()
    scratch.add("Added late")
    scratch.let_go("base")
    ran = engine.ended()
    assert ran.code == 0, ran.out
    items = scratch.items()
    assert {title: item["status"] for title, item in items.items()} == {
        "Base": "done",
        "Top": "done",
        "Twin": "closed",
        "Found one": "done",
        "Found two": "done",
        "Added late": "done",
    }
    assert items["Twin"]["reason"] == f"merged into {base}"
    assert "Twin" in items["Base"]["description"]["context"]
    assert items["Found one"]["origin"] == items["Found two"]["origin"] == f"{base}/build"
    assert items["Found two"]["description"]["problem"] == "slow"
    begun = scratch.begun("build")
    assert begun.index("Base/build") < begun.index("Top/build")
    (seen,) = (entry["files"] for entry in scratch.noted if entry["what"] == "sees")
    assert "Base-build.txt" in seen
    assert scratch.subjects("Top", scratch.branch("Base")) == ["[ID][build] Do build"]


@pytest.mark.slow
def test_results_that_wait_are_committed_together_with_what_follows(tmp_path: Path) -> None:
    batch = [{"name": name, "commit": "batch"} for name in ("plan", "spec", "build")]
    scratch = make_backlog(tmp_path, batch)
    asks = {"report": {"result": "blocked", "context": "Which?"}}
    failed = {"report": {"result": "failed", "summary": "no"}, "write": {"junk.txt": "x"}}
    scratch.script(
        {
            "spec": {"report": {"commit_summary": None}},
            "Waits/build": [failed, asks, {"see": True}],
            "Moved/build": [asks, {}],
            "Empty/build": {"write": {}, "report": {"commit_summary": None}},
        }
    )
    scratch.add("Plain", "Waits", "Moved", "Empty")
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    scratch.items()
    together = "[ID][plan] Do plan | [ID][build] Do build"
    assert scratch.subjects("Plain") == [together]
    assert scratch.subjects("Empty") == ["[ID][plan] Do plan"]
    body = scratch.git("log", "-1", "--format=%B", scratch.branch("Plain"))
    id = scratch.ids["Plain"]
    assert f"[{id}][plan][{id}][spec][{id}][build] Phase outputs".replace(f"][{id}]", f"][{id}]")
    assert f"[{id}][plan][{id}][spec][{id}][build] Phase outputs" in body
    assert scratch.changed(scratch.branch("Plain")) == [
        "Plain-build.txt",
        "Plain-plan.txt",
        "Plain-spec.txt",
    ]
    assert scratch.subjects("Waits") == scratch.subjects("Moved") == []

    tip = scratch.branch("Moved")
    mine = scratch.git("commit-tree", f"{tip}^{{tree}}", "-p", tip, "-m", "Mine").strip()
    scratch.git("branch", "-f", tip, mine)
    for title in ("Waits", "Moved"):
        assert scratch.orc("answer", scratch.ids[title], "That").code == 0
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.subjects("Waits") == [together]
    assert "Waits-plan.txt" in next(e["files"] for e in scratch.noted if e["what"] == "sees")
    # What a person committed meanwhile stays, and what waited goes on top of it.
    assert scratch.subjects("Moved") == ["Mine", "[ID][plan] Do plan", "[ID][build] Do build"]


@pytest.mark.slow
def test_what_a_person_completes_can_be_delivered_with_what_waited(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, [{"name": "plan", "commit": "batch"}, "build"])
    scratch.script({"build": {"report": {"result": "blocked", "context": "Which?"}}})
    scratch.add("Mine", "Over")
    assert scratch.orc("run").code == 4
    for command in (
        ("complete", scratch.ids["Mine"], "--summary", "Built it myself"),
        ("close", scratch.ids["Over"], "--reason", "Not needed"),
        ("finish", scratch.ids["Mine"], "--merge"),
    ):
        done = scratch.orc(*command)
        assert done.code == 0, done.out + done.err
    assert (scratch.path / "Mine-plan.txt").read_text() == "plan\n"
    assert scratch.git("log", "-1", "--format=%s").endswith("[plan] Do plan\n")
    assert scratch.statuses() == {"Mine": "done", "Over": "closed"}
    assert scratch.orc("run", "--target", scratch.ids["Over"]).code == 0
    assert len(scratch.begun("build")) == 2


@pytest.mark.slow
def test_targets_filters_steps_and_caps_limit_what_is_begun(scratch: BacklogScratch) -> None:
    scratch.set_up(["build"])
    scratch.script({"Stuck/build": {"report": {"result": "blocked", "context": "Which?"}}})
    high = {"impact": "high", "tags": ["web"]}
    scratch.add("Stuck", "Two", {"title": "Three", **high}, {"title": "Four", **high}, "Five")
    before = scratch.items()
    dry = scratch.orc("run", "--dry-run")
    assert (dry.code, "nothing was changed" in dry.out) == (0, True), dry.err
    assert f"triage {scratch.ids['Stuck']}" in dry.out
    assert (scratch.items(), scratch.begun()) == (before, [])

    assert scratch.orc("run", "--step").code == 0
    assert scratch.begun() == ["Stuck/triage"]
    ran = scratch.orc("run", "--cap", "1", "--json")
    assert (ran.code, ran.events[-1]["halt"]) == (3, "cap_reached"), ran.err
    ids = scratch.ids
    ran = scratch.orc("run", ids["Stuck"], ids["Two"][4:], "--json")
    assert (ran.code, ran.events[-1]["halt"]) == (4, "target_blocked"), ran.err
    ran = scratch.orc("run", "--only", "impact=high", "--only", "tag=web", "--json")
    assert (ran.code, ran.events[-1]["halt"]) == (0, "filter_exhausted"), ran.err
    statuses = scratch.statuses()
    assert [statuses[title] for title in ("Stuck", "Two", "Three", "Four", "Five")] == [
        "blocked",
        "ready",
        "done",
        "done",
        "new",
    ]
    ran = scratch.orc("run", "--target", ids["Stuck"], "--target", ids["Two"], "--auto-advance")
    assert ran.code == 4, ran.err
    statuses = scratch.statuses()
    assert (statuses["Two"], statuses["Five"]) == ("done", "new")
    bad = scratch.orc(
        "run", "--target", "WRK-none1", "--target", ids["Two"], "--target", ids["Two"]
    )
    assert bad.code == 2
    assert "WRK-none1" in bad.err
    assert "twice" in bad.err
    assert scratch.orc("run", "--only", "tag=none").code == 0
    assert scratch.orc("run", "--only", "size=XL").code == 2
