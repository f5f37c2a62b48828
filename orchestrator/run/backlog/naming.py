"""Which item of the backlog a person means by the beginning of its id. Blocking."""

from __future__ import annotations

from orchestrator.adapters.git.discover import state_dir
from orchestrator.adapters.git.runner import Git
from orchestrator.run.backlog.kept import kept_items
from orchestrator.store.reading import open_reader
from orchestrator.work.backlog.ids import resolve


def known_ids(git: Git) -> tuple[str, ...]:
    """Return the ids of all items of the backlog, in the order they were added.

    Raises:
      StoreError: when there is a store that cannot be read.
      BacklogFileError: when the store was lost and the copy in git cannot be read.
    """
    with open_reader(state_dir(git.git_dir)) as reader:
        ids = tuple(row.id for row in reader.items()) if reader is not None else ()
    return ids or tuple(item.id for item in kept_items(git))


def item_meant(git: Git, beginning: str) -> str | None:
    """Return the id that begins like this, or whose part after the prefix does.

    Returns None where there is no backlog.

    Raises:
      UnknownItemError: when there is none, or there are several; names some that may be meant.
      StoreError, BacklogFileError: see `known_ids`.
    """
    ids = known_ids(git)
    return resolve(beginning, ids) if ids else None
