"""How far a branch is, by what git recorded and what its own commits say. Pure."""

from __future__ import annotations

import attrs

from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.rules import Rules

from .scope import Scope, names
from .steps import track_of


def caught_up(item: Item, rules: Rules, scope: Scope | None) -> Item:
    """Return a recorded item as it is put back: never behind the phases its commits name.

    Commits may be further than the record, when somebody else brought the branch on.
    """
    track = attrs.evolve(track_of(item), rebuilt="record")
    pipeline = rules.pipeline(item.pipeline)
    every = names(pipeline) if pipeline is not None else ()
    if scope is None or scope.phase not in every:
        return attrs.evolve(item, track=track)
    behind = item.phase not in every or every.index(item.phase) < every.index(scope.phase)
    further = item.phase == scope.phase and scope.cycle > track.cycle
    if not (behind or further):
        return attrs.evolve(item, track=track)
    begun = tuple(sorted({*track.begun, scope.cycle})) if scope.cycle else track.begun
    return attrs.evolve(
        item,
        phase=scope.phase,
        track=attrs.evolve(track, cycle=scope.cycle, begun=begun, subphase=scope.subphase),
    )
