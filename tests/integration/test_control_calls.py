"""Promises of commands that are called through the control socket: one that nobody wants ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from orchestrator.control import asking, endpoint, protocol
from orchestrator.control.server import MAX_CLIENTS, Method
from orchestrator.errors import BusyError, EngineLostError, NoEngineError, OrchestratorError
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
        named = {"echo": echo, "refuse": refuse, "crash": crash}
        run = named.get(params["name"], self.run)
        return Method(run=run, changes=params["name"] != "look", deadline=30, needs_client=True)


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
        with pytest.raises(EngineLostError, match=r"did not answer within 0\.2 s"):
            await asking.call(engines.state_dir, "slow", {}, patience=0.2)
    with pytest.raises(NoEngineError):
        await asking.call(engines.state_dir, "echo", {}, patience=20)


async def test_asking_says_that_nothing_was_begun(engines: Engines, slow: Slow) -> None:
    engines.item = "-"
    async with engines.open():
        with pytest.raises(BusyError, match="one command only"):
            await asking.call(engines.state_dir, "slow", {}, patience=20, but_not="-")
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


async def test_asking_tells_an_engine_that_died_before_from_one_that_died_after(
    engines: Engines,
) -> None:
    listener, path = endpoint.listen(engines.state_dir)

    def die(*, after: bytes) -> None:
        raw, _ = listener.accept()
        with raw:
            if after:
                raw.sendall(protocol.notification("hello", {"protocol": protocol.PROTOCOL}))
                while after not in raw.recv(4096):
                    pass

    for after, error in ((b"", NoEngineError), (b"slow", EngineLostError)):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(thread, lambda after=after: die(after=after))
            with pytest.raises(error):
                await asking.call(engines.state_dir, "slow", {}, patience=20)
    listener.close()
    endpoint.remove(engines.state_dir, path)


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
