"""What keeps git commands from what they must not do: protected branches and paths, readiness."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.errors import BusyError, IllegalStepError, UsageError
from orchestrator.run.backlog.book import Book
from orchestrator.run.threads import GitThreads
from orchestrator.settings import Config
from orchestrator.text import one_line
from orchestrator.work.backlog.item import Item
from orchestrator.work.globs import matches
from orchestrator.work.machine.scope import names
from orchestrator.work.machine.steps import track_of, workflow_of
from orchestrator.work.protect import is_named


async def require_free_checkout(context: Context) -> None:
    """Refuse to touch a checkout that a run works in.

    It holds until the caller's command ends when that is in the lane of the checkout, where runs
    borrow it, too; see `run.turns`.

    Raises:
      BusyError: names the item.
    """
    repo = context.service(Repository)
    borrowed = await context.service(GitThreads).run(refs.read_refs, repo.git, refs.BORROWED)
    for name in borrowed:
        item = name.removeprefix(refs.BORROWED)
        raise BusyError(
            f"the checkout is lent to {item}, which is worked on in it",
            where=str(repo.checkout),
            fix="wait for the run, or stop it: orc stop; then orc run gives it back",
        )


def require_unprotected(context: Context, item: Item | None, paths: Sequence[str]) -> None:
    """Refuse changes of protected paths that the item does not name.

    Args:
      paths: below the checkout, from its top; absolute ones when they are inside.

    Raises:
      UsageError: names the paths and the globs; or a path leads out of the checkout.
    """
    globs, named = context.service(Config).workspace.protect, naming(item)
    top = context.service(Repository).checkout
    crossed = [
        f"{one_line(path, 120)} ({glob})"
        for path in (_from_top(top, path) for path in paths)
        for glob in globs
        if matches(path, glob) and not named(path)
    ]
    if crossed:
        raise UsageError(
            f"protected: {', '.join(crossed[:5])}",
            where="workspace.protect",
            fix="leave it as it is, or have the item name the file: orc edit ITEM -d TEXT",
        )


def naming(item: Item | None) -> Callable[[str], bool]:
    """Return what tells whether an item names a path; none names nothing."""
    told = "\n".join(_words(item)) if item is not None else ""
    return lambda path: is_named(path, told)


def _from_top(top: Path, path: str) -> str:
    """Return a path as globs mean it: from the top, without detours."""
    found = os.path.relpath(os.path.join(top, path), top)
    if found.startswith("../") or found == "..":
        raise UsageError(
            f"{one_line(path, 120)} is not a path below the checkout",
            where="path",
            fix="name it from the top of the checkout",
        )
    return found


def merge_phase(context: Context, item: Item) -> str:
    """Return the phase in which a branch may be merged."""
    rules, branches = context.service(Book).rules, context.service(Config).branches
    every = names(workflow_of(item, rules))
    return branches.merge_phase if branches.merge_phase in every else every[-1]


def require_ready(context: Context, item: Item) -> None:
    """Refuse to merge a branch that is not in the phase for it.

    Raises:
      IllegalStepError: says where it is.
    """
    wanted = merge_phase(context, item)
    if item.phase != wanted:
        raise IllegalStepError(
            f"{track_of(item).branch} is in {item.phase}; it may be merged in {wanted}",
            where=item.id,
            fix=f"bring it there: orc move {item.id}",
        )
    if item.question is not None:
        raise IllegalStepError(
            f"{track_of(item).branch} waits for an answer: {one_line(item.question.text)}",
            where=item.id,
            fix=f"orc answer {item.id} TEXT",
        )


def _words(item: Item) -> tuple[str, ...]:
    described = item.description
    return (item.title, described.context, described.problem, described.solution, described.impact)
