"""What an import has to tell: all that is wrong in the files, and what it does not carry over."""

from __future__ import annotations

from typing import NamedTuple

import attrs

from orchestrator.work.backlog.text import one_line

_SHOWN = 3
"""Keys that a note names; of the others it says how many they are."""


class Problem(NamedTuple):
    """One thing wrong in a file: the path of its key, what it is, a way on.

    The path is "" for the whole file.
    """

    file: str
    path: str
    text: str
    fix: str | None = None

    def touches(self, other: Problem) -> bool:
        """Whether they are about the same value, or one about a value within the other's."""
        shorter, longer = sorted((self.path, other.path), key=len)
        return self.file == other.file and (
            shorter in ("", longer) or longer.startswith(f"{shorter}.")
        )

    def line(self) -> str:
        """Return it as one line, without its way on."""
        return ": ".join(filter(None, (self.file, one_line(self.path), self.text)))


@attrs.frozen
class Findings:
    """What was found so far."""

    problems: list[Problem] = attrs.field(factory=list)
    _noted: dict[tuple[str, str], list[str]] = attrs.field(factory=dict)

    def note(self, file: str, path: str, text: str) -> None:
        """Say something about the value of a key; what is said of several keys is said once."""
        self._noted.setdefault((file, text), []).append(one_line(path))

    def notes(self) -> tuple[str, ...]:
        """Return a line for each."""
        return tuple(
            ": ".join(filter(None, (file, _listed(paths), text)))
            for (file, text), paths in self._noted.items()
        )


def _listed(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    return ", ".join(paths[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
