"""What a person does to an item: moving, answering, closing, completing, claiming it. Pure.

Every function takes the backlog and an item's id and returns what comes of it; ``by`` is who does
it, ``now`` is Unix time in nanoseconds. All raise `UnknownItemError` when there is no such item,
and `IllegalStepError` when it is done or closed.
"""

from __future__ import annotations

import attrs

from orchestrator.errors import IllegalStepError, UsageError

from .change import Change, View
from .draft import Draft
from .editing import Edits as Edits
from .editing import NewItem as NewItem
from .editing import add as add
from .editing import add_all as add_all
from .editing import edit as edit
from .item import Asks, Cause, Claim, Item, Question, Status
from .merging import merge
from .moving import move as move
from .onward import recheck
from .rules import Rules
from .text import one_line, page

_APPROVALS = (Cause.REVIEW, Cause.GUARDRAILS)


def answer(
    view: View,
    rules: Rules,
    id: str,
    text: str = "",
    *,
    verdict: bool | None = None,
    now: int,
    by: str = "",
) -> Change:
    """Answer what an item waits for: it goes on where it was, with a fresh allowance of attempts.

    The next prompt tells the answer. An item whose ratings are too high meanwhile waits on, for
    approval.

    Args:
      verdict: yes or no. An approval takes one; no closes the item.

    Raises:
      IllegalStepError: it waits for nothing.
      UsageError: the answer does not fit what was asked.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    question = _question(item)
    said = page(text)
    if question.asks is Asks.APPROVAL:
        if verdict is None:
            raise UsageError(
                f"{id} waits for a yes or a no", where=id, fix=f"orc answer {id} --yes, or --no"
            )
        if not verdict:
            return close(view, id, said or f"not approved: {question.text}", now=now, by=by)
    elif verdict is False and question.cause is not Cause.ASKED:
        raise UsageError(
            f"{id}: no is no answer to this: {one_line(question.text)}",
            where=id,
            fix=f'orc close {id} --reason "…", or orc answer {id} TEXT',
        )
    elif question.cause is Cause.ASKED and verdict is None and not said:
        raise UsageError(
            f"{id} waits for an answer in words", where=id, fix=f"orc answer {id} TEXT"
        )
    if verdict is not None:
        said = f"{'yes' if verdict else 'no'}{': ' if said else ''}{said}"
    overridden = item.overridden or question.cause in _APPROVALS
    item = attrs.evolve(
        item, answer=said, asked=question.text if said else "", overridden=overridden
    )
    _resume(draft, item, rules, "answered", text=said, by=by)
    return draft.change()


def retry(view: View, rules: Rules, id: str, *, now: int, by: str = "") -> Change:
    """Let an item try again what stopped it, with a fresh allowance of attempts.

    Raises:
      IllegalStepError: it waits for nothing, or for an answer.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    question = _question(item)
    if question.cause is Cause.ASKED or question.asks is Asks.APPROVAL:
        wanted = "--yes" if question.asks is Asks.APPROVAL else "TEXT"
        raise IllegalStepError(
            f"{id} waits for an answer: {one_line(question.text)}",
            where=id,
            fix=f"orc answer {id} {wanted}",
        )
    _resume(draft, item, rules, "retried", by=by)
    return draft.change()


def _resume(draft: Draft, item: Item, rules: Rules, what: str, *, text: str = "", by: str) -> None:
    """Let a blocked item go back to where it was."""
    question = _question(item)
    item = attrs.evolve(
        item,
        visit=item.visit + 1,
        subphases=0,
        based_on="",
        accepts_branch=question.cause is Cause.PARKED,
    )
    item = draft.step(item, question.since, what, phase=item.phase or "", text=text, by=by)
    recheck(draft, item, rules)


def hold(view: View, id: str, reason: str, *, now: int, by: str = "") -> Change:
    """Let an item wait until a person lets it go on by `answer` or `retry`.

    Raises:
      IllegalStepError: it waits already.
      UsageError: there is no reason.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    text = _reason(id, reason, "give a reason")
    question = Question(text=text, asks=Asks.DECISION, cause=Cause.HELD, since=item.status)
    draft.block(item, question, "blocked", by=by)
    return draft.change()


def close(
    view: View, id: str, reason: str, *, duplicate_of: str | None = None, now: int, by: str = ""
) -> Change:
    """End an item without its being done; whatever needs it does not wait for it any more.

    Args:
      duplicate_of: the item that what this one says goes into.

    Raises:
      UsageError: there is no reason, or it is its own duplicate.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    if duplicate_of is not None:
        merge(draft, id, duplicate_of, by=by, text=page(reason))
        return draft.change()
    text = _reason(id, reason, f'orc close {id} --reason "…"')
    waiting = [name for name in draft.dependents(id) if not draft.item(name).status.is_final]
    told = f"{text} (no longer waiting for it: {', '.join(waiting)})" if waiting else text
    closed = draft.step(item, Status.CLOSED, "closed", text=told, by=by)
    draft.put(attrs.evolve(closed, reason=text, claim=None, summary=""))
    return draft.change()


def complete(view: View, id: str, summary: str, *, now: int, by: str = "") -> Change:
    """Let an item be done, because a person did the rest of it.

    Raises:
      UsageError: the summary is blank.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    text = _reason(id, summary, f'orc complete {id} --summary "…"')
    done = draft.step(
        item,
        Status.DONE,
        "completed",
        phase=item.phase or "unknown",
        outcome="Complete",
        text=text,
        by=by,
    )
    draft.put(attrs.evolve(done, reason=text, claim=None, summary=""))
    return draft.change()


def claim(view: View, id: str, by: str, *, now: int) -> Change:
    """Let a person work on an item; the scheduler leaves it alone. Nothing when it is theirs.

    Raises:
      UsageError: somebody else works on it, or nobody is named.
    """
    draft = Draft(view, now)
    item = draft.open_item(id)
    name = one_line(by)
    if not name:
        raise UsageError(f"{id}: who claims it?", where=id, fix=f"orc claim {id} --by NAME")
    if item.claim is not None and item.claim.by != name:
        raise UsageError(
            f"{id} is claimed by {item.claim.by}", where=id, fix=f"orc claim {id} --release"
        )
    if item.claim is None:
        draft.note(draft.put(attrs.evolve(item, claim=Claim(by=name, at=now))), "claimed", by=name)
    return draft.change()


def unclaim(view: View, id: str, *, now: int, by: str = "") -> Change:
    """Give an item back to the scheduler; nothing when nobody claimed it."""
    draft = Draft(view, now)
    item = draft.item(id)
    if item.claim is not None:
        draft.note(draft.put(attrs.evolve(item, claim=None)), "released", by=by)
    return draft.change()


def _question(item: Item) -> Question:
    if item.question is None:
        raise IllegalStepError(
            f"{item.id} waits for nobody: it is {item.status.value}",
            where=item.id,
            fix=f"orc show {item.id}",
        )
    return item.question


def _reason(id: str, text: str, fix: str) -> str:
    told = page(text)
    if not told:
        raise UsageError(f"{id}: say why, or what was done", where=id, fix=fix)
    return told
