"""Understands what a phase reports: the document that its worker left, checked key by key.

Keys that mean nothing here are ignored. A value of the wrong type spoils the whole report: what
else it says cannot be trusted then. Null stands for "nothing said" where that is possible.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from orchestrator.work.worker import Verdict

from .description import parse_description
from .item import UNRATED, Asks, Assessments, Description, Level, Size
from .result import FollowUp, Outcome, PhaseResult
from .text import one_line, page

MOST = 100
"""Follow-ups, or duplicates, that one report may name."""

_COMMIT = re.compile(r"[0-9a-f]{4,64}")
_OUTCOMES = {Verdict.FAILED: Outcome.FAILED, Verdict.BLOCKED: Outcome.BLOCKED}
_NOT_SAID = "it ended without a result"
_LIMITED = "the service it works with refuses for now"

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)


class _WrongError(ValueError):
    """A value is wrong; its text begins with the key."""


def phase_result(
    document: Mapping[str, Any], verdict: Verdict, reason: str, *, item: str, phase: str
) -> PhaseResult | str:
    """Return the result of an attempt at a phase, or what is wrong with it.

    Args:
      document: what its result file said, {} when it left none.
      verdict: how its worker ended, as its adapter understood it; it decides, whatever the
        document says. ``reason``: why it failed, or its question.
      item: the id of the item that was worked on, ``phase`` the name of the phase. A document may
        leave both out; one for others is no result of this attempt.

    A worker that ended silently, or is limited by its service, has no result: that is a problem
    too. One that failed has failed even if its document says nothing that can be used.
    """
    if verdict in (Verdict.SILENT, Verdict.LIMITED):
        return reason or (_NOT_SAID if verdict is Verdict.SILENT else _LIMITED)
    try:
        _check_identity(document, item=item, phase=phase)
        return _understood(document, verdict, reason, item)
    except _WrongError as error:
        if verdict is Verdict.FAILED and reason:
            return PhaseResult(outcome=Outcome.FAILED, summary=page(reason))
        return f"its result cannot be used: {error}"


def _check_identity(document: Mapping[str, Any], *, item: str, phase: str) -> None:
    wrong = [
        f"{key}: expected {expected!r}, got {one_line(repr(document[key]))}"
        for key, expected in (("item_id", item), ("phase", phase))
        if document.get(key, expected) != expected
    ]
    if wrong:
        raise _WrongError(f"it is another one's ({'; '.join(wrong)})")


def _understood(
    document: Mapping[str, Any], verdict: Verdict, reason: str, item: str
) -> PhaseResult:
    outcome = _OUTCOMES.get(verdict, Outcome.COMPLETE)
    if outcome is Outcome.COMPLETE and document.get("result") == Outcome.SUBPHASE.value:
        outcome = Outcome.SUBPHASE
    summary = page(_needed(document, "summary", _text, ""))
    context = page(_optional(document, "context", _text, ""))
    if outcome is Outcome.FAILED:
        summary = page(reason) or summary or "its worker says that it failed"
    elif outcome is Outcome.BLOCKED:
        context = page(reason) or context or summary or "it does not say on what"
    duplicates: tuple[str, ...] = _needed(document, "duplicates", _list_of(_text), ())
    follow_ups: tuple[FollowUp, ...] = _needed(document, "follow_ups", _list_of(_follow_up), ())
    return PhaseResult(
        outcome=outcome,
        summary=summary,
        context=context,
        asks=_optional(document, "asks", _one_of(Asks), Asks.CLARIFICATION),
        ratings=_optional(document, "updated_assessments", _ratings, UNRATED),
        follow_ups=tuple(follow_up for follow_up in follow_ups if follow_up.title),
        based_on=_optional(document, "based_on_commit", _commit, ""),
        pipeline=one_line(_optional(document, "pipeline_type", _text, "")) or None,
        commit_summary=one_line(_optional(document, "commit_summary", _text, "")),
        duplicates=tuple(
            dict.fromkeys(id for text in duplicates if (id := one_line(text)) not in ("", item))
        ),
        description=_optional(document, "description", _description, None),
    )


def _needed(
    document: Mapping[str, Any], key: str, read: Callable[[object, str], T], default: T
) -> T:
    """Return what a key says; it may be missing, but not null."""
    return read(document[key], key) if key in document else default


def _optional(
    document: Mapping[str, Any], key: str, read: Callable[[object, str], T], default: T
) -> T:
    """Return what a key says; it may be missing or null."""
    value = document.get(key)
    return default if value is None else read(value, key)


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise _WrongError(f"{key}: expected text, got {one_line(repr(value))}")
    return value


def _table(value: object, key: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _WrongError(f"{key}: expected an object, got {one_line(repr(value))}")
    return value


def _list_of(read: Callable[[object, str], T]) -> Callable[[object, str], tuple[T, ...]]:
    def read_list(value: object, key: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise _WrongError(f"{key}: expected a list, got {one_line(repr(value))}")
        if len(value) > MOST:
            raise _WrongError(f"{key}: expected at most {MOST}, got {len(value)}")
        return tuple(read(entry, f"{key}.{index}") for index, entry in enumerate(value))

    return read_list


def _one_of(kind: type[E]) -> Callable[[object, str], E]:
    def read(value: object, key: str) -> E:
        for member in kind:
            if member.value == value:
                return member
        *names, last = (str(member.value) for member in kind)
        expected = f"expected {', '.join(names)} or {last}"
        raise _WrongError(f"{key}: {expected}, got {one_line(repr(value))}")

    return read


_size, _level = _one_of(Size), _one_of(Level)


def _commit(value: object, key: str) -> str:
    text = _text(value, key).strip().lower()
    if text and not _COMMIT.fullmatch(text):
        raise _WrongError(f"{key}: expected the id of a commit, got {one_line(text)!r}")
    return text


def _ratings(value: object, key: str) -> Assessments:
    table = _table(value, key)

    def level(name: str) -> Level | None:
        return _rating(table, key, name, _level)

    return Assessments(
        size=_rating(table, key, "size", _size),
        complexity=level("complexity"),
        risk=level("risk"),
        impact=level("impact"),
    )


def _rating(
    table: Mapping[str, Any], path: str, name: str, read: Callable[[object, str], E]
) -> E | None:
    value = table.get(name)
    return None if value is None else read(value, f"{path}.{name}")


def _follow_up(value: object, key: str) -> FollowUp:
    """Read a follow-up, which may be its bare title; one without a title says nothing."""
    if isinstance(value, str):
        return FollowUp(title=one_line(value))
    table = _table(value, key)
    if "title" not in table:
        raise _WrongError(f"{key}.title: missing")
    context = table.get("context")
    return FollowUp(
        title=one_line(_text(table["title"], f"{key}.title")),
        context="" if context is None else page(_text(context, f"{key}.context")),
        ratings=Assessments(
            size=_rating(table, key, "suggested_size", _size),
            risk=_rating(table, key, "suggested_risk", _level),
        ),
    )


def _description(value: object, key: str) -> Description | None:
    """Read a description, in its parts or as text with headers; None when it is empty."""
    if isinstance(value, str):
        return parse_description(page(value)) or None
    table = _table(value, key)

    def part(name: str) -> str:
        return page(_text(table[name], f"{key}.{name}")) if name in table else ""

    return (
        Description(
            context=part("context"),
            problem=part("problem"),
            solution=part("solution"),
            impact=part("impact"),
            sizing_rationale=part("sizing_rationale"),
        )
        or None
    )
