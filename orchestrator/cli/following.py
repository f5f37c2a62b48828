"""Prints what workers say while an engine runs, also of several that work side by side. Light."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.control.client import SILENCE, Engine
from orchestrator.errors import EngineLostError
from orchestrator.run.attempts.log_reader import LogReader
from orchestrator.run.lock import BACKLOG
from orchestrator.store.reading import open_reader
from orchestrator.text import clean, one_line
from orchestrator.work.states import AttemptState, first_object

from .output import coloured

_LOOK_EVERY = 0.2
"""Seconds between two looks at a log: what is written to a file calls nobody."""

_ENDS = ("attempt_failed", "story_verified", "phase_failed", "phase_ended")


class Wanted(NamedTuple):
    """What a person wants to see.

    Attributes:
      item: None: every item.
      attempt: the only one that is wanted, None: all of the item.
      newest: the newest of them so far, None when there is none.
    """

    item: str | None
    attempt: str | None
    newest: str | None


class Growing:
    """The logs that grow now. While there are several, each line begins with its item."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._logs: dict[str, tuple[str, LogReader]] = {}
        self._midway: str | None = None

    def begin(self, item: str, attempt: str, title: str) -> None:
        """Print the log of an attempt from now on; nothing when that is done already."""
        if attempt not in self._logs:
            if title:
                print(coloured(f"== {title}", "bold", sys.stderr), file=sys.stderr, flush=True)
            self._logs[attempt] = item, LogReader(self._state, attempt)

    def end(self, attempt: str) -> None:
        """Print the rest of a log that does not grow any more."""
        if attempt in self._logs:
            item, reader = self._logs[attempt]
            with reader:
                self._put(attempt, item, reader.read(to_end=True))
            del self._logs[attempt]

    def look(self) -> None:
        """Print what has come."""
        for attempt, (item, reader) in self._logs.items():
            self._put(attempt, item, reader.read())
        sys.stdout.flush()

    def keep(self, attempts: Iterable[str]) -> None:
        """End all logs but these."""
        for attempt in self._logs.keys() - set(attempts):
            self.end(attempt)

    def _put(self, attempt: str, item: str, lines: Iterable[str]) -> None:
        for line in lines:
            if self._midway not in (None, attempt):
                sys.stdout.write("\n")
                self._midway = None
            if len(self._logs) > 1 and self._midway is None:
                sys.stdout.write(coloured(f"{item} | ", "dim", sys.stdout))
            sys.stdout.write(clean(line))
            self._midway = None if line.endswith("\n") else attempt


def print_whole(state: Path, attempt: str) -> None:
    """Print a log that does not grow any more."""
    growing = Growing(state)
    growing.begin("", attempt, "")
    growing.end(attempt)
    sys.stdout.flush()


def follow(engine: Engine, state: Path, wanted: Wanted) -> int:
    """Print attempts as they come until the engine ends; one that was named is the only one.

    The engine's events must have been subscribed to before.

    Raises:
      EngineLostError: when the engine says nothing any more.
    """
    engine_item = engine.hello["item"]
    running = _running(state, engine_item, wanted)
    elsewhere = wanted.item is not None and engine_item not in (BACKLOG, wanted.item)
    if wanted.attempt is not None and wanted.attempt not in running:
        elsewhere = True
    if elsewhere:
        if wanted.newest is not None:
            print_whole(state, wanted.newest)
        return 0
    if wanted.item is not None and not running:
        text = f"no worker is at {wanted.item} now: waiting for its next attempt"
        print(text, file=sys.stderr, flush=True)
    growing = Growing(state)
    for attempt, item in running.items():
        growing.begin(item, attempt, f"{item}  {attempt}" if len(running) > 1 else "")
    try:
        _follow(engine, state, wanted, growing)
    finally:
        growing.keep(())
        sys.stdout.flush()
    return 0


def _follow(engine: Engine, state: Path, wanted: Wanted, growing: Growing) -> None:
    heard = time.monotonic()
    while True:
        growing.look()
        news = engine.notification(_LOOK_EVERY)
        if news is None:
            if time.monotonic() - heard > SILENCE:
                raise EngineLostError(
                    f"the engine has said nothing for {SILENCE:g} s",
                    fix="it may be stuck: orc status; orc stop --force ends it",
                )
            continue
        heard = time.monotonic()
        if news["method"] == "ended":
            return
        if news["method"] == "lagged":
            running = _running(state, engine.hello["item"], wanted)
            growing.keep(running)
            for attempt, item in running.items():
                growing.begin(item, attempt, f"{item}  {attempt}")
        event = news.get("params", {}).get("event", {})
        name = event.get("event")
        if name == "attempt_started" and _is_wanted(wanted, event["item"], event["attempt"]):
            growing.begin(event["item"], event["attempt"], _title(event))
        elif name in _ENDS:
            growing.end(str(event["attempt"]))
            if event["attempt"] == wanted.attempt:
                return


def _running(state: Path, engine_item: str, wanted: Wanted) -> dict[str, str]:
    """Return the attempts that the engine has begun and not ended, each with its item."""
    with open_reader(state) as reader:
        if reader is None:
            return {}
        is_backlog = engine_item == BACKLOG
        began = reader.last_fact("", "backlog_started") if is_backlog else None
        # What an engine that was killed left behind is older.
        since = began.at if began is not None else 0
        rows = reader.attempts(None if is_backlog else engine_item)
    found = [first_object(r.document) for r in rows if r.state == AttemptState.STARTED.value]
    mine = {one["id"]: one["item"] for one in found if one["at"] >= since}
    if not is_backlog:
        mine = dict(list(mine.items())[-1:])
    return {id: item for id, item in mine.items() if _is_wanted(wanted, item, id)}


def _is_wanted(wanted: Wanted, item: str, attempt: str) -> bool:
    return wanted.item in (None, item) and wanted.attempt in (None, attempt)


def _title(event: Mapping[str, Any]) -> str:
    return one_line(f"{event['story']} {event['title']}  {event['attempt']}", 120)
