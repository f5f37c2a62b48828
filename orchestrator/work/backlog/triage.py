"""What the triage of a new item comes to: ratings, duplicates, its pipeline, its way. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from orchestrator.errors import UsageError

from .attempted import Attempted, Landed, current, land
from .change import Change, View
from .draft import Draft
from .followups import take_up
from .item import TRIAGE, Item, Status
from .merging import merge, surviving
from .onward import misconfigured, rated, route_new
from .outcomes import ask
from .result import Outcome, PhaseResult
from .rules import Rules
from .text import one_line, page

MOST_DUPLICATES = 20
"""How many items one triage may put together."""


def triaged(
    view: View,
    rules: Rules,
    attempt: Attempted,
    result: PhaseResult,
    landed: Landed | None,
    *,
    mint: Callable[[], str],
    now: int,
) -> Change:
    """Let a new item go where its triage leads, or wait for the answer that it asks for.

    Duplicates become one. When the item itself goes into another one, it is closed and nothing
    else comes of the result but its follow-ups.

    Args:
      landed: where the files of the triage are, None when it left none.

    Raises:
      OvertakenError: the item is not new any more.
      UsageError: it is no triage, or neither completed nor asks.
    """
    if result.outcome not in (Outcome.COMPLETE, Outcome.BLOCKED):
        raise UsageError(f"a triage that reports {result.outcome.value} leads nowhere")
    is_complete = result.outcome is Outcome.COMPLETE
    draft = Draft(view, now)
    item = rated(current(draft, attempt, phase=TRIAGE), result.ratings)
    if landed is not None:
        item = land(item, attempt, result.commit_summary, landed)
    if result.description:
        item = attrs.evolve(item, description=result.description)
    item = draft.put(attrs.evolve(item, summary=page(result.summary)))
    if is_complete:
        draft.note(
            item,
            "phase",
            phase=attempt.phase,
            outcome="Complete",
            text=item.summary,
            attempt=attempt.id,
        )
        take_up(draft, item, result.follow_ups, phase=attempt.phase, attempt=attempt.id, mint=mint)
    item = _join(draft, item, result.duplicates, attempt)
    if item.status is Status.NEW:
        _route(draft, item, rules, attempt, result)
    return draft.change()


def _join(draft: Draft, item: Item, duplicates: Sequence[str], attempt: Attempted) -> Item:
    """Make one of the item and its duplicates; stop when it is gone itself."""
    for id in dict.fromkeys(duplicates[:MOST_DUPLICATES]):
        other = draft.get(id)
        if other is None or other.status.is_final or other.id == item.id:
            text = f"{one_line(id, 80)} is no open item that it could be a duplicate of"
            draft.note(item, "skipped", phase=attempt.phase, text=text, attempt=attempt.id)
            continue
        kept, gone = surviving(item, other)
        merge(draft, gone.id, kept.id)
        item = draft.item(item.id)
        if item.status.is_final:
            break
    return item


def _route(draft: Draft, item: Item, rules: Rules, attempt: Attempted, result: PhaseResult) -> None:
    if result.pipeline is not None:
        if result.pipeline not in rules.pipelines:
            names = ", ".join(sorted(rules.pipelines))
            name = one_line(result.pipeline, 80)
            text = f"Triage assigned invalid pipeline type '{name}'. Available: {names}"
            misconfigured(
                draft, item, text, phase=attempt.phase, outcome="Blocked", attempt=attempt.id
            )
            return
        item = draft.put(attrs.evolve(item, pipeline=result.pipeline))
    if result.outcome is Outcome.BLOCKED:
        ask(draft, item, attempt, result)
    else:
        route_new(draft, item, rules, "triaged")
