"""Removes what was delivered and kept long enough; never what is not delivered. Blocking."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from orchestrator.adapters.git import refs, workspace
from orchestrator.adapters.git.place import delete_tree
from orchestrator.adapters.git.repository import Repository
from orchestrator.run.hosting.claim import claim_workspace
from orchestrator.run.records.history import from_refs
from orchestrator.run.records.paths import attempt_logs
from orchestrator.work.records import RunRecord, run_from
from orchestrator.work.states import RunState

_GONE = (RunState.DELIVERED, RunState.DISCARDED)


@attrs.frozen(kw_only=True)
class Collected:
    """What was removed, or would be: names of refs, and files with the bytes they hold."""

    refs: tuple[str, ...]
    files: tuple[Path, ...]
    bytes: int
    dry_run: bool


def collect(
    repo: Repository, retention: float, now: float, *, dry_run: bool, limit: int | None
) -> Collected:
    """Remove pins, logs, workspaces and trash that are older than ``retention`` seconds.

    Pins and logs go only when their item was delivered or given up that long ago and its branch
    is gone; a workspace only when its item was; so nothing that is not delivered is touched, except
    what files held that a person restored that long ago.

    Args:
      dry_run: change nothing, only say what would go.
      limit: how many things to remove at most, None for all.
    """
    before = now - retention
    found = refs.read_refs(
        repo.git, refs.RUNS, refs.ATTEMPTS, refs.KEPT, refs.BASES, refs.PINS, refs.BRANCHES
    )
    runs = [run for one in from_refs(found).runs if (run := run_from(one)) is not None]
    old = {run.item for run in runs if _is_over(found, run, before)}
    doomed = {
        name: ref.oid
        for name, ref in found.items()
        if name.startswith((refs.ATTEMPTS, refs.KEPT, refs.BASES, refs.PINS))
        and _item_of(name, ref) in old
        and (ref.timestamp < before or name.startswith((refs.BASES, refs.PINS)))
    }
    doomed |= {name: ref.oid for name, ref in found.items() if _is_old_restore(name, before)}
    names = sorted(doomed)[:limit]
    room = None if limit is None else limit - len(names)
    files = [*_old_files(repo, found, runs, set(names), before)][:room]
    size = sum(_size(path) for path in files)
    if not dry_run:
        refs.delete_refs(repo.git, {name: doomed[name] for name in names})
        for path in files:
            _remove(repo, path)
    return Collected(refs=tuple(names), files=tuple(files), bytes=size, dry_run=dry_run)


def _is_over(found: dict[str, refs.RefRecord], run: RunRecord, before: float) -> bool:
    """Whether an item was delivered or given up before that time, and its branch is gone."""
    if run.state not in _GONE or refs.branch_ref(run.item) in found:
        return False
    kept = [ref.timestamp for name, ref in found.items()
            if name.startswith(refs.KEPT) and _item_of(name, ref) == run.item]  # fmt: skip
    return max(kept, default=run.at) < before


def _is_old_restore(name: str, before: float) -> bool:
    """Whether a ref keeps what files held before they were restored, before that time."""
    at = name.removeprefix(f"{refs.KEPT}restore-").partition("-")[0]
    return name.startswith(f"{refs.KEPT}restore-") and at.isdecimal() and int(at) < before


def _item_of(name: str, ref: refs.RefRecord) -> str:
    if name.startswith((refs.BASES, refs.PINS)):
        return name.rpartition("/")[2]
    return ref.trailers.get("Orchestrator-Item", "")


def _old_files(
    repo: Repository,
    found: dict[str, refs.RefRecord],
    runs: Iterable[RunRecord],
    doomed: set[str],
    before: float,
) -> Iterator[Path]:
    """Yield logs nothing refers to any more, and workspaces and trash of no more use."""
    stay = {name.removeprefix(refs.ATTEMPTS) for name in found.keys() - doomed}
    for log in _older(attempt_logs(repo.state_dir), before):
        if log.name.split(".log")[0].split(".tail")[0] not in stay:
            yield log
    yield from _older(repo.state_dir / "quarantine", before)
    home = repo.workspace_home()
    over = {run.item for run in runs if run.state in _GONE}
    for place in sorted(home.iterdir()) if home.is_dir() else ():
        item = place.name.removesuffix(".merge")
        known = workspace.open_existing(repo, place.name) if _is_name(place.name) else None
        if known is None:
            continue
        if item != place.name or (item in over and refs.branch_ref(item) not in found):
            yield place
        else:
            yield from _older(known.directory / "trash", before)


def _is_name(name: str) -> bool:
    return not name.startswith(".") and not name.endswith(".tmp")


def _older(directory: Path, before: float) -> Iterator[Path]:
    """Yield what lies in a directory and was not changed since; trash says so in its name."""
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        stamp = path.name.partition("-")[0]
        trashed = directory.name in ("trash", "quarantine") and stamp.isdigit()
        at = int(stamp) / 1e9 if trashed else os.lstat(path).st_mtime
        if at < before:
            yield path


def _size(path: Path) -> int:
    found = os.lstat(path).st_size
    for parent, _, names in os.walk(path):
        found += sum(os.lstat(os.path.join(parent, name)).st_size for name in names)
    return found


def _remove(repo: Repository, path: Path) -> None:
    home = repo.workspace_home()
    if path.parent == home:
        place = workspace.open_existing(repo, path.name) or workspace.place_of(repo, path.name)
        with claim_workspace(place):
            workspace.remove(repo, place)
    elif path.is_dir() and not path.is_symlink():
        delete_tree(path)
    else:
        path.unlink(missing_ok=True)
