"""`events`: what happened here, numbered; with ``-f`` also what happens now."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from orchestrator.control.client import SILENCE, connect
from orchestrator.errors import EngineLostError
from orchestrator.store.reading import open_reader
from orchestrator.text import one_line

from .output import VERSION, width
from .place import find_state

_OURS = ("event", "at", "item", "run")


def events(arguments: argparse.Namespace) -> int:
    """Print the recorded facts after a number; follow a running engine when asked to."""
    state = find_state(arguments)
    since: int | None = arguments.since
    if arguments.follow:
        with connect(state) as engine:
            engine.call("events.subscribe", since=since)
            while (news := engine.notification(SILENCE)) is not None:
                if news["method"] == "ended":
                    return 0
                if news["method"] == "lagged":
                    count = news["params"]["count"]
                    print(f"{count} events came too fast to be told", file=sys.stderr)
                elif news["method"] == "event":
                    _print(news["params"]["seq"], news["params"]["event"], arguments.json)
        raise EngineLostError(
            f"the engine has said nothing for {SILENCE:g} s",
            fix="it may be stuck: orc status; orc stop --force ends it",
        )
    with open_reader(state) as reader:
        last = since or 0
        while reader is not None and (rows := reader.facts(last)):
            for row in rows:
                head = {"event": row.name, "at": row.at}
                body = {**row.document, "item": row.item, "run": row.run}
                _print(row.seq, head | body, arguments.json)
            last = rows[-1].seq
    return 0


def _print(seq: int | None, event: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"version": VERSION, "seq": seq, **event}), flush=True)
        return
    when = time.strftime("%H:%M:%S", time.localtime(event["at"]))
    rest = {name: value for name, value in event.items() if name not in _OURS and value}
    said = " ".join(f"{name}={_shown(value)}" for name, value in rest.items())
    line = f"{seq or '-':>6}  {when}  {event['event']}  {event.get('item', '')}"
    print(f"{line}  {one_line(said, max(20, width() - len(line) - 2))}".rstrip(), flush=True)


def _shown(value: object) -> str:
    if isinstance(value, float):
        value = round(value, 2)
    return one_line(value if isinstance(value, str) else json.dumps(value))
