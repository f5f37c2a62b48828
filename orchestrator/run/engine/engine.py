"""Runs one piece of long work inside an orchestrator that owns the repository."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Generic, TypeVar

import attrs
import trio

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.checkout.leftovers import clear_noted
from orchestrator.adapters.git.index_lock import clear_index_lock
from orchestrator.adapters.git.own_commit import commit_index, commit_message
from orchestrator.adapters.git.repository import Repository
from orchestrator.bridge import Sink
from orchestrator.errors import OrchestratorError, StoppedError
from orchestrator.guardian.reaper import sweep_leftovers
from orchestrator.plugin import Plugin
from orchestrator.registry import Registry
from orchestrator.run import handlers, turns
from orchestrator.run.backlog import phase_handlers, plugin_checks
from orchestrator.run.backlog.book import Book, load_book
from orchestrator.run.backlog.closing import close_finished
from orchestrator.run.backlog.copies import Copies
from orchestrator.run.backlog.recovery import recover_backlog
from orchestrator.run.delivery import handlers as delivering
from orchestrator.run.engine import guidance
from orchestrator.run.engine.calls import Calls
from orchestrator.run.engine.controls import Controls
from orchestrator.run.engine.offered import offered_plugins
from orchestrator.run.engine.steering import Steering
from orchestrator.run.events import Warned
from orchestrator.run.lock import engine_lock, worked_on
from orchestrator.run.machine import stepping
from orchestrator.run.records.rebuild import rebuild
from orchestrator.run.threads import GitThreads
from orchestrator.runtime import Orchestrator, open_orchestrator
from orchestrator.settings import Config
from orchestrator.store.store import Store, open_store
from orchestrator.work.backlog.filters import EVERYTHING, Filters

T = TypeVar("T")

INTERRUPT_AFTER = 10.0
"""Seconds between a polite stop and the interruption of the worker by its own protocol."""

_WIND_UP = 45.0
_SEQUENCE = 20


@attrs.define(eq=False)
class _Ended(Generic[T]):
    """How the work ended; neither result nor error: it was cancelled."""

    event: trio.Event = attrs.field(factory=trio.Event)
    results: list[T] = attrs.field(factory=list)
    error: OrchestratorError | None = None


async def run_engine(
    repo: Repository,
    item: str,
    work: Callable[[Orchestrator], Awaitable[T]],
    *,
    config: Config,
    wanted: Filters = EVERYTHING,
    sinks: Mapping[str, Sink] = MappingProxyType({}),
    signals: bool = False,
    on_force: Callable[[], None] | None = None,
    steering: Steering | None = None,
    calls: Calls | None = None,
) -> T:
    """Own the repository, open an orchestrator with every plugin, and do ``work`` in it.

    When that has ended, calls of others that are under way have a few seconds more.

    Args:
      item: what the work is about; others see it as the one that runs.
      config: one git command may take its ``command_timeout``, a sequence of them 20 times that.
      wanted: the items of the backlog that are selected for work.
      sinks, signals, on_force: see `open_orchestrator`.
      steering: what other terminals pause and interrupt.
      calls: what other terminals call is counted there.

    Raises:
      BusyError: when another engine works on the repository.
      StoreError: when the store cannot be used; nothing was changed then.
      StoppedError: when the work was cancelled by a stop.
      OrchestratorError: what ``work`` raised.
    """
    threads = GitThreads(
        limiter=trio.CapacityLimiter(max(2, os.cpu_count() or 2)),
        deadline=config.execution.command_timeout * _SEQUENCE,
    )
    offered = offered_plugins()
    plugins: list[Plugin] = [
        handlers.plugin,
        turns.plugin,
        guidance.plugin,
        delivering.plugin,
        phase_handlers.plugin,
        plugin_checks.plugin,
        stepping.plugin,
        *offered,
    ]
    ended: _Ended[T] = _Ended()
    calls = calls or Calls()
    with ExitStack() as stack:
        lock = engine_lock(repo.state_dir, item)
        await trio.to_thread.run_sync(stack.enter_context, lock)
        await trio.to_thread.run_sync(recover, repo)
        store = await trio.to_thread.run_sync(stack.enter_context, open_store(repo.state_dir))
        rebuilt = await trio.to_thread.run_sync(rebuild, repo, store)
        book = await trio.to_thread.run_sync(load_book, store, config.rules(), wanted)
        mirror = config.backlog.mirror
        copies = Copies(
            repo=repo,
            threads=threads,
            book=book,
            mirror=repo.checkout / mirror if mirror is not None else None,
            brief=worked_on(item) is None,
        )
        settled = await recover_backlog(book, repo, threads)
        settled += await close_finished(book, repo, threads)
        taken = await copies.take_over()
        services = {Repository: repo, GitThreads: threads, Store: store, Book: book, Config: config}
        controls = Controls(
            repo=repo,
            store=store,
            item=item,
            steering=steering or Steering(),
            commands=Registry(offered).by_name,
            calls=calls,
        )
        async with open_orchestrator(
            plugins=plugins,
            services=services,
            sinks={"latest": controls.watch, **sinks},
            servers={"control": controls.server},
            grace=INTERRUPT_AFTER + _WIND_UP,
            signals=signals,
            on_force=on_force,
        ) as orchestrator:
            for fact in (*((rebuilt,) if rebuilt is not None else ()), *settled, *taken):
                orchestrator.publish(fact)
            try:
                orchestrator.start_execution(_execute, work, orchestrator, ended)
                await ended.event.wait()
                await calls.finish()
            finally:
                calls.close()
            with trio.move_on_after(_WIND_UP, shield=True):
                await _copy(copies, orchestrator)
    if ended.error is not None:
        raise ended.error
    if not ended.results:
        raise StoppedError("stopped", fix="continue with the same command")
    return ended.results[0]


async def _copy(copies: Copies, orchestrator: Orchestrator) -> None:
    """Bring the copies of the backlog up to date; they are no part of what the work came to."""
    try:
        for fact in await copies.write():
            orchestrator.publish(fact)
    except OrchestratorError as error:
        orchestrator.publish(Warned(message=f"the backlog was not copied: {error.message}"))


def recover(repo: Repository) -> None:
    """Clear what a killed engine or git left, locked or at work: every start begins with that."""
    index = commit_index(repo)
    if index.exists():
        sweep_leftovers(str(index))
        index.unlink()
    commit_message(repo).unlink(missing_ok=True)
    clear_noted(repo.common_dir)
    clear_index_lock(repo)
    for git in (repo.git, repo.checkout_git):
        refs.clear_stale_locks(git)


async def _execute(
    work: Callable[[Orchestrator], Awaitable[T]], orchestrator: Orchestrator, ended: _Ended[T]
) -> None:
    try:
        ended.results.append(await work(orchestrator))
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
