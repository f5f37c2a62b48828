"""Where a person brings an item: to a phase, forwards or backwards, or one step on. Pure."""

from __future__ import annotations

import attrs

from orchestrator.errors import IllegalStepError, UsageError

from .change import Change, View
from .draft import Draft
from .guardrails import approval
from .item import DELIVER, TRIAGE, Asks, Item, Pool, Status
from .onward import begin, enter, go_on, make_ready, route_new, unknown_pipeline
from .pipeline import Pipeline
from .rules import Rules
from .text import one_line


def move(
    view: View,
    rules: Rules,
    id: str,
    *,
    to: str | None = None,
    now: int,
    by: str = "",
    force: bool = False,
    reason: str = "",
    approved_by: str = "",
) -> Change:
    """Bring an item to a phase, forwards or backwards, or one step on.

    One step on is: out of NEW without triage, from READY into the first phase, else to the next
    phase. An item whose ratings are too high, or that somebody asked to review, comes to wait for
    approval instead when the way leads past READY.

    Args:
      to: a phase of its pipeline, "triage" to begin anew, or "deliver" when items are delivered.
      force: go past an approval; takes ``reason`` and ``approved_by``, which are remembered.

    Raises:
      UsageError: no such phase; it is in its last one; or force without a reason or approval.
      IllegalStepError: it waits for an approval.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    if item.track is not None:
        raise IllegalStepError(
            f"{id} is the branch {one_line(item.track.branch, 80)}, which goes through its phases "
            "by hand",
            where=id,
            fix=f"orc move {id}; or call phase.transition-branch",
        )
    text = reason.strip()
    if force:
        if not text or not approved_by.strip():
            raise UsageError(
                f"{id}: force takes a reason, and who approved it",
                where=id,
                fix=f'orc move {id} --force --reason "…" --approved-by NAME',
            )
        text = f"forced, approved by {one_line(approved_by)}: {text}"
        item = attrs.evolve(item, overridden=True)
    elif item.question is not None and item.question.asks is Asks.APPROVAL:
        raise IllegalStepError(
            f"{id} waits for approval: {one_line(item.question.text)}",
            where=id,
            fix=f"orc answer {id} --yes",
        )
    item = draft.put(attrs.evolve(item, based_on=""))
    if to is None:
        _step_on(draft, item, rules, text=text, by=by)
    else:
        _move_to(draft, item, rules, to, text=text, by=by)
    return draft.change()


def _step_on(draft: Draft, item: Item, rules: Rules, *, text: str, by: str) -> None:
    if item.question is not None:
        item = draft.step(item, item.question.since, "moved", by=by)
    pipeline = _pipeline(item, rules)
    before = item.phase
    if item.status is Status.NEW:
        item = route_new(draft, item, rules, "moved", text=text, by=by)
    elif item.status is Status.READY:
        item = begin(draft, item, pipeline, rules, "moved", text=text, by=by)
    elif item.phase is None:
        item = _first_phase(draft, item, rules, pipeline, text=text, by=by)
    elif item.phase == DELIVER or (item.phase == pipeline.phases[-1].name and not rules.delivers):
        raise UsageError(
            f"{item.id} is in its last phase, {item.phase}",
            where=item.id,
            fix=f'orc complete {item.id} --summary "…"',
        )
    elif item.phase != DELIVER and pipeline.find(item.phase) is None:
        raise _no_phase(item.phase, item, pipeline, rules)
    else:
        item = go_on(draft, item, rules, "moved", text=text, by=by)
    if item.phase is not None:
        _tell_move(draft, item, before, text=text, by=by)


def _first_phase(
    draft: Draft, item: Item, rules: Rules, pipeline: Pipeline, *, text: str, by: str
) -> Item:
    """Return the item in the first phase of its status, which an import left it without."""
    if item.status is Status.IN_PROGRESS:
        return draft.put(enter(item, Pool.MAIN, pipeline.phases[0].name))
    if pipeline.pre_phases:
        return draft.put(enter(item, Pool.PRE, pipeline.pre_phases[0].name))
    return make_ready(draft, item, rules, "moved", text=text, by=by)


def _move_to(draft: Draft, item: Item, rules: Rules, to: str, *, text: str, by: str) -> None:
    pipeline = _pipeline(item, rules)
    found = pipeline.find(to)
    before = item.phase
    if to == TRIAGE:
        item = draft.step(item, Status.NEW, "moved", by=by)
        item = attrs.evolve(item, phase=None, pool=None, visit=item.visit + 1, subphases=0)
        _tell_move(draft, draft.put(item), before, text=text, by=by)
        return
    if found is None and not (to == DELIVER and rules.delivers):
        raise _no_phase(to, item, pipeline, rules)
    pool = found[0] if found else Pool.MAIN
    status = Status.SCOPING if pool is Pool.PRE else Status.IN_PROGRESS
    was = item.stage
    passes = status is Status.IN_PROGRESS and was is not Status.IN_PROGRESS
    item = draft.step(item, status, "moved", by=by) if item.status is not status else item
    item = draft.put(enter(item, pool, to))
    _tell_move(draft, item, before, text=text, by=by)
    if passes:
        review = was is not Status.READY
        question = approval(item, rules.guardrails, since=status, review=review)
        if question is not None:
            draft.block(item, question, "blocked")


def _tell_move(draft: Draft, item: Item, before: str | None, *, text: str, by: str) -> None:
    to = item.phase or TRIAGE
    way = f"from {before} to {to}" if before else f"to {to}"
    draft.note(item, "moved", phase=item.phase or "", text=f"{way}: {text}" if text else way, by=by)


def _pipeline(item: Item, rules: Rules) -> Pipeline:
    pipeline = rules.pipeline(item.pipeline)
    if pipeline is None:
        raise UsageError(
            f"{item.id}: {unknown_pipeline(item, rules)}",
            where=item.id,
            fix="configure it, or orc edit the item's pipeline",
        )
    return pipeline


def _no_phase(name: str, item: Item, pipeline: Pipeline, rules: Rules) -> UsageError:
    names = [phase.name for pool in Pool for phase in pipeline.pool(pool)]
    names += [DELIVER] if rules.delivers else []
    return UsageError(
        f'"{one_line(name, 80)}" is no phase of {pipeline.name}',
        where=item.id,
        fix=f"take one of {', '.join(names)}",
    )
