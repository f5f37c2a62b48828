"""Promises of gates that ask plugins: they are given what they take, and their word counts."""

from __future__ import annotations

from pathlib import Path

import attrs
import trio

from orchestrator import Command, Context, Plugin, open_orchestrator
from orchestrator.run.backlog import plugin_checks
from orchestrator.run.backlog.gates import examine, failing, gate_values
from orchestrator.run.backlog.plugin_checks import asking
from orchestrator.run.checks.verify import CheckResult
from orchestrator.work.backlog.gate import Gate

lint = Plugin("lint")


@attrs.frozen(kw_only=True)
class CheckNotes(Command[str]):
    """Say what is wrong with the notes of an item."""

    workspace: Path
    item: str


@lint.handles(CheckNotes, name="check-notes", deadline=5)
async def check_notes(command: CheckNotes, context: Context) -> str:
    place = trio.Path(command.workspace) / f"{command.item}.md"
    return "" if await place.exists() else f"{command.item} has no notes"


@attrs.frozen(kw_only=True)
class CheckMore(Command[str]):
    """Ask for something that no gate has."""

    weather: str


@lint.handles(CheckMore, name="check-more")
def check_more(command: CheckMore, context: Context) -> str:
    return command.weather


class NoCommands:
    async def run(self, checks: object) -> tuple[CheckResult, ...]:
        raise NotImplementedError


async def test_a_plugin_decides_a_gate_by_what_it_takes(tmp_path: Path) -> None:
    values = gate_values("WRK-1", "build")
    gates = [Gate(check="lint.check-notes"), Gate(check="lint.none"), Gate(check="lint.check-more")]
    async with open_orchestrator(plugins=[plugin_checks.plugin, lint]) as orchestrator:

        async def look() -> tuple[str, ...]:
            results = await examine(
                gates,
                root=tmp_path,
                values=values,
                checker=NoCommands(),
                deadline=5.0,
                ask=asking(orchestrator, values),
            )
            return failing(results)

        notes, unknown, more = await look()
        assert notes == "lint.check-notes: WRK-1 has no notes"
        assert "no plugin has a command lint.none" in unknown
        assert "weather: missing" in more
        (tmp_path / "WRK-1.md").touch()
        assert len(await look()) == 2
