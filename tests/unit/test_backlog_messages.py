"""Promise: commits, the worklog and folders say in one known form what was done on which item."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.work.backlog.change import Entry
from orchestrator.work.backlog.commit_message import commit_message
from orchestrator.work.backlog.folders import LONGEST, change_folder, idea_file, slug
from orchestrator.work.backlog.item import Item, Status, Waiting
from orchestrator.work.backlog.text import PAGE, clean, is_plain_line, one_line, page, quoted
from orchestrator.work.backlog.worklog import month_file, worklog_entry


def result(phase: str, summary: str = "") -> Waiting:
    return Waiting(phase=phase, summary=summary, attempt="a")


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([result("plan", "draft the plan")], "[W-1][plan] draft the plan\n"),
        ([result("plan")], "[W-1][plan] Phase output\n"),
        ([result("plan", "[W-1][plan]   draft")], "[W-1][plan] draft\n"),
        ([result("plan", "[W-1][plan]")], "[W-1][plan] Phase output\n"),
        ([result("plan", "[W-1][build] draft")], "[W-1][plan] [W-1][build] draft\n"),
        ([result("plan", "[plan] draft")], "[W-1][plan] [plan] draft\n"),
        ([result("plan", "two\nlines\x1b[0m")], "[W-1][plan] two lines[0m\n"),
        ([result("a"), result("b")], "[W-1][a][W-1][b] Phase outputs\n"),
        (
            [result("a", "x"), result("b"), result("c", "[W-1][c] z")],
            "[W-1][a] x | [W-1][c] z\n\n[W-1][a][W-1][b][W-1][c] Phase outputs\n",
        ),
    ],
)
def test_a_commit_says_whose_phases_it_holds(results: list[Waiting], message: str) -> None:
    assert commit_message("W-1", results) == message


def test_no_commit_holds_nothing() -> None:
    with pytest.raises(ValueError, match="at least one"):
        commit_message("W-1", [])


@given(st.lists(st.builds(result, st.sampled_from("ab"), st.text()), min_size=1, max_size=4))
def test_no_summary_adds_a_line_to_a_message(results: list[Waiting]) -> None:
    lines = commit_message("W-1", results).split("\n")
    assert len(lines) in (2, 4)
    assert lines[-1] == ""
    assert lines[0].startswith("[W-1][")
    assert len(lines[0]) < 250 * len(results)


def entry(text: str = "did it", phase: str = "plan", outcome: str = "Complete") -> Entry:
    return Entry(
        item="W-1",
        what="phase",
        before=Status.IN_PROGRESS,
        after=Status.IN_PROGRESS,
        phase=phase,
        outcome=outcome,
        text=text,
    )


def test_the_worklog_tells_of_work_to_the_nanosecond() -> None:
    at = 1_771_468_669_555_364_212
    assert month_file(at) == "2026-02.md"
    assert worklog_entry(entry(), "A thing", at) == (
        "## 2026-02-19T02:37:49.555364212+00:00 — W-1 (A thing)\n\n"
        "- **Phase:** plan\n"
        "- **Outcome:** Complete\n"
        "- **Summary:** did it\n\n---\n\n"
    )


def test_the_worklog_does_not_tell_what_is_no_work() -> None:
    assert worklog_entry(entry(outcome=""), "A thing", 0) == ""


@given(st.text(), st.text(), st.integers(min_value=-(10**25), max_value=10**25))
def test_nothing_that_is_told_looks_like_another_entry(text: str, title: str, at: int) -> None:
    written = worklog_entry(entry(text=text, phase=""), title, at)
    lines = written.split("\n")
    assert len(lines) == 9
    assert lines[2] == "- **Phase:** unknown"
    assert [n for n, line in enumerate(lines) if line.startswith("## ")] == [0]
    assert month_file(at).endswith(".md")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Fix the  Thing!", "fix-the-thing"),
        ("--x--", "x"),
        ("Ünïcode", "n-code"),
        ("日本", "item"),
        ("../../etc/passwd", "etc-passwd"),
        ("a" * 100, "a" * LONGEST),
        ("word " * 40, "word-" * 11 + "word"),
    ],
)
def test_a_title_becomes_a_short_plain_name(title: str, name: str) -> None:
    assert slug(title) == name


@given(st.text())
def test_a_folder_has_no_way_out(title: str) -> None:
    item = Item(id="W-1", title=title)
    for path in (change_folder(item), idea_file(item)):
        folder, _, name = path.partition("/")
        assert folder in ("changes", "_ideas")
        assert name.startswith("W-1_")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-W_.")
        assert ".." not in name
        assert len(name) <= len("W-1_.md") + LONGEST


def test_a_folder_stays_the_item_s_when_its_title_changes() -> None:
    item = Item(id="W-1", title="new title")
    assert change_folder(item, ["W-10_other", "W-1_old-title", "x"]) == "changes/W-1_old-title"
    assert change_folder(item, ["W-10_other"]) == "changes/W-1_new-title"


@given(st.text(), st.integers(min_value=2, max_value=50))
def test_text_is_cut_and_cleaned(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert is_plain_line(line)
    assert line == line.strip()
    assert len(page(text, limit)) <= limit
    assert clean(clean(text)) == clean(text)
    assert all(row.startswith(">") for row in quoted(text).split("\n"))


def test_what_is_short_and_plain_is_left_alone() -> None:
    text = "Grüße an 日本 👩‍👩‍👧\n\tx"
    assert page(text) == text
    assert len(page("x" * PAGE * 2)) == PAGE
