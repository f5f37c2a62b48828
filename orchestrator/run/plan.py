"""Looks at everything a run needs, before anything is changed. Blocking; worker threads only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from orchestrator.adapters.git import workspace
from orchestrator.adapters.git.brought import require_copies
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.process import DEADLINE
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import UsageError
from orchestrator.redact import redactor
from orchestrator.run.build import Build, choose_build, require_honest
from orchestrator.run.delivery.planning import require_signing
from orchestrator.run.delivery.settling import require_whole
from orchestrator.run.hosting.agent import ChosenAgent, choose_agent
from orchestrator.run.target import Target, Wanted, find_target
from orchestrator.settings import Config
from orchestrator.work.loop import EVERYTHING, Selection
from orchestrator.work.spec import Change


@attrs.frozen(kw_only=True)
class RunOptions:
    """What a person asked `run` for; None means: as configured.

    Attributes:
      again: try also what failed the same way twice, and what a limit holds back.
      patience: seconds a git command may take before the configuration is known.
    """

    directory: Path
    config_file: Path | None = None
    wanted: Wanted = attrs.field(factory=Wanted)
    selection: Selection = EVERYTHING
    overrides: Mapping[str, Any] = attrs.field(factory=dict)
    model: str | None = None
    baseline: bool = True
    again: bool = False
    patience: float = DEADLINE


@attrs.frozen(kw_only=True)
class Plan:
    """Everything a run needs to know before it changes anything.

    Attributes:
      anonymous: whether git knows no identity, so that commits get the product's own.
    """

    repo: Repository
    anonymous: bool
    config: Config
    target: Target
    agent: ChosenAgent
    build: Build
    item: str


def make_plan(options: RunOptions) -> Plan:
    """Look at everything and change nothing. Blocking.

    Raises:
      UsageError: (and its kinds) for whatever would stop the run later.
    """
    repo = Repository.open(options.directory, deadline=options.patience)
    require_whole(repo)
    config = load_config(
        options.config_file or repo.checkout / FILE_NAME,
        environ=os.environ,
        overrides=options.overrides,
        required=options.config_file is not None,
    )
    repo = repo.within(config.execution.command_timeout).working(config.workspace.mode)
    repo.require_settled()
    wanted = _without_secrets(options.wanted, config)
    target = find_target(repo, options.directory, wanted, carry=config.workspace.carry)
    workspace.require_workable(repo, target.carried)
    _require_known(target.change, options.selection)
    agent = choose_agent(config, os.environ)
    build = choose_build(config, target.source.root, repo.checkout)
    if repo.mode != "in-place":
        require_honest(build, repo.checkout)
    require_copies(repo.checkout, build.copy)
    if config.execution.finish == "squash":
        require_signing(repo, terminal=os.isatty(0))
    return Plan(
        repo=repo,
        anonymous=repo.identity().is_fallback,
        config=config,
        target=target,
        agent=agent,
        build=build,
        item=target.item,
    )


def _without_secrets(wanted: Wanted, config: Config) -> Wanted:
    """Take secrets out of a task in words: its title and its item's name are shown and recorded."""
    if wanted.brief is None:
        return wanted
    redact = redactor(os.environ, *(agent.env for agent in config.agents.values()))
    return attrs.evolve(wanted, brief=redact.text(wanted.brief))


def _require_known(change: Change, selection: Selection) -> None:
    unknown = selection.unknown(change.stories)
    if unknown:
        rows = "\n".join(f"  {story.id}  {story.title}" for story in change.stories)
        message = f"{change.id} has no story {' or '.join(unknown)}; it has:\n{rows}"
        raise UsageError(message, fix="name one of them")
