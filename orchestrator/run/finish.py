"""Runs `finish`, `undo` and `gc`: each one piece of work inside an engine."""

from __future__ import annotations

import os
from functools import partial

import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import UsageError
from orchestrator.run.delivery.commands import CollectGarbage, Undo
from orchestrator.run.delivery.delivering import Delivery, Finished, FinishOptions
from orchestrator.run.delivery.items import item_named, require_run
from orchestrator.run.delivery.retention import Collected
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.engine.returning import give_back_left
from orchestrator.runtime import Orchestrator
from orchestrator.settings import Config
from orchestrator.work.records import DeliveryRecord


async def finish_item(options: FinishOptions, *, signals: bool = False) -> Finished:
    """Deliver an item.

    Raises:
      UsageError: when there is nothing to deliver, or not in this way.
      ConflictError: when it does not fit, fails verification, or the operator's git refuses;
        nothing is changed then, and the item is blocked with the reason.
      StoppedError: when it was cancelled; the next call finishes what was begun.
    """
    if options.archive and options.how in ("keep", "discard"):
        raise UsageError(
            f"--archive does not go with --{options.how}: it is part of what lands",
            fix="add --merge, --squash or --apply",
        )
    repo, config = await _open(options)
    item = await trio.to_thread.run_sync(item_named, repo, options.item)
    if options.how == "keep":
        _, tip = await trio.to_thread.run_sync(require_run, repo, item)
        return Finished(item=item, how="keep", commit=tip)

    async def work(orchestrator: Orchestrator) -> Finished:
        delivery = Delivery(
            repo=repo, config=config, options=options, item=item, orchestrator=orchestrator
        )
        return await delivery.run()

    return await run_engine(repo, item, work, config=config, signals=signals)


async def undo_last(options: FinishOptions, item: str | None) -> DeliveryRecord:
    """Take back the last delivery, of one item or of all; see `undo.undo`."""
    repo, config = await _open(options)
    name = await trio.to_thread.run_sync(item_named, repo, item) if item is not None else None

    async def work(orchestrator: Orchestrator) -> DeliveryRecord:
        return await orchestrator.call(Undo(item=name))

    return await run_engine(repo, name or "", work, config=config, signals=True)


async def collect_garbage(options: FinishOptions, *, dry_run: bool) -> Collected:
    """Remove what was kept long enough; see `retention.collect`."""
    repo, config = await _open(options)

    async def work(orchestrator: Orchestrator) -> Collected:
        retention = config.execution.retention
        return await orchestrator.call(CollectGarbage(retention=retention, dry_run=dry_run))

    return await run_engine(repo, "", work, config=config, signals=True)


async def _open(options: FinishOptions) -> tuple[Repository, Config]:
    await trio.to_thread.run_sync(
        partial(give_back_left, options.directory, deadline=options.patience)
    )
    repo = await trio.to_thread.run_sync(
        partial(Repository.open, options.directory, deadline=options.patience)
    )
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
    repo = repo.within(config.execution.command_timeout).working(config.workspace.mode)
    return repo, config
