"""What other terminals may ask of a running engine: the methods of its control socket."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import attrs
import trio

import orchestrator as product
from orchestrator.adapters.git.repository import Repository
from orchestrator.calling import build_command, plain
from orchestrator.control.feed import Entry, Feed
from orchestrator.control.server import ControlServer, Method
from orchestrator.errors import StoppedError, UsageError
from orchestrator.messages import Event, Fact, Progress
from orchestrator.plugin import Registration
from orchestrator.run.commands import RecordFact
from orchestrator.run.engine.calls import Calls
from orchestrator.run.engine.guidance import GiveGuidance
from orchestrator.run.engine.offered import answered_within, command_named
from orchestrator.run.engine.steering import Steering
from orchestrator.run.events import AttemptStarted, Paused, Resumed, Warned, WorkerActed
from orchestrator.run.lock import worked_on
from orchestrator.run.machine.offered import PLUGINS
from orchestrator.run.records.facts import event_fields, event_name
from orchestrator.run.records.status import status_document
from orchestrator.runtime import Orchestrator
from orchestrator.stop import StopLevel
from orchestrator.store.store import Store
from orchestrator.supervisor import Service
from orchestrator.text import one_line

_OF_A_CHECKOUT = frozenset(plugin.name for plugin in PLUGINS)
_READERS = 4
_LATEST = 3
"""Lines of what the worker said and did that `status` shows."""


@attrs.frozen(kw_only=True)
class Controls:
    """Makes the control server of one engine.

    Attributes:
      commands: what others may call by name.
      calls: those that are under way.
    """

    repo: Repository
    store: Store
    item: str
    steering: Steering
    commands: Mapping[str, Registration]
    calls: Calls
    _readers: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(_READERS), init=False
    )

    _latest: deque[str] = attrs.field(factory=lambda: deque(maxlen=_LATEST), init=False)

    async def watch(self, batch: Sequence[Event]) -> None:
        """Remember what the worker said and did last; a sink."""
        await trio.lowlevel.checkpoint()
        for event in batch:
            if isinstance(event, AttemptStarted):
                self._latest.clear()
            elif isinstance(event, WorkerActed):
                self._latest.append(f"{event.kind}: {event.text}")

    def server(self, orchestrator: Orchestrator) -> Service:
        """Return the server that acts on ``orchestrator``."""
        methods, makes_way = _Methods(self, orchestrator), worked_on(self.item) is None
        return ControlServer(
            state_dir=self.repo.state_dir,
            methods={
                "status": Method(run=methods.status, changes=False),
                "stop": Method(run=methods.stop, changes=True),
                "pause": Method(run=methods.pause, changes=True),
                "resume": Method(run=methods.resume, changes=True),
                "tell": Method(run=methods.tell, changes=True),
                "call": methods.command,
                **({"yield": Method(run=methods.give_way, changes=False)} if makes_way else {}),
            },
            feed=Feed(
                subscribe=orchestrator.events,
                recorded=self.recorded,
                newest=self.newest,
                entry=_entry,
            ),
            hello={"version": product.__version__, "pid": os.getpid(), "item": self.item},
            closed=orchestrator.wait_closed,
            unreachable=lambda error: orchestrator.publish(Warned(message=_unreachable(error))),
        ).run

    async def recorded(self, since: int) -> Sequence[Entry]:
        """Return the facts that follow number ``since``, some at a time."""
        rows = await trio.to_thread.run_sync(self.store.facts, since, limiter=self._readers)
        return [
            Entry(
                row.seq,
                {"event": row.name, "at": row.at, **row.document, "item": row.item, "run": row.run},
            )
            for row in rows
        ]

    async def newest(self) -> int:
        """Return the number of the newest fact."""
        return await trio.to_thread.run_sync(self.store.last_seq, limiter=self._readers)

    async def read_status(self) -> dict[str, Any]:
        """Return what the records say, and what is only known here."""
        running = worked_on(self.item)
        document = await trio.to_thread.run_sync(
            lambda: status_document(self.repo.git, self.repo.state_dir, running=running),
            limiter=self._readers,
        )
        for item in document["items"]:
            if item["id"] == self.item and self.steering.paused and item["attempt"] is None:
                item["waits"] = item["waits"] or "paused"
        document["run"] |= {"paused": self.steering.paused, "latest": list(self._latest)}
        return document


@attrs.frozen
class _Methods:
    controls: Controls
    orchestrator: Orchestrator

    async def status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        document = await self.controls.read_status()
        document["run"]["stopping"] = self.orchestrator.stopping.level is not None
        return document

    async def stop(self, params: Mapping[str, Any]) -> dict[str, Any]:
        level = {step.name.lower(): step for step in StopLevel}.get(_text(params, "level"))
        if level is None:
            raise UsageError("level is polite, cancel or force")
        await trio.lowlevel.checkpoint()
        self.orchestrator.stop(level)
        return {}

    async def pause(self, _: Mapping[str, Any]) -> dict[str, Any]:
        changed = not self.controls.steering.paused
        self.controls.steering.pause()
        if changed:
            await self._record(Paused())
        return {"changed": changed}

    async def resume(self, _: Mapping[str, Any]) -> dict[str, Any]:
        changed = self.controls.steering.paused
        self.controls.steering.resume()
        if changed:
            await self._record(Resumed())
        return {"changed": changed}

    async def tell(self, params: Mapping[str, Any]) -> dict[str, Any]:
        item, now = _text(params, "item"), params.get("now") is True
        await self.orchestrator.call(GiveGuidance(item=item, text=_text(params, "text")))
        return {"interrupted": now and self.controls.steering.interrupt(item)}

    def command(self, params: Mapping[str, Any]) -> Method:
        registration = command_named(self.controls.commands, _text(params, "name"))
        return Method(
            run=partial(self.call, registration),
            changes=not registration.reads,
            deadline=answered_within(registration),
            needs_client=True,
        )

    async def call(self, registration: Registration, params: Mapping[str, Any]) -> Any:
        arguments = params.get("arguments", {})
        if not isinstance(arguments, Mapping):
            raise UsageError("arguments is an object", where=registration.name)
        command = build_command(registration, arguments)
        if registration.name.partition(".")[0] in _OF_A_CHECKOUT:
            self._require_here(params.get("checkout"))
        with self.controls.calls.one(registration.name):
            return plain(await self.orchestrator.call(command))

    def _require_here(self, checkout: object) -> None:
        """Refuse a command that is meant for another work tree than the engine's.

        Raises:
          StoppedError: nothing was begun.
        """
        here = str(self.controls.repo.checkout)
        if checkout not in (None, here):
            raise StoppedError(
                f"the engine that is here works in {here}, not in {one_line(str(checkout))}",
                fix="give the command there, or again when that engine has ended",
            )

    async def give_way(self, params: Mapping[str, Any]) -> dict[str, Any]:
        seconds = params.get("seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise UsageError("seconds is a number")
        await trio.lowlevel.checkpoint()
        self.controls.calls.give_way(seconds)
        return {}

    async def _record(self, fact: Fact) -> None:
        await self.orchestrator.call(RecordFact(fact=fact, item=self.controls.item, run=""))


def _entry(event: Event) -> Entry | None:
    if not isinstance(event, (Fact, Progress)):
        return None
    seq = event.seq if isinstance(event, Fact) else None
    return Entry(seq, {"event": event_name(event), "at": int(time.time()), **event_fields(event)})


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise UsageError(f"{name} is a text")
    return value


def _unreachable(error: OSError) -> str:
    return f"no second terminal: {error.strerror or error}; stop with Ctrl-C here"
