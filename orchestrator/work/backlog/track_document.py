"""Tracks and their plans as JSON documents; what is at its default is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .gate import Gate
from .track import NO_PLAN, Cycle, Deliverable, Plan, Track


def track_to(track: Track) -> dict[str, Any]:
    """Return a track as a document."""
    document: dict[str, Any] = {"branch": track.branch}
    for name in ("base", "issue", "subphase", "cycle", "rebuilt"):
        if value := getattr(track, name):
            document[name] = value
    if track.begun:
        document["begun"] = list(track.begun)
    if track.plan != NO_PLAN:
        document["plan"] = plan_to(track.plan)
    return document


def track_from(document: object) -> Track:
    """Return the track that a document holds.

    Raises:
      ValueError: when it is none; begins with the path of the wrong key.
    """
    fields = _object(document, "", Track)
    if not fields.get("branch"):
        raise ValueError(".branch: missing")
    for name in ("branch", "base", "issue", "subphase", "rebuilt"):
        if name in fields:
            fields[name] = _text(fields[name], f".{name}")
    if "cycle" in fields:
        fields["cycle"] = _whole(fields["cycle"], ".cycle")
    if "begun" in fields:
        numbers = _list(fields["begun"], ".begun")
        fields["begun"] = tuple(_whole(each, f".begun[{n}]") for n, each in enumerate(numbers))
    if "plan" in fields:
        fields["plan"] = plan_from(fields["plan"], ".plan")
    return Track(**fields)


def plan_to(plan: Plan) -> dict[str, Any]:
    """Return a plan as a document."""
    document: dict[str, Any] = {}
    if plan.cycles:
        document["cycles"] = [
            _without_defaults(cycle)
            | {"deliverables": list(map(_deliverable_to, cycle.deliverables))}
            for cycle in plan.cycles
        ]
    if plan.deliverables:
        document["deliverables"] = {
            phase: list(map(_deliverable_to, wanted)) for phase, wanted in plan.deliverables.items()
        }
    return document


def plan_from(document: object, at: str = "") -> Plan:
    """Return the plan that a document holds.

    Raises:
      ValueError: when it is none; begins with the path of the wrong key, below ``at``.
    """
    fields = _object(document, at, Plan)
    cycles = [
        _cycle_from(each, f"{at}.cycles[{number}]")
        for number, each in enumerate(_list(fields.get("cycles", []), f"{at}.cycles"))
    ]
    wanted = fields.get("deliverables", {})
    if not isinstance(wanted, Mapping):
        raise ValueError(f"{at}.deliverables: must be an object")
    deliverables = {
        _text(phase, f"{at}.deliverables"): _deliverables(each, f"{at}.deliverables.{phase}")
        for phase, each in wanted.items()
    }
    return Plan(cycles=tuple(cycles), deliverables=deliverables)


def gate_to(gate: Gate) -> dict[str, Any]:
    """Return a gate as its configuration has it."""
    return _without_defaults(gate)


def _cycle_from(document: object, at: str) -> Cycle:
    fields = _object(document, at, Cycle)
    if "number" not in fields:
        raise ValueError(f"{at}.number: missing")
    return Cycle(
        number=_whole(fields["number"], f"{at}.number"),
        name=_text(fields.get("name", ""), f"{at}.name"),
        exit_criteria=_text(fields.get("exit_criteria", ""), f"{at}.exit_criteria"),
        deliverables=_deliverables(fields.get("deliverables", []), f"{at}.deliverables"),
    )


def _deliverables(document: object, at: str) -> tuple[Deliverable, ...]:
    return tuple(
        _deliverable_from(each, f"{at}[{number}]")
        for number, each in enumerate(_list(document, at))
    )


def _deliverable_to(deliverable: Deliverable) -> dict[str, Any]:
    document: dict[str, Any] = {"id": deliverable.id}
    if deliverable.description:
        document["description"] = deliverable.description
    if deliverable.gate is not None:
        document["gate"] = gate_to(deliverable.gate)
    return document


def _deliverable_from(document: object, at: str) -> Deliverable:
    fields = _object(document, at, Deliverable)
    if not fields.get("id"):
        raise ValueError(f"{at}.id: missing")
    gate = fields.get("gate")
    return Deliverable(
        id=_text(fields["id"], f"{at}.id"),
        description=_text(fields.get("description", ""), f"{at}.description"),
        gate=None if gate is None else _gate_from(gate, f"{at}.gate"),
    )


def _gate_from(document: object, at: str) -> Gate:
    fields = _object(document, at, Gate)
    readers = {"cycle": _whole, "verify": _truth}
    for name, value in fields.items():
        fields[name] = readers.get(name, _text)(value, f"{at}.{name}")
    return Gate(**fields)


def _without_defaults(value: Cycle | Gate) -> dict[str, Any]:
    return {
        field.name: held
        for field in attrs.fields(type(value))
        if (held := getattr(value, field.name)) != field.default and field.name != "deliverables"
    }


def _object(document: object, at: str, kind: type[attrs.AttrsInstance]) -> dict[str, Any]:
    if not isinstance(document, Mapping):
        raise ValueError(f"{at}: must be an object")
    known = [field.name for field in attrs.fields(kind)]
    for key in document:
        if key not in known:
            raise ValueError(f"{at}.{key}: no such key; there are {', '.join(known)}")
    return dict(document)


def _text(value: object, at: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{at}: must be a string")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{at}: holds half a character") from None
    return value


def _whole(value: object, at: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise ValueError(f"{at}: must be a whole number, 0 or more")
    return value


def _truth(value: object, at: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{at}: must be true or false")
    return value


def _list(value: object, at: str) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{at}: must be a list")
    return value
