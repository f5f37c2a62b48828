"""Does with a text what may take forever, or crash, in a process that can be killed. Blocking."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import attrs

from orchestrator.errors import (
    AdapterError,
    AdapterTimedOutError,
    EditError,
    NotStartedError,
    ProcessError,
    UsageError,
)
from orchestrator.work.edit import Replacement

from .process import run

DEADLINE = 10.0
"""Seconds that the work on one text may take."""

_CODE = (
    "import sys; sys.path += sys.argv[1:]; "
    "from orchestrator.adapters.aside_child import main; main()"
)
_ROOT = str(Path(__file__).resolve().parents[2])


def substitute(
    text: str, replacement: Replacement, *, deadline: float = DEADLINE
) -> tuple[str, int]:
    """Return the text after a replacement by a regular expression, and how often it was made.

    Raises:
      UsageError: the expression or what it is replaced by makes no sense; names the field.
      EditError: it takes too long, or too much memory, on this text.
      NotStartedError: the process could not be started.
    """
    try:
        new, found = _call("substituted", {"text": text, **attrs.asdict(replacement)}, deadline)
    except NotStartedError:
        raise
    except AdapterTimedOutError:
        problem = f"the expression was given up after {deadline:g} s on this file"
    except AdapterError:
        problem = "the expression needs too much memory on this file"
    else:
        return new, found
    raise EditError(
        problem,
        where="replacement.search",
        fix="make it simpler, without repetitions in repetitions, or edit by line numbers",
    )


def problems(path: str, text: str, *, deadline: float = DEADLINE) -> tuple[str, ...]:
    """Return what is malformed about a file, as `well_formed.problems` does.

    That it cannot be found out is a problem, too.

    Raises:
      NotStartedError: the process could not be started.
    """
    try:
        return tuple(_call("problems", {"path": path, "text": text}, deadline))
    except NotStartedError:
        raise
    except AdapterTimedOutError:
        return (f"it cannot be parsed within {deadline:g} s",)
    except AdapterError:
        return ("it is more than the parser can take",)


def key_problem(path: str, text: str, key: str, *, deadline: float = DEADLINE) -> str:
    """Return why a file has no such key, as `keys.key_problem` does.

    That it cannot be found out is a problem, too.

    Raises:
      NotStartedError: the process could not be started.
    """
    try:
        found = _call("key_problem", {"path": path, "text": text, "key": key}, deadline)
    except NotStartedError:
        raise
    except AdapterTimedOutError:
        return f"{path} cannot be parsed within {deadline:g} s; it has to have the key {key}"
    except AdapterError:
        return f"{path} is more than the parser can take; it has to have the key {key}"
    return str(found)


def _call(function: str, arguments: dict[str, object], deadline: float) -> Any:
    # A thread in the middle of an expression cannot be stopped, and the whole program stands still
    # meanwhile, as it does while Python is parsed, which may even end it; a process is killed.
    options = ("-I", "-S", "-W", "ignore", "-X", "utf8")
    places = (_ROOT, *filter(os.path.isabs, sys.path))
    argv = [sys.executable, *options, "-c", _CODE, *places]
    env = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    data = json.dumps({"function": function, "arguments": arguments}).encode()
    done = run(argv, cwd=Path("/"), env=env, stdin=data, deadline=deadline, stop_grace=0.0)
    if done.returncode != 0:
        raise ProcessError(argv, done.returncode, done.stderr.decode(errors="replace"))
    answer = json.loads(done.stdout)
    if (error := answer.get("error")) is not None:
        raise UsageError(error["message"], where=error["where"], fix=error["fix"])
    return answer["result"]
