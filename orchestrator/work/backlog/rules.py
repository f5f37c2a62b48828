"""What the decisions about items go by: the configuration, as far as the domain knows it."""

from __future__ import annotations

import attrs

from .item import Level, Size
from .pipeline import DEFAULT, Pipeline, Pipelines


@attrs.frozen(kw_only=True)
class Guardrails:
    """The most that an item may be without a person's approval."""

    max_size: Size = Size.MEDIUM
    max_complexity: Level = Level.MEDIUM
    max_risk: Level = Level.LOW


@attrs.frozen(kw_only=True)
class Limits:
    """How much is done at a time.

    Attributes:
      max_wip: items in progress; ``max_concurrent``: phases that run side by side.
    """

    max_wip: int = 1
    max_concurrent: int = 1


@attrs.frozen(kw_only=True)
class Rules:
    """How this backlog is worked.

    Attributes:
      prefix: what new ids begin with.
      delivers: whether a finished item's result goes to another branch before it is done.
    """

    pipelines: Pipelines
    guardrails: Guardrails = Guardrails()
    limits: Limits = Limits()
    prefix: str = "WRK"
    delivers: bool = False

    def pipeline(self, name: str | None) -> Pipeline | None:
        """Return the pipeline of this name, the default one for None."""
        return self.pipelines.get(name or DEFAULT)
