"""`run` on the backlog, and `triage`: drives items through their pipelines and tells of it."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git.discover import discover, state_dir
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import NoSpecError, StoppedError, UnknownItemError, UsageError
from orchestrator.guardian.reaper import become_subreaper
from orchestrator.run.backlog.events import BacklogEnded
from orchestrator.run.engine.returning import give_back_left
from orchestrator.run.plan import RunOptions
from orchestrator.run.scheduling.run import Asked, BacklogPlan, orders_of, plan_backlog, run_backlog
from orchestrator.run.specs import find_source
from orchestrator.work.backlog.filters import parse_filters
from orchestrator.work.backlog.halt import Course, Halt, Work
from orchestrator.work.backlog.ids import resolve
from orchestrator.work.backlog.index import Backlog
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.selection import Action, Promote, Triage

from .output import print_json
from .overrides import overrides, patience
from .showing import die, drive_shown
from .stored import open_stored

_EXIT_CODES = {
    Halt.ALL_DONE: 0,
    Halt.TARGETS_DONE: 0,
    Halt.STEP_DONE: 0,
    Halt.NO_MATCHING_ITEMS: 0,
    Halt.FILTER_EXHAUSTED: 0,
    Halt.WAITING: 4,
    Halt.TARGET_BLOCKED: 4,
    Halt.CAP_REACHED: 3,
    Halt.LIMITED: 3,
    Halt.CIRCUIT_BREAKER: 1,
    Halt.STOPPED: 130,
}


def is_asked_for(arguments: argparse.Namespace) -> bool:
    """Tell whether `run` is about the backlog: an option says so, an item is named, or it has work.

    Raises:
      UsageError: when options contradict each other.
    """
    orders = arguments.target or arguments.only or arguments.cap is not None
    orders = bool(orders or arguments.auto_advance)
    other = arguments.prompt is not None or arguments.all or arguments.story or arguments.first
    if orders and (other or arguments.changes):
        raise UsageError(
            "--target, --only, --cap and --auto-advance are for the backlog, not for changes",
            fix="run one after the other",
        )
    if arguments.target and arguments.only:
        raise UsageError("--target and --only exclude each other", fix="take one of them")
    if orders or other:
        return orders
    items = _items(arguments)
    if not arguments.changes:
        is_open = any(not item.status.is_final for item in items)
        return is_open or (bool(items) and not _has_open_change(arguments))
    ids = frozenset(item.id for item in items)
    return all(_is_item(ids, name) for name in arguments.changes)


def drive_backlog(arguments: argparse.Namespace) -> int:
    """Work on the backlog.

    Exit 0 nothing is left, 1 the circuit breaker, 2 could not begin, 3 a limit or the cap, 4 what
    is left waits for a person, 130 stopped.
    """
    if arguments.cap is not None and arguments.cap < 1:
        raise UsageError("--cap must be 1 or more")
    asked = Asked(
        options=_options(arguments),
        targets=(*arguments.target, *arguments.changes),
        auto_advance=arguments.auto_advance,
        only=parse_filters(arguments.only),
        cap=arguments.cap,
        step=arguments.step,
        terminal=sys.stdin.isatty(),
    )
    return _drive(arguments, asked)


def triage(arguments: argparse.Namespace) -> int:
    """Find out what every new item is, and which pipeline it takes; begin nothing else."""
    asked = Asked(options=_options(arguments), only=parse_filters(["status=new"]))
    return _drive(arguments, asked)


def _drive(arguments: argparse.Namespace, asked: Asked) -> int:
    for message in give_back_left(asked.options.directory, deadline=asked.options.patience):
        print(message, file=sys.stderr)
    plan = plan_backlog(asked)
    if arguments.dry_run:
        _print_next(plan, arguments)
        return 0
    become_subreaper()
    drive = partial(run_backlog, plan, signals=True, on_force=die)
    delivering = plan.config.execution.finish != "keep"
    try:
        ended = trio.run(drive_shown, drive, arguments, delivering)
    except StoppedError:
        return 130
    return exit_code(ended)


def exit_code(ended: BacklogEnded) -> int:
    """Return the exit code of a run of the backlog; what waits for a person is told by it."""
    code = _EXIT_CODES[Halt(ended.halt)]
    return 4 if code == 0 and ended.blocked else code


def _options(arguments: argparse.Namespace) -> RunOptions:
    return RunOptions(
        directory=Path(arguments.directory),
        config_file=Path(arguments.config) if arguments.config else None,
        overrides=overrides(arguments),
        model=arguments.model,
        baseline=arguments.baseline == "run",
        again=arguments.again,
        patience=patience(arguments),
    )


def _items(arguments: argparse.Namespace) -> tuple[Item, ...]:
    deadline = patience(arguments)
    found = discover(Path(arguments.directory), deadline=deadline)
    with open_stored(state_dir(found.common_dir), deadline=deadline) as stored:
        return stored.items()


def _has_open_change(arguments: argparse.Namespace) -> bool:
    directory = Path(arguments.directory)
    repo = Repository.open(directory, deadline=patience(arguments))
    try:
        changes = find_source(repo, directory).changes()
    except NoSpecError:
        return False
    return any(change.status not in ("complete", "no-tasks") for change in changes)


def _is_item(ids: frozenset[str], name: str) -> bool:
    try:
        resolve(name, ids)
    except UnknownItemError:
        return False
    return True


def _print_next(plan: BacklogPlan, arguments: argparse.Namespace) -> None:
    """Print what a run would start with; nothing is changed."""
    backlog = Backlog(plan.config.rules(), _items(arguments), plan.asked.only)
    step = Course(orders_of(plan, backlog)).next(backlog)
    actions = step.actions if isinstance(step, Work) else ()
    if arguments.json:
        rows = [{"action": type(a).__name__, **attrs.asdict(a)} for a in actions]
        print_json({"actions": rows, "counts": {s.value: n for s, n in backlog.counts.items()}})
        return
    for action in actions:
        item = backlog.get(action.item)
        print(f"{_words(action)}  {item.title if item is not None else ''}".rstrip())
    print("nothing was changed" if actions else "nothing can be started now")


def _words(action: Action) -> str:
    match action:
        case Promote(item=item):
            return f"promote {item}"
        case Triage(item=item):
            return f"triage {item}"
    return f"{action.item} → {action.phase}"
