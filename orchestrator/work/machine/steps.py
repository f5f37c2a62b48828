"""Which change of phase or cycle a branch may make, and which gates stand before it. Pure."""

from __future__ import annotations

import difflib

import attrs

from orchestrator.errors import IllegalStepError, UsageError
from orchestrator.work.backlog.gate import Gate
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.text import one_line, page
from orchestrator.work.backlog.track import Track

from .scope import names, phases


@attrs.frozen(kw_only=True)
class Step:
    """A step that is possible as far as phases and cycles go.

    Attributes:
      phase, cycle: where it leads; cycle 0 outside of cycles.
      gates: what has to hold before it, or is passed when it is forced.
      reason, approved_by: of a forced one; ``approved_by`` may be said of any.
    """

    phase: str
    cycle: int
    gates: tuple[Gate, ...]
    forced: bool = False
    reason: str = ""
    approved_by: str = ""


def track_of(item: Item) -> Track:
    """Return the track of an item.

    Raises:
      IllegalStepError: it has none: it goes through its phases by `orc run`.
    """
    if item.track is None:
        raise IllegalStepError(
            f"{item.id} has no branch that is brought through phases by hand",
            where=item.id,
            fix="orc git start TYPE/NAME begins one; runs work on the others",
        )
    return item.track


def workflow_of(item: Item, rules: Rules) -> Pipeline:
    """Return the pipeline that an item goes through.

    Raises:
      UsageError: it is not configured any more.
    """
    pipeline = rules.pipeline(item.pipeline)
    if pipeline is None:
        known = ", ".join(sorted(rules.pipelines))
        raise UsageError(
            f"the workflow {one_line(item.pipeline or '', 80)} is not configured",
            where=item.id,
            fix=f"configure [pipelines.{item.pipeline}] again; or begin anew with one of {known}: "
            f"orc close {item.id} --reason TEXT, orc git start {track_of(item).branch} "
            "--workflow NAME",
        )
    return pipeline


def phase_of(item: Item, pipeline: Pipeline) -> Phase:
    """Return the phase that an item is in.

    Raises:
      IllegalStepError: its workflow does not have it any more; says how to get on.
    """
    found = pipeline.find(item.phase)
    if found is None:
        raise IllegalStepError(
            f"{item.id} is in {one_line(item.phase or 'no phase', 80)}, which {pipeline.name} does "
            "not have",
            where=item.id,
            fix=f"force it into one of {', '.join(names(pipeline))}",
        )
    return found[2]


def next_phase(item: Item, pipeline: Pipeline) -> str:
    """Return the phase after the one that an item is in, "" when it is the last one, or unknown."""
    every = names(pipeline)
    if item.phase not in every:
        return ""
    place = every.index(item.phase)
    return every[place + 1] if place + 1 < len(every) else ""


def step_on(item: Item, rules: Rules, to: str | None, *, approved_by: str = "") -> Step:
    """Return the step to the next phase.

    Args:
      to: its name, None for whichever it is.

    Raises:
      UsageError: there is no such phase.
      IllegalStepError: it is not the next one, cycles are left, or a person has to answer first.
    """
    track, pipeline = track_of(item), workflow_of(item, rules)
    phase = phase_of(item, pipeline)
    _require_unblocked(item)
    after = next_phase(item, pipeline)
    if to is not None:
        _require_known(to, pipeline, item)
    if not after:
        raise IllegalStepError(
            f"{item.id} is in the last phase of {pipeline.name}, {phase.name}",
            where=item.id,
            fix=f'merge its branch, then: orc complete {item.id} --summary "…"',
        )
    if to is not None and to != after:
        raise IllegalStepError(
            f"{phase.name} → {to} is no step of {pipeline.name}: after {phase.name} comes {after}",
            where=item.id,
            fix=f"orc move {item.id} --to {after}; or past the order: "
            f'orc move {item.id} --to {to} --force --reason "…" --approved-by NAME',
        )
    total = len(track.plan.cycles)
    if phase.cycles and not total:
        raise IllegalStepError(
            f"{phase.name} is done in cycles, and none is planned",
            where=item.id,
            fix="save a plan with one cycle or more",
        )
    if phase.cycles and track.cycle < total:
        left = ", ".join(str(number) for number in range(track.cycle + 1, total + 1))
        raise IllegalStepError(
            f"{phase.name} is in cycle {track.cycle} of {total}: cycle {left} is left",
            where=item.id,
            fix=f"orc move {item.id} --cycle {track.cycle + 1}",
        )
    return Step(
        phase=after,
        cycle=_first_cycle(after, pipeline, track),
        gates=phase_gates(item, phase),
        approved_by=one_line(approved_by),
    )


def force_on(item: Item, rules: Rules, to: str, *, reason: str, approved_by: str) -> Step:
    """Return the step to any phase of the workflow, past what stands before it.

    Raises:
      UsageError: there is no such phase, or no reason or approval is given.
      IllegalStepError: it is in that phase already.
    """
    track, pipeline = track_of(item), workflow_of(item, rules)
    _require_known(to, pipeline, item)
    _require_words(item, reason, approved_by)
    if to == item.phase:
        raise IllegalStepError(
            f"{item.id} is in {to} already",
            where=item.id,
            fix=f"orc git context --branch {item.id}",
        )
    found = pipeline.find(item.phase)
    return Step(
        phase=to,
        cycle=_first_cycle(to, pipeline, track),
        gates=phase_gates(item, found[2]) if found is not None else (),
        forced=True,
        reason=page(reason),
        approved_by=one_line(approved_by),
    )


def cycle_on(item: Item, rules: Rules, to: int | None, *, approved_by: str = "") -> Step:
    """Return the step to the next cycle of the phase.

    Raises:
      IllegalStepError: the phase has no cycles, none is planned, or it is not the next one.
    """
    track, phase = track_of(item), _cyclic(item, rules)
    _require_unblocked(item)
    wanted = track.cycle + 1 if to is None else to
    _require_cycle(item, track, wanted)
    if wanted != track.cycle + 1:
        raise IllegalStepError(
            f"cycle {track.cycle} → {wanted} is no step: after {track.cycle} comes "
            f"{track.cycle + 1}",
            where=item.id,
            fix=f"orc move {item.id} --cycle {track.cycle + 1}; or past the order: orc move "
            f'{item.id} --cycle {wanted} --force --reason "…" --approved-by NAME',
        )
    return Step(
        phase=phase.name,
        cycle=wanted,
        gates=cycle_gates(item, phase),
        approved_by=one_line(approved_by),
    )


def force_cycle(item: Item, rules: Rules, to: int, *, reason: str, approved_by: str) -> Step:
    """Return the step to any planned cycle, past what stands before it.

    Raises:
      IllegalStepError: the phase has no cycles, or none of this number is planned.
      UsageError: no reason or approval is given.
    """
    track, phase = track_of(item), _cyclic(item, rules)
    _require_words(item, reason, approved_by)
    _require_cycle(item, track, to)
    return Step(
        phase=phase.name,
        cycle=to,
        gates=cycle_gates(item, phase),
        forced=True,
        reason=page(reason),
        approved_by=one_line(approved_by),
    )


def phase_gates(item: Item, phase: Phase) -> tuple[Gate, ...]:
    """Return what has to hold before an item leaves its phase, its last cycle's gates too."""
    plan = track_of(item).plan
    own = [each.gate for each in plan.deliverables.get(phase.name, ()) if each.gate is not None]
    every = (*phase.leave, *own, *(cycle_gates(item, phase) if phase.cycles else ()))
    return tuple(dict.fromkeys(every))  # what two of them ask is looked at once


def cycle_gates(item: Item, phase: Phase) -> tuple[Gate, ...]:
    """Return what has to hold before an item leaves the cycle that it is in."""
    track = track_of(item)
    if not track.cycle:
        return ()
    configured = [gate for gate in phase.leave_cycle if gate.cycle in (0, track.cycle)]
    cycle = track.plan.cycle(track.cycle)
    planned = cycle.deliverables if cycle is not None else ()
    return (*configured, *(each.gate for each in planned if each.gate is not None))


def _first_cycle(name: str, pipeline: Pipeline, track: Track) -> int:
    """Return the cycle that a phase is begun with: the lowest that was never begun."""
    found = pipeline.find(name)
    if found is None or not found[2].cycles:
        return 0
    lowest = next(number for number in range(1, len(track.begun) + 2) if number not in track.begun)
    total = len(track.plan.cycles)
    return min(lowest, total) if total else 1


def _cyclic(item: Item, rules: Rules) -> Phase:
    phase = phase_of(item, workflow_of(item, rules))
    if not phase.cycles:
        cyclic = [each.name for each in phases(workflow_of(item, rules)) if each.cycles]
        raise IllegalStepError(
            f"{phase.name} is not done in cycles",
            where=item.id,
            fix=f"those of {item.pipeline or 'this workflow'} that are: "
            f"{', '.join(cyclic) or 'none'}",
        )
    return phase


def _require_cycle(item: Item, track: Track, wanted: int) -> None:
    total = len(track.plan.cycles)
    if not total:
        raise IllegalStepError(
            f"no cycles are planned for {item.id}", where=item.id, fix="save a plan with cycles"
        )
    if not 1 <= wanted <= total:
        raise IllegalStepError(
            f"there is no cycle {wanted}: {total} are planned",
            where=item.id,
            fix=f"take one of 1 to {total}, or plan more",
        )


def _require_known(to: str, pipeline: Pipeline, item: Item) -> None:
    every = names(pipeline)
    if to not in every:
        near = difflib.get_close_matches(to, every, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise UsageError(
            f'{pipeline.name} has no phase "{one_line(to, 80)}"',
            where=item.id,
            fix=f"{hint}its phases: {', '.join(every)}",
        )


def _require_words(item: Item, reason: str, approved_by: str) -> None:
    for name, text in (("reason", reason), ("approved_by", approved_by)):
        if not text.strip():
            raise UsageError(
                f"{item.id}: force takes a reason, and who approved it; there is no {name}",
                where=name,
                fix="say why, and name the person who said that it may be so",
            )


def waits(item: Item) -> IllegalStepError:
    """Return the error about an item that waits for an answer."""
    asked = one_line(item.question.text) if item.question is not None else ""
    return IllegalStepError(
        f"{item.id} waits for an answer: {asked}", where=item.id, fix=f"orc answer {item.id} TEXT"
    )


def _require_unblocked(item: Item) -> None:
    if item.question is not None:
        raise waits(item)
