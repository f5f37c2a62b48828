"""Finds the spec that a person means: the one place that knows every format. Blocking."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.markdown.reader import MarkdownFormat
from orchestrator.adapters.openspec.format import OpenSpecFormat
from orchestrator.errors import NoSpecError, SpecError
from orchestrator.project.place import nearest_project
from orchestrator.run.records.ledger import read_run
from orchestrator.work.adhoc import AdHoc, brief_slug
from orchestrator.work.spec import SpecFormat, SpecSource

FORMATS: tuple[SpecFormat, ...] = (OpenSpecFormat(), MarkdownFormat())
"""Every format, the one that is preferred first."""


def find_source(repo: Repository, start: Path) -> SpecSource:
    """Return the changes that are meant in a directory when nobody names a file.

    Raises:
      NoSpecError: when there are none of any format.
      SpecError: when there are several sources and none is nearest.
    """
    for kind in FORMATS:
        source = kind.nearest(repo.checkout, start, repo.tracked_directories)
        if source is not None:
            return source
    raise NoSpecError(
        f"no spec here, above or below: no {', no '.join(kind.looks_for for kind in FORMATS)}",
        where=str(start),
        fix="write one (`openspec init`, or a TODO.md), choose a directory with -C, "
        "or say what to do: orc run --prompt TEXT",
    )


def find_change(repo: Repository, start: Path, name: str | None) -> tuple[SpecSource, str]:
    """Return the source and the id of the change that a person names, or the only open one.

    A name is the id of a change, a path, or an item that was worked on before.

    Raises:
      SpecError: when nothing is called that, or several changes are open and none is named.
    """
    if name is not None and not name.strip():
        raise SpecError("the name is empty", fix="orc list shows the changes")
    try:
        source = find_source(repo, start)
    except NoSpecError:
        if name is None:
            raise
        source = None
    if name is None:
        assert source is not None
        return source, _only_open(source)
    if source is not None and name in [change.id for change in source.changes()]:
        return source, name
    found = _at_path(repo, start, name) or _recorded(repo, name)
    if found is not None:
        return found
    if source is None:
        return find_source(repo, start), name
    for change in source.changes():
        if name in map(refs.item_slug, source.item_names(change.id)):
            return source, change.id
    return source, name


def ad_hoc(repo: Repository, start: Path, brief: str, until: str = "") -> AdHoc:
    """Return the source of a task in words; the same words are the same change.

    Args:
      until: a command that must succeed at its end, or "".
    """
    digest = hashlib.sha256(brief.strip().encode()).hexdigest()[:6]
    root = nearest_project(repo.checkout, start.resolve())
    return AdHoc(root, f"{brief_slug(brief)}-{digest}", brief, until)


def find_item(
    repo: Repository, source: SpecSource, change_id: str, below: str
) -> tuple[str, str | None]:
    """Return the item of a change, its best name that no other change's item has.

    With it comes what to tell when that is not the best of all: which change has that one.

    Args:
      below: where the source's root lies below the checkout.
    """
    names = [refs.item_slug(name) for name in source.item_names(change_id)]
    if below != ".":
        names.append(refs.item_slug(f"{below}/{names[0]}".replace("/", "-").lower()))
    digest = hashlib.sha256(f"{below}\0{change_id}".encode(errors="surrogateescape")).hexdigest()
    taken = None
    for item in (*dict.fromkeys(names), f"{names[0][:40]}-{digest[:8]}"):
        run = read_run(repo, item)
        if run is None or (run.change, run.root) == (change_id, below):
            break
        taken = taken or f"item {item} is {os.path.normpath(os.path.join(run.root, run.change))}"
    return item, taken and f"{taken}: this one is {item}"


def _at_path(repo: Repository, start: Path, name: str) -> tuple[SpecSource, str] | None:
    """Return what lies at a path; a name that looks like a file must be one."""
    top = repo.checkout.resolve()
    path = Path(start.resolve(), name)
    looks_like_file = path.suffix.lower() in (".md", ".markdown")
    if not looks_like_file and ("/" not in name or not path.exists()):
        return None
    # Not the file itself: where a link leads is nothing that a change may lie at.
    path = path.parent.resolve() / path.name
    if not path.is_relative_to(top):
        raise SpecError(
            "lies outside the repository", where=str(path), fix="name a file of this repository"
        )
    for kind in FORMATS:
        found = kind.named(top, path)
        if found is not None:
            return found
    return None


def _recorded(repo: Repository, name: str) -> tuple[SpecSource, str] | None:
    """Return the change of an item that was worked on before."""
    run = read_run(repo, refs.item_slug(name))
    if run is None:
        return None
    root = repo.checkout / run.root
    if run.brief:
        return AdHoc(root, run.change, run.brief, run.until), run.change
    for kind in FORMATS:
        source = kind.below(root)
        with suppress(SpecError):
            source.read(run.change)
            return source, run.change
    return None


def _only_open(source: SpecSource) -> str:
    changes = [change for change in source.changes() if change.status != "complete"]
    if len(changes) == 1:
        return changes[0].id
    if not changes:
        raise SpecError("no open change", where=str(source.root), fix="propose one first")
    rows = "\n".join(f"  {change.id}  {change.done}/{change.total}" for change in changes)
    raise SpecError(f"several changes are open:\n{rows}", fix="name one: orc run CHANGE")
