"""A command that was killed, with its guardians or without, is simply given again."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from orchestrator.guardian import tree
from tests.finished import user_content
from tests.gitrepo import fingerprint
from tests.scratch import CHANGE, GOOD, Scratch, alive_with, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes

# A daemon that goes on writing into the workspace after its worker was killed.
NOISY = (
    "arrive()\nif story == '1' and number == 1:\n"
    "    noise = 'while :; do echo noise >>noise.txt; done'\n"
    "    subprocess.Popen(['setsid', 'sh', '-c', noise]); time.sleep(300)\n" + GOOD
)


@pytest.fixture
def scratch(tmp_path: Path) -> Generator[Scratch, None, None]:
    """A scratch repository; nothing may run from its directory, or with its home, at the end."""
    made = make_scratch(tmp_path)
    yield made
    assert alive_with(str(made.home)) == []


def kill_with_guardians(engine: subprocess.Popen[bytes]) -> None:
    engine.send_signal(signal.SIGSTOP)
    for process in tree.descendants(engine.pid):
        if process.parent == engine.pid:
            os.kill(process.pid, signal.SIGKILL)
    kill9(engine)


@pytest.mark.parametrize("kill", [kill9, kill_with_guardians])
def test_a_killed_run_carries_on_at_once_and_alone(
    scratch: Scratch, kill: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    before = fingerprint(scratch.path)
    scratch.worker(NOISY)
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: scratch.arrived("1"))
    wait_for(lambda: alive_with("noise.txt"))

    kill(engine)
    ran = scratch.orc("run", CHANGE, "--json")

    assert alive_with("noise.txt") == []
    assert ran.code == 0, ran.err
    assert ran.events[0]["continued"] is True
    assert "noise.txt" not in scratch.git("ls-tree", "--name-only", f"orchestrator/{CHANGE}")
    assert fingerprint(scratch.path) == before


def test_a_finish_that_was_killed_while_it_verified_is_given_again(scratch: Scratch) -> None:
    assert scratch.orc("run", CHANGE).code == 0
    (scratch.path / "theirs.txt").write_text("theirs\n")
    scratch.git("add", "theirs.txt")
    scratch.git("commit", "-q", "-m", "Theirs")
    scratch.configure(verify=['touch "$HOME/.cache/at-merge"; setsid sleep 300'])
    engine = scratch.start("finish", CHANGE, "--merge")
    wait_for(lambda: scratch.arrived("merge"))

    kill9(engine)
    scratch.configure()
    ran = scratch.orc("finish", CHANGE, "--merge")

    assert ran.code == 0, ran.err
    assert (scratch.path / "two.txt").read_text() == "good\n"


def test_squash_that_was_killed_while_a_hook_ran_is_given_again_or_taken_back(
    scratch: Scratch,
) -> None:
    assert scratch.orc("run", CHANGE).code == 0
    mark = Path(os.environ["HOME"]) / ".cache" / "at-hook"
    hook = scratch.path / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntest -e {mark} || {{ touch {mark}; sleep 300; }}\n")
    hook.chmod(0o755)
    before = user_content(fingerprint(scratch.path))
    engine = scratch.start("finish", CHANGE, "--squash")
    wait_for(mark.exists)

    kill9(engine)
    assert (scratch.path / "one.txt").exists()
    refused = scratch.orc("run", CHANGE)
    assert refused.code == 2
    assert "orc undo" in refused.err
    assert scratch.orc("undo").code == 0
    assert user_content(fingerprint(scratch.path)) == before

    mark.unlink()
    kill_later = scratch.start("finish", CHANGE, "--squash")
    wait_for(mark.exists)
    kill9(kill_later)
    ran = scratch.orc("finish", CHANGE, "--squash")

    assert ran.code == 0, ran.err
    assert len(scratch.git("log", "--format=%H").split()) == 2
    assert scratch.git("status", "--porcelain") == "?? orchestrator.toml\n"
