"""Shows a run to the person who started it: live on a terminal, as plain lines, or as JSON."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Protocol, TypeVar

import trio

from orchestrator.bridge import Sink
from orchestrator.errors import OrchestratorError

from .live import LiveLines, can_be_live, live_lines
from .output import Quiet
from .render import JsonLines, PlainLines
from .sinks import Person

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Drive(Protocol[T_co]):
    """Runs something and tells its events to sinks."""

    def __call__(self, *, sinks: Mapping[str, Sink]) -> Awaitable[T_co]:
        """Run it to its end."""


async def drive_shown(drive: Drive[T], arguments: argparse.Namespace, delivering: bool) -> T:
    """Return what ``drive`` returns, with its events shown as the arguments have it.

    Args:
      delivering: whether a finished item goes somewhere by itself.
    """
    live: LiveLines | None = None
    shown: Sink
    if arguments.json:
        shown = JsonLines(Quiet(sys.stdout))
    else:
        lines = _lines(arguments)
        if not (arguments.no_tui or arguments.quiet) and can_be_live(sys.stderr):
            lines.acts = lines.starts = arguments.verbose
            live = live_lines(lines, sys.stderr)
        shown = Person(live or lines, delivering=delivering)
    run = partial(drive, sinks={"person": shown})
    return await run() if live is None else await _beside(live.run, run)


def die() -> None:
    """End at once: the guardians notice and kill their trees, the next run settles the rest."""
    os._exit(130)


def _lines(arguments: argparse.Namespace) -> PlainLines:
    loud = not arguments.quiet
    return PlainLines(Quiet(sys.stderr), acts=loud, starts=loud, evidence=arguments.verbose)


async def _beside(display: Callable[[], Awaitable[None]], drive: Callable[[], Awaitable[T]]) -> T:
    """Return what ``drive`` returns, with the display running for as long as that takes."""
    outcome: T | OrchestratorError
    async with trio.open_nursery() as nursery:
        nursery.start_soon(display)
        try:
            outcome = await drive()
        except OrchestratorError as error:
            outcome = error
        nursery.cancel_scope.cancel()
    if isinstance(outcome, OrchestratorError):
        raise outcome
    return outcome
