"""Reads ``BACKLOG_INBOX.yaml`` of phase-golem: wishes without ids, each a new item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

import attrs

from orchestrator.work.backlog.description import parse_description
from orchestrator.work.backlog.ids import LENGTH, RANDOM, make_id
from orchestrator.work.backlog.item import UNDESCRIBED, Item
from orchestrator.work.backlog.text import one_line

from . import golem, yaml_values
from .files import wrong_line
from .golem_yaml import FOREIGN
from .imported import Imported, Values

ORIGIN = "inbox"
_KEYS = {"title", "description", "size", "risk", "impact", "pipeline_type", "dependencies"}


def read_inbox(
    data: bytes, name: str, *, prefix: str, taken: Collection[str] = (), at: int = 0
) -> Imported:
    """Read an inbox.

    An entry's id is made of what it says, so that reading it again gives the same item.

    Args:
      name: of the file, for notes and errors.
      prefix: what the ids begin with.
      taken: ids that are not given again.
      at: when the items came to be, in Unix nanoseconds.

    Raises:
      BacklogFileError: when it is no list of mappings; names the line.
    """
    top = yaml_values.parse(data, name)
    listed = yaml_values.entries(top) if top is not None else iter(())
    if listed is None:
        raise wrong_line(name, 1, "an inbox is a list of entries")
    items: dict[str, Item] = {}
    notes: list[str] = []
    for node in listed:
        line = yaml_values.line_of(node)
        document = yaml_values.plain(node, name)
        if not isinstance(document, dict):
            raise wrong_line(name, line, "an entry is a mapping")
        values = Values(f"{name}: line {line}", document, notes)
        title = document.get("title")
        if not isinstance(title, str) or not title.strip():
            values.note(f"no title; left out: {one_line(repr(document), 120)}")
            continue
        id = _id(document, prefix, {*taken, *items})
        items[id] = _item(id, values, at)
    return Imported(tuple(items.values()), tuple(notes))


def _item(id: str, values: Values, at: int) -> Item:
    before = len(values.notes)
    text = values.text("description") or ""
    for key, value in values.held.items():
        if key not in _KEYS:
            values.note(f"{key}: {one_line(repr(value), 60)}: unknown; kept as it is")
    item = Item(
        id=id,
        title=values.held["title"].strip(),
        description=parse_description(text) if text.strip() else UNDESCRIBED,
        needs=values.texts("dependencies"),
        pipeline=values.text("pipeline_type") or None,
        ratings=golem.assessments(values),
        origin=ORIGIN,
        created=at,
        updated=at,
    )
    is_all = len(values.notes) == before
    return item if is_all else attrs.evolve(item, foreign={FOREIGN: dict(values.held)})


def _id(document: dict[str, Any], prefix: str, taken: Collection[str]) -> str:
    said = json.dumps(document, sort_keys=True).encode()
    digest = hashlib.shake_256(said).digest(RANDOM * LENGTH)
    return make_id(prefix, digest, lambda id: id in taken)
