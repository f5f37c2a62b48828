"""What keeps an item from going on, beside its attempts, and lets it wait for a person. Pure.

Those functions that take an attempt raise as those of `outcomes` do.
"""

from __future__ import annotations

import attrs

from .attempted import Attempted, current, stop
from .change import Change, View
from .draft import Draft
from .item import DELIVER, Asks, Cause, Question
from .onward import misconfigured
from .text import page


def delivery_refused(view: View, attempt: Attempted, reason: str, *, now: int) -> Change:
    """Let an item wait for a person whose result cannot go where it belongs."""
    draft = Draft(view, now)
    item = current(draft, attempt, phase=DELIVER)
    stop(draft, item, Cause.DELIVERY, page(reason), attempt, outcome="Blocked")
    return draft.change()


def parked(view: View, id: str, reason: str, *, now: int) -> Change:
    """Let an item wait for a person because what happened to its branch is ambiguous.

    What it waits for already is not forgotten. An item that is over stays so, with an entry.

    Args:
      reason: what was found, and the command that decides it.
    """
    draft = Draft(view, now)
    item = draft.item(id)
    text = page(reason)
    if item.question is not None:
        if item.question.cause is Cause.PARKED and item.question.text.startswith(text):
            return Change()
        text = page(f"{text}\n\nBefore that: {item.question.text}")
        question = attrs.evolve(item.question, text=text, cause=Cause.PARKED, asks=Asks.DECISION)
        item = draft.put(attrs.evolve(item, question=question))
    if item.question is not None or item.status.is_final:
        draft.note(item, "parked", phase=item.phase or "", text=text)
        return draft.change()
    question = Question(text=text, asks=Asks.DECISION, cause=Cause.PARKED, since=item.status)
    draft.block(item, question, "parked", phase=item.phase or "")
    return draft.change()


def stale(view: View, attempt: Attempted, commit: str, *, now: int) -> Change:
    """Let an item wait for a person whose work rests on a commit that left the history."""
    text = f"Stale: prior phase based on commit {commit} no longer in history"
    draft = Draft(view, now)
    stop(draft, current(draft, attempt), Cause.STALE, text, attempt, outcome="Blocked")
    return draft.change()


def gate_refused(view: View, attempt: Attempted, reason: str, *, now: int) -> Change:
    """Let an item wait for a person that a gate keeps from entering or leaving its phase."""
    draft = Draft(view, now)
    stop(draft, current(draft, attempt), Cause.GATE, page(reason), attempt, outcome="Blocked")
    return draft.change()


def bad_configuration(view: View, id: str, reason: str, *, now: int) -> Change:
    """Let an item wait for a person whose pipeline or phase is not, or wrongly, configured.

    Nothing when it waits already, or is over.
    """
    draft = Draft(view, now)
    item = draft.item(id)
    if item.is_blocked or item.status.is_final:
        return Change()
    misconfigured(draft, item, page(reason), phase=item.phase or "")
    return draft.change()
