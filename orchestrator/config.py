"""Configuration: ``orchestrator.toml`` and its layers, structured with cattrs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import attrs
import cattrs
from cattrs.errors import ClassValidationError

from .backlog_settings import PipelineSettings
from .backlog_structure import add_backlog_hooks, rule_problems
from .branch_structure import add_branch_hooks, branch_problems
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
from .structure import Problem, lists_of, problems_in, strictly, tables_of, tables_only

FILE_NAME = "orchestrator.toml"

_FROM_ENVIRONMENT = {
    "ORC_AGENT": ("execution", "agent"),
    "ORC_COMMAND_TIMEOUT": ("execution", "command_timeout"),
    "ORC_ATTEMPT_TIMEOUT": ("execution", "attempt_timeout"),
    "ORC_MAX_ATTEMPTS": ("execution", "max_attempts"),
}


@attrs.frozen
class Layer:
    """One source of settings.

    Attributes:
      name: "user file", "project file", "environment" or "flag".
      where: its path; for the environment a name is its own place, so "".
      document: what it says, as ``{"section": {"key": value}}``; checked.
    """

    name: str
    where: str
    document: Mapping[str, Any]


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
    return merge_layers(
        read_layers(project, environ=environ, overrides=overrides, required=required)
    )


def merge_layers(layers: Sequence[Layer]) -> Config:
    """Return what is in force.

    Args:
      layers: the weakest first.

    Raises:
      ConfigError: when they do not go together.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge(merged, layer.document)
    return _structure(merged, where="configuration")


def read_layers(
    project: Path,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, Any] | None = None,
    required: bool = False,
) -> tuple[Layer, ...]:
    """Return every layer but the defaults, the weakest first; see `load_config`."""
    if required and not project.is_file():
        raise ConfigError("no such file", where=str(project), fix="check -c FILE")
    home = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    user = home / "orchestrator" / "config.toml"
    from_environment: dict[str, Any] = {}
    for name, (section, key) in _FROM_ENVIRONMENT.items():
        if name in environ:
            raw: Any = environ[name]
            value = int(raw) if key == "max_attempts" and raw.isdigit() else raw
            from_environment.setdefault(section, {})[key] = value
    layers = (
        Layer("user file", str(user), _read(user)),
        Layer("project file", str(project), _read(project)),
        Layer("environment", "", from_environment),
    )
    for layer in layers:
        _structure(layer.document, where=layer.where or layer.name)
    return (*layers, Layer("flag", "", overrides or {}))


def problems_of(text: str) -> tuple[str, ...]:
    """Return what is wrong with the text of a project file, as far as it is TOML."""
    try:
        _structure(tomllib.loads(text), where=FILE_NAME)
    except tomllib.TOMLDecodeError:
        return ()
    except ConfigError as error:
        return (error.message,)
    return ()


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


def _merge(into: dict[str, Any], layer: Mapping[str, Any], depth: int = 0) -> None:
    for key, value in layer.items():
        if key == "pipelines" and depth == 0 and isinstance(value, Mapping):
            # Half of one pipeline and half of another would be a third that nobody wrote.
            into[key] = {**into.get(key, {}), **value}
        elif isinstance(value, Mapping):
            into[key] = dict(into.get(key, {}))
            _merge(into[key], value, depth + 1)
        elif value is not None:
            into[key] = value


def _structure(document: Mapping[str, Any], *, where: str) -> Config:
    config, wrong = Config(), list[Problem]()
    try:
        config = _CONVERTER.structure(document, Config)
    except ClassValidationError as error:
        wrong += problems_in(error)
    wrong += [*rule_problems(document), *branch_problems(document)]
    if wrong:
        raise _error(wrong, where)
    return config


def _error(problems: Sequence[Problem], where: str) -> ConfigError:
    """Return one error for all that is wrong in a document."""
    if len(problems) == 1:
        ((path, text, fix),) = problems
        return ConfigError(f"{path}: {text}" if path else text, where=where, fix=fix)
    lines = [
        f"  - {path + ': ' if path else ''}{text}{f' ({fix})' if fix else ''}"
        for path, text, fix in problems
    ]
    return ConfigError(
        "\n".join([f"{len(problems)} settings are wrong", *lines]),
        where=where,
        fix="mend them; orc doctor looks again",
    )


def _strings(value: object, _: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"expected a list of strings, got {value!r}")
    return tuple(value)


def _check(inner: Any) -> Any:
    def structure(value: object, kind: type) -> object:
        return inner({"run": value} if isinstance(value, str) else value, kind)

    return structure


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (str, int, float, bool):
        converter.register_structure_hook(kind, strictly(kind))
    converter.register_structure_hook_func(
        lambda kind: kind is Seconds, lambda value, _: parse_duration(value)
    )
    converter.register_structure_hook_func(
        lambda kind: kind is Patience, lambda value, _: parse_patience(value)
    )
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _strings)
    converter.register_structure_hook(Check, _check(tables_only(Check, converter)))
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[Check, ...], lists_of(Check, converter)
    )
    for named in (str, AgentSettings, PipelineSettings):
        converter.register_structure_hook_func(
            partial(eq, Mapping[str, named]),  # type: ignore[valid-type]
            tables_of(named, converter),
        )
    add_backlog_hooks(converter)
    add_branch_hooks(converter)
    for cls in (AgentSettings, WorkspaceSettings, Execution, Config):
        converter.register_structure_hook(cls, tables_only(cls, converter))
    return converter


_CONVERTER = _make_converter()
