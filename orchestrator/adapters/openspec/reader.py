"""Reads changes from the files below ``openspec/changes``. Blocking; worker threads only."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from orchestrator.adapters.spec_file import read_text, unreadable
from orchestrator.errors import SpecError
from orchestrator.work.spec import Change, ChangeSummary, Scenario

from .lines import fenced_lines, split_lines
from .tasks import ParsedTasks, parse_tasks


class OpenSpec:
    """The changes of one spec root: of the checkout, or of any other tree with the same files.

    Attributes:
      root: directory that holds ``openspec/``.
    """

    format = "OpenSpec"

    def __init__(self, root: Path) -> None:
        self.root = root
        self._changes = root / "openspec" / "changes"

    def at(self, root: Path) -> OpenSpec:
        """Return the changes below another root."""
        return OpenSpec(root)

    def item_names(self, change_id: str) -> tuple[str, ...]:
        """Return the change's own name."""
        return (change_id,)

    def changes(self) -> tuple[ChangeSummary, ...]:
        """Return the changes that are not archived, sorted by name.

        Raises:
          SpecError: when the directory of changes cannot be read.
        """
        return tuple(self._summary(name) for name in self._names())

    def read(self, change_id: str) -> Change:
        """Read a change, finished or not, with tasks or without.

        Raises:
          SpecError: when there is no such change, or a file of it is too large or unreadable.
        """
        directory = self._directory(change_id)
        warnings: list[str] = []
        parsed = _read_tasks(directory, warnings)
        return Change(
            id=change_id,
            title=_title(directory, warnings) or change_id,
            root=self.root,
            path=directory,
            tasks_file=_present(directory / "tasks.md"),
            stories=parsed.stories,
            scenarios=_scenarios(directory, warnings),
            proposal=_present(directory / "proposal.md"),
            design=_present(directory / "design.md"),
            warnings=tuple(warnings),
        )

    def require_work(self, change_id: str) -> Change:
        """Read a change that is to be worked on.

        Raises:
          SpecError: also when it has no task file, or one without tasks.
        """
        change = self.read(change_id)
        where = str(self._changes / change_id / "tasks.md")
        fix = 'write tasks as "- [ ] 1.1 What to do" under "## 1. Section"'
        if change.tasks_file is None:
            raise SpecError(f"{change_id} has no tasks.md", where=where, fix=fix)
        if not change.stories:
            raise SpecError(f"the tasks.md of {change_id} holds no task", where=where, fix=fix)
        return change

    def _names(self) -> list[str]:
        if not self._changes.is_dir():
            return []
        try:
            with os.scandir(self._changes) as entries:
                return sorted(
                    entry.name
                    for entry in entries
                    if _is_valid(entry.name) and entry.is_dir(follow_symlinks=False)
                )
        except OSError as error:
            raise unreadable(self._changes, error) from error

    def _directory(self, change_id: str) -> Path:
        names = self._names()
        if change_id in names:
            return self._changes / change_id
        near = difflib.get_close_matches(change_id, names, n=3)
        if not _is_valid(change_id):
            message = f"{change_id!r} cannot be the name of a change"
        else:
            message = f"no change is called {change_id}"
        fix = f"did you mean {' or '.join(near)}? " if near else ""
        fix += f"there are: {', '.join(names)}" if names else "propose a change first"
        raise SpecError(message, where=str(self._changes), fix=fix)

    def _summary(self, name: str) -> ChangeSummary:
        directory = self._changes / name
        try:
            tasks = _read_tasks(directory, []).tasks
            title = _title(directory, []) or name
        except SpecError:
            return ChangeSummary(id=name, title=name, done=0, total=0, status="unreadable")
        done = sum(task.done for task in tasks)
        status = "no-tasks" if not tasks else "complete" if done == len(tasks) else "in-progress"
        return ChangeSummary(id=name, title=title, done=done, total=len(tasks), status=status)


def _is_valid(name: str) -> bool:
    """Tell whether a change may have this name: one printable component, no option, not hidden."""
    return (
        bool(name)
        and name != "archive"
        and name.isprintable()
        and not name.startswith((".", "-"))
        and not set(name) & set("/\\")
    )


def _read_tasks(directory: Path, warnings: list[str]) -> ParsedTasks:
    path = directory / "tasks.md"
    parsed = parse_tasks(read_text(path, warnings))
    warnings += [f"{path.name}: {warning}" for warning in parsed.warnings]
    warnings += [f"{path.name}: section {title!r} has no tasks" for title in parsed.empty_sections]
    return parsed


def _title(directory: Path, warnings: list[str]) -> str:
    """Return the proposal's first top heading; its sections ("Why") are no title."""
    lines = split_lines(read_text(directory / "proposal.md", warnings))
    hidden = fenced_lines(lines)
    for number, line in enumerate(lines):
        if number not in hidden and line.startswith("# "):
            return line[2:].strip().rstrip("#").rstrip()
    return ""


def _scenarios(directory: Path, warnings: list[str]) -> tuple[Scenario, ...]:
    from .scenarios import parse_scenarios

    specs = directory / "specs"
    found: list[Scenario] = []
    for path in sorted(specs.rglob("spec.md")):
        capability = path.parent.relative_to(specs).as_posix()
        found += parse_scenarios(read_text(path, warnings), capability)
    return tuple(found)


def _present(path: Path) -> Path | None:
    return path if path.is_file() else None
