"""What a command is about: the spec root, the change, the item. Blocking; worker threads only."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.openspec.reader import OpenSpec
from orchestrator.adapters.openspec.root import find_roots
from orchestrator.errors import SpecError
from orchestrator.work.spec import Change

from .opening import Spec


@attrs.frozen(kw_only=True)
class Target:
    """A change to work on.

    Attributes:
      root: directory that holds ``openspec/``.
      below: where the root lies below the checkout, "." for the top.
      carried: the change's uncommitted files, relative to the checkout (None: deleted).
      left_behind: other uncommitted paths, which stay in the checkout.
    """

    change: Change
    root: Path
    below: str
    carried: dict[bytes, Path | None]
    left_behind: tuple[str, ...]

    def spec(self, checkout: Path) -> Spec:
        """Return what the ledger needs to know of it."""
        return Spec(
            change=self.change.id,
            title=self.change.title,
            root=self.below,
            directory=os.path.relpath(self.change.directory, checkout),
            carried=self.carried,
        )


def spec_root(repo: Repository, start: Path) -> Path:
    """Return the directory that holds the ``openspec/`` to use.

    Raises:
      SpecError: when there is none, or several and none is nearest.
    """
    tracked = repo.tracked_directories("openspec")
    return find_roots(
        repo.checkout, start, (os.path.relpath(path, repo.checkout) for path in tracked)
    )


def find_target(repo: Repository, start: Path, name: str | None) -> Target:
    """Find the change to work on, by its name or because it is the only open one.

    Raises:
      SpecError: when the name is unknown, or several changes are open and none is named, or
        the change holds nothing to do.
    """
    root = spec_root(repo, start)
    spec = OpenSpec(root)
    change = spec.require_work(_named(spec, name) if name is not None else _only_open(spec))
    carried, left = _split_changes(repo, change)
    return Target(
        change=change,
        root=root,
        below=os.path.relpath(root, repo.checkout),
        carried=carried,
        left_behind=left,
    )


def _named(spec: OpenSpec, name: str) -> str:
    """Return the change that is called ``name``, or whose item is."""
    ids = [change.id for change in spec.changes()]
    return name if name in ids else next((i for i in ids if refs.item_slug(i) == name), name)


def _only_open(spec: OpenSpec) -> str:
    changes = [change for change in spec.changes() if change.status != "complete"]
    if len(changes) == 1:
        return changes[0].id
    if not changes:
        raise SpecError(
            "no open change", where=str(spec.root / "openspec/changes"), fix="propose one first"
        )
    rows = "\n".join(f"  {change.id}  {change.done}/{change.total}" for change in changes)
    raise SpecError(f"several changes are open:\n{rows}", fix="name one: orc run CHANGE")


def _split_changes(
    repo: Repository, change: Change
) -> tuple[dict[bytes, Path | None], tuple[str, ...]]:
    """Part the uncommitted paths into the change's own and the rest."""
    prefix = os.fsencode(os.path.relpath(change.directory, repo.checkout)) + b"/"
    checkout = os.fsencode(repo.checkout)
    carried: dict[bytes, Path | None] = {}
    left = []
    for path in repo.changes():
        full = os.path.join(checkout, path)
        if path.startswith(prefix):
            carried[path] = Path(os.fsdecode(full)) if os.path.lexists(full) else None
        else:
            left.append(os.fsdecode(path))
    return carried, tuple(left)
