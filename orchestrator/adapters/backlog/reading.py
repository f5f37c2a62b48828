"""Finds out what kind of backlog lies at a path, and reads it. Blocking; worker threads only."""

from __future__ import annotations

import os
import tomllib
from collections import Counter
from pathlib import Path

from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.document import read_document
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.pipeline import DEFAULT

from . import own, task_golem
from .files import BOM, read_bytes
from .imported import Imported
from .task_golem import read_tasks

STORE, TASKS, ARCHIVE = ".task-golem", "tasks.jsonl", "archive.jsonl"
YAML, INBOX, SETTINGS = "BACKLOG.yaml", "BACKLOG_INBOX.yaml", "phase-golem.toml"

_SUFFIXES = (".yaml", ".yml")


def read_backlog(path: Path, *, prefix: str | None = None) -> Imported:
    """Read a backlog, also one of task-golem or phase-golem.

    Args:
      path: a file of any kind; or a directory that holds one: a project, or its ``.task-golem``.
        Beside ``tasks.jsonl`` the archive is read, beside ``BACKLOG.yaml`` the inbox.
      prefix: what the ids of an inbox's entries begin with; None: what most of the backlog beside
        it do, else ``WRK``.

    Raises:
      BacklogFileError: when there is none, it is not of a version that is known, or cannot be
        read as a whole; names the line. Symbolic links are not followed.
    """
    if path.is_dir():
        return _read_directory(path, prefix)
    if path.suffix in _SUFFIXES:
        return _read_yaml(path, prefix)
    if path.name == TASKS:
        return _read_tasks(path.parent)
    return _read_lines(path)


def _read_directory(path: Path, prefix: str | None) -> Imported:
    places = [path] if path.name == STORE else [path / STORE, path]
    for place in places:
        if os.path.lexists(place / TASKS) or os.path.lexists(place / ARCHIVE):
            found = _read_tasks(place)
            left = path / YAML
            if os.path.lexists(left):
                note = f"{YAML}: lies beside {STORE}; not read: name it to read it"
                return Imported(found.items, (*found.notes, note))
            return found
    named = _backlog_path(path / SETTINGS)
    if os.path.lexists(path / named):
        return _read_yaml(path / named, prefix)
    if os.path.lexists(path / INBOX):
        return _read_yaml(path / INBOX, prefix)
    raise BacklogFileError(
        f"{path} holds no backlog: no {STORE}/{TASKS}, no {named}",
        where=str(path),
        fix="name the file",
    )


def _read_tasks(place: Path) -> Imported:
    """Read ``tasks.jsonl`` and the archive beside it; either may be missing."""
    active, archive = place / TASKS, place / ARCHIVE
    found = read_tasks(read_bytes(active), TASKS) if os.path.lexists(active) else Imported()
    if not os.path.lexists(archive):
        return found
    over = read_tasks(read_bytes(archive), ARCHIVE, archived=True)
    archived = {item.id for item in over.items}
    twice = [item.id for item in found.items if item.id in archived]
    # What is archived is written there first and taken out here after.
    notes = tuple(f"{TASKS}: {id}: it is in {ARCHIVE}, too, which counts" for id in twice)
    kept = tuple(item for item in found.items if item.id not in archived)
    return Imported(kept + over.items, found.notes + over.notes + notes)


def _read_yaml(path: Path, prefix: str | None) -> Imported:
    from . import golem_yaml

    if path.name == INBOX:
        return _read_inbox(path, (), prefix)
    data = read_bytes(path, golem_yaml.LIMIT)
    found = golem_yaml.read_yaml(data, path.name, phases=_phases(path.parent / SETTINGS))
    inbox = path.with_name(INBOX)
    if not os.path.lexists(inbox):
        return found
    try:
        more = _read_inbox(inbox, found.items, prefix)
    except BacklogFileError as error:
        return Imported(found.items, (*found.notes, f"{error.message}; not read"))
    return Imported(found.items + more.items, found.notes + more.notes)


def _read_inbox(path: Path, beside: tuple[Item, ...], prefix: str | None) -> Imported:
    from . import golem_inbox, golem_yaml

    data = read_bytes(path, golem_yaml.LIMIT)
    at = path.stat().st_mtime_ns
    taken = {item.id for item in beside}
    usual = Counter(id.rpartition("-")[0] for id in taken if "-" in id).most_common(1)
    prefix = prefix or (usual[0][0] if usual else "WRK")
    return golem_inbox.read_inbox(data, path.name, prefix=prefix, taken=taken, at=at)


def _read_lines(path: Path) -> Imported:
    """Read a file of lines; its first one tells what kind it is."""
    data = read_bytes(path)
    archived = path.name == ARCHIVE
    try:
        document = read_document(data.removeprefix(BOM).lstrip().partition(b"\n")[0])
    except ValueError:
        document = None
    keys = document.keys() if isinstance(document, dict) else set()
    if archived or task_golem.HEADER in keys or "created_at" in keys:
        return read_tasks(data, path.name, archived=archived)
    return Imported(own.read_own(data, path.name))


def _backlog_path(path: Path) -> str:
    """Return where the settings say that the YAML lies."""
    project = _settings(path).get("project")
    said = project.get("backlog_path") if isinstance(project, dict) else None
    return said if isinstance(said, str) and said else YAML


def _phases(path: Path) -> frozenset[str] | None:
    """Return the phases of the default pipeline, None when nothing says them."""
    pipelines = _settings(path).get("pipelines")
    pipeline = pipelines.get(DEFAULT) if isinstance(pipelines, dict) else None
    if not isinstance(pipeline, dict):
        return None
    pools = [pipeline.get("pre_phases"), pipeline.get("phases")]
    listed = [phase for pool in pools if isinstance(pool, list) for phase in pool]
    return frozenset(str(phase.get("name")) for phase in listed if isinstance(phase, dict))


def _settings(path: Path) -> dict[str, object]:
    """Return the settings beside a backlog; nothing when there are none that can be read."""
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(read_bytes(path, 1 << 20).decode())
    except (BacklogFileError, ValueError, RecursionError):
        return {}
