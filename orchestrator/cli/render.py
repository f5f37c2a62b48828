"""Turns the events of a run into lines for a person, or into JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
import trio

from orchestrator.bus import Lagged
from orchestrator.messages import Event, Fact, Progress
from orchestrator.run.backlog.events import BacklogEnded, BacklogStarted
from orchestrator.run.events import (
    AttemptFailed,
    AttemptStarted,
    BaselinePassed,
    BuildInferred,
    CheckRunning,
    Guided,
    LimitReached,
    Paused,
    Resumed,
    RunEnded,
    RunStarted,
    StoryVerified,
    Warned,
    WorkerActed,
)
from orchestrator.run.records.facts import event_fields, event_name
from orchestrator.runtime import ServerGivenUp, StopRequested
from orchestrator.stop import StopLevel
from orchestrator.text import clean, clock_time, duration, one_line

from .backlog_lines import backlog_line, spent
from .output import VERSION, Quiet, ago, build_line, coloured, shortened, width

_EVIDENCE = 20
"""Lines of a failed attempt's evidence that are shown when they are asked for."""


async def write_slowly(stream: Quiet, text: str) -> None:
    """Write in a thread: a reader that has stopped reading must not stop the engine.

    Cancellation leaves the thread behind with what it writes.
    """
    if text:
        await trio.to_thread.run_sync(stream.write, text, abandon_on_cancel=True)


def documents(batch: Sequence[Event]) -> list[str]:
    """Return a run's facts and progress as JSON, one string an event."""
    return [
        json.dumps(event_document(event), ensure_ascii=True)
        for event in batch
        if isinstance(event, (Fact, Progress, Lagged))
    ]


def event_document(event: Event) -> dict[str, Any]:
    """Return an event as its JSON document: ``event`` names it, the rest are its fields."""
    seq = {"seq": event.seq} if isinstance(event, Fact) and event.seq is not None else {}
    return {"event": event_name(event), "version": VERSION, **seq, **event_fields(event)}


@attrs.define(eq=False)
class JsonLines:
    """Prints each event as one JSON document on a line of its own."""

    stream: Quiet

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch."""
        await write_slowly(self.stream, "".join(f"{line}\n" for line in documents(batch)))


@attrs.define(eq=False)
class PlainLines:
    """Prints what a person wants to read, a line per event.

    Attributes:
      acts: also what the worker says and does between the lines.
      starts: also that an attempt starts.
      evidence: also the end of what a failed attempt's verification printed.
    """

    stream: Quiet
    acts: bool = True
    starts: bool = True
    evidence: bool = False
    _end: type[Event] = attrs.field(default=RunEnded, init=False)
    _ended: bool = attrs.field(default=False, init=False)

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch."""
        await write_slowly(self.stream, self.text(batch))

    def text(self, batch: Sequence[Event]) -> str:
        """Return the batch's lines, each with its end."""
        lines = []
        for event in batch:
            # In a backlog, the run of each item ends by itself.
            self._end = BacklogEnded if isinstance(event, BacklogStarted) else self._end
            self._ended = self._ended or isinstance(event, self._end)
            if line := self._line(event):
                lines.append(line + "\n")
        return "".join(lines)

    def _line(self, event: Event) -> str:
        match event:
            case RunStarted():
                return self._started(event)
            case Warned(message=message):
                return self._paint(f"    {one_line(message, 400)}", "yellow")
            case BuildInferred(setup=setup, verify=verify, not_used=not_used):
                return self._paint(f"    {build_line(setup, verify, not_used)}", "dim")
            case BaselinePassed(remembered=int(at)):
                return f"    baseline ok  as before, {ago(at)}"
            case BaselinePassed(commands=commands, seconds=seconds):
                return f"    baseline ok  {duration(seconds)}  {', '.join(commands)}"
            case AttemptStarted(number=number):
                if not self.starts:
                    return ""
                return self._paint(f"{started_head(event, 200)}  try {number}", "bold")
            case WorkerActed(kind=kind, text=text):
                return self._acted(kind, text)
            case CheckRunning(command=command, seconds=seconds):
                return self._acted("runs", f"{duration(seconds)} {command}" if seconds else command)
            case LimitReached(agent=agent, until=until, seconds=seconds):
                return self._paint(
                    f"    {one_line(agent)}: limit until {clock_time(until)} "
                    f"({duration(seconds)}); waiting, no attempt used",
                    "yellow",
                )
            case Paused():
                return self._paint("    paused: no new attempt begins.  orc resume", "yellow")
            case Resumed():
                return self._paint("    resumed", "yellow")
            case Guided(text=text):
                return self._paint(f"    you said: {one_line(text, width() - 14)}", "yellow")
            case ServerGivenUp(server=server, error=error):
                return self._paint(f"    {server} is down: {one_line(error)}", "yellow")
            case AttemptFailed():
                return self._failed(event)
            case StoryVerified():
                checked = "verify ok" if event.verified else "unverified"
                return (
                    f"{_place(event.position, event.stories)}{one_line(event.title, 40)}  "
                    f"try {event.number}  {spent(event.seconds, event.usage)}  "
                    f"{self._paint(checked, 'green')}  → {event.commit[:7]}"
                )
            case StopRequested(level=StopLevel.POLITE) if not self._ended:
                return self._paint(
                    "    stopping: what runs may finish for 10 s; again to cancel it now", "yellow"
                )
            case _:
                return backlog_line(event, self._paint)

    def _started(self, event: RunStarted) -> str:
        parts = [
            event.item,
            f"{event.stories} stories" if event.stories != 1 else "1 story",
            f"{event.branch} from {event.base_name or 'detached'}@{event.base[:7]}",
            f"agent {event.agent}",
        ]
        if event.carried:
            count = len(event.carried)
            parts.append(f"carried {count} uncommitted file{'s' if count != 1 else ''}")
        if event.left_behind:
            parts.append(f"left behind: {shortened(event.left_behind)}")
        if event.continued:
            parts.append("continued")
        return " · ".join(one_line(part) for part in parts)

    def _acted(self, kind: str, text: str) -> str:
        if not self.acts:
            return ""
        return self._paint("    " + one_line(f"{kind}: {text}", width() - 5), "dim")

    def _failed(self, event: AttemptFailed) -> str:
        # A phase's title is its item and name: where it stands among the others says nothing.
        is_phase = event.phase and not event.story
        word, reason = event.state.upper(), event.reason
        if is_phase and event.state == "blocked":
            # The question is told of the item, with how to answer it.
            word, reason = "asks", ""
        shown = [clean(line) for line in event.evidence.splitlines()[-_EVIDENCE:]]
        below = "".join(f"\n        {line}" for line in shown) if self.evidence else ""
        at = "" if is_phase else _place(event.position, event.stories)
        return (
            f"{at}{one_line(event.title, 40)}  try {event.number}  "
            f"{spent(event.seconds, event.usage)}  {self._paint(word, 'red')}  {reason}".rstrip()
            + self._paint(below, "dim")
        )

    def _paint(self, text: str, colour: str) -> str:
        return coloured(text, colour, self.stream)


def summary(event: RunEnded, *, delivering: bool) -> str:
    """Return the closing line of a run, with what to do next.

    Args:
      delivering: whether the result is merged right after.
    """
    spent = f", ${event.cost:.2f}" if event.cost else ""
    attempts = f"{event.attempts} attempt{'s' if event.attempts != 1 else ''}"
    kind = "verified" if event.verified else "unverified"
    head = f"{event.state} {event.done}/{event.stories} {kind}, {attempts}{spent}"
    match event.state:
        case "done" if delivering:
            return head
        case "done":
            return (
                f"{head}, your checkout untouched.  "
                f"orc diff {event.item} | "
                f"orc finish {event.item} --{'merge' if event.target else 'apply'}"
            )
        case "partial":
            return f"{head}, {event.reason}\ncontinue with: orc run {event.item}"
        case "blocked":
            answer = f"answer with: orc tell {event.item} TEXT, then: orc run {event.item}"
            return f"{head}: {event.reason}\n{answer}"
        case _:
            how = event.advice or f"orc run {event.item}"
            return f"{head}: {event.reason}\ncontinue with: {how}"


def started_head(event: AttemptStarted, room: int) -> str:
    """Return what an attempt is at: a story among the others, or a phase of an item.

    Args:
      room: most characters of a title.
    """
    at = "" if event.phase and not event.story else _place(event.position, event.stories)
    return f"{at}{one_line(event.title, room)}"


def _place(position: int, stories: int) -> str:
    return f"{position}/{stories} "
