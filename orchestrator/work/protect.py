"""What a worker may not change unless a task of its story names it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .globs import matches

Definition = Mapping[tuple[str, str], str]
"""How work is verified: by path and part of the file, what it says."""


def complaints(
    changed: Iterable[str],
    globs: Sequence[str],
    before: Definition,
    after: Definition,
    tasks: Iterable[str],
) -> tuple[str, ...]:
    """Return what a worker changed and may not, a sentence each with path and rule.

    Args:
      changed: paths the attempt changed, from the repository's top.
      globs: the protected ones.
      before: how work is verified as the attempt began; ``after``: as it ended.
      tasks: descriptions of the story's tasks; what one names may be changed.
    """
    words = "\n".join(tasks)
    found = []
    for path in changed:
        glob = next((glob for glob in globs if matches(path, glob)), None)
        if glob is not None and not is_named(path, words):
            found.append(
                f"the worker changed {path}, protected by workspace.protect ({glob}), "
                "and no task of the story names it"
            )
    for path, part in sorted(before.keys() | after.keys()):
        same = before.get((path, part)) == after.get((path, part))
        if not same and not is_named(path, words):
            what = f"{part} in {path}" if part else path
            found.append(
                f"the worker changed {what}, which decides how its work is verified, "
                "and no task of the story names it"
            )
    return tuple(found)


def is_named(path: str, words: str) -> bool:
    """Whether a text names a path: in full, by its file's name, or a directory above it as `a/`."""
    parts = path.split("/")
    names = [path, parts[-1], *("/".join(parts[:n]) + "/" for n in range(1, len(parts)))]
    return any(
        re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w/-])(?!\.\w)", words) for name in names
    )
