"""The plots of a report as SVG: sizes across in per cent, so that text stays readable. Pure.

A state is told by colour, by a sign and by a hatch; every mark has a title that says it in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from orchestrator.text import clean, duration, one_line
from orchestrator.work.records import AttemptState

from .model import Attempt, Item, Story, Wait, seconds_of, usage_of, waits_of
from .timescale import TimeScale, time_scale
from .words import SYMBOLS, attempt_state, count, moment, money, spent, state_word

_ROW = 44
_MOST_ROWS = 60
_MOST_SIGNS = 12
DEFINITIONS = (
    '<svg width="0" height="0" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6" '
    'patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<line class="hatch" x1="0" y1="0" x2="0" y2="6"/></pattern></defs></svg>'
)
"""What the plots of a page share; it must come once, before them."""

_HATCHED = ("failed", "interrupted", "lost", "started", "blocked")


def timeline(item: Item, now: float) -> str:
    """Return the attempts of each story along the time, with the waits between them.

    Args:
      now: Unix time in seconds: where an attempt that runs ends.
    """
    scale = _scale(item, now)
    stories = [story for story in item.stories if story.attempts][:_MOST_ROWS]
    waits = waits_of(item, now)
    parts: list[str] = []
    height = len(stories) * _ROW + 30
    for wait in waits:
        parts.append(_wait(wait, scale, height - 26))
    for row, story in enumerate(stories):
        top = row * _ROW
        parts.append(_label(_name(story), top))
        parts.append(_track(top + 20))
        for attempt in story.attempts:
            parts.append(_bar(attempt, story, scale, top + 20, now))
    parts.append(_axis(item, scale, height - 18))
    said = f"Time line of {count(len(item.attempts), 'attempt')}"
    return _svg(said, height, parts)


def cost_per_story(item: Item) -> str:
    """Return a bar for each story: what it cost, with the part that did not count hatched.

    Without any known cost the bars tell time.
    """
    in_money = _in_money(item)
    stories = [story for story in item.stories if story.attempts][:_MOST_ROWS]
    most = max((_spent(story.attempts, in_money) for story in stories), default=0.0) or 1.0
    parts: list[str] = []
    for row, story in enumerate(stories):
        top = row * _ROW
        whole = _spent(story.attempts, in_money)
        done = story.verified
        good = _spent((done,), in_money) if done is not None else 0.0
        parts.append(_label(_name(story), top, _amount(whole, in_money)))
        parts.append(_track(top + 20))
        across = 100 * good / most
        if good:
            what = f"{_amount(good, in_money)} for the attempt that counted"
            parts.append(_rect("verified", 0, across, top + 20, what))
        if whole > good:
            what = f"{_amount(whole - good, in_money)} for attempts that did not count"
            parts.append(_rect("failed", across, 100 * (whole - good) / most, top + 20, what))
    what = f"{'Cost' if in_money else 'Time'} per {item.unit}"
    return _svg(what, len(stories) * _ROW, parts)


def cumulative(item: Item, now: float) -> str:
    """Return what was spent by each moment, as a line of steps over the time line's scale."""
    in_money, height, low = _in_money(item), 190, 160
    scale = _scale(item, now)
    whole = _spent(item.attempts, in_money) or 1.0
    parts = [
        f'<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>'
        for y in (20, (20 + low) // 2, low)
    ]
    parts.append(f'<text class="small" x="0" y="14">{escape(_amount(whole, in_money))}</text>')
    before, across, so_far = float(low), 0.0, 0.0
    for attempt in item.attempts:
        so_far += _spent((attempt,), in_money)
        at = scale.place(_end(attempt, now))
        level = low - (low - 20) * so_far / whole
        parts.append(_line(across, at, before, before))
        parts.append(_line(at, at, before, level))
        what = f"{_amount(so_far, in_money)} by {moment(_end(attempt, now))}"
        parts.append(
            f'<circle class="s-{attempt_state(attempt)}" cx="{at:.2f}%" cy="{level:.1f}" r="4">'
            f"<title>{escape(what)}</title></circle>"
        )
        before, across = level, at
    parts.append(_axis(item, scale, height - 12))
    return _svg("Cost so far" if in_money else "Time worked so far", height, parts)


def retries(item: Item) -> str:
    """Return each story with a sign for each of its attempts."""
    stories = [story for story in item.stories if story.attempts][:_MOST_ROWS]
    parts = []
    for row, story in enumerate(stories):
        top = row * _ROW
        parts.append(_label(_name(story), top, count(story.tries, "try")))
        shown = story.attempts[-_MOST_SIGNS:]
        for number, attempt in enumerate(shown):
            parts.append(_sign(attempt, f"{number * 24 + 10}", top + 30, _title(attempt, story)))
        if len(story.attempts) > len(shown):
            more = f"and {len(story.attempts) - len(shown)} before"
            x = len(shown) * 24 + 4
            parts.append(f'<text class="small" x="{x}" y="{top + 34}">{more}</text>')
    return _svg(f"Attempts of each {item.unit}", len(stories) * _ROW, parts)


def legend(item: Item) -> str:
    """Return what the signs mean, for the states that there are."""
    states = dict.fromkeys(attempt_state(attempt) for attempt in item.attempts)
    entries = "".join(
        f'<li><svg class="sign" width="20" height="20" aria-hidden="true">{_disc(state, "10", 10)}'
        f"</svg> {escape(state_word(state))}</li>"
        for state in states
    )
    return f'<ul class="legend">{entries}</ul>'


def _scale(item: Item, now: float) -> TimeScale:
    return time_scale([(attempt.record.at, _end(attempt, now)) for attempt in item.attempts])


def _end(attempt: Attempt, now: float) -> float:
    if attempt.running:
        return max(now, attempt.record.at)
    return attempt.ended if attempt.ended is not None else float(attempt.record.at)


def _in_money(item: Item) -> bool:
    return usage_of(item.attempts).cost > 0


def _spent(attempts: Sequence[Attempt], in_money: bool) -> float:
    return max(0.0, usage_of(attempts).cost) if in_money else seconds_of(attempts)


def _amount(value: float, in_money: bool) -> str:
    return money(value) if in_money else duration(value)


def _name(story: Story) -> str:
    return one_line(f"{story.id} {story.title}", 44)


def _title(attempt: Attempt, story: Story) -> str:
    parts = [
        f"{one_line(story.id, 40)}, attempt {attempt.record.number}",
        state_word(attempt_state(attempt)),
        moment(attempt.record.at),
        *spent((attempt,)),
    ]
    if attempt.record.reason and attempt.state is not AttemptState.VERIFIED:
        parts.append(one_line(attempt.record.reason, 120))
    return ", ".join(parts)


def _svg(title: str, height: int, parts: Iterable[str]) -> str:
    return (
        f'<svg class="plot" role="img" aria-label="{escape(title)}" width="100%" '
        f'height="{height}"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def _label(text: str, top: int, value: str = "") -> str:
    """Return a row's name, cut by its own frame where it is too long, and its value."""
    name = (
        f'<svg x="0" y="{top}" width="{75 if value else 100}%" height="20">'
        f'<text class="label" x="0" y="14">{escape(clean(text))}</text></svg>'
    )
    if not value:
        return name
    return f'{name}<text class="label" x="100%" y="{top + 14}" text-anchor="end">{value}</text>'


def _track(top: int) -> str:
    return f'<rect class="track" x="0" y="{top}" width="100%" height="18" rx="3"/>'


def _rect(state: str, x: float, width: float, top: int, title: str) -> str:
    place = f'x="{x:.2f}%" y="{top}" width="{max(width, 0.3):.2f}%" height="18"'
    hatch = f'<rect class="hatched" {place}/>' if state in _HATCHED else ""
    return (
        f'<g><title>{escape(clean(title))}</title><rect class="s-{state}" {place} rx="2"/>'
        f"{hatch}</g>"
    )


def _bar(attempt: Attempt, story: Story, scale: TimeScale, top: int, now: float) -> str:
    start, end = scale.place(attempt.record.at), scale.place(_end(attempt, now))
    title = _title(attempt, story)
    bar = _rect(attempt_state(attempt), start, end - start, top, title)
    return bar + _sign(attempt, f"{(start + end) / 2:.2f}%", top + 9, title)


def _sign(attempt: Attempt, x: str, y: int, title: str) -> str:
    sign = _disc(attempt_state(attempt), x, y)
    return f"<g><title>{escape(clean(title))}</title>{sign}</g>"


def _disc(state: str, x: str, y: int) -> str:
    """Return the sign of a state round a point: a shape of its own with a character in it."""
    inner = {
        "verified": '<circle r="8"/>',
        "failed": '<rect x="-7.5" y="-7.5" width="15" height="15"/>',
        "blocked": '<path d="M0-9.5 9 7H-9z"/>',
        "limited": '<path d="M-4.5-8h9L9 0 4.5 8h-9L-9 0z"/>',
        "running": '<path d="M-7-8 9 0-7 8z"/>',
    }.get(state, '<path d="M0-9 9 0 0 9-9 0z"/>')
    sign = f'<text class="in" text-anchor="middle" y="4">{SYMBOLS[state]}</text>'
    return f'<svg x="{x}" y="{y}" overflow="visible" class="mark s-{state}">{inner}{sign}</svg>'


def _wait(wait: Wait, scale: TimeScale, height: int) -> str:
    start, end = scale.place(wait.start), scale.place(wait.end)
    what = f"waited {duration(wait.end - wait.start)}: {one_line(wait.reason, 120)}"
    return (
        f'<g><title>{escape(what)}</title><rect class="wait" x="{start:.2f}%" y="0" '
        f'width="{max(end - start, 0.3):.2f}%" height="{height}"/></g>'
    )


def _line(x1: float, x2: float, y1: float, y2: float) -> str:
    return f'<line class="step" x1="{x1:.2f}%" x2="{x2:.2f}%" y1="{y1:.1f}" y2="{y2:.1f}"/>'


def _axis(item: Item, scale: TimeScale, y: int) -> str:
    """Return the first and the last moment."""
    first, last = moment(scale.moments[0]), moment(scale.moments[-1])
    end = last.removeprefix(first[:11]) if item.attempts else last
    return (
        f'<text class="small" x="0" y="{y + 10}">{escape(first)}</text>'
        f'<text class="small" x="100%" y="{y + 10}" text-anchor="end">{escape(end)}</text>'
    )
