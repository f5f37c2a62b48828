"""Looks, before any work, for all that would stop it: each with where it is and how to mend it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import OrchestratorError, PreflightError
from orchestrator.run.backlog.callables import call_problem
from orchestrator.run.backlog.workflows import workflow_path
from orchestrator.run.hosting.agent import choose_agent
from orchestrator.run.specs import find_change
from orchestrator.settings import Config
from orchestrator.work.backlog.item import Item, Status
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.soundness import unsound


class Problem(NamedTuple):
    """One thing in the way: ``where`` is a key of the configuration, or the id of an item."""

    what: str
    where: str
    fix: str


def require_sound(
    config: Config,
    items: Iterable[Item],
    *,
    repo: Repository,
    base_dir: Path,
    environ: Mapping[str, str],
) -> None:
    """Refuse to begin when there are `problems`. Blocking.

    Raises:
      PreflightError: naming all of them.
    """
    found = problems(config, items, repo=repo, base_dir=base_dir, environ=environ)
    if found:
        raise PreflightError(found)


def problems(
    config: Config,
    items: Iterable[Item],
    *,
    repo: Repository,
    base_dir: Path,
    environ: Mapping[str, str],
) -> tuple[Problem, ...]:
    """Return all that is in the way of working on a backlog. Blocking; only reads.

    Args:
      items: all there are, the ended ones too.
      base_dir: directory of the configuration file.
      environ: the operator's environment.
    """
    items = tuple(items)
    rules = config.rules()
    phases = [
        (f"pipelines.{name}.{key}.{index}", phase)
        for name, pipeline in sorted(rules.pipelines.items())
        for key, index, phase in _phases(pipeline)
    ]
    return (
        *_workflow_problems(phases, base_dir, environ),
        *_agent_problems(phases, items, config, environ),
        *_call_problems(phases, repo.checkout),
        *_spec_problems(rules.pipelines, repo),
        *_place_problems(config, repo.checkout),
        *(Problem(what=what, where=id, fix=fix) for id, what, fix in unsound(items, rules)),
    )


def _phases(pipeline: Pipeline) -> Iterator[tuple[str, int, Phase]]:
    for key, phases in (("pre_phases", pipeline.pre_phases), ("phases", pipeline.phases)):
        for index, phase in enumerate(phases):
            yield key, index, phase


def _workflow_problems(
    phases: Iterable[tuple[str, Phase]], base_dir: Path, environ: Mapping[str, str]
) -> Iterator[Problem]:
    seen: set[Path] = set()
    for key, phase in phases:
        for index, workflow in enumerate(phase.workflows):
            path = workflow_path(workflow, base_dir, environ)
            if path in seen:
                continue
            seen.add(path)
            if what := _unreadable(path):
                where = f"{key}.workflows.{index}"
                yield Problem(f"{path} {what}", where, "write the file, or mend its path")


def _unreadable(path: Path) -> str:
    try:
        if not path.exists():
            return "does not exist"
        if not path.is_file():
            return "is not a regular file"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    return "" if os.access(path, os.R_OK) else "is not readable"


def _agent_problems(
    phases: Iterable[tuple[str, Phase]],
    items: Iterable[Item],
    config: Config,
    environ: Mapping[str, str],
) -> Iterator[Problem]:
    wanted: dict[str | None, str] = {}
    for key, phase in phases:
        if not (phase.command or phase.call):
            where = f"{key}.agent" if phase.agent else "execution.agent"
            wanted.setdefault(phase.agent, where)
    if any(item.status is Status.NEW for item in items):
        wanted.setdefault(None, "execution.agent")
    for name, where in wanted.items():
        try:
            choose_agent(config, environ, name)
        except OrchestratorError as error:
            fix = error.fix or "install it, or choose another one"
            yield Problem(error.message, error.where or where, fix)


def _call_problems(phases: Iterable[tuple[str, Phase]], root: Path) -> Iterator[Problem]:
    for key, phase in phases:
        if phase.call and (what := call_problem(phase.call, root)):
            yield Problem(what, f"{key}.call", "mend the name, or write the function")


def _spec_problems(pipelines: Mapping[str, Pipeline], repo: Repository) -> Iterator[Problem]:
    """Look for the changes that first phases work on; an earlier phase may write a later one's."""
    for name, pipeline in sorted(pipelines.items()):
        key, index, phase = next(_phases(pipeline))
        if not phase.spec or "{" in phase.spec:
            continue
        try:
            source, change = find_change(repo, repo.checkout, phase.spec)
            source.read(change)
        except OrchestratorError as error:
            where = f"pipelines.{name}.{key}.{index}.spec"
            fix = error.fix or "name a change: orc list shows them"
            yield Problem(f"{phase.spec}: {error.message}", where, fix)


def _place_problems(config: Config, checkout: Path) -> Iterator[Problem]:
    if config.workspace.mode == "in-place" and config.execution.max_concurrent > 1:
        what = "work in the checkout itself is for one phase at a time"
        fix = 'set max_concurrent = 1, or [workspace] mode = "clone"'
        yield Problem(what, "execution.max_concurrent", fix)
    if config.backlog.mirror is not None:
        path = checkout / config.backlog.mirror
        fix = "name a file below the checkout"
        if not path.resolve().is_relative_to(checkout.resolve()):
            what = f"{config.backlog.mirror} leads out of the checkout"
            yield Problem(what, "backlog.mirror", fix)
        elif os.path.lexists(path) and not path.is_file():
            what = f"{config.backlog.mirror} is not a regular file"
            yield Problem(what, "backlog.mirror", fix)
