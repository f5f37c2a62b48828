"""What is remembered of runs and attempts, as plain values that survive as JSON in git."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from typing import Any

import attrs

from .states import PHASE, first_object
from .states import AttemptState as AttemptState
from .states import DeliveryState as DeliveryState
from .states import RunState as RunState
from .worker import Usage

EVIDENCE_LIMIT = 16_384
LEARNINGS_LIMIT = 8_192


@attrs.frozen(kw_only=True)
class AttemptRecord:
    """One run of one worker.

    Attributes:
      story: "" for a phase that has none.
      number: counts the starts of this story, or phase, within the run, from 1.
      phase: of the item's pipeline; ``visit`` counts how often the item began one afresh.
      at: Unix time in seconds of its start.
      reason: one line: why it failed, or the question it asks.
      evidence: the tail of what shows it (verification output), bounded.
      seconds: how long it took, verification included.
      inputs: what it began with, as a digest: commit, task, verification and worker; without the
        failures and learnings of earlier attempts.
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
    inputs: str = ""
    phase: str = PHASE
    visit: int = 0


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


@attrs.frozen(kw_only=True)
class DeliveryRecord:
    """One delivery of an item: what `undo` needs to take it back.

    Attributes:
      how: "merge", "squash", "apply" or "discard".
      tip: the item's branch as it was.
      target: the branch that it went to, "" when no branch moved.
      old: where the target was; ``new``: the commit that was worked out and verified.
      commit: where the target went, "" as long as it did not.
      start: the tree that the checkout's files counted as before, "" when none changed.
      was: the state of the run before; ``why``: the reason it gave.
      at: Unix time in seconds.
    """

    id: str
    item: str
    run: str
    how: str
    tip: str
    target: str
    old: str
    new: str
    was: RunState
    why: str
    at: int
    state: DeliveryState = DeliveryState.INTENT
    commit: str = ""
    start: str = ""


def to_json(record: AttemptRecord | RunRecord | DeliveryRecord) -> str:
    """Return the record as one JSON object with sorted keys."""
    return json.dumps(
        attrs.asdict(record, value_serializer=_plain), sort_keys=True, ensure_ascii=True, indent=1
    )


def to_document(record: AttemptRecord | RunRecord) -> dict[str, Any]:
    """Return the record as JSON would give it back."""
    return dict(json.loads(to_json(record)))


def attempt_from(data: Mapping[str, Any]) -> AttemptRecord | None:
    """Read an attempt; None when it is not one (another program's, a newer version's)."""
    try:
        return AttemptRecord(
            **{**data, "state": AttemptState(data["state"]), "usage": Usage(**data["usage"])}
        )
    except (ValueError, TypeError, KeyError):
        return None


def run_from(data: Mapping[str, Any]) -> RunRecord | None:
    """Read a run; None when it is not one."""
    try:
        return RunRecord(
            **{**data, "state": RunState(data["state"]), "carried": tuple(data["carried"])}
        )
    except (ValueError, TypeError, KeyError):
        return None


def delivery_from_json(text: str) -> DeliveryRecord | None:
    """Read a delivery; None when the text is not one."""
    try:
        data = first_object(text)
        states = {"state": DeliveryState(data["state"]), "was": RunState(data["was"])}
        return DeliveryRecord(**data | states)
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
