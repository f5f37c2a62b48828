"""Makes what records hold fit to show: bounded, printable, without secrets. Pure."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from orchestrator.text import clean, one_line
from orchestrator.work.records import (
    EVIDENCE_LIMIT,
    AttemptRecord,
    AttemptState,
    RunRecord,
    tail,
)

MOST_FILES = 200
"""Of a list of files the first so many are told."""

_LAST_YEAR = 253_402_300_000
_MOST_COST = 1e9


@attrs.frozen
class Cleaner:
    """Cleans texts and numbers that anybody may have made up.

    Attributes:
      redact: takes secrets out of a text.
    """

    redact: Callable[[str], str]

    def run(self, run: RunRecord) -> RunRecord:
        """Return a run with its texts fit to show."""
        return attrs.evolve(
            run,
            title=self.line(run.title),
            reason=self.line(run.reason, 400),
            brief=self.text(run.brief),
            carried=tuple(self.line(path) for path in run.carried[:MOST_FILES]),
        )

    def attempt(self, record: AttemptRecord) -> AttemptRecord:
        """Return an attempt with its texts fit to show and its numbers in bounds."""
        return attrs.evolve(
            record,
            at=int(within(record.at, _LAST_YEAR)),
            until=within(record.until, _LAST_YEAR),
            usage=attrs.evolve(record.usage, cost=within(record.usage.cost, _MOST_COST)),
            reason=self.line(record.reason, 400),
            evidence=self.text(record.evidence),
            learnings=self.text(record.learnings),
        )

    def line(self, text: str, limit: int = 200) -> str:
        """Return text as one short line."""
        return one_line(self.redact(clean(text[: 8 * limit])), limit)

    def text(self, text: str) -> str:
        """Return the end of a longer text."""
        recent = self.redact(clean(text[-4 * EVIDENCE_LIMIT :]))
        return tail(recent.strip("\n"), EVIDENCE_LIMIT)


def ended_at(record: AttemptRecord) -> float | None:
    """Return the Unix time at which an attempt ended, None when that is not known."""
    if record.state is AttemptState.STARTED or not record.seconds > 0:
        return None
    return within(record.at, _LAST_YEAR) + within(record.seconds, _LAST_YEAR)


def within(value: float, most: float) -> float:
    """Return a number that whoever wrote a record may have made up, in bounds."""
    return min(value, most) if value > 0 else 0
