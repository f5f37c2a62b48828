"""`status` and `logs`: what is going on, from any terminal, read from git and the log files."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from orchestrator.adapters.git.discover import discover, state_dir
from orchestrator.adapters.git.runner import Git
from orchestrator.errors import UsageError
from orchestrator.run.lock import running_item
from orchestrator.run.paths import attempt_log, events_log, tail_files
from orchestrator.run.state import ItemState, read_items
from orchestrator.text import clean, one_line

from .output import coloured, print_json

_TAIL = 64 << 10


def status(arguments: argparse.Namespace) -> int:
    """Print every item with its state, or one item with what its worker does."""
    git, state = _open(arguments)
    running = running_item(state)
    items = read_items(git, running=running)
    if arguments.item is not None:
        items = tuple(item for item in items if item.id == arguments.item)
        if not items:
            raise UsageError(f"no item {arguments.item}", fix="orc status lists all")
    if arguments.json:
        print_json(
            {
                "items": [_document(item) for item in items],
                "run": {"running": running is not None, "item": running},
            }
        )
        return 0
    if (state / "landing.json").exists():
        print("a finish was interrupted: orc finish ITEM --merge completes it")
    if not items:
        print("nothing has been run here yet.  orc list | orc run CHANGE")
    for item in items:
        print(_line(item))
        if item.status == "in progress":
            for line in _latest(events_log(state, item.run)):
                print(f"    {line}")
    return 0


def logs(arguments: argparse.Namespace) -> int:
    """Print the output of an attempt, by default of the newest, without control sequences."""
    git, state = _open(arguments)
    items = read_items(git, running=None)
    known = {attempt.id: attempt for item in items for attempt in item.attempts}
    if not known:
        raise UsageError("no attempt has been made here yet", fix="orc run CHANGE")
    newest = max(known.values(), key=lambda attempt: (attempt.at, attempt.number))
    wanted = arguments.attempt or newest.id
    if wanted not in known:
        found = [name for name in known if name.startswith(wanted)]
        if len(found) != 1:
            ids = "\n".join(f"  {name}" for name in (found or known))
            raise UsageError(f"which attempt is {wanted}?\n{ids}")
        wanted = found[0]
    path = attempt_log(state, wanted)
    for part in (path, *tail_files(path)):
        if part.exists():
            with part.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    sys.stdout.write(clean(line))
    return 0


def _open(arguments: argparse.Namespace) -> tuple[Git, Path]:
    """Return git and the product's directory there, in whatever state the checkout is."""
    found = discover(Path(arguments.directory))
    return Git(found.common_dir, None, found.executable), state_dir(found.common_dir)


def _document(item: ItemState) -> dict[str, Any]:
    return {
        "id": item.id,
        "title": item.title,
        "kind": "change",
        "status": item.status,
        "phase": item.phase,
        "story": item.story,
        "attempt": item.attempt,
        "branch": item.branch,
        "blocked": item.blocked,
    }


def _line(item: ItemState) -> str:
    colour = {"done": "green", "failed": "red", "blocked": "yellow"}.get(item.status)
    shown = coloured(item.status, colour, sys.stdout) if colour else item.status
    verified = sum(1 for attempt in item.attempts if attempt.state.value == "verified")
    parts = [f"{item.id:<24}", shown, f"{verified} stories checkpointed"]
    if item.cost:
        parts.append(f"${item.cost:.2f}")
    if item.reason:
        parts.append(one_line(item.reason, 120))
    return "  ".join(parts)


def _latest(path: Path, lines: int = 3) -> list[str]:
    """Return the last lines of what the worker said and did."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            raw = file.read().splitlines()
    except OSError:
        return []
    said = []
    for line in raw:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") == "worker_acted":
            said.append(one_line(f"{event.get('kind')}: {event.get('text')}", 120))
    return said[-lines:]
