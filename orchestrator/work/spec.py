"""What a spec adapter reads: changes, stories, tasks and scenarios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import attrs


@attrs.frozen(kw_only=True)
class Task:
    """One checkbox line.

    Attributes:
      id: its leading number ("1.2"), or its position in the file when it has none.
      description: the text after the number.
      done: whether the box is ticked.
      line: 1-based line number in the task file.
    """

    id: str
    description: str
    done: bool
    line: int


@attrs.frozen(kw_only=True)
class Story:
    """A section of tasks that one worker does in one go."""

    id: str
    title: str
    tasks: tuple[Task, ...]

    @property
    def is_complete(self) -> bool:
        """True when there is at least one task and every task is ticked."""
        return bool(self.tasks) and all(task.done for task in self.tasks)


@attrs.frozen(kw_only=True)
class Scenario:
    """A GIVEN/WHEN/THEN example of one requirement.

    Attributes:
      operation: "ADDED", "MODIFIED", "REMOVED" or "RENAMED"; "" outside a delta.
    """

    name: str
    capability: str
    requirement: str
    operation: str
    given: tuple[str, ...]
    when: tuple[str, ...]
    then: tuple[str, ...]


@attrs.frozen(kw_only=True)
class ChangeSummary:
    """One row of a list of changes.

    Attributes:
      status: "no-tasks", "in-progress" or "complete", as OpenSpec says it; "unreadable" when its
        files cannot be read, with the reason from ``read``.
    """

    id: str
    title: str
    done: int
    total: int
    status: str


class SpecSource(Protocol):
    """The changes below one root, of one format. Blocking; called in worker threads.

    Attributes:
      format: its name for people.
      root: set-up and verify run there.
    """

    @property
    def format(self) -> str: ...

    @property
    def root(self) -> Path: ...

    def at(self, root: Path, /) -> SpecSource:
        """Return the source of the same format below another root: of a workspace."""
        ...

    def changes(self) -> Sequence[ChangeSummary]:
        """Return what can be worked on."""
        ...

    def read(self, change_id: str, /) -> Change:
        """Read one change.

        Raises:
          SpecError: when there is no such change, or it cannot be read.
        """
        ...

    def require_work(self, change_id: str, /) -> Change:
        """Read one change that has tasks.

        Raises:
          SpecError: also when it has none.
        """
        ...

    def item_names(self, change_id: str, /) -> Sequence[str]:
        """Return what its item may be called, the best name first; each is one of a kind here."""
        ...


class SpecFormat(Protocol):
    """One way to write a spec, and how it is found in a checkout. Blocking.

    Attributes:
      name: for people; ``looks_for``: what it is found by, for the message that there is none.
    """

    @property
    def name(self) -> str: ...

    @property
    def looks_for(self) -> str: ...

    def nearest(
        self, top: Path, start: Path, tracked: Callable[[str], Sequence[Path]], /
    ) -> SpecSource | None:
        """Return the source that is meant in a directory when nobody names one.

        Args:
          top: top of the checkout; ``start``: where the search begins.
          tracked: returns every tracked directory of a name.

        Raises:
          SpecError: when there are several and none is nearest.
        """
        ...

    def below(self, root: Path, /) -> SpecSource:
        """Return the source of this format below a root."""
        ...

    def named(self, top: Path, path: Path, /) -> tuple[SpecSource, str] | None:
        """Return the source and the id of the change that lies at a path, if it is one."""
        ...


@attrs.frozen(kw_only=True)
class Change:
    """A spec that can be worked on.

    Attributes:
      id: its name, unique below its spec root.
      title: a heading for people.
      root: set-up and verify run there.
      path: its own directory, or its one file; None when it is in no file.
      tasks_file: the file whose boxes are ticked, or None when it is missing.
      brief: what to do, in words, for a change without files; ``until`` is a command that must
        succeed at its end, or "".
      warnings: what was odd but readable, each naming file and line.
    """

    id: str
    title: str
    root: Path
    path: Path | None
    tasks_file: Path | None
    stories: tuple[Story, ...]
    scenarios: tuple[Scenario, ...]
    proposal: Path | None
    design: Path | None
    brief: str = ""
    until: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def done(self) -> int:
        """How many stories are complete."""
        return sum(story.is_complete for story in self.stories)
