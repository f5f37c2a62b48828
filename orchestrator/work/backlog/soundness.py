"""What in the backlog itself would keep items from ever being worked on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import attrs

from .item import Item, Pool, Status
from .needs import circles
from .pipeline import DEFAULT
from .rules import Rules
from .selection import next_action


class Unsound(NamedTuple):
    """Why an item would wait for ever, and what a person can do about it."""

    item: str
    what: str
    fix: str


_UNDER_WAY = (Status.SCOPING, Status.READY, Status.IN_PROGRESS)


def unsound(items: Iterable[Item], rules: Rules) -> Iterator[Unsound]:
    """Yield all that is wrong with items that are not ended, by their ids.

    Args:
      items: all there are, for one may need any other.
    """
    known = {item.id: item for item in items}
    for id, item in sorted(known.items()):
        if item.status.is_final or item.track is not None:
            continue
        if item.status in _UNDER_WAY and (misplaced := _misplaced(item, rules)):
            yield misplaced
        for need in item.needs:
            if need not in known:
                fix = f"take it out: orc edit {id} --needs …; or add it"
                yield Unsound(id, f"needs {need}, and there is no such item", fix)
    for path in circles(known.values()):
        fix = f"take one need out: orc edit {path[0]} --needs …"
        yield Unsound(path[0], f"waits for itself: {' → '.join(path)}", fix)


def _misplaced(item: Item, rules: Rules) -> Unsound | None:
    """Say why the scheduler would pass an item by although nobody holds it."""
    if next_action(attrs.evolve(item, claim=None), rules) is not None:
        return None
    name = item.pipeline or DEFAULT
    pipeline = rules.pipeline(item.pipeline)
    if pipeline is None:
        known = ", ".join(sorted(rules.pipelines))
        fix = (
            f"give it one of {known}: orc edit {item.id} --pipeline NAME; or add [pipelines.{name}]"
        )
        return Unsound(item.id, f"its pipeline {name} is not configured", fix)
    pool = item.pool or (Pool.PRE if item.status is Status.SCOPING else Pool.MAIN)
    key = f"pipelines.{name}.{'pre_phases' if pool is Pool.PRE else 'phases'}"
    phases = ", ".join(phase.name for phase in pipeline.pool(pool)) or "none"
    fix = f"move it: orc move {item.id} …; or edit {key}"
    if item.phase is None:
        what = f"it is {item.status.value}, and {key} has nothing for it to do"
    elif pipeline.find(item.phase) is None:
        what = f"its phase {item.phase} is not in its pipeline {name}"
    else:
        what = f"its phase {item.phase} is not in {key}, where it is"
    return Unsound(item.id, f"{what}; phases there: {phases}", fix)
