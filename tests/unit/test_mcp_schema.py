"""Promises of the schemas: what they allow is taken, and what is answered keeps to them."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NewType

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestrator import Command, Context
from orchestrator.calling import build_command, field_descriptions, parameters, plain
from orchestrator.errors import UsageError
from orchestrator.mcp.schema import input_schema, output_schema
from orchestrator.plugin import Registration
from orchestrator.run.engine.offered import offered_commands
from plugins.tags import TagHead

ItemId = NewType("ItemId", str)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@attrs.frozen(kw_only=True)
class Part:
    """A part.

    Attributes:
      size: how large it is.
    """

    size: int
    colour: Colour = Colour.RED


@attrs.frozen(kw_only=True)
class Tree:
    below: tuple[Tree, ...] = ()


@attrs.frozen(kw_only=True)
class Work(Command[None]):
    """Work on an item.

    It takes a while.

    Attributes:
      item: which one: a prefix
        of its id is enough
      name, path: where it is. Note: it may
        be: anywhere.
      parts: of what.

    Only this is said after them.
    """

    item: ItemId
    path: Path | None = None
    name: str = "it"
    level: Level = Level.LOW
    how: Literal["fast", "well"] = "well"
    parts: tuple[Part, ...] = ()
    limits: Mapping[str, float] = attrs.field(factory=dict)
    made: int = attrs.field(factory=lambda: 1)
    hidden: int = attrs.field(default=3, init=False)


async def handle(command: Command[Any], context: Context) -> None:
    raise NotImplementedError


def registration(command: type[Command[Any]]) -> Registration:
    return Registration(
        plugin="toy", name="toy.do-it", command=command, handler=handle, deadline=1.0, lane=None
    )


def command_of(**kinds: Any) -> type[Command[Any]]:
    fields = {
        name: attrs.field(type=kind[0], default=kind[1])
        if isinstance(kind, list)
        else attrs.field(type=kind)
        for name, kind in kinds.items()
    }
    made: type[Command[Any]] = attrs.make_class(
        "Made", fields, bases=(Command,), frozen=True, kw_only=True
    )
    return made


def test_a_command_is_told_with_what_its_docstring_says_of_its_fields() -> None:
    part = {
        "type": "object",
        "properties": {
            "size": {"type": "integer", "description": "how large it is."},
            "colour": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        },
        "required": ["size"],
        "additionalProperties": False,
    }
    where = "where it is. Note: it may be: anywhere."
    assert input_schema(Work) == {
        "type": "object",
        "properties": {
            "item": {
                "type": "string",
                "description": "which one: a prefix of its id is enough",
            },
            "path": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "description": where,
                "default": None,
            },
            "name": {"type": "string", "description": where, "default": "it"},
            "level": {"enum": [1, 2], "default": 1},
            "how": {"type": "string", "enum": ["fast", "well"], "default": "well"},
            "parts": {"type": "array", "items": part, "description": "of what.", "default": []},
            "limits": {
                "type": "object",
                "additionalProperties": {"type": "number"},
                "default": {},
            },
            "made": {"type": "integer"},
        },
        "required": ["item"],
        "additionalProperties": False,
    }


def test_commands_with_little_to_say_have_short_schemas() -> None:
    assert input_schema(command_of()) == {
        "type": "object",
        "properties": {},
        "additionalProperties": False,
    }
    assert input_schema(TagHead) == {
        "type": "object",
        "properties": {"version": {"type": "string"}},
        "required": ["version"],
        "additionalProperties": False,
    }
    assert field_descriptions(TagHead) == {}


def test_inherited_fields_are_told_by_the_class_that_has_them() -> None:
    @attrs.frozen(kw_only=True)
    class More(Part):
        """More.

        Attributes:
          weight: how heavy.
        """

        weight: float

    assert field_descriptions(More) == {"size": "how large it is.", "weight": "how heavy."}


KINDS = {
    "str": (str, st.text(max_size=5)),
    "int": (int, st.integers()),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9)),
    "bool": (bool, st.booleans()),
    "Path": (Path, st.text(max_size=5)),
    "NewType": (ItemId, st.text(max_size=5)),
    "Literal": (Literal["a", 1, None], st.sampled_from(["a", 1, None])),
    "Enum": (Colour, st.sampled_from(["red", "blue"])),
    "Enum of numbers": (Level, st.sampled_from([1, 2])),
    "optional": (int | None, st.none() | st.integers()),
    "attrs": (Part, st.fixed_dictionaries({"size": st.integers()})),
    "optional attrs": (Part | None, st.none() | st.just({"size": 1, "colour": "blue"})),
    "list": (list[str], st.lists(st.text(max_size=2), max_size=3)),
    "Sequence": (Sequence[int], st.lists(st.integers(), max_size=3)),
    "set": (frozenset[str], st.lists(st.text(max_size=2), max_size=3)),
    "tuple": (tuple[Part, ...], st.lists(st.just({"size": 1}), max_size=2)),
    "pair": (tuple[int, int], st.lists(st.integers(), min_size=2, max_size=2)),
    "two": (tuple[int, str], st.tuples(st.integers(), st.text(max_size=2)).map(list)),
    "none": (tuple[()], st.just([])),
    "Mapping": (Mapping[str, int], st.dictionaries(st.text(max_size=2), st.integers())),
    "dict": (dict[str, list[int]], st.just({"a": [1]})),
}
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(0.5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.just("size") | st.text(), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def commands_and_documents(draw: st.DrawFn) -> tuple[type[Command[Any]], dict[str, Any]]:
    fields, document = {}, {}
    for number, name in enumerate(draw(st.lists(st.sampled_from(list(KINDS)), max_size=4))):
        kind, good = KINDS[name]
        optional = draw(st.booleans())
        fields[f"field_{number}"] = [kind, None] if optional else kind
        choice = draw(st.integers(0, 9))
        if choice < 8:
            document[f"field_{number}"] = draw(good)
        elif choice == 8:
            document[f"field_{number}"] = draw(JUNK)
    if draw(st.integers(0, 9)) == 0:
        document["another"] = 1
    return command_of(**fields), document


@given(commands_and_documents())
def test_what_a_schema_allows_is_taken_and_what_is_made_keeps_to_its_own(
    drawn: tuple[type[Command[Any]], dict[str, Any]],
) -> None:
    command, document = drawn
    schema = input_schema(command)
    assert schema is not None
    Draft202012Validator.check_schema(schema)
    if not Draft202012Validator(schema).is_valid(document):
        return
    made = build_command(registration(command), document)
    promised = output_schema(command)
    assert promised is not None
    Draft202012Validator.check_schema(promised)
    if set(document) == {field.name for field in attrs.fields(command)}:
        Draft202012Validator(promised).validate(plain(made))


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS.values()], ids=str)
def test_what_is_refused_is_not_allowed_either(kind: Any) -> None:
    command = command_of(field=kind)
    schema = input_schema(command)
    assert schema is not None
    is_list = "array" in str(schema["properties"]["field"].get("type"))
    for wrong in ([None, None, None], 7.5 if is_list else {"x": None}):
        for document in ({"field": wrong}, {}, {"field": wrong, "another": 1}):
            assert not Draft202012Validator(schema).is_valid(document)
            with pytest.raises(UsageError):
                build_command(registration(command), document)


UNWRITABLE = [
    complex, object, Any, int | str, dict[int, str], list[complex], tuple[int, bytes], list, dict,
    Part | Colour, list[Any],
]  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS.values()] + UNWRITABLE, ids=str)
def test_a_schema_is_there_when_the_command_line_can_write_it(kind: Any) -> None:
    command = command_of(field=kind)
    try:
        parameters(registration(command))
        expected = True
    except UsageError:
        expected = False
    assert (input_schema(command) is not None) is expected
    assert expected is (kind not in UNWRITABLE)


def test_what_holds_itself_has_no_end_and_no_schema() -> None:
    assert input_schema(command_of(tree=Tree)) is None
    assert output_schema(Tree) == {
        "type": "object",
        "properties": {"below": {"type": "array", "items": {}}},
        "required": ["below"],
    }


def test_a_result_that_cannot_be_told_wholly_is_told_in_part() -> None:
    @attrs.frozen(kw_only=True)
    class Odd:
        total: int = 1
        marks: frozenset[str] = frozenset({"a"})
        either: int | str = "b"
        thing: complex = 1j

    schema = output_schema(Odd)
    assert schema == {
        "type": "object",
        "properties": {"total": {"type": "integer"}, "marks": {}, "either": {}, "thing": {}},
        "required": ["total", "marks", "either", "thing"],
    }
    Draft202012Validator(schema).validate(plain(Odd()))
    assert output_schema(str) is None
    assert output_schema(None) is None
    assert output_schema(Part | None) is None


def test_defaults_are_told_as_json_writes_them() -> None:
    schema = input_schema(
        command_of(
            path=[Path, Path("a/b")],
            marks=[frozenset[str], frozenset({"b", "a"})],
            part=[Part | None, Part(size=2)],
        )
    )
    assert schema is not None
    defaults = [field["default"] for field in schema["properties"].values()]
    assert defaults == ["a/b", ["a", "b"], {"size": 2, "colour": "red"}]


def test_null_stands_for_the_default() -> None:
    registration = offered_commands()["phase.report-result"]
    made = build_command(registration, {"summary": "s", "follow_ups": None, "branch": None})
    assert plain(made) == {"summary": "s", "follow_ups": [], "branch": None, "by": ""}
    with pytest.raises(UsageError, match="summary: expected str, got None"):
        build_command(registration, {"summary": None})


@pytest.mark.parametrize("value", ["abc", {"abc": 1}, 7])
def test_what_is_no_list_is_refused_by_name(value: object) -> None:
    registration = offered_commands()["phase.report-result"]
    with pytest.raises(UsageError, match=r"follow_ups: expected a list, got (str|dict|int)"):
        build_command(registration, {"summary": "s", "follow_ups": value, "by": "ann"})
