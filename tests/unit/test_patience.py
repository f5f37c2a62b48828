"""Promise: a refusal is borne for a while, and each new reason for a while of its own."""

from __future__ import annotations

import pytest

from orchestrator.control.patience import PATIENCE, Patience
from orchestrator.errors import BusyError


def test_the_same_reason_is_borne_for_so_long_and_no_longer() -> None:
    now = 100.0
    patience = Patience(lambda: now)
    patience.spend(BusyError("one"))
    now += PATIENCE
    patience.spend(BusyError("one"))
    patience.spend(BusyError("two"))
    now += PATIENCE
    patience.spend(BusyError("two"))
    now += 0.1
    with pytest.raises(BusyError, match="two"):
        patience.spend(BusyError("two"))
