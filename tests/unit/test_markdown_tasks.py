"""Promise: a plain Markdown task list is read as a Markdown parser reads it, never by its looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.markdown.reader import MarkdownFormat, MarkdownTasks
from orchestrator.adapters.markdown.tasks import parse_task_list
from orchestrator.errors import SpecError

SECTIONS = """\
# The plan

- [x] Set things up

## 1. Store

1. [ ] 1.1 Write it,
   on two lines

   More about it.
   - [X] a nested one
   - no task
2) [ ] Another

> - [ ] quoted

```
- [ ] in a fence
## 9. No section
```

    - [ ] in indented code

### Details

* [ ] below a smaller heading

Form
----

+ [ ] Draw it
- [-] dropped

## Notes

Nothing to do.
"""


def test_sections_are_stories_and_only_items_of_lists_are_tasks() -> None:
    found = parse_task_list(SECTIONS)
    assert found.title == "The plan"
    assert [
        (s.id, s.title, [(t.id, t.description, t.done, t.line) for t in s.tasks])
        for s in found.stories
    ] == [
        ("0", "Tasks before the first section", [("1", "Set things up", True, 3)]),
        (
            "1",
            "Store",
            [
                ("1.1", "Write it, on two lines", False, 7),
                ("3", "a nested one", True, 11),
                ("4", "Another", False, 13),
                ("5", "below a smaller heading", False, 26),
            ],
        ),
        ("form", "Form", [("6", "Draw it", False, 31)]),
    ]
    assert found.warnings == ("line 32: '[-]' is neither [ ] nor [x]: it is no task",)


def test_without_sections_each_top_level_task_is_a_story_with_what_is_inside() -> None:
    found = parse_task_list(
        "# TODO\n\n- [ ] Add a login\n  - [ ] form\n    - [x] field\n- Later:\n"
        "  - [ ] 2.1 Log out\n- [ ] Add a login\n"
    )
    assert [(s.id, s.title, [t.description for t in s.tasks]) for s in found.stories] == [
        ("add-a-login", "Add a login", ["Add a login", "form", "field"]),
        ("2.1", "Log out", ["Log out"]),
        ("add-a-login-2", "Add a login", ["Add a login"]),
    ]


def test_a_second_top_heading_ends_the_section_before_it() -> None:
    found = parse_task_list("## 1. One\n- [ ] a\n# Later\n- [ ] b\n## 1. Two\n- [ ] c\n")
    assert [(s.id, len(s.tasks)) for s in found.stories] == [("1", 1), ("later", 1), ("1-2", 1)]
    assert found.warnings == ("line 5: another section is called 1; this one is 1-2",)


def test_many_of_one_name_are_told_apart_in_a_moment() -> None:
    found = parse_task_list("- [ ] x\n" * 5_000)
    assert [story.id for story in found.stories[:3]] == ["x", "x-2", "x-3"]
    assert len({story.id for story in found.stories}) == 5_000


@pytest.mark.parametrize(
    "text",
    ["", "# T\n", "- [ ](link)\n", "- [x][ref]\n", "[ ] no list\n", "- [] x\n", "- [ab] x\n"],
)
def test_what_is_no_task(text: str) -> None:
    assert parse_task_list(text).stories == ()


@given(st.text(alphabet="-*+1.>#`~[]xX \t\n\rab()", max_size=200))
def test_any_text_is_readable(text: str) -> None:
    """Every story has tasks, ids are unique, and every task's line holds its box."""
    found = parse_task_list(text)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert all(story.tasks for story in found.stories)
    assert len({story.id for story in found.stories}) == len(found.stories)
    for story in found.stories:
        for task in story.tasks:
            assert ("[x]" if task.done else "[ ]") in lines[task.line - 1].replace(
                "X", "x"
            ).replace("\t", " ")


def project(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "api" / "docs").mkdir(parents=True)
    (tmp_path / "api" / "pyproject.toml").touch()
    for name in ("TODO.md", "plan.md", "docs/plan.md", "api/docs/plan.md", "README.md"):
        (tmp_path / name).write_text("# T\n- [ ] do\n- [x] did\n")
    return tmp_path


def test_lists_found_without_being_named(tmp_path: Path) -> None:
    top = project(tmp_path)
    found = {}
    for start in (".", "docs", "api"):
        source = MarkdownFormat().nearest(top, top / start, lambda name: [])
        assert source is not None
        found[start] = (source.root, [c.id for c in source.changes()])
    here = (top, ["TODO.md", "plan.md"])
    assert found == {".": here, "docs": (top / "docs", ["plan.md"]), "api": here}
    (summary, _) = MarkdownTasks(top).changes()
    assert (summary.title, summary.done, summary.total, summary.status) == (
        "T",
        1,
        2,
        "in-progress",
    )


@pytest.mark.parametrize(
    ("path", "root", "change"),
    [
        ("docs/plan.md", ".", "docs/plan.md"),
        ("api/docs/plan.md", "api", "docs/plan.md"),
        ("README.md", ".", "README.md"),
    ],
)
def test_root_of_a_named_file_is_the_nearest_project(
    tmp_path: Path, path: str, root: str, change: str
) -> None:
    top = project(tmp_path)
    found = MarkdownFormat().named(top, top / path)
    assert found is not None
    assert (found[0].root, found[1]) == (top / root, change)
    assert MarkdownFormat().named(top, top / "orchestrator.toml") is None


def test_item_is_called_like_the_file_and_then_like_its_path() -> None:
    names = MarkdownTasks(Path()).item_names("docs/My Plan.md")
    assert names == ("my plan", "docs-my plan", "docs/My Plan.md")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope.md", "there is no file"),
        ("../x.md", "no path below"),
        ("/etc/x.md", "no path below"),
        ("link.md", "symbolic link"),
        ("a.txt", "no Markdown file"),
        ("docs", "no Markdown file"),
        ("a\x1b.md", "no path"),
        ("empty.md", "holds no task"),
    ],
)
def test_what_cannot_be_worked_on_is_refused(tmp_path: Path, name: str, said: str) -> None:
    top = project(tmp_path)
    (top / "link.md").symlink_to("TODO.md")
    (top / "empty.md").touch()
    with pytest.raises(SpecError, match=said) as caught:
        MarkdownTasks(top).require_work(name)
    assert caught.value.fix


def test_warnings_name_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "todo.md").write_bytes(b"- [ ] \xff\n- [?] hm\n")
    assert MarkdownTasks(tmp_path).read("todo.md").warnings == (
        "todo.md: line 1: not UTF-8; unreadable characters are replaced",
        "todo.md: line 2: '[?]' is neither [ ] nor [x]: it is no task",
    )
