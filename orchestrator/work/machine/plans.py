"""How the plan of a branch is made and changed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from orchestrator.errors import UsageError
from orchestrator.work.backlog.text import one_line
from orchestrator.work.backlog.track import NO_PLAN, Cycle, Deliverable, Plan

MODES = ("new", "merge", "replace")
"""A plan is made where there is none, added to, or made anew."""

MOST = 1_000
"""The most parts of a plan."""


def changed(old: Plan, said: Plan, mode: str, *, phases: Collection[str], begun: int) -> Plan:
    """Return the plan that comes of what is said.

    Merging replaces and adds deliverables by their ids, and replaces what is said of a cycle.

    Args:
      mode: one of `MODES`.
      phases: the names of the workflow's phases.
      begun: the highest cycle that was begun; it and those before it stay planned.

    Raises:
      UsageError: there is a plan already, or something is wrong in the new one; names the part.
    """
    if mode == "new" and old != NO_PLAN:
        raise UsageError(
            "there is a plan already", where="mode", fix='say mode "merge", or "replace"'
        )
    if mode not in MODES:
        raise UsageError(
            f"there is no mode {one_line(mode, 40)}",
            where="mode",
            fix=f"take one of {', '.join(MODES)}",
        )
    plan = _merged(old, said) if mode == "merge" else said
    _check(plan, phases)
    if len(plan.cycles) < begun:
        raise UsageError(
            f"cycle {begun} was begun, and the plan has {len(plan.cycles)}",
            where="cycles",
            fix="keep what was begun in the plan",
        )
    return plan


def _merged(old: Plan, said: Plan) -> Plan:
    cycles = {cycle.number: cycle for cycle in old.cycles}
    for cycle in said.cycles:
        known = cycles.get(cycle.number)
        cycles[cycle.number] = (
            cycle
            if known is None
            else Cycle(
                number=cycle.number,
                name=cycle.name or known.name,
                exit_criteria=cycle.exit_criteria or known.exit_criteria,
                deliverables=_by_id(known.deliverables, cycle.deliverables),
            )
        )
    deliverables = {
        phase: _by_id(old.deliverables.get(phase, ()), said.deliverables.get(phase, ()))
        for phase in (*old.deliverables, *said.deliverables)
    }
    ordered = tuple(cycles[number] for number in sorted(cycles))
    return Plan(cycles=ordered, deliverables=deliverables)


def _by_id(old: Iterable[Deliverable], new: Iterable[Deliverable]) -> tuple[Deliverable, ...]:
    return tuple({each.id: each for each in (*old, *new)}.values())


def _check(plan: Plan, phases: Collection[str]) -> None:
    total = len(plan.cycles) + sum(map(len, plan.deliverables.values()))
    total += sum(len(cycle.deliverables) for cycle in plan.cycles)
    if not 0 < total <= MOST:
        raise UsageError(
            f"a plan has 1 to {MOST} parts, and this has {total}",
            fix="give cycles, or deliverables of phases",
        )
    for index, cycle in enumerate(plan.cycles):
        at = f"cycles.{index}"
        if cycle.number != index + 1:
            raise UsageError(
                f"cycles are numbered from 1 without gaps; {cycle.number} comes where "
                f"{index + 1} belongs",
                where=f"{at}.number",
                fix="number them in their order",
            )
        if not cycle.exit_criteria.strip():
            raise UsageError(
                f"cycle {cycle.number} does not say when it is over",
                where=f"{at}.exit_criteria",
                fix="say it in words",
            )
        if not cycle.deliverables:
            raise UsageError(
                f"cycle {cycle.number} brings nothing",
                where=f"{at}.deliverables",
                fix="give one deliverable or more",
            )
        _check_deliverables(cycle.deliverables, f"{at}.deliverables")
    for phase, wanted in plan.deliverables.items():
        if phase not in phases:
            raise UsageError(
                f'there is no phase "{one_line(phase, 80)}"',
                where=f"deliverables.{one_line(phase, 80)}",
                fix=f"take one of {', '.join(phases)}",
            )
        _check_deliverables(wanted, f"deliverables.{phase}")


def _check_deliverables(wanted: Iterable[Deliverable], at: str) -> None:
    seen: set[str] = set()
    for index, each in enumerate(wanted):
        if not each.id.strip() or each.id in seen:
            raise UsageError(
                f'the id "{one_line(each.id, 80)}" is blank, or there twice',
                where=f"{at}.{index}.id",
                fix="give each deliverable an id of its own",
            )
        seen.add(each.id)
        fault = each.gate.fault if each.gate is not None else ""
        if fault:
            raise UsageError(fault, where=f"{at}.{index}.gate", fix="such as {file = PATH}")
