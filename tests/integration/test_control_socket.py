"""Promises of the control socket: whatever clients do, the engine goes on and tells the truth."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.control import endpoint, protocol
from orchestrator.control.client import Engine, connect
from orchestrator.control.feed import Entry
from orchestrator.control.server import MAX_CLIENTS
from orchestrator.errors import (
    EngineLostError,
    NoEngineError,
    OrchestratorError,
)
from tests.engines import METHODS, Engines, Ticked, ask, plain, thread

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def engines(tmp_path: Path) -> Engines:
    state_dir = tmp_path / "state"
    state_dir.mkdir(mode=0o700)
    return Engines(state_dir)


async def test_a_method_answers_fails_or_is_unknown(engines: Engines) -> None:
    async with engines.open():
        assert await ask(engines, "echo", text="ä\ud800") == {"text": "ä\ud800"}
        with pytest.raises(OrchestratorError) as caught:
            await ask(engines, "refuse")
        assert caught.value.document() == {
            "code": "usage",
            "message": "no such item",
            "where": "here",
            "fix": "orc status",
        }
        for method in ("crash", "never", "no\x1b[2Jthing"):
            with pytest.raises(
                OrchestratorError, match=r"mistake|did not finish within|no method nothing"
            ):
                await ask(engines, method)
        assert await ask(engines, "echo") == {}


async def test_only_this_user_reaches_it_and_it_is_gone_afterwards(engines: Engines) -> None:
    old = os.umask(0)
    try:
        async with engines.open():
            path = engines.state_dir / "control.sock"
            assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)
    assert list(engines.state_dir.iterdir()) == []
    with pytest.raises(NoEngineError):
        connect(engines.state_dir)


async def test_the_socket_of_a_killed_engine_is_nobody_and_is_replaced(engines: Engines) -> None:
    listener, _ = endpoint.listen(engines.state_dir)
    listener.close()
    with pytest.raises(NoEngineError):
        connect(engines.state_dir)
    async with engines.open():
        assert await ask(engines, "echo", a=1) == {"a": 1}


@pytest.fixture(params=["runtime directory", "temporary directory"])
def far_away(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Engines, None, None]:
    """An engine whose state directory has too long a path; nothing of it may be left."""
    state_dir = tmp_path / ("long" * 30)
    state_dir.mkdir(mode=0o700)
    short = Path(f"/tmp/orc-test-{os.getpid()}")
    short.mkdir(mode=0o700)
    if request.param == "runtime directory":
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))
    else:
        monkeypatch.delenv("XDG_RUNTIME_DIR")
    yield Engines(state_dir)
    assert list(state_dir.iterdir()) == []
    assert [path for path in short.rglob("*") if path.is_file() or path.is_socket()] == []
    shutil.rmtree(short)


async def test_a_path_too_long_for_a_socket_is_pointed_to(far_away: Engines) -> None:
    async with far_away.open():
        path = str(endpoint.find(far_away.state_dir))
        assert len(path) < 108
        assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
        assert await ask(far_away, "echo", a=1) == {"a": 1}


async def test_a_directory_that_others_can_enter_is_not_used(engines: Engines) -> None:
    engines.state_dir.chmod(0o755)
    async with engines.open():
        assert endpoint.find(engines.state_dir) != str(engines.state_dir / "control.sock")
        assert await ask(engines, "echo") == {}


async def test_an_engine_without_a_place_for_a_socket_goes_on(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(endpoint, "listen", nowhere)
    async with engines.open() as orchestrator:
        orchestrator.publish(Ticked(number=1))
    assert [error.errno for error in engines.unreachable] == [13]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
@pytest.mark.processes
async def test_another_user_is_refused_even_where_he_can_enter(engines: Engines) -> None:
    code = (
        "import os, socket, sys\nos.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)\n"
        "try:\n    s.connect(sys.argv[1])\nexcept PermissionError:\n    print('denied')\n"
        "else:\n    print(s.recv(4096).decode())\n"
    )

    def visit() -> str:
        path = str(endpoint.find(engines.state_dir))
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
        )
        return done.stdout

    async with engines.open():
        assert await thread(visit) == "denied\n"
        for directory in (engines.state_dir, *engines.state_dir.parents):
            if directory.stat().st_uid == 0 and directory != Path("/"):
                directory.chmod(directory.stat().st_mode | 0o055)
        (engines.state_dir / "control.sock").chmod(0o666)
        answer = json.loads(await thread(visit))
        assert answer["error"]["message"] == "the engine belongs to user 0"


@pytest.mark.processes
async def test_what_a_run_started_may_look_and_not_act(engines: Engines) -> None:
    code = (
        "import sys; from pathlib import Path; from orchestrator.control.client import connect\n"
        "print(connect(Path(sys.argv[1])).call(sys.argv[2], a=1))\n"
    )

    def visit(method: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", '"$0" "$@"; exit $?', sys.executable, "-c", code,
             str(engines.state_dir), method],
            capture_output=True, text=True, check=False, cwd=ROOT,
        )  # fmt: skip

    async with engines.open():
        assert (await thread(lambda: visit("echo"))).stdout == "{'a': 1}\n"
        refused = await thread(lambda: visit("change"))
        assert "may look at it, and not act on it" in refused.stderr
        assert await ask(engines, "change") == {}


async def test_facts_come_first_and_once_then_what_happens(engines: Engines) -> None:
    engines.facts = [Entry(n, {"number": n}) for n in range(1, 6)]
    told: list[dict[str, Any]] = []
    replayed = threading.Event()

    def follow() -> None:
        with connect(engines.state_dir) as engine:
            engine.call("events.subscribe", since=2)
            while (news := engine.notification(10)) is not None:
                told.append(news)
                if len(told) == 3:
                    replayed.set()
                if news["method"] == "ended":
                    return

    async with trio.open_nursery() as nursery, engines.open() as orchestrator:
        nursery.start_soon(thread, follow)
        await thread(lambda: replayed.wait(10))
        orchestrator.publish(Ticked(number=5, seq=5))
        orchestrator.publish(Ticked(number=0))
        engines.facts.append(Entry(6, {"number": 6}))
        orchestrator.publish(Ticked(number=6, seq=6))
    assert [news["method"] for news in told] == ["event"] * 5 + ["ended"]
    numbers = [news["params"]["event"]["number"] for news in told[:-1]]
    assert [number for number in numbers if number] == [3, 4, 5, 6]
    assert numbers.count(0) == 1


def is_lagged(frame: dict[str, Any]) -> bool:
    return frame.get("method") == "lagged"


async def test_a_client_that_never_reads_loses_progress_and_holds_nobody(engines: Engines) -> None:
    text = "x" * 4000
    frames: list[dict[str, Any]] = []
    async with engines.open() as orchestrator:
        with plain(engines) as sleepy, sleepy.makefile("rb") as file:

            def read_until(wanted: Callable[[dict[str, Any]], bool]) -> None:
                while not frames or not wanted(frames[-1]):
                    frames.append(json.loads(file.readline()))

            async def tick() -> None:
                while True:
                    orchestrator.publish(Ticked(number=0))
                    await trio.sleep(0.01)

            sleepy.sendall(protocol.request(1, "events.subscribe", {}))
            async with trio.open_nursery() as ticking:
                ticking.start_soon(tick)
                await thread(lambda: read_until(lambda frame: frame.get("method") == "event"))
                ticking.cancel_scope.cancel()
            for number in range(1, 5001):
                seq = None if number % 100 else number
                if seq is not None:
                    engines.facts.append(Entry(seq, {"number": number}))
                orchestrator.publish(Ticked(number=number, seq=seq, text=text))
                if number % 50 == 0:
                    await trio.lowlevel.checkpoint()
            assert await ask(engines, "echo", a=1) == {"a": 1}
            # Facts may overtake the word that progress was lost: they come from the record.
            await thread(lambda: read_until(lambda f: f.get("params", {}).get("seq") == 5000))
            await thread(lambda: read_until(lambda _: any(map(is_lagged, frames))))
    seen = [f["params"]["seq"] for f in frames if f.get("method") == "event" and f["params"]["seq"]]
    assert seen == list(range(100, 5001, 100))


async def test_a_client_that_never_reads_does_not_hold_the_end(engines: Engines) -> None:
    with trio.fail_after(30):
        async with engines.open() as orchestrator:
            sleepy = plain(engines)
            sleepy.sendall(protocol.request(1, "events.subscribe", {}))
            for number in range(1000):
                orchestrator.publish(Ticked(number=number, text="x" * 4000))
            await ask(engines, "echo")
    sleepy.close()


async def test_fifty_clients_at_once_and_one_too_many(engines: Engines) -> None:
    async def follow(ready: list[Engine]) -> None:
        def subscribe() -> None:
            engine = connect(engines.state_dir)
            engine.call("events.subscribe")
            ready.append(engine)

        await thread(subscribe)

    ready: list[Engine] = []
    async with engines.open() as orchestrator:
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(follow, ready)
        orchestrator.publish(Ticked(number=7))
        for engine in ready:
            news = await thread(lambda engine=engine: engine.notification(10))  # type: ignore[misc]
            assert news["params"]["event"]["number"] == 7
        more = [plain(engines) for _ in range(MAX_CLIENTS - 50)]
        for raw in more:
            assert b"hello" in await thread(lambda raw=raw: raw.recv(4096))  # type: ignore[misc]
        with pytest.raises(OrchestratorError, match="others are connected"):
            await ask(engines, "echo")
        for raw in more:
            raw.close()
        while True:
            try:
                assert await ask(engines, "echo") == {}
                break
            except OrchestratorError:
                await trio.sleep(0.01)
        for engine in ready:
            engine._socket.close()


async def test_a_client_that_vanishes_leaves_room(engines: Engines) -> None:
    async with engines.open() as orchestrator:
        for number in range(MAX_CLIENTS * 3):
            raw = plain(engines)
            raw.sendall(protocol.request(1, "events.subscribe", {}))
            if number % 2:
                await thread(lambda raw=raw: raw.recv(10))  # type: ignore[misc]
            raw.close()
            orchestrator.publish(Ticked(number=number))
            await trio.lowlevel.checkpoint()
        with trio.fail_after(30):
            while True:
                try:
                    assert await ask(engines, "echo") == {}
                    break
                except OrchestratorError:
                    await trio.sleep(0.01)


async def test_an_engine_that_stops_answering_and_one_that_dies_are_told_apart(
    engines: Engines,
) -> None:
    listener, path = endpoint.listen(engines.state_dir)
    with pytest.raises(EngineLostError, match=r"did not answer within 0\.2 s"):
        await thread(lambda: connect(engines.state_dir, patience=0.2))
    stuck = connect(engines.state_dir, greet=False)
    listener.close()
    with pytest.raises(EngineLostError, match="ended without a word"):
        await thread(lambda: stuck.greet(5))
    stuck.__exit__(None, None, None)
    endpoint.remove(engines.state_dir, path)


frames = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["jsonrpc", "id", "method", "params", "since", "x"]),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "method": st.sampled_from([*METHODS, "events.subscribe", ""])},
        optional={"id": st.integers() | st.text(max_size=5) | st.none(), "params": st.just({})},
    ).map(lambda value: json.dumps(value).encode()),
)


async def _survives(engines: Engines, sent: list[bytes]) -> None:
    async with engines.open():
        raw = plain(engines)
        try:
            raw.sendall(b"\n".join(sent) + b"\n")
            raw.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        assert await ask(engines, "echo", a=1) == {"a": 1}

        def read() -> list[bytes]:
            lines = []
            try:
                with raw.makefile("rb") as file:
                    for line in file:
                        lines.append(line)
                        if b'"alive"' in line or len(lines) > len(sent) + 1:
                            break
            except OSError:
                pass
            return lines

        raw.settimeout(0.5)
        for line in await thread(read):
            assert json.loads(line)["jsonrpc"] == "2.0"
        raw.close()


@settings(max_examples=40)
@given(sent=st.lists(frames, max_size=6))
def test_no_bytes_do_harm(tmp_path_factory: pytest.TempPathFactory, sent: list[bytes]) -> None:
    directory = tmp_path_factory.mktemp("s")
    directory.chmod(0o700)
    run: Callable[..., Awaitable[None]] = _survives
    trio.run(run, Engines(directory), sent)


async def test_a_frame_without_end_is_cut_off(engines: Engines) -> None:
    async with engines.open():
        with plain(engines) as raw:

            def flood() -> bytes:
                raw.sendall(b"[" * (2 * protocol.MAX_FRAME) + b"\n")
                answer = b""
                while b"too long" not in answer:
                    answer += raw.recv(1 << 16)
                return answer

            told = json.loads((await thread(flood)).splitlines()[-1])["error"]["data"]
            assert (told["code"], str(protocol.MAX_FRAME) in told["fix"]) == ("usage", True)
        assert await ask(engines, "echo") == {}
