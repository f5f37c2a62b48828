"""Promise: `run` that was killed is given again, and gets to the end that it would have had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.backlog_scratch import BacklogScratch, Phases, make_backlog
from tests.scratch import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

BATCH = {"name": "plan", "commit": "batch", "verify": False}
BUILD = {"name": "build", "verify": False}
PHASES: Phases = [BATCH, BUILD, "review"]
TRIED_AGAIN: dict[str, Any] = {"write": {"half.txt": "half\n"}, "hang": True}


def hold(name: str) -> list[dict[str, Any]]:
    """Return the steps of a phase that hangs at its first try."""
    return [{**TRIED_AGAIN, "hold": name}, {}]


def kill_at(scratch: BacklogScratch, name: str) -> None:
    """Run, and kill the engine where its worker says that it came to ``name``."""
    engine = scratch.background("run")
    scratch.reach(name)
    engine.kill9()


def gate(scratch: BacklogScratch, name: str) -> str:
    """Return a command that says so and hangs for as long as a file is there."""
    return f"! test -e {scratch.place}/{name} || {{ touch {scratch.place}/at-{name}; sleep 300; }}"


def end_state(scratch: BacklogScratch) -> dict[str, Any]:
    """Return all that a run brought about and a person can see, with titles for ids."""
    items = scratch.items()
    titles = {item["id"]: title for title, item in items.items()}
    found: dict[str, Any] = {}
    for title, item in items.items():
        origin, _, phase = item["origin"].partition("/")
        log = scratch.git("log", "--format=%s %T", f"main..{scratch.branch(title)}")
        found[title] = {
            "status": item["status"],
            "origin": (titles.get(origin), phase),
            "commits": log.replace(item["id"], "ID").splitlines(),
            "steps": [
                (row["what"], row["before"], row["after"]) for row in scratch.show(title)["history"]
            ],
        }
    found["main"] = scratch.git("rev-parse", "main^{tree}").strip()
    return found


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_gets_to_the_same_end(tmp_path: Path) -> None:
    follow_up = {"report": {"follow_ups": ["Found"]}}
    steady = make_backlog(tmp_path / "steady", PHASES, max_attempts=3)
    steady.script({"One/build": follow_up})
    steady.add("One")
    ran = steady.orc("run")
    assert ran.code == 0, ran.out + ran.err
    expected = end_state(steady)
    for entry in steady.place.iterdir():
        if entry.is_file():
            entry.unlink()

    scratch = make_backlog(tmp_path / "killed", PHASES)
    between: Phases = [BATCH, {**BUILD, "enter": [{"command": gate(scratch, "between")}]}, "review"]
    scratch.set_up(between, max_attempts=3)
    scratch.script(
        {
            "One/triage": hold("triage"),
            "One/plan": hold("plan"),
            "One/build": [
                {**TRIED_AGAIN, "hold": "twice"},
                {**TRIED_AGAIN, "hold": "again"},
                follow_up,
            ],
            "Found/review": hold("last"),
        }
    )
    scratch.add("One")
    (scratch.place / "between").touch()
    for name in ("triage", "plan", "between"):
        kill_at(scratch, name)
    (scratch.place / "between").unlink()
    for name in ("twice", "again", "last"):
        kill_at(scratch, name)
    ran = scratch.orc("run", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert end_state(scratch) == expected
    assert scratch.subjects("One") == [
        "[ID][plan] Do plan | [ID][build] Do build",
        "[ID][review] Do review",
    ]
    lost = [entry for entry in scratch.attempts() if entry["state"] == "lost"]
    assert len(lost) == 5
    assert scratch.begun("triage").count("One/triage") == 2
    wait_for(scratch.no_worker)


@pytest.mark.slow
def test_a_delivery_that_is_killed_is_completed(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    check = gate(scratch, "deliver")
    scratch.set_up([{"name": "build", "verify": False}], finish="merge", verify=[check])
    scratch.add("One", "Two")
    scratch.script({"Two/triage": [{"run": f"touch {scratch.place}/deliver"}]})
    (scratch.path / "old.txt").write_text("mine\n")
    scratch.git("commit", "-qam", "Mine")
    for _ in range(2):
        engine = scratch.background("run", "--baseline", "skip")
        scratch.reach("deliver")
        engine.kill9()
        (scratch.place / "at-deliver").unlink()
    scratch.script({})
    (scratch.place / "deliver").unlink()
    engine = scratch.background("run")
    ran = engine.ended()
    assert ran.code == 0, ran.out
    assert scratch.statuses() == {"One": "done", "Two": "done"}
    for title in ("One", "Two"):
        assert (scratch.path / f"{title}-build.txt").read_text() == "build\n"
    assert (scratch.path / "old.txt").read_text() == "mine\n"
    merges = scratch.git("log", "--first-parent", "--format=%s", "main").splitlines()
    assert len(merges) == 4, merges
    assert scratch.git("status", "--porcelain") == "?? orchestrator.toml\n"
    assert sorted(scratch.begun("build")) == ["One/build", "Two/build"]


@pytest.mark.slow
def test_what_a_person_did_to_the_branch_of_a_killed_run_decides(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["plan", "build"])
    scratch.script({f"{title}/build": hold(title) for title in ("Added", "Taken back")})
    scratch.set_up(["plan", "build"], max_concurrent=2, tables={"backlog": {"max_wip": 2}})
    scratch.add("Added", "Taken back")
    engine = scratch.background("run")
    scratch.reach("Added")
    scratch.reach("Taken back")
    engine.kill9()
    branch = scratch.branch("Added")
    tree = f"{branch}^{{tree}}"
    scratch.git(
        "branch", "-f", branch, scratch.git("commit-tree", tree, "-p", branch, "-m", "Mine")[:-1]
    )
    back = scratch.branch("Taken back")
    tip = scratch.git("rev-parse", back).strip()
    scratch.git("branch", "-f", back, "main")
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    assert scratch.subjects("Added") == ["[ID][plan] Do plan", "Mine", "[ID][build] Do build"]
    question = scratch.items()["Taken back"]["question"]
    assert question["cause"] == "parked"
    assert f"git branch -f {back} {tip[:9]}" in question["text"]
    assert scratch.subjects("Taken back") == []
    scratch.git("branch", "-f", back, tip)
    assert scratch.orc("retry", scratch.ids["Taken back"]).code == 0
    assert scratch.orc("run").code == 0
    assert scratch.subjects("Taken back") == ["[ID][plan] Do plan", "[ID][build] Do build"]


def test_the_counters_of_a_killed_run_go_on(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    costs = {"report": {"usage": {"cost": 1.0}}}
    scratch.script({"build": costs, "Two/build": [{"hold": "two", "hang": True}, costs]})
    scratch.add("One", "Two", "Three")
    kill_at(scratch, "two")
    ran = scratch.orc("run", "--max-cost", "1.5", "--json")
    assert ran.code == 3, ran.out + ran.err
    assert json.loads(ran.out.splitlines()[-1])["cost"] == 2.0
    assert scratch.begun("build") == ["One/build", "Two/build", "Two/build"]
