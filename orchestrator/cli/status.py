"""`status`: what is going on, asked of the running engine, else read from the records."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.control.client import connect
from orchestrator.errors import EngineLostError, NoEngineError, UsageError
from orchestrator.text import one_line

from .item_words import answers, question_line
from .output import coloured, print_json, width
from .place import find_state, reader_git

_UNSHOWN = ("ready", "new", "done", "closed")
"""The statuses of the items that have no line of their own."""

_COLOURS = {"done": "green", "failed": "red", "blocked": "yellow"}


def status(arguments: argparse.Namespace) -> int:
    """Print every item, or one, with its state and what its worker does."""
    state = find_state(arguments)
    document = _asked(state) or _recorded(state)
    if arguments.item is not None:
        document["items"] = [_named(state, arguments.item, document)]
    items = document["items"]
    if arguments.json:
        print_json(document)
        return 0
    if (state / "landing.json").exists():
        print("a finish was interrupted: the same again completes it, orc undo takes it back")
    counts = document.get("backlog") or {}
    if not items and not any(counts.values()):
        print("nothing has been run here yet.  orc list | orc run CHANGE | orc add TITLE")
    longest = max((len(item["id"]) for item in items), default=0)
    for item in items:
        for line in _lines(item, document["run"], longest):
            print(line)
    if arguments.item is None and (rest := _rest(counts)):
        print(rest)
    return 0


def _named(state: Path, name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return one item: of those that are shown, else of all that the backlog holds.

    Raises:
      UsageError: when there is none.
    """
    for item in document["items"]:
        if item["id"] == name:
            return dict(item)
    # Late: only who asks for an item that was not begun, or by its beginning, waits for these.
    from orchestrator.adapters.git.branches import our_branches
    from orchestrator.run.records.open_items import item_entry

    from .stored import open_stored

    with open_stored(state) as stored:
        if not stored.rows:
            known = ", ".join(item["id"] for item in document["items"])
            fix = f"known: {known}" if known else "run something first"
            raise UsageError(f"no item {name}", fix=fix)
        id = stored.find(name).id
        row = next(row for row in stored.rows if row.id == id)
        branches = our_branches(reader_git(state))
        return item_entry(row, stored.reader, branches, running=document["run"]["running"])


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
    from orchestrator.run.lock import running_item, worked_on
    from orchestrator.run.records.status import status_document

    running = worked_on(running_item(state))
    return status_document(reader_git(state), state, running=running)


def _lines(item: Mapping[str, Any], run: Mapping[str, Any], longest: int) -> Iterator[str]:
    """Yield the line of an item, and below it what goes on, or how to answer it."""
    if item["kind"] == "item":
        yield _backlog_line(item, longest)
        if item["blocked"] is not None:
            yield "    " + " | ".join(answers(item["id"], item["asks"], item["cause"]))
    else:
        yield _line(item, run, longest)
    if item["attempt"] is not None or (item["kind"] != "item" and item["status"] == "in progress"):
        for line in run["latest"]:
            yield "    " + one_line(line, width() - 5)


def _backlog_line(item: Mapping[str, Any], longest: int) -> str:
    state, cost = item["status"], item["cost"]
    colour = _COLOURS.get(state)
    parts = [coloured(state, colour, sys.stdout) if colour else state]
    parts += [" ".join(filter(None, (item["phase"], item["story"])))] if item["phase"] else []
    parts += ["at work"] if item["attempt"] else []
    parts += [one_line(item["waits"])] if item["waits"] else []
    parts += [f"${cost:.2f}"] if cost else []
    line = "  ".join([f"{one_line(item['id']):<{longest}}", *parts])
    told = item["title"]
    if item["blocked"] is not None:
        told = question_line(item["blocked"], item["asks"], item["cause"])
    return f"{line}  {one_line(told, max(20, width() - len(line) - 2))}".rstrip()


def _rest(counts: Mapping[str, int]) -> str:
    """Return how many items there are besides those that are shown, "" when there are none."""
    told = [f"{counts[name]} {name}" for name in _UNSHOWN if counts.get(name)]
    return f"backlog: {', '.join(told)}.  orc list" if told else ""


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
