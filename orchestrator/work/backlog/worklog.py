"""The worklog: what was done on which item, as Markdown, in a file for each month. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from .change import Entry
from .text import PAGE, one_line

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000_000


def month_file(at: int) -> str:
    """Return the name of the file that tells of a time, which is in Unix nanoseconds."""
    return f"{_day(at):%Y-%m}.md"


def worklog_entry(entry: Entry, title: str, at: int) -> str:
    """Return what the worklog says of an entry, "" when it is about no work.

    Args:
      title: the item's.
      at: Unix time in nanoseconds.
    """
    if not entry.outcome:
        return ""
    return (
        f"## {_stamp(at)} — {entry.item} ({one_line(title)})\n\n"
        f"- **Phase:** {one_line(entry.phase) or 'unknown'}\n"
        f"- **Outcome:** {entry.outcome}\n"
        f"- **Summary:** {one_line(entry.text, PAGE)}\n\n---\n\n"
    )


def _stamp(at: int) -> str:
    return f"{_day(at):%Y-%m-%dT%H:%M:%S}.{at % _SECOND:09}+00:00"


def _day(at: int) -> datetime:
    """Return a time to the second; one that no calendar has becomes the nearest that it has."""
    seconds = min(max(at // _SECOND, 0), 253_402_300_799)
    return _EPOCH + timedelta(seconds=seconds)
