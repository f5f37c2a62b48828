"""What the end of an attempt at a phase comes to for its item. Pure.

Every function takes the backlog and returns what comes of it; ``now`` is Unix time in
nanoseconds. Those that take an attempt raise `UnknownItemError` when its item is unknown and
`OvertakenError` when the item is not in this visit of this phase any more: nothing of the result
applies then but what `overtaken` keeps.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from orchestrator.errors import UsageError

from .attempted import Attempted as Attempted
from .attempted import Landed as Landed
from .attempted import current, land, stop
from .change import Change, View
from .draft import Draft
from .followups import take_up
from .item import DELIVER, TRIAGE, Cause, Item, Question, Status
from .onward import begin, finish, go_on, misconfigured, rated, recheck, unknown_pipeline
from .result import PhaseResult
from .rules import Rules
from .stops import bad_configuration as bad_configuration
from .stops import delivery_refused as delivery_refused
from .stops import gate_refused as gate_refused
from .stops import parked as parked
from .stops import stale as stale
from .text import page

MAX_SUBPHASES = 50
"""How many parts a phase may report as done before it must be complete."""


def phase_completed(
    view: View,
    rules: Rules,
    attempt: Attempted,
    result: PhaseResult,
    landed: Landed,
    *,
    mint: Callable[[], str],
    now: int,
) -> Change:
    """Let an item go on after a phase: to the next one, to READY, to its delivery, or DONE.

    It waits for approval instead when its ratings are too high for what comes next.
    """
    draft = Draft(view, now)
    before = _working(draft, attempt)
    item = _credit(draft, before, attempt, result, landed, "Complete", mint)
    after = go_on(draft, item, rules, "ready")
    if after.ratings != before.ratings:
        recheck(draft, after, rules)
    return draft.change()


def subphase_completed(
    view: View,
    rules: Rules,
    attempt: Attempted,
    result: PhaseResult,
    landed: Landed,
    *,
    mint: Callable[[], str],
    now: int,
) -> Change:
    """Let an item go on with the same phase, a part of which is done.

    A phase that reports parts without an end comes to wait for a person.
    """
    draft = Draft(view, now)
    before = _working(draft, attempt)
    item = _credit(draft, before, attempt, result, landed, "Subphase Complete", mint)
    item = attrs.evolve(item, subphases=item.subphases + 1, visit=item.visit + 1)
    item = draft.put(item)
    if item.subphases >= MAX_SUBPHASES:
        text = f"Phase {attempt.phase} reported {item.subphases} parts as done and no end"
        stop(draft, item, Cause.FAILED, text, attempt)
    elif item.ratings != before.ratings:
        recheck(draft, item, rules)
    return draft.change()


def phase_failed(
    view: View, attempt: Attempted, *, attempts: int, failure: str, now: int
) -> Change:
    """Let an item wait for a person whose phase has used up its attempts.

    Args:
      attempts: how many there were.
      failure: why the last one failed.
    """
    draft = Draft(view, now)
    item = current(draft, attempt)
    text = f"Phase {attempt.phase} failed after {attempts} attempts. Last failure: {page(failure)}"
    stop(draft, item, Cause.FAILED, text, attempt, what="failed", outcome="Failed")
    return draft.change()


def phase_blocked(view: View, attempt: Attempted, result: PhaseResult, *, now: int) -> Change:
    """Let an item wait for the answer that its phase asks for."""
    draft = Draft(view, now)
    item = current(draft, attempt)
    ask(draft, item, attempt, result)
    return draft.change()


def ask(draft: Draft, item: Item, attempt: Attempted, result: PhaseResult) -> Item:
    """Let an item wait for the answer that a result asks for."""
    text = page(result.context) or page(result.summary) or "It does not say what it waits for"
    question = Question(text=text, asks=result.asks, cause=Cause.ASKED, since=item.status)
    return draft.block(
        item, question, "blocked", phase=attempt.phase, outcome="Blocked", attempt=attempt.id
    )


def phase_cancelled(
    view: View, attempt: Attempted, *, now: int, text: str = "Shutdown requested"
) -> Change:
    """Tell that an attempt was cancelled; the item stays where it is."""
    draft = Draft(view, now)
    item = draft.item(attempt.item)
    draft.note(
        item, "cancelled", phase=attempt.phase, outcome="Cancelled", text=text, attempt=attempt.id
    )
    return draft.change()


def overtaken(view: View, attempt: Attempted, landed: Landed, *, now: int) -> Change:
    """Tell that a result came too late to be applied; its files are part of the item's work.

    Args:
      landed: where they are.
    """
    draft = Draft(view, now)
    item = draft.put(land(draft.item(attempt.item), attempt, "", landed))
    text = "the result came too late: the item was moved, answered or ended meanwhile"
    draft.note(item, "overtaken", phase=attempt.phase, text=text, attempt=attempt.id)
    return draft.change()


def promoted(view: View, rules: Rules, id: str, *, now: int) -> Change:
    """Let a ready item begin its first phase; nothing when it is not ready any more."""
    draft = Draft(view, now)
    item = draft.item(id)
    if item.status is not Status.READY:
        return Change()
    pipeline = rules.pipeline(item.pipeline)
    if pipeline is None:
        misconfigured(draft, item, unknown_pipeline(item, rules))
    else:
        begin(draft, item, pipeline, rules, "promoted")
    return draft.change()


def delivered(view: View, attempt: Attempted, *, text: str, now: int) -> Change:
    """Let an item be done whose result went where it belongs.

    Args:
      text: where, in words.
    """
    draft = Draft(view, now)
    item = current(draft, attempt, phase=DELIVER)
    draft.note(item, "delivered", phase=DELIVER, outcome="Complete", text=text, attempt=attempt.id)
    finish(draft, draft.put(attrs.evolve(item, waiting=())))
    return draft.change()


def batch_committed(view: View, id: str, head: str, *, now: int) -> Change:
    """Note that all that waited is committed on the item's branch, whatever its status.

    Args:
      head: the commit.
    """
    draft = Draft(view, now)
    item = draft.item(id)
    if item.waiting or item.head != head:
        phases = ", ".join(waiting.phase for waiting in item.waiting)
        draft.note(draft.put(attrs.evolve(item, head=head, waiting=())), "committed", text=phases)
    return draft.change()


def _working(draft: Draft, attempt: Attempted) -> Item:
    """Return the item of an attempt at a phase of its pipeline."""
    if attempt.phase in (TRIAGE, DELIVER):
        raise UsageError(f"{attempt.id} is an attempt at {attempt.phase}, which ends otherwise")
    return current(draft, attempt)


def _credit(
    draft: Draft,
    item: Item,
    attempt: Attempted,
    result: PhaseResult,
    landed: Landed,
    outcome: str,
    mint: Callable[[], str],
) -> Item:
    """Take over what a successful result brings, whatever comes next."""
    summary = page(result.summary)
    item = rated(item, result.ratings)
    item = land(item, attempt, result.commit_summary, landed)
    item = draft.put(attrs.evolve(item, summary=summary))
    draft.note(
        item, "phase", phase=attempt.phase, outcome=outcome, text=summary, attempt=attempt.id
    )
    take_up(draft, item, result.follow_ups, phase=attempt.phase, attempt=attempt.id, mint=mint)
    return item


def branch_accepted(view: View, id: str, *, now: int) -> Change:
    """Let an item go on from where its branch is, for a person has seen it.

    What waited to be committed is not part of its work any more; it stays pinned.
    """
    draft = Draft(view, now)
    item = draft.item(id)
    lost = ", ".join(waiting.phase for waiting in item.waiting)
    text = "goes on from where its branch is now"
    text += f", without the results of {lost}" if lost else ""
    item = attrs.evolve(item, head="", waiting=(), accepts_branch=False)
    draft.note(draft.put(item), "accepted", text=text)
    return draft.change()
