"""`stop`, `pause`, `resume`, `tell`: what one terminal does to the run of another."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from orchestrator.control.client import Engine, connect
from orchestrator.errors import EngineLostError, NoEngineError
from orchestrator.redact import redactor
from orchestrator.run.lock import SESSION, in_words, running_item

from .place import find_state, reader_git

_STOP_SECONDS = 120.0
_TELL_EVERY = 10.0
_LOCK_SECONDS = 5.0
_FORCE_SECONDS = 2.0


def stop(arguments: argparse.Namespace) -> int:
    """Stop what runs here, and return when it has stopped."""
    state = find_state(arguments)
    item = running_item(state)
    if arguments.level == "force":
        with _reach(state, greet=False) as engine:
            _force(engine)
    else:
        with _reach(state) as engine:
            engine.call("stop", level=arguments.level)
            _wait(engine, polite=arguments.level == "polite")
    if not _is_free(state):
        raise EngineLostError("it hung up and still runs", fix="orc stop --force")
    print(f"stopped {in_words(item)}" if item else "stopped")
    return 0


def pause(arguments: argparse.Namespace) -> int:
    """Let no new attempt begin; the running one goes on."""
    with _reach(find_state(arguments)) as engine:
        changed = engine.call("pause")["changed"]
    print("paused: no new attempt begins.  orc resume" if changed else "it was paused already")
    return 0


def resume(arguments: argparse.Namespace) -> int:
    """Let attempts begin again."""
    with _reach(find_state(arguments)) as engine:
        changed = engine.call("resume")["changed"]
    print("resumed" if changed else "it was not paused")
    return 0


def tell(arguments: argparse.Namespace) -> int:
    """Say something to an item's next attempts, running or not."""
    state = find_state(arguments)
    item, interrupted = _meant(state, arguments.item), False
    text = redactor(os.environ).text(" ".join(arguments.text))
    try:
        with connect(state) as engine:
            answer = engine.call("tell", item=item, text=text, now=arguments.now)
            interrupted = answer["interrupted"]
    except NoEngineError:
        _record(state, item, text)
    if interrupted:
        print(f"told {item}: the attempt is interrupted, the next one starts with it")
    else:
        print(f"told {item}: the next attempt starts with it")
    return 0


def _meant(state: Path, name: str) -> str:
    """Return the item that a person means: one that was run, or one of the backlog."""
    # Late, as below: who only stops or pauses does not wait for these.
    from orchestrator.run.backlog.naming import item_meant
    from orchestrator.store.reading import open_reader

    with open_reader(state) as reader:
        if reader is not None and reader.run(name) is not None:
            return name
    return item_meant(reader_git(state), name) or name


def _record(state: Path, item: str, text: str) -> None:
    # Late: whoever only asks an engine does not wait for these.
    from orchestrator.run.engine.guidance import give
    from orchestrator.run.lock import engine_lock
    from orchestrator.store.store import open_store

    with engine_lock(state, item), open_store(state) as store:
        give(store, item, text)


def _reach(state: Path, *, greet: bool = True) -> Engine:
    """Connect to the engine, also to one that has just started.

    Raises:
      NoEngineError: when none runs, or one that only answers a connected client.
      EngineLostError: when one runs that cannot be asked.
    """
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        if running_item(state) == SESSION:
            raise NoEngineError("nothing runs here", fix="orc status, orc run CHANGE")
        try:
            return connect(state, greet=greet)
        except NoEngineError:
            if running_item(state) is None:
                raise
        if time.monotonic() > until:
            raise EngineLostError(
                "an engine runs here and listens to nobody", fix="press Ctrl-C in its terminal"
            )
        time.sleep(0.05)


def _force(engine: Engine) -> None:
    try:
        engine.greet(_FORCE_SECONDS)
        engine.call("stop", level="force", patience=_FORCE_SECONDS)
    except EngineLostError:
        pass
    engine.kill()


def _wait(engine: Engine, *, polite: bool) -> None:
    until = time.monotonic() + _STOP_SECONDS
    if polite:
        text = "stopping: what runs may finish for 10 s; orc stop --now cancels it"
        print(text, file=sys.stderr, flush=True)
    while not engine.wait_gone(_TELL_EVERY):
        if time.monotonic() > until:
            raise EngineLostError(
                f"it has not stopped within {_STOP_SECONDS:g} s", fix="orc stop --now, or --force"
            )
        print("stopping: it still runs", file=sys.stderr, flush=True)


def _is_free(state: Path) -> bool:
    until = time.monotonic() + _LOCK_SECONDS
    while running_item(state) not in (None, SESSION):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
