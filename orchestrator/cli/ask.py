"""Asks the backlog for a change: the engine that runs here, else a short one of our own."""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.control.client import Engine, connect
from orchestrator.control.patience import Patience
from orchestrator.control.replies import ending
from orchestrator.errors import (
    BusyError,
    EngineLostError,
    NoEngineError,
    OrchestratorError,
    StoppedError,
)

from .place import find_checkout, find_state

MOST = 1 << 20
"""Bytes of JSON that the items of one call may take: an engine is busy for a minute with more."""

_PAUSE = 0.02
_ANSWER_SECONDS = 60.0

Calls = Sequence[tuple[str, Mapping[str, Any]]]
"""Names of commands, such as "backlog.add-items", each with its fields."""


def ask(
    arguments: argparse.Namespace, name: str, *, patience: float = _ANSWER_SECONDS, **fields: Any
) -> Any:
    """Have one command done and return its result as JSON holds it.

    Args:
      patience: seconds that a running engine may take for it.

    Raises:
      OrchestratorError: as `ask_all`.
    """
    return ask_all(arguments, [(name, fields)], patience=patience)[0]


def ask_all(
    arguments: argparse.Namespace, calls: Calls, *, patience: float = _ANSWER_SECONDS
) -> list[Any]:
    """Have commands done, one after another, and return their results as JSON holds them.

    Who owns the repository and cannot be asked may be about to begin, or to end: it is tried again
    until the same one has been in the way for ten seconds.

    Raises:
      BusyError: when it was in the way all that time.
      EngineLostError: when the engine ended before it answered; what was asked may be done.
      OrchestratorError: what a command raised; those after it were not begun.
    """
    state, refused = find_state(arguments), Patience(time.monotonic)
    done: list[Any] = []
    while True:
        try:
            engine = _reach(state)
            if engine is None:
                _ask_ourselves(arguments, calls, done)
                return done
        except (BusyError, EngineLostError) as error:  # nothing was asked yet
            refused.spend(error)
            time.sleep(_PAUSE)
            continue
        with engine:
            refusal = _ask_engine(engine, calls, done, patience, find_checkout(arguments))
        if refusal is None:
            return done
        refused.spend(refusal)
        time.sleep(_PAUSE)


def author(directory: str) -> str:
    """Return who gives the commands: ``ORC_AUTHOR``, whom git knows, or who is logged in."""
    from orchestrator.adapters.git.discover import as_operator

    for name in ("ORC_AUTHOR", "GIT_AUTHOR_NAME"):
        if told := os.environ.get(name, "").strip():
            return told
    git = shutil.which("git") or "git"
    known = as_operator(git, Path(directory), "config", "user.name").stdout
    if told := os.fsdecode(known).strip():
        return told
    import getpass  # late: few need it

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return f"user {os.getuid()}"


def _reach(state: Path) -> Engine | None:
    """Return the engine that listens, None when there is none."""
    try:
        return connect(state)
    except NoEngineError:
        return None


def _ask_engine(
    engine: Engine, calls: Calls, done: list[Any], patience: float, checkout: str | None
) -> BusyError | None:
    """Ask for what is not done yet; returns why the next of it was not begun, None: all is done."""
    for name, fields in calls[len(done) :]:
        asked = {"name": name, "arguments": dict(fields), "checkout": checkout}
        try:
            done.append(engine.call("call", patience=patience, **asked))
        except NoEngineError:
            return ending(engine.pid)
        except OrchestratorError as error:
            if error.code == StoppedError.code:
                return ending(engine.pid, error)
            raise
    return None


def _ask_ourselves(arguments: argparse.Namespace, calls: Calls, done: list[Any]) -> None:
    # Late: whoever only asks an engine does not wait for these.
    import trio

    from orchestrator.adapters.git.repository import Repository
    from orchestrator.calling import build_command, plain
    from orchestrator.run.engine.brief import run_brief
    from orchestrator.run.engine.offered import offered_commands
    from orchestrator.runtime import Orchestrator

    from .notes import Notes
    from .stored import settings

    repo = Repository.open(Path(arguments.directory))
    config = settings(repo, arguments)
    known = offered_commands()
    commands = [build_command(known[name], fields) for name, fields in calls]

    async def work(orchestrator: Orchestrator) -> None:
        for command in commands[len(done) :]:
            done.append(plain(await orchestrator.call(command)))

    async def run() -> None:
        await run_brief(repo, work, config=config, sinks={"person": Notes()})

    trio.run(run)
