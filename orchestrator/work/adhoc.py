"""A task given in words: a change with one story of one task, and no file behind it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from pathlib import Path

import attrs

from .spec import Change, ChangeSummary, Story, Task

STORY = "1"
"""The id of the only story."""

BRIEF_LIMIT = 256 * 1024
"""Most characters that a task in words may have."""

_TITLE_LIMIT = 72


@attrs.frozen
class AdHoc:
    """The only change of a source that holds what a person asked for in words.

    Attributes:
      root: set-up and verify run there.
      id: of the change; ``brief``: what is asked for.
      until: a command that must succeed at the end, or "".
    """

    format = "prompt"

    root: Path
    id: str
    brief: str
    until: str = ""

    def at(self, root: Path) -> AdHoc:
        """Return the same task below another root."""
        return attrs.evolve(self, root=root)

    def changes(self) -> tuple[ChangeSummary, ...]:
        """Return the task as the one change that there is."""
        title = brief_title(self.brief)
        return (ChangeSummary(id=self.id, title=title, done=0, total=1, status="in-progress"),)

    def read(self, change_id: str) -> Change:
        """Return the task as a change, whatever it is called."""
        title = brief_title(self.brief)
        task = Task(id="1", description=title, done=False, line=1)
        return Change(
            id=self.id,
            title=title,
            root=self.root,
            path=None,
            tasks_file=None,
            stories=(Story(id=STORY, title=title, tasks=(task,)),),
            scenarios=(),
            proposal=None,
            design=None,
            brief=self.brief,
            until=self.until,
        )

    def require_work(self, change_id: str) -> Change:
        """Return the task as a change: it always has one to do."""
        return self.read(change_id)

    def item_names(self, change_id: str) -> tuple[str, ...]:
        """Return the id, which is made of the words."""
        return (self.id,)


def with_done(change: Change, stories: Container[str]) -> Change:
    """Return an ad-hoc task as it stands: its tasks are done when its story has a checkpoint."""
    return attrs.evolve(
        change,
        stories=tuple(
            attrs.evolve(
                story,
                tasks=tuple(attrs.evolve(task, done=story.id in stories) for task in story.tasks),
            )
            for story in change.stories
        ),
    )


def brief_title(brief: str) -> str:
    """Return the first line of a task in words that says something, without Markdown's marks."""
    lines = (re.sub(r"^[#>*\-\s]+", "", line).strip() for line in brief.splitlines())
    title = next((line for line in lines if line), "") or "Ad-hoc task"
    return title if len(title) <= _TITLE_LIMIT else title[: _TITLE_LIMIT - 1].rstrip() + "…"


def brief_slug(brief: str) -> str:
    """Return the first words of the task, fit for the name of a branch."""
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", brief_title(brief).lower())
        if not unicodedata.combining(letter)
    )
    words = re.sub(r"[^a-z0-9]+", " ", plain).split()
    slug = ""
    for word in words:
        if len(slug) + len(word) > 30:
            break
        slug = f"{slug}-{word}" if slug else word
    return slug or "task"
