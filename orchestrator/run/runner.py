"""Puts together what runs the attempts of one run: worker, checks, limits and surroundings."""

from __future__ import annotations

import os

import trio

from orchestrator.guardian.client import Guardians
from orchestrator.redact import redactor
from orchestrator.run.attempts.attempt import AttemptRunner, LoopSettings
from orchestrator.run.checks.checker import make_checker
from orchestrator.run.engine.steering import Steering
from orchestrator.run.hosting.host import surroundings
from orchestrator.run.plan import Plan, RunOptions
from orchestrator.run.records.opening import OpenedRun
from orchestrator.run.records.paths import attempt_logs
from orchestrator.runtime import Orchestrator
from orchestrator.work.budget import Budget


def make_runner(
    plan: Plan,
    options: RunOptions,
    opened: OpenedRun,
    orchestrator: Orchestrator,
    guardians: Guardians,
    interrupt: trio.Event,
    steering: Steering,
) -> AttemptRunner:
    """Return what runs the attempts of an opened run as its plan has it.

    Args:
      interrupt: once set, what runs is asked to stop.

    Raises:
      ConfigError: when the project needs a Python and there is none.
    """
    place = opened.workspace
    checker = make_checker(
        plan.repo,
        plan.config,
        plan.build,
        guardians,
        place,
        opened.run.root,
        interrupt,
        orchestrator.publish,
    )
    _, worker = surroundings(
        plan.repo,
        plan.config,
        guardians,
        place,
        wrap=plan.build.wrap,
        own_python=plan.build.own_python,
        credentials=plan.agent.credential.given if plan.agent.credential else (),
    )
    execution, settings = plan.config.execution, plan.agent.settings
    return AttemptRunner(
        caller=orchestrator,
        checker=checker,
        worker=plan.agent.worker,
        change=plan.target.change.id,
        spec_at=plan.target.source.at,
        opened=opened,
        settings=LoopSettings(
            max_attempts=execution.max_attempts,
            attempt_timeout=execution.attempt_timeout,
            build=plan.build,
            selection=options.selection,
            baseline=options.baseline,
            environment=worker,
            writable=(*plan.agent.directories, *plan.agent.files),
            attempts=place.directory / "attempts",
            logs=attempt_logs(plan.repo.state_dir),
            model=options.model or settings.model,
            budget=Budget(
                cost=settings.max_cost,
                tokens=settings.max_tokens,
                turns=settings.max_turns,
                seconds=execution.attempt_timeout,
            ),
            run_budget=Budget(
                cost=execution.max_cost,
                tokens=execution.max_tokens,
                turns=execution.max_turns,
                seconds=execution.max_time,
            ),
            wait=execution.wait,
            again=options.again,
            definition=plan.agent.definition(),
            pays=plan.agent.credential.pays if plan.agent.credential else "",
            own_tools=plan.agent.own_tools,
        ),
        interrupt=interrupt,
        redact=redactor(os.environ, settings.env),
        steering=steering,
    )
