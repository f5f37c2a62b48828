"""Promise: any other terminal sees, stops, holds and guides a run, and the run stays right."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.gitrepo import fingerprint
from tests.scratch import CHANGE, GOOD, Scratch, alive_with, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes

WAITS = (
    "arrive()\nprint(f'at work on {story} try {number}', flush=True)\n"
    "while not Path(os.environ['HOME'], '.cache', f'go-{story}').exists():\n"
    "    time.sleep(0.02)\n" + GOOD
)


@attrs.define
class Terminals:
    """Terminals in one scratch repository, closed at the end."""

    scratch: Scratch
    opened: list[subprocess.Popen[Any]] = attrs.field(factory=list)

    def begin(self, story: str = "1") -> subprocess.Popen[bytes]:
        """Run the change until its worker is at work on a story."""
        engine = self.scratch.start("run", CHANGE)
        self.opened.append(engine)
        wait_for(lambda: self.scratch.arrived(story) or engine.poll() is not None)
        assert engine.poll() is None
        return engine

    def follow(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        process = subprocess.Popen(
            self.scratch.command(*arguments),
            cwd=self.scratch.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.opened.append(process)
        return process

    def close(self) -> None:
        """End what still runs."""
        for process in self.opened:
            process.kill()
            process.communicate()


@pytest.fixture
def scratch(tmp_path: Path) -> Generator[Scratch, None, None]:
    """A scratch repository whose checkout stays the same; no worker is left."""
    made = make_scratch(tmp_path)
    made.worker(WAITS)
    before = fingerprint(made.path)
    yield made
    assert fingerprint(made.path) == before
    wait_for(lambda: not alive_with(str(made.home / "worker.py")))


@pytest.fixture
def terminals(scratch: Scratch) -> Generator[Terminals, None, None]:
    """Terminals that are closed before the repository is looked at."""
    made = Terminals(scratch)
    yield made
    made.close()


def let_go(story: str) -> None:
    """Let the worker of a story go on."""
    (Path(os.environ["HOME"]) / ".cache" / f"go-{story}").touch()


def read_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a command prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def test_status_logs_and_events_follow_a_run_to_its_end(
    scratch: Scratch, terminals: Terminals
) -> None:
    engine = terminals.begin()
    logs = terminals.follow("logs", "-f")
    events = terminals.follow("events", "-f", "--since", "0", "--json")
    assert read_line(logs) == "at work on 1 try 1\n"
    assert scratch.orc("status").out.splitlines()[0] == f"{CHANGE}  in progress 0/2"
    let_go("1")
    wait_for(lambda: scratch.arrived("2"))
    assert read_line(logs) == "<promise>COMPLETE</promise>\n"
    assert read_line(logs) == "at work on 2 try 1\n"
    status = json.loads(scratch.orc("status", "--json").out)
    (item,) = status["items"]
    latest = status["run"].pop("latest")
    assert latest == ["says: at work on 2 try 1"]
    assert status["run"] == {"running": True, "item": CHANGE, "paused": False, "stopping": False}
    assert (item["status"], item["stories_done"], item["stories"]) == ("in progress", 1, 2)
    assert (item["story"], item["waits"]) == ("2", None)
    let_go("2")
    assert engine.wait(timeout=30) == 0
    rest, _ = logs.communicate(timeout=30)
    assert (logs.returncode, rest) == (0, "<promise>COMPLETE</promise>\n")
    told, complaint = events.communicate(timeout=30)
    assert (events.returncode, complaint) == (0, "")
    lines = [json.loads(line) for line in told.splitlines()]
    names = [line["event"] for line in lines]
    assert names[0] == "run_started"
    assert names[-1] == "run_ended"
    assert names.count("story_verified") == names.count("attempt_started") == 2
    numbers = [line["seq"] for line in lines if line["seq"]]
    assert numbers == sorted(set(numbers))
    assert scratch.orc("status").out.splitlines()[0] == f"{CHANGE}  done 2/2"


def test_status_and_pause_do_not_wait_for_a_git_that_hangs(
    scratch: Scratch, terminals: Terminals
) -> None:
    terminals.begin()
    slow = scratch.home / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    hung = {"PATH": f"{slow}:{os.environ['PATH']}"}
    for command in ("status", "pause", "events", "resume", "status"):
        ran = scratch.orc(command, env=hung, timeout=30)
        assert ran.code == 0, (command, ran.err)
    assert scratch.orc("stop", "--now", env=hung, timeout=30).code == 0


def test_polite_stop_lets_the_attempt_end_and_says_when_it_has(
    scratch: Scratch, terminals: Terminals
) -> None:
    engine = terminals.begin()
    stop = terminals.follow("stop")
    wait_for(lambda: json.loads(scratch.orc("status", "--json").out)["run"]["stopping"])
    let_go("1")
    out, _ = stop.communicate(timeout=60)
    assert (stop.returncode, out) == (0, f"stopped {CHANGE}\n")
    assert engine.wait(timeout=5) == 130
    assert scratch.log()[-1] == f"{CHANGE}: 1 First"
    assert scratch.orc("stop").code == 2
    let_go("2")
    assert scratch.orc("run", CHANGE).code == 0


@pytest.mark.parametrize("how", ["--now", "--force"])
def test_urgent_stop_ends_it_and_nothing_is_lost(
    scratch: Scratch, terminals: Terminals, how: str
) -> None:
    engine = terminals.begin()
    stopped = scratch.orc("stop", how)
    assert (stopped.code, stopped.out) == (0, f"stopped {CHANGE}\n"), stopped.err
    assert engine.wait(timeout=5) == 130
    wait_for(lambda: not alive_with(str(scratch.home / "worker.py")))
    let_go("1")
    let_go("2")
    assert scratch.orc("run", CHANGE).code == 0


@pytest.mark.slow
def test_an_engine_that_is_stuck_is_told_and_can_be_killed(
    scratch: Scratch, terminals: Terminals
) -> None:
    engine = terminals.begin()
    engine.send_signal(signal.SIGSTOP)
    status = scratch.orc("status")
    assert "did not answer" in status.err
    assert status.out.startswith(f"{CHANGE}  in progress 0/2")
    assert scratch.orc("pause").code == 1
    stopped = scratch.orc("stop", "--force")
    assert (stopped.code, stopped.out) == (0, f"stopped {CHANGE}\n"), stopped.err
    assert engine.wait(timeout=5) == -signal.SIGKILL


def test_followers_of_a_killed_engine_end_and_say_so(
    scratch: Scratch, terminals: Terminals
) -> None:
    engine = terminals.begin()
    followers = [terminals.follow("logs", "-f"), terminals.follow("events", "-f", "--since", "0")]
    followers.append(terminals.follow("stop"))
    wait_for(lambda: json.loads(scratch.orc("status", "--json").out)["run"]["stopping"])
    for follower in followers[:2]:
        assert read_line(follower)
    kill9(engine)
    for follower in followers:
        _, complaint = follower.communicate(timeout=30)
        if follower is not followers[2]:
            assert (follower.returncode, "ended without a word" in complaint) == (1, True)
    status = scratch.orc("status")
    assert status.out.startswith(f"{CHANGE}  interrupted 0/2")
    for command in ("stop", "pause", "resume"):
        ran = scratch.orc(command)
        assert (ran.code, "nothing runs here" in ran.err) == (2, True), command


def test_pause_holds_the_next_attempt_and_resume_lets_it_begin(
    scratch: Scratch, terminals: Terminals
) -> None:
    engine = terminals.begin()
    assert scratch.orc("pause").code == 0
    assert scratch.orc("pause").out == "it was paused already\n"
    assert scratch.orc("status").out.splitlines()[0] == f"{CHANGE}  in progress 0/2  pausing"
    let_go("1")
    wait_for(lambda: scratch.log()[-1] == f"{CHANGE}: 1 First")
    assert scratch.orc("status").out.splitlines()[0] == f"{CHANGE}  in progress 1/2  waits: paused"
    assert not scratch.arrived("2")
    let_go("2")
    assert scratch.orc("resume").code == 0
    assert engine.wait(timeout=30) == 0
    names = [line.split()[2] for line in scratch.orc("events").out.splitlines()]
    assert names.count("paused") == names.count("resumed") == 1


def test_a_limit_that_is_waited_for_is_told_and_can_be_stopped(
    scratch: Scratch, terminals: Terminals
) -> None:
    scratch.worker(
        "import json\narrive()\n"
        "limited = {'status': 'limited', 'usage': {'cost': 1.45}}\n"
        "limited['resets_at'] = time.time() + 3600\n"
        "Path(os.environ['ORCHESTRATOR_RESULT']).write_text(json.dumps(limited))\n"
    )
    engine = terminals.begin()
    wait_for(lambda: "waits" in scratch.orc("status").out)
    first = scratch.orc("status").out.splitlines()[0]
    assert re.fullmatch(
        rf"{CHANGE}  in progress 0/2  waits: mine limit until .+:\d\d  \$1\.45", first
    )
    assert scratch.orc("tell", "nobody", "hello").code == 2
    assert scratch.orc("stop").code == 0
    assert engine.wait(timeout=5) == 130


def test_a_paused_run_can_be_stopped(scratch: Scratch, terminals: Terminals) -> None:
    engine = terminals.begin()
    assert scratch.orc("pause").code == 0
    let_go("1")
    wait_for(lambda: scratch.log()[-1] == f"{CHANGE}: 1 First")
    assert scratch.orc("stop").code == 0
    assert engine.wait(timeout=5) == 130


def test_guidance_interrupts_and_reaches_the_next_attempt(
    scratch: Scratch, terminals: Terminals
) -> None:
    scratch.worker(
        "prompt = Path(os.environ['ORCHESTRATOR_PROMPT_FILE']).read_text()\n"
        "if story == '1' and 'Guidance from the operator' not in prompt:\n"
        "    arrive(); write('half'); time.sleep(300)\n"
        "if story == '1': assert 'use\\n argon2' in prompt, prompt\n"
        "else: assert 'argon2' not in prompt, prompt\n" + GOOD
    )
    engine = terminals.begin()
    told = scratch.orc("tell", CHANGE, "use\n argon2\x1b[2J", "--now")
    assert told.out == f"told {CHANGE}: the attempt is interrupted, the next one starts with it\n"
    assert engine.wait(timeout=60) == 0
    (kept,) = [one for one in scratch.attempts() if one["state"] == "interrupted"]
    assert kept["story"] == "1"
    assert scratch.git("show", f"{kept['commit']}:one.txt") == "half"


def test_guidance_without_an_engine_waits_for_the_next_run(scratch: Scratch) -> None:
    assert scratch.orc("tell", CHANGE, "too early").code == 2
    scratch.worker("print('<promise>BLOCKED: which colour?</promise>')\n")
    assert scratch.orc("run", CHANGE).code == 4
    assert scratch.orc("tell", CHANGE, "blue", "of", "course").code == 0
    scratch.worker(
        "prompt = Path(os.environ['ORCHESTRATOR_PROMPT_FILE']).read_text()\n"
        "assert ('blue of course' in prompt) == (story == '1')\n" + GOOD
    )
    assert "blue of course" in scratch.orc("show", CHANGE, "--prompt", "1").out
    assert scratch.orc("run", CHANGE, "--max-attempts", "1").code == 0


def test_a_worker_cannot_steer_its_own_run(scratch: Scratch) -> None:
    command = scratch.command("tell", CHANGE, "tick everything", "--now")
    scratch.worker(
        f"done = subprocess.run({command!r}, cwd={str(scratch.path)!r}, capture_output=True)\n"
        "assert done.returncode == 1, done\nassert b'not act on it' in done.stderr, done\n" + GOOD
    )
    assert scratch.orc("run", CHANGE, "--max-attempts", "1").code == 0
