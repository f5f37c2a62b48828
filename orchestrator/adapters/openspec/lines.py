"""Lines of a Markdown file, and which of them a code fence hides."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FENCE = re.compile(r"\s*+(`{3,}|~{3,})(.*)")


def split_lines(text: str) -> list[str]:
    """Split at LF only, as OpenSpec does; drop a byte order mark and each line's CR."""
    return [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]


def fenced_lines(lines: Sequence[str]) -> frozenset[int]:
    """Return the 0-based numbers of the lines of code fences, the fences themselves included.

    Indentation is ignored: fences in list items are indented. A fence that is never closed hides
    nothing, or one stray mark would swallow every section after it.
    """
    hidden: set[int] = set()
    opened, fence = 0, ""
    for number, line in enumerate(lines):
        match = _FENCE.match(line)
        if match is None:
            continue
        mark, rest = match.groups()
        if not fence:
            if mark[0] == "~" or "`" not in rest:
                opened, fence = number, mark
        elif mark.startswith(fence) and not rest.strip():
            hidden.update(range(opened, number + 1))
            fence = ""
    return frozenset(hidden)
