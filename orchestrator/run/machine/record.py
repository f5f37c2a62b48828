"""What git keeps of a branch's way through its phases, so that a lost store can be put back.

Every step is a commit on a ref of the branch's item, without files: its message holds the item as
it was then, and the passage. The chain is the audit trail. Where there is no such ref, as in a
fresh clone, the scopes of the branch's own commits say how far it came. Blocking.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import attrs

from orchestrator.adapters.git import objects, refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.work.backlog.change import Entry
from orchestrator.work.backlog.document import read_line, write_line
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.text import one_line
from orchestrator.work.machine.scope import Scope, decode

MOST = 500
"""Commits that are looked through: of a branch for a scope, of a record for the trail."""

_KEPT = "kept"
"""What a record says that tells of no step."""


@attrs.frozen(kw_only=True)
class Step:
    """One line of a branch's history as git has it; ``at`` in Unix seconds."""

    at: int
    what: str
    document: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Known:
    """What git knows of a branch.

    Attributes:
      item: as it was recorded last, None when nothing was, or nothing that can be read.
      scope: of the newest commit of the branch that names a phase, None when none does.
      tip: the commit that the branch is at, "" when there is no such branch.
      trail: what was recorded of its way, oldest first.
    """

    item: Item | None
    scope: Scope | None
    tip: str
    trail: tuple[Step, ...] = ()


def keep(repo: Repository, item: Item, entries: Sequence[Entry], when: int) -> None:
    """Record an item's state in git, after what is there.

    Args:
      entries: what happened; the last one becomes the message.
      when: Unix seconds.

    Raises:
      ConflictError: when another process recorded something meanwhile.
      AdapterError: when git fails; the record is as it was.
    """
    ref = refs.phases_ref(item.id)
    known = refs.read_refs(repo.git, ref).get(ref)
    last = entries[-1] if entries else None
    tree = objects.flat_tree(repo.git, {}) if known is None else objects.its_tree(known.oid)
    parents = [] if known is None else [known.oid]
    commit = objects.commit(repo.git, tree, parents, _message(item, last), repo.identity(), when)
    refs.move_ref(repo.git, ref, commit, known.oid if known is not None else None, "phases")


def known_of(
    repo: Repository,
    id: str,
    branch: str,
    *,
    phases: Collection[str],
    trunks: Collection[str] = (),
) -> Known:
    """Return what git knows of a branch.

    Args:
      phases: the names that count as phases in the scopes of commits.
      trunks: branches whose commits, also as remotes have them, tell nothing of this one.
    """
    ref, head = refs.phases_ref(id), f"refs/heads/{branch}"
    others = [name for trunk in trunks for name in (f"heads/{trunk}", f"remotes/*/{trunk}")]
    found = refs.read_refs(repo.git, ref, head, *(f"refs/{name}" for name in others))
    item = _read(found[ref].body) if ref in found else None
    tip = found[head].oid if head in found else ""
    without = {known.oid for name, known in found.items() if name not in (ref, head)}
    scope = newest_scope(repo, tip, phases, without) if tip else None
    trail = _trail(repo, found[ref].oid) if item is not None else ()
    return Known(item=item, scope=scope, tip=tip, trail=trail)


def newest_scope(
    repo: Repository, tip: str, phases: Collection[str], without: Collection[str] = ()
) -> Scope | None:
    """Return the scope of the newest commit that names a phase, None when none of `MOST` does.

    Args:
      without: commits that are not looked at, with all that they contain.
    """
    listed = repo.git.run(
        "log", "-z", f"--max-count={MOST}", "--format=%s", "--end-of-options", tip,
        *(f"^{commit}" for commit in without),
    ).stdout.decode(errors="replace")  # fmt: skip
    for subject in listed.split("\0"):
        scope = decode(subject, phases)
        if scope is not None:
            return scope
    return None


def _trail(repo: Repository, tip: str) -> tuple[Step, ...]:
    steps = []
    for commit in reversed(refs.read_commits(repo.git, tip, most=MOST)):
        item, what = _read(commit.body), commit.subject.partition(":")
        if item is None or what[0] == _KEPT:
            continue
        passage: dict[str, Any] = {}
        with suppress(ValueError, IndexError):
            passage = {"passage": json.loads(commit.body.split("\n")[1])}
        status = item.status.value
        steps.append(
            Step(
                at=commit.timestamp,
                what=what[0],
                document={
                    "before": status,
                    "after": status,
                    "phase": item.phase or "",
                    "text": what[2].strip(),
                    "by": commit.trailers.get("Orchestrator-By", ""),
                    **passage,
                },
            )
        )
    return tuple(steps)


def _read(body: str) -> Item | None:
    try:
        return read_line(body.lstrip().partition("\n")[0])
    except ValueError:
        return None  # a newer orchestrator's, or not ours: the branch's own commits are asked


def _message(item: Item, last: Entry | None) -> str:
    what = f"{last.what}: {one_line(last.text)}" if last is not None else _KEPT
    passage = last.passage if last is not None else None
    told = f"{json.dumps(attrs.asdict(passage))}\n" if passage is not None else ""
    by = f"Orchestrator-By: {one_line(last.by)}\n" if last is not None and last.by else ""
    branch = item.track.branch if item.track is not None else ""
    return (
        f"{what}\n\n{write_line(item)}\n{told}\nOrchestrator-Item: {item.id}\n"
        f"Orchestrator-Branch: {branch}\nOrchestrator-Phase: {item.phase or ''}\n{by}"
    )
