"""Turns the events of the work on a backlog into lines for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from orchestrator.messages import Event
from orchestrator.run.backlog.events import BacklogEnded, BacklogStarted, ItemChanged, PhaseEnded
from orchestrator.text import duration, one_line
from orchestrator.work.worker import Usage

from .item_words import status_word
from .output import width

Paint = Callable[[str, str], str]
"""Takes a text and a colour; returns it coloured where that is wanted."""

_LEAST = 40
"""Columns that a text has at least, however narrow the terminal is."""

_TELLING = ("delivered", "merged", "parked", "skipped", "cancelled", "overtaken", "committed")
"""What happens to an item, its status unchanged, that is told whoever did it."""

_UNCHANGED = ("claimed", "released", "retried", "edited")
"""What a person does that needs no more words."""


def backlog_line(event: Event, paint: Paint) -> str:
    """Return the line of an event, "" for one that a person need not read."""
    match event:
        case BacklogStarted():
            return paint(_started(event), "bold")
        case PhaseEnded():
            return _phase(event, paint)
        case ItemChanged():
            return _changed(event, paint)
        case _:
            return ""


def spent(seconds: float, usage: Usage) -> str:
    """Return what something took, and what it cost if that is known."""
    return duration(seconds) + (f" ${usage.cost:.2f}" if usage.cost else "")


def backlog_summary(event: BacklogEnded, *, delivering: bool) -> str:
    """Return the closing lines of a run of the backlog, with what to do next.

    Args:
      delivering: whether what is done is delivered by itself.
    """
    return "\n".join(_closing(event, delivering))


def _closing(event: BacklogEnded, delivering: bool) -> Iterator[str]:
    parts = [_counted(event.phases, "phase"), f"{len(event.done)} done"]
    parts += [f"{len(event.blocked)} blocked"] if event.blocked else []
    parts += [_counted(event.follow_ups, "follow-up")] if event.follow_ups else []
    parts += [f"{event.merged} merged"] if event.merged else []
    parts += [f"${event.cost:.2f}"] if event.cost else []
    yield f"{event.reason}  {', '.join(parts)}"
    if event.done:
        how = "" if delivering else ".  orc diff ID | orc finish ID --merge"
        yield f"done: {', '.join(event.done)}{how}"
    if event.blocked:
        yield f"blocked: {', '.join(event.blocked)}.  orc status | orc answer ID TEXT"
    if event.advice:
        yield f"continue with: {event.advice}"


def _started(event: BacklogStarted) -> str:
    counts = ", ".join(f"{n} {status_word(name)}" for name, n in event.items.items())
    parts = [
        f"backlog: {counts or 'nothing open'}",
        f"at most {event.max_wip} in progress, {_counted(event.max_concurrent, 'phase')} at a time",
    ]
    parts += [f"targets {', '.join(event.targets)}"] if event.targets else []
    parts += [f"only {event.only}"] if event.only else []
    parts += [f"at most {_counted(event.cap, 'phase')}"] if event.cap else []
    return " · ".join(one_line(part) for part in parts)


def _phase(event: PhaseEnded, paint: Paint) -> str:
    done = "a part is done" if event.outcome == "subphase_complete" else "ok"
    parts = [
        f"{event.item} {event.phase}",
        f"try {event.number}",
        spent(event.seconds, event.usage),
        paint(f"verify {done}" if event.verified and done == "ok" else done, "green"),
    ]
    if event.commit:
        parts.append(f"→ {event.commit[:7]}{', to be committed later' if event.batched else ''}")
    return "  ".join([*parts, one_line(event.summary)]).rstrip()


def _changed(event: ItemChanged, paint: Paint) -> str:
    item, text = event.item, one_line(event.text)
    by = f" by {one_line(event.by, 40)}" if event.by else ""
    if event.before != event.after and event.after == "blocked":
        return _blocked(event, by, paint)
    if event.what in ("added", "imported"):
        return paint(f"{item} {event.what}{by}: {one_line(event.title)}", "dim")
    if event.before != event.after and event.after in ("done", "closed"):
        told = f": {text}" if by or event.after == "closed" else f"  {one_line(event.title)}"
        return f"{item} {paint(event.after, 'green')}{by}{told if told.strip(': ') else ''}"
    if event.what in _TELLING:
        return paint(f"{item} {event.what}{by}: {text}", "dim")
    if event.what == "triaged" and event.after == "ready":
        return paint(f"{item} triaged: {status_word(event.after)}", "dim")
    if by and (text or event.what in _UNCHANGED):
        return paint(f"{item} {event.what}{by}{f': {text}' if text else ''}", "yellow")
    return ""


def _blocked(event: ItemChanged, by: str, paint: Paint) -> str:
    head, answer = f"{event.item} BLOCKED{by}", f"orc answer {event.item} …"
    room = max(_LEAST, width() - len(head) - len(answer) - 4)
    word = paint("BLOCKED", "yellow")
    return f"{event.item} {word}{by}  {one_line(event.text, room)}  {answer}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
