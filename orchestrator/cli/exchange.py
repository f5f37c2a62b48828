"""`import` and `export`: items from another backlog, and for another one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from orchestrator.adapters.backlog.files import write_bytes
from orchestrator.adapters.backlog.golem_toml import import_settings
from orchestrator.adapters.backlog.imported import Imported
from orchestrator.adapters.backlog.own import write_own
from orchestrator.adapters.backlog.reading import ARCHIVE, SETTINGS, STORE, TASKS, read_backlog
from orchestrator.adapters.backlog.task_golem_export import export_task_golem
from orchestrator.adapters.backlog.writing import write_task_files
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.workflows.importing import holds_workflows, import_workflows
from orchestrator.text import one_line
from orchestrator.work.backlog.document import write_line
from orchestrator.work.backlog.item import Item

from .ask import MOST, ask_all, author
from .output import print_json
from .stored import open_stored, settings

_ENVELOPE = 1024
"""Bytes of a call besides its lines."""


def take_over(arguments: argparse.Namespace) -> int:
    """Import the items of a backlog that are not known yet; with any mistake in it, none.

    Of a file of settings, print what it says as `orchestrator.toml` would.
    """
    path = Path(arguments.directory) / arguments.path
    if path.suffix == ".toml":
        return _print_settings(import_settings(path), as_json=arguments.json)
    if holds_workflows(path):
        return _print_settings(import_workflows(path), as_json=arguments.json)
    repo = Repository.open(Path(arguments.directory))
    found = read_backlog(path, prefix=settings(repo, arguments).backlog.prefix)
    if arguments.dry_run:
        with open_stored(repo.state_dir) as stored:
            known = {row.id for row in stored.rows}
        new = [item.id for item in found.items if item.id not in known]
    else:
        by = author(arguments.directory)
        calls = [
            ("backlog.import-items", {"lines": lines, "by": by}) for lines in _portions(found.items)
        ]
        new = [id for ids in ask_all(arguments, calls) for id in ids] if calls else []
    _tell(found, new, _hints(path), arguments)
    return 0


def hand_over(arguments: argparse.Namespace) -> int:
    """Write every item to a file, a directory of task-golem, or standard output."""
    repo = Repository.open(Path(arguments.directory))
    with open_stored(repo.state_dir) as stored:
        items = stored.items()
    if arguments.path is None:
        data = _content(items, arguments)
        if arguments.json:
            print_json({"items": len(items), "content": data.decode()})
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return 0
    written = [str(path) for path in _write(items, arguments)]
    if arguments.json:
        print_json({"items": len(items), "files": written})
    else:
        print(f"wrote {_counted(len(items))} to {', '.join(written)}")
    return 0


def _portions(items: Sequence[Item]) -> Iterator[list[str]]:
    """Yield the items as lines, as many at a time as one call may take."""
    lines: list[str] = []
    size = _ENVELOPE
    for item in items:
        line = write_line(item)
        needed = len(json.dumps(line)) + 2
        if lines and size + needed > MOST:
            yield lines
            lines, size = [], _ENVELOPE
        lines.append(line)
        size += needed
    if lines:
        yield lines


def _hints(path: Path) -> list[str]:
    """Return what else there is to take over."""
    beside = (path if path.is_dir() else path.parent) / SETTINGS
    return [f"{SETTINGS}: see what it says: orc import {beside}"] if beside.is_file() else []


def _tell(
    found: Imported, new: Sequence[str], hints: Sequence[str], arguments: argparse.Namespace
) -> None:
    known = [item.id for item in found.items if item.id not in set(new)]
    notes = [*found.notes, *hints]
    if arguments.json:
        document: dict[str, Any] = {"imported": list(new), "known": known, "notes": notes}
        print_json({**document, "dry_run": arguments.dry_run})
        return
    verb = "would import" if arguments.dry_run else "imported"
    titles = {item.id: item.title for item in found.items}
    for id in new:
        print(f"{verb} {id} — {one_line(titles[id])}")
    if known:
        print(f"known already: {', '.join(known)}")
    for note in notes:
        print(f"note: {one_line(note, 400)}")
    print(f"{verb} {_counted(len(new))}, {len(known)} known already, {len(notes)} notes")


def _print_settings(read: tuple[str, Sequence[str]], *, as_json: bool) -> int:
    """Print the settings of another tool as ours; standard output can become the file."""
    toml, notes = read
    if as_json:
        print_json({"settings": toml, "notes": list(notes)})
        return 0
    print(toml, end="")
    for note in notes:
        print(f"note: {one_line(note, 400)}", file=sys.stderr)
    return 0


def _write(items: Sequence[Item], arguments: argparse.Namespace) -> list[Path]:
    """Write the items where the arguments say; returns the files."""
    path = Path(arguments.directory) / arguments.path
    if arguments.format == "jsonl" or not path.is_dir():
        write_bytes(path, _content(items, arguments))
        return [path]
    place = path if path.name == STORE else path / STORE
    write_task_files(place, items)
    return [place / TASKS, place / ARCHIVE]


def _content(items: Sequence[Item], arguments: argparse.Namespace) -> bytes:
    return write_own(items) if arguments.format == "jsonl" else export_task_golem(items)


def _counted(number: int) -> str:
    return f"{number} item{'' if number == 1 else 's'}"
