"""Promises of registration: a wrong plugin is refused before anything runs, and named."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from orchestrator import Command, Context, Plugin, PluginError, UnknownCommandError, load_plugins
from orchestrator.registry import Registry


@attrs.frozen(kw_only=True)
class Count(Command[int]):
    pass


@attrs.frozen(kw_only=True)
class CountMore(Count):
    pass


@attrs.frozen(kw_only=True)
class Forget(Command[None]):
    pass


def count(command: Count, context: Context) -> int:
    return 1


async def count_slowly(command: Count, context: Context) -> int:
    return 1


def count_more(command: CountMore, context: Context) -> int:
    return 2


def forget(command: Forget, context: Context) -> None:
    pass


def alone(command: Count) -> int:
    return 1


def crowded(command: Count, context: Context, extra: int = 0) -> int:
    return 1


def of_another_command(command: Forget, context: Context) -> int:
    return 1


def without_context(command: Count, context: object) -> int:
    return 1


def bare(command, context):  # type: ignore[no-untyped-def]
    return 1


def without_result(command: Count, context: Context):  # type: ignore[no-untyped-def]
    return 1


def of_another_result(command: Count, context: Context) -> str:
    return "1"


def of_no_known_name(command: Count, context: Unknown) -> int:  # type: ignore[name-defined]  # noqa: F821 - the point of it
    return 1


def registered(
    handler: Callable[[Any, Context], Any],
    command: Any = Count,
    name: str = "count-it",
    **more: Any,
) -> Plugin:
    """Return a plugin with this one handler."""
    plugin = Plugin("counting")
    plugin.handles(command, name=name, **more)(handler)
    return plugin


@pytest.mark.parametrize(
    ("handler", "what"),
    [
        (alone, "does not take (command, context)"),
        (crowded, "does not take (command, context)"),
        (of_another_command, "not annotated (Count, Context)"),
        (without_context, "not annotated (Count, Context)"),
        (bare, "not annotated (Count, Context)"),
        (without_result, "returns None"),
        (of_another_result, "returns <class 'str'>, its command <class 'int'>"),
        (of_no_known_name, "name 'Unknown' is not defined"),
    ],
)
def test_wrong_signature_is_refused(handler: Callable[..., Any], what: str) -> None:
    with pytest.raises(PluginError) as caught:
        Registry([registered(handler)])
    assert what in caught.value.message
    assert "plugin 'counting': counting.count-it" in caught.value.message
    assert caught.value.where == handler.__qualname__


@pytest.mark.parametrize("name", ["count", "Count-It", "count_it", "count-", "", "a.count-it"])
def test_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match="the name is not"):
        Registry([registered(count, name=name)])


@pytest.mark.parametrize("command", [int, Count(), "Count"])
def test_what_is_no_command_class_is_refused(command: object) -> None:
    with pytest.raises(PluginError, match="is not a Command class"):
        Registry([registered(count, command)])


@pytest.mark.parametrize("deadline", [None, 0, -1, math.inf, math.nan])
def test_async_handler_without_a_finite_deadline_is_refused(deadline: float | None) -> None:
    with pytest.raises(PluginError, match="finite deadline"):
        Registry([registered(count_slowly, deadline=deadline)])


@pytest.mark.parametrize("more", [{"deadline": 1}, {"lane": lambda command: "a"}])
def test_inline_handler_with_deadline_or_lane_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(PluginError, match="neither deadline nor lane"):
        Registry([registered(count, **more)])


@pytest.mark.parametrize(
    "other",
    [registered(forget, Forget), registered(count, name="count-again")],
    ids=["same name", "same command"],
)
def test_clash_names_both(other: Plugin) -> None:
    with pytest.raises(PluginError, match=r"clashes with counting.count-it of plugin 'counting'"):
        Registry([registered(count), other])


def test_lookup_is_by_exact_type() -> None:
    registry = Registry([registered(count), registered(forget, Forget, "forget-it")])
    assert registry.lookup(Count()).handler is count
    assert registry.lookup(Forget()).name == "counting.forget-it"
    assert set(registry.by_name) == {"counting.count-it", "counting.forget-it"}
    with pytest.raises(UnknownCommandError, match="CountMore"):
        registry.lookup(CountMore())


def test_command_inherits_the_result_it_promises() -> None:
    Registry([registered(count_more, CountMore, "count-more")])


def install(site: Path, distribution: str, source: str, *entries: str) -> None:
    """Put a distribution on the path ``site``, with these entry points and a module for each."""
    metadata = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text("\n".join(["[orchestrator.test]", *entries, ""]))
    for entry in entries:
        (site / f"{entry.partition('= ')[2].partition(':')[0]}.py").write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a new directory that Python finds distributions and modules in."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


GOOD = "from orchestrator import Plugin\nplugin = Plugin(__name__.removeprefix('sample_'))\n"


def test_plugins_load_in_the_order_of_their_entry_points(site: Path) -> None:
    install(site, "dist-one", GOOD, "zebra = sample_a:plugin", "cow = sample_b:plugin")
    install(site, "dist-two", GOOD, "ant = sample_c:plugin", "dog = sample_d:plugin")
    assert [plugin.name for plugin in load_plugins(group="orchestrator.test")] == list("cbda")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("raise OSError('broken')\n", "cannot load plugin"),
        ("import missing_module_of_nobody\n", "missing_module_of_nobody"),
        ("", "cannot load plugin"),
        ("plugin = 1\n", "is not a Plugin but 1"),
    ],
)
def test_plugin_that_cannot_be_used_is_named_with_its_distribution(
    source: str, what: str, site: Path
) -> None:
    install(site, "dist-bad", source, "ant = sample_bad:plugin")
    with pytest.raises(PluginError) as caught:
        load_plugins(group="orchestrator.test")
    assert what in caught.value.message
    assert "ant = sample_bad:plugin (from dist-bad)" in caught.value.message
    assert "dist-bad" in (caught.value.fix or "")


def test_no_plugin_is_no_error() -> None:
    assert load_plugins(group="orchestrator.nothing") == []
