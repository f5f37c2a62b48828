"""Why an item is where it is, what comes next and what to say: one screen of it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import attrs

from orchestrator.text import clock_time, duration
from orchestrator.work.records import AttemptState

from .model import Attempt, Item, Story
from .words import attempt_state, changes, count, headline, spent, state_word

_DONE = ("verified", "ticked")
_BLANK = "TEXT"


@attrs.frozen(kw_only=True)
class Why:
    """The answer.

    Attributes:
      headline: where it is.
      because: one sentence that says why; ``evidence`` shows it, when no attempt does.
      last: the attempt that shows it, or None.
      facts: what else there is to know: what kind it is, and what it is.
      next: what another run would do.
      say: commands to go on with, the likeliest first, each with what it does.
    """

    item: str
    story: str | None
    headline: str
    because: str
    evidence: str
    last: Attempt | None
    facts: tuple[tuple[str, str], ...]
    next: str
    say: tuple[tuple[str, str], ...]


def why(item: Item, story: Story | None, *, max_attempts: int, now: float) -> Why:
    """Say why an item, or one story of it, is where it is.

    Args:
      max_attempts: what a run allows each story.
      now: Unix time in seconds.
    """
    subject = story or _subject(item)
    last = _telling(item, subject)
    ahead = _subject(item) if story is None or story.state in _DONE else story
    return Why(
        item=item.id,
        story=story.id if story is not None else None,
        headline=f"{item.id}: {headline(item)}",
        because=_because_of_story(item, story) if story is not None else _because(item, subject),
        evidence=item.evidence if story is None else "",
        last=last,
        facts=tuple(_facts(item, subject, last, now)),
        next=_next(item, ahead, max_attempts),
        say=tuple(_say(item, ahead, last)),
    )


def never_run(change: str, stories: int) -> Why:
    """Say why nothing happened to a change: nobody ran it yet."""
    run = f"orc run {shlex.quote(change)}"
    return Why(
        item=change,
        story=None,
        headline=f"{change}: not started, {count(stories, 'story')}",
        because="nobody has run it yet",
        evidence="",
        last=None,
        facts=(),
        next="a run makes a workspace, checks that it builds, and begins with the first story",
        say=((run, "begin"), (f"{run} --dry-run", "only see what it would do")),
    )


def _subject(item: Item) -> Story | None:
    """Return the story that the item is at: the one that ended the run, or the next to do."""
    named = [story for story in item.stories if story.id == item.run.story]
    open_ones = [story for story in item.stories if story.state not in _DONE]
    return next(iter(named or open_ones), None)


def _telling(item: Item, subject: Story | None) -> Attempt | None:
    """Return the attempt that shows it best: the newest that did not go well, else the newest."""
    mine = subject.attempts if subject is not None else item.attempts
    if subject is not None and subject.state in ("verified", "running"):
        return mine[-1]
    bad = [attempt for attempt in mine if attempt.state is not AttemptState.VERIFIED]
    return bad[-1] if bad and subject is not None else None


def _because(item: Item, subject: Story | None) -> str:
    name = _name(subject)
    match item.status:
        case "in progress" if item.waiting:
            worker = f"a worker is at {name}, then it" if _at_work(subject) else "it"
            return f"{worker} waits for {item.waiting}"
        case "in progress" if _at_work(subject):
            return f"a worker is at {name}"
        case "in progress":
            return "a run is under way"
        case "interrupted" if item.reason:
            return item.reason
        case "interrupted":
            return "its engine ended without a word: killed, or the computer went down"
        case "stopped":
            return item.reason or "a person stopped it"
        case "done":
            return "every story is done; it waits to be delivered"
        case "partial":
            return "as much as was asked for is done" + (f"; {item.reason}" if item.reason else "")
        case "delivered":
            return f"it was delivered: {item.reason}"
        case "discarded":
            return "a person gave it up"
        case "failed" if subject is not None and item.reason.startswith(f"story {subject.id}: "):
            return f"{name} used up its attempts"
        case "blocked" if subject is not None:
            return f"{name} asks: {item.reason}"
        case _:
            return item.reason or f"it is {item.status}"


def _because_of_story(item: Item, story: Story) -> str:
    name = _name(story)
    match story.state:
        case "verified" if item.checks is False:
            return f"{name} is done; no command verified it"
        case "verified":
            return f"{name} is done and verified"
        case "ticked":
            return f"every task of {name} was ticked before anybody worked on it"
        case "open":
            before = next((s for s in item.stories if s.state not in _DONE), story)
            after = f": {_name(before)} comes first" if before is not story else " yet"
            return f"nobody has worked on {name}{after}"
        case "running":
            return f"a worker is at {name}"
        case state:
            reason = story.attempts[-1].record.reason
            return f"the last attempt at {name} is {state_word(state)}" + (
                f": {reason}" if reason else ""
            )


def _facts(
    item: Item, subject: Story | None, last: Attempt | None, now: float
) -> Iterator[tuple[str, str]]:
    if subject is not None and subject.attempts:
        tried = ", ".join(state_word(attempt_state(one)) for one in subject.attempts[-8:])
        yield "tries", f"{count(subject.tries, 'try')} of story {subject.id}: {tried}"
    if last is not None:
        record = last.record
        parts = (state_word(attempt_state(last)), clock_time(record.at), *spent((last,)))
        reason = f": {record.reason}" if record.reason else ""
        yield "last", f"attempt {record.number}, {', '.join(parts)}{reason}"
        if record.until > now:
            wait = duration(record.until - now)
            yield "waits", f"for the limit until {clock_time(record.until)}, another {wait}"
        if last.diff is not None and last.diff.count:
            yield "changed", changes(last.diff)
    if item.advice:
        yield "how", item.advice
    for text in item.told[-3:]:
        yield "told", text
    if item.branch:
        yield "branch", f"{item.branch} at {item.tip[:9]}, {count(item.commits, 'commit')}"
    for delivery in item.deliveries[-2:]:
        yield "delivery", delivery


def _next(item: Item, subject: Story | None, max_attempts: int) -> str:
    if item.status == "in progress":
        return "it goes on by itself" + (" after the wait" if item.waiting else "")
    if item.status in ("done", "delivered"):
        return "a run finds nothing left to do, unless the spec has changed"
    if item.status == "discarded":
        return "a run starts anew from the branch that is checked out"
    if subject is None:
        return "a run finds every story done and says so"
    if item.status == "failed" and item.advice:
        return "a run stops there again, until something changes or you insist"
    continues = item.status in ("interrupted", "stopped", "limited")
    tried = sum(
        attempt.state is AttemptState.FAILED
        for attempt in subject.attempts
        if attempt.record.run == item.run.id
    )
    if continues:
        left = max(max_attempts - tried, 0)
        allowed = f"{count(left, 'try')} left" if left else "no try left: it gives up at once"
    else:
        allowed = f"{count(max_attempts, 'new try')}"
    told = ", told of the last failure" if _failed(subject) else ""
    return f"a run goes on at {_name(subject)}, {allowed}{told}"


def _say(item: Item, subject: Story | None, last: Attempt | None) -> Iterator[tuple[str, str]]:
    run = f"orc run {item.id}"
    tell = f"orc tell {item.id} {_BLANK}"
    match item.status:
        case "in progress":
            yield "orc logs -f", "watch it"
            yield tell, "say something to its next attempt"
            yield "orc stop", "stop it"
            return
        case "done":
            yield f"orc diff {item.id}", "look at it"
            yield f"orc finish {item.id} --merge", "bring it home (or --squash, --apply)"
            return
        case "delivered":
            yield f"orc undo {item.id}", "take it back"
            return
        case "discarded":
            yield f"orc undo {item.id}", "take that back"
            yield f"orc recover {item.id}", "see what is kept"
            return
        case "blocked" if subject is None:
            yield f"orc diff {item.id}", "look at it"
            yield f"orc finish {item.id} --merge", "try again, when what is in the way is gone"
            return
        case "blocked":
            yield tell, "answer, or answer in the spec"
            yield run, "then go on"
        case _ if item.advice.startswith(run) and "," not in item.advice:
            yield item.advice, "go on"
        case _:
            yield run, "go on"
    if subject is not None and _failed(subject):
        show = f"orc show {shlex.quote(item.run.change)} --prompt {shlex.quote(subject.id)}"
        yield show, "see what its worker would be told"
        if item.status == "failed":
            yield tell, "tell it what it misses, before that"
    if last is not None:
        yield f"orc logs {last.record.id}", "see what the worker said"
        if last.commit and last.state is not AttemptState.VERIFIED:
            yield f"orc recover {last.record.id} --to DIR", "get its files"


def _at_work(story: Story | None) -> bool:
    return story is not None and story.state == "running"


def _failed(story: Story) -> bool:
    return any(attempt.state is AttemptState.FAILED for attempt in story.attempts)


def _name(story: Story | None) -> str:
    return f"story {story.id} {story.title}".rstrip() if story is not None else "a story"
