"""What an attempt is about, as a file beside its result: for tools that report on it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from cattrs.errors import ClassValidationError

from orchestrator.agents.port import PROMPT_FILE, RESULT_FILE, WorkerTask
from orchestrator.calling import structured
from orchestrator.errors import ConfigError
from orchestrator.settings import Check
from orchestrator.structure import first_problem

VERSION = 1

_LARGEST = 1 << 20


@attrs.frozen(kw_only=True)
class Assignment:
    """One attempt, as far as whoever reports on it has to know.

    Attributes:
      version: of this format.
      item, phase, story, attempt: see `WorkerTask`.
      root: commands start in it, or below.
      prompt: name of the file that holds the prompt; ``result``: of that for the result.
      verify: commands that decide about the result.
      withheld: names of variables that the worker has and these commands do not get.
    """

    version: int = VERSION
    item: str
    phase: str
    story: str
    attempt: str
    root: Path
    prompt: str = PROMPT_FILE
    result: str = RESULT_FILE
    verify: tuple[Check, ...] = ()
    withheld: tuple[str, ...] = ()

    @property
    def is_story(self) -> bool:
        """Whether it is about a story, whose result says less than that of a phase."""
        return bool(self.story)


def describe(task: WorkerTask, env: Mapping[str, str]) -> bytes:
    """Return the file for a task, whose worker is started with these variables."""
    assignment = Assignment(
        item=task.item,
        phase=task.phase,
        story=task.story,
        attempt=task.attempt,
        root=task.cwd,
        verify=task.verify,
        withheld=tuple(sorted(task.withheld | (env.keys() - task.env.keys()))),
    )
    return json.dumps(attrs.asdict(assignment, value_serializer=_plain), indent=1).encode()


def read_assignment(path: Path) -> Assignment:
    """Read the file. Blocking.

    Raises:
      ConfigError: it cannot be read, or is no such file of this version.
    """
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_LARGEST))
    except OSError as error:
        raise _wrong(str(error.strerror), path) from None
    except (ValueError, RecursionError):
        raise _wrong("it is not JSON", path) from None
    version = document.get("version") if isinstance(document, dict) else None
    if version != VERSION:
        raise _wrong(f"it has version {version!r}, not {VERSION}", path)
    try:
        return structured(Assignment, document)
    except ClassValidationError as error:
        problem = first_problem(error)
        raise _wrong(f"{problem.path}: {problem.text}", path) from None


def _wrong(what: str, path: Path) -> ConfigError:
    return ConfigError(
        f"the attempt's description cannot be used: {what}",
        where=str(path),
        fix="the tools of an attempt run with the orchestrator that began it, as long as it lasts",
    )


def _plain(_: object, __: object, value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
