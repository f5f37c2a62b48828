"""Promise: kill -9 at any durable step, a full disk or a lost store, then the same command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.store.database import store_path
from tests.scratch import CHANGE, GOOD, Ran, Scratch, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]

# Story 1 fails once, whatever happens to the attempts before.
FAILS_ONCE = (
    "prompt = Path(os.environ['ORCHESTRATOR_PROMPT_FILE']).read_text()\n"
    "if story == '1' and 'The last attempt failed' not in prompt:\n"
    "    write('half'); print('<promise>FAILED: not yet</promise>')\n"
    "else:\n    " + GOOD
)
STEPS = 16
"""From the first attempt to the end: three attempts, one of them failed, and the facts between."""

SOME = (4, 7, 9)
"""Pinned without a row; begun but not pinned; on the branch but not recorded. Others are slow."""


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    made = make_scratch(tmp_path)
    made.worker(FAILS_ONCE)
    return made


def drive(scratch: Scratch, step: object) -> tuple[Ran, list[str]]:
    """Run in a process that dies before that step; returns how it ended and the steps it made."""
    log = scratch.home / "steps"
    log.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.killing", str(step), str(log), "run", CHANGE],
        cwd=scratch.path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    steps = log.read_text().splitlines() if log.exists() else []
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr), steps


def whole(scratch: Scratch, *, lost: int = 0) -> None:
    """Check that the change is done, once, and that every attempt is told of, once."""
    assert scratch.log() == [
        "Start",
        f"{CHANGE}: carry the uncommitted spec",
        f"{CHANGE}: 1 First",
        f"{CHANGE}: 2 Second",
    ]
    attempts = scratch.attempts()
    states = Counter(attempt["state"] for attempt in attempts)
    assert states.pop("lost", 0) <= lost
    assert states == {"verified": 2, "failed": 1}
    told = Counter(
        (fact.document["attempt"], fact.name == "attempt_started")
        for fact in scratch.facts()
        if fact.name in ("attempt_started", "attempt_failed", "story_verified")
    )
    assert told == {(a["id"], begun): 1 for a in attempts for begun in (True, False)}
    (failed,) = (a for a in attempts if a["state"] == "failed")
    assert scratch.git("show", f"{failed['commit']}:one.txt") == "half"
    (item,) = json.loads(scratch.orc("status", "--json").out)["items"]
    assert item["status"] == "done"


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=[] if step in SOME else pytest.mark.slow)
        for step in range(1, STEPS + 1)
    ],
)
def test_killed_before_any_durable_step_the_same_command_carries_on(
    scratch: Scratch, step: int
) -> None:
    killed, steps = drive(scratch, step)
    assert killed.code == -9, killed.err
    assert len(steps) == step
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0, f"killed before {steps[-1]}: {ran.err}"
    whole(scratch, lost=1)


def test_those_are_all_the_steps(scratch: Scratch) -> None:
    ran, steps = drive(scratch, 0)
    assert ran.code == 0, ran.err
    assert len(steps) == STEPS, "\n".join(steps)
    whole(scratch)


def test_store_without_room_stops_the_run_loudly_and_loses_nothing(scratch: Scratch) -> None:
    ran, _ = drive(scratch, "full")
    assert ran.code == 1
    assert "store cannot be written" in ran.err
    assert "full" in ran.err
    assert "Traceback" not in ran.err
    assert scratch.orc("run", CHANGE).code == 0
    whole(scratch)


def store(scratch: Scratch) -> Path:
    return store_path(scratch.path / ".git" / "orchestrator")


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_store_that_was_lost_in_the_middle_comes_back_from_git(scratch: Scratch, left: str) -> None:
    scratch.worker(
        "arrive()\nif story == '2' and not Path(os.environ['HOME'], '.cache', 'go').exists():\n"
        "    write('half'); time.sleep(300)\n" + FAILS_ONCE
    )
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: scratch.arrived("2"))
    kill9(engine)
    before = [attempt["id"] for attempt in scratch.attempts()]
    for path in store(scratch).parent.glob("store.db*"):
        path.unlink()
    if left == "an empty file":
        store(scratch).touch()
    told = json.loads(scratch.orc("status", "--json").out)["items"][0]
    assert (told["id"], told["status"]) == (CHANGE, "interrupted")
    assert [attempt["id"] for attempt in scratch.attempts()] == before
    (Path(os.environ["HOME"]) / ".cache" / "go").touch()
    ran = scratch.orc("run", CHANGE, "--json")
    assert ran.code == 0, ran.err
    messages = [event["message"] for event in ran.events if event["event"] == "warned"]
    assert len([message for message in messages if "put back from git" in message]) == 1
    (started,) = (event for event in ran.events if event["event"] == "run_started")
    assert started["continued"] is True
    states = Counter(attempt["state"] for attempt in scratch.attempts())
    assert states == {"failed": 1, "verified": 2, "lost": 1}
    (lost,) = (a for a in scratch.attempts() if a["state"] == "lost")
    assert scratch.git("show", f"{lost['commit']}:two.txt") == "half"
    again = scratch.orc("run", CHANGE, "--json")
    assert "put back" not in again.out


def test_store_that_cannot_be_used_is_named_and_left_alone(scratch: Scratch) -> None:
    assert scratch.orc("run", CHANGE).code == 0
    before = scratch.attempts()
    path = store(scratch)
    for path_beside in path.parent.glob("store.db-*"):
        path_beside.unlink()
    content = path.read_bytes()
    # The header's words: whose it is, and how many migrations it has had.
    spoilt = {
        "damaged": b"not a database\n" * 2000,
        "another program": content[:68] + b"\1\2\3\4" + content[72:],
        "newer orchestrator": content[:60] + b"\0\0\3\0" + content[64:],
    }
    for said, data in spoilt.items():
        path.write_bytes(data)
        for arguments in (["run", CHANGE], ["status"], ["finish", CHANGE, "--discard"]):
            ran = scratch.orc(*arguments)
            assert (ran.code, said in ran.err) == (1, True), (arguments, ran.err)
            assert str(path) in ran.err
            assert "move it away" in ran.err
            assert "Traceback" not in ran.err
        assert path.read_bytes() == data
    path.rename(path.with_suffix(".aside"))
    assert scratch.attempts() == before
    assert scratch.orc("run", CHANGE).code == 0
    assert scratch.attempts() == before
