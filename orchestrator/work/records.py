"""What is remembered of runs and attempts, as plain values that survive as JSON in git."""

from __future__ import annotations

import enum
import json

import attrs

from .states import AttemptState as AttemptState
from .states import RunState as RunState
from .states import first_object
from .worker import Usage

EVIDENCE_LIMIT = 16_384
LEARNINGS_LIMIT = 8_192


@attrs.frozen(kw_only=True)
class AttemptRecord:
    """One run of one worker.

    Attributes:
      number: counts the starts of this story within the run, from 1.
      at: Unix time in seconds of its start.
      reason: one line: why it failed, or the question it asks.
      evidence: the tail of what shows it (verification output), bounded.
      seconds: how long it took, verification included.
      until: Unix time in seconds before which a LIMITED one is not repeated.
    """

    id: str
    item: str
    run: str
    story: str
    number: int
    at: int
    state: AttemptState = AttemptState.STARTED
    reason: str = ""
    evidence: str = ""
    learnings: str = ""
    usage: Usage = attrs.field(factory=Usage)
    seconds: float = 0.0
    until: float = 0.0


@attrs.frozen(kw_only=True)
class RunRecord:
    """One run of an item, from a person's ``run`` to its end.

    Attributes:
      change: the spec's own name for it; ``title``: its heading.
      base: the commit it started from.
      start: the branch's first commit to work on: the base, or the carried spec on top of it.
      target: the full name of the branch that was checked out, or "" when detached.
      root: where the spec's root lies below the repository, "." for the top.
      seen: the tree of the checkout's HEAD with the spec as it was last taken over.
      replaces: the start that this one takes the place of on the branch, or "".
      brief: what to do, in words, for an ad-hoc task; "" for a spec.
      until: a command that must succeed at its end, or "".
      resumed: whether the branch held checkpoints of an earlier run when this one began.
      carried: paths of the spec's uncommitted files that became the first commit.
    """

    id: str
    item: str
    change: str
    title: str
    base: str
    start: str
    seen: str
    target: str
    root: str
    at: int
    state: RunState = RunState.OPEN
    reason: str = ""
    story: str = ""
    carried: tuple[str, ...] = ()
    replaces: str = ""
    brief: str = ""
    until: str = ""
    resumed: bool = False


def to_json(record: AttemptRecord | RunRecord) -> str:
    """Return the record as one JSON object with sorted keys."""
    return json.dumps(
        attrs.asdict(record, value_serializer=_plain), sort_keys=True, ensure_ascii=True, indent=1
    )


def attempt_from_json(text: str) -> AttemptRecord | None:
    """Read an attempt; None when the text is not one (another program's ref, a newer version)."""
    try:
        data = first_object(text)
        return AttemptRecord(
            **data | {"state": AttemptState(data["state"]), "usage": Usage(**data["usage"])}
        )
    except (ValueError, TypeError, KeyError):
        return None


def run_from_json(text: str) -> RunRecord | None:
    """Read a run; None when the text is not one."""
    try:
        data = first_object(text)
        return RunRecord(
            **data | {"state": RunState(data["state"]), "carried": tuple(data["carried"])}
        )
    except (ValueError, TypeError, KeyError):
        return None


def tail(text: str, limit: int) -> str:
    """Keep the last ``limit`` characters, from a line's beginning, and say what was cut."""
    if len(text) <= limit:
        return text
    kept = text[-limit:].split("\n", 1)[-1]
    return f"[{len(text) - len(kept)} characters cut]\n{kept}"


def _plain(_: object, __: object, value: object) -> object:
    return value.value if isinstance(value, enum.Enum) else value
