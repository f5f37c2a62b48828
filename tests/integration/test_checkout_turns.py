"""Promise: who lands, takes back or borrows waits while a client's command changes the checkout."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trio

from orchestrator import Command, Orchestrator
from orchestrator.adapters.git.repository import Repository
from orchestrator.calling import build_command
from orchestrator.errors import UsageError
from orchestrator.run.backlog.phases import OpenItem
from orchestrator.run.commands import OpenRun
from orchestrator.run.delivery.commands import Deliver, PlanDelivery, SettleDelivery, Undo
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.engine.offered import offered_commands
from orchestrator.run.events import RunStarted
from orchestrator.run.lock import BACKLOG
from orchestrator.run.records.opening import Spec
from orchestrator.settings import Config
from tests.finished import make_finished
from tests.scratch import CHANGE, Scratch, wait_for

pytestmark = pytest.mark.processes

SPEC = Spec(change="other", title="Other", root=".", directory="", carried={}, brief="Do it.")
STARTED = RunStarted(item="other", agent="mine", stories=1, left_behind=())


@pytest.fixture
def scratch(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """A repository with a finished item, whose owner's hook takes until it is let go."""
    made = make_finished(tmp_path, tmp_path_factory.mktemp("finished"))
    hook = made.path / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(
        f"#!/bin/sh\ntouch {tmp_path}/held\nuntil test -e {tmp_path}/go; do sleep 0.05; done\n"
    )
    hook.chmod(0o755)
    return made


@asynccontextmanager
async def engine(scratch: Scratch, mode: str) -> AsyncGenerator[Orchestrator]:
    """Own the repository for as long as the block lasts."""
    repo = Repository.open(scratch.path).working(mode)
    found: list[Orchestrator] = []
    opened, over = trio.Event(), trio.Event()

    async def work(orchestrator: Orchestrator) -> None:
        found.append(orchestrator)
        opened.set()
        await over.wait()

    async def run() -> None:
        await run_engine(repo, BACKLOG, work, config=Config())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await opened.wait()
        yield found[0]
        over.set()


@pytest.mark.parametrize(
    ("what", "mode", "waits"),
    [
        ("deliver", "clone", True),
        ("undo", "clone", True),
        ("settle", "clone", True),
        ("open", "in-place", True),
        ("open", "clone", False),
        ("run", "in-place", True),
        ("run", "clone", False),
    ],
)
async def test_it_waits_for_a_command_that_changes_the_checkout(
    scratch: Scratch, what: str, mode: str, *, waits: bool
) -> None:
    ended: list[str] = []
    over = {"switch": trio.Event(), what: trio.Event()}

    async def tell(name: str, command: Command[Any]) -> None:
        with suppress(UsageError):  # nothing was delivered that could be taken back
            await orchestrator.call(command)
        ended.append(name)
        over[name].set()

    async with engine(scratch, mode) as orchestrator:
        ready = await orchestrator.call(PlanDelivery(item=CHANGE, how="merge", terminal=False))
        commands: dict[str, Command[Any]] = {
            "deliver": Deliver(ready=ready),
            "undo": Undo(item=None),
            "settle": SettleDelivery(item=CHANGE),
            "open": OpenItem(item="other", spec=SPEC, fact=STARTED),
            "run": OpenRun(item="other", spec=SPEC, fact=STARTED),
        }
        scratch.git("branch", "topic")
        switch = build_command(offered_commands()["git.checkout-branch"], {"branch": "topic"})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(tell, "switch", switch)
            await trio.to_thread.run_sync(wait_for, (scratch.home / "held").exists)
            nursery.start_soon(tell, what, commands[what])
            with trio.move_on_after(1 if waits else 30):
                await over[what].wait()
            assert ended == ([] if waits else [what])
            (scratch.home / "go").touch()
        assert sorted(ended) == sorted([what, "switch"])
