"""What a person, or a script, asks of the backlog; each is one durable change of its items.

They can be written as text or JSON: the command line, the control socket and Python call the same.
``by`` says who asks, "" for nobody in particular. An ``item`` may be a unique beginning of an id.
"""

from __future__ import annotations

from typing import Literal

import attrs

from orchestrator.messages import Command
from orchestrator.work.backlog.item import Level, Size, Status


@attrs.frozen(kw_only=True)
class Addition:
    """An item that is to be added; see `orchestrator.work.backlog.editing.NewItem`.

    Attributes:
      description: free text; lines that begin with "Problem:" and the like begin a part of it.
      needs, parent: ids, their unique beginnings, or keys of earlier items of the same call.
    """

    title: str
    description: str = ""
    size: Size | None = None
    complexity: Level | None = None
    risk: Level | None = None
    impact: Level | None = None
    pipeline: str | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    parent: str | None = None
    needs_review: bool = False
    key: str = ""


@attrs.frozen(kw_only=True)
class AddItems(Command[tuple[str, ...]]):
    """Add items, all or none; returns their ids in that order."""

    items: tuple[Addition, ...] = attrs.field(validator=attrs.validators.min_len(1))
    by: str = ""


@attrs.frozen(kw_only=True)
class EditItem(Command[str]):
    """Change what is known of an item; what is left out stays. Returns its id.

    Attributes:
      needs, tags: take the place of all there were.
      parent, pipeline: "" for none, and for the default one.
    """

    item: str
    title: str | None = None
    description: str | None = None
    size: Size | None = None
    complexity: Level | None = None
    risk: Level | None = None
    impact: Level | None = None
    pipeline: str | None = None
    priority: int | None = None
    tags: tuple[str, ...] | None = None
    needs: tuple[str, ...] | None = None
    parent: str | None = None
    needs_review: bool | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class MoveItem(Command[str]):
    """Bring an item to a phase, or one step on; returns its id. See `moves.move`."""

    item: str
    to: str | None = None
    force: bool = False
    reason: str = ""
    approved_by: str = ""
    by: str = ""


@attrs.frozen(kw_only=True)
class AnswerItem(Command[str]):
    """Answer what an item waits for: in words, or with yes or no; returns its id."""

    item: str
    text: str = ""
    verdict: Literal["yes", "no"] | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class RetryItem(Command[str]):
    """Let an item try again what stopped it; returns its id."""

    item: str
    by: str = ""


@attrs.frozen(kw_only=True)
class HoldItem(Command[str]):
    """Let an item wait until a person lets it go on; returns its id."""

    item: str
    reason: str
    by: str = ""


@attrs.frozen(kw_only=True)
class CloseItem(Command[str]):
    """End an item without its being done; returns its id.

    Attributes:
      duplicate_of: the item that what this one says goes into.
    """

    item: str
    reason: str = ""
    duplicate_of: str | None = None
    by: str = ""


@attrs.frozen(kw_only=True)
class CompleteItem(Command[str]):
    """Let an item be done, because a person did the rest of it; returns its id."""

    item: str
    summary: str
    by: str = ""


@attrs.frozen(kw_only=True)
class ClaimItem(Command[str]):
    """Keep the scheduler off an item, or give it back; returns its id."""

    item: str
    by: str
    release: bool = False


@attrs.frozen(kw_only=True)
class ItemAnswer:
    """An item as a list shows it; ``branch`` is "" when runs work on it."""

    id: str
    title: str
    status: str
    phase: str
    pipeline: str
    priority: int
    branch: str
    waits: str


@attrs.frozen(kw_only=True)
class ItemsAnswer:
    """Items; ``left_out``: how many there are besides."""

    message: str
    items: tuple[ItemAnswer, ...]
    left_out: int


@attrs.frozen(kw_only=True)
class ListItems(Command[ItemsAnswer]):
    """List the items of the backlog, those that are over only when asked for.

    Attributes:
      status: only those of this status.
      all: also those that are done or closed.
      limit: how many at most.
    """

    status: Status | None = None
    all: bool = False
    limit: int = attrs.field(
        default=100, validator=[attrs.validators.ge(1), attrs.validators.le(1000)]
    )


@attrs.frozen(kw_only=True)
class ImportItems(Command[tuple[str, ...]]):
    """Take over items as they are; returns the ids of those that were not known yet.

    Attributes:
      lines: one document each, see `orchestrator.work.backlog.document`.
    """

    lines: tuple[str, ...]
    by: str = ""
