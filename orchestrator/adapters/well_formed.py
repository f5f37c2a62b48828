"""Says what is malformed about a file, by the format that its name promises."""

from __future__ import annotations

import ast
import json
import os.path
from collections.abc import Callable
from typing import Any

from orchestrator.work.backlog.text import one_line

# The compiler's time grows with the square of the number of functions; the parser's does not.
_COMPILED = 200_000


def problems(path: str, text: str) -> tuple[str, ...]:
    """Return what is wrong with a file's text, a sentence each; of most formats the first thing.

    Python is read as the version that this runs on. Markers of a merge's conflict are wrong in
    every file; else nothing is known of a file whose suffix is not one of these: .json, .py,
    .pyi, .toml, .yaml, .yml.

    A parser may need long for an odd text, or end the process: see `aside` for what agents write.
    """
    text = text.removeprefix("\ufeff")
    found = [_conflict(text)]
    parse = _PARSERS.get(os.path.splitext(path)[1].lower())
    if parse is not None:
        try:
            found.append(parse(text))
        except (RecursionError, MemoryError):
            found.append("it is nested too deeply")
        except ValueError as error:
            found.append(one_line(str(error)))
    return tuple(problem for problem in found if problem)


def _conflict(text: str) -> str:
    start = 0
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("<<<<<<< "):
            start = number
        elif start and line.startswith(">>>>>>> "):
            return f"lines {start} to {number}: an unresolved conflict of a merge"
    return ""


def _python(text: str) -> str:
    flags = 0 if len(text) <= _COMPILED else ast.PyCF_ONLY_AST
    try:
        compile(text, "<file>", "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno or 1}: no Python: {one_line(error.msg)}"
    return ""


def _json(text: str) -> str:
    try:
        # As texts: a number of many digits is valid JSON, whatever it is too large for.
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return f"line {error.lineno}: no JSON: {one_line(error.msg)}"
    return ""


def _no_constant(name: str) -> None:
    raise ValueError(f"no JSON: {name} is no value of it")


def _toml(text: str) -> str:
    import tomllib  # late, as YAML's parser: a process that checks one file needs one of them

    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return f"no TOML: {one_line(str(error))}"
    return ""


def _yaml(text: str) -> str:
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    anchors: set[str] = set()
    try:
        # Events, not values: what a tag means, and how often an alias is meant, does not matter.
        for event in yaml.parse(text, Loader=loader):
            if isinstance(event, yaml.DocumentStartEvent):
                anchors.clear()
            elif isinstance(event, yaml.AliasEvent):
                if event.anchor not in anchors:
                    name = one_line(str(event.anchor), 80)
                    return f"{_line(event.start_mark)}no YAML: there is no anchor {name}"
            elif isinstance(event, yaml.NodeEvent) and event.anchor is not None:
                anchors.add(event.anchor)
    except yaml.MarkedYAMLError as error:
        return f"{_line(error.problem_mark)}no YAML: {one_line(str(error.problem))}"
    except yaml.YAMLError as error:
        return f"no YAML: {one_line(str(error))}"
    return ""


def _line(mark: Any) -> str:
    return f"line {mark.line + 1}: " if mark else ""


_PARSERS: dict[str, Callable[[str], str]] = {
    ".json": _json,
    ".py": _python,
    ".pyi": _python,
    ".toml": _toml,
    ".yaml": _yaml,
    ".yml": _yaml,
}
