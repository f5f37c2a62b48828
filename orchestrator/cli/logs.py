"""`logs`: the output of an attempt, or of one after the other while a run goes on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.control.client import connect
from orchestrator.errors import NoEngineError, UnknownItemError, UsageError
from orchestrator.run.lock import worked_on
from orchestrator.run.records.history import Document, read_history

from .following import Wanted, follow, print_whole
from .place import find_state, reader_git

_SHOWN = 20
"""How many attempts a name that fits several is answered with."""


def logs(arguments: argparse.Namespace) -> int:
    """Print the output of an attempt, by default of the newest, without control sequences."""
    state, named = find_state(arguments), arguments.attempt
    if arguments.follow:
        try:
            with connect(state) as engine:
                if worked_on(engine.hello["item"]) is None:
                    raise NoEngineError("nothing runs here")
                engine.call("events.subscribe")
                return follow(engine, state, _wanted(state, named, engine.hello["item"]))
        except NoEngineError:
            print("nothing runs; this is the newest attempt:", file=sys.stderr)
    wanted = _wanted(state, named, None)
    if wanted.newest is None:
        of = f"at {wanted.item}" if wanted.item is not None else "here"
        run = f"run --target {wanted.item}" if wanted.item is not None else "run CHANGE"
        raise UsageError(f"no attempt has been made {of} yet", fix=f"orc {run}")
    print_whole(state, wanted.newest)
    return 0


def _wanted(state: Path, named: str | None, engine_item: str | None) -> Wanted:
    """Return what a name means: an attempt, an item, or a beginning of either that fits one.

    Raises:
      UsageError: when it is none, or fits several.
    """
    attempts = read_history(reader_git(state)).attempts
    if named is None:
        return Wanted(None, None, _newest(attempts))
    if any(attempt["id"] == named for attempt in attempts):
        return Wanted(None, named, named)
    if named == engine_item or any(attempt["item"] == named for attempt in attempts):
        return _of(named, attempts)
    # Late: whoever wants the newest attempt does not wait for these.
    from orchestrator.run.backlog.naming import item_meant

    unknown: UnknownItemError | None = None
    try:
        item = item_meant(reader_git(state), named)
    except UnknownItemError as error:
        unknown = error
    else:
        if item is not None:
            return _of(item, attempts)
    found = [str(attempt["id"]) for attempt in attempts if attempt["id"].startswith(named)]
    if len(found) == 1:
        return Wanted(None, found[0], found[0])
    if unknown is not None and (not found or "." not in named):
        raise unknown
    if not attempts:
        return Wanted(None, None, None)
    known = (found or [str(attempt["id"]) for attempt in attempts])[-_SHOWN:]
    ids = "\n".join(f"  {name}" for name in known)
    raise UsageError(f"which attempt is {named}?\n{ids}")


def _of(item: str, attempts: Sequence[Document]) -> Wanted:
    return Wanted(item, None, _newest([one for one in attempts if one["item"] == item]))


def _newest(attempts: Sequence[Document]) -> str | None:
    """Return the last of those that began in the same second."""
    return max(reversed(attempts), key=lambda one: one["at"])["id"] if attempts else None
