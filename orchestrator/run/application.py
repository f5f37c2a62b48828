"""Puts a run together: repository, spec, agent and limits around one orchestrator."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import trio

from orchestrator.adapters.git import refs
from orchestrator.adapters.git import workspace as workspaces
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import Workspace
from orchestrator.bridge import Sink
from orchestrator.config import FILE_NAME, Config, load_config
from orchestrator.errors import ConfigError, ConflictError, OrchestratorError, StoppedError
from orchestrator.guardian.client import Guardians
from orchestrator.runtime import Orchestrator, open_orchestrator
from orchestrator.work.records import RunRecord

from . import commands, delivery
from .agent import ChosenAgent, choose_agent
from .attempt import AttemptRunner, LoopSettings
from .claim import claim_workspace, worker_lock
from .commands import OpenRun
from .environment import child_environment, interpreters_into
from .events import RunStarted, Warned
from .host import GuardedHost, writable_paths
from .ledger import OpenedRun
from .lock import engine_lock
from .paths import attempt_log
from .story_loop import Outcome, StoryLoop
from .target import Target, find_target
from .threads import GitThreads
from .verify import run_checks

INTERRUPT_AFTER = 10.0
WIND_UP = 45.0


@attrs.frozen(kw_only=True)
class RunOptions:
    """What a person asked `run` for; None means: as configured."""

    directory: Path
    config_file: Path | None = None
    change: str | None = None
    overrides: Mapping[str, Any] = attrs.field(factory=dict)
    model: str | None = None
    max_turns: int | None = None
    max_cost: float | None = None
    baseline: bool = True


@attrs.frozen(kw_only=True)
class Plan:
    """Everything a run needs to know before it changes anything."""

    repo: Repository
    config: Config
    target: Target
    agent: ChosenAgent
    item: str


def make_plan(options: RunOptions) -> Plan:
    """Look at everything and change nothing. Blocking.

    Raises:
      UsageError: (and its kinds) for whatever would stop the run later.
    """
    repo = Repository.open(options.directory)
    config = load_config(
        options.config_file or repo.checkout / FILE_NAME,
        environ=os.environ,
        overrides=options.overrides,
        required=options.config_file is not None,
    )
    target = find_target(repo, options.directory, options.change)
    agent = choose_agent(config, os.environ)
    into = interpreters_into(os.environ.get("PATH", os.defpath), repo.checkout)
    if into and config.execution.verify:
        raise ConfigError(
            f"the Python in {into[0]} has this checkout installed: verification would test it "
            "instead of the workspace",
            fix="uninstall it there, and install the project in an environment of its own",
        )
    named = [c for c in config.execution.verify if str(repo.checkout) in c]
    if named:
        raise ConfigError(
            f"verify command names the checkout, so it would not test the workspace: {named[0]}",
            where="execution.verify",
            fix="use a path relative to the project",
        )
    return Plan(
        repo=repo,
        config=config,
        target=target,
        agent=agent,
        item=refs.item_slug(target.change.id),
    )


async def run_change(
    plan: Plan,
    options: RunOptions,
    *,
    sinks: Mapping[str, Sink],
    signals: bool = False,
    on_force: Callable[[], None] | None = None,
) -> Outcome:
    """Drive the planned change until it is done, failed, blocked or stopped.

    A polite stop starts no new attempt and has the running worker interrupted by its own protocol
    after 10 s; a second one cancels it now. What it had done is pinned either way.

    Args:
      sinks: where events go, by name.
      signals, on_force: see `open_orchestrator`.

    Raises:
      BusyError: when another engine works on the repository.
      BaselineError: when set-up or verification fails before any work.
      StoppedError: when it was cancelled.
    """
    threads = GitThreads(
        limiter=trio.CapacityLimiter(max(2, os.cpu_count() or 2)),
        deadline=plan.config.execution.command_timeout,
    )
    ended = _Ended()
    with engine_lock(plan.repo.state_dir):
        async with open_orchestrator(
            plugins=[commands.plugin],
            services={Repository: plan.repo, GitThreads: threads},
            sinks=sinks,
            grace=INTERRUPT_AFTER + WIND_UP,
            signals=signals,
            on_force=on_force,
        ) as orchestrator:
            orchestrator.start_execution(_execute, plan, options, orchestrator, ended)
            await ended.event.wait()
    if ended.error is not None:
        raise ended.error
    if ended.outcome is None:
        raise StoppedError("stopped", fix="continue with the same command")
    return ended.outcome


@attrs.define(eq=False)
class _Ended:
    """How an execution ended; neither outcome nor error: it was cancelled."""

    event: trio.Event = attrs.field(factory=trio.Event)
    outcome: Outcome | None = None
    error: OrchestratorError | None = None


async def _execute(
    plan: Plan, options: RunOptions, orchestrator: Orchestrator, ended: _Ended
) -> None:
    try:
        async with Guardians() as guardians, trio.open_nursery() as nursery:
            interrupt = trio.Event()
            nursery.start_soon(_interrupt_later, orchestrator.stopping.requested, interrupt)
            opened = await orchestrator.call(
                OpenRun(
                    item=plan.item,
                    spec=plan.target.spec(plan.repo.checkout),
                )
            )
            loop = _loop(plan, options, opened, orchestrator, guardians, interrupt)
            ended.outcome = await loop.run()
            nursery.cancel_scope.cancel()
    except* OrchestratorError as group:
        ended.error = next(_leaves(group))
    finally:
        ended.event.set()


def _leaves(group: BaseExceptionGroup[OrchestratorError]) -> Iterator[OrchestratorError]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def _interrupt_later(requested: trio.Event, interrupt: trio.Event) -> None:
    await requested.wait()
    await trio.sleep(INTERRUPT_AFTER)
    interrupt.set()


def _loop(
    plan: Plan,
    options: RunOptions,
    opened: OpenedRun,
    orchestrator: Orchestrator,
    guardians: Guardians,
    interrupt: trio.Event,
) -> StoryLoop:
    run = opened.run
    place = opened.workspace
    temporary = place.directory / "tmp"
    temporary.mkdir(exist_ok=True, mode=0o700)
    orchestrator.publish(
        RunStarted(
            run=run.id,
            item=run.item,
            title=run.title,
            branch=refs.branch_ref(run.item).removeprefix("refs/heads/"),
            base=run.base,
            base_name=run.target.removeprefix("refs/heads/"),
            agent=plan.agent.label,
            stories=sum(1 for story in plan.target.change.stories if story.tasks),
            carried=run.carried,
            left_behind=plan.target.left_behind,
            continued=opened.continued,
        )
    )
    if plan.repo.identity().is_fallback:
        orchestrator.publish(Warned(message="git has no identity: committing as Orchestrator"))
    environment = child_environment(
        os.environ,
        checkout=plan.repo.checkout,
        workspace=place.path,
        temporary=temporary,
        allow=plan.config.workspace.env,
        credentials=plan.agent.credentials,
    )
    execution, settings = plan.config.execution, plan.agent.settings
    runner = AttemptRunner(
        caller=orchestrator,
        host=_host(guardians, place, temporary),
        worker=plan.agent.worker,
        change=plan.target.change.id,
        opened=opened,
        settings=LoopSettings(
            max_attempts=execution.max_attempts,
            attempt_timeout=execution.attempt_timeout,
            setup=plan.config.workspace.setup,
            verify=execution.verify,
            baseline=options.baseline,
            environment=environment,
            check_environment={
                name: value
                for name, value in environment.items()
                if name not in plan.agent.credentials
            },
            writable=plan.agent.writable,
            attempts=place.directory / "attempts",
            logs=attempt_log(plan.repo.state_dir, "x").parent,
            model=options.model or settings.model,
            max_turns=options.max_turns or settings.max_turns,
            max_cost=options.max_cost or settings.max_cost,
        ),
        interrupt=interrupt,
    )
    return StoryLoop(runner=runner, stopping=orchestrator.stopping.requested)


def _host(guardians: Guardians, place: Workspace, temporary: Path) -> GuardedHost:
    return GuardedHost(
        guardians=guardians,
        writable=writable_paths(Path.home(), place.path, (temporary,)),
        lock=worker_lock(place),
    )


@attrs.frozen(kw_only=True)
class FinishOptions:
    """What a person asked `finish` for; ``verify`` None means: as configured."""

    directory: Path
    config_file: Path | None
    item: str
    how: str
    verify: tuple[str, ...] | None


@attrs.frozen(kw_only=True)
class Finished:
    """What `finish` did; ``commit`` is where the target, or the kept branch, is now."""

    commit: str
    text: str


async def finish_item(options: FinishOptions) -> Finished:
    """Deliver an item: keep its branch, or merge it once the merged tree is verified.

    Raises:
      ConflictError: when it does not fit, or the merged tree fails verification; nothing is
        changed then.
    """
    repo = await trio.to_thread.run_sync(Repository.open, options.directory)
    if options.how == "keep":
        _, tip = await trio.to_thread.run_sync(delivery.require_run, repo, options.item)
        text = f"kept: branch orchestrator/{options.item} at {tip[:7]}"
        return Finished(commit=tip, text=text)
    config = load_config(
        options.config_file or repo.checkout / FILE_NAME,
        environ=os.environ,
        required=options.config_file is not None,
    )
    verify = config.execution.verify if options.verify is None else options.verify
    with engine_lock(repo.state_dir):
        merge = await trio.to_thread.run_sync(delivery.plan_merge, repo, options.item)
        run, tip = await trio.to_thread.run_sync(delivery.require_run, repo, options.item)
        checked = "verified before"
        if merge.new not in (tip, merge.old):
            checked = await _verify_merge(repo, config, run, merge.new, verify)
        commit = await trio.to_thread.run_sync(delivery.land, repo, options.item, merge)
    target = merge.target.removeprefix("refs/heads/")
    return Finished(commit=commit, text=f"{target} is at {commit[:7]} ({checked})")


def _merge_workspace(repo: Repository, item: str, commit: str) -> Workspace:
    """Make the workspace in which a merge is verified; one that a killed `finish` left goes."""
    home, name = repo.workspace_home(), f"{item}.merge"
    with claim_workspace(workspaces.place_of(home, name)):
        left = workspaces.open_existing(repo, name, home)
        if left is not None:
            workspaces.remove(left)
        return workspaces.create(repo, name, commit, home)


async def _verify_merge(
    repo: Repository, config: Config, run: RunRecord, commit: str, verify: tuple[str, ...]
) -> str:
    """Check the merged tree in a workspace of its own; returns how it was checked."""
    if not verify:
        return "not verified"
    place = await trio.to_thread.run_sync(_merge_workspace, repo, run.item, commit)
    temporary = place.directory / "tmp"
    temporary.mkdir(exist_ok=True, mode=0o700)
    environment = child_environment(
        os.environ, checkout=repo.checkout, workspace=place.path, temporary=temporary
    )
    try:
        async with Guardians() as guardians:
            results = await run_checks(
                (*config.workspace.setup, *verify),
                host=_host(guardians, place, temporary),
                cwd=place.path / run.root,
                env=environment,
                timeout=config.execution.attempt_timeout,
            )
    finally:
        with trio.CancelScope(shield=True):  # bounded: deletes one directory of ours
            await trio.to_thread.run_sync(workspaces.remove, place)
    last = results[-1]
    if not last.passed:
        raise ConflictError(
            f"the merged tree fails `{last.command}` ({last.reason}):\n{last.output}",
            where=run.target,
            fix="nothing was merged; bring the branch up to date, or merge by hand",
        )
    return "merged tree verified"
