"""Configuration: ``orchestrator.toml`` and its layers, structured with cattrs."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs
from cattrs.errors import (
    AttributeValidationNote,
    ClassValidationError,
    ForbiddenExtraKeysError,
    IterableValidationError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn

from .errors import ConfigError
from .settings import (
    AgentSettings,
    Check,
    Config,
    Execution,
    Patience,
    Seconds,
    WorkspaceSettings,
    parse_duration,
    parse_patience,
)

FILE_NAME = "orchestrator.toml"

_FROM_ENVIRONMENT = {
    "ORC_AGENT": ("execution", "agent"),
    "ORC_COMMAND_TIMEOUT": ("execution", "command_timeout"),
    "ORC_ATTEMPT_TIMEOUT": ("execution", "attempt_timeout"),
    "ORC_MAX_ATTEMPTS": ("execution", "max_attempts"),
}


def load_config(
    project: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    required: bool = False,
) -> Config:
    """Read the layers: flags over environment over project file over user file over defaults.

    Args:
      project: the project file; it need not exist unless ``required``.
      environ: the operator's environment.
      overrides: values of flags, as ``{"section": {"key": value}}``; None values are ignored.

    Raises:
      ConfigError: for unreadable TOML, an unknown key or a value of the wrong type, with the
        path of the key and the nearest known name.
    """
    if required and not project.is_file():
        raise ConfigError("no such file", where=str(project), fix="check -c FILE")
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    merged: dict[str, Any] = {}
    for path in (home / "orchestrator" / "config.toml", project):
        document = _read(path)
        _structure(document, where=str(path))
        _merge(merged, document)
    env_layer: dict[str, Any] = {}
    for name, (section, key) in _FROM_ENVIRONMENT.items():
        if name in environ:
            raw: Any = environ[name]
            value = int(raw) if key == "max_attempts" and raw.isdigit() else raw
            env_layer.setdefault(section, {})[key] = value
    _structure(env_layer, where="environment")
    _merge(merged, env_layer)
    _merge(merged, overrides or {})
    return _structure(merged, where="configuration")


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not valid TOML: {error}", where=str(path)) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _merge(into: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping):
            into[key] = dict(into.get(key, {}))
            _merge(into[key], value)
        elif value is not None:
            into[key] = value


def _structure(document: Mapping[str, Any], *, where: str) -> Config:
    try:
        return _CONVERTER.structure(document, Config)
    except ClassValidationError as error:
        path, message, fix = _first_problem(error, "")
        raise ConfigError(f"{path}: {message}" if path else message, where=where, fix=fix) from None


def _first_problem(error: BaseException, path: str) -> tuple[str, str, str | None]:
    if isinstance(error, ForbiddenExtraKeysError):
        unknown = sorted(error.extra_fields)[0]
        known = [field.name for field in attrs.fields(error.cl)]
        near = difflib.get_close_matches(unknown, known, n=1)
        fix = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        return (f"{path}.{unknown}".lstrip("."), "unknown key", fix)
    if isinstance(error, (ClassValidationError, IterableValidationError)):
        child = error.exceptions[0]
        for note in getattr(child, "__notes__", ()):
            if isinstance(note, AttributeValidationNote):
                path = f"{path}.{note.name}".strip(".")
            elif isinstance(note, IterableValidationNote):
                path = f"{path}.{note.index}".strip(".")
        return _first_problem(child, path)
    if isinstance(error, KeyError):
        return path, f"missing key {error}", None
    text = str(error.args[0]) if error.args else str(error)
    return path, text.replace("Structuring class", "in"), None


def _strictly(expected: type) -> Any:
    def structure(value: object, _: object) -> object:
        accepted = isinstance(value, expected) or (expected is float and isinstance(value, int))
        if not accepted or (isinstance(value, bool) and expected is not bool):
            raise ValueError(f"expected {expected.__name__}, got {value!r}")
        return expected(value)

    return structure


def _strings(value: object, _: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"expected a list of strings, got {value!r}")
    return tuple(value)


def _list_of(cls: type, converter: cattrs.Converter) -> Any:
    def structure(value: object, _: object) -> object:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"expected a list, got {value!r}")
        return tuple(converter.structure(value, list[cls]))  # type: ignore[valid-type]

    return structure


def _check(inner: Any) -> Any:
    def structure(value: object, kind: type) -> object:
        return inner({"run": value} if isinstance(value, str) else value, kind)

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, _strictly(kind))
    converter.register_structure_hook_func(
        lambda kind: kind is Seconds, lambda value, _: parse_duration(value)
    )
    converter.register_structure_hook_func(
        lambda kind: kind is Patience, lambda value, _: parse_patience(value)
    )
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _strings)
    converter.register_structure_hook(Check, _check(_tables_only(Check, converter)))
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[Check, ...], _list_of(Check, converter)
    )
    for cls in (AgentSettings, WorkspaceSettings, Execution, Config):
        converter.register_structure_hook(cls, _tables_only(cls, converter))
    return converter


def _tables_only(cls: type, converter: cattrs.Converter) -> Any:
    inner: Any = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)

    def structure(value: object, kind: type) -> object:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected a table, got {value!r}")
        return inner(value, kind)

    return structure


_CONVERTER = _make_converter()
