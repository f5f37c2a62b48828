"""Engines that do nothing but serve their control socket."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import trio

from orchestrator import Orchestrator, Progress, open_orchestrator
from orchestrator.control import endpoint
from orchestrator.control.client import connect
from orchestrator.control.feed import Entry, Feed
from orchestrator.control.server import ControlServer, Method
from orchestrator.errors import UsageError
from orchestrator.messages import Event
from orchestrator.supervisor import Service

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Ticked(Progress):
    number: int
    seq: int | None = None
    text: str = ""


async def echo(params: Mapping[str, Any]) -> Any:
    await trio.lowlevel.checkpoint()
    return params


async def refuse(params: Mapping[str, Any]) -> Any:
    await trio.lowlevel.checkpoint()
    raise UsageError("no such item", where="here", fix="orc status")


async def crash(params: Mapping[str, Any]) -> Any:
    await trio.lowlevel.checkpoint()
    raise ZeroDivisionError


async def hang(params: Mapping[str, Any]) -> Any:
    await trio.sleep_forever()


METHODS = {
    "echo": Method(run=echo, changes=False),
    "change": Method(run=echo, changes=True),
    "refuse": Method(run=refuse, changes=False),
    "crash": Method(run=crash, changes=False),
    "never": Method(run=hang, changes=False, deadline=0.1),
}


def entry(event: Event) -> Entry | None:
    return Entry(event.seq, attrs.asdict(event)) if isinstance(event, Ticked) else None


@attrs.define
class Engines:
    """An engine that does nothing but serve; ``facts`` is what it has recorded."""

    state_dir: Path
    methods: Mapping[str, Method | Callable[[Mapping[str, Any]], Method]] = METHODS
    item: str = "it"
    facts: list[Entry] = attrs.field(factory=list)
    unreachable: list[OSError] = attrs.field(factory=list)

    async def recorded(self, since: int) -> Sequence[Entry]:
        await trio.lowlevel.checkpoint()
        return [fact for fact in self.facts if fact.seq is not None and fact.seq > since][:2]

    async def newest(self) -> int:
        await trio.lowlevel.checkpoint()
        return (self.facts[-1].seq or 0) if self.facts else 0

    def server(self, orchestrator: Orchestrator) -> Service:
        return ControlServer(
            state_dir=self.state_dir,
            methods=self.methods,
            feed=Feed(
                subscribe=orchestrator.events,
                recorded=self.recorded,
                newest=self.newest,
                entry=entry,
            ),
            hello={"version": "0", "item": self.item},
            closed=orchestrator.wait_closed,
            unreachable=self.unreachable.append,
        ).run

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Orchestrator, None]:
        async with open_orchestrator(
            plugins=[], servers={"control": self.server}, flush=1.0
        ) as orchestrator:
            yield orchestrator


async def thread(function: Callable[[], T]) -> T:
    with trio.fail_after(30):
        return await trio.to_thread.run_sync(function, abandon_on_cancel=True)


async def ask(engines: Engines, method: str, **params: Any) -> Any:
    def question() -> Any:
        with connect(engines.state_dir, patience=30) as engine:
            return engine.call(method, patience=30, **params)

    return await thread(question)


def plain(engines: Engines) -> socket.socket:
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    raw.settimeout(10)
    raw.connect(str(endpoint.find(engines.state_dir)))
    return raw
