"""Promise: a limit parks the run and burns no attempt; too long a wait is exit 3 with all saved."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import pytest

from orchestrator.store.reading import open_reader
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
    assert scratch.orc("status").out.startswith(f"{CHANGE}  limited 1/2  mine: limit until")
    assert scratch.log()[-1] == f"{CHANGE}: 1 First"
    # The same command knows without asking anybody; nothing is tried.
    again = scratch.orc("run", CHANGE, "--wait", "0", "--json")
    assert again.code == 3
    assert [e["event"] for e in again.events if e["event"].startswith("attempt")] == []


def test_wait_survives_kill_9_and_a_stop_ends_it_at_once(scratch: Scratch) -> None:
    scratch.worker(once(600))
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: scratch.facts("limit_reached"))
    kill9(engine)
    (first,) = scratch.facts("limit_reached")
    engine = scratch.start("run", CHANGE)
    wait_for(lambda: scratch.facts("limit_reached", first.seq))
    began = time.monotonic()
    engine.send_signal(signal.SIGINT)
    assert engine.wait(timeout=20) == 130
    assert time.monotonic() - began < 8
    told = [fact.name for fact in scratch.facts(since=first.seq)]
    assert [name for name in told if name.startswith("attempt")] == []


SPENDS = (
    "import json\n"
    "def spend(status, **usage):\n"
    "    Path(os.environ['ORCHESTRATOR_RESULT']).write_text(\n"
    "        json.dumps({'status': status, 'usage': usage}))\n"
)


def test_budget_of_the_run_ends_it_with_all_saved_and_holds_after_a_restart(
    scratch: Scratch,
) -> None:
    scratch.worker(SPENDS + "write(); tick(); spend('complete', cost=0.75)\n")
    ran = scratch.orc("run", CHANGE, "--max-cost", "0.5")
    assert ran.code == 3, ran.err
    assert "limited 1/2 verified, 1 attempt, $0.75: the run's budget is spent" in ran.out
    assert "orc run add-things with a higher --max-cost" in ran.out
    assert scratch.log()[-1] == f"{CHANGE}: 1 First"
    # What was spent before counts; nothing is tried with the same budget.
    assert scratch.orc("run", CHANGE, "--max-cost", "0.75").code == 3
    ran = scratch.orc("run", CHANGE, "--max-cost", "2")
    assert ran.code == 0, ran.err
    assert "2 attempts, $1.50" in ran.out


def test_attempt_that_the_budget_ends_uses_no_allowance_of_its_story(scratch: Scratch) -> None:
    scratch.worker(
        SPENDS
        + "if story == '1' and number == 1:\n"
        + "    write('half'); spend('failed', turns=7); sys.exit(1)\n"
        + GOOD
    )
    ran = scratch.orc("run", CHANGE, "--max-turns", "5", "--max-attempts", "1")
    assert ran.code == 3, ran.err
    assert "7 of 5 turns" in ran.out
    ran = scratch.orc("run", CHANGE, "--max-turns", "50", "--max-attempts", "1")
    assert ran.code == 0, ran.err


def test_time_of_the_run_interrupts_the_worker_and_is_exit_3(scratch: Scratch) -> None:
    scratch.worker("write('half')\ntime.sleep(300)\n")
    ran = scratch.orc("run", CHANGE, "--max-time", "2s")
    assert ran.code == 3, ran.err
    assert "with a higher --max-time" in ran.out
    (kept,) = scratch.attempts()
    assert kept["state"] == "interrupted"
    assert scratch.git("show", f"{kept['commit']}:one.txt") == "half"


def test_same_failure_is_not_paid_for_again_unasked(scratch: Scratch) -> None:
    """Neither by the third attempt nor by the next run; a change or --again lets it on."""
    scratch.worker("write('bad\\n'); tick(); complete()\n")
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 1, ran.err
    assert "failed twice in the same way" in ran.out
    assert "orc run add-things --again" in ran.out
    assert len(scratch.attempts()) == 2
    assert scratch.orc("run", CHANGE).code == 1
    assert len(scratch.attempts()) == 2
    assert scratch.orc("run", CHANGE, "--again", "--max-attempts", "1").code == 1
    assert len(scratch.attempts()) == 3
    scratch.worker(GOOD)
    assert scratch.orc("run", CHANGE).code == 0


def test_limit_of_an_agent_holds_for_other_changes_until_a_person_says_so(
    scratch: Scratch,
) -> None:
    scratch.worker(once(7200).replace("story == '2' and ", ""))
    assert scratch.orc("run", CHANGE, "--wait", "0").code == 3
    other = scratch.path / "openspec" / "changes" / "add-more"
    other.mkdir()
    (other / "tasks.md").write_text("## 1. First\n\n- [ ] 1.1 Write one.txt\n")
    ran = scratch.orc("run", "add-more", "--wait", "0")
    assert ran.code == 3, ran.err
    assert "mine: limit until" in ran.out
    assert scratch.orc("run", CHANGE, "--wait", "0", "--again").code == 0


TALKS = """\
import json, os, sys, time
for line in sys.stdin:
    if json.loads(line)["type"] == "user":
        break
said = {
    "id": "m1", "model": "m", "content": [{"type": "text", "text": "hi"}],
    "usage": {"input_tokens": 5000, "output_tokens": 10},
}
print(json.dumps({"type": "assistant", "parent_tool_use_id": None, "message": said}), flush=True)
time.sleep(300)
"""


def test_cost_of_an_attempt_that_was_lost_with_its_engine_counts(scratch: Scratch) -> None:
    agent = scratch.home / "agent"
    agent.write_text(f"#!{sys.executable}\n{TALKS}")
    agent.chmod(0o755)
    scratch.configure()
    settings = scratch.path / "orchestrator.toml"
    text = settings.read_text().partition("[agents.mine]")[0]
    settings.write_text(
        f'{text}[agents.mine]\nkind = "claude"\nargv = [{json.dumps(str(agent))}]\n'
    )
    engine = scratch.start("run", CHANGE)

    def recorded() -> bool:
        with open_reader(scratch.path / ".git" / "orchestrator") as store:
            return store is not None and any("5000" in row.document for row in store.attempts())

    wait_for(recorded)
    kill9(engine)
    ran = scratch.orc("run", CHANGE, "--max-tokens", "5000")
    assert ran.code == 3, ran.err
    assert "5,010 of 5,000 tokens" in ran.out
    assert [entry["state"] for entry in scratch.attempts()] == ["lost"]
