"""What a commit's message says of the attempt that made it, for when nothing else is left. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .states import AttemptState

if TYPE_CHECKING:  # `orc status` reads these without waiting for attrs
    from .records import AttemptRecord

_PREFIX = "Orchestrator-"


def attempt_trailers(attempt: AttemptRecord, *, verified: bool | None = None) -> str:
    """Return the trailers of an attempt's commit.

    Args:
      verified: of a checkpoint: whether verify commands passed on exactly its tree.
    """
    values = {
        "Op": attempt.id,
        "Item": attempt.item,
        "Phase": attempt.phase,
        "Story": attempt.story,
        "Attempt": attempt.id,
    }
    if verified is not None:
        values["Verified"] = "yes" if verified else "no"
        usage = attempt.usage
        spent = {
            "cost": f"{usage.cost:.6f}".rstrip("0").rstrip("."),
            "turns": str(usage.turns),
            "input_tokens": str(usage.input_tokens),
            "output_tokens": str(usage.output_tokens),
        }
        if any(value != "0" for value in spent.values()):
            values["Usage"] = " ".join(f"{name}={value}" for name, value in spent.items())
    return "".join(f"{_PREFIX}{name}: {value}\n" for name, value in values.items())


def checkpointed_attempt(trailers: Mapping[str, str], at: int) -> dict[str, Any] | None:
    """Return the record, as JSON has it, of the attempt that a checkpoint tells of.

    Args:
      at: Unix time in seconds of the commit, which is when the attempt began.

    Returns None when it is no checkpoint. What the attempt learned is not known any more.
    """
    known = {name.removeprefix(_PREFIX): value for name, value in trailers.items()}
    id = known.get("Attempt", "")
    parts = id.split(".")
    if "Verified" not in known or len(parts) != 4 or not parts[3].isdecimal():
        return None
    item, run, _, number = parts
    if item != known.get("Item"):
        return None
    return {
        "id": id,
        "item": item,
        "run": run,
        "story": known.get("Story", ""),
        "phase": known.get("Phase", ""),
        "number": int(number),
        "at": at,
        "state": AttemptState.VERIFIED.value,
        "reason": "",
        "evidence": "",
        "learnings": "",
        "usage": _usage(known.get("Usage", "")),
    }


def _usage(text: str) -> dict[str, int | float]:
    found: dict[str, int | float] = {"cost": 0.0}
    for word in text.split():
        name, _, value = word.partition("=")
        try:
            found[name] = float(value) if name == "cost" else int(value)
        except ValueError:
            continue
    return found
