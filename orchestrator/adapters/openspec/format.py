"""How OpenSpec changes are found in a checkout. Blocking; worker threads only."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from orchestrator.errors import NoSpecError

from .reader import OpenSpec
from .root import NAME, find_roots


class OpenSpecFormat:
    """Changes below ``openspec/changes``."""

    name = "OpenSpec"
    looks_for = f"{NAME}/ directory"

    def nearest(
        self, top: Path, start: Path, tracked: Callable[[str], Sequence[Path]]
    ) -> OpenSpec | None:
        """Return the changes of the nearest ``openspec/``, or of the only one below."""
        below = (os.path.relpath(path, top) for path in tracked(NAME))
        try:
            return OpenSpec(find_roots(top, start, below))
        except NoSpecError:
            return None

    def below(self, root: Path) -> OpenSpec:
        """Return the changes below a root."""
        return OpenSpec(root)

    def named(self, top: Path, path: Path) -> tuple[OpenSpec, str] | None:
        """Return the change whose directory, or a file in it, lies at the path."""
        parts = path.relative_to(top).parts
        for index in range(len(parts) - 2):
            if parts[index : index + 2] == (NAME, "changes"):
                return OpenSpec(top.joinpath(*parts[:index])), parts[index + 2]
        return None
