"""Runs one Python function as a worker. A script of its own process: ``SCRIPT MODULE:FUNCTION``.

The function gets a `PhaseTask`. What it returns is its result: None or True, complete; a text,
complete with this summary; a mapping, the document of a result file. False, or what it raises, is
a failure. It may be async: Trio runs it then. Imports only the standard library, for whatever is
imported here is imported before the function's own module.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple


class PhaseTask(NamedTuple):
    """What the function is given.

    Attributes:
      item: id of the item; ``phase``: the phase's name; ``attempt``: id of this attempt.
      prompt: what an agent would be told.
      workspace: the files to work on, which is the working directory too.
      result_file: where a result can be written as JSON, in place of returning it.
    """

    item: str
    phase: str
    attempt: str
    prompt: str
    workspace: Path
    result_file: Path


def main(call: str) -> int:
    """Call the function, write what came of it into the result file, return the exit code."""
    workspace = Path.cwd()
    # Last: nothing that lies in the project takes the place of what is installed.
    sys.path.append(str(workspace))
    environ = os.environ
    task = PhaseTask(
        item=environ["ORCHESTRATOR_ITEM"],
        phase=environ["ORCHESTRATOR_PHASE"],
        attempt=environ["ORCHESTRATOR_ATTEMPT"],
        prompt=Path(environ["ORCHESTRATOR_PROMPT_FILE"]).read_text("utf-8", "replace"),
        workspace=workspace,
        result_file=Path(environ["ORCHESTRATOR_RESULT"]),
    )
    try:
        text = json.dumps(_document(_called(_find(call), task), task))
    except BaseException as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        _write(task.result_file, json.dumps({"status": "failed", "reason": said}))
        return 1
    if text != "null":
        _write(task.result_file, text)
    return 0


def _find(call: str) -> Callable[[PhaseTask], Any]:
    module, _, name = call.partition(":")
    function: Callable[[PhaseTask], Any] = getattr(importlib.import_module(module), name)
    return function


def _called(function: Callable[[PhaseTask], Any], task: PhaseTask) -> Any:
    result = function(task)
    if not inspect.iscoroutine(result):
        return result
    import trio  # late: only an async function needs it

    async def run() -> Any:
        return await result

    return trio.run(run)


def _document(result: Any, task: PhaseTask) -> dict[str, Any] | None:
    """Return the document of a result; None when the function wrote it itself.

    Raises:
      TypeError: for what is no result.
    """
    if result is None and os.path.lexists(task.result_file):
        return None
    if result is None or result is True:
        return {"status": "complete"}
    if result is False:
        return {"status": "failed", "reason": "it returned False"}
    if isinstance(result, str):
        return {"status": "complete", "summary": result}
    if isinstance(result, Mapping):
        said = {} if {"status", "result"} & result.keys() else {"status": "complete"}
        return {**said, **result}
    raise TypeError(f"it returned a {type(result).__name__}; give None, a text or a mapping")


def _write(path: Path, text: str) -> None:
    """Write a whole file or none: somebody may be reading it already."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
