"""A scratch repository whose change was run to its end, copied from the first that was made."""

from __future__ import annotations

import shutil
from pathlib import Path

import attrs

from tests.scratch import CHANGE, Scratch, make_scratch

BRANCH = f"orchestrator/{CHANGE}"
_made: list[Scratch] = []


def make_finished(directory: Path, cache: Path) -> Scratch:
    """Make one below ``directory``; the run that finished it took place once, below ``cache``."""
    if not _made:
        first = make_scratch(cache)
        ran = first.orc("run", CHANGE)
        assert ran.code == 0, ran.err
        _made.append(first)
    first = _made[0]
    shutil.copytree(first.home, directory, symlinks=True, dirs_exist_ok=True)
    made = attrs.evolve(first, home=directory, path=directory / first.path.name)
    made.git("update-index", "-q", "--refresh")
    made.configure()
    return made


def user_content(found: dict[str, object]) -> dict[str, object]:
    """Return a fingerprint without the times of files, which change when one is put back."""
    return {
        name: (value[0], value[2]) if isinstance(value, tuple) else value
        for name, value in found.items()
    }
