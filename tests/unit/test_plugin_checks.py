"""Promises of gates that ask plugins: given what they take, their word counts, none waits long."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import attrs
import trio
import trio.testing

from orchestrator import Command, Context, Plugin, open_orchestrator
from orchestrator.run.backlog import plugin_checks
from orchestrator.run.backlog.gates import examine, failing, gate_values
from orchestrator.run.backlog.plugin_checks import asking
from orchestrator.run.checks.verify import CheckResult
from orchestrator.settings import Check
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


@attrs.frozen(kw_only=True)
class CheckForEver(Command[str]):
    """Say nothing, for so many seconds that nobody waits for it."""


@lint.handles(CheckForEver, name="check-for-ever", deadline=10_000)
async def check_for_ever(command: CheckForEver, context: Context) -> str:
    await trio.sleep_forever()
    return ""


class NoCommands:
    async def run(self, checks: object) -> tuple[CheckResult, ...]:
        raise NotImplementedError


@attrs.frozen
class Commands:
    """Runs commands that sleep for as many seconds as they say."""

    most: float

    async def run(self, checks: Sequence[Check]) -> tuple[CheckResult, ...]:
        (check,) = checks
        with trio.move_on_after(self.most) as scope:
            await trio.sleep(float(check.run.removeprefix("sleep ")))
        late = f"took longer than {self.most:g} s" if scope.cancelled_caught else ""
        return (
            CheckResult(command=check.run, passed=not late, reason=late, output="", seconds=0.0),
        )


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
                verify=(),
            )
            return failing(results)

        notes, unknown, more = await look()
        assert notes == "lint.check-notes: WRK-1 has no notes"
        assert "no plugin has a command lint.none" in unknown
        assert "weather: missing" in more
        (tmp_path / "WRK-1.md").touch()
        assert len(await look()) == 2


async def test_gates_that_hang_end_by_themselves_and_are_named(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    values = gate_values("WRK-1", "build")
    gates = [
        Gate(command="sleep 100"),
        Gate(command="sleep 10000"),
        Gate(check="lint.check-for-ever"),
        Gate(file="design.md"),
        Gate(command="sleep 1"),
    ]
    async with open_orchestrator(plugins=[plugin_checks.plugin, lint]) as orchestrator:
        started = trio.current_time()
        results = await examine(
            gates,
            root=tmp_path,
            values=values,
            checker=Commands(600.0),
            deadline=5.0,
            ask=asking(orchestrator, values),
            verify=(),
            total=800.0,
        )
        assert trio.current_time() - started == 800.0
    assert [result.gate for result in results] == gates
    assert [result.problem for result in results] == [
        "",
        "the command `sleep 10000` failed (took longer than 600 s); it has to succeed",
        "the check lint.check-for-ever cannot be decided within 100 s",
        "design.md cannot be decided: those before it took 800 s",
        "the command `sleep 1` cannot be decided: those before it took 800 s",
    ]


async def test_the_check_of_a_plugin_ends_after_its_own_time(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    values = gate_values("WRK-1", "build")
    async with open_orchestrator(plugins=[plugin_checks.plugin, lint]) as orchestrator:
        (result,) = await examine(
            [Gate(check="lint.check-for-ever")],
            root=tmp_path,
            values=values,
            checker=NoCommands(),
            deadline=5.0,
            ask=asking(orchestrator, values),
            verify=(),
        )
    assert "the check lint.check-for-ever cannot be decided: " in result.problem
    assert "900 s" in result.problem
