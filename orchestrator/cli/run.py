"""`run`: drives changes, or a task in words, to done and tells as it happens."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import OrchestratorError, SpecError, StoppedError
from orchestrator.guardian.reaper import become_subreaper
from orchestrator.run.change import run_change
from orchestrator.run.delivery.delivering import FinishOptions
from orchestrator.run.engine.returning import give_back_left
from orchestrator.run.finish import finish_item
from orchestrator.run.plan import Plan, RunOptions, make_plan
from orchestrator.run.specs import find_source
from orchestrator.run.target import Wanted

from .backlog import drive_backlog, is_asked_for
from .deliver import closing_line
from .output import print_error, print_json
from .overrides import overrides, patience
from .showing import die, drive_shown
from .summary import Ended, print_summary, worst
from .wanted import selection, wanted

_EXIT_CODES = {
    "done": 0,
    "partial": 0,
    "failed": 1,
    "limited": 3,
    "blocked": 4,
    "stopped": 130,
}


def run(arguments: argparse.Namespace) -> int:
    """Drive what was named, one after another, or else the backlog, if there is work in it.

    The exit code is the worst of theirs.

    Exit 0 done, 1 failed, 2 could not begin, 3 limited, 4 waits for a person, 130 stopped.
    """
    if is_asked_for(arguments):
        return drive_backlog(arguments)
    options = RunOptions(
        directory=Path(arguments.directory),
        config_file=Path(arguments.config) if arguments.config else None,
        selection=selection(arguments),
        overrides=overrides(arguments),
        model=arguments.model,
        baseline=arguments.baseline == "run",
        again=arguments.again,
        patience=patience(arguments),
    )
    for message in give_back_left(options.directory, deadline=options.patience):
        print(message, file=sys.stderr)
    names = wanted(arguments)
    if arguments.all:
        names = _every_open(options)
    each = [attrs.evolve(options, wanted=name) for name in names]
    # All of them before the first starts: a misspelt name must not show after hours of work.
    plans = [make_plan(one) for one in each]
    if arguments.dry_run:
        for plan in plans:
            _print_plan(plan, as_json=arguments.json)
        return 0
    become_subreaper()
    if len(plans) == 1:
        return worst([_drive(plans[0], each[0], arguments)])
    ended = _drive_several(plans, each, arguments)
    print_summary(ended, as_json=arguments.json)
    return worst(ended)


def _drive_several(
    plans: Sequence[Plan], options: Sequence[RunOptions], arguments: argparse.Namespace
) -> list[Ended]:
    """Drive each; one that fails or waits does not stop the others, unless that was asked for."""
    ended: list[Ended] = []
    for plan, one in zip(plans, options, strict=True):
        stop = any(end.code == 130 for end in ended)
        if stop or (arguments.fail_fast and any(end.code for end in ended)):
            ended.append(Ended(item=plan.item, code=None, outcome=None, reason="not started"))
            continue
        try:
            # What was delivered meanwhile may have moved what this one starts from.
            ended.append(_drive(make_plan(one), one, arguments))
        except OrchestratorError as error:
            print_error(error, as_json=arguments.json)
            end = Ended(item=plan.item, code=error.exit_code, outcome=None, reason=error.message)
            ended.append(end)
        except KeyboardInterrupt:
            ended.append(Ended(item=plan.item, code=130, outcome=None, reason="stopped"))
    return ended


def _drive(plan: Plan, options: RunOptions, arguments: argparse.Namespace) -> Ended:
    """Drive one change, and deliver it where that is configured."""
    try:
        drive = partial(run_change, plan, options, signals=True, on_force=die)
        delivering = plan.config.execution.finish != "keep"
        outcome = trio.run(drive_shown, drive, arguments, delivering)
    except StoppedError:
        return Ended(item=plan.item, code=130, outcome=None, reason="stopped on request")
    if outcome.state == "done" and plan.config.execution.finish != "keep":
        _deliver(plan, options, arguments)
    code = _EXIT_CODES[outcome.state]
    return Ended(item=plan.item, code=code, outcome=outcome, reason=outcome.reason)


def _deliver(plan: Plan, options: RunOptions, arguments: argparse.Namespace) -> None:
    deliver = FinishOptions(
        directory=options.directory,
        config_file=options.config_file,
        item=plan.item,
        how=plan.config.execution.finish,
        terminal=sys.stdin.isatty(),
        setup=arguments.setup,
        verify=arguments.verify,
        command_timeout=arguments.command_timeout,
        attempt_timeout=arguments.attempt_timeout,
        patience=options.patience,
    )
    done = trio.run(partial(finish_item, deliver, signals=True))
    if arguments.json:
        print_json({"event": "delivered", **attrs.asdict(done)})
    else:
        print(closing_line(done))


def _every_open(options: RunOptions) -> tuple[Wanted, ...]:
    """Return every change with open tasks, in the order of their names."""
    repo = Repository.open(options.directory, deadline=options.patience)
    source = find_source(repo, options.directory)
    found = tuple(
        Wanted(name=change.id)
        for change in source.changes()
        if change.status not in ("complete", "no-tasks")
    )
    if not found:
        raise SpecError("no open change", where=str(source.root), fix="propose one first")
    return found


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
    print(f"{plan.item}: {_counted(len(open_stories), 'open story')} with {plan.agent.label}")
    for story in open_stories:
        print(f"  {story.id} {story.title} ({_counted(len(story.tasks), 'task')})")
    print(f"setup   {', '.join(plan.build.setup) or 'nothing'}")
    print(f"verify  {', '.join(plan.build.commands) or 'nothing: done will mean unverified'}")
    carried = _counted(len(plan.target.carried), "uncommitted file")
    print(f"would carry {carried}; nothing was changed")


def _counted(number: int, what: str) -> str:
    """Return a number of things: "1 story", "2 stories"."""
    many = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else many}"
