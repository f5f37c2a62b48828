"""Globs over paths: what ``*``, ``**`` and friends match. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable


def matches(path: str, pattern: str) -> bool:
    """Whether a path relative to the repository's top matches a glob.

    ``*`` and ``?`` stay within one name, ``[ab]`` is one of its characters, ``**`` stands for any
    number of directories, also none. A pattern that ends with ``/`` means everything below; one
    without any ``/`` matches a name in every directory, as git's patterns do.
    """
    return _compiled(pattern).fullmatch(path) is not None


def any_matches(paths: Iterable[str], patterns: Iterable[str]) -> bool:
    """Whether one of the paths matches one of the globs."""
    patterns = tuple(patterns)
    return any(matches(path, pattern) for path in paths for pattern in patterns)


@functools.lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    pattern = pattern.removeprefix("./")
    if pattern.endswith("/"):
        pattern += "**"
    names = pattern.removeprefix("/").split("/")
    if len(names) == 1 and not pattern.startswith("/"):
        names.insert(0, "**")
    text = ""
    for position, name in enumerate(names):
        last = position == len(names) - 1
        if name == "**":
            # At the end it stands for the files too: the directory itself has none of its own.
            text += ".+" if last else "(?:.*/)?"
        else:
            text += _name(name) + ("" if last else "/")
    return re.compile(text, re.DOTALL)


def _name(pattern: str) -> str:
    """Return the expression for one name of a glob."""
    text, position = "", 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        end = pattern.find("]", position + 1)
        if character == "*":
            text += "[^/]*"
        elif character == "?":
            text += "[^/]"
        elif character == "[" and end > 0 and (one := _one_of(pattern[position:end])):
            text += one
            position = end + 1
        else:
            text += re.escape(character)
    return text


def _one_of(members: str) -> str | None:
    """Return the expression for one of some characters; None when it makes no sense ("z-a")."""
    negated = members.startswith(("!", "^"))
    members = members[1:] if negated else members
    for special in "\\[^&~|":
        members = members.replace(special, f"\\{special}")
    expression = f"(?!/)[{'^' if negated else ''}{members}]"
    try:
        re.compile(expression)
    except re.error:
        return None
    return expression
