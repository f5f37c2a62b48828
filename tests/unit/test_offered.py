"""Promises of the commands that are offered: they are known by name, and so is what is meant."""

from __future__ import annotations

import attrs
import pytest

from orchestrator import Command, Context, Plugin
from orchestrator.errors import UsageError
from orchestrator.registry import Registry
from orchestrator.run.engine.offered import answered_within, command_named, offered_commands


@attrs.frozen(kw_only=True)
class Look(Command[None]):
    pass


@attrs.frozen(kw_only=True)
class Work(Command[None]):
    pass


plugin = Plugin("toys")


@plugin.handles(Look, name="look-around", reads=True)
def look(command: Look, context: Context) -> None:
    pass


@plugin.handles(Work, name="work-hard", deadline=900)
async def work(command: Work, context: Context) -> None:
    pass


COMMANDS = Registry([plugin]).by_name


def test_a_command_is_found_or_one_that_is_called_alike_is_named() -> None:
    assert command_named(COMMANDS, "toys.look-around").command is Look
    for name, fix in (
        ("lok-around", "did you mean toys.look-around?"),
        ("x", "there are toys.look-around, toys.work-hard"),
    ):
        with pytest.raises(UsageError, match=f"no command {name}") as caught:
            command_named(COMMANDS, name)
        assert caught.value.fix == fix


def test_an_answer_is_waited_for_as_long_as_a_command_may_take() -> None:
    assert answered_within(COMMANDS["toys.look-around"]) == 10
    assert answered_within(COMMANDS["toys.work-hard"]) > 900


def test_the_backlog_is_offered() -> None:
    assert "backlog.add-items" in offered_commands()
