"""Promise: what a worker or a check prints of the operator's secrets is written nowhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.scratch import CHANGE, make_scratch

pytestmark = pytest.mark.processes

SECRET = "correct-horse-battery"
TOKEN = "ghp_" + "a1B2" * 9


def test_secret_is_in_no_log_event_prompt_record_or_report(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    # The worker has the value from somewhere else than its environment: a file, a person, a guess.
    (tmp_path / "secret").write_text(f"{SECRET}\n{TOKEN}\n")
    scratch.configure(verify=[f"cat {tmp_path}/secret; ! grep -rq bad --include='*.txt' ."])
    scratch.worker(
        "import json\n"
        "assert 'DB_PASSWORD' not in os.environ\n"
        f"said = Path({str(tmp_path / 'secret')!r}).read_text()\n"
        "prompt = Path(os.environ['ORCHESTRATOR_PROMPT_FILE']).read_text()\n"
        "leaked = any(word in prompt for word in said.split())\n"
        "print(said, said * 3); print(said, file=sys.stderr)\n"
        "Path(os.environ['ORCHESTRATOR_RESULT']).write_text(json.dumps({\n"
        "    'status': 'complete', 'learnings': 'use ' + said}))\n"
        "write('leaked\\n' if leaked else 'bad\\n' if number == 1 else 'good\\n'); tick()\n"
    )
    env = {"DB_PASSWORD": SECRET}
    ran = scratch.orc("run", CHANGE, "--json", env=env)
    assert ran.code == 0, ran.err
    assert scratch.git("show", f"orchestrator/{CHANGE}:two.txt") == "good\n"
    shown = ran.out + ran.err
    for more in (("status",), ("logs",), ("recover", "--json"), ("show", CHANGE, "--prompt", "2")):
        done = scratch.orc(*more)
        shown += done.out + done.err
    assert "[redacted DB_PASSWORD]" in shown
    kept = [p for p in (scratch.path / ".git" / "orchestrator").rglob("*") if p.is_file()]
    assert kept
    records = scratch.git("for-each-ref", "--format=%(contents)", "refs/orchestrator")
    everything = shown.encode() + records.encode() + b"".join(p.read_bytes() for p in kept)
    for secret in (SECRET, TOKEN):
        assert os.fsencode(secret) not in everything


def test_secret_that_a_person_says_reaches_no_record_branch_or_prompt(tmp_path: Path) -> None:
    scratch = make_scratch(tmp_path)
    scratch.configure(verify=[])
    scratch.worker(
        "prompt = Path(os.environ['ORCHESTRATOR_PROMPT_FILE']).read_text()\n"
        "Path('prompt.txt').write_text(prompt); complete()\n"
    )
    env = {"DB_PASSWORD": SECRET}
    ran = scratch.orc("run", "--prompt", f"Log in with {SECRET} first", "--json", env=env)
    assert ran.code == 0, ran.err
    item = ran.events[0]["item"]
    assert scratch.orc("tell", item, f"it is {SECRET}", env=env).code == 0

    branch = f"orchestrator/{item}"
    assert "[redacted DB_PASSWORD]" in scratch.git("show", f"{branch}:prompt.txt")
    kept = [p for p in (scratch.path / ".git").rglob("*") if p.is_file()]
    said = ran.out + ran.err + scratch.git("log", "-p", "--all") + " ".join(map(str, kept))
    assert os.fsencode(SECRET) not in said.encode() + b"".join(p.read_bytes() for p in kept)
    assert "correct-horse" not in item
