"""`run`: drives a change to done and tells as it happens."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from orchestrator.adapters.process import DEADLINE
from orchestrator.bridge import Sink
from orchestrator.errors import ConfigError, StoppedError
from orchestrator.guardian.reaper import become_subreaper
from orchestrator.messages import Event, Fact
from orchestrator.run.change import run_change
from orchestrator.run.events import RunEnded, RunStarted
from orchestrator.run.finish import FinishOptions, finish_item
from orchestrator.run.paths import events_log
from orchestrator.run.plan import Plan, RunOptions, make_plan
from orchestrator.run.story_loop import Outcome
from orchestrator.settings import parse_duration

from .output import Quiet, print_json
from .render import JsonLines, PlainLines, documents, summary, write_slowly

_LOG_ROOM = 16 << 20
"""Bytes of a run's log after which only facts are written."""

_EXIT_CODES = {"done": 0, "failed": 1, "limited": 3, "blocked": 4, "stopped": 130}


def run(arguments: argparse.Namespace) -> int:
    """Drive one change; exit 0 done, 1 failed, 3 limited, 4 waits for a person, 130 stopped."""
    options = RunOptions(
        directory=Path(arguments.directory),
        config_file=Path(arguments.config) if arguments.config else None,
        change=arguments.change,
        overrides=_overrides(arguments),
        model=arguments.model,
        baseline=arguments.baseline == "run",
        patience=_duration(arguments.command_timeout),
    )
    plan = make_plan(options)
    if arguments.dry_run:
        _print_plan(plan, as_json=arguments.json)
        return 0
    become_subreaper()
    try:
        outcome = trio.run(_run, plan, options, arguments)
    except StoppedError:
        return 130
    if outcome.state == "done" and plan.config.execution.finish == "merge":
        deliver = FinishOptions(
            directory=options.directory,
            config_file=options.config_file,
            item=plan.item,
            how="merge",
            setup=arguments.setup,
            verify=arguments.verify,
            command_timeout=arguments.command_timeout,
            attempt_timeout=arguments.attempt_timeout,
        )
        done = trio.run(partial(finish_item, deliver, signals=True))
        if arguments.json:
            print_json({"event": "delivered", "item": plan.item, "commit": done.commit})
        else:
            print(done.text)
    return _EXIT_CODES[outcome.state]


async def _run(plan: Plan, options: RunOptions, arguments: argparse.Namespace) -> Outcome:
    shown: Sink = (
        JsonLines(Quiet(sys.stdout))
        if arguments.json
        else _Person(
            PlainLines(Quiet(sys.stderr), verbose=not arguments.quiet),
            delivering=plan.config.execution.finish == "merge",
        )
    )
    sinks = {"person": shown, "log": _EventsLog(plan.repo.state_dir)}
    return await run_change(plan, options, sinks=sinks, signals=True, on_force=_die)


class _Person:
    """Lines on stderr while it runs, the closing line on stdout."""

    def __init__(self, lines: PlainLines, *, delivering: bool) -> None:
        self._lines = lines
        self._delivering = delivering
        self._result = Quiet(sys.stdout)

    async def emit(self, batch: Sequence[Event]) -> None:
        """Print the batch."""
        await self._lines.emit(batch)
        for event in batch:
            if isinstance(event, RunEnded):
                await write_slowly(self._result, summary(event, delivering=self._delivering) + "\n")


class _EventsLog:
    """Appends facts and progress to the run's log file, which `status` shows elsewhere."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._path: Path | None = None
        self._room = _LOG_ROOM

    async def emit(self, batch: Sequence[Event]) -> None:
        """Append the batch."""
        await trio.to_thread.run_sync(self._append, batch, abandon_on_cancel=True)

    def _append(self, batch: Sequence[Event]) -> None:
        for event in batch:
            if isinstance(event, RunStarted):
                self._path = events_log(self._state_dir, event.run)
        if self._room <= 0:
            batch = [event for event in batch if isinstance(event, Fact)]
        if self._path is None or not batch:
            return
        text = "".join(f"{line}\n" for line in documents(batch))
        self._room -= len(text)
        # A log, never read to decide: a full disk must not end the work it tells about.
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._path.open("a", encoding="ascii") as file:
                file.write(text)


def _die() -> None:
    """End at once: the guardians notice and kill their trees, the next run settles the rest."""
    os._exit(130)


def _duration(text: str | None) -> float:
    try:
        return DEADLINE if text is None else parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--command-timeout: {error}") from None


def _overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    attempts = arguments.max_attempts
    if attempts is not None and attempts < 1:
        raise ConfigError("--max-attempts must be 1 or more")
    for flag in ("max_cost", "max_tokens", "max_turns"):
        value = getattr(arguments, flag)
        if value is not None and not value > 0:
            raise ConfigError(f"--{flag.replace('_', '-')} must be above zero, got {value}")
    return {
        "execution": {
            "agent": arguments.agent,
            "max_attempts": attempts,
            "attempt_timeout": arguments.attempt_timeout,
            "command_timeout": arguments.command_timeout,
            "max_cost": arguments.max_cost,
            "max_tokens": arguments.max_tokens,
            "max_turns": arguments.max_turns,
            "max_time": arguments.max_time,
            "wait": arguments.wait,
            "verify": arguments.verify,
            "finish": arguments.finish,
        },
        "workspace": {"setup": arguments.setup},
    }


def _print_plan(plan: Plan, *, as_json: bool) -> None:
    change = plan.target.change
    open_stories = [s for s in change.stories if s.tasks and not s.is_complete]
    if as_json:
        print_json(
            {
                "item": plan.item,
                "agent": plan.agent.label,
                "stories": [story.id for story in open_stories],
                "setup": list(plan.build.setup),
                "verify": list(plan.build.commands),
                "carried": [str(path, "utf-8", "replace") for path in plan.target.carried],
                "left_behind": list(plan.target.left_behind),
            }
        )
        return
    if plan.target.note is not None:
        print(plan.target.note)
    print(f"{plan.item}: {len(open_stories)} open stories with {plan.agent.label}")
    for story in open_stories:
        print(f"  {story.id} {story.title} ({len(story.tasks)} tasks)")
    print(f"setup   {', '.join(plan.build.setup) or 'nothing'}")
    print(f"verify  {', '.join(plan.build.commands) or 'nothing: unverified'}")
    print(f"carried {len(plan.target.carried)} spec files; nothing was changed")
