"""What task-golem's lines and phase-golem's YAML have in common: how their values are meant."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Any

import attrs

from orchestrator.work.backlog.item import (
    UNDESCRIBED,
    Asks,
    Assessments,
    Cause,
    Description,
    Level,
    Pool,
    Question,
    Size,
    Status,
)

from .imported import Values


class BlockedType(enum.Enum):
    """What a blocked item of theirs waits for."""

    CLARIFICATION = "clarification"
    DECISION = "decision"


class OpenStatus(enum.Enum):
    """What a blocked item of theirs can go back to."""

    NEW = "new"
    SCOPING = "scoping"
    READY = "ready"
    IN_PROGRESS = "in_progress"


class AnyStatus(enum.Enum):
    """Where an item of theirs can be."""

    NEW = "new"
    SCOPING = "scoping"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    BLOCKED = "blocked"
    DONE = "done"


_REASONS = (
    (re.compile(r"Requires human review"), Cause.REVIEW, Asks.APPROVAL),
    (re.compile(r"Exceeds autonomous guardrail"), Cause.GUARDRAILS, Asks.APPROVAL),
    (re.compile(r"Phase \S+ failed after "), Cause.FAILED, Asks.DECISION),
    (re.compile(r"Phase \S+ not found in "), Cause.CONFIGURATION, Asks.DECISION),
    (re.compile(r"Stale: |Staleness check failed "), Cause.STALE, Asks.DECISION),
)
"""How a reason of their orchestrator begins, and what it means. Others are an agent's."""

_POOLS = {Status.SCOPING: Pool.PRE, Status.IN_PROGRESS: Pool.MAIN}

PARTS = tuple(field.name for field in attrs.fields(Description))
"""The keys of their descriptions."""


def question(reason: str | None, asks: BlockedType | None, since: OpenStatus | None) -> Question:
    """Return what a blocked item of theirs waits for."""
    text = reason or ""
    cause, usual = Cause.ASKED, Asks.CLARIFICATION
    for pattern, meant, kind in _REASONS:
        if pattern.match(text):
            cause, usual = meant, kind
    return Question(
        text=text,
        asks=Asks(asks.value) if asks else usual,
        cause=cause,
        since=Status(since.value) if since else Status.NEW,
    )


def assessments(values: Values, prefix: str = "") -> Assessments:
    """Return the ratings among an item's values."""
    return Assessments(
        size=values.choice(f"{prefix}size", Size),
        complexity=values.choice(f"{prefix}complexity", Level),
        risk=values.choice(f"{prefix}risk", Level),
        impact=values.choice(f"{prefix}impact", Level),
    )


def description(values: Values, key: str) -> Description:
    """Return the five parts that an object says; UNDESCRIBED when it is none of that."""
    held = values.held.get(key)
    if held is None:
        return UNDESCRIBED
    if not isinstance(held, Mapping):
        values.note(f"{key}: it is no object of texts; left out")
        return UNDESCRIBED
    parts: Mapping[str, Any] = {name: held[name] for name in PARTS if name in held}
    for name, part in parts.items():
        if not isinstance(part, str):
            values.note(f"{key}: {name} is no text; the description is left out")
            return UNDESCRIBED
    if more := sorted(str(name) for name in held if name not in PARTS):
        values.note(f"{key}: {', '.join(more)}: no part of a description; left out")
    return Description(**parts)


def pool(said: Pool | None, phase: str | None, status: Status, since: Status | None) -> Pool | None:
    """Return the list that an item's phase is in; where nothing says so, its status does."""
    if said is None and phase is not None:
        return _POOLS.get(since or status)
    return said
