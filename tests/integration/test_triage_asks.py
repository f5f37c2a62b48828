"""Promise: what a triage found out of an item holds, also when it ends with a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backlog_scratch import make_backlog

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


def test_a_triage_that_asks_keeps_what_it_found_out(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path, ["build"], pipelines={"chore": {"phases": ["do"]}})
    found = {
        "result": "blocked",
        "context": "Which colour?",
        "updated_assessments": {"size": "medium", "impact": "high"},
        "pipeline_type": "chore",
    }
    scratch.script({"Paint/triage": [{"report": found}, {"report": {"updated_assessments": {}}}]})
    scratch.add("Paint")
    ran = scratch.orc("run")
    assert ran.code == 4, ran.out + ran.err
    item = scratch.show("Paint")
    assert item["question"]["text"] == "Which colour?"
    ratings = item["ratings"]
    assert (ratings["size"], ratings["impact"]) == ("medium", "high")
    assert item["pipeline"] == "chore"
    assert scratch.orc("answer", scratch.ids["Paint"], "Blue").code == 0
    ran = scratch.orc("run")
    assert ran.code == 0, ran.out + ran.err
    assert scratch.begun() == ["Paint/triage", "Paint/triage", "Paint/do"]
    assert "> Blue" in scratch.prompts("Paint", "triage")[-1]
