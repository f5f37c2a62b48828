"""Looks for a value in a JSON, YAML or TOML file by the path of its keys."""

from __future__ import annotations

import json
import os.path
from collections.abc import Mapping
from typing import Any

from orchestrator.work.backlog.text import one_line

_MISSING = object()


def key_problem(path: str, text: str, key: str) -> str:
    """Return why a file has no such key, "" when it has one.

    A parser may need long for an odd text, or end the process: see `aside` for what others write.

    Args:
      path: of the file; its suffix says how it is read: ``.json``, ``.toml``, else YAML.
      key: names joined by dots; a number is the place in a list, from 0.
    """
    try:
        found = _parse(path, text)
    except (ValueError, RecursionError) as error:
        return f"{path} cannot be read: {one_line(str(error))}; it has to have the key {key}"
    for part in key.split("."):
        found = _below(found, part)
        if found is _MISSING:
            return f"{path} has no key {key}: there is no {one_line(part, 80)}; it has to"
    return ""


def _parse(path: str, text: str) -> Any:
    suffix = os.path.splitext(path)[1].lower()
    if suffix == ".json":
        return json.loads(text)
    if suffix == ".toml":
        import tomllib  # late, as YAML's parser: a process that reads one file needs one of them

        return tomllib.loads(text)
    import yaml

    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _below(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part, _MISSING)
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return _MISSING
