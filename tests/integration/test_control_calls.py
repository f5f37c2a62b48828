"""Promises of commands that are called through the control socket: one that nobody wants ends."""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from orchestrator.cli.ask import ask_all
from orchestrator.control import asking, endpoint, protocol
from orchestrator.control.client import connect
from orchestrator.control.server import MAX_CLIENTS, Method
from orchestrator.errors import (
    BusyError,
    CommandTimedOutError,
    EngineLostError,
    NoEngineError,
    OrchestratorError,
    StoppedError,
    UsageError,
)
from tests.engines import METHODS, Engines, ask, crash, echo, plain, refuse, thread

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    return Engines(state_dir)


@attrs.define
class Slow:
    """Commands that take long, and what became of them; a method ``call``."""

    began: trio.Event = attrs.field(factory=trio.Event)
    cancelled: trio.Event = attrs.field(factory=trio.Event)
    go: trio.Event = attrs.field(factory=trio.Event)
    ended: trio.Event = attrs.field(factory=trio.Event)

    async def run(self, params: Mapping[str, Any]) -> Any:
        """Begin, and end when it may, or cancelled after some clean-up."""
        self.began.set()
        try:
            await self.go.wait()
        except trio.Cancelled:
            with trio.move_on_after(5, shield=True):
                await trio.sleep(0.05)
            self.cancelled.set()
            raise
        self.ended.set()
        return params["arguments"]

    def method(self, params: Mapping[str, Any]) -> Method:
        """Return the method that a command is; "look" may be called by anybody."""
        named = {"echo": echo, "refuse": refuse, "crash": crash, "stopped": stopped}
        name = params["name"]
        run, deadline = named.get(name, self.run), 0.1 if name == "late" else 30
        return Method(run=run, changes=name != "look", deadline=deadline, needs_client=True)


async def stopped(params: Mapping[str, Any]) -> Any:
    await trio.lowlevel.checkpoint()
    raise StoppedError("takes nothing more")


@pytest.fixture
def slow(engines: Engines) -> Slow:
    made = Slow()
    kept = Method(run=made.run, changes=False, deadline=30)
    engines.methods = {**METHODS, "call": made.method, "kept": kept}
    return made


def request_of(name: str, number: int = 1, **arguments: Any) -> bytes:
    return protocol.request(number, "call", {"name": name, "arguments": arguments})


@pytest.mark.parametrize("waiting", [b"", request_of("echo", 2) * 3])
async def test_a_command_is_cancelled_when_who_asked_hangs_up(
    engines: Engines, slow: Slow, waiting: bytes
) -> None:
    with trio.fail_after(30):
        async with engines.open():
            raw = plain(engines)
            raw.sendall(request_of("slow") + waiting)
            await slow.began.wait()
            raw.close()
            await slow.cancelled.wait()
            assert await ask(engines, "echo", a=1) == {"a": 1}


async def test_what_only_listens_from_now_on_is_answered(engines: Engines, slow: Slow) -> None:
    with trio.fail_after(30):
        async with engines.open():
            with plain(engines) as raw, raw.makefile("rb") as file:
                raw.sendall(request_of("slow", a=1))
                raw.shutdown(socket.SHUT_WR)
                await slow.began.wait()
                await trio.sleep(0.5)
                assert not slow.cancelled.is_set()
                slow.go.set()
                hello, answer = await thread(lambda: (file.readline(), file.readline()))
                assert (b"hello" in hello, json.loads(answer)["result"]) == (True, {"a": 1})


async def test_what_is_no_command_goes_on_when_who_asked_hangs_up(
    engines: Engines, slow: Slow
) -> None:
    with trio.fail_after(30):
        async with engines.open():
            raw = plain(engines)
            raw.sendall(protocol.request(1, "kept", {"arguments": 1}))
            await slow.began.wait()
            raw.close()
            await trio.sleep(0.5)
            slow.go.set()
            await slow.ended.wait()


async def test_what_waits_behind_a_command_is_not_read_and_is_answered_in_order(
    engines: Engines, slow: Slow
) -> None:
    text = "x" * 100_000

    def flood(raw: socket.socket) -> int:
        raw.settimeout(1.0)
        sent = raw.send(request_of("slow", 0, n=0))
        number = 1
        try:
            while sent < 50 << 20:
                frame = request_of("echo", number, text=text)
                while frame:
                    done = raw.send(frame)
                    sent, frame = sent + done, frame[done:]
                number += 1
        except TimeoutError:
            pass
        return number

    with trio.fail_after(60):
        async with engines.open():
            with plain(engines) as raw, raw.makefile("rb") as file:
                number = await thread(lambda: flood(raw))
                assert number * len(text) < 4 << 20
                slow.go.set()
                raw.settimeout(10)

                def read() -> list[int]:
                    file.readline()
                    return [json.loads(file.readline())["id"] for _ in range(number - 1)]

                assert await thread(read) == list(range(number - 1))


@pytest.mark.processes
async def test_what_a_run_started_may_call_what_only_reads(engines: Engines, slow: Slow) -> None:
    code = (
        "import sys, trio; from pathlib import Path; from orchestrator.control import asking\n"
        "async def main():\n"
        "    print(await asking.call(Path(sys.argv[1]), sys.argv[2], {'a': 1}, patience=20))\n"
        "trio.run(main)\n"
    )

    def visit(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, str(engines.state_dir), name],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip

    slow.go.set()
    async with engines.open():
        assert (await thread(lambda: visit("look"))).stdout == "{'a': 1}\n"
        refused = await thread(lambda: visit("change"))
        assert "may look at it, and not act on it" in refused.stderr


async def test_asking_returns_the_answer_or_raises_the_error_of_the_engine(
    engines: Engines, slow: Slow
) -> None:
    async with engines.open():
        answer = await asking.call(engines.state_dir, "echo", {"t": "ä\ud800"}, patience=20)
        assert answer["arguments"] == {"t": "ä\ud800"}
        with pytest.raises(OrchestratorError) as caught:
            await asking.call(engines.state_dir, "refuse", {}, patience=20)
        assert (caught.value.exit_code, caught.value.document()) == (
            2,
            {"code": "usage", "message": "no such item", "where": "here", "fix": "orc status"},
        )
        with pytest.raises(OrchestratorError, match="a mistake"):
            await asking.call(engines.state_dir, "crash", {}, patience=20)
        with pytest.raises(EngineLostError, match=r"did not answer within 0\.2 s") as silent:
            await asking.call(engines.state_dir, "slow", {}, patience=0.2)
        assert (silent.value.where, "look at the state" in str(silent.value.fix)) == ("slow", True)
        with pytest.raises(OrchestratorError) as late:
            await asking.call(engines.state_dir, "late", {}, patience=20)
        assert late.value.document() == CommandTimedOutError("late", 0.1).document()
    with pytest.raises(NoEngineError):
        await asking.call(engines.state_dir, "echo", {}, patience=20)


async def test_asking_says_that_nothing_was_begun(engines: Engines, slow: Slow) -> None:
    async with engines.open():
        with pytest.raises(BusyError, match=rf"takes nothing more \(process {os.getpid()}\)"):
            await asking.call(engines.state_dir, "stopped", {}, patience=20)
        many = [plain(engines) for _ in range(MAX_CLIENTS)]
        for raw in many:
            assert b"hello" in await thread(lambda raw=raw: raw.recv(4096))  # type: ignore[misc]
        with pytest.raises(BusyError, match="others are connected"):
            await asking.call(engines.state_dir, "slow", {}, patience=20)
        for raw in many:
            raw.close()
    assert not slow.began.is_set()
    listener, path = endpoint.listen(engines.state_dir)
    listener.listen(0)
    with plain(engines), pytest.raises(BusyError, match="no time"):
        await asking.call(engines.state_dir, "slow", {}, patience=20)
    listener.close()
    endpoint.remove(engines.state_dir, path)


def ask_as_cli(engines: Engines, name: str, **arguments: Any) -> Any:
    with connect(engines.state_dir) as engine:
        return engine.call("call", patience=20, name=name, arguments=arguments)


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_an_engine_that_died_before_it_heard_us_is_told_from_one_that_died_after(
    engines: Engines, size: int
) -> None:
    listener, path = endpoint.listen(engines.state_dir)
    # Of the long one a part is not even sent.
    unheard = {"nothing", "a part"}

    def die(*, after: str) -> None:
        raw, _ = listener.accept()
        with raw:
            if after == "no word":
                return
            raw.sendall(protocol.notification("hello", {"protocol": protocol.PROTOCOL}))
            raw.recv(1, socket.MSG_PEEK)
            if after == "a part":
                raw.recv(20)
            if after == "all":
                heard = b""
                while not heard.endswith(b"\n"):
                    heard += raw.recv(4096)

    async def asks() -> Any:
        return await asking.call(engines.state_dir, "slow", {"t": "x" * size}, patience=20)

    async def asks_as_cli() -> Any:
        return await thread(lambda: ask_as_cli(engines, "slow", t="x" * size))

    for question in (asks, asks_as_cli):
        for after in ("no word", *unheard, "all"):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(thread, lambda after=after: die(after=after))
                with pytest.raises(OrchestratorError) as caught:
                    await question()
            if after in unheard or (after == "no word" and question is asks):
                assert type(caught.value) is NoEngineError, after
                assert caught.value.fix == "try again in a moment"
            else:
                assert type(caught.value) is EngineLostError, after
            if after == "all":
                assert caught.value.where == "slow"
                assert "look at the state" in str(caught.value.fix)
    listener.close()
    endpoint.remove(engines.state_dir, path)


async def test_an_engine_that_ends_before_it_takes_us_up_was_asked_nothing(
    engines: Engines,
) -> None:
    listener, path = endpoint.listen(engines.state_dir)

    async def end() -> None:
        await trio.testing.wait_all_tasks_blocked(0.1)
        listener.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(end)
        with pytest.raises(NoEngineError):
            await asking.call(engines.state_dir, "slow", {}, patience=20)
    endpoint.remove(engines.state_dir, path)


def test_the_command_line_asks_again_for_what_was_not_begun(tmp_path: Path) -> None:
    state_dir = tmp_path / ".git" / "orchestrator"
    state_dir.mkdir(mode=0o700, parents=True)
    listener, path = endpoint.listen(state_dir)
    refused = StoppedError("takes nothing more")
    heard = []

    def take_up(*answers: bytes) -> None:
        raw, _ = listener.accept()
        with raw, raw.makefile("rb") as file:
            raw.sendall(protocol.notification("hello", {"protocol": protocol.PROTOCOL}))
            raw.recv(1, socket.MSG_PEEK)
            for answer in answers:
                heard.append(json.loads(file.readline())["params"]["name"])
                raw.sendall(answer)

    def serve() -> None:
        take_up()
        take_up(
            protocol.success(1, "one"), protocol.failure(2, protocol.FAILED, "", refused.document())
        )
        take_up(protocol.success(1, "two"))

    with ThreadPoolExecutor() as threads:
        served = threads.submit(serve)
        arguments = argparse.Namespace(directory=str(tmp_path))
        assert ask_all(arguments, [("first", {}), ("second", {})], patience=20) == ["one", "two"]
        served.result()
    assert heard == ["first", "second", "second"]
    listener.close()
    endpoint.remove(state_dir, path)


async def test_what_an_engine_that_ends_has_not_begun_is_known(engines: Engines) -> None:
    begun: list[int] = []
    done: list[int] = []
    ended = False

    async def begin(params: Mapping[str, Any]) -> Any:
        begun.append(params["arguments"]["n"])
        await trio.lowlevel.checkpoint()
        return params["arguments"]["n"]

    engines.methods = {"call": Method(run=begin, changes=True)}

    async def keep_asking(first: int) -> None:
        for number in range(first, first + 1000):
            while not ended:
                try:
                    done.append(
                        await asking.call(engines.state_dir, "it", {"n": number}, patience=20)
                    )
                    break
                except (NoEngineError, BusyError):
                    await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for client in range(8):
            nursery.start_soon(keep_asking, client * 1000)
        for _ in range(60):
            async with engines.open():
                await trio.sleep(0.01)
        ended = True
    assert len(done) > 60
    assert sorted(begun) == sorted(done)


async def test_what_is_too_long_for_an_engine_is_not_sent(engines: Engines, slow: Slow) -> None:
    fits = protocol.MAX_FRAME - 200
    async with engines.open():
        for text in ("x" * fits, "ä" * (fits // 2)):
            answer = await asking.call(engines.state_dir, "echo", {"t": text}, patience=20)
            assert answer["arguments"] == {"t": text}
            answer = await thread(lambda text=text: ask_as_cli(engines, "echo", t=text))  # type: ignore[misc]
            assert answer["arguments"] == {"t": text}
        with pytest.raises(UsageError, match=r"\d{8} bytes") as caught:
            await asking.call(engines.state_dir, "slow", {"t": "ä" * fits}, patience=20)
        assert (caught.value.where, bool(caught.value.fix)) == ("slow", True)
        with pytest.raises(UsageError, match=r"\d{8} bytes"):
            await thread(lambda: ask_as_cli(engines, "slow", t="ä" * fits))
    assert not slow.began.is_set()


async def test_cancelling_what_was_asked_cancels_it_in_the_engine(
    engines: Engines, slow: Slow
) -> None:
    with trio.fail_after(30):
        async with engines.open():
            async with trio.open_nursery() as nursery:

                async def asks() -> None:
                    await asking.call(engines.state_dir, "slow", {}, patience=20)

                nursery.start_soon(asks)
                await slow.began.wait()
                nursery.cancel_scope.cancel()
            await slow.cancelled.wait()


async def test_a_slow_call_delays_no_other(engines: Engines, slow: Slow) -> None:
    answers = []

    async def asks(name: str) -> None:
        answers.append(await asking.call(engines.state_dir, name, {"a": name}, patience=20))

    with trio.fail_after(30):
        async with engines.open(), trio.open_nursery() as nursery:
            nursery.start_soon(asks, "slow")
            await slow.began.wait()
            async with trio.open_nursery() as others:
                for _ in range(30):
                    others.start_soon(asks, "echo")
            slow.go.set()
    assert [answer.get("a") for answer in answers] == [*[None] * 30, "slow"]
