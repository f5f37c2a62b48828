"""Reads Markdown task lists from a checkout or a workspace. Blocking; worker threads only."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from orchestrator.adapters.spec_file import read_text, unreadable
from orchestrator.errors import SpecError
from orchestrator.project.place import nearest_project, upwards
from orchestrator.work.spec import Change, ChangeSummary

from .tasks import parse_task_list

_NAMES = ("tasks.md", "todo.md", "plan.md")
_SUFFIXES = (".md", ".markdown")


class MarkdownTasks:
    """The task lists of a project; the id of one is its path below the root.

    Attributes:
      root: the project's directory.
    """

    format = "Markdown"

    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, root: Path) -> MarkdownTasks:
        """Return the task lists below another root."""
        return MarkdownTasks(root)

    def changes(self) -> tuple[ChangeSummary, ...]:
        """Return the root's ``tasks.md``, ``TODO.md`` and ``PLAN.md``, in any case, by name."""
        return tuple(self._summary(name) for name in list_names(self.root))

    def read(self, change_id: str) -> Change:
        """Read a task list, finished or not, with tasks or without.

        Raises:
          SpecError: when there is no such file, or it is too large or unreadable.
        """
        path = self._path(change_id)
        warnings: list[str] = []
        parsed = parse_task_list(read_text(path, warnings))
        warnings += [f"{change_id}: {warning}" for warning in parsed.warnings]
        return Change(
            id=change_id,
            title=parsed.title or path.stem,
            root=self.root,
            path=path,
            tasks_file=path,
            stories=parsed.stories,
            scenarios=(),
            proposal=None,
            design=None,
            warnings=tuple(warnings),
        )

    def require_work(self, change_id: str) -> Change:
        """Read a task list that is to be worked on.

        Raises:
          SpecError: also when it holds no task.
        """
        change = self.read(change_id)
        if not change.stories:
            raise SpecError(
                f"{change_id} holds no task",
                where=str(change.path),
                fix='write tasks as "- [ ] What to do", in sections "## 1. Story" if you like',
            )
        return change

    def item_names(self, change_id: str) -> tuple[str, ...]:
        """Return the file's name without its suffix, then its whole path."""
        path = PurePosixPath(change_id)
        return (path.stem.lower(), "-".join(path.with_suffix("").parts).lower(), change_id)

    def _summary(self, name: str) -> ChangeSummary:
        try:
            change = self.read(name)
        except SpecError:
            return ChangeSummary(id=name, title=name, done=0, total=0, status="unreadable")
        tasks = [task for story in change.stories for task in story.tasks]
        done = sum(task.done for task in tasks)
        status = "no-tasks" if not tasks else "complete" if done == len(tasks) else "in-progress"
        return ChangeSummary(
            id=name, title=change.title, done=done, total=len(tasks), status=status
        )

    def _path(self, change_id: str) -> Path:
        pure = PurePosixPath(change_id)
        path = self.root / pure
        if pure.is_absolute() or ".." in pure.parts or not change_id.isprintable():
            message = f"{change_id!r} is no path below the project"
        elif pure.suffix.lower() not in _SUFFIXES:
            message = f"{change_id} is no Markdown file"
        elif path.is_symlink():
            message = f"{change_id} is a symbolic link, which a worker cannot tick boxes in"
        elif not path.is_file():
            message = f"there is no file {change_id}"
        else:
            return path
        near = difflib.get_close_matches(pure.name, _markdown_files(path.parent), n=3)
        known = near or list_names(self.root)
        fix = f"did you mean {' or '.join(known)}?" if known else "name a Markdown file"
        raise SpecError(message, where=str(self.root), fix=fix)


class MarkdownFormat:
    """Task lists in plain Markdown files."""

    name = "Markdown"
    looks_for = "tasks.md, TODO.md or PLAN.md"

    def nearest(
        self, top: Path, start: Path, tracked: Callable[[str], Sequence[Path]]
    ) -> MarkdownTasks | None:
        """Return the task lists of the nearest directory at or above ``start`` that holds one."""
        for directory in upwards(top, start.resolve()):
            if list_names(directory):
                return MarkdownTasks(directory)
        return None

    def below(self, root: Path) -> MarkdownTasks:
        """Return the task lists below a root."""
        return MarkdownTasks(root)

    def named(self, top: Path, path: Path) -> tuple[MarkdownTasks, str] | None:
        """Return a file's task list; its root is the nearest project's directory, else the top."""
        if path.suffix.lower() not in _SUFFIXES:
            return None
        root = nearest_project(top, path.parent)
        return MarkdownTasks(root), path.relative_to(root).as_posix()


def list_names(directory: Path) -> list[str]:
    """Return the names of the task lists that are found without being named, sorted."""
    return [name for name in _markdown_files(directory) if name.lower() in _NAMES]


def _markdown_files(directory: Path) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name.lower().endswith(_SUFFIXES) and entry.is_file(follow_symlinks=False)
            )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unreadable(directory, error) from error
