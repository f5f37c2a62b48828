"""Reads how commits differ: files, lines, and patches as far as there is room. Blocking."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import attrs

from orchestrator.adapters.git.runner import Git
from orchestrator.adapters.git.stat import FileStat, patch, stat
from orchestrator.errors import AdapterError
from orchestrator.text import clean

from .cleaning import MOST_FILES, Cleaner
from .model import Diff, FileChange

_PATCH = 64 << 10
_PATCHABLE = 20_000


@attrs.define(eq=False, kw_only=True)
class Differences:
    """Reads the differences of one item.

    Attributes:
      room: how many characters its patches may have together; 0: none are wanted.
    """

    git: Git
    clean: Cleaner
    room: int
    _with_patches: bool = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._with_patches = self.room > 0

    def between(self, base: str, tip: str) -> Diff | None:
        """Return how two commits differ, None when there is too much to count."""
        try:
            return self.of(stat(self.git, base, tip), base, tip)
        except AdapterError:
            return None

    def of(self, files: Sequence[FileStat], a: str, b: str) -> Diff:
        """Return how ``b`` differs from ``a``, of which the changed files are known."""
        added = sum(file.added or 0 for file in files)
        removed = sum(file.removed or 0 for file in files)
        text, cut = "", False
        if self._with_patches and files:
            cut = True
            if added + removed <= _PATCHABLE and self.room > 0:
                with suppress(AdapterError):
                    text, cut = patch(self.git, a, b, min(_PATCH, self.room))
                    self.room -= len(text)
        return Diff(
            files=tuple(
                FileChange(path=self.clean.line(file.path), added=file.added, removed=file.removed)
                for file in files[:MOST_FILES]
            ),
            count=len(files),
            added=added,
            removed=removed,
            patch=self.clean.redact(clean(text)),
            cut=cut,
        )
