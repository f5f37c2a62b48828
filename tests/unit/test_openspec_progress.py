"""A story is done when each of its tasks is still there, unchanged, and ticked."""

from __future__ import annotations

import pytest

from orchestrator.adapters.openspec.tasks import parse_tasks
from orchestrator.work.progress import check_story

BEFORE = "## 1. A\n- [ ] 1.1 one\n- [ ] two\n- [x] 1.3 three\n"
DONE = BEFORE.replace("[ ]", "[x]")


@pytest.mark.parametrize(
    ("after", "complaints"),
    [
        (DONE, ()),
        ("## 0. New\n- [ ] z\n" + DONE, ()),
        (DONE + "- [x] more\n", ()),
        (DONE.replace("[x] two", "[ ] two"), ("task 2 is not ticked: two",)),
        (DONE.replace("- [x] 1.1 one\n", ""), ("task 1.1 is missing: one",)),
        (DONE.replace("one", "none"), ("task 1.1 was changed: 'one' became 'none'",)),
        (DONE + "- [ ] more\n", ("task 4 was added and is not ticked: more",)),
        (
            DONE.replace("three", "three\n- [x] two").replace("[x] 1.3", "[ ] 1.3"),
            ("task 1.3 is not ticked: three",),
        ),
        ("", ("story 1 (A) is missing",)),
    ],
)
def test_complaints_name_each_task(after: str, complaints: tuple[str, ...]) -> None:
    (story,) = parse_tasks(BEFORE).stories

    assert check_story(story, parse_tasks(after).stories) == complaints


def test_of_two_tasks_with_one_text_both_must_be_ticked() -> None:
    (story,) = parse_tasks("## 1. A\n- [ ] t\n- [ ] t").stories

    assert check_story(story, parse_tasks("## 1. A\n- [x] t\n- [ ] t").stories)
