"""An engine on a scratch repository whose commands are called by name, as every surface does."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from orchestrator.adapters.git.repository import Repository
from orchestrator.calling import build_command, plain
from orchestrator.config import load_config
from orchestrator.run.engine.engine import run_engine
from orchestrator.run.engine.offered import offered_commands
from orchestrator.run.lock import SESSION
from orchestrator.runtime import Orchestrator
from tests.gitrepo import commit_files, make_repository

WORKFLOW = """\
[[pipelines.feature.phases]]
name = "design"
leave = [{ file = "design.md", contains = "decided" }]

[[pipelines.feature.phases]]
name = "build"
cycles = true
subphases = ["red", "green"]
commit_types = { red = "test" }
leave_cycle = [{ file = "round.md" }]

[[pipelines.feature.phases]]
name = "ready"
"""


def scratch(directory: Path, config: str = WORKFLOW) -> Path:
    """Make a repository with a configuration, committed."""
    repo = make_repository(directory)
    commit_files(repo, {"orchestrator.toml": config}, "Configure")
    return repo


@attrs.frozen
class Called:
    """Calls commands in a running engine."""

    orchestrator: Orchestrator

    async def __call__(self, name: str, /, **fields: Any) -> Any:
        """Run a command and return its result as JSON has it."""
        command = build_command(offered_commands()[name], fields)
        return plain(await self.orchestrator.call(command))


@asynccontextmanager
async def engine(repo: Path, overrides: Mapping[str, Any] | None = None) -> AsyncGenerator[Called]:
    """Own a repository for as long as the block lasts."""
    opened = trio.Event()
    over = trio.Event()
    found: list[Called] = []
    config = load_config(repo / "orchestrator.toml", environ=os.environ, overrides=overrides)
    repository = Repository.open(repo).within(config.execution.command_timeout)

    async def work(orchestrator: Orchestrator) -> None:
        found.append(Called(orchestrator))
        opened.set()
        await over.wait()

    async def run() -> None:
        await run_engine(repository, SESSION, work, config=config)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await opened.wait()
        yield found[0]
        over.set()
