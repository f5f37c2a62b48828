"""What keeps git commands from what they must not do: protected branches and paths, readiness."""

from __future__ import annotations

from collections.abc import Sequence

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

    Raises:
      UsageError: names the paths and the globs.
    """
    globs = context.service(Config).workspace.protect
    told = "\n".join(_words(item)) if item is not None else ""
    crossed = [
        f"{one_line(path, 120)} ({glob})"
        for path in paths
        for glob in globs
        if matches(path, glob) and not is_named(path, told)
    ]
    if crossed:
        raise UsageError(
            f"protected: {', '.join(crossed[:5])}",
            where="workspace.protect",
            fix="leave it as it is, or have the item name the file: orc edit ITEM -d TEXT",
        )


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
