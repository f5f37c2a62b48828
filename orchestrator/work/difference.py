"""The difference between two texts as a unified diff, in bounded time and length. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import NamedTuple

from .backlog.text import one_line

MOST_LINES = 400
"""Lines of a diff that are shown."""

_LONGEST = 500
_CONTEXT = 3
# Lines compared thoroughly: difflib's time grows with their square, and worse.
_THOROUGH = 1_000


class _Block(NamedTuple):
    """Lines that lines of another text take the place of; counted from 0, ends excluded."""

    old: int
    old_end: int
    new: int
    new_end: int


def unified_diff(old: str | None, new: str, path: str) -> str:
    """Return what makes one text of the other; "" when they are the same.

    At most `MOST_LINES`, and one that says how many more there are; long lines are cut.

    Args:
      old: None when there was no file.
    """
    if old == new:
        return ""
    name = one_line(path, _LONGEST)
    before, after = lines_of(old or ""), lines_of(new)
    head = "/dev/null" if old is None else f"a/{name}"
    lines = _lines(before, after, _blocks(before, after))
    shown = [f"--- {head}", f"+++ b/{name}", *islice(lines, MOST_LINES - 2)]
    more = sum(1 for _ in lines)
    if more:
        shown.append(f"… {more} more {'line' if more == 1 else 'lines'}")
    return "\n".join(shown) + "\n"


def lines_of(text: str) -> list[str]:
    """Return the lines with their ends; only a line feed is one."""
    *whole, rest = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return [*lines, rest] if rest else lines


def _blocks(old: Sequence[str], new: Sequence[str]) -> list[_Block]:
    """Return the differences in order, at least one same line between each two."""
    start, shorter = 0, min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < shorter - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old_end, new_end = len(old) - tail, len(new) - tail
    anchors = _anchors(old[start:old_end], new[start:new_end])
    blocks: list[_Block] = []
    budget = _THOROUGH
    at, new_at = start, start
    for anchor, new_anchor in [*anchors, (old_end - start, new_end - start)]:
        gap = _Block(at, start + anchor, new_at, start + new_anchor)
        at, new_at = gap.old_end + 1, gap.new_end + 1
        size = gap.old_end - gap.old + gap.new_end - gap.new
        if gap.old == gap.old_end or gap.new == gap.new_end or size > budget:
            blocks += [gap] if size else []
            continue
        budget -= size
        matcher = SequenceMatcher(None, old[gap.old : gap.old_end], new[gap.new : gap.new_end])
        blocks += [
            _Block(gap.old + a, gap.old + b, gap.new + c, gap.new + d)
            for tag, a, b, c, d in matcher.get_opcodes()
            if tag != "equal"
        ]
    return blocks


def _anchors(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Return where lines that each text has once are in both, as many as are in the same order.

    They cut large texts into small ones that are compared for themselves.
    """
    once, new_once = Counter(old), Counter(new)
    places = {line: place for place, line in enumerate(new) if new_once[line] == 1}
    pairs = [
        (place, places[line])
        for place, line in enumerate(old)
        if once[line] == 1 and line in places
    ]
    # The longest ascending row: ends[n] is the lowest end of one of n + 1 pairs, tops[n] its pair.
    ends: list[int] = []
    tops: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        length = _lower(ends, place)
        before.append(tops[length - 1] if length else -1)
        ends[length : length + 1] = [place]
        tops[length : length + 1] = [number]
    row = []
    number = tops[-1] if tops else -1
    while number >= 0:
        row.append(pairs[number])
        number = before[number]
    return row[::-1]


def _lower(ascending: Sequence[int], limit: int) -> int:
    """Return how many of some numbers are below a limit."""
    low, high = 0, len(ascending)
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < limit:
            low = middle + 1
        else:
            high = middle
    return low


def _lines(old: Sequence[str], new: Sequence[str], blocks: Sequence[_Block]) -> Iterator[str]:
    """Yield the hunks, each difference with the lines around it."""
    for hunk in _hunks(blocks):
        before = min(_CONTEXT, hunk[0].old)
        after = min(_CONTEXT, len(old) - hunk[-1].old_end)
        at, end = hunk[0].old - before, hunk[-1].old_end + after
        new_at, new_end = hunk[0].new - before, hunk[-1].new_end + after
        yield f"@@ -{_range(at, end)} +{_range(new_at, new_end)} @@"
        for block in hunk:
            yield from _marked(" ", old, at, block.old)
            yield from _marked("-", old, block.old, block.old_end)
            yield from _marked("+", new, block.new, block.new_end)
            at = block.old_end
        yield from _marked(" ", old, at, end)


def _hunks(blocks: Sequence[_Block]) -> Iterator[list[_Block]]:
    hunk: list[_Block] = []
    for block in blocks:
        if hunk and block.old - hunk[-1].old_end > 2 * _CONTEXT:
            yield hunk
            hunk = []
        hunk.append(block)
    if hunk:
        yield hunk


def _range(start: int, end: int) -> str:
    # As git has it: an empty range is named by the line before it.
    return f"{start + (end > start)},{end - start}"


def _marked(mark: str, lines: Sequence[str], start: int, end: int) -> Iterator[str]:
    for line in lines[start:end]:
        plain = line.removesuffix("\n")
        yield mark + (plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…")
        if plain == line:
            yield "\\ No newline at end of file"
