"""`logs`: the output of an attempt, or of one after the other while a run goes on."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestrator.control.client import SILENCE, Engine, connect
from orchestrator.errors import EngineLostError, NoEngineError, UsageError
from orchestrator.run.attempts.log_reader import LogReader
from orchestrator.run.records.state import read_items
from orchestrator.text import clean, one_line

from .output import coloured
from .place import find_state, reader_git

_LOOK_EVERY = 0.2
"""Seconds between two looks at a log: what is written to a file calls nobody."""


def logs(arguments: argparse.Namespace) -> int:
    """Print the output of an attempt, by default of the newest, without control sequences."""
    state = find_state(arguments)
    items = read_items(reader_git(state), running=None)
    known = {attempt.id: attempt for item in items for attempt in item.attempts}
    wanted = arguments.attempt
    if arguments.follow:
        try:
            with connect(state) as engine:
                return _follow(engine, state, wanted, known.keys())
        except NoEngineError:
            print("nothing runs; this is the newest attempt:", file=sys.stderr)
    if not known:
        raise UsageError("no attempt has been made here yet", fix="orc run CHANGE")
    mine = [attempt for attempt in known.values() if wanted in (None, attempt.item)]
    if mine:
        # The last of those that began in the same second.
        name = max(reversed(mine), key=lambda attempt: attempt.at).id
    else:
        name = _named(wanted, known.keys())
    _print_whole(state, name)
    return 0


def _named(wanted: str, known: Iterable[str]) -> str:
    if wanted in known:
        return wanted
    found = [name for name in known if name.startswith(wanted)]
    if len(found) != 1:
        ids = "\n".join(f"  {name}" for name in (found or known))
        raise UsageError(f"which attempt is {wanted}?\n{ids}")
    return found[0]


def _follow(engine: Engine, state: Path, wanted: str | None, known: Iterable[str]) -> int:
    """Print attempt after attempt as they come; one that was named is the only one."""
    item = engine.hello["item"]
    engine.call("events.subscribe")
    current = _current(engine, item)
    only = None
    if wanted not in (None, item):
        only = _named(str(wanted), {*known, *([current] if current else [])})
        if only != current:
            _print_whole(state, only)
            return 0
    reader = LogReader(state, current) if current else None
    heard = time.monotonic()
    try:
        while True:
            _print(reader.read() if reader else ())
            news = engine.notification(_LOOK_EVERY)
            if news is None:
                if time.monotonic() - heard > SILENCE:
                    raise EngineLostError(
                        f"the engine has said nothing for {SILENCE:g} s",
                        fix="it may be stuck: orc status; orc stop --force ends it",
                    )
                continue
            heard = time.monotonic()
            event = news.get("params", {}).get("event", {})
            if news["method"] == "ended" or (only and _ended(event) == only):
                return 0
            if event.get("event") == "attempt_started" and event.get("item") == item:
                _finish(reader)
                _head(event)
                reader = LogReader(state, event["attempt"])
    finally:
        _finish(reader)


def _current(engine: Engine, item: str) -> str | None:
    for one in engine.call("status")["items"]:
        if one["id"] == item:
            return str(one["attempt"]) if one["attempt"] else None
    return None


def _ended(event: dict[str, Any]) -> str | None:
    if event.get("event") in ("attempt_failed", "story_verified"):
        return str(event.get("attempt"))
    return None


def _head(event: dict[str, Any]) -> None:
    title = one_line(f"{event['story']} {event['title']}  {event['attempt']}", 120)
    print(coloured(f"== {title}", "bold", sys.stderr), file=sys.stderr, flush=True)


def _print_whole(state: Path, attempt: str) -> None:
    _finish(LogReader(state, attempt))


def _finish(reader: LogReader | None) -> None:
    """Print what is left of a log that does not grow any more."""
    if reader is not None:
        with reader:
            _print(reader.read(to_end=True))


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(clean(line))
    sys.stdout.flush()
