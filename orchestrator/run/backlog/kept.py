"""The copy of the backlog that git keeps, for when the store is lost. Blocking."""

from __future__ import annotations

from orchestrator.adapters.backlog.own import read_own
from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.runner import Git
from orchestrator.work.backlog.item import Item

ITEMS, MIRROR = b"items.jsonl", b"mirror.jsonl"
"""What the copy holds: all there is of the items, and what was last written into the mirror."""


def kept_file(git: Git, name: bytes) -> bytes | None:
    """Return one file of the copy, None when there is none."""
    found = refs.read_refs(git, refs.BACKLOG)
    return objects.read_blob(git, found[refs.BACKLOG].oid, name) if found else None


def kept_items(git: Git) -> tuple[Item, ...]:
    """Return the items of the copy.

    Raises:
      BacklogFileError: when it cannot be read: a newer orchestrator may have written it.
    """
    data = kept_file(git, ITEMS)
    return read_own(data, "the copy of the backlog in git") if data is not None else ()
