"""Edits a file of a workspace for a coding agent: confined, checked, in one step. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import attrs

from orchestrator.errors import EditError, UsageError
from orchestrator.work.backlog.text import one_line
from orchestrator.work.edit import LIMIT, Request, apply, unified_diff
from orchestrator.work.globs import matches

from . import aside
from .confined import Found, Place, directory_of, place_of, read, replace, turn
from .process import raise_if_cancelled

Mode = Literal["strict", "interactive", "verify_only"]
"""An edit that leaves a file malformed is refused, or made and told of; the last makes none."""

_BOM = b"\xef\xbb\xbf"


def _nothing(_: str) -> bool:
    return False


def _sound(_: str, __: str) -> tuple[str, ...]:
    return ()


@attrs.frozen(kw_only=True)
class Edited:
    """What came, or would come, of an edit.

    Attributes:
      path: from the workspace's top.
      changed: whether the file is another one afterwards.
      written: whether that is what lies on the disk now.
      problems: what is malformed about it afterwards.
      diff: what changed, "" when nothing did.
    """

    path: str
    changed: bool
    written: bool
    problems: tuple[str, ...]
    diff: str


def edit_file(
    root: Path,
    path: str,
    request: Request,
    *,
    mode: Mode = "strict",
    protect: Sequence[str] = (),
    named: Callable[[str], bool] = _nothing,
    further: Callable[[str, str], tuple[str, ...]] = _sound,
) -> Edited:
    """Edit a file, or make a new one with its directories.

    Edits below the same root take turns, in all processes, so that none is lost. A change by
    anything else is noticed until just before the file is replaced; Trio's cancellation of the
    thread is, too.

    Args:
      root: the top of the workspace, which no path leads out of.
      path: relative to it; an absolute one when it is inside.
      mode: "strict" refuses an edit that leaves a file malformed which was not before.
      protect: globs of what may not be edited, neither by its name nor by one that leads to it.
      named: whether a path may be edited all the same.
      further: what is malformed about a file of that path with that text, of what is well-formed.

    Raises:
      UsageError: the path leads out of the workspace or to git's own files, or is protected; or
        the request makes no sense.
      EditError: the edit does not fit the file; the file is no text, too large, or something else
        meanwhile; mode is "strict" and it would be malformed; it cannot be read or written.
        Nothing was written.
      NotStartedError: no process could be started for an expression or a parser.
    """
    place = place_of(root, path)

    def problems(text: str) -> tuple[str, ...]:
        return aside.problems(place.real, text) or further(place.real, text)

    _check_protected(place, protect, named)
    try:
        with turn(root) as top:
            with directory_of(top, place, make=False) as directory:
                old = None if directory is None else read(directory, place, limit=LIMIT)
            data, edited = _edited(place, request, old, mode, problems)
            raise_if_cancelled()
            if edited.changed and mode != "verify_only":
                with directory_of(top, place, make=True) as directory:
                    assert directory is not None
                    replace(directory, place, data, over=old, limit=LIMIT)
                edited = attrs.evolve(edited, written=True)
            return edited
    except OSError as error:
        raise EditError(
            f"{place.asked} cannot be read or written: {error.strerror}",
            where=place.asked,
            fix="see to its path, its permissions and the disk's space",
        ) from error


def _check_protected(place: Place, protect: Sequence[str], named: Callable[[str], bool]) -> None:
    for path in dict.fromkeys((place.asked, place.real)):
        glob = next((glob for glob in protect if matches(path, glob)), None)
        if glob is not None and not named(path):
            raise UsageError(
                f"protected: {one_line(path, 120)} ({glob})",
                where="path",
                fix="leave it as it is, and say what should change in it and why; who edits for an "
                "item may edit what its description names",
            )


def _edited(
    place: Place,
    request: Request,
    old: Found | None,
    mode: Mode,
    problems_in: Callable[[str], tuple[str, ...]],
) -> tuple[bytes, Edited]:
    """Return the bytes of the file after an edit, and what has come of it."""
    marked = old is not None and old.data.startswith(_BOM)
    before = None if old is None else _text(place, old.data)
    after = apply(before, request, substitute=aside.substitute)
    if marked:
        after = after.removeprefix("\ufeff")
    try:
        data = (_BOM if marked else b"") + after.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the edit holds what is no character: {error.object[error.start]!r}",
            fix="give text that can be written as UTF-8",
        ) from None
    if len(data) > LIMIT:
        raise EditError(
            f"{place.asked} would become larger than {LIMIT >> 20} MiB",
            where=place.asked,
            fix="split it, or change it by a command",
        )
    problems = problems_in(after)
    if mode == "strict" and problems and (before is None or not problems_in(before)):
        raise EditError(
            f"{place.asked} would be malformed: {'; '.join(problems)}",
            where=place.asked,
            fix="mend the edit; nothing was written",
        )
    return data, Edited(
        path=place.asked,
        changed=old is None or data != old.data,
        written=False,
        problems=problems,
        diff=unified_diff(before, after, place.asked),
    )


def _text(place: Place, data: bytes) -> str:
    try:
        return data.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise EditError(
            f"{place.asked} is no text: line {line} is not UTF-8",
            where=place.asked,
            fix="change it by a command that knows what it is",
        ) from None
