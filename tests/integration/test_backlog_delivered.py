"""Promise: with finish = "merge" what is done reaches the branch it came from, one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backlog_scratch import PATIENCE, make_backlog
from tests.scratch import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


def test_items_are_delivered_in_turn_and_a_conflict_waits_for_a_person(tmp_path: Path) -> None:
    scratch = make_backlog(
        tmp_path,
        ["build"],
        finish="merge",
        max_concurrent=2,
        tables={"backlog": {"max_wip": 3}},
    )
    scratch.script(
        {
            "Two/build": {"hold": "two"},
            "Clash/build": {"write": {"old.txt": "theirs\n"}, "hold": "clash"},
            "After/build": {"see": True},
        }
    )
    scratch.add("Two", "Clash", {"title": "After", "needs": ["Two"]})
    engine = scratch.background("run")
    scratch.reach("two")
    scratch.reach("clash")
    (scratch.path / "old.txt").write_text("mine\n")
    scratch.git("commit", "-qam", "Mine")
    scratch.let_go("two")
    scratch.let_go("clash")
    ran = engine.ended()
    assert ran.code == 4, ran.out
    items = scratch.items()
    assert {title: item["status"] for title, item in items.items()} == {
        "Two": "done",
        "After": "done",
        "Clash": "blocked",
    }
    question = items["Clash"]["question"]
    assert question["cause"] == "delivery", question
    assert "old.txt" in question["text"]
    (seen,) = (entry["files"] for entry in scratch.noted if entry["what"] == "sees")
    assert "Two-build.txt" in seen
    assert (scratch.path / "Two-build.txt").exists()
    assert (scratch.path / "After-build.txt").exists()
    assert (scratch.path / "old.txt").read_text() == "mine\n"
    subjects = scratch.git("log", "--first-parent", "--format=%s", "main").splitlines()
    assert len(subjects) == 4
    assert scratch.git("status", "--porcelain") == "?? orchestrator.toml\n"

    scratch.git("rm", "-q", "old.txt")
    (scratch.path / "old.txt").write_text("old\n")
    scratch.git("add", "old.txt")
    scratch.git("commit", "-qm", "Take it back")
    assert scratch.orc("retry", scratch.ids["Clash"]).code == 0
    engine = scratch.background("run")
    ran = engine.ended()
    assert ran.code == 0, ran.out
    assert scratch.statuses()["Clash"] == "done"
    assert (scratch.path / "old.txt").read_text() == "theirs\n"
    assert len(scratch.begun("build")) == 3


@pytest.mark.slow
def test_what_a_person_closes_before_it_lands_is_not_delivered(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"])
    place = scratch.place
    check = f"touch {place}/at-check; while ! test -e {place}/go-check; do sleep 0.02; done"
    scratch.set_up([{"name": "build", "verify": False}], finish="merge", verify=[check])
    scratch.script({"One/triage": {"hold": "triage"}})
    scratch.add("One")
    engine = scratch.background("run", "--baseline", "skip")
    scratch.reach("triage")
    scratch.let_go("triage")
    scratch.reach("check")
    assert scratch.orc("close", scratch.ids["One"], "--reason", "Not wanted").code == 0
    scratch.let_go("check")
    ran = engine.ended()
    assert ran.code == 0, ran.out
    assert scratch.statuses() == {"One": "closed"}
    assert scratch.git("log", "--format=%s", "main") == "Start\n"
    assert scratch.subjects("One") == ["[ID][build] Do build"]
    wait_for(scratch.no_worker, PATIENCE)
