"""Finds the directory that holds the ``openspec/`` to use."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.errors import NoSpecError, SpecError

NAME = "openspec"


def find_roots(repo: Path, cwd: Path, tracked: Iterable[str | Path] | None) -> Path:
    """Return the spec root for a working directory. Blocking.

    The nearest ``openspec/`` at or above ``cwd`` inside the repository wins, else the only
    tracked one below ``cwd``.

    Args:
      repo: top of the checkout.
      cwd: where the search begins; ``repo`` itself when it lies outside.
      tracked: tracked paths, absolute or relative to ``repo``, that are an ``openspec`` directory
        or lie in one; None looks only upwards.

    Raises:
      NoSpecError: when there is none.
      SpecError: when there are several and none is nearest; those are listed.
    """
    top = repo.resolve()
    start = cwd.resolve()
    if not start.is_relative_to(top):
        start = top
    for directory in (start, *start.parents):
        if (directory / NAME).is_dir():
            return directory
        if directory == top:
            break
    found = sorted({root for path in tracked or () if (root := _root_of(repo, top, path))})
    present = [directory for directory in found if (directory / NAME).is_dir()]
    below = [directory for directory in present if directory.is_relative_to(start)]
    if len(below) == 1:
        return below[0]
    if not present:
        raise NoSpecError(
            f"no {NAME}/ directory here, above or below",
            where=str(start),
            fix="create one with `openspec init`, or choose a directory with -C",
        )
    rows = "\n".join(f"  {directory.relative_to(top)}" for directory in below or present)
    raise SpecError(
        f"no {NAME}/ directory is nearest; the repository has:\n{rows}",
        where=str(start),
        fix=f"choose one: -C {(below or present)[0]}",
    )


def _root_of(repo: Path, top: Path, path: str | Path) -> Path | None:
    full = repo / path
    base = repo if full.is_relative_to(repo) else top
    # Only below the checkout: it may itself lie in a directory of that name.
    parts = full.relative_to(base).parts if full.is_relative_to(base) else ()
    return top.joinpath(*parts[: parts.index(NAME)]) if NAME in parts else None
