"""Where runs and attempts can be, and how a record of one begins. Imports little: see `status`."""

from __future__ import annotations

import enum
import json
from typing import Any

PHASE = "build"
"""The phase of an attempt at a change's story, outside a pipeline."""


class AttemptState(enum.Enum):
    """Where an attempt is. FAILED uses up the allowance of its story; LOST has one of its own.

    LIMITED is an attempt that the model's service refused for now; it uses up nothing.
    """

    STARTED = "started"
    VERIFIED = "verified"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    LOST = "lost"
    BLOCKED = "blocked"
    LIMITED = "limited"


class RunState(enum.Enum):
    """Where a run is. Only an OPEN run is continued with its counters.

    PARTIAL: as much as was asked for is done, and stories are left.
    """

    OPEN = "open"
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    BLOCKED = "blocked"
    DELIVERED = "delivered"
    DISCARDED = "discarded"


class DeliveryState(enum.Enum):
    """Where a delivery is: begun, arrived, or taken back."""

    INTENT = "intent"
    DONE = "done"
    VOID = "void"


def first_object(text: str) -> dict[str, Any]:
    """Read the JSON object that a record begins with; a commit's trailers may follow it.

    Raises:
      ValueError, TypeError: when there is none.
    """
    data, _ = json.JSONDecoder().raw_decode(text.lstrip())
    return dict(data)
