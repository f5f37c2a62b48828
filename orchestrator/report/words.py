"""How a report says things: states, sums, times. Pure."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from orchestrator.text import duration
from orchestrator.work.records import AttemptState

from .model import Attempt, Diff, FileChange, Item, Story, seconds_of, usage_of, waits_of

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
}
"""Tells states apart without colour."""

_STATES = {"ticked": "done before", "open": "not started", "started": "cut short"}


def state_word(state: str) -> str:
    """Return the state of a story or an attempt in words."""
    return _STATES.get(state, state)


def attempt_state(attempt: Attempt) -> str:
    """Return the state of an attempt as stories have it."""
    return "running" if attempt.running else attempt.state.value


def story_word(story: Story, item: Item) -> str:
    """Return the state of a story; one that no command checked is "done, unverified"."""
    unchecked = story.state == "verified" and item.checks is False
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
    """Return what became of an item: "done, 3 of 3 stories verified"."""
    done = "done" if item.checks is False else "verified"
    return f"{item.status}, {item.complete} of {count(len(item.stories), 'story')} {done}"


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
