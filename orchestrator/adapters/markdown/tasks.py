"""A Markdown task list: sections, or else top-level tasks, become stories. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from orchestrator.work.naming import story_name, task_name, unique
from orchestrator.work.spec import Story, Task

if TYPE_CHECKING:
    from markdown_it.token import Token

_BOX = re.compile(r"\[([ xX])\](?:\s+(.*)|$)", re.DOTALL)
_ODD_BOX = re.compile(r"\[([^\]\w\s]?)\](?:\s|$)")
_TITLE_LIMIT = 72


@attrs.frozen(kw_only=True)
class TaskList:
    """What a Markdown file holds.

    Attributes:
      title: its first heading of the first level, or "".
      stories: those with tasks, in document order; their ids are unique.
      warnings: what was odd but readable, each naming its line.
    """

    title: str
    stories: tuple[Story, ...]
    warnings: tuple[str, ...]


@attrs.define
class _Section:
    """A heading and its tasks, each with whether it has a number and whether it is nested."""

    heading: str
    line: int
    tasks: list[tuple[Task, bool, bool]] = attrs.field(factory=list)


def parse_task_list(source: str) -> TaskList:
    """Read a task list; any text is readable.

    A task is a list item that begins with ``[ ]`` or ``[x]``, at any depth, but not in a quote or
    in code. A section begins at a heading of the second level and ends at the next of the first or
    second; its tasks are one story, and those before the first section are story ``0``. Without
    such headings each task that is in no other one is a story, with the tasks inside it.
    """
    title = ""
    warnings: list[tuple[int, str]] = []
    sections = [_Section("", 0)]
    count = 0
    for kind, line, content, nested in _parts(_tokens(source)):
        if kind == "h1" and not title:
            title = content
        if kind == "h2" or (kind == "h1" and len(sections) > 1):
            sections.append(_Section(content, line))
        elif kind == "task":
            count += 1
            box = _BOX.match(content)
            assert box is not None
            number, text = task_name(" ".join((box[2] or "").split()))
            task = Task(id=number or str(count), description=text, done=box[1] in "xX", line=line)
            sections[-1].tasks.append((task, bool(number), nested))
        elif kind == "odd":
            warnings.append((line, f"{content!r} is neither [ ] nor [x]: it is no task"))
    split = len(sections) > 1
    stories = tuple(_by_section(sections, warnings) if split else _by_task(sections[0]))
    said = tuple(f"line {line}: {text}" for line, text in sorted(warnings))
    return TaskList(title=title, stories=stories, warnings=said)


def _by_section(sections: Sequence[_Section], warnings: list[tuple[int, str]]) -> Iterator[Story]:
    taken: dict[str, int] = {}
    for section in sections:
        if not section.tasks:
            continue
        wanted, title = ("0", "Tasks before the first section")
        if section.line:
            wanted, title = story_name(section.heading)
        story_id = unique(wanted, taken)
        if story_id != wanted:
            text = f"another section is called {wanted}; this one is {story_id}"
            warnings.append((section.line, text))
        yield Story(id=story_id, title=title, tasks=tuple(task for task, _, _ in section.tasks))


def _by_task(section: _Section) -> Iterator[Story]:
    groups: list[tuple[bool, list[Task]]] = []
    for task, numbered, nested in section.tasks:
        if nested:
            groups[-1][1].append(task)
        else:
            groups.append((numbered, [task]))
    taken: dict[str, int] = {}
    for numbered, tasks in groups:
        title = tasks[0].description[:_TITLE_LIMIT]
        wanted = tasks[0].id if numbered else story_name(title)[0]
        yield Story(id=unique(wanted, taken), title=title or wanted, tasks=tuple(tasks))


def _tokens(text: str) -> Sequence[Token]:
    # Imported late: most commands read no Markdown.
    from markdown_it import MarkdownIt

    # Without inline rules a text block keeps its source, and hostile emphasis costs nothing.
    return MarkdownIt("commonmark").disable("inline").parse(text.removeprefix("\ufeff"))


def _parts(tokens: Sequence[Token]) -> Iterator[tuple[str, int, str, bool]]:
    """Yield headings, tasks and odd boxes: kind, 1-based line, text, whether inside a task."""
    items: list[bool] = []
    quotes = 0
    for index, token in enumerate(tokens):
        if token.type in ("blockquote_open", "blockquote_close"):
            quotes += token.nesting
        elif token.type == "list_item_close":
            items.pop()
        elif token.type == "heading_open" and token.level == 0 and token.tag in ("h1", "h2"):
            yield token.tag, _line(token), tokens[index + 1].content.strip(), False
        elif token.type == "list_item_open":
            first = tokens[index + 1]
            content = tokens[index + 2].content if first.type == "paragraph_open" else ""
            is_task = not quotes and _BOX.match(content) is not None
            if is_task:
                yield "task", _line(first), content, any(items)
            elif not quotes and (odd := _ODD_BOX.match(content)) is not None:
                yield "odd", _line(first), odd[0].strip(), False
            items.append(is_task)


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 0
