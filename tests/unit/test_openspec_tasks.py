"""Task files: every line OpenSpec counts is a task, every section with tasks a story."""

from __future__ import annotations

import re

import attrs
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.openspec.tasks import parse_tasks

# OpenSpec's rule as it is written there, for text in which both languages agree on white space.
REFERENCE = re.compile(
    r"^\s*(?:[-*+]|\d{1,9}[.)])\s*\[(?:\s*([^\]\s]?)\s*\](?![(\[])|\s+\])\s*(.*)", re.ASCII
)
PIECES = st.sampled_from(
    [
        "- [ ] 1.1 a",
        "* [x] b",
        "- [~] c",
        "1. [X] d",
        "- [a](b)",
        "- [ ](b)",
        "## 1. One",
        "## Two",
        "```",
        "~~~",
        "    - [ ] deep",
        "\t+ []",
        "text",
        "",
        "- [x]",
        "## ",
        "\r",
        " ",
        "- [ x ]y",
    ]
)


@given(st.text())
def test_any_text_is_readable(text: str) -> None:
    parsed = parse_tasks(text)

    assert all(story.tasks for story in parsed.stories)
    assert len({story.id for story in parsed.stories}) == len(parsed.stories)


@given(st.lists(PIECES).map("\n".join) | st.text(alphabet="-*+[]() \t\r\nxX1.~#`a"))
def test_counts_are_those_of_openspecs_rule(text: str) -> None:
    matches = [found for line in text.split("\n") if (found := REFERENCE.match(line))]

    tasks = parse_tasks(text).tasks

    assert [task.done for task in tasks] == [(m[1] or "").lower() == "x" for m in matches]


@given(st.lists(PIECES), st.data())
def test_ticking_a_box_changes_only_done(lines: list[str], data: st.DataObject) -> None:
    boxes = [n for n, line in enumerate(lines) if "[ ]" in line and "](" not in line]
    if not boxes:
        return
    ticked = data.draw(st.sampled_from(boxes))
    before = parse_tasks("\n".join(lines)).stories

    lines[ticked] = lines[ticked].replace("[ ]", "[x]", 1)
    after = parse_tasks("\n".join(lines)).stories

    assert after == tuple(
        attrs.evolve(
            story,
            tasks=tuple(
                attrs.evolve(task, done=True) if task.line == ticked + 1 else task
                for task in story.tasks
            ),
        )
        for story in before
    )


def test_stories_tasks_and_lines() -> None:
    parsed = parse_tasks(
        "\ufeff- [ ] before\r\n## 2. Second ##\r\n\r\n"
        "- [x] 2.1 First\r\n* [ ] plain\r\n## Notes\r\n"
    )

    assert [(story.id, story.title) for story in parsed.stories] == [
        ("0", "Tasks before the first section"),
        ("2", "Second"),
    ]
    assert [(t.id, t.description, t.done, t.line) for t in parsed.tasks] == [
        ("1", "before", False, 1),
        ("2.1", "First", True, 4),
        ("3", "plain", False, 5),
    ]
    assert parsed.empty_sections == ("Notes",)


def test_a_section_without_number_is_called_by_its_slug() -> None:
    assert [s.id for s in parse_tasks("## Add é & tests!\n- [ ] a").stories] == ["add-é-tests"]


def test_a_repeated_id_gets_a_suffix_and_a_warning() -> None:
    parsed = parse_tasks("- [ ] z\n## 0. A\n- [ ] a\n## 1. B\n- [ ] b\n## 1. C\n- [ ] c")

    assert [story.id for story in parsed.stories] == ["0", "0-2", "1", "1-2"]
    assert [warning.partition(":")[0] for warning in parsed.warnings] == ["line 2", "line 6"]


def test_in_a_fence_boxes_count_and_sections_do_not() -> None:
    parsed = parse_tasks("## 1. A\n```\n## 9. Not\n- [ ] shown\n```\n- [ ] real")

    assert [(story.id, len(story.tasks)) for story in parsed.stories] == [("1", 2)]
    assert len(parsed.warnings) == 1
    assert parsed.warnings[0].startswith("line 4:")


def test_a_fence_that_never_closes_hides_no_section() -> None:
    parsed = parse_tasks("```\n## 1. A\n- [ ] a\n## 2. B\n- [ ] b")

    assert [story.id for story in parsed.stories] == ["1", "2"]


def test_hostile_lines_take_linear_time() -> None:
    text = "- [" + " " * 1_000_000 + "\n" + " " * 1_000_000 + "!"

    assert parse_tasks(text).tasks == ()
