"""Promise: a phase that works through stories keeps the run's budget, and ends when it is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.backlog_scratch import BacklogScratch, make_backlog

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

TASKS = "# Tasks\n\n## 1. First\n\n- [ ] 1.1 One\n\n## 2. Second\n\n- [ ] 2.1 Two\n"
TICK = 'sed -i "s/\\[ \\] $ORCHESTRATOR_STORY\\./[x] $ORCHESTRATOR_STORY./" plan/tasks.md'
DONE = {"status": "complete", "result": None, "item_id": None, "phase": None}


def make_stories(directory: Path, **step: Any) -> BacklogScratch:
    """Make a backlog with one item, whose phase works through two stories."""
    scratch = make_backlog(directory, [{"name": "build", "spec": "plan/tasks.md"}])
    (scratch.path / "plan").mkdir()
    (scratch.path / "plan" / "tasks.md").write_text(TASKS)
    scratch.git("add", "plan")
    scratch.git("commit", "-qm", "Plan")
    report = {**DONE, **step.pop("report", {})}
    scratch.script({"build": {"write": {}, "run": TICK, "report": report, **step}})
    scratch.add("Stories")
    return scratch


def test_what_stories_cost_counts_for_the_run(tmp_path: Path) -> None:
    scratch = make_stories(tmp_path, report={"usage": {"cost": 1.0}})
    ran = scratch.orc("run", "--max-cost", "0.5", "--json")
    assert ran.code == 3, ran.out + ran.err
    assert (ran.events[-1]["halt"], ran.events[-1]["cost"]) == ("limited", 1.0)
    assert len(scratch.begun("build")) == 1
    ran = scratch.orc("run", "--max-cost", "9", "--json")
    assert ran.code == 0, ran.out + ran.err
    assert ran.events[-1]["cost"] == 2.0
    assert len(scratch.begun("build")) == 2


def test_no_further_story_is_begun_of_an_item_that_is_taken(tmp_path: Path) -> None:
    scratch = make_stories(tmp_path, hold="first")
    engine = scratch.background("run")
    scratch.reach("first")
    assert scratch.orc("claim", scratch.ids["Stories"]).code == 0
    scratch.let_go("first")
    ran = engine.ended()
    assert ran.code == 4, ran.out
    assert len(scratch.begun("build")) == 1
    assert json.loads(scratch.orc("status", "--json").out)["items"][0]["status"] == "in progress"
    assert scratch.orc("claim", "--release", scratch.ids["Stories"]).code == 0
    ran = scratch.background("run").ended()
    assert ran.code == 0, ran.out
    assert scratch.statuses() == {"Stories": "done"}
