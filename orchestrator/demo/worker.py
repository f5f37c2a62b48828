"""The demo's scripted worker: no model, just edits, started like any `command` agent.

It does story 1 at once, gets story 2 wrong at the first try, and dawdles over the first try of
story 3 so that the demo can kill the engine meanwhile.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

SHOUT_WRONG = "def shout(name):\n    return greet(name)\n"
SHOUT_RIGHT = "def shout(name):\n    return greet(name).upper()\n"
EDITS = {
    "1": "def greet(name):\n    return f'Hello, {name}!'\n",
    "3": "def whisper(name):\n    return greet(name).lower()\n",
}


def main() -> None:
    """Do the story that the environment names."""
    story = os.environ["ORCHESTRATOR_STORY"]
    number = os.environ["ORCHESTRATOR_ATTEMPT"].rpartition(".")[2]
    first_try = number == "1"
    print(f"scripted worker: story {story}, try {number}", flush=True)
    if story == "2":
        _append("greeter.py", SHOUT_WRONG if first_try else SHOUT_RIGHT)
    else:
        _append("greeter.py", EDITS[story])
    if story == "3" and first_try:
        print("scripted worker: taking its time", flush=True)
        time.sleep(60)
    _tick(story)
    print("<promise>COMPLETE</promise>", flush=True)


def _append(name: str, text: str) -> None:
    path = Path(name)
    before = path.read_text() if path.exists() else ""
    path.write_text(before + ("\n\n" if before else "") + text)


def _tick(story: str) -> None:
    path = Path("openspec/changes/add-greeter/tasks.md")
    path.write_text(re.sub(rf"- \[ \] ({story}\.\d+)", r"- [x] \1", path.read_text()))


if __name__ == "__main__":
    main()
