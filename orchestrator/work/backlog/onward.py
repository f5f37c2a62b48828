"""How an item goes on: from one phase into the next, made ready, begun, finished. Pure."""

from __future__ import annotations

from typing import Unpack

import attrs

from .draft import Detail, Draft
from .guardrails import approval
from .item import DELIVER, Asks, Assessments, Cause, Item, Level, Pool, Question, Size, Status
from .pipeline import DEFAULT, Pipeline
from .rules import Rules


def enter(item: Item, pool: Pool, phase: str) -> Item:
    """Return the item with this phase to be begun afresh."""
    return attrs.evolve(item, pool=pool, phase=phase, visit=item.visit + 1, subphases=0)


def make_ready(draft: Draft, item: Item, rules: Rules, what: str, **detail: Unpack[Detail]) -> Item:
    """Let an item leave the pre-phases: READY, or BLOCKED when a person has to approve it first.

    Its phase is over either way: once approved it is READY.
    """
    item = draft.put(attrs.evolve(item, pool=None, phase=None, subphases=0))
    question = approval(item, rules.guardrails, since=Status.READY, review=True)
    if question is None:
        return draft.step(item, Status.READY, what, **detail)
    if item.status is Status.NEW:
        item = draft.step(item, Status.SCOPING, what, **detail)
    return draft.block(item, question, "blocked")


def route_new(draft: Draft, item: Item, rules: Rules, what: str, **detail: Unpack[Detail]) -> Item:
    """Let a new item go where its ratings and its pipeline lead.

    What is small and of low or unknown risk, and what has no pre-phases, becomes ready.
    """
    pipeline = rules.pipeline(item.pipeline)
    if pipeline is None:
        return misconfigured(draft, item, unknown_pipeline(item, rules))
    ratings = item.ratings
    is_small = ratings.size is Size.SMALL and ratings.risk in (None, Level.LOW)
    if is_small or not pipeline.pre_phases:
        return make_ready(draft, item, rules, what, **detail)
    item = draft.step(item, Status.SCOPING, what, **detail)
    return draft.put(enter(item, Pool.PRE, pipeline.pre_phases[0].name))


def begin(
    draft: Draft, item: Item, pipeline: Pipeline, rules: Rules, what: str, **detail: Unpack[Detail]
) -> Item:
    """Let a ready item begin its first phase; BLOCKED when a person has to approve it first."""
    question = approval(item, rules.guardrails, since=Status.READY, review=True)
    if question is not None:
        return draft.block(item, question, "blocked")
    item = draft.step(item, Status.IN_PROGRESS, what, **detail)
    return draft.put(enter(item, Pool.MAIN, pipeline.phases[0].name))


def go_on(draft: Draft, item: Item, rules: Rules, what: str, **detail: Unpack[Detail]) -> Item:
    """Let an item leave the phase it is in for what comes after it.

    Args:
      what: with the detail, the entry of a status that changes.
    """
    pipeline = rules.pipeline(item.pipeline)
    if pipeline is None:
        return misconfigured(draft, item, unknown_pipeline(item, rules))
    pool = Pool.PRE if item.status is Status.SCOPING else Pool.MAIN
    names = [phase.name for phase in pipeline.pool(pool)]
    if item.phase not in names:
        where = "pre_phases" if pool is Pool.PRE else "pipeline phases"
        return misconfigured(draft, item, f"Phase {item.phase} not found in {where}")
    later = names[names.index(item.phase) + 1 :]
    if later:
        return draft.put(enter(item, pool, later[0]))
    if pool is Pool.PRE:
        return make_ready(draft, item, rules, what, **detail)
    if rules.delivers:
        return draft.put(enter(item, Pool.MAIN, DELIVER))
    return finish(draft, item)


def finish(draft: Draft, item: Item) -> Item:
    """Let an item be done; which phase was its last stays known."""
    where = item.phase or "unknown"
    item = draft.step(
        item, Status.DONE, "done", phase=where, outcome="Archived", text="Item archived"
    )
    return draft.put(attrs.evolve(item, claim=None, summary=""))


def recheck(draft: Draft, item: Item, rules: Rules) -> Item:
    """Let an item whose ratings changed, or that is let go on, wait if they are too high now.

    What is not ready yet is checked when it becomes so.
    """
    if item.status not in (Status.READY, Status.IN_PROGRESS):
        return item
    review = item.status is Status.READY
    question = approval(item, rules.guardrails, since=item.status, review=review)
    return item if question is None else draft.block(item, question, "blocked")


def rated(item: Item, newer: Assessments) -> Item:
    """Return the item with newer ratings; a person let pass only what they were before."""
    ratings = item.ratings.updated(newer)
    if ratings == item.ratings:
        return item
    return attrs.evolve(item, ratings=ratings, overridden=False)


def misconfigured(draft: Draft, item: Item, reason: str, **detail: Unpack[Detail]) -> Item:
    """Let an item wait for a person because its configuration does not fit."""
    question = Question(
        text=reason, asks=Asks.DECISION, cause=Cause.CONFIGURATION, since=item.status
    )
    return draft.block(item, question, "blocked", **detail)


def unknown_pipeline(item: Item, rules: Rules) -> str:
    """Return the reason why an item cannot go on whose pipeline is not configured."""
    names = ", ".join(sorted(rules.pipelines))
    return f"Pipeline '{item.pipeline or DEFAULT}' not found. Available: {names}"
