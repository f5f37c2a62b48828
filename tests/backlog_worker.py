"""The scripted worker of `tests.backlog_scratch`: ``backlog_worker.py DIRECTORY``.

DIRECTORY/script.json says what each try at a phase does: under "TITLE/PHASE", or else "PHASE", a
list of steps, of which the last one repeats. A step is an object; see `step`. DIRECTORY/log.jsonl,
outside every workspace, gets a line when a worker begins and when it ends.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

DIRECTORY = Path(sys.argv[1])
ITEM, PHASE = os.environ["ORCHESTRATOR_ITEM"], os.environ["ORCHESTRATOR_PHASE"]
STORY, ATTEMPT = os.environ["ORCHESTRATOR_STORY"], os.environ["ORCHESTRATOR_ATTEMPT"]
RESULT = Path(os.environ["ORCHESTRATOR_RESULT"])
PROMPT = Path(os.environ["ORCHESTRATOR_PROMPT_FILE"]).read_text()
PAUSE = 0.01


def title() -> str:
    found = re.search(r'^- Title: (".*")$', PROMPT, re.MULTILINE)
    return str(json.loads(found[1])) if found else ITEM


def note(what: str, **more: Any) -> None:
    entry = {"what": what, "item": ITEM, "title": TITLE, "phase": PHASE, "story": STORY, **more}
    entry |= {"attempt": ATTEMPT, "at": time.monotonic_ns(), "pid": os.getpid()}
    line = json.dumps(entry).encode() + b"\n"
    handle = os.open(DIRECTORY / "log.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(handle, line)
    os.close(handle)


def wait_for(name: str) -> None:
    """Say that the worker came here, and wait until it may go on."""
    (DIRECTORY / f"at-{name}").touch()
    while not (DIRECTORY / f"go-{name}").exists():
        time.sleep(PAUSE)


def choose() -> dict[str, Any]:
    script = json.loads((DIRECTORY / "script.json").read_text())
    steps = script.get(f"{TITLE}/{PHASE}", script.get(PHASE, [{}]))
    log = DIRECTORY / "log.jsonl"
    lines = map(json.loads, log.read_text().splitlines()) if log.exists() else ()
    before = sum((e["what"], e["item"], e["phase"]) == ("begin", ITEM, PHASE) for e in lines)
    chosen: dict[str, Any] = steps[min(before, len(steps) - 1)]
    return chosen


def report(step: dict[str, Any]) -> None:
    """Leave a result file."""
    if step.get("report", {}) is None:
        return
    document: dict[str, Any] = {
        "item_id": ITEM,
        "phase": PHASE,
        "result": "phase_complete",
        "summary": f"{PHASE} of {TITLE}",
        "commit_summary": f"Do {PHASE}",
    }
    if PHASE == "triage":
        document["updated_assessments"] = {"size": "small", "risk": "low"}
        del document["commit_summary"]
    document |= step.get("report", {})
    if "resets_in" in document:
        document["resets_at"] = time.time() + document["resets_in"]
    RESULT.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))


def odd(kind: str) -> None:
    """Leave something at the place of the result file that is none."""
    if kind == "fifo":
        os.mkfifo(RESULT)
    elif kind == "symlink":
        target = RESULT.with_name("elsewhere.json")
        target.write_text(json.dumps({"status": "complete"}))
        RESULT.symlink_to(target)
    elif kind == "huge":
        RESULT.write_bytes(b'{"status": "complete", "x": "' + b"x" * (2 << 20) + b'"}')
    elif kind == "half":
        RESULT.write_text('{"item_id": "' + ITEM)
    elif kind == "directory":
        RESULT.mkdir()


def act(step: dict[str, Any]) -> None:
    """Do what a step says.

    Its keys: "see" (note the files there are), "write" (names to texts), "delete", "rename", "run"
    (a shell command), "hold" (a name; see `wait_for`), "then" (what to write after that), "hang",
    "report" (keys of the result file, None for none), "odd", "exit".
    """
    if step.get("see"):
        note("sees", files=sorted(path.name for path in Path().iterdir()))
    usual = {} if PHASE == "triage" else {f"{TITLE}-{PHASE}.txt": f"{PHASE}\n"}
    for name, text in step.get("write", usual).items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    for name in step.get("delete", ()):
        Path(name).unlink()
    for old, new in step.get("rename", {}).items():
        os.rename(old, new)
    if "run" in step and os.system(step["run"]):
        sys.exit("the command of the step failed")
    if "hold" in step:
        wait_for(step["hold"])
    for name, text in step.get("then", {}).items():
        Path(name).write_text(text)
    if "odd" in step:
        odd(step["odd"])
    else:
        report(step)
    while step.get("hang"):
        time.sleep(60)


TITLE = title()
if __name__ == "__main__":
    chosen = choose()
    (DIRECTORY / "prompts").mkdir(exist_ok=True)
    (DIRECTORY / "prompts" / ATTEMPT).write_text(PROMPT)
    note("begin")
    act(chosen)
    note("end")
    sys.exit(chosen.get("exit", 0))
