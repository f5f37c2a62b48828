"""Everything about one item: what it is, where it is, what was done on it."""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.branches import our_branches
from orchestrator.adapters.git.repository import Repository
from orchestrator.store.reading import HistoryRow
from orchestrator.text import clock_time, duration, one_line
from orchestrator.work.backlog.item import Description, Item
from orchestrator.work.backlog.needs import unmet
from orchestrator.work.backlog.track import Track
from orchestrator.work.records import AttemptRecord, attempt_from
from orchestrator.work.states import first_object

from .item_document import item_document
from .item_words import doing, question_lines, status_word
from .output import coloured, print_json, width
from .rows import print_row
from .stored import Stored, open_stored

_SECOND = 1e9


@attrs.frozen(kw_only=True)
class About:
    """An item, and what there is to tell with it.

    Attributes:
      needs: those of its needs that are known.
      dependents, children, follow_ups: what needs it, is a part of it, or was found by it.
      branch: its branch, None when there is none.
      attempts, history: oldest first.
    """

    item: Item
    needs: tuple[Item, ...]
    dependents: tuple[Item, ...]
    children: tuple[Item, ...]
    follow_ups: tuple[Item, ...]
    branch: str | None
    attempts: tuple[AttemptRecord, ...]
    history: tuple[HistoryRow, ...]

    @property
    def unmet(self) -> tuple[str, ...]:
        """The ids of its needs that are open or unknown."""
        return unmet({need.id: need for need in self.needs}, self.item)


def show_item(repo: Repository, arguments: argparse.Namespace) -> None:
    """Print the item that the arguments name.

    Raises:
      UnknownItemError: when there is none, or there are several.
    """
    with open_stored(repo.state_dir) as stored:
        about = about_item(repo, stored, stored.find(arguments.shown))
    if arguments.json:
        print_json(_document(about))
    else:
        _print(about, history=arguments.history)


def about_item(repo: Repository, stored: Stored, item: Item) -> About:
    """Gather what there is to tell of an item. Blocking.

    Raises:
      StoreError: when the store cannot be read.
    """
    others, reader = stored.about(item.id), stored.reader
    rows = reader.attempts(item.id) if reader is not None else ()
    branch = refs.branch_ref(item.id)
    known = branch in our_branches(repo.git)
    return About(
        item=item,
        needs=tuple(stored.named(item.needs)),
        dependents=tuple(other for other in others if item.id in other.needs),
        children=tuple(other for other in others if other.parent == item.id),
        follow_ups=tuple(o for o in others if o.origin.startswith(f"{item.id}/")),
        branch=branch.removeprefix("refs/heads/") if known else None,
        attempts=tuple(filter(None, (attempt_from(first_object(row.document)) for row in rows))),
        history=reader.history(item.id) if reader is not None else (),
    )


def _document(about: About) -> dict[str, Any]:
    return item_document(
        about.item,
        unmet=list(about.unmet),
        dependents=_ids(about.dependents),
        children=_ids(about.children),
        follow_ups=_ids(about.follow_ups),
        branch=about.branch,
        attempts=[
            {
                "id": one.id,
                "phase": one.phase,
                "story": one.story,
                "visit": one.visit,
                "number": one.number,
                "state": one.state.value,
                "reason": one.reason,
                "at": one.at,
                "seconds": one.seconds,
                "cost": one.usage.cost,
            }
            for one in about.attempts
        ],
        history=[
            {"seq": row.seq, "at": row.at, "what": row.what, **row.document}
            for row in about.history
        ],
    )


def _print(about: About, *, history: bool) -> None:
    item = about.item
    for line in textwrap.wrap(f"{item.id}: {one_line(item.title)}", width()):
        print(coloured(line, "bold", sys.stdout))
    for label, text in _facts(about):
        print_row(label, text)
    for field in attrs.fields(Description):
        if text := getattr(item.description, field.name):
            print_row("rationale" if field.name == "sizing_rationale" else field.name, text)
    for number, attempt in enumerate(about.attempts):
        print_row("" if number else "attempts", _attempt(attempt))
    if history:
        for number, row in enumerate(about.history):
            print_row("" if number else "history", _line(row))


def _track(track: Track) -> Iterator[tuple[str, str]]:
    """Yield what there is to tell of a branch that is brought through phases by hand."""
    base = f" from {one_line(track.base)}" if track.base else ""
    issue = f", issue {one_line(track.issue)}" if track.issue else ""
    yield "by hand", f"{one_line(track.branch)}{base}{issue}: runs leave it alone"
    if track.plan.cycles:
        yield "cycle", f"{track.cycle or 'none'} of {len(track.plan.cycles)}"


def _facts(about: About) -> Iterator[tuple[str, str]]:
    """Yield what there is to tell: a label and a text each."""
    item = about.item
    yield "status", doing(item)
    for number, line in enumerate(question_lines(item)):
        yield ("answer" if number else "question"), line
    if item.claim is not None:
        at = clock_time(item.claim.at / _SECOND)
        yield "claimed", f"by {one_line(item.claim.by)} since {at}: runs leave it alone"
    yield "rated", _ratings(item)
    if item.priority or item.pipeline or item.tags or item.needs_review:
        yield "way", _way(item)
    if item.needs:
        yield "needs", _needs(about)
    for label, others in (
        ("needed by", about.dependents),
        ("parts", about.children),
        ("found", about.follow_ups),
    ):
        if others:
            yield label, ", ".join(map(_named, others))
    if item.parent is not None:
        yield "part of", item.parent
    if item.origin:
        yield "from", one_line(item.origin)
    if item.answer:
        yield "told", one_line(item.answer)
    if item.summary:
        yield "last", one_line(item.summary, 400)
    if about.branch is not None:
        yield "branch", about.branch
    if item.track is not None:
        yield from _track(item.track)
    yield (
        "added",
        f"{clock_time(item.created / _SECOND)}, changed {clock_time(item.updated / _SECOND)}",
    )


def _ratings(item: Item) -> str:
    ratings = {
        name: getattr(item.ratings, name) for name in ("size", "complexity", "risk", "impact")
    }
    return ", ".join(f"{name} {value.value if value else '-'}" for name, value in ratings.items())


def _way(item: Item) -> str:
    parts = [f"pipeline {one_line(item.pipeline)}"] if item.pipeline else []
    parts += [f"priority {item.priority}"] if item.priority else []
    parts += [f"tags {', '.join(map(one_line, item.tags))}"] if item.tags else []
    parts += ["you approve it first"] if item.needs_review else []
    return "; ".join(parts)


def _needs(about: About) -> str:
    known = {need.id: _named(need) for need in about.needs}
    return ", ".join(known.get(id, f"{id} (unknown)") for id in about.item.needs)


def _named(item: Item) -> str:
    return f"{item.id} ({status_word(item.status.value)})"


def _attempt(one: AttemptRecord) -> str:
    name = f"{one.phase} {one.story}".strip()
    parts = [f"{name} try {one.number}  {one.state.value}", duration(one.seconds)]
    parts += [f"${one.usage.cost:.2f}"] if one.usage.cost else []
    return "  ".join(parts) + (f"  {one_line(one.reason)}" if one.reason else "")


def _line(row: HistoryRow) -> str:
    said = row.document
    before, after = (str(said.get(name, "")) for name in ("before", "after"))
    parts = [clock_time(row.at / _SECOND), row.what]
    if before != after:
        parts.append(f"{status_word(before)} → {status_word(after)}")
    if phase := said.get("phase"):
        parts.append(one_line(str(phase)))
    parts += [one_line(str(said.get("text", "")))] if said.get("text") else []
    parts += [f"by {one_line(str(said['by']))}"] if said.get("by") else []
    return "  ".join(parts)


def _ids(items: Iterable[Item]) -> Sequence[str]:
    return [item.id for item in items]
