"""Turns the facts that attempts do not tell already into notes for a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from orchestrator.store.reading import FactRow
from orchestrator.text import clock_time, duration

from .model import Note

MOST_NOTES = 200
"""The newest notes are told."""

_TOLD_BY_ATTEMPTS = frozenset(
    (
        "run_started",
        "run_ended",
        "attempt_started",
        "attempt_failed",
        "story_verified",
        "paused",
        "resumed",
        "item_delivered",
        # An item's history and its attempts tell these.
        "item_changed",
        "phase_started",
        "phase_failed",
        "phase_ended",
    )
)
_TEXTS = ("message", "reason", "text", "question")


def notes_of(facts: Iterable[FactRow]) -> tuple[Note, ...]:
    """Return what happened besides runs and attempts, oldest first."""
    found = [
        Note(at=fact.at, kind=fact.name.replace("_", " "), text=_text(fact))
        for fact in facts
        if fact.name not in _TOLD_BY_ATTEMPTS
    ]
    return tuple(found[-MOST_NOTES:])


def waiting(facts: Iterable[FactRow], now: float) -> str:
    """Return what keeps a running item from its next attempt, "" when nothing does.

    Args:
      now: Unix time in seconds.
    """
    paused, limited = False, ""
    for fact in facts:
        match fact.name:
            case "paused" | "resumed":
                paused = fact.name == "paused"
            case "limit_reached" if float(fact.document["until"]) > now:
                until = clock_time(fact.document["until"])
                limited = f"{fact.document['agent']} limit until {until}"
            case "attempt_started" | "run_ended":
                limited = ""
            case "run_started":
                paused, limited = False, ""
    return limited or ("a person to say orc resume" if paused else "")


def _text(fact: FactRow) -> str:
    document = fact.document
    match fact.name:
        case "baseline_passed" if isinstance(document.get("remembered"), int):
            return f"as it did at {clock_time(document['remembered'])}"
        case "baseline_failed":
            return f"{document.get('command')}: {document.get('reason')}"
        case "baseline_passed":
            return f"{_words(document.get('commands'))} ({_duration(document.get('seconds'))})"
        case "limit_reached":
            until = document.get("until")
            when = clock_time(until) if isinstance(until, (int, float)) else "unknown"
            return f"{document.get('agent')}: until {when}: {document.get('reason')}"
    known = [str(document[name]) for name in _TEXTS if document.get(name)]
    return known[0] if known else _fields(document)


def _fields(document: Mapping[str, Any]) -> str:
    plain = (
        f"{name} {_words(value)}"
        for name, value in document.items()
        if value not in ("", None, [], {}) and name not in ("item", "run")
    )
    return ", ".join(plain)


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _duration(value: object) -> str:
    return duration(value) if isinstance(value, (int, float)) else "?"
