"""What several runs came to: one table at the end, and one exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import attrs

from orchestrator.run.loop.results import Outcome
from orchestrator.text import one_line

from .output import coloured, print_json

_WORST_FIRST = (130, 2, 1, 3, 4, 0)
_COLOURS = {"done": "green", "failed": "red", "blocked": "yellow", "limited": "yellow"}


@attrs.frozen(kw_only=True)
class Ended:
    """How one of several changes ended.

    Attributes:
      code: its exit code, None when it was not started.
      outcome: None when it did not get as far as that.
    """

    item: str
    code: int | None
    outcome: Outcome | None
    reason: str

    @property
    def state(self) -> str:
        """The outcome's state, or what stands for it."""
        if self.outcome is not None:
            return self.outcome.state
        return {None: "not started", 130: "stopped"}.get(self.code, "error")


def worst(ended: Iterable[Ended]) -> int:
    """Return the exit code that matters most: stopped, could not begin, failed, limited, waits."""
    codes = {end.code for end in ended}
    return next(code for code in _WORST_FIRST if code in codes)


def print_summary(ended: Sequence[Ended], *, as_json: bool) -> None:
    """Print how each ended, in the order they were asked for."""
    if as_json:
        print_json({"event": "all_ended", "items": [_document(end) for end in ended]})
        return
    done = sum(end.state == "done" for end in ended)
    print(f"{done} of {len(ended)} done")
    for end in ended:
        state = f"{end.state:<11}"
        if end.state in _COLOURS:
            state = coloured(state, _COLOURS[end.state], sys.stdout)
        parts = [f"  {end.item:<24}", state]
        if end.outcome is not None:
            parts.append(f"{end.outcome.done}/{end.outcome.stories}")
            if end.outcome.cost:
                parts.append(f"${end.outcome.cost:.2f}")
        if end.reason and end.state not in ("done", "not started"):
            parts.append(one_line(end.reason, 100))
        print("  ".join(parts).rstrip())


def _document(end: Ended) -> dict[str, object]:
    return {
        "item": end.item,
        "state": end.state,
        "exit_code": end.code,
        "reason": end.reason,
        "done": end.outcome.done if end.outcome else None,
        "stories": end.outcome.stories if end.outcome else None,
        "attempts": end.outcome.attempts if end.outcome else None,
        "cost": end.outcome.cost if end.outcome else None,
    }
