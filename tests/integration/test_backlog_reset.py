"""A branch that lost a phase's result is not delivered as if nothing were missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.backlog_scratch import make_backlog

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("brought_back", [True, False], ids=["brought back", "left so"])
def test_what_a_person_took_off_the_branch_before_it_lands_is_asked_about(
    tmp_path: Path, brought_back: bool
) -> None:
    scratch = make_backlog(tmp_path, ["plan", "build"], finish="merge")
    scratch.add("Thing")
    for _ in ("triage", "plan", "build"):
        assert scratch.orc("run", "--step").code == 0
    branch = scratch.branch("Thing")
    tip = scratch.git("rev-parse", branch).strip()
    scratch.git("branch", "-f", branch, f"{tip}^")
    ran = scratch.orc("run")
    question = scratch.items()["Thing"]["question"]
    assert (ran.code, question["cause"]) == (4, "parked"), ran.out + ran.err
    command = re.search(r"git (branch [^;\n]*)", question["text"])
    assert command is not None, question["text"]
    if brought_back:
        scratch.git(*command[1].split())
        assert scratch.git("rev-parse", branch).strip() == tip
    assert scratch.orc("retry", scratch.ids["Thing"]).code == 0
    done = scratch.background("run").ended()
    assert done.code == 0, done.out
    assert scratch.statuses() == {"Thing": "done"}
    wanted = tip if brought_back else f"{tip}^"
    assert scratch.git("rev-parse", "main") == scratch.git("rev-parse", wanted)
