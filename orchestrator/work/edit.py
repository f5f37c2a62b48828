"""An edit of a file's text, as a coding agent asks for it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import attrs

from orchestrator.errors import EditError, UsageError

from .backlog.text import clean, one_line
from .difference import lines_of
from .difference import unified_diff as unified_diff

LIMIT = 4 << 20
"""Largest text that is edited, in characters; as a file, in bytes."""

_SHOWN_LINES = 10
_SHOWN = 120


@attrs.frozen(kw_only=True)
class LineEdit:
    """Lines that another text takes the place of.

    Attributes:
      start, end: the first and the last one, counted from 1 before any edit.
      text: whole lines; "" for none.
    """

    start: int
    end: int
    text: str


@attrs.frozen(kw_only=True)
class Insertion:
    """Lines that are added.

    Attributes:
      at: the line they come before, counted from 1 before any edit; one past the last for the end.
      text: whole lines, at least one.
    """

    at: int
    text: str


@attrs.frozen(kw_only=True)
class Replacement:
    """A text that another one takes the place of, wherever it is found.

    In a file whose lines all end with CRLF it is looked for as if they ended with a line feed.

    Attributes:
      regex: whether ``search`` is an expression of Python's ``re``; ``replace`` may use its groups.
      count: how many are replaced, the first ones of the file; None for all.
      multiline: whether ``^`` and ``$`` of an expression stand for each line's ends.
    """

    search: str
    replace: str
    regex: bool = False
    count: int | None = None
    ignore_case: bool = False
    multiline: bool = False


Substitute = Callable[[str, Replacement], tuple[str, int]]
"""Replaces what needs an expression; returns the new text, and how often it was found."""


@attrs.frozen(kw_only=True)
class Request:
    """What is to be done to a file: exactly one of these.

    Attributes:
      content: all of the text, "" for an empty file; it may be a new file's.

    Raises:
      UsageError: when it is none of them, or several.
    """

    content: str | None = None
    line_edits: tuple[LineEdit, ...] = ()
    insertions: tuple[Insertion, ...] = ()
    replacement: Replacement | None = None

    def __attrs_post_init__(self) -> None:
        """Refuse a request for nothing, and one that leaves open what comes first."""
        kinds = [field.name for field in attrs.fields(Request)]
        given = [name for name in kinds if getattr(self, name) not in (None, ())]
        if len(given) != 1:
            raise UsageError(
                f"{' and '.join(given)} are given at once" if given else "no edit is given",
                where=", ".join(given) or None,
                fix=f"give exactly one of {', '.join(kinds)}",
            )


def apply(text: str | None, request: Request, *, substitute: Substitute) -> str:
    """Return the text after an edit. Where all lines end with CRLF, they do so afterwards, too.

    Args:
      text: None when there is no such file.
      substitute: does what needs a regular expression. There are some that never come to an end,
        and no thread that looks for one can be stopped: it is the caller who has to be able to.

    Raises:
      UsageError: the request makes no sense whatever the file is; names the field.
      EditError: it does not fit this file, or the file is or would become too large.
    """
    if text is None:
        if request.content is None:
            raise EditError("there is no such file", fix="give content to create it")
        text = ""
    _check_size(len(text))
    ends = text.count("\r\n")
    # Only when the line feeds are all that differs is the way back exact.
    crlf = ends > 0 and ends == text.count("\n") == text.count("\r")
    new = _edited(_plain(text) if crlf else text, request, crlf, substitute)
    if crlf:
        new = _plain(new).replace("\n", "\r\n")
    _check_size(len(new))
    return new


def _edited(text: str, request: Request, crlf: bool, substitute: Substitute) -> str:
    if request.line_edits:
        return _with_line_edits(text, request.line_edits)
    if request.insertions:
        return _with_insertions(text, request.insertions)
    if (wanted := request.replacement) is not None:
        search = _plain(wanted.search) if crlf else wanted.search
        return _with_replacement(text, attrs.evolve(wanted, search=search), substitute)
    return request.content or ""


def _with_line_edits(text: str, edits: Sequence[LineEdit]) -> str:
    lines = lines_of(text)
    for number, edit in enumerate(edits):
        field = f"line_edits.{number}"
        _check_line(edit.start, len(lines), f"{field}.start")
        if edit.end < edit.start:
            raise UsageError(
                f"line {edit.end} comes before line {edit.start}",
                where=f"{field}.end",
                fix="end is the last line that is replaced; to replace none, use insertions",
            )
        _check_line(edit.end, len(lines), f"{field}.end")
    ordered = sorted(enumerate(edits), key=lambda numbered: numbered[1].start)
    for (_, before), (number, after) in pairwise(ordered):
        if after.start <= before.end:
            raise UsageError(
                f"lines {before.start} to {before.end} and {after.start} to {after.end} overlap",
                where=f"line_edits.{number}.start",
                fix="make one edit of the two",
            )
    parts: list[str] = []
    done = 0
    for _, edit in ordered:
        parts += lines[done : edit.start - 1]
        open_end = edit.end == len(lines) and not text.endswith("\n")
        parts.append(edit.text if open_end else _ended(edit.text))
        done = edit.end
    return "".join([*parts, *lines[done:]])


def _with_insertions(text: str, insertions: Sequence[Insertion]) -> str:
    lines = lines_of(text)
    for number, insertion in enumerate(insertions):
        _check_line(insertion.at, len(lines) + 1, f"insertions.{number}.at")
        if not insertion.text:
            field = f"insertions.{number}.text"
            raise UsageError("there is nothing to insert", where=field, fix="give whole lines")
    ordered = sorted(insertions, key=lambda insertion: insertion.at)
    last = ordered[-1]
    open_end = last.at > len(lines) > 0 and not text.endswith("\n")
    if open_end:
        lines[-1] += "\n"
    parts: list[str] = []
    done = 0
    for insertion in ordered:
        parts += lines[done : insertion.at - 1]
        parts.append(_ended(insertion.text))
        done = insertion.at - 1
    new = "".join([*parts, *lines[done:]])
    return new if not open_end or last.text.endswith("\n") else new[:-1]


def _with_replacement(text: str, wanted: Replacement, substitute: Substitute) -> str:
    if not wanted.search:
        raise UsageError("there is nothing to search for", where="replacement.search")
    if wanted.count is not None and wanted.count < 1:
        raise UsageError(
            f"{wanted.count} replacements make no edit",
            where="replacement.count",
            fix="leave count out to replace all",
        )
    if wanted.regex or wanted.ignore_case:
        new, found = substitute(text, wanted)
    else:
        found = text.count(wanted.search)
        replaced = found if wanted.count is None else min(found, wanted.count)
        # Before it is made: it may be as large as the square of what came in.
        _check_size(len(text) + replaced * (len(wanted.replace) - len(wanted.search)))
        new = text.replace(wanted.search, wanted.replace, replaced)
    if not found:
        raise EditError(
            f"nothing in the file matches {one_line(repr(wanted.search))}; {_beginning(text)}",
            where="replacement.search",
            fix="read the file again; copy the text from it, or edit by line numbers",
        )
    return new


def _beginning(text: str) -> str:
    if not text:
        return "the file is empty"
    shown = ["the file begins:"]
    for number, line in enumerate(lines_of(text)[:_SHOWN_LINES], start=1):
        cut = clean(line[:_SHOWN]).replace("\n", " ").rstrip()
        shown.append(f"  {number}: {cut}{'…' if len(line) > _SHOWN else ''}")
    return "\n".join(shown)


def _check_line(line: int, last: int, where: str) -> None:
    if not 1 <= line <= last:
        known = f"it can be 1 to {last}" if last else "the file is empty"
        raise EditError(
            f"line {line} is not there: {known}",
            where=where,
            fix="read the file again; lines are counted from 1, and before the edit",
        )


def _check_size(characters: int) -> None:
    if characters > LIMIT:
        raise EditError(
            f"the file is, or would become, larger than {LIMIT >> 20} MiB",
            fix="split it, or change it by a command",
        )


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")
