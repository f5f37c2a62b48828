"""Every run and attempt of a repository: from the store, or from git where there is none. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.discover import state_dir
from orchestrator.adapters.git.refs import RefRecord
from orchestrator.adapters.git.runner import Git
from orchestrator.store.reading import open_reader
from orchestrator.work.states import AttemptState, first_object
from orchestrator.work.trailers import checkpointed_attempt

Document = dict[str, Any]
"""A record as JSON has it, see `orchestrator.work.records`; not checked."""


class History(NamedTuple):
    """What is known here; ``runs`` and ``attempts`` oldest first."""

    runs: tuple[Document, ...]
    attempts: tuple[Document, ...]


def read_history(git: Git, item: str | None = None) -> History:
    """Read the runs and attempts of one item or of all. Blocking; safe beside an engine.

    Raises:
      StoreError: when there is a store that cannot be read.
    """
    with open_reader(state_dir(git.git_dir)) as reader:
        if reader is not None and (runs := reader.runs()):
            found = History(
                tuple(first_object(row.document) for row in runs),
                tuple(first_object(row.document) for row in reader.attempts(item)),
            )
        else:
            found = from_refs(refs.read_refs(git, refs.RUNS, refs.ATTEMPTS))
    return History(_of(item, found.runs), _of(item, found.attempts))


def from_refs(found: Mapping[str, RefRecord]) -> History:
    """Return what refs remember; what is no record of ours is left out.

    Of a verified attempt it is the checkpoint's trailers, of others the record in the message.
    """
    runs = (
        document
        for name, ref in found.items()
        if name.startswith(refs.RUNS) and (document := _document(ref.body))
    )
    attempts = (
        document
        for name, ref in found.items()
        if name.startswith(refs.ATTEMPTS)
        and (document := _document(ref.body) or checkpointed_attempt(ref.trailers, ref.timestamp))
    )
    return History(_sorted(runs), _sorted(attempts))


def from_git(git: Git) -> History:
    """Return all that git remembers: its refs, and the checkpoints on the items' branches."""
    found = refs.read_refs(git, refs.RUNS, refs.ATTEMPTS, refs.BRANCHES)
    runs, attempts = from_refs(found)
    known = {attempt["id"]: attempt for attempt in attempts}
    branches = {refs.branch_ref(run["item"]): run["base"] for run in runs}
    for branch in branches.keys() & found.keys():
        for commit in refs.read_commits(git, branch, without=branches[branch]):
            checkpoint = checkpointed_attempt(commit.trailers, commit.timestamp)
            if checkpoint and _is_open(known.get(checkpoint["id"])):
                known[checkpoint["id"]] = checkpoint
    return History(runs, _sorted(known.values()))


def _is_open(attempt: Document | None) -> bool:
    return attempt is None or attempt["state"] == AttemptState.STARTED.value


def _document(body: str) -> Document | None:
    try:
        found = first_object(body)
    except (ValueError, TypeError):
        return None
    return found if {"id", "item", "state", "at"} <= found.keys() else None


def _sorted(documents: Iterable[Document]) -> tuple[Document, ...]:
    return tuple(sorted(documents, key=_order))


def _order(one: Document) -> tuple[int, str, int]:
    """What begins within one second is told apart by its story, then by its number."""
    return one["at"], one.get("story", ""), one.get("number", 0)


def _of(item: str | None, documents: tuple[Document, ...]) -> tuple[Document, ...]:
    return tuple(one for one in documents if item in (None, one["item"]))
