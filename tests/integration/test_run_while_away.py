"""Promise: a run tells a person who is away, keeps his computer awake, and suffers from neither."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.scratch import CHANGE, GOOD, Scratch, alive_with, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes

NOTE = 'echo "$ORCHESTRATOR_ITEM|$ORCHESTRATOR_STATE|$ORCHESTRATOR_TEXT|$MINE" >>"$HOME/notes"'


@pytest.fixture
def scratch(tmp_path: Path) -> Generator[Scratch, None, None]:
    """A scratch repository; nothing may run from its directory at the end."""
    made = make_scratch(tmp_path)
    yield made
    wait_for(lambda: not alive_with(str(made.home)))


def notes() -> list[str]:
    """Return what the command was told."""
    return (Path(os.environ["HOME"]) / "notes").read_text().splitlines()


def fake(directory: Path, name: str, script: str) -> dict[str, str]:
    """Put a program first on the PATH."""
    bin_dir = directory / "bin"
    bin_dir.mkdir(exist_ok=True)
    (bin_dir / name).write_text(f"#!/bin/sh\n{script}\n")
    (bin_dir / name).chmod(0o755)
    return {"PATH": f"{bin_dir}:{os.environ['PATH']}"}


def test_the_end_a_question_and_an_early_error_are_notified(scratch: Scratch) -> None:
    scratch.configure(notify=NOTE)
    scratch.worker("print('<promise>BLOCKED: which colour?\\x1b[2J</promise>')\n")
    assert scratch.orc("run", CHANGE, env={"MINE": "kept"}).code == 4
    scratch.configure(notify=NOTE, verify=["echo not yet; exit 1"])
    early = scratch.orc("run", CHANGE, "--setup", "false")
    assert early.code == 2, early.err
    scratch.configure(notify=NOTE)
    scratch.worker(GOOD)
    assert scratch.orc("run", CHANGE).code == 0
    first, second, third = notes()
    assert first == f"{CHANGE}|blocked|blocked 0/2: which colour?|kept"
    assert second.startswith(f"{CHANGE}|failed|`false` fails")
    assert third == f"{CHANGE}|done|done 2/2|"


@pytest.mark.parametrize(
    ("command", "said"),
    [("echo no bell >&2; exit 3", "notify exited with 3: no bell"), ("kill $$", "notify exited")],
)
def test_a_notification_that_fails_is_a_warning(scratch: Scratch, command: str, said: str) -> None:
    scratch.configure(notify=command)
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 0
    assert said in ran.err


def test_a_run_keeps_awake_and_what_holds_it_ends_with_it(scratch: Scratch) -> None:
    env = fake(scratch.home, "systemd-inhibit", 'touch "$HOME/held"; exec cat')
    scratch.worker("assert (Path(os.environ['HOME']) / 'held').exists()\n" + GOOD)
    ran = scratch.orc("run", CHANGE, "--keep-awake", "--max-attempts", "1", env=env)
    assert ran.code == 0, ran.err
    assert "awake" not in ran.err


def test_what_keeps_awake_does_not_outlive_a_killed_engine(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake(scratch.home, "systemd-inhibit", "trap '' TERM HUP; sleep 300")["PATH"]
    monkeypatch.setenv("PATH", path)
    scratch.worker("arrive(); time.sleep(300)\n")
    engine = scratch.start("run", CHANGE, "--keep-awake")
    wait_for(lambda: scratch.arrived("1"))
    wait_for(lambda: alive_with("systemd-inhibit"))
    kill9(engine)
    wait_for(lambda: not alive_with(str(scratch.home)))


def test_a_computer_that_cannot_be_kept_awake_is_said_so(scratch: Scratch) -> None:
    env = fake(scratch.home, "systemd-inhibit", "echo no bus here >&2; exit 1")
    ran = scratch.orc("run", CHANGE, "--keep-awake", env=env)
    assert ran.code == 0
    assert "cannot keep awake: no bus here" in ran.err
