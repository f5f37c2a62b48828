"""Promise: a file of things to do is read as whoever wrote it meant it, or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.additions import parse_additions
from orchestrator.errors import UsageError


def titles(text: str) -> list[str]:
    return [each["title"] for each in parse_additions(text, "file")]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("One\nTwo", ["One", "Two"]),
        ("\n  # a comment\n\nOne\n", ["One"]),
        ("- One\n* Two\n-  Three", ["One", "Two", "Three"]),
        ("- [ ] One\n- [x] done\n- [X] done\n", ["One"]),
        ("[ui] Fix the button\n-5 is no list", ["[ui] Fix the button", "-5 is no list"]),
        ('{"title": "One"}\n\n{"title": "Two"}', ["One", "Two"]),
        ('  [\n {"title": "One"},\n {"title": "Two"}]', ["One", "Two"]),
        ("[]", []),
        ("", []),
    ],
)
def test_titles_are_read_from_lines_task_lists_and_json(text: str, meant: list[str]) -> None:
    assert titles(text) == meant


plain = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1)


@given(st.lists(plain.filter(str.strip), max_size=5))
def test_every_title_that_json_can_hold_is_read_back(wanted: list[str]) -> None:
    assert titles("\n".join(json.dumps({"title": title}) for title in wanted)) == wanted
    assert titles(json.dumps([{"title": title} for title in wanted])) == wanted


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        found = parse_additions(text, "file")
    except UsageError as error:
        where = error.where or ""
    else:
        where = "file"
        assert all(isinstance(each["title"], str) for each in found)
    assert where.startswith("file")
