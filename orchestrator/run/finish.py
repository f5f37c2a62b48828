"""Delivers an item: keeps its branch, or merges it once the merged tree is verified."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import ConflictError, StoppedError
from orchestrator.guardian.client import Guardians
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config

from . import delivery
from .build import choose_build, require_honest
from .checker import make_checker
from .commands import LandMerge, PlanMerge, PrepareMerge, RemoveWorkspace
from .delivery import MergeReady
from .engine import run_engine


@attrs.frozen(kw_only=True)
class FinishOptions:
    """What a person asked `finish` for; None means: as configured."""

    directory: Path
    config_file: Path | None
    item: str
    how: str
    setup: Sequence[str] | None = None
    verify: Sequence[str] | None = None
    command_timeout: str | None = None
    attempt_timeout: str | None = None


@attrs.frozen(kw_only=True)
class Finished:
    """What `finish` did; ``commit`` is where the target, or the kept branch, is now."""

    commit: str
    text: str


async def finish_item(options: FinishOptions, *, signals: bool = False) -> Finished:
    """Deliver an item.

    Raises:
      UsageError: when there is nothing to deliver.
      ConflictError: when it does not fit, or the merged tree fails verification; nothing is
        changed then.
      StoppedError: when it was cancelled; the next call finishes what was begun.
    """
    repo = await trio.to_thread.run_sync(Repository.open, options.directory)
    config = load_config(
        options.config_file or repo.checkout / FILE_NAME,
        environ=os.environ,
        overrides={
            "execution": {
                "command_timeout": options.command_timeout,
                "attempt_timeout": options.attempt_timeout,
                "verify": options.verify,
            },
            "workspace": {"setup": options.setup},
        },
        required=options.config_file is not None,
    )
    repo = repo.within(config.execution.command_timeout)
    item = await trio.to_thread.run_sync(delivery.item_named, repo, options.item)
    if options.how == "keep":
        _, tip = await trio.to_thread.run_sync(delivery.require_run, repo, item)
        return Finished(commit=tip, text=f"kept: branch orchestrator/{item} at {tip[:7]}")

    async def work(orchestrator: Orchestrator) -> Finished:
        run = await trio.to_thread.run_sync(delivery.delivered, repo, item)
        if run is not None:
            text = f"already delivered: {run.reason}"
            return Finished(commit=run.reason.split()[-1], text=text)
        ready = await orchestrator.call(PlanMerge(item=item))
        checked = "verified before"
        if not ready.verified:
            checked = await _verify(repo, config, ready, orchestrator)
        commit = await orchestrator.call(LandMerge(item=item, plan=ready.plan))
        target = ready.plan.target.removeprefix("refs/heads/")
        return Finished(commit=commit, text=f"{target} is at {commit[:7]} ({checked})")

    return await run_engine(
        repo, item, work, command_timeout=config.execution.command_timeout, signals=signals
    )


async def _verify(
    repo: Repository,
    config: Config,
    ready: MergeReady,
    orchestrator: Orchestrator,
) -> str:
    """Check the merged tree in a workspace of its own; returns how it was checked."""
    root = repo.checkout / ready.run.root
    build = await trio.to_thread.run_sync(choose_build, config, root, repo.checkout)
    require_honest(build, repo.checkout)
    if not build.verify:
        return "not verified: there is no verify command"
    place = await orchestrator.call(PrepareMerge(item=ready.run.item, commit=ready.plan.new))
    try:
        async with Guardians() as guardians:
            requested = orchestrator.stopping.requested
            checker = make_checker(repo, config, build, guardians, place, ready.run.root, requested)
            results = await checker.run((*checker.setup, *build.verify))
    finally:
        with trio.CancelScope(shield=True):  # bounded by the command's own deadline
            await orchestrator.call(RemoveWorkspace(item=ready.run.item, workspace=place))
    last = results[-1]
    if not last.passed and orchestrator.stopping.requested.is_set():
        raise StoppedError("stopped before anything was merged", fix="finish it again")
    if not last.passed:
        raise ConflictError(
            f"the merged tree fails `{last.command}` ({last.reason}):\n{last.output}",
            where=ready.plan.target,
            fix="nothing was merged; bring the branch up to date, or merge by hand",
        )
    return "merged tree verified"
