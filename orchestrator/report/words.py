"""How a report says things: states, sums, times. Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from orchestrator.text import duration
from orchestrator.work.backlog.item import DELIVER, TRIAGE
from orchestrator.work.records import AttemptState

from .model import Attempt, Diff, FileChange, Item, Report, Story, seconds_of, usage_of, waits_of
from .task import Asked

SYMBOLS = {
    "verified": "✓",
    "failed": "✗",
    "interrupted": "‖",
    "lost": "?",
    "blocked": "!",
    "limited": "◷",
    "started": "?",
    "running": "▸",
    "ticked": "✓",
    "open": "○",
    "partial": "◐",
}
"""Tells states apart without colour."""

_STATES = {
    "ticked": "done before",
    "open": "not started",
    "started": "cut short",
    "partial": "partly done",
}


def state_word(state: str) -> str:
    """Return the state of a story or an attempt in words."""
    return _STATES.get(state, state)


def attempt_state(attempt: Attempt) -> str:
    """Return the state of an attempt as stories have it."""
    return "running" if attempt.running else attempt.state.value


def story_word(story: Story, item: Item) -> str:
    """Return the state of a story; one that no command checked is "done, unverified"."""
    if story.state == "verified" and item.task is not None and story.id in (TRIAGE, DELIVER):
        return "done"
    checked = story.checked if story.checked is not None else item.checks
    unchecked = story.state == "verified" and checked is False
    return "done, unverified" if unchecked else state_word(story.state)


def money(dollars: float) -> str:
    """Return dollars as "$1.67", with more digits for what is less than a cent."""
    return f"${dollars:.2f}" if dollars >= 0.01 or not dollars else f"${dollars:.4f}"


def count(number: int, word: str) -> str:
    """Return "1 story", "3 stories"."""
    if number == 1:
        return f"1 {word}"
    return f"{number:,} {word[:-1]}ies" if word.endswith("y") else f"{number:,} {word}s"


def moment(at: float) -> str:
    """Return a Unix time as a person's clock and calendar show it."""
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "the end of time"


def changes(diff: Diff) -> str:
    """Return "+12 -3 in 2 files"."""
    if not diff.count:
        return "no file"
    return f"+{diff.added:,} -{diff.removed:,} in {count(diff.count, 'file')}"


def file_changes(file: FileChange) -> str:
    """Return "+12 -3", or "binary"."""
    if file.added is None or file.removed is None:
        return "binary"
    return f"+{file.added:,} -{file.removed:,}"


def short(number: int) -> str:
    """Return a count as "940", "392k" or "3.2M"."""
    if number < 10_000:
        return f"{number:,}"
    return f"{number / 1e3:.0f}k" if number < 999_500 else f"{number / 1e6:.1f}M"


def spent(attempts: Iterable[Attempt]) -> tuple[str, ...]:
    """Return what attempts cost, as far as it is known: time, money, tokens, turns."""
    attempts = tuple(attempts)
    usage, seconds = usage_of(attempts), seconds_of(attempts)
    parts = [duration(seconds)] if any(a.ended is not None for a in attempts) else []
    if usage.cost:
        parts.append(money(usage.cost))
    if usage.tokens:
        parts.append(f"{short(usage.tokens)} token{'s' if usage.tokens > 1 else ''}")
    if usage.turns:
        parts.append(count(usage.turns, "turn"))
    return tuple(parts)


def headline(item: Item) -> str:
    """Return what became of an item: "done, 3 of 3 stories verified", or phases done."""
    done = "done" if item.checks is False or item.task is not None else "verified"
    return f"{item.status}, {item.complete} of {count(len(item.stories), item.unit)} {done}"


def made(story: Story) -> str:
    """Return what a story or a phase changed, "" when nothing is known of it."""
    good = [a for a in story.attempts if a.state is AttemptState.VERIFIED]
    if good and good[-1].record.story == story.id:
        good = good[-1:]  # each took the place of the one before
    diffs = [a.diff for a in good if a.diff is not None]
    if story.state not in ("verified", "partial") or not diffs:
        return ""
    if len(diffs) == 1:
        return changes(diffs[0])
    added, removed = sum(d.added for d in diffs), sum(d.removed for d in diffs)
    return f"+{added:,} -{removed:,} in {count(len(diffs), 'part')}"


def place(story: Story, attempt: Attempt) -> str:
    """Return what an attempt was at: a story, a phase, or a story of a phase."""
    inner = attempt.record.story
    return f"{story.id} {inner if inner != story.id else story.title}".rstrip()


def failed(item: Item) -> list[tuple[Story, Attempt]]:
    """Return the attempts that did not count and say why, in the order they were begun."""
    found = [
        (story, attempt)
        for story in item.stories
        for attempt in story.attempts
        if attempt.state is not AttemptState.VERIFIED and attempt.record.reason
    ]
    return sorted(found, key=lambda one: (one[1].record.at, one[1].record.number))


def outcome(asked: Asked, now: float) -> str:
    """Return what came of a question, and for how long it waited."""
    waited = duration(asked.waited(now))
    if asked.until is None:
        return f"waits for {waited}"
    by = f" by {asked.by}" if asked.by else ""
    return f"{asked.how}{by} after {waited}"


def overview(report: Report) -> str:
    """Return how many items there are of each status."""
    kinds = Counter(row.status for row in report.rows)
    return ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())


def backlog(report: Report) -> str:
    """Return how many items of each status the backlog has, "" where there is none."""
    return ", ".join(f"{number:,} {status}" for status, number in report.counts if number)


def summary(item: Item, now: float) -> str:
    """Return what it took: attempts by how they ended, and what they cost.

    Args:
      now: Unix time in seconds.
    """
    attempts = item.attempts
    kinds = Counter(attempt_state(attempt) for attempt in attempts)
    kinds.pop(AttemptState.VERIFIED.value, None)
    odd = ", ".join(f"{number} {state_word(kind)}" for kind, number in kinds.items())
    parts = [count(len(attempts), "attempt") + (f" ({odd})" if odd else ""), *spent(attempts)]
    waited = sum(wait.end - wait.start for wait in waits_of(item, now))
    if waited:
        parts.append(f"{duration(waited)} waited for limits")
    return ", ".join(parts)
