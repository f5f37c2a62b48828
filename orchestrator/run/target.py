"""What a command is about: the change, where its spec lies, the item. Blocking."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import SpecError
from orchestrator.run.records.opening import Spec
from orchestrator.run.specs import ad_hoc, find_change, find_item
from orchestrator.work.spec import Change, SpecSource


@attrs.frozen(kw_only=True)
class Target:
    """A change to work on.

    Attributes:
      source: where it was read; ``below`` is where its root lies below the checkout, "." for the
        top.
      item: the name that its branch, its records and its workspace go by.
      note: what to tell about the item's name, or None.
      carried: the change's uncommitted files, relative to the checkout (None: deleted).
      left_behind: other uncommitted paths, which stay in the checkout.
    """

    source: SpecSource
    change: Change
    item: str
    note: str | None
    below: str
    carried: dict[bytes, Path | None]
    left_behind: tuple[str, ...]

    def spec(self, checkout: Path) -> Spec:
        """Return what the ledger needs to know of it."""
        return Spec(
            change=self.change.id,
            title=self.change.title,
            root=self.below,
            directory=os.path.relpath(self.change.path, checkout) if self.change.path else "",
            carried=self.carried,
            brief=self.change.brief,
            until=self.change.until,
        )


@attrs.frozen(kw_only=True)
class Wanted:
    """What a person asked for.

    Attributes:
      name: a change, a path or an item; None for the only open change, and with a brief.
      brief: a task in words, or None; ``until`` is a command that must succeed at its end, or "".
    """

    name: str | None = None
    brief: str | None = None
    until: str = ""


def find_target(repo: Repository, start: Path, wanted: Wanted, *, carry: bool = False) -> Target:
    """Find the change to work on.

    Args:
      carry: whether all uncommitted changes come along, not only the change's own.

    Raises:
      SpecError: when the name is unknown, or several changes are open and none is named, or
        the change holds nothing to do, or git ignores it.
    """
    source: SpecSource
    if wanted.brief is None:
        source, change_id = find_change(repo, start, wanted.name)
    else:
        source = ad_hoc(repo, start, wanted.brief, wanted.until)
        change_id = source.id
    change = source.require_work(change_id)
    below = os.path.relpath(source.root, repo.checkout)
    carried, left = _split_changes(repo, change, carry=carry)
    if change.path is not None and not carried and not repo.is_tracked(change.path):
        raise SpecError(
            f"git ignores {change.id}: no workspace can get it",
            where=str(change.path),
            fix="take it out of .gitignore, or git add -f it",
        )
    item, taken = find_item(repo, source, change.id, below)
    return Target(
        source=source,
        change=change,
        item=item,
        note=taken,
        below=below,
        carried=carried,
        left_behind=left,
    )


def _split_changes(
    repo: Repository, change: Change, *, carry: bool
) -> tuple[dict[bytes, Path | None], tuple[str, ...]]:
    """Part the uncommitted paths into what comes along and the rest."""
    own = None
    if change.path is not None:
        own = os.fsencode(os.path.relpath(change.path, repo.checkout))
    checkout = os.fsencode(repo.checkout)
    carried: dict[bytes, Path | None] = {}
    left = []
    for path in repo.changes():
        full = os.path.join(checkout, path)
        belongs = own is not None and (path == own or path.startswith(own + b"/"))
        nested = path.endswith(b"/")  # a git repository inside the checkout
        if (belongs or carry) and not nested:
            carried[path] = Path(os.fsdecode(full)) if os.path.lexists(full) else None
        else:
            left.append(os.fsdecode(path))
    return carried, tuple(left)
