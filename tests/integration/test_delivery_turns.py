"""Promise: an item that a person takes while it waits for its turn is not delivered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backlog_scratch import PATIENCE, make_backlog
from tests.scratch import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


def test_what_is_taken_before_its_turn_is_not_delivered(tmp_path: Path) -> None:
    scratch = make_backlog(tmp_path)
    # Holds where a result is verified together with what is on main: while it is delivered.
    place = scratch.place
    hold = f"touch {place}/at-verify; until test -e {place}/go-verify; do sleep 0.05; done"
    scratch.set_up(
        ["build"],
        finish="merge",
        max_concurrent=2,
        tables={"backlog": {"max_wip": 2}},
        verify=[f"if test -e mine.txt; then {hold}; fi"],
    )
    scratch.script({"First/build": {"hold": "first"}, "Second/build": {"hold": "second"}})
    scratch.add("First", "Second")
    engine = scratch.background("run")
    scratch.reach("first")
    scratch.reach("second")
    (scratch.path / "mine.txt").write_text("mine\n")
    scratch.git("add", "mine.txt")
    scratch.git("commit", "-qm", "Mine")
    scratch.let_go("first")
    scratch.reach("verify")
    scratch.let_go("second")
    wait_for(lambda: scratch.show("Second")["phase"] == "deliver", PATIENCE)
    assert scratch.orc("claim", scratch.ids["Second"]).code == 0
    scratch.let_go("verify")
    ran = engine.ended()
    assert ran.code == 4, ran.out
    assert scratch.statuses() == {"First": "done", "Second": "in_progress"}
    assert (scratch.path / "First-build.txt").exists()
    assert not (scratch.path / "Second-build.txt").exists()

    assert scratch.orc("claim", "--release", scratch.ids["Second"]).code == 0
    ran = scratch.background("run").ended()
    assert ran.code == 0, ran.out + ran.err
    assert (scratch.path / "Second-build.txt").exists()
