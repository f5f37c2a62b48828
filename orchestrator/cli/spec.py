"""`list` and `show`: what there is to do, in the backlog and in the spec."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import NoSpecError, SpecError, UnknownItemError, UsageError
from orchestrator.run.build import choose_build
from orchestrator.run.records.ledger import read_attempts, read_run
from orchestrator.run.specs import find_change, find_item, find_source
from orchestrator.store.reading import open_reader
from orchestrator.text import one_line
from orchestrator.work.backlog.filters import parse_filters
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.needs import unmet
from orchestrator.work.loop import gather_learnings, last_failure
from orchestrator.work.prompt import story_prompt
from orchestrator.work.spec import Change, ChangeSummary, SpecSource, Story

from .item_document import item_document
from .item_page import show_item
from .listing import in_order, print_items, ready, wanted
from .output import coloured, print_json, width
from .stored import open_stored, settings


def list(arguments: argparse.Namespace) -> int:
    """Print the items of the backlog, then every open change with its progress."""
    repo = Repository.open(Path(arguments.directory))
    items, known = _items(repo, arguments)
    narrowed = arguments.ready or bool(arguments.only)
    changes = () if narrowed else _changes(repo, arguments, required=not known)
    if arguments.json:
        documents = [item_document(item, unmet=unmet(known, item)) for item in items]
        print_json({"items": documents, "changes": [attrs.asdict(change) for change in changes]})
        return 0
    if items:
        print_items(items, known)
    elif narrowed:
        print("no such item" if known else "no items: orc add TITLE")
    elif not changes:
        print("no open items, no open changes" if known else "no open changes")
    room = min(32, width() - 14)
    for number, change in enumerate(changes):
        if items and not number:
            print()
        state = coloured("done", "green", sys.stdout) if change.status == "complete" else ""
        print(f"{change.id:<{room}} {change.done}/{change.total} tasks  {state}".rstrip())
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print one item, one change, or the prompt of one story."""
    repo = Repository.open(Path(arguments.directory))
    unknown: UnknownItemError | None = None
    if arguments.prompt is None:
        try:
            show_item(repo, arguments)
            return 0
        except UnknownItemError as error:
            unknown = error
    source, change_id, change = _change(repo, arguments, unknown)
    if arguments.prompt is not None:
        item, _ = find_item(repo, source, change_id, os.path.relpath(source.root, repo.checkout))
        print(_prompt(repo, item, change, arguments.prompt), end="")
    elif arguments.json:
        print_json(change_document(change))
    else:
        _print_change(change)
    return 0


def _items(
    repo: Repository, arguments: argparse.Namespace
) -> tuple[Sequence[Item], dict[str, Item]]:
    """Return the items that were asked for, in their order, and all that there are."""
    filters = parse_filters(arguments.only)
    with open_stored(repo.state_dir) as stored:
        known = {item.id: item for item in stored.items()}
    if arguments.ready:
        could = ready(known, settings(repo, arguments).rules())
        return tuple(filter(filters.matches, could)), known
    return in_order(wanted(known.values(), filters, final=arguments.all)), known


def _change(
    repo: Repository, arguments: argparse.Namespace, unknown: UnknownItemError | None
) -> tuple[SpecSource, str, Change]:
    """Return the change that is named; what is said of it, when there is none, is said of both."""
    try:
        source, change_id = find_change(repo, Path(arguments.directory), arguments.shown)
        return source, change_id, source.read(change_id)
    except SpecError as error:
        if unknown is None:
            raise
        raise UnknownItemError(
            f"{unknown.message}; {error.message}",
            where=unknown.where,
            fix="; ".join(filter(None, (unknown.fix, error.fix))),
        ) from error


def _changes(
    repo: Repository, arguments: argparse.Namespace, *, required: bool
) -> Sequence[ChangeSummary]:
    """Return the changes of the spec; none is no error where there is a backlog."""
    try:
        return find_source(repo, Path(arguments.directory)).changes()
    except NoSpecError:
        if required:
            raise
        return ()


def change_document(change: Change) -> dict[str, Any]:
    """Return the document of ``show --json`` (design §12)."""
    return {
        "id": change.id,
        "title": change.title,
        "stories": [
            {
                "id": story.id,
                "title": story.title,
                "tasks": [
                    {"id": task.id, "description": task.description, "done": task.done}
                    for task in story.tasks
                ],
            }
            for story in change.stories
        ],
        "scenarios": [attrs.asdict(scenario) for scenario in change.scenarios],
    }


def _prompt(repo: Repository, item: str, change: Change, story_id: str) -> str:
    """Return the prompt that the story would get if its run went on now."""
    found: Story | None = next((s for s in change.stories if s.id == story_id), None)
    if found is None:
        ids = ", ".join(story.id for story in change.stories)
        raise UsageError(f"{change.id} has no story {story_id}", fix=f"its stories: {ids}")
    config = load_config(repo.checkout / FILE_NAME, environ=os.environ)
    run, attempts = read_run(repo, item), read_attempts(repo, item)
    current = [attempt for attempt in attempts if run is not None and attempt.run == run.id]
    with open_reader(repo.state_dir) as reader:
        told = reader.pending_guidance(item) if reader is not None else ()
    return story_prompt(
        change,
        found,
        verify=choose_build(config, change.root, repo.checkout).commands,
        previous=last_failure(current, story_id),
        learnings=gather_learnings(attempts),
        guidance=[row.text for row in told],
    )


def _print_change(change: Change) -> None:
    print(f"{change.id}: {one_line(change.title)}")
    for story in change.stories:
        print(f"\n{story.id} {one_line(story.title)}")
        for task in story.tasks:
            print(f"  [{'x' if task.done else ' '}] {task.id} {one_line(task.description)}")
    if change.scenarios:
        print(f"\n{len(change.scenarios)} scenarios")
    for scenario in change.scenarios:
        print(f"  {scenario.capability}: {one_line(scenario.name)} {scenario.operation}".rstrip())
    for warning in change.warnings:
        print(f"warning: {one_line(warning)}")
