"""What became of the phases of an item: a row each, in the order they were begun. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestrator.work.backlog.item import DELIVER, TRIAGE, Item, Status
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.records import AttemptState

from .model import Attempt, Story
from .task import Happened

_PART = "Subphase Complete"


def phases_of(
    item: Item,
    attempts: Sequence[Attempt],
    history: Sequence[Happened],
    *,
    checked: Mapping[str, bool],
    rules: Rules | None,
) -> tuple[Story, ...]:
    """Return the phases that an item went through, then those that it has before it.

    Args:
      attempts: in the order they were begun.
      checked: of attempts, whether a verify command passed on what they left.
      rules: tell what is before it; None when they are not known.
    """
    delivers = any(one.phase == DELIVER for one in history) or item.phase == DELIVER
    names = dict.fromkeys(one.record.phase for one in attempts)
    names |= dict.fromkeys(_ahead(item, rules) if rules is not None else ())
    names |= dict.fromkeys([DELIVER] if delivers else ())
    parts = {one.attempt for one in history if one.outcome == _PART}
    return tuple(
        _phase(
            name,
            tuple(one for one in attempts if one.record.phase == name),
            _became(name, item, attempts, history, parts),
            checked,
        )
        for name in names
    )


def checks_of(attempts: Sequence[Attempt], checked: Mapping[str, bool]) -> bool | None:
    """Return whether a verify command passed on anything that an item's phases left.

    None when nothing is known of any; nobody verifies a triage.
    """
    ids = (one.record.id for one in attempts if one.record.phase != TRIAGE)
    found = [checked[id] for id in ids if id in checked]
    return any(found) if found else None


def _phase(
    name: str,
    attempts: tuple[Attempt, ...],
    became: str,
    checked: Mapping[str, bool],
) -> Story:
    good = [one.record.id for one in attempts if one.state is AttemptState.VERIFIED]
    plain = name in (TRIAGE, DELIVER)
    return Story(
        id=name,
        title="",
        tasks=0,
        done=0,
        attempts=attempts,
        became=became,
        checked=True if plain or not good else checked.get(good[-1]),
    )


def _became(
    name: str,
    item: Item,
    attempts: Sequence[Attempt],
    history: Sequence[Happened],
    parts: set[str],
) -> str:
    """Return the state of a phase that its last attempt does not tell, else ""."""
    mine = [one for one in attempts if one.record.phase == name]
    if mine:
        is_part = mine[-1].state is AttemptState.VERIFIED and mine[-1].record.id in parts
        return "partial" if is_part else ""
    if name == DELIVER and any(one.what == "delivered" for one in history):
        return "verified"
    return "blocked" if item.is_blocked and item.phase == name else ""


def _ahead(item: Item, rules: Rules) -> Iterator[str]:
    """Yield the names of the phases that are before an item, as far as it is known."""
    pipeline = rules.pipeline(item.pipeline)
    status = item.question.since if item.question is not None else item.status
    if status.is_final or pipeline is None:
        return
    if status is Status.NEW:
        yield TRIAGE
    if status in (Status.NEW, Status.SCOPING):
        yield from (phase.name for phase in pipeline.pre_phases)
    yield from (phase.name for phase in pipeline.phases)
    if rules.delivers:
        yield DELIVER
