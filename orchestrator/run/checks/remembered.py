"""What is known of the baseline of a tree: passed before, with the same commands and tools."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import attrs

from orchestrator.adapters.git import objects
from orchestrator.adapters.git.repository import Repository
from orchestrator.project.environment import base_python
from orchestrator.project.tools import prints_of
from orchestrator.run.build import Build
from orchestrator.run.hosting.environment import clean_path
from orchestrator.store.reading import Reader
from orchestrator.store.store import Store
from orchestrator.work.records import RunRecord


@attrs.frozen(kw_only=True)
class Remembered:
    """A baseline that passed: when, in Unix seconds, and how many seconds each part took."""

    at: int
    setup: float
    verify: float


def recall(
    repo: Repository, store: Reader, commit: str, root: str, build: Build
) -> Remembered | None:
    """Return what is known of a commit's baseline, if it passed. Blocking."""
    row = store.check(_key(repo, commit, root, build))
    if row is None or not row.passed:
        return None
    parts = json.loads(row.output)
    return Remembered(at=row.at, setup=parts["setup"], verify=parts["verify"])


def remember(
    repo: Repository,
    store: Store,
    commit: str,
    root: str,
    build: Build,
    setup: float,
    verify: float,
) -> None:
    """Record that a commit's baseline passed, and what it took in seconds. Blocking.

    Raises:
      StoreError: when it could not be recorded.
    """
    key = _key(repo, commit, root, build)
    output = json.dumps({"setup": round(setup, 1), "verify": round(verify, 1)})
    store.write(lambda tx: tx.put_check(key, passed=True, seconds=setup + verify, output=output))


def _key(repo: Repository, commit: str, root: str, build: Build) -> str:
    """Return what a baseline is remembered by: tree, commands, tools and what is copied."""
    path = os.pathsep.join(clean_path(os.environ.get("PATH", os.defpath), repo.checkout))
    known = [
        objects.tree_of(repo.git, commit),
        root,
        build.setup,
        [attrs.asdict(check) for check in build.verify],
        build.wrap,
        base_python(os.environ, repo.checkout, path) if build.own_python else None,
        prints_of((*build.setup, *build.commands), path),
        [_print_of(repo.checkout / name) for name in build.copy],
    ]
    return hashlib.sha256(json.dumps(known).encode(errors="surrogateescape")).hexdigest()


def tree_to_build(run: RunRecord, spec: str) -> str:
    """Return the commit whose tree a run's baseline is about.

    An uncommitted spec is carried on a commit of its own and changes nothing that is built.

    Args:
      spec: where the change's own files lie below the repository.
    """
    only_spec = all(path == spec or path.startswith(f"{spec}/") for path in run.carried)
    return run.base if only_spec else run.start


def _print_of(place: Path) -> str:
    try:
        status = place.stat()
    except OSError:
        return f"{place} is missing"
    return f"{place} {status.st_mtime_ns} {status.st_size}"
