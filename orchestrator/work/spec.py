"""What a spec adapter reads: changes, stories, tasks and scenarios."""

from __future__ import annotations

from collections.abc import Sequence
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
        files cannot be read, with the reason from ``OpenSpec.read``.
    """

    id: str
    title: str
    done: int
    total: int
    status: str


class SpecSource(Protocol):
    """The port of every spec format. Blocking; called in worker threads."""

    def changes(self) -> Sequence[ChangeSummary]:
        """Return what can be worked on."""

    def read(self, change_id: str, /) -> Change:
        """Read one change.

        Raises:
          SpecError: when there is no such change, or it cannot be read.
        """

    def require_work(self, change_id: str, /) -> Change:
        """Read one change that has tasks.

        Raises:
          SpecError: also when it has none.
        """


@attrs.frozen(kw_only=True)
class Change:
    """A spec that can be worked on.

    Attributes:
      id: its name, unique below its spec root.
      title: a heading for people.
      root: directory that holds ``openspec/``; set-up and verify run there.
      directory: the change's own directory, with its files.
      tasks_file: the file whose boxes are ticked, or None when it is missing.
      warnings: what was odd but readable, each naming file and line.
    """

    id: str
    title: str
    root: Path
    directory: Path
    tasks_file: Path | None
    stories: tuple[Story, ...]
    scenarios: tuple[Scenario, ...]
    proposal: Path | None
    design: Path | None
    warnings: tuple[str, ...] = ()
