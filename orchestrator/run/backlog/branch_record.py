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
from orchestrator.adapters.git.refs import RefRecord
from orchestrator.adapters.git.repository import Repository
from orchestrator.errors import AdapterError, ProcessError
from orchestrator.text import one_line
from orchestrator.work.backlog.change import Entry
from orchestrator.work.backlog.document import read_line, write_line
from orchestrator.work.backlog.item import Item
from orchestrator.work.backlog.pipeline import Phase
from orchestrator.work.machine.scope import Scope, decode

MOST = 500
"""Commits that are looked through: of a branch for a scope, of a record for the trail."""

_KEPT = "kept"
"""What a record says that tells of no step."""


@attrs.frozen(kw_only=True)
class Trace:
    """One line of a branch's history as git has it; ``at`` in Unix seconds."""

    at: int
    what: str
    document: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Known:
    """What git knows of a branch.

    Attributes:
      scope: of the newest commit of the branch that names a phase, None when none does.
      tip: the commit that the branch is at, "" when there is no such branch, here or at one remote.
      problem: why its commits could not be looked through, "" when they could.
    """

    scope: Scope | None
    tip: str
    problem: str = ""


def keep(repo: Repository, item: Item, entries: Sequence[Entry], when: int) -> None:
    """Record an item's state in git, after what is there.

    What is no record of ours at its ref is kept aside, as far as there is anything.

    Args:
      entries: what happened; the last one becomes the message.
      when: Unix seconds.

    Raises:
      ConflictError: when another process recorded something meanwhile.
      AdapterError: when git fails; the record is as it was.
    """
    ref = refs.phases_ref(item.id)
    known = refs.read_sound_refs(repo.git, ref).get(ref)
    at = known.oid if known is not None else refs.read_oids(repo.git, ref).get(ref)
    before = known if known is not None and _read(known) is not None else None
    if known is not None and before is None:
        refs.move_ref(repo.git, refs.kept_ref(f"record-{known.oid}"), known.oid, None, "aside")
    commit = objects.commit(
        repo.git,
        objects.its_tree(before.oid) if before is not None else objects.flat_tree(repo.git, {}),
        [before.oid] if before is not None else [],
        _message(item, entries[-1] if entries else None),
        repo.identity(),
        when,
    )
    refs.move_ref(repo.git, ref, commit, at, "phases")


def recorded(repo: Repository) -> dict[str, Item]:
    """Return the items of all records that can be read, by their ids."""
    found = refs.read_sound_refs(repo.git, refs.PHASES)
    items = (_read(record) for record in found.values())
    return {item.id: item for item in items if item is not None}


def known_of(
    repo: Repository, branch: str, *, phases: Collection[Phase], trunks: Collection[str] = ()
) -> Known:
    """Return what a branch's own commits say of it.

    Args:
      phases: those that count in the scopes of commits.
      trunks: branches whose commits, also as remotes have them, tell nothing of this one.
    """
    head, far = f"refs/heads/{branch}", f"refs/remotes/*/{branch}"
    others = [name for trunk in trunks for name in (f"heads/{trunk}", f"remotes/*/{trunk}")]
    found = refs.read_refs(repo.git, head, far, *(f"refs/{name}" for name in others))
    own = found.pop(head, None)
    remote = {found.pop(name).oid for name in list(found) if name.endswith(f"/{branch}")}
    tip = own.oid if own is not None else remote.pop() if len(remote) == 1 else ""
    if not tip:
        return Known(scope=None, tip="")
    try:
        scope = newest_scope(repo, tip, phases, {each.oid for each in found.values()})
    except AdapterError as error:
        text = f"the commits of {branch} could not be looked through: {error.message}"
        return Known(scope=None, tip=tip, problem=text)
    return Known(scope=scope, tip=tip)


def newest_scope(
    repo: Repository, tip: str, phases: Collection[Phase], without: Collection[str] = ()
) -> Scope | None:
    """Return the scope of the newest commit that names a phase, None when none of `MOST` does.

    Args:
      without: commits that are not looked at, with all that they contain.

    Raises:
      AdapterError: when git cannot read them.
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


def trail_of(repo: Repository, id: str) -> tuple[Trace, ...]:
    """Return what was recorded of the way of an item's branch, oldest first; nothing if damaged."""
    try:
        commits = refs.read_commits(repo.git, refs.phases_ref(id), most=MOST)
    except ProcessError:
        return ()
    traces = []
    for commit in reversed(commits):
        item, (what, _, text) = _read(commit), commit.subject.partition(":")
        if item is None or what == _KEPT:
            continue
        passage: dict[str, Any] = {}
        with suppress(ValueError, IndexError):
            passage = {"passage": json.loads(commit.body.split("\n")[1])}
        document = {
            "before": item.status.value,
            "after": item.status.value,
            "phase": item.phase or "",
            "text": text.strip(),
            "by": commit.trailers.get("Orchestrator-By", ""),
            **passage,
        }
        traces.append(Trace(at=commit.timestamp, what=what, document=document))
    return tuple(traces)


def _read(record: RefRecord) -> Item | None:
    try:
        item = read_line(record.body.lstrip().partition("\n")[0])
    except ValueError:
        return None  # a newer orchestrator's, or not ours: the branch's own commits are asked
    return item if item.track is not None else None


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
