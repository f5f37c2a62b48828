"""Whether a story was done: what the task file says now against what it said before. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .spec import Change, Story, Task


def check_story(before: Story, after: Change | Sequence[Story]) -> tuple[str, ...]:
    """Return what keeps a story from being done; nothing when it is.

    Every task it had when it began must still be there with the same text, and ticked. A task that
    was added must be ticked too, or a worker could keep its story open for ever.

    Args:
      before: the story as the worker was given it.
      after: the stories as they stand now.
    """
    stories = after.stories if isinstance(after, Change) else after
    now = next((story for story in stories if story.id == before.id), None)
    if now is None:
        return (f"story {before.id} ({before.title}) is missing",)
    unmatched = list(now.tasks)
    complaints: dict[int, str] = {}
    lost: list[tuple[int, Task]] = []
    for index, task in enumerate(before.tasks):
        same = [other for other in unmatched if _text(other) == _text(task)]
        if not same:
            lost.append((index, task))
            continue
        unmatched.remove(same[0])
        if not same[0].done:
            complaints[index] = f"task {task.id} is not ticked: {task.description}"
    for index, task in lost:
        changed = next((other for other in unmatched if other.id == task.id), None)
        if changed is None:
            complaints[index] = f"task {task.id} is missing: {task.description}"
        else:
            unmatched.remove(changed)
            complaints[index] = (
                f"task {task.id} was changed: {task.description!r} became {changed.description!r}"
            )
    added = [
        f"task {task.id} was added and is not ticked: {task.description}"
        for task in unmatched
        if not task.done
    ]
    return (*(complaints[index] for index in sorted(complaints)), *added)


def check_others(
    before: Change | Sequence[Story], after: Change | Sequence[Story], story: str
) -> tuple[str, ...]:
    """Return what a worker changed in the tasks of stories that were not its own.

    A box ticked there would count as done without ever being checked, and a new open task there
    could keep a run going for ever.
    """
    was, now = _tasks_but(before, story), _tasks_but(after, story)
    changed = [f"{text!r} was changed or removed" for text in was - now]
    added = [f"{text!r} was changed or added" for text in now - was]
    return tuple(f"a task of another story, {complaint}" for complaint in (*changed, *added))


def _tasks_but(spec: Change | Sequence[Story], story: str) -> Counter[str]:
    stories = spec.stories if isinstance(spec, Change) else spec
    return Counter(
        f"[{'x' if task.done else ' '}] {_text(task)}"
        for other in stories
        if other.id != story
        for task in other.tasks
    )


def _text(task: Task) -> str:
    number = f"{task.id} " if "." in task.id else ""
    return " ".join(f"{number}{task.description}".split())
