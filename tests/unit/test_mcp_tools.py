"""Promises of commands as tools: names, descriptions, deadlines."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
import trio

from orchestrator import Command, Context, Plugin, PluginError
from orchestrator.mcp.tools import ASKER, LONGEST, Progress, Tool, tools_of
from orchestrator.plugin import Registration
from orchestrator.registry import Registry
from orchestrator.run.engine.offered import offered_commands


@attrs.frozen(kw_only=True)
class Found:
    path: str


@attrs.frozen(kw_only=True)
class FindThing(Command[Found]):
    """Find a thing.

    It reads only.

    Attributes:
      name: what it is called.
    """

    name: str


@attrs.frozen(kw_only=True)
class CountAll(Command[int]):
    pass


@attrs.frozen(kw_only=True)
class UseObject(Command[None]):
    """Cannot be called from outside."""

    thing: complex


async def find_thing(command: FindThing, _: Context) -> Found:
    raise NotImplementedError


def count_all(command: CountAll, _: Context) -> int:
    """Count everything."""
    raise NotImplementedError


async def use_object(command: UseObject, _: Context) -> None:
    raise NotImplementedError


class Caller:
    async def call(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        await trio.lowlevel.checkpoint()
        progress(0.5, name)
        return dict(arguments)


def registrations() -> Mapping[str, Registration]:
    plugin = Plugin("my-things")
    plugin.handles(FindThing, name="find-thing", deadline=60)(find_thing)
    plugin.handles(CountAll, name="count-all")(count_all)
    plugin.handles(UseObject, name="use-object", deadline=1)(use_object)
    return Registry([plugin]).by_name


def test_each_command_that_can_be_called_is_a_tool() -> None:
    find, count = tools_of(registrations(), Caller())
    assert (find.name, find.description) == (
        "my_things_find_thing",
        "Find a thing.\n\nIt reads only.",
    )
    assert (find.deadline, find.reads) == (80.0, False)
    assert find.output is not None
    assert find.input["required"] == ["name"]
    assert (count.name, count.description) == ("my_things_count_all", "Count everything.")
    assert (count.deadline, count.output) == (30.0, None)


def test_a_command_that_says_it_only_reads_is_such_a_tool() -> None:
    known = registrations()["my-things.count-all"]
    (tool,) = tools_of({"x": attrs.evolve(known, reads=True)}, Caller())
    assert tool.reads


async def test_a_tool_calls_its_command() -> None:
    tool: Tool = tools_of(registrations(), Caller())[0]
    told: list[tuple[float | None, str]] = []
    result = await tool.run({"name": "x"}, lambda *note: told.append(note))
    assert (result, told) == ({"name": "x"}, [(0.5, "my-things.find-thing")])


def test_two_commands_of_one_name_are_refused() -> None:
    one = registrations()["my-things.find-thing"]
    both = {
        name: attrs.evolve(one, name=name)
        for name in ("my-things.find-thing", "my.things-find-thing")
    }
    with pytest.raises(
        PluginError, match=r"my-things\.find-thing and my\.things-find-thing are both"
    ):
        tools_of(both, Caller())


@pytest.mark.parametrize(
    ("paragraphs", "expected"),
    [
        (["a" * 500, "b" * 500], ["a" * 500, "b" * 500]),
        (["a" * 500, "b" * 500, "c" * 500], ["a" * 500, "b" * 500]),
        (["a" * 2000, "b"], ["a" * (LONGEST - 1) + "…"]),
    ],
)
def test_a_long_description_is_cut_between_paragraphs(
    paragraphs: list[str], expected: list[str]
) -> None:
    @attrs.frozen(kw_only=True)
    class Talk(Command[None]):
        __doc__ = "\n\n".join(paragraphs)

    known = registrations()["my-things.find-thing"]
    (tool,) = tools_of({"x": attrs.evolve(known, command=Talk)}, Caller())
    assert tool.description == "\n\n".join(expected)
    assert len(tool.description) <= LONGEST


@pytest.mark.processes
def test_tools_need_no_sdk() -> None:
    code = (
        "import sys, orchestrator.mcp.tools, orchestrator.mcp.gate, orchestrator.mcp.notes\n"
        "assert not {'mcp', 'mcp_types', 'pydantic', 'hypercorn'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_nobody_is_asked_who_he_is() -> None:
    for tool in tools_of(offered_commands(), Caller()):
        assert ASKER not in tool.input["properties"]
        assert set(tool.input.get("required", ())) <= set(tool.input["properties"]), tool.name
