"""What a person asks `run` for: changes, a task in words, some of the stories."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.run.target import Wanted
from orchestrator.work.adhoc import BRIEF_LIMIT
from orchestrator.work.loop import Selection

_LONGEST_NAME = 4096


def wanted(arguments: argparse.Namespace) -> tuple[Wanted, ...]:
    """Return what was named, in that order and once; `Wanted` of nothing for the only open change.

    Raises:
      UsageError: when options contradict each other, or the task in words is none.
    """
    several = arguments.all or len(arguments.changes) > 1
    if arguments.all and arguments.changes:
        raise UsageError("--all and the names of changes exclude each other")
    if arguments.until is not None and not arguments.until.strip():
        raise UsageError("--until names no command")
    if arguments.prompt is None:
        if arguments.until is not None:
            raise UsageError(
                "--until belongs to --prompt",
                fix='for changes: --verify CMD, or [execution] verify = ["CMD"]',
            )
        if several and (arguments.story or arguments.first or arguments.step):
            raise UsageError("--story, --from and --step are for one change", fix="name one")
        return tuple(Wanted(name=name) for name in dict.fromkeys(arguments.changes)) or (Wanted(),)
    if several or arguments.changes:
        raise UsageError("--prompt and changes exclude each other", fix="run one after the other")
    if arguments.story or arguments.first or arguments.step:
        raise UsageError("--story, --from and --step are for changes, not for a task in words")
    brief = _brief(arguments.prompt, Path(arguments.directory))
    return (Wanted(brief=brief, until=arguments.until or ""),)


def selection(arguments: argparse.Namespace) -> Selection:
    """Return which stories were asked for.

    Raises:
      UsageError: when stories are named and a first one too.
    """
    if arguments.story and arguments.first:
        raise UsageError("--story and --from exclude each other")
    return Selection(
        only=tuple(arguments.story or ()),
        first=arguments.first,
        steps=1 if arguments.step else None,
    )


def _brief(given: str, directory: Path) -> str:
    """Return the task: standard input for ``-``, a file's content, or the words themselves."""
    if given == "-":
        text = sys.stdin.buffer.read(BRIEF_LIMIT * 4 + 1).decode(errors="replace")
    elif _is_file(directory / given):
        with (directory / given).open("rb") as file:
            text = file.read(BRIEF_LIMIT * 4 + 1).decode(errors="replace")
    elif _looks_like_path(given):
        raise UsageError(
            f"there is no file {given}", where=str(directory), fix="for words, write more than one"
        )
    else:
        text = given.encode(errors="replace").decode()
    text = text.replace("\r\n", "\n").replace("\0", "")
    if not text.strip():
        raise UsageError("the task is empty", fix='say what to do: orc run --prompt "Fix …"')
    if len(text) > BRIEF_LIMIT:
        raise UsageError(
            f"the task is longer than {BRIEF_LIMIT} characters", fix="put it in files and name them"
        )
    return text


def _is_file(path: Path) -> bool:
    try:
        return len(str(path)) < _LONGEST_NAME and path.is_file()
    except (OSError, ValueError):
        return False


def _looks_like_path(text: str) -> bool:
    return not any(c.isspace() for c in text) and (
        "/" in text or text.lower().endswith((".md", ".txt", ".markdown"))
    )
