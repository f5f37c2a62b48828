"""The copy of the backlog that lies beside the code, for people and for git. Blocking.

It is the product's own file without what only this machine's store and branches give a meaning to:
see `LEFT_OUT`. What an import keeps of another tool's lines is left out, too; keys that a person
put into a line stay.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import attrs

from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.document import item_from, item_to
from orchestrator.work.backlog.item import Cause, Item, Question, Status
from orchestrator.work.backlog.reconcile import Document
from orchestrator.work.backlog.reconcile import Merged as Merged
from orchestrator.work.backlog.reconcile import merge as merge

from .files import read_bytes, write_bytes
from .own import read_own, write_documents

LEFT_OUT = ("accepts_branch", "based_on", "foreign", "head", "subphases", "visit", "waiting")
"""The fields of an item that its line has nothing of. A claim is in it: people go by that."""

_OPEN = (Status.NEW, Status.SCOPING, Status.READY, Status.IN_PROGRESS)


def mirrored(items: Iterable[Item]) -> dict[str, Document]:
    """Return what the mirror holds of these items."""
    documents: dict[str, Document] = {}
    for item in items:
        document = item_to(item)
        for name in LEFT_OUT:
            document.pop(name, None)
        documents[item.id] = document
    return documents


def restored(document: Document, item: Item | None) -> Item:
    """Return the item that a document of the mirror comes to.

    Where it says of a status what cannot be, the question goes by the status: what is not blocked
    has none, and what is blocked without one is held.

    Args:
      item: as it is now, for what the mirror has nothing of; None for a new one.

    Raises:
      ValueError: when it is no document of an item.
    """
    whole = dict(document)
    if item is not None:
        now = item_to(item)
        whole |= {name: now[name] for name in LEFT_OUT if name in now}
    made = item_from(whole)
    if made.status is Status.BLOCKED and made.question is None:
        since = item.status if item is not None and item.status in _OPEN else Status.NEW
        held = Question(text="blocked in the mirror", cause=Cause.HELD, since=since)
        return attrs.evolve(made, question=held)
    if made.status is not Status.BLOCKED and made.question is not None:
        return attrs.evolve(made, question=None)
    return made


@attrs.frozen
class Mirror:
    """What the file holds: its bytes, and the documents in it."""

    data: bytes
    documents: dict[str, Document]


def parse_mirror(data: bytes, name: str) -> dict[str, Document]:
    """Return the documents in a mirror's bytes.

    Args:
      name: of the file, for errors.

    Raises:
      BacklogFileError: when it is empty, in the middle of a merge, of another version, or a line
        holds no item; names the line.
    """
    if not data.strip():
        # Not even the line that names it: cut short, and no person who removed all the items.
        raise BacklogFileError(
            f"{name} is empty: its items would all be closed",
            where=name,
            fix=f"bring it back: git checkout {name}; or remove it, and it is written anew",
        )
    return mirrored(read_own(data, name))


def read_mirror(path: Path, *, checkout: Path) -> Mirror | None:
    """Return what the mirror holds, None when there is no such file. It is not touched.

    Raises:
      BacklogFileError: as `parse_mirror`; or when it is no file of the checkout, or unreadable.
    """
    real = _within(path, checkout)
    if not os.path.lexists(real):
        return None
    data = read_bytes(real)
    return Mirror(data, parse_mirror(data, path.name))


def write_mirror(
    path: Path, items: Iterable[Item], *, checkout: Path, over: bytes | None
) -> bytes | None:
    """Write the mirror in one step, unless somebody changed it; returns what it holds now.

    A file that holds the right bytes already is not touched; one that is replaced keeps its mode.

    Args:
      checkout: the directory that it has to lie in.
      over: the bytes whose changes were taken over, None for no file. When there is something else
        by now, nothing is written and None returned: what it says has to be taken over first.

    Raises:
      BacklogFileError: when it would lie outside of the checkout or in git's own directory, also
        by a symbolic link; when something else than a file is there; when it cannot be written.
    """
    real = _within(path, checkout)
    data = write_documents(mirrored(items))
    now = read_bytes(real) if os.path.lexists(real) else None
    if now == data:
        return data
    if now != over:
        return None
    write_bytes(real, data, make_directory=True)
    return data


def _within(path: Path, checkout: Path) -> Path:
    """Return where the mirror really lies."""
    top = checkout.resolve()
    try:
        real = path.resolve()
        parts = real.relative_to(top).parts
    except (RuntimeError, ValueError):
        parts = ()
    if not parts or ".git" in parts:
        raise BacklogFileError(
            f"the mirror {path.name} would not be a file of the checkout",
            where=str(path),
            fix="name a path below the checkout, without links that lead out of it",
        )
    return real
