"""What the commands of a person do to the backlog: a decision of the domain, made durable."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from functools import partial

import attrs

from orchestrator.context import Context
from orchestrator.errors import IllegalStepError, UsageError
from orchestrator.plugin import Plugin
from orchestrator.run.backlog.book import Book, Decide
from orchestrator.run.backlog.commands import (
    AddItems,
    Addition,
    AnswerItem,
    ClaimItem,
    CloseItem,
    CompleteItem,
    EditItem,
    HoldItem,
    ImportItems,
    ItemAnswer,
    ItemsAnswer,
    ListItems,
    MoveItem,
    RetryItem,
)
from orchestrator.run.backlog.phases import CommitWaiting
from orchestrator.work.backlog import moves
from orchestrator.work.backlog.change import Change, View
from orchestrator.work.backlog.document import read_line
from orchestrator.work.backlog.editing import Edits, NewItem
from orchestrator.work.backlog.ids import RANDOM, make_id
from orchestrator.work.backlog.importing import import_items
from orchestrator.work.backlog.item import UNRATED, Assessments, Item
from orchestrator.work.backlog.rules import Rules

plugin = Plugin("backlog")
_DEADLINE = 120.0


@plugin.handles(AddItems, name="add-items", deadline=_DEADLINE)
async def add_items(command: AddItems, context: Context) -> tuple[str, ...]:
    """Handle `AddItems`."""
    book = context.service(Book)
    keys = {addition.key for addition in command.items}
    new = [_new(addition, lambda id: _meant(context, id, keys)) for addition in command.items]
    mint = minting(book)

    def decide(view: View, now: int) -> Change:
        return moves.add_all(view, book.rules, new, mint=mint, now=now, by=command.by)

    change = await _apply(context, decide)
    return tuple(entry.item for entry in change.entries if entry.what == "added")


@plugin.handles(EditItem, name="edit-item", deadline=_DEADLINE)
async def edit_item(command: EditItem, context: Context) -> str:
    """Handle `EditItem`."""
    ratings = _ratings(command)
    edits = Edits(
        title=command.title,
        description=command.description,
        ratings=None if ratings == UNRATED else ratings,
        pipeline=command.pipeline,
        priority=command.priority,
        tags=command.tags,
        needs=command.needs if command.needs is None else _found(context, command.needs),
        parent=_found(context, (command.parent,))[0] if command.parent else command.parent,
        needs_review=command.needs_review,
    )
    rules = context.service(Book).rules
    return await _one(
        context, command.item, lambda view, id, now: moves.edit(
            view, rules, id, edits, now=now, by=command.by
        )
    )  # fmt: skip


@plugin.handles(MoveItem, name="move-item", deadline=_DEADLINE)
async def move_item(command: MoveItem, context: Context) -> str:
    """Handle `MoveItem`."""
    move = partial(
        moves.move,
        to=command.to,
        force=command.force,
        reason=command.reason,
        approved_by=command.approved_by,
        by=command.by,
    )
    rules = context.service(Book).rules
    return await _one(context, command.item, lambda view, id, now: move(view, rules, id, now=now))


@plugin.handles(AnswerItem, name="answer-item", deadline=_DEADLINE)
async def answer_item(command: AnswerItem, context: Context) -> str:
    """Handle `AnswerItem`."""
    verdict = None if command.verdict is None else command.verdict == "yes"
    answer = partial(moves.answer, text=command.text, verdict=verdict, by=command.by)
    rules = context.service(Book).rules
    return await _one(context, command.item, lambda view, id, now: answer(view, rules, id, now=now))


@plugin.handles(RetryItem, name="retry-item", deadline=_DEADLINE)
async def retry_item(command: RetryItem, context: Context) -> str:
    """Handle `RetryItem`."""
    rules = context.service(Book).rules
    return await _one(
        context,
        command.item,
        lambda view, id, now: moves.retry(view, rules, id, now=now, by=command.by),
    )


@plugin.handles(HoldItem, name="hold-item", deadline=_DEADLINE)
async def hold_item(command: HoldItem, context: Context) -> str:
    """Handle `HoldItem`."""
    return await _one(
        context,
        command.item,
        lambda view, id, now: moves.hold(view, id, command.reason, now=now, by=command.by),
    )


@plugin.handles(CloseItem, name="close-item", deadline=_DEADLINE)
async def close_item(command: CloseItem, context: Context) -> str:
    """Handle `CloseItem`."""
    twin = command.duplicate_of
    close = partial(
        moves.close,
        reason=command.reason,
        duplicate_of=_found(context, (twin,))[0] if twin else None,
        by=command.by,
    )
    return await _one(context, command.item, lambda view, id, now: close(view, id, now=now))


@plugin.handles(CompleteItem, name="complete-item", deadline=_DEADLINE)
async def complete_item(command: CompleteItem, context: Context) -> str:
    """Handle `CompleteItem`."""
    rules = context.service(Book).rules

    def complete(view: View, id: str, now: int) -> Change:
        _require_last_phase(view.get(id), rules)
        return moves.complete(view, id, command.summary, now=now, by=command.by)

    id = await _one(context, command.item, complete)
    await context.call(CommitWaiting(item=id))
    return id


@plugin.handles(ClaimItem, name="claim-item", deadline=_DEADLINE)
async def claim_item(command: ClaimItem, context: Context) -> str:
    """Handle `ClaimItem`."""

    def decide(view: View, id: str, now: int) -> Change:
        if command.release:
            return moves.unclaim(view, id, now=now, by=command.by)
        return moves.claim(view, id, command.by, now=now)

    return await _one(context, command.item, decide)


@plugin.handles(ListItems, name="list-items", reads=True)
def list_items(command: ListItems, context: Context) -> ItemsAnswer:
    """Handle `ListItems`."""
    found = [
        item
        for item in context.service(Book).backlog.items()
        if (command.all or command.status is not None or not item.status.is_final)
        and command.status in (None, item.status)
    ]
    shown = tuple(
        ItemAnswer(
            id=item.id,
            title=item.title,
            status=item.status.value,
            phase=item.phase or "",
            pipeline=item.pipeline or "",
            priority=item.priority,
            branch=item.track.branch if item.track is not None else "",
            waits=item.question.text if item.question is not None else "",
        )
        for item in found[: command.limit]
    )
    left = len(found) - len(shown)
    lines = [f"{each.id}  {each.status}  {each.phase}  {each.title}" for each in shown]
    lines += [f"and {left} more"] if left else []
    return ItemsAnswer(message="\n".join(lines) or "no items", items=shown, left_out=left)


@plugin.handles(ImportItems, name="import-items", deadline=_DEADLINE)
async def import_all(command: ImportItems, context: Context) -> tuple[str, ...]:
    """Handle `ImportItems`."""
    items = []
    for number, line in enumerate(command.lines, start=1):
        try:
            items.append(read_line(line))
        except ValueError as error:
            raise UsageError(f"item {number} cannot be imported: {error}") from error
    change = await _apply(context, lambda view, _: import_items(view, items, by=command.by))
    return tuple(item.id for item in change.items)


def _require_last_phase(item: Item | None, rules: Rules) -> None:
    """Refuse to end a branch by hand before it went through its phases.

    Raises:
      IllegalStepError: says where it is.
    """
    if item is None or item.track is None or item.status.is_final:
        return
    pipeline = rules.pipeline(item.pipeline)
    last = pipeline.phases[-1].name if pipeline is not None else item.phase
    if item.phase != last:
        raise IllegalStepError(
            f"{item.id} is the branch {item.track.branch}, which is in {item.phase}; it is done "
            f"after {last}",
            where=item.id,
            fix=f'orc move {item.id}; or give it up: orc close {item.id} --reason "…"',
        )


def minting(book: Book) -> Callable[[], str]:
    """Return what makes ids that are probably new."""
    return lambda: make_id(
        book.rules.prefix, secrets.token_bytes(RANDOM), lambda id: book.get(id) is not None
    )


async def _one(context: Context, beginning: str, decide: Callable[[View, str, int], Change]) -> str:
    (id,) = _found(context, (beginning,))
    await _apply(context, lambda view, now: decide(view, id, now))
    return id


async def _apply(context: Context, decide: Decide) -> Change:
    recorded = await context.service(Book).change(decide)
    return recorded.tell(context.publish)


def _found(context: Context, beginnings: tuple[str, ...]) -> tuple[str, ...]:
    book = context.service(Book)
    return tuple(map(book.backlog.find, beginnings))


def _ratings(command: Addition | EditItem) -> Assessments:
    return Assessments(
        size=command.size,
        complexity=command.complexity,
        risk=command.risk,
        impact=command.impact,
    )


def _meant(context: Context, beginning: str, keys: Collection[str]) -> str:
    """Return the id, or the key of an item that is added too."""
    return beginning if beginning in keys else _found(context, (beginning,))[0]


def _new(addition: Addition, meant: Callable[[str], str]) -> NewItem:
    fields = attrs.asdict(addition, recurse=False)
    for name in ("size", "complexity", "risk", "impact"):
        del fields[name]
    fields["needs"] = tuple(map(meant, addition.needs))
    fields["parent"] = meant(addition.parent) if addition.parent else None
    return NewItem(**fields, ratings=_ratings(addition))
