"""How long somebody lets himself be refused who only wants to be let in. Light."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.errors import OrchestratorError

PATIENCE = 10.0
"""Seconds that one and the same thing may be in the way."""


class Patience:
    """Knows for how long the same thing has been in the way.

    Args:
      clock: tells seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._reason, self._until = "", 0.0

    def spend(self, error: OrchestratorError) -> None:
        """Bear with a refusal.

        Raises:
          OrchestratorError: this one, when it has been the same for long.
        """
        if error.message != self._reason:
            self._reason, self._until = error.message, self._clock() + PATIENCE
        elif self._clock() > self._until:
            raise error
