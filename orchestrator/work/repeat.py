"""Whether trying once more would only pay for the same failure. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .records import AttemptRecord, AttemptState

# What differs between two runs of the same failing command: numbers, addresses, temporary names.
_VARYING = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{7,64}\b|(?<=/tmp/)\S+|\d+")


def repeated(attempts: Sequence[AttemptRecord], story: str, inputs: str) -> AttemptRecord | None:
    """Return the last failure of a story if it failed twice in a row with these inputs, alike.

    Attempts that were interrupted, lost or limited say nothing about the story.

    Args:
      attempts: of the item, oldest first, those of earlier runs too.
      inputs: what the next attempt would begin with; see `AttemptRecord.inputs`.
    """
    judged = (AttemptState.FAILED, AttemptState.VERIFIED, AttemptState.BLOCKED)
    mine = [a for a in attempts if a.story == story and a.state in judged][-2:]
    if len(mine) < 2 or not inputs:
        return None
    alike = len({_signature(attempt) for attempt in mine}) == 1
    same = all(a.inputs == inputs and a.state is AttemptState.FAILED for a in mine)
    return mine[-1] if alike and same else None


def _signature(attempt: AttemptRecord) -> str:
    return _VARYING.sub("#", f"{attempt.reason}\n{attempt.evidence}")
