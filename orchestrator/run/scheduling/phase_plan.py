"""Works out who does a phase and under which settings, as a plan like that of any run. Blocking."""

from __future__ import annotations

import os

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.agents.phase_workers import call_worker, command_worker
from orchestrator.run.build import choose_build, require_honest
from orchestrator.run.hosting.agent import ChosenAgent, choose_agent
from orchestrator.run.plan import Plan
from orchestrator.run.target import Target
from orchestrator.settings import AgentSettings, Config, Seconds
from orchestrator.work.adhoc import AdHoc
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.pipeline import Phase
from orchestrator.work.spec import SpecSource

_NO_AGENT = AgentSettings(kind="command")


def plan_phase(
    repo: Repository,
    config: Config,
    item: Item,
    phase: Phase,
    found: tuple[SpecSource, str] | None = None,
) -> Plan:
    """Return the plan of one phase of an item.

    Args:
      found: the change that a phase works through story by story, and where it is read.

    Raises:
      ConfigError: when the phase's agent is not configured, or verification would not test the
        workspace.
      AgentUnavailableError: when its program is not installed.
    """
    execution = config.execution
    config = attrs.evolve(
        config,
        execution=attrs.evolve(
            execution,
            attempt_timeout=Seconds(phase.timeout or execution.attempt_timeout),
            max_attempts=execution.max_attempts if phase.retries is None else phase.retries + 1,
        ),
    )
    build = choose_build(config, repo.checkout, repo.checkout)
    if not phase.verify:
        build = attrs.evolve(build, verify=())
    if repo.mode != "in-place":
        require_honest(build, repo.checkout)
    return Plan(
        repo=repo,
        anonymous=repo.identity().is_fallback,
        config=config,
        target=_target(found or (AdHoc(repo.checkout, item.id, brief(item)), item.id), item),
        agent=choose_worker(config, phase),
        build=build,
        item=item.id,
    )


def choose_worker(config: Config, phase: Phase) -> ChosenAgent:
    """Return who does a phase: its command, its function or its agent, with the model it wants.

    Raises:
      ConfigError: when its agent is not configured.
      AgentUnavailableError: when its program is not installed.
    """
    if phase.command:
        worker = command_worker(phase.command)
        return ChosenAgent(name="command", label="a command", worker=worker, settings=_NO_AGENT)
    if phase.call:
        worker = call_worker(phase.call)
        return ChosenAgent(name="call", label=phase.call, worker=worker, settings=_NO_AGENT)
    agent = choose_agent(config, os.environ, phase.agent)
    if phase.model is None:
        return agent
    return attrs.evolve(agent, settings=attrs.evolve(agent.settings, model=phase.model))


def brief(item: Item) -> str:
    """Return what an item is about, in words: it may name protected paths."""
    return "\n\n".join(text for text in (item.title, *attrs.astuple(item.description)) if text)


def _target(found: tuple[SpecSource, str], item: Item) -> Target:
    source, change = found
    return Target(
        source=source,
        change=source.read(change),
        item=item.id,
        note=None,
        below=".",
        carried={},
        left_behind=(),
    )
