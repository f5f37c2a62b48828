"""`status`: what is going on, asked of the running engine, else read from the records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.control.client import connect
from orchestrator.errors import EngineLostError, NoEngineError, UsageError
from orchestrator.text import one_line

from .output import coloured, print_json, width
from .place import find_state, reader_git

_COLOURS = {"done": "green", "failed": "red", "blocked": "yellow"}


def status(arguments: argparse.Namespace) -> int:
    """Print every item, or one, with its state and what its worker does."""
    state = find_state(arguments)
    document = _asked(state) or _recorded(state)
    items = document["items"]
    if arguments.item is not None:
        known = ", ".join(item["id"] for item in items)
        items = document["items"] = [item for item in items if item["id"] == arguments.item]
        if not items:
            fix = f"known: {known}" if known else "run something first"
            raise UsageError(f"no item {arguments.item}", fix=fix)
    if arguments.json:
        print_json(document)
        return 0
    if (state / "landing.json").exists():
        print("a finish was interrupted: the same again completes it, orc undo takes it back")
    if not items:
        print("nothing has been run here yet.  orc list | orc run CHANGE")
    longest = max((len(item["id"]) for item in items), default=0)
    for item in items:
        print(_line(item, document["run"], longest))
        if item["status"] == "in progress":
            for line in document["run"]["latest"]:
                print("    " + one_line(line, width() - 5))
    return 0


def _asked(state: Path) -> dict[str, Any] | None:
    """Return what the engine says, None when none answers."""
    try:
        with connect(state) as engine:
            document: dict[str, Any] = engine.call("status")
            return document
    except EngineLostError as error:
        print(f"{error.message}; this is what it recorded", file=sys.stderr)
    except NoEngineError:
        pass
    return None


def _recorded(state: Path) -> dict[str, Any]:
    # Late: who asks an engine does not wait for git's and SQLite's modules.
    from orchestrator.run.lock import running_item
    from orchestrator.run.records.status import status_document

    return status_document(reader_git(state), state, running=running_item(state))


def _line(item: Mapping[str, Any], run: Mapping[str, Any], longest: int) -> str:
    done, stories, cost = item["stories_done"], item["stories"], item["cost"]
    state = item["status"]
    colour = _COLOURS.get(state)
    counted = f" {done}/{stories}" if stories is not None else f"  {done} stories checkpointed"
    parts = [(coloured(state, colour, sys.stdout) if colour else state) + counted]
    if item["waits"]:
        parts.append(f"waits: {one_line(item['waits'])}")
    if state == "in progress":
        parts += ["pausing"] if run["paused"] and item["attempt"] else []
        parts += ["stopping"] if run["stopping"] else []
    parts += [f"${cost:.2f}"] if cost else []
    line = "  ".join([f"{one_line(item['id']):<{longest}}", *parts])
    if item["reason"]:
        line += "  " + one_line(item["reason"], max(20, width() - len(line) - 2))
    return line
