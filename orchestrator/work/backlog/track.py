"""What an item knows whose branch a person or an agent brings through the phases."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

from .gate import Gate


@attrs.frozen(kw_only=True)
class Deliverable:
    """Something that is planned to be there; ``gate`` says how it is told, None: by nobody."""

    id: str
    description: str = ""
    gate: Gate | None = None


@attrs.frozen(kw_only=True)
class Cycle:
    """One round of a phase that is done in cycles.

    Attributes:
      number: from 1, without gaps.
      exit_criteria: in words, when it is over.
    """

    number: int
    name: str = ""
    exit_criteria: str = ""
    deliverables: tuple[Deliverable, ...] = ()


@attrs.frozen(kw_only=True)
class Plan:
    """What is planned for a branch.

    Attributes:
      cycles: of its phases that are done in cycles, in their order.
      deliverables: by the name of the phase that has to bring them.
    """

    cycles: tuple[Cycle, ...] = ()
    deliverables: Mapping[str, tuple[Deliverable, ...]] = MappingProxyType({})

    def cycle(self, number: int) -> Cycle | None:
        """Return a cycle by its number."""
        return self.cycles[number - 1] if 0 < number <= len(self.cycles) else None


NO_PLAN = Plan()
"""Of a branch that nothing is planned for."""


@attrs.frozen(kw_only=True)
class Track:
    """The branch of an item that the scheduler leaves alone.

    Attributes:
      branch: its name, without ``refs/heads/``.
      base: the branch it started from, "" when that is not known.
      issue: number or key of what it is about elsewhere, "" for none.
      subphase: the part of its phase that was last committed, "" for none.
      cycle: the cycle its phase is in, 0 for none.
      begun: numbers of the cycles that were ever begun, ascending.
      rebuilt: what its state was put back from: "record", "commits" or "name"; "" when it was not.
    """

    branch: str
    base: str = ""
    issue: str = ""
    subphase: str = ""
    cycle: int = 0
    begun: tuple[int, ...] = ()
    plan: Plan = NO_PLAN
    rebuilt: str = ""
