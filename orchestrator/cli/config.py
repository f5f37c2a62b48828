"""`config`: the settings in force, and the layer that each comes from."""

from __future__ import annotations

import argparse
import difflib
import enum
import json
import os
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, Layer, merge_layers, read_layers
from orchestrator.errors import ConfigError
from orchestrator.redact import SECRETS, Redactor, matches
from orchestrator.settings import Patience, Seconds

from .output import coloured, print_json
from .overrides import overrides, patience

_MASK = "********"
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


@attrs.frozen
class Setting:
    """One value in force; ``layer`` says who set it, ``where`` in which file."""

    key: str
    value: Any
    layer: str
    where: str


def config(arguments: argparse.Namespace) -> int:
    """Print every setting, one, or those below a section."""
    repo = Repository.open(Path(arguments.directory), deadline=patience(arguments))
    layers = read_layers(
        Path(arguments.config) if arguments.config else repo.checkout / FILE_NAME,
        environ=os.environ,
        overrides=overrides(arguments),
        required=arguments.config is not None,
    )
    settings = tuple(effective(layers))
    wanted = arguments.key
    if wanted is not None:
        settings = _below(settings, wanted)
    if arguments.json:
        print_json({"settings": [attrs.asdict(setting) for setting in settings]})
    elif wanted is not None and [setting.key for setting in settings] == [wanted]:
        value = settings[0].value
        print(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    else:
        _print_table(settings)
    return 0


def effective(layers: Sequence[Layer]) -> Iterator[Setting]:
    """Yield every setting with its value, secrets masked, and the strongest layer that sets it.

    Raises:
      ConfigError: when the layers do not go together.
    """
    for path, value in _flat((), merge_layers(layers)):
        by, where = _setter(layers, path)
        yield Setting(".".join(path), _masked(path[-1], value), by, where)


def _flat(
    path: tuple[str, ...], value: Any, kind: object = None
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the value of every key, those of tables inside tables too."""
    if attrs.has(type(value)):
        kinds = typing.get_type_hints(type(value))
        for name, inner in attrs.asdict(value, recurse=False).items():
            yield from _flat((*path, name), inner, kinds[name])
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat((*path, name), inner)
    else:
        yield path, _plain(value, kind)


def _plain(value: Any, kind: object) -> Any:
    """Return a value as a person writes it in the file."""
    if isinstance(value, (int, float)) and {Seconds, Patience} & {kind, *typing.get_args(kind)}:
        return _duration(value)
    if attrs.has(type(value)):
        kinds = typing.get_type_hints(type(value))
        return {
            field.name: _plain(getattr(value, field.name), kinds[field.name])
            for field in attrs.fields(type(value))
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, enum.Enum):
        return value.value
    return [_plain(inner, None) for inner in value] if isinstance(value, tuple) else value


def _duration(seconds: float) -> str:
    """Return the shortest text that means exactly so many seconds."""
    unit, size = next(
        ((unit, size) for unit, size in _UNITS if seconds and seconds % size == 0), ("s", 1)
    )
    return f"{seconds / size:g}{unit}"


def _setter(layers: Sequence[Layer], path: Sequence[str]) -> tuple[str, str]:
    """Return the name of the layer that a value comes from, and which file that is."""
    if path[0] == "pipelines":  # a pipeline is of one layer as a whole
        layers = [layer for layer in layers if _says(layer.document, path[:2])][-1:]
    setters = [layer for layer in layers if _says(layer.document, path)]
    return (setters[-1].name, setters[-1].where) if setters else ("default", "")


def _says(document: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(document, Mapping) or name not in document:
            return False
        document = document[name]
    return document is not None


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, str) and matches(name.upper(), SECRETS):
        return _MASK
    text = json.dumps(value)
    hidden = Redactor({}).text(text)
    return value if hidden == text else json.loads(hidden)


def _below(settings: Sequence[Setting], wanted: str) -> tuple[Setting, ...]:
    found = tuple(s for s in settings if s.key == wanted or s.key.startswith(f"{wanted}."))
    if found:
        return found
    near = difflib.get_close_matches(wanted, [setting.key for setting in settings], n=3, cutoff=0.5)
    fix = f"did you mean {' or '.join(near)}?" if near else "orc config lists every key"
    raise ConfigError(f"no setting {wanted}", fix=fix)


def _print_table(settings: Sequence[Setting]) -> None:
    room = max(len(setting.key) for setting in settings)
    for setting in settings:
        by = setting.layer if not setting.where else f"{setting.layer} {setting.where}"
        value = json.dumps(setting.value, ensure_ascii=False)
        print(f"{setting.key:<{room}}  {value}  {coloured(f'# {by}', 'dim', sys.stdout)}")
