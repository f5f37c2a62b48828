"""Promise: a limit parks the run and burns no attempt; too long a wait is exit 3 with all saved."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.scratch import CHANGE, GOOD, Scratch, kill9, make_scratch, wait_for

pytestmark = pytest.mark.processes

LIMITED = """\
import json
def limited(seconds):
    Path(os.environ["ORCHESTRATOR_RESULT"]).write_text(json.dumps({
        "status": "limited", "reason": "5-hour limit", "resets_at": time.time() + seconds,
    }))
    sys.exit(1)
mark = Path(os.environ["HOME"]) / ".cache" / "limited-once"
"""


def once(seconds: int) -> str:
    """A worker that is limited the first time it gets to story 2."""
    first = "if story == '2' and not mark.exists():\n    mark.touch(); write('half'); "
    return LIMITED + first + f"limited({seconds})\n" + GOOD


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A scratch repository."""
    return make_scratch(tmp_path)


def test_run_waits_for_the_limit_and_uses_no_attempt(scratch: Scratch) -> None:
    scratch.worker(once(1))
    ran = scratch.orc("run", CHANGE, "--max-attempts", "1")
    assert ran.code == 0, ran.err
    assert "mine: limit until" in ran.err
    assert "waiting, no attempt used" in ran.err
    assert "done 2/2 verified, 2 attempts" in ran.out
    limited = [entry for entry in scratch.attempts() if entry["state"] == "limited"]
    assert scratch.git("show", f"{limited[0]['commit']}:two.txt") == "half"


def test_longer_wait_than_allowed_is_exit_3_and_goes_on_later(scratch: Scratch) -> None:
    scratch.worker(once(7200))
    ran = scratch.orc("run", CHANGE, "--wait", "1h")
    assert ran.code == 3, ran.err
    assert "limited 1/2 verified" in ran.out
    assert "orc run add-things, after" in ran.out
    assert scratch.log()[-1] == f"{CHANGE}: 1 First"
    # The same command knows without asking anybody; nothing is tried.
    again = scratch.orc("run", CHANGE, "--wait", "0", "--json")
    assert again.code == 3
    assert [e["event"] for e in again.events if e["event"].startswith("attempt")] == []


def test_wait_survives_kill_9_and_a_stop_ends_it_at_once(scratch: Scratch) -> None:
    scratch.worker(once(600))
    engine = scratch.start("run", CHANGE)
    limited = scratch.path / ".git" / "orchestrator" / "runs"

    def waits() -> bool:
        text = "".join(path.read_text() for path in limited.glob("*/events.jsonl"))
        return '"limit_reached"' in text

    wait_for(waits)
    kill9(engine)
    (log,) = limited.glob("*/events.jsonl")
    log.unlink()
    engine = scratch.start("run", CHANGE)
    wait_for(waits)
    began = time.monotonic()
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=20) == 130
    assert time.monotonic() - began < 8
    told = [json.loads(line) for line in log.read_text().splitlines()]
    assert [e["event"] for e in told if e["event"].startswith("attempt")] == []
