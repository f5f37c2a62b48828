"""Why an item of the backlog is where it is, what comes next and what to say. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from orchestrator.text import clock_time, one_line
from orchestrator.work.backlog.item import Asks, Cause, Item, Question, Status
from orchestrator.work.backlog.needs import unmet
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.selection import Promote, RunPhase, Triage, next_action
from orchestrator.work.records import AttemptState

from .model import Attempt
from .why import Why
from .words import attempt_state, changes, count, spent, state_word

_SECOND = 1e9
_STOPS = {
    Cause.FAILED: "it used up its attempts at {phase}: {text}",
    Cause.REVIEW: "a person has to approve it: {text}",
    Cause.GUARDRAILS: "it is more than goes without approval: {text}",
    Cause.GATE: "a gate of {phase} is closed: {text}",
    Cause.STALE: "what it was based on is gone: {text}",
    Cause.PARKED: "what became of its branch is not certain: {text}",
    Cause.DELIVERY: "its result cannot be delivered: {text}",
    Cause.CONFIGURATION: "it is not configured how it goes on: {text}",
    Cause.HELD: "a person holds it: {text}",
}


@attrs.frozen(kw_only=True)
class Circumstances:
    """What else there is to know of an item.

    Attributes:
      known: every item, by its id.
      line: the ids of what a run could work on right now, in that order.
      attempts: all that were made at its phases, oldest first.
      branch: its branch, "" when there is none.
      running: whether an engine works here.
    """

    known: Mapping[str, Item]
    rules: Rules
    line: Sequence[str]
    attempts: Sequence[Attempt]
    branch: str
    running: bool


def why_item(item: Item, around: Circumstances) -> Why:
    """Say why an item is where it is."""
    last = _telling(item, around.attempts)
    place = f" in {item.phase}" if item.phase and not item.status.is_final else ""
    return Why(
        item=item.id,
        story=None,
        headline=f"{item.id}: {item.status.value.replace('_', ' ')}{place}, {one_line(item.title)}",
        because=_because(item, around),
        evidence="",
        last=last,
        facts=tuple(_facts(item, around, last)),
        next=_next(item, around),
        say=tuple(_say(item, around)),
    )


def _telling(item: Item, attempts: Sequence[Attempt]) -> Attempt | None:
    """Return the attempt that shows it best: of its phase, the newest that did not go well."""
    mine = [one for one in attempts if one.record.phase == (item.phase or "triage")]
    bad = [one for one in mine if one.state is not AttemptState.VERIFIED]
    return next(iter(reversed(bad or mine)), None)


def _is_at_work(around: Circumstances) -> bool:
    last = around.attempts[-1:]
    return around.running and any(one.state is AttemptState.STARTED for one in last)


def _because(item: Item, around: Circumstances) -> str:
    if item.question is not None:
        return _asks(item, item.question)
    if item.status is Status.CLOSED:
        return f"it was closed: {one_line(item.reason)}"
    if item.status is Status.DONE:
        by = one_line(item.reason)
        return f"a person completed it: {by}" if by else "it went through its pipeline"
    if item.claim is not None:
        since = clock_time(item.claim.at / _SECOND)
        return f"{one_line(item.claim.by)} works on it since {since}"
    if item.track is not None:
        return f"it is brought through its phases by hand, on {one_line(item.track.branch)}"
    if open_needs := unmet(around.known, item):
        told = ", ".join(f"{id} ({_status(around.known.get(id))})" for id in open_needs)
        return f"it needs what is not done: {told}"
    if _is_at_work(around):
        return f"a worker is at {item.phase or 'its triage'}"
    if next_action(item, around.rules) is None:
        return f"{item.phase or 'its pipeline'} is not configured in {item.pipeline or 'feature'}"
    if item.status is Status.READY and (full := _full(around)):
        return full
    if item.id in around.line and (before := around.line.index(item.id)):
        first = ", ".join(around.line[: min(before, 3)])
        return f"{count(before, 'item')} can be worked on before it: {first}"
    return "nothing is in its way" + (
        ": its turn comes" if around.running else "; nothing runs here"
    )


def _asks(item: Item, question: Question) -> str:
    text, phase = one_line(question.text, 400), item.phase or "its triage"
    if question.cause is Cause.ASKED:
        return f"{phase} asks for {_kind(question.asks)}: {text}"
    return _STOPS[question.cause].format(phase=phase, text=text)


def _kind(asks: Asks) -> str:
    return f"{'an' if asks is Asks.APPROVAL else 'a'} {asks.value}"


def _status(item: Item | None) -> str:
    return "unknown" if item is None else item.status.value.replace("_", " ")


def _full(around: Circumstances) -> str:
    """Return that no more items may be in progress, "" when some may."""
    most = around.rules.limits.max_wip
    begun = [one.id for one in around.known.values() if one.status is Status.IN_PROGRESS]
    if len(begun) < most:
        return ""
    return f"{count(most, 'item')} may be in progress at a time, and {', '.join(begun[:3])} is"


def _facts(item: Item, around: Circumstances, last: Attempt | None) -> Iterator[tuple[str, str]]:
    phase = item.phase or "triage"
    tries = [one for one in around.attempts if one.record.phase == phase]
    if tries:
        words = ", ".join(state_word(attempt_state(one)) for one in tries[-8:])
        yield "tries", f"{count(len(tries), 'try')} at {phase}: {words}"
    if last is not None:
        record = last.record
        parts = (state_word(attempt_state(last)), clock_time(record.at), *spent((last,)))
        yield "last", ", ".join(parts) + (f": {record.reason}" if record.reason else "")
        if last.diff is not None and last.diff.count:
            yield "changed", changes(last.diff)
    if item.answer:
        yield "told", one_line(item.answer)
    held = [one.id for one in around.known.values() if item.id in one.needs]
    if held and not item.status.is_final:
        yield "needed by", ", ".join(held)
    if item.origin:
        yield "from", one_line(item.origin)
    if around.branch:
        yield "branch", around.branch


def _next(item: Item, around: Circumstances) -> str:
    if item.status.is_final:
        return "nothing: it is over"
    if item.question is not None:
        since = item.question.since
        where = f"in {item.phase}" if item.phase else f"where it was: {_words(since)}"
        return f"once it is answered, it goes on {where}, with all attempts afresh"
    if item.claim is not None:
        return "runs leave it alone until it is given back, or completed"
    if item.track is not None:
        return "whoever works on the branch moves it on; runs leave it alone"
    if unmet(around.known, item):
        return "it goes on by itself when they are done or closed"
    if _is_at_work(around):
        return "it goes on by itself"
    match next_action(item, around.rules):
        case Triage():
            return "a run rates it and finds out which way it goes"
        case Promote():
            return "a run begins its first phase when there is a place for it"
        case RunPhase(phase=phase):
            return f"a run goes on with {phase}"
        case _:
            return "a run asks what to do about that"


def _words(status: Status) -> str:
    return status.value.replace("_", " ")


def _say(item: Item, around: Circumstances) -> Iterator[tuple[str, str]]:
    id, question = item.id, item.question
    if item.status is Status.DONE and around.branch:
        yield f"orc diff {id}", "look at it"
        yield f"orc finish {id} --merge", "bring it home (or --squash, --apply)"
    if question is not None:
        yield from _replies(id, question)
    elif item.claim is not None:
        yield f"orc claim {id} --release", "give it back"
        yield f'orc complete {id} --summary "…"', "say that it is done"
    elif item.track is not None:
        yield f"orc git context --branch {id}", "see what is expected, and what closes the phase"
        yield f"orc move {id}", "go on to the next phase"
    elif open_needs := unmet(around.known, item):
        yield f"orc why {open_needs[0]}", "see what that one waits for"
        yield f"orc edit {id} --needs none", "do not wait for any"
    elif _is_at_work(around):
        yield "orc logs -f", "watch it"
        yield f"orc tell {id} TEXT", "say something to its next attempt"
    elif not item.status.is_final:
        yield f"orc run --target {id}", "work on this one now"
        yield f"orc edit {id} --priority 1", "let it go before others"
    yield f"orc show {id} --history", "see all that happened"


def _replies(id: str, question: Question) -> Iterator[tuple[str, str]]:
    if question.asks is Asks.APPROVAL:
        yield f"orc answer {id} --yes", "approve it"
        yield f"orc answer {id} --no", "close it"
        return
    if question.cause is not Cause.ASKED:
        yield f"orc retry {id}", "let it try again"
    yield f"orc answer {id} TEXT", "the next attempt is told"
    yield f'orc close {id} --reason "…"', "give it up"
