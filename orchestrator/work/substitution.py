"""Replaces what a regular expression matches. Pure; some expressions never come to an end."""

from __future__ import annotations

import re

from orchestrator.errors import UsageError


def substituted(
    text: str,
    search: str,
    replace: str,
    *,
    regex: bool,
    count: int | None,
    ignore_case: bool,
    multiline: bool,
) -> tuple[str, int]:
    """Return the text after a replacement, and how often it was made.

    Args:
      regex: whether ``search`` is an expression, and ``replace`` may use its groups.
      count: how many are replaced, the first ones; None for all.
      multiline: whether ``^`` and ``$`` stand for each line's ends.

    Raises:
      UsageError: the expression or what it is replaced by makes no sense; names the field.
    """
    flags = re.IGNORECASE if ignore_case else re.NOFLAG
    if multiline:
        flags |= re.MULTILINE
    try:
        pattern = re.compile(search if regex else re.escape(search), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise _wrong("search", error, "mend it, or set regex to false") from None
    if not regex:
        return pattern.subn(lambda _: replace, text, count=count or 0)
    try:
        pattern.sub(replace, "")
    except (re.error, IndexError) as error:
        raise _wrong("replace", error, r"write \\ for a backslash, \1 for a group") from None
    return pattern.subn(replace, text, count=count or 0)


def _wrong(field: str, error: Exception, fix: str) -> UsageError:
    return UsageError(
        f"{field} makes no sense as a regular expression: {error}",
        where=f"replacement.{field}",
        fix=fix,
    )
