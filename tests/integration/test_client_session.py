"""Promises to a long-lived client: its calls work whoever owns the repository, and it yields."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from orchestrator.errors import ConfigError, OrchestratorError, StoppedError, StoreError, UsageError
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.engine.session import Session
from orchestrator.run.lock import BACKLOG, BRIEF, SESSION, running_item
from tests.backlog_scratch import PATIENCE, BacklogScratch, make_backlog
from tests.clients import Client, install_toys, open_client
from tests.scratch import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BacklogScratch:
    """A repository with a backlog, and the toys installed for every process."""
    site = install_toys(tmp_path)
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{root}")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "toys_plugin", raising=False)
    return make_backlog(tmp_path, ["build"])


@attrs.define
class Clients:
    """Clients of one repository, ended at the end."""

    scratch: BacklogScratch
    opened: list[Client] = attrs.field(factory=list)

    def open(self, linger: float = 60.0) -> Client:
        """Start one more."""
        self.opened.append(open_client(self.scratch.path, linger))
        return self.opened[-1]


@pytest.fixture
def clients(scratch: BacklogScratch) -> Iterator[Clients]:
    """Clients that are ended before the repository is looked at."""
    made = Clients(scratch)
    yield made
    for client in made.opened:
        client.kill()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a toy leaves its marks."""
    made = tmp_path / "place"
    made.mkdir()
    return made


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The engines that are opened in this process."""
    made: list[str] = []

    async def counted(repo: Any, item: str, *args: Any, **kwargs: Any) -> Any:
        made.append(item)
        return await run_engine(repo, item, *args, **kwargs)

    monkeypatch.setattr("orchestrator.run.engine.own.run_engine", counted)
    return made


def state(scratch: BacklogScratch) -> Path:
    """Return the product's directory."""
    return scratch.path / ".git" / "orchestrator"


def owner(scratch: BacklogScratch) -> int:
    """Return the process that owned the repository last."""
    return int((state(scratch) / "engine.lock").read_text().split()[0])


def no_progress(_: float | None, __: str) -> None:
    """Hear of progress and do nothing."""


async def add(session: Session, title: str) -> str:
    """Add an item."""
    (id,) = await session.call("backlog.add-items", {"items": [{"title": title}]}, no_progress)
    return str(id)


async def until(condition: Any) -> None:
    """Wait for what others do."""
    await trio.to_thread.run_sync(wait_for, condition, PATIENCE)


async def test_an_engine_is_opened_once_for_many_calls_and_closes_after_them(
    scratch: BacklogScratch, openings: list[str]
) -> None:
    ids: list[str] = []
    session = Session(directory=scratch.path, linger=0.5)

    async def add_one(number: int) -> None:
        ids.append(await add(session, f"Item {number}"))

    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        async with trio.open_nursery() as calls:
            for number in range(200):
                calls.start_soon(add_one, number)
        assert (len(set(ids)), openings) == (200, [SESSION])
        assert running_item(state(scratch)) == SESSION
        await trio.sleep(0.2)
        await add(session, "One more")
        assert openings == [SESSION]
        await until(lambda: running_item(state(scratch)) is None)
        await add(session, "And one")
        assert openings == [SESSION] * 2
        nursery.cancel_scope.cancel()
    assert running_item(state(scratch)) is None
    assert len(scratch.items()) == 202
    assert scratch.git("rev-parse", "refs/orchestrator/backlog")
    with pytest.raises(StoppedError):
        await add(session, "Too late")


async def test_a_run_takes_over_and_no_call_notices(
    scratch: BacklogScratch, openings: list[str]
) -> None:
    scratch.add("Work")
    scratch.script({"build": {"hold": "work"}})
    session = Session(directory=scratch.path, linger=60)
    asked: list[str] = []
    longest = 0.0

    async def keep_asking() -> None:
        nonlocal longest
        while True:
            began = trio.current_time()
            await add(session, f"Asked {len(asked)}")
            longest = max(longest, trio.current_time() - began)
            asked.append(f"Asked {len(asked)}")
            await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        nursery.start_soon(keep_asking)
        await until(lambda: len(asked) > 5)
        assert running_item(state(scratch)) == SESSION
        began = time.monotonic()
        run = await trio.to_thread.run_sync(
            lambda: scratch.background("run", "--target", scratch.ids["Work"])
        )
        await until(lambda: running_item(state(scratch)) == BACKLOG)
        assert time.monotonic() - began < 10
        await until(lambda: scratch.arrived("work"))
        before = len(asked)
        await until(lambda: len(asked) > before + 5)
        assert running_item(state(scratch)) == BACKLOG
        scratch.let_go("work")
        ran = await trio.to_thread.run_sync(run.ended)
        assert ran.code == 0, ran.out
        before = len(asked)
        await until(lambda: len(asked) > before + 5)
        assert running_item(state(scratch)) == SESSION
        nursery.cancel_scope.cancel()
    assert openings.count(SESSION) >= 2
    assert longest < 10
    titles = scratch.statuses()
    assert titles.pop("Work") == "done"
    assert sorted(titles) in (sorted(asked), sorted([*asked, f"Asked {len(asked)}"]))


def test_other_commands_take_over_and_short_ones_go_through_its_engine(
    scratch: BacklogScratch, clients: Clients
) -> None:
    client = clients.open()
    client.add("One")
    for command in (["gc"], ["add", "Two"], ["list"], ["tell", "nobody", "hello"], ["gc"]):
        began = time.monotonic()
        ran = scratch.orc(*command)
        assert ran.code == (2 if command[0] == "tell" else 0), (command, ran.err)
        assert time.monotonic() - began < 8
        client.add(f"After {command[0]}")
        assert (running_item(state(scratch)), owner(scratch)) == (SESSION, client.process.pid)
    assert client.close() == 0
    assert {"One", "Two", "After gc", "After tell"} <= set(scratch.statuses())


def test_nothing_runs_while_only_a_client_is_connected(
    scratch: BacklogScratch, clients: Clients
) -> None:
    client = clients.open()
    id = client.add("One")
    for command in (["stop"], ["stop", "--now"], ["stop", "--force"], ["pause"], ["resume"]):
        ran = scratch.orc(*command)
        assert (ran.code, "nothing runs here" in ran.err) == (2, True), (command, ran)
    run = json.loads(scratch.orc("status", "--json").out)["run"]
    assert (run["running"], run["item"]) == (False, None)
    assert "nothing runs here" in scratch.orc("why", id).out
    assert "nothing runs; this is the newest attempt" in scratch.orc("logs", "-f").err
    assert "an engine answers a connected client" in scratch.orc("doctor").out
    client.add("Two")
    assert owner(scratch) == client.process.pid


def test_two_clients_share_the_engine_of_the_first(
    scratch: BacklogScratch, clients: Clients, place: Path
) -> None:
    first, second = clients.open(), clients.open()
    first.add("One")
    number = second.send("toys.wait-long", place=str(place))
    wait_for((place / "began").exists)
    second.add("Two")
    first.add("Three")
    adding = [second.send("backlog.add-items", items=[{"title": f"Many {n}"}]) for n in range(200)]
    assert {second.answer(one)[0] for one in adding} == {"done"}
    assert owner(scratch) == first.process.pid
    (place / "go").touch()
    assert second.answer(number) == ("done", "waited")
    assert second.progress[number][0] == "toys.wait-long: 1 s"
    assert len(scratch.statuses()) == 203
    assert first.close() == 0
    second.add("Four")
    assert owner(scratch) == second.process.pid


def test_a_cancelled_call_is_cancelled_in_the_process_that_carries_it_out(
    scratch: BacklogScratch, clients: Clients, place: Path
) -> None:
    first, second = clients.open(), clients.open()
    first.add("One")
    for client in (second, first):
        number = client.send("toys.wait-long", place=str(place))
        wait_for((place / "began").exists)
        client.cancel(number)
        assert client.answer(number) == ("cancelled", None)
        wait_for((place / "cancelled").exists)
        for mark in place.iterdir():
            mark.unlink()
    assert owner(scratch) == first.process.pid


def test_a_client_that_is_killed_takes_only_what_it_carries_out_with_it(
    scratch: BacklogScratch, clients: Clients, place: Path
) -> None:
    first, second = clients.open(), clients.open()
    first.add("One")
    number = second.send("toys.wait-long", place=str(place))
    wait_for((place / "began").exists)
    first.process.send_signal(signal.SIGKILL)
    what, error = second.answer(number)
    assert (what, error["code"]) == ("failed", "engine-lost")
    second.add("Two")
    assert owner(scratch) == second.process.pid
    assert set(scratch.statuses()) == {"One", "Two"}


def test_a_client_that_ends_lets_others_finish_for_a_while(
    scratch: BacklogScratch, clients: Clients, place: Path
) -> None:
    first, second = clients.open(), clients.open()
    first.add("One")
    number = second.send("toys.wait-long", place=str(place))
    wait_for((place / "began").exists)
    first.hang_up()
    other = second.send("backlog.add-items", items=[{"title": "Two"}])
    time.sleep(0.5)
    assert other not in second.answers
    (place / "go").touch()
    assert second.answer(number) == ("done", "waited")
    assert second.answer(other)[0] == "done"
    assert first.process.wait(timeout=30) == 0
    again = clients.open()
    again.add("Three")


CUT_SHORT = {
    "code": "command-cancelled",
    "message": "the engine that answered ended while this was under way",
    "where": "toys.wait-long",
    "fix": "look at the state, then ask again",
}


def begin_waiting(client: Client, place: Path) -> int:
    """Begin a call that takes until a file is there."""
    for mark in place.iterdir():
        mark.unlink()
    number = client.send("toys.wait-long", place=str(place))
    wait_for((place / "began").exists, PATIENCE)
    (place / "began").unlink()
    return number


def was_cut_short(client: Client, number: int, place: Path) -> bool:
    """Tell whether a call was cancelled, its client told so, and not begun again."""
    assert client.answer(number) == ("failed", CUT_SHORT)
    client.call("backlog.list-items")
    return (place / "cancelled").exists() and not (place / "began").exists()


@pytest.mark.slow
def test_a_client_that_ends_does_not_wait_for_ever_for_others(
    scratch: BacklogScratch, clients: Clients, place: Path
) -> None:
    first, second = clients.open(), clients.open()
    first.add("One")
    number = begin_waiting(second, place)
    began = time.monotonic()
    assert first.close() == 0
    assert time.monotonic() - began < 12
    assert was_cut_short(second, number, place)


def test_the_end_of_a_run_waits_a_moment_for_what_clients_have_called(
    scratch: BacklogScratch, clients: Clients, place: Path
) -> None:
    client = clients.open()
    for title, patient in (("Quick", False), ("Slow", True)):
        scratch.add(title)
        scratch.script({"build": {"hold": title}})
        run = scratch.background("run", "--target", scratch.ids[title])
        scratch.reach(title)
        number = begin_waiting(client, place)
        assert owner(scratch) == run.process.pid
        scratch.let_go(title)
        wait_for(lambda: scratch.statuses()[title] == "done", PATIENCE)  # noqa: B023
        began = time.monotonic()
        if not patient:
            (place / "go").touch()
        assert run.ended().code == 0
        assert time.monotonic() - began < 15
        if patient:
            assert was_cut_short(client, number, place)
        else:
            assert client.answer(number) == ("done", "waited")


def held_verify(scratch: BacklogScratch) -> None:
    """Have `verify` take until it is let go."""
    place = scratch.place
    hold = f"touch {place}/at-verify; until test -e {place}/go-verify; do sleep 0.05; done"
    scratch.set_up(["build"], verify=[hold])


def test_who_runs_one_long_command_answers_others_meanwhile(
    scratch: BacklogScratch, clients: Clients
) -> None:
    held_verify(scratch)
    client = clients.open()
    verify = scratch.background("git", "verify")
    scratch.reach("verify")
    for title in ("One", "Two"):
        client.add(title)
        for command in (["add", f"{title} more"], ["list"], ["git", "log"]):
            began = time.monotonic()
            ran = scratch.orc(*command)
            assert ran.code == 0, ran.err
            assert time.monotonic() - began < 8
        assert (running_item(state(scratch)), owner(scratch)) == (BRIEF, verify.process.pid)
    assert json.loads(scratch.orc("status", "--json").out)["run"]["running"] is False
    scratch.let_go("verify")
    ran = verify.ended()
    assert (ran.code, "all verify commands passed" in ran.out) == (0, True), ran.out
    client.add("Three")
    assert owner(scratch) == client.process.pid
    assert set(scratch.statuses()) == {"One", "One more", "Two", "Two more", "Three"}


@pytest.mark.parametrize("stopped", [False, True])
def test_it_ends_when_what_others_called_has_ended_or_it_is_stopped(
    scratch: BacklogScratch, clients: Clients, place: Path, *, stopped: bool
) -> None:
    held_verify(scratch)
    client, other = clients.open(), clients.open()
    verify = scratch.background("git", "verify")
    scratch.reach("verify")
    number = begin_waiting(client, place)
    scratch.let_go("verify")
    wait_for(lambda: "waiting for what others have called" in verify.output.read_text(), PATIENCE)
    other.add("One")
    assert owner(scratch) == verify.process.pid
    if stopped:
        verify.process.send_signal(signal.SIGINT)
    else:
        (place / "go").touch()
    ran = verify.ended()
    assert (ran.code, "all verify commands passed" in ran.out) == (0, True), ran.out
    if stopped:
        assert was_cut_short(client, number, place)
    else:
        assert client.answer(number) == ("done", "waited")
    other.add("Two")


def test_a_run_can_begin_after_a_moment_while_only_commands_are_answered(
    scratch: BacklogScratch, clients: Clients
) -> None:
    scratch.add("Work")
    held_verify(scratch)
    verify = scratch.background("git", "verify")
    scratch.reach("verify")
    collect = subprocess.Popen(scratch.command("gc"), cwd=scratch.path)
    wait_for((state(scratch) / "engine.wanted").exists, PATIENCE)
    time.sleep(1)
    assert collect.poll() is None
    scratch.let_go("verify")
    assert collect.wait(PATIENCE) == 0
    assert verify.ended().code == 0


def test_of_many_short_commands_beside_a_client_none_is_lost_or_done_twice(
    scratch: BacklogScratch, clients: Clients
) -> None:
    client = clients.open(linger=0.01)
    titles = [f"Command {number}" for number in range(6)]
    adding = [subprocess.Popen(scratch.command("add", title), cwd=scratch.path) for title in titles]
    while any(process.poll() is None for process in adding):
        titles.append(f"Client {len(titles)}")
        client.add(titles[-1])
    assert [process.wait() for process in adding] == [0] * 6
    found = json.loads(scratch.orc("list", "--all", "--json").out)["items"]
    assert sorted(item["title"] for item in found) == sorted(titles)


@pytest.mark.slow
def test_a_long_call_keeps_the_repository_and_a_run_says_why_it_cannot_begin(
    scratch: BacklogScratch, clients: Clients, place: Path
) -> None:
    first, second = clients.open(), clients.open()
    number = first.send("toys.wait-long", place=str(place))
    wait_for((place / "began").exists)
    run = scratch.background("run", "--cap", "1")
    time.sleep(2)
    waiting = second.send("backlog.add-items", items=[{"title": "Patient"}])
    ran = run.ended()
    assert (ran.code, "a command of a connected client is still under way" in ran.out) == (2, True)
    assert second.answer(waiting)[0] == "done"
    assert owner(scratch) == first.process.pid
    (place / "go").touch()
    assert first.answer(number) == ("done", "waited")


async def test_a_long_call_tells_how_long_it_takes(scratch: BacklogScratch, place: Path) -> None:
    session = Session(directory=scratch.path, linger=60)
    told: list[str] = []

    def progress(fraction: float | None, text: str) -> None:
        assert fraction is None
        told.append(text)
        if len(told) == 2:
            (place / "go").touch()

    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        assert await session.call("toys.wait-long", {"place": str(place)}, progress) == "waited"
        nursery.cancel_scope.cancel()
    assert told == [f"toys.wait-long: {n} s" for n in (1, 3)]


async def test_an_engine_that_crashes_takes_no_later_call_with_it(
    scratch: BacklogScratch, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(directory=scratch.path, linger=60)
    failures: list[Exception] = [ExceptionGroup("all", [StoreError("damaged")]), OSError("full")]

    async def crashing(repo: Any, item: str, work: Any, **kwargs: Any) -> Any:
        if failures:
            raise failures.pop(0)

        async def doomed(orchestrator: Any) -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(work, orchestrator)
                await until((place / "crash").exists)
                raise ZeroDivisionError

        return await run_engine(repo, item, doomed, **kwargs)

    monkeypatch.setattr("orchestrator.run.engine.own.run_engine", crashing)
    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        with pytest.raises(StoreError, match="damaged"):
            await add(session, "Never")
        with pytest.raises(OrchestratorError, match=r"^full"):
            await add(session, "Never")
        await add(session, "One")
        monkeypatch.setattr("orchestrator.run.engine.own.run_engine", run_engine)
        (place / "crash").touch()
        await until(lambda: running_item(state(scratch)) is None)
        await add(session, "Two")
        nursery.cancel_scope.cancel()
    assert set(scratch.statuses()) == {"One", "Two"}


async def test_errors_are_typed_and_the_next_call_begins_anew(
    scratch: BacklogScratch, openings: list[str]
) -> None:
    session = Session(directory=scratch.path, linger=60)
    configuration = scratch.path / "orchestrator.toml"
    good = configuration.read_text()

    async def fail(how: str) -> None:
        await session.call("toys.fail-now", {"how": how}, no_progress)

    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        configuration.write_text("[execution]\nmax_attempts = 'many'\n")
        with pytest.raises(ConfigError):
            await add(session, "One")
        assert openings == []
        configuration.write_text(good)
        await add(session, "One")
        with pytest.raises(UsageError) as unknown:
            await session.call("backlog.ad-items", {}, no_progress)
        assert unknown.value.fix is not None
        assert "backlog.add-items" in unknown.value.fix
        with pytest.raises(UsageError, match="title: missing"):
            await session.call("backlog.add-items", {"items": [{"titel": "x"}]}, no_progress)
        with pytest.raises(OrchestratorError, match="fail-now failed with ZeroDivisionError"):
            await fail("bug")
        assert openings == [SESSION]
        with pytest.raises(StoreError):
            await fail("store")
        await add(session, "Two")
        assert openings == [SESSION] * 2
        nursery.cancel_scope.cancel()
    assert set(scratch.statuses()) == {"One", "Two"}


async def test_a_directory_without_a_repository_is_an_error_until_it_is_one(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "empty"
    directory.mkdir()
    session = Session(directory=directory)
    async with trio.open_nursery() as nursery:
        await nursery.start(session.run)
        with pytest.raises(OrchestratorError, match="repository"):
            await add(session, "One")
        for command in (["init", "-q"], ["commit", "--allow-empty", "-q", "-m", "Start"]):
            await trio.to_thread.run_sync(
                lambda command=command: subprocess.run(  # type: ignore[misc]
                    ["git", *command], cwd=directory, check=True
                )
            )
        await add(session, "One")
        nursery.cancel_scope.cancel()
