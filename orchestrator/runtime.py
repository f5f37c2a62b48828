"""The composition root: builds the nursery tree, whose nesting is the shutdown order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from types import MappingProxyType
from typing import Any, TypeVar, TypeVarTuple, Unpack, cast

import attrs
import trio

from .bridge import EventBridge, Sink
from .bus import EventBus, Subscription
from .coordinator import Coordinator
from .envelope import Envelope, Mailbox
from .errors import RestartLimitError, StoppedError
from .messages import Command, Event
from .plugin import Plugin
from .registry import Registry
from .stop import StopLevel, StopWatcher
from .supervisor import RestartPolicy, Service, supervise

R = TypeVar("R")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

MAILBOX_SIZE = 256


@attrs.frozen(kw_only=True)
class StopRequested(Event):
    """Somebody asked to stop, or asked more urgently."""

    level: StopLevel


@attrs.frozen(kw_only=True)
class ServerGivenUp(Event):
    """A server crashed too often; the work goes on without it."""

    server: str
    error: str


@attrs.define(eq=False, kw_only=True)
class Orchestrator:
    """A running orchestrator. Made by `open_orchestrator` only.

    Attributes:
      stopping: the stop watcher; `stopping.requested` is what a service waits for.
    """

    stopping: StopWatcher
    _bus: EventBus
    _mailbox: Mailbox
    _grace: float
    _services: Mapping[type[Any], object]
    # Shielded: executions that end because all is cancelled still commit and record.
    _commands: trio.CancelScope = attrs.field(
        factory=lambda: trio.CancelScope(shield=True), init=False
    )
    _work: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _everything: trio.CancelScope | None = attrs.field(default=None, init=False)
    _executions: trio.Nursery | None = attrs.field(default=None, init=False)
    _stopped: trio.Event = attrs.field(factory=trio.Event, init=False)
    _leaving: bool = attrs.field(default=False, init=False)

    async def call(self, command: Command[R]) -> R:
        """Run ``command`` and return its result.

        When this returns or raises nothing of the command runs any more: cancelling the caller
        cancels the command and waits for its clean-up. Waits for room when too many are queued.

        Raises:
          StoppedError: when the orchestrator has stopped.
          UnknownCommandError: when no plugin handles the command.
          CommandTimedOutError: when the handler outran its registered deadline.
          CommandCancelledError: when it was cancelled, and not by this caller.
          Exception: the very object that the handler raised.
        """
        envelope = Envelope(command)
        if not self._mailbox.put_nowait(envelope):
            await self._mailbox.put(envelope)
        return cast(R, await envelope.wait())

    def service(self, kind: type[T]) -> T:
        """Return the service that `open_orchestrator` was given under this type.

        Raises:
          KeyError: when there is none.
        """
        return cast(T, self._services[kind])

    def events(self) -> AbstractContextManager[Subscription]:
        """Subscribe to what is published from now on, for as long as the block lasts."""
        return self._bus.subscribe()

    def publish(self, event: Event) -> None:
        """Hand an event to whoever listens. Synchronous, so legal inside ``finally``."""
        self._bus.publish(event)

    def start_execution(
        self, function: Callable[[Unpack[Ts]], Awaitable[object]], *args: *Ts
    ) -> None:
        """Run long work as a task of its own; it may call commands until it has ended.

        A stop cancels it after the grace. What it raises ends the orchestrator: executions turn
        the failures they expect into records.

        Raises:
          StoppedError: when a stop was requested.
        """
        if self._executions is None or self.stopping.level is not None:
            raise StoppedError("the orchestrator is stopping", fix="start it again")
        self._executions.start_soon(function, *args)

    def stop(self, level: StopLevel = StopLevel.POLITE) -> None:
        """Stop at least this urgently; see `StopLevel`. Returns at once."""
        self.stopping.raise_to(level)

    def _leave(self) -> None:
        """Stop because the block is over: nobody asked for it, so nobody is told."""
        self._leaving = True
        self.stop()

    async def wait_stopped(self) -> None:
        """Wait until no execution and no command runs any more."""
        await self._stopped.wait()

    async def wait_closed(self) -> None:
        """Wait until nothing more is published: only bridges and servers still run."""
        await self._bus.closed.wait()

    def _on_level(self, level: StopLevel) -> None:
        if not self._leaving:
            self._bus.publish(StopRequested(level=level))
        if level is StopLevel.POLITE:
            self._work.deadline = trio.current_time() + self._grace
        else:
            self._work.cancel()
        if level is StopLevel.FORCE:
            self._commands.cancel()
            if self._everything is not None:
                self._everything.cancel()
        elif self._mailbox.is_closed:
            self._finish_commands()

    def _finish_commands(self) -> None:
        """Take no more commands; those under way have the grace, none when cancelled."""
        self._mailbox.close()
        level = self.stopping.level or StopLevel.POLITE
        grace = self._grace if level is StopLevel.POLITE else 0.0
        self._commands.deadline = min(self._commands.deadline, trio.current_time() + grace)

    async def _serve_commands(
        self, coordinator: Coordinator, *, task_status: trio.TaskStatus[None]
    ) -> None:
        try:
            with self._commands:
                await coordinator.run(task_status=task_status)
        finally:
            self._stopped.set()

    async def _serve_executions(self, *, task_status: trio.TaskStatus[None]) -> None:
        try:
            with self._work:
                async with trio.open_nursery() as self._executions:
                    task_status.started()
                    await self.stopping.requested.wait()
        finally:
            self._finish_commands()


async def _serve_outside(
    scope: trio.CancelScope,
    bridges: Mapping[str, EventBridge],
    servers: Mapping[str, Service],
    bus: EventBus,
    *,
    task_status: trio.TaskStatus[None],
) -> None:
    with scope:
        async with trio.open_nursery() as nursery:
            for name, bridge in bridges.items():
                await nursery.start(
                    supervise, f"bridge {name}", bridge.run, RestartPolicy(), bus.publish
                )
            for name, server in servers.items():
                await nursery.start(_keep_up, name, server, bus)
            task_status.started()


async def _keep_up(
    name: str, server: Service, bus: EventBus, *, task_status: trio.TaskStatus[None]
) -> None:
    try:
        await supervise(
            f"server {name}", server, RestartPolicy(), bus.publish, task_status=task_status
        )
    except RestartLimitError as error:
        bus.publish(ServerGivenUp(server=name, error=error.message))


@asynccontextmanager
async def open_orchestrator(
    *,
    plugins: Iterable[Plugin],
    services: Mapping[type[Any], object] = MappingProxyType({}),
    sinks: Mapping[str, Sink] = MappingProxyType({}),
    servers: Mapping[str, Callable[[Orchestrator], Service]] = MappingProxyType({}),
    grace: float = 10.0,
    flush: float = 2.0,
    signals: bool = False,
    on_force: Callable[[], None] | None = None,
) -> AsyncGenerator[Orchestrator, None]:
    """Run an orchestrator for as long as the block lasts; leaving the block stops it.

    Executions have ``grace`` seconds to end before they are cancelled, then commands under way
    have as long, then sinks have ``flush`` seconds for the last events. A block that raises, or is
    cancelled, cancels the executions at once; they can still call commands while they clean up.

    Args:
      services: instances that handlers find with `Context.service`, by the type they ask for;
        `StopWatcher` and `Registry` are always there.
      sinks: where events go, by a name for messages: ``emit(batch)`` or an async callable.
      servers: makers of services that others reach it through, by a name for messages. They are
        up before the first command, end by themselves after `Orchestrator.wait_closed`, and are
        restarted in place; one that crashes too often is given up.
      signals: watch SIGINT, SIGTERM and SIGHUP. Programs only, in the main thread.
      on_force: what a third, impatient request calls: it has to end the process.

    Raises:
      PluginError: when a plugin is wrong or two clash; before anything runs.
      StoppedError: when the block was cut short by a forced stop.
      ExceptionGroup: when the coordinator, a sink or an execution crashed for good. The block's
        own exception comes out bare when it is the only one.
    """
    registry = Registry(plugins)
    bus, mailbox, stopping = EventBus(), Mailbox(MAILBOX_SIZE), StopWatcher(on_force)
    services = {StopWatcher: stopping, Registry: registry, **services}
    handle = Orchestrator(
        stopping=stopping, bus=bus, mailbox=mailbox, grace=grace, services=services
    )
    stopping.listen(handle._on_level)
    coordinator = Coordinator(
        mailbox=mailbox,
        registry=registry,
        publish=bus.publish,
        services=services,
    )
    serving = {name: make(handle) for name, make in servers.items()}
    pumping = trio.CancelScope(shield=True)
    block: BaseException | None = None
    failure: BaseException | None = None
    with ExitStack() as stack:
        pumps = {
            name: EventBridge(events=stack.enter_context(bus.subscribe()), sink=sink)
            for name, sink in sinks.items()
        }
        try:
            async with (
                _signals(stopping) if signals else nullcontext(),
                trio.open_nursery() as bridges,
            ):
                await bridges.start(_serve_outside, pumping, pumps, serving, bus)
                try:
                    async with trio.open_nursery() as nursery:
                        handle._everything = nursery.cancel_scope
                        await nursery.start(handle._serve_commands, coordinator)
                        try:
                            async with trio.open_nursery() as work:
                                await work.start(handle._serve_executions)
                                try:
                                    yield handle
                                except BaseException as exc:
                                    block = exc
                                    raise
                                finally:
                                    handle._leave()
                        finally:
                            handle._finish_commands()
                finally:
                    bus.close()
                    pumping.deadline = trio.current_time() + flush
        except BaseExceptionGroup as group:
            failure = _bare(group, block)
    if failure is not None:
        raise failure
    if isinstance(block, trio.Cancelled):
        raise StoppedError("the block was cut short by a forced stop")


@asynccontextmanager
async def _signals(stopping: StopWatcher) -> AsyncGenerator[None, None]:
    """Watch signals until everything inside has ended: a third one must still be seen."""
    async with trio.open_nursery() as nursery:
        await nursery.start(stopping.watch_signals)
        yield
        nursery.cancel_scope.cancel()


def _bare(group: BaseExceptionGroup[BaseException], block: BaseException | None) -> BaseException:
    """Return the block's own exception when the groups hold nothing else, else the group."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and found is not block:
        if len(found.exceptions) != 1:
            return group
        found = found.exceptions[0]
    return found if found is block else group
