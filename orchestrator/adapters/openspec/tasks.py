"""``tasks.md``: sections become stories, checkbox lines become tasks. Pure."""

from __future__ import annotations

import re

import attrs

from orchestrator.work.naming import story_name, task_name, unique
from orchestrator.work.spec import Story, Task

from .lines import fenced_lines, split_lines

_SPACE = r"\t\v\f\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What OpenSpec (JavaScript) takes for white space; Python's ``\\s`` differs from it."""

# The rule of OpenSpec 1.13: any list mark, a box with at most one mark in it, and no link after it
# unless the box is blank. Characters beyond the basic plane are two units there, so never one mark.
# Possessive repeats keep it linear on hostile lines.
_TASK = re.compile(
    rf"[{_SPACE}]*+(?:[-*+]|[0-9]{{1,9}}[.)])[{_SPACE}]*+\["
    rf"(?:[{_SPACE}]*+([^\]{_SPACE}\U00010000-\U0010ffff]?+)[{_SPACE}]*+\](?![(\[])|[{_SPACE}]++\])"
    rf"(.*)",
    re.DOTALL,
)
_SECTION = re.compile(r" {0,3}##[ \t]++(.*)")
_CLOSING_HASHES = re.compile(r"(?:^|[ \t])#+[ \t]*$")


@attrs.frozen(kw_only=True)
class ParsedTasks:
    """What a task file holds.

    Attributes:
      stories: those with tasks, in document order; their ids are unique.
      empty_sections: titles of the sections without tasks; there is nothing to do in them.
      warnings: what was odd but readable, each naming its line.
    """

    stories: tuple[Story, ...]
    empty_sections: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Every task, in document order."""
        return tuple(task for story in self.stories for task in story.tasks)


def parse_tasks(text: str) -> ParsedTasks:
    """Read a task file; any text is readable.

    Tasks are counted by OpenSpec's own line rule, wherever the line stands: a box in a code fence
    counts too, with a warning. A section inside a code fence is no section.
    """
    lines = split_lines(text)
    hidden = fenced_lines(lines)
    sections: list[tuple[str, str, list[Task]]] = [("0", "Tasks before the first section", [])]
    warnings: list[str] = []
    taken: dict[str, int] = {}
    count = 0
    for number, line in enumerate(lines):
        task = _TASK.match(line)
        if task is not None:
            count += 1
            sections[-1][2].append(_task(task, position=count, line=number + 1))
            if number in hidden:
                warnings.append(
                    f"line {number + 1}: a task inside a code fence counts, as in OpenSpec"
                )
        elif number not in hidden and (section := _SECTION.match(line)) is not None:
            if len(sections) == 1 and sections[0][2]:
                taken["0"] = 1
            wanted, title = _section_name(section[1])
            story_id = unique(wanted, taken)
            if story_id != wanted:
                warnings.append(
                    f"line {number + 1}: another section is called {wanted}; this one is {story_id}"
                )
            sections.append((story_id, title, []))
    return ParsedTasks(
        stories=tuple(
            Story(id=story_id, title=title, tasks=tuple(tasks))
            for story_id, title, tasks in sections
            if tasks
        ),
        empty_sections=tuple(title for _, title, tasks in sections[1:] if not tasks),
        warnings=tuple(warnings),
    )


def _task(match: re.Match[str], *, position: int, line: int) -> Task:
    number, description = task_name(match[2])
    done = (match[1] or "") in ("x", "X")
    return Task(id=number or str(position), description=description, done=done, line=line)


def _section_name(heading: str) -> tuple[str, str]:
    return story_name(_CLOSING_HASHES.sub("", heading.rstrip()))
