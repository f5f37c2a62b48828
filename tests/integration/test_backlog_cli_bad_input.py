"""Promise: what cannot be said to the backlog is refused with a reason, and changes nothing."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.desk import Desk, open_desk

FILES: list[tuple[str | bytes, str, str]] = [
    ('{"title": "A"}\n{"title": "B", "siez": "small"}', "line 2", "siez: unknown key"),
    ('{"title": "A", "size": "huge"}', "line 1", "expected small, medium or large"),
    ('{"title": 3}', "line 1", "title: expected str"),
    ('{"size": "small"}', "line 1", "title"),
    ('{"title": "A"}\n{"title": "B"', "line 2", "not JSON"),
    ('{"title": "A"}\nB\n', "line 2", "not JSON"),
    ('[{"title": "A"}, "B"]', "item 2", "is no object"),
    ("[{", "standard input", "not JSON"),
    (f'{{"title": "A", "priority": {"9" * 60}}}', "line 1", "too large"),
    ("# nothing\n\n", "standard input", "nothing to add"),
    ("", "standard input", "nothing to add"),
    (b"A\n\xff\n", "line 2", "UTF-8"),
    ("x" * 3_000_000, "standard input", "KiB"),
    ("x\n" * 200_000, "-", "KiB"),
    ("y" * 300, "", "title"),
    ('{"title": "A\\nB"}', "", "title"),
    ('{"title": " "}', "", "title"),
    ('{"title": "A", "key": "k"}\n{"title": "B", "key": "k"}', "", "twice"),
]
"""What is to be added, where it is wrong, and what is said about it."""

REQUESTS: list[tuple[list[str], str]] = [
    (["add"], "add what?"),
    (["add", " "], "title"),
    (["add", "two\nlines"], "title"),
    (["add", "x" * 201], "title"),
    (["add", "x", "-f", "y"], "exclude"),
    (["add", "-f", "/nonexistent"], "cannot be read"),
    (["add", "-f", "."], "cannot be read"),
    (["add", "x", "--pipeline", "feture"], "no pipeline"),
    (["add", "x", "--needs", "nothing"], "no item"),
    (["add", "x", "--size", "huge"], "huge"),
    (["add", "x", "--priority", "high"], "priority"),
    (["add", "x", "--tag", "a,b"], "tag"),
    (["edit", "ITEM", "--needs", "ITEM"], "cannot need itself"),
    (["edit", "ITEM", "--needs", "OTHER"], "would wait for itself"),
    (["edit", "ITEM", "--parent", "ITEM"], "part of"),
    (["edit", "ITEM", "--title", ""], "title"),
    (["edit", "../../etc/passwd", "--title", "x"], "no item"),
    (["edit", "", "--title", "x"], "no item"),
    (["move", "ITEM", "--to", "nowhere"], "no phase"),
    (["answer", "ITEM", "yes"], "waits for nobody"),
    (["answer", "ITEM", "--yes", "--no"], "not allowed with"),
    (["retry", "ITEM"], "waits for nobody"),
    (["hold", "ITEM", "--reason", " "], "say why"),
    (["hold", "ITEM"], "--reason"),
    (["close", "ITEM"], "say why"),
    (["close", "ITEM", "--duplicate-of", "ITEM"], "itself"),
    (["complete", "ITEM", "--summary", ""], "what was done"),
    (["show", "WRK-zzzzz"], "no item"),
    (["why", "WRK-zzzzz"], "no item"),
    (["status", "WRK-zzzzz"], "no item"),
    (["pipeline", "nothing"], "no pipeline"),
    (["worklog", "--month", "May"], "no month"),
    (["import", "/nonexistent"], "cannot be read"),
    (["export", "/nonexistent/x"], "cannot be written"),
    (["run", "--cap", "x"], "cap"),
]
"""What is asked, and what is said about it; ITEM and OTHER, which needs it, are in the backlog."""


@pytest.fixture
def desk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Generator[Desk, None, None]:
    """A repository whose checkout stays the same, and the command line in this process."""
    with open_desk(tmp_path, capsys, monkeypatch) as opened:
        yield opened


def refused(desk: Desk, *arguments: str, stdin: str | bytes = "") -> dict[str, Any]:
    """Return the document of a command that is wrong."""
    ran = desk.orc(*arguments, "--json", stdin=stdin)
    assert ran.code == 2, (arguments, stdin[:80], ran.out, ran.err)
    return dict(json.loads(ran.out))


def test_a_file_that_is_not_understood_adds_nothing_and_says_where_it_is_wrong(desk: Desk) -> None:
    for text, where, what in FILES:
        error = refused(desk, "add", "-f", "-", stdin=text)
        assert what in error["message"], (text[:80], error)
        assert where in (error["where"] or ""), (text[:80], error)
        assert desk.items() == []


def test_the_nearest_key_is_named(desk: Desk) -> None:
    error = refused(desk, "add", "-f", "-", stdin='{"title": "B", "siez": "small"}')
    assert error["fix"] == "did you mean size?"


def test_what_cannot_be_done_is_refused_with_a_reason(desk: Desk) -> None:
    item = desk.add("Thing")
    other = desk.add("Other", "--needs", item)
    before = desk.items()
    for arguments, what in REQUESTS:
        error = refused(desk, *({"ITEM": item, "OTHER": other}.get(a, a) for a in arguments))
        assert error.keys() == {"version", "code", "message", "where", "fix"}, arguments
        assert what in error["message"], (arguments, error)
        assert desk.items() == before, arguments
