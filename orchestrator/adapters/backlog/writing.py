"""Puts an export where task-golem looks for its store. Blocking; worker threads only."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.work.backlog.item import Item

from .files import write_bytes
from .reading import ARCHIVE, TASKS
from .task_golem_export import export_task_files


def write_task_files(directory: Path, items: Iterable[Item]) -> None:
    """Replace ``tasks.jsonl`` and ``archive.jsonl`` in a directory, which is made when missing.

    After a crash in between an item may be in both; the archive counts then, as it always does.

    Raises:
      BacklogFileError: when one of them is no regular file, or cannot be written.
    """
    files = export_task_files(items)
    write_bytes(directory / ARCHIVE, files.archive, make_directory=True)
    write_bytes(directory / TASKS, files.active)
