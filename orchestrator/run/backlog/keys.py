"""Looks for a value in a JSON, YAML or TOML file by the path of its keys."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import yaml

from orchestrator.text import one_line

_MISSING = object()


def key_problem(name: str, data: bytes, key: str) -> str:
    """Return why a file has no such key, "" when it has one.

    Args:
      name: of the file; its suffix says how it is read: ``.json``, ``.toml``, else YAML.
      key: names joined by dots; a number is the place in a list, from 0.
    """
    try:
        found = _parse(name, data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return f"{name} is not UTF-8; it has to have the key {key}"
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        return f"{name} cannot be read: {one_line(str(error), 200)}; it has to have the key {key}"
    for part in key.split("."):
        found = _below(found, part)
        if found is _MISSING:
            return f"{name} has no key {key}: there is no {one_line(part, 80)}; it has to"
    return ""


def _parse(name: str, text: str) -> Any:
    suffix = PurePath(name).suffix.lower()
    if suffix == ".json":
        return json.loads(text)
    if suffix == ".toml":
        return tomllib.loads(text)
    return yaml.safe_load(text)


def _below(value: Any, part: str) -> Any:
    if isinstance(value, Mapping):
        return value.get(part, _MISSING)
    if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
        return value[int(part)]
    return _MISSING
