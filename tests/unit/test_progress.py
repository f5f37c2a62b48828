"""Promise: a story is done only by its own tasks, and only its own tasks change."""

from __future__ import annotations

import attrs

from orchestrator.work.progress import check_others, check_story
from orchestrator.work.spec import Story, Task


def story(id: str, *done: bool) -> Story:
    tasks = tuple(
        Task(id=f"{id}.{n}", description=f"do {n}", done=box, line=n) for n, box in enumerate(done)
    )
    return Story(id=id, title=id, tasks=tasks)


def test_own_boxes_may_be_ticked() -> None:
    before, after = [story("1", False), story("2", False)], [story("1", True), story("2", False)]
    assert check_story(before[0], after) == ()
    assert check_others(before, after, "1") == ()


def test_box_of_another_story_may_not_be_ticked_removed_or_added() -> None:
    before = [story("1", False), story("2", False, True)]
    for other in (story("2", True, True), story("2", False), story("2", False, True, False)):
        assert check_others(before, [story("1", True), other], "1")
    assert check_others(before, [story("1", True), before[1], story("3", False)], "1")
    assert check_others(before, [story("1", True)], "1")


def test_reworded_task_is_a_complaint() -> None:
    reworded = attrs.evolve(story("1", True).tasks[0], description="do less")
    after = [attrs.evolve(story("1"), tasks=(reworded,))]
    assert "was changed" in check_story(story("1", False), after)[0]
