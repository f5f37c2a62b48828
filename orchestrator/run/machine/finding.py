"""Finds the item of a branch; one that the store does not have is put back from git."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import attrs
import trio

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.checkout import history
from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.errors import OrchestratorError, UsageError
from orchestrator.run.backlog.book import Book
from orchestrator.run.backlog.branch_record import Known, known_of
from orchestrator.run.backlog.putting_back import put_back
from orchestrator.run.machine.own_git import own_git
from orchestrator.run.threads import GitThreads
from orchestrator.settings import Config
from orchestrator.text import one_line
from orchestrator.work.backlog.change import View
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.pipeline import DEFAULT
from orchestrator.work.backlog.rules import Rules
from orchestrator.work.backlog.track import Track
from orchestrator.work.machine import moving
from orchestrator.work.machine.moving import Beginning
from orchestrator.work.machine.preset import ALIASES
from orchestrator.work.machine.scope import phases


@attrs.frozen(kw_only=True)
class Found:
    """The item of a branch, and whether it is in the store; else it is what git says it was.

    Attributes:
      problem: what git could not tell, "" when nothing is missing.
    """

    item: Item
    saved: bool
    problem: str = ""


async def current_branch(context: Context) -> str:
    """Return the branch that is checked out.

    Raises:
      UsageError: HEAD is detached.
    """
    repo = context.service(Repository)
    branch = await trio.to_thread.run_sync(_checked_out, repo.git_dir)
    if branch is None:
        branch = (await context.service(GitThreads).run(repo.refreshed)).branch
    if branch is None:
        raise UsageError(
            "no branch is checked out: HEAD is detached",
            where="branch",
            fix="name the branch, or check one out",
        )
    return branch


async def find(context: Context, named: str | None) -> Found:
    """Return the item of a branch; nothing is written.

    Args:
      named: a branch, an item's id or the beginning of one; None: the branch checked out.

    Raises:
      UsageError: no such branch is under the phase machine, nor looks as if it was.
    """
    book = context.service(Book)
    branch = named if named is not None else await current_branch(context)
    item = item_of(book.backlog, branch)
    if item is not None:
        return Found(item=item, saved=True)
    if named is not None and (meant := _by_id(book, named)) is not None:
        return Found(item=meant, saved=True)
    _require_new(book.backlog, branch)
    known = await known_branch(context, branch)
    if not known.tip:
        raise UsageError(
            f'there is no branch and no item "{one_line(branch, 80)}"',
            where="branch",
            fix="orc git branches and orc list show what there is",
        )
    item = item_of(book.backlog, branch)  # somebody may have been faster
    if item is not None:
        return Found(item=item, saved=True)
    return Found(item=guessed(context, branch, known), saved=False, problem=known.problem)


def _require_new(view: View, branch: str) -> None:
    """Refuse a branch whose item is over: it is not begun again by being looked at.

    Raises:
      UsageError: says what became of it.
    """
    slug = refs.item_slug(branch)
    ended = view.get(slug)
    if ended is not None and ended.track is not None and ended.status.is_final:
        raise UsageError(
            f"{one_line(branch, 80)} is {ended.status.value}: {one_line(ended.reason)}",
            where=slug,
            fix=f"begin it again: orc git start {one_line(branch, 80)}",
        )


async def ensure(context: Context, named: str | None, by: str) -> Item:
    """Return the item of a branch, as `find` does; one that was put back is saved.

    Raises:
      UsageError: as `find`.
    """
    found = await find(context, named)
    return found.item if found.saved else await save(context, found.item, by)


async def save(context: Context, item: Item, by: str) -> Item:
    """Record an item that was put back from git; of two at once the first counts."""
    book = context.service(Book)
    (await book.change(partial(put_back, item, by=by))).tell(context.publish)
    return book.get(item.id) or item


def item_of(view: View, branch: str) -> Item | None:
    """Return the open item of a branch, None when there is none."""
    item = view.get(free_id(view, branch))
    return None if item is None or item.track is None else item


def free_id(view: View, branch: str) -> str:
    """Return the id that a branch's item has, or would have: ended ones keep theirs."""
    slug = refs.item_slug(branch)
    number, id = 1, slug
    while (item := view.get(id)) is not None and not _is_open_on(item, branch):
        number += 1
        id = f"{slug}-{number}"
    return id


def _is_open_on(item: Item, branch: str) -> bool:
    is_its = item.track is not None and item.track.branch == branch
    return is_its and not item.status.is_final


async def known_branch(context: Context, branch: str) -> Known:
    """Return what git knows of a branch."""
    book, config = context.service(Book), context.service(Config)
    pipeline = book.rules.pipeline(workflow_for(config, book.rules, branch))
    base = await base_of(context, branch)
    trunks = {*config.branches.protected, *((base,) if base else ())} - {branch}
    return await context.service(GitThreads).run(
        known_of,
        context.service(Repository),
        branch,
        phases=phases(pipeline) if pipeline is not None else (),
        trunks=sorted(trunks),
    )


def guessed(context: Context, branch: str, known: Known) -> Item:
    """Return the item that a branch has, as its own commits or its name tell.

    Raises:
      UsageError: nothing says that the branch was ever under the phase machine.
    """
    book, config = context.service(Book), context.service(Config)
    rules, branches = book.rules, config.branches
    if branch in branches.protected:
        raise UsageError(
            f"{one_line(branch, 80)} is protected: it goes through no phases",
            where="branch",
            fix="name or check out another branch; a new one: orc git start BRANCH",
        )
    if not branches.type_of(branch) and known.scope is None:
        raise UsageError(
            f"{one_line(branch, 80)} is not under the phase machine",
            where="branch",
            fix=f"begin: orc git start {one_line(branch, 80)}; its name begins with one of "
            f"{', '.join(branches.types)}",
        )
    begun = Beginning(
        id=free_id(book.backlog, branch),
        title=title_for(branch),
        track=Track(
            branch=branch,
            issue=branches.issue_of(branch),
            rebuilt="commits" if known.scope is not None else "name",
        ),
        pipeline=workflow_for(config, rules, branch),
        scope=known.scope,
    )
    (item,) = moving.begin(book.backlog, rules, begun, now=0).items
    assert item.track is not None
    return attrs.evolve(item, track=attrs.evolve(item.track, rebuilt=begun.track.rebuilt))


def workflow_for(config: Config, rules: Rules, branch: str, wanted: str | None = None) -> str:
    """Return the workflow of a branch: the one that is wanted, else the one named like its type.

    Raises:
      UsageError: there is none of the name that is wanted.
    """
    if wanted is not None:
        if wanted not in rules.pipelines:
            raise UsageError(
                f'there is no workflow "{one_line(wanted, 80)}"',
                where="workflow",
                fix=f"take one of {', '.join(sorted(rules.pipelines))}",
            )
        return wanted
    kind = config.branches.type_of(branch)
    for name in (kind, ALIASES.get(kind, ""), DEFAULT):
        if name in rules.pipelines:
            return name
    return next(iter(rules.pipelines))


def title_for(branch: str) -> str:
    """Return the title of a branch that nobody gave one: its name, in words."""
    name = branch.rpartition("/")[2] or branch
    return one_line(name.replace("-", " ").replace("_", " ").strip() or branch, 200)


async def base_of(context: Context, branch: str) -> str:
    """Return the branch that another one was made from, "" when that is not known."""
    try:
        found = await context.service(GitThreads).run(
            history.reflog_parent, own_git(context), branch
        )
    except OrchestratorError:
        return ""  # nothing depends on it
    return found or ""


def _by_id(book: Book, beginning: str) -> Item | None:
    try:
        item = book.backlog.get(book.backlog.find(beginning))
    except UsageError:
        return None
    return item if item is not None and item.track is not None else None


def _checked_out(git_dir: Path) -> str | None:
    """Return the branch that HEAD names, None when git has to be asked. Blocking, no process."""
    try:
        text = os.fsdecode((git_dir / "HEAD").read_bytes()).strip()
    except OSError:
        return None
    name = text.removeprefix("ref: refs/heads/")
    # Where refs are kept in tables, HEAD names a branch that cannot be.
    return None if name == text or name == ".invalid" else name
