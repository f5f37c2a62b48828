"""The tables ``[pipelines]``, ``[guardrails]`` and ``[backlog]`` into values, and their rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cattrs

from .backlog_settings import BacklogSettings, PipelineSettings
from .settings import parse_duration
from .structure import Problem, lists_of, one_of, strictly, tables_only
from .work.backlog.gate import ABOUT_FILES, KINDS, Gate
from .work.backlog.item import DELIVER, TRIAGE, Level, Size
from .work.backlog.pipeline import CommitPolicy, Phase, Staleness
from .work.backlog.rules import Guardrails

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PIPELINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_KINDS = ("workflows", "prompt", "command", "call", "spec")
_WITHOUT_AGENT = ("command", "call")

_text = strictly(str)


def add_backlog_hooks(converter: cattrs.Converter) -> None:
    """Teach a converter the backlog's tables."""
    for kind in (Size, Level, Staleness, CommitPolicy):
        converter.register_structure_hook(kind, one_of(kind))
    gate = tables_only(
        Gate,
        converter,
        **{key: _checked(_is_inside) for key in ("file", "glob", "absent")},
        **{key: _checked(_says_something) for key in ("command", "check", *ABOUT_FILES)},
        cycle=_count,
    )
    converter.register_structure_hook(Gate, gate)
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[Gate, ...], lists_of(Gate, converter)
    )
    phase = tables_only(
        Phase,
        converter,
        name=_checked(_is_phase_name),
        workflows=_workflows,
        prompt=_checked(_says_something),
        timeout=lambda value, _: parse_duration(value),
        retries=_count,
        agent=_checked(_says_something),
        model=_checked(_is_model),
        command=_checked(_says_something),
        call=_checked(_is_call),
        spec=_checked(_is_inside),
        subphases=_subphases,
        commit_type=_checked(_says_something),
    )
    converter.register_structure_hook(Phase, _with_alias(phase))
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[Phase, ...], lists_of(Phase, converter)
    )
    for cls in (BacklogSettings, Guardrails, PipelineSettings):
        converter.register_structure_hook(cls, tables_only(cls, converter))


def _checked(check: Callable[[str], None]) -> Any:
    def structure(value: object, _: object) -> str:
        text: str = _text(value, str)
        if "\0" in text:
            raise ValueError(f"expected text without NUL, got {text!r}")
        check(text)
        return text

    return structure


def _with_alias(inner: Any) -> Any:
    """Accept `is_destructive` for `destructive`."""

    def structure(value: object, kind: type) -> object:
        if isinstance(value, Mapping) and "is_destructive" in value:
            if "destructive" in value:
                raise ValueError("destructive and is_destructive are the same key; give one")
            value = {
                "destructive" if key == "is_destructive" else key: said
                for key, said in value.items()
            }
        return inner(value, kind)

    return structure


def _says_something(text: str) -> None:
    if not text.strip():
        raise ValueError("expected text, got nothing but blanks; leave the key out instead")


def _is_inside(path: str) -> None:
    _says_something(path)
    if path.startswith(("/", "~", "-")) or ".." in path.split("/"):
        raise ValueError(f"expected a path inside the project, got {path!r}")


def _is_phase_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        expected = "expected up to 64 lower-case letters, digits, - and _, a letter or digit first"
        raise ValueError(f"{expected}; got {name!r}")
    if name in (TRIAGE, DELIVER):
        raise ValueError(f"{name!r} is a phase that every item has; choose another name")


def _is_model(name: str) -> None:
    if name.startswith("-") or not re.fullmatch(r"[\w.:/@\[\]+-]{1,128}", name, re.ASCII):
        raise ValueError(f"expected the name of a model, got {name!r}")


def _is_call(text: str) -> None:
    module, colon, function = text.partition(":")
    if not (colon and function.isidentifier() and all(map(str.isidentifier, module.split(".")))):
        raise ValueError(f"expected package.module:function, got {text!r}")


def _workflows(value: object, _: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(path, str) and path.strip() and "\0" not in path for path in value
    ):
        raise ValueError(f"expected a list of files, got {value!r}")
    return tuple(value)


def _subphases(value: object, _: object) -> tuple[str, ...]:
    names = value if isinstance(value, (list, tuple)) else [value]
    for name in names:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"expected a list of names in lower case, got {value!r}")
    return tuple(names)


def _count(value: object, _: object) -> int:
    number: int = strictly(int)(value, int)
    if number < 0:
        raise ValueError(f"expected 0 or more, got {number}")
    return number


def rule_problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what in a configuration's pipelines does not go together, each value by itself right.

    Args:
      document: as read; what has the wrong type in it is left to whoever structures it.
    """
    side_by_side = _several(_table(document.get("backlog")).get("max_wip"))
    for name, pipeline in _table(document.get("pipelines")).items():
        path = f"pipelines.{name}"
        if not _PIPELINE.fullmatch(name):
            yield Problem(path, "expected a name of up to 64 letters, digits, - and _")
        if isinstance(pipeline, Mapping):
            yield from _pipeline_problems(path, pipeline, side_by_side)


def _pipeline_problems(
    path: str, pipeline: Mapping[str, Any], side_by_side: bool
) -> Iterator[Problem]:
    phases = [
        (f"{path}.{key}.{index}", key, _table(phase))
        for key in ("pre_phases", "phases")
        for index, phase in enumerate(_list(pipeline.get(key)))
    ]
    if pipeline.get("phases", []) == []:
        fix = f"add a table [[{path}.phases]] with a name"
        yield Problem(f"{path}.phases", "expected one phase or more, got none", fix)
    names = Counter(name for _, _, phase in phases if isinstance(name := phase.get("name"), str))
    for name, times in names.items():
        if times > 1:
            yield Problem(path, f"{times} phases are called {name!r}", "give each its own name")
    for place, key, phase in phases:
        yield from _phase_problems(place, phase, side_by_side)
        if key == "pre_phases" and _is_destructive(phase):
            fix = "move it to phases, or leave destructive out"
            yield Problem(place, "a phase before an item is ready cannot be destructive", fix)


def _phase_problems(path: str, phase: Mapping[str, Any], side_by_side: bool) -> Iterator[Problem]:
    kinds = [kind for kind in _KINDS if phase.get(kind)]
    if len(kinds) > 1:
        fix = "keep one of them, and make phases of the others"
        yield Problem(path, f"{' and '.join(kinds)} cannot go together", fix)
    for key in ("agent", "model"):
        if key in phase and (kinds := [kind for kind in kinds if kind in _WITHOUT_AGENT]):
            yield Problem(f"{path}.{key}", f"no agent is asked where {kinds[0]} does the work")
    if phase.get("staleness") == Staleness.BLOCK.value and side_by_side:
        yield Problem(
            f"{path}.staleness",
            '"block" does not go with backlog.max_wip above 1: any other item makes it stale',
            'say "warn", or max_wip = 1',
        )
    if phase.get("commit") == CommitPolicy.BATCH.value and _is_destructive(phase):
        fix = "leave commit out"
        yield Problem(f"{path}.commit", "what a destructive phase did is committed at once", fix)
    for key in ("enter", "leave", "leave_cycle"):
        for index, gate in enumerate(_list(phase.get(key))):
            yield from _gate_problems(f"{path}.{key}.{index}", _table(gate))
    if phase.get("leave_cycle") and phase.get("cycles") is not True:
        yield Problem(f"{path}.leave_cycle", "expected only with cycles = true")
    parts = _list(phase.get("subphases"))
    for part in _table(phase.get("commit_types")):
        if part not in parts:
            fix = f"add it to subphases, or take one of {', '.join(map(str, parts)) or 'none'}"
            yield Problem(f"{path}.commit_types.{part}", "there is no such sub-phase", fix)


def _gate_problems(path: str, gate: Mapping[str, Any]) -> Iterator[Problem]:
    given = {key: value for key, value in gate.items() if key in (*KINDS, "verify", *ABOUT_FILES)}
    if all(isinstance(value, (str, bool)) for value in given.values()) and (
        fault := Gate(**given).misfit
    ):
        yield Problem(path, fault)


def _is_destructive(phase: Mapping[str, Any]) -> bool:
    return phase.get("destructive", phase.get("is_destructive")) is True


def _several(number: object) -> bool:
    return isinstance(number, int) and number > 1


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else []
