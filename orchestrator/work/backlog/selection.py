"""What to start next, by looking at every item: the rule that the index has to agree with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import attrs

from .filters import EVERYTHING, Filters
from .item import DELIVER, Item, Pool, Status
from .needs import Lookup, unmet
from .rules import Rules


@attrs.frozen(kw_only=True)
class Promote:
    """Let a ready item begin; it uses no slot, and its first phase is selected next time."""

    item: str


@attrs.frozen(kw_only=True)
class Triage:
    """Find out what a new item is, and which pipeline it takes."""

    item: str


@attrs.frozen(kw_only=True)
class RunPhase:
    """Run an item's phase; a destructive one is alone."""

    item: str
    phase: str
    pool: Pool
    destructive: bool = False


Action = Promote | Triage | RunPhase

Running = Mapping[str, bool]
"""The ids of the items that are worked on, each with whether that is destructive."""

Key = tuple[int, int, int, int, str]
"""Sorts what may be done next: kind, priority, importance, age, id."""

PROMOTION, FURTHER, PREPARATION, NEW = range(4)
"""The kinds of a `Key`: what is begun is carried on before anything else is begun."""


def next_action(item: Item, rules: Rules) -> Action | None:
    """Return what comes next for an item, seen by itself.

    None: it is ended, a person has it, or its pipeline or phase is unknown.
    """
    status = item.status
    if item.by_hand:
        return None
    if status is Status.IN_PROGRESS or status is Status.SCOPING:
        place = _place(item, rules)
        if place is None:
            return None
        pool, _, phase, destructive = place
        return RunPhase(item=item.id, phase=phase, pool=pool, destructive=destructive)
    if status is Status.READY and _can_begin(item, rules):
        return Promote(item=item.id)
    return Triage(item=item.id) if status is Status.NEW else None


def urgency(item: Item, rules: Rules) -> Key | None:
    """Return where an item stands among those that wait to be worked on; smaller goes first.

    A higher priority first; then, of ready items, the greater impact, and of others, the further
    phase; then the older. None exactly when there is no `next_action`.
    """
    status = item.status
    if status.is_final or item.by_hand:
        return None
    if status is Status.IN_PROGRESS or status is Status.SCOPING:
        place = _place(item, rules)
        if place is None:
            return None
        kind = FURTHER if status is Status.IN_PROGRESS else PREPARATION
        importance = place[1]
    elif status is Status.READY and _can_begin(item, rules):
        impact = item.ratings.impact
        kind, importance = PROMOTION, -1 if impact is None else impact.rank
    elif status is Status.NEW:
        kind, importance = NEW, 0
    else:
        return None
    return kind, -item.priority, -importance, item.created, item.id


def _can_begin(item: Item, rules: Rules) -> bool:
    pipeline = rules.pipeline(item.pipeline)
    return pipeline is not None and bool(pipeline.phases)


def _place(item: Item, rules: Rules) -> tuple[Pool, int, str, bool] | None:
    """Return the pool, position over both pools, name and destructiveness of an item's phase.

    Without a phase it is at the first of its pool.
    """
    pipeline = rules.pipeline(item.pipeline)
    if pipeline is None:
        return None
    if item.phase == DELIVER:
        return Pool.MAIN, len(pipeline.pre_phases) + len(pipeline.phases), DELIVER, False
    scoping = item.status is Status.SCOPING
    pool = item.pool or (Pool.PRE if scoping else Pool.MAIN)
    first = 0 if pool is Pool.PRE else len(pipeline.pre_phases)
    for index, phase in enumerate(pipeline.pool(pool), first):
        if item.phase is None or item.phase == phase.name:
            return pool, index, phase.name, phase.destructive
    return None


def free_slots(running: Running, rules: Rules) -> int:
    """Return how many more phases may run side by side; none beside a destructive one."""
    if True in running.values():
        return 0
    return max(0, rules.limits.max_concurrent - len(running))


def fill(candidates: Iterable[Action], slots: int, *, idle: bool) -> Iterator[Action]:
    """Yield what of the candidates is started now, given ``slots`` > 0.

    A destructive phase is started only when nothing runs. Until then it holds back all that comes
    after it, so that there is an end to what it waits for.
    """
    for action in candidates:
        if isinstance(action, RunPhase) and action.destructive:
            if idle:
                yield action
            return
        yield action
        idle = False
        slots -= 1
        if not slots:
            return


def scan(
    items: Iterable[Item],
    running: Running,
    rules: Rules,
    wanted: Filters = EVERYTHING,
    kept: Collection[str] = (),
) -> tuple[Action, ...]:
    """Decide what to start now: promotions, then as many phases as there are slots.

    Limits and needs are counted over all items, whatever is wanted.

    Args:
      items: all there are.
      wanted: only these are started.
      kept: ids that are wanted whatever the filters say: what was promoted for being wanted.
    """
    known = {item.id: item for item in items}
    slots = free_slots(running, rules)
    if not slots:
        return ()
    keys = sorted(
        key
        for item in known.values()
        if item.id not in running
        and (item.id in kept or wanted.matches(item))
        and (key := urgency(item, rules)) is not None
        and not unmet(known, item)
    )
    in_progress = sum(
        item.status is Status.IN_PROGRESS and item.track is None for item in known.values()
    )
    promotions = [Promote(item=key[-1]) for key in keys if key[0] == PROMOTION]
    candidates = (
        action
        for key in keys
        if key[0] != PROMOTION and (action := next_action(known[key[-1]], rules)) is not None
    )
    return (
        *promotions[: max(0, rules.limits.max_wip - in_progress)],
        *fill(candidates, slots, idle=not running),
    )


def targeted(view: Lookup, id: str, running: Running, rules: Rules) -> tuple[Action, ...]:
    """Decide what to start of the one item that is wanted; limits do not hold it back.

    Nothing while it is worked on or cannot be: it is unknown, ended, blocked or claimed, needs what
    is open, or would not be alone where it must be.
    """
    item = view.get(id)
    if item is None or id in running or any(running.values()) or unmet(view, item):
        return ()
    action = next_action(item, rules)
    if action is None or (running and isinstance(action, RunPhase) and action.destructive):
        return ()
    return (action,)
