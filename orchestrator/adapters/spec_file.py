"""Reads one file of a spec: bounded, and whatever its bytes are. Blocking; worker threads only."""

from __future__ import annotations

from pathlib import Path

from orchestrator.errors import SpecError

FILE_LIMIT = 4 * 1024 * 1024
"""Largest file that is read, in bytes."""


def read_text(path: Path, warnings: list[str]) -> str:
    """Return a file's text, "" when it is missing; bytes that are no UTF-8 are replaced.

    Args:
      warnings: gets a line about such bytes.

    Raises:
      SpecError: when it is larger than `FILE_LIMIT`, or unreadable.
    """
    # A pipe or device of that name would block the thread for ever.
    if not path.is_file():
        return ""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(data) > FILE_LIMIT:
        raise SpecError(
            f"{path.name} is larger than {FILE_LIMIT // 1024 // 1024} MiB",
            where=str(path),
            fix="split it, or move what is no spec out of it",
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        warnings.append(f"{path.name}: line {line}: not UTF-8; unreadable characters are replaced")
        return data.decode(errors="replace")


def unreadable(path: Path, error: OSError) -> SpecError:
    """Return the error that says why a file or directory of a spec cannot be read."""
    return SpecError(
        f"{path.name} cannot be read: {error.strerror}",
        where=str(path),
        fix="see to its permissions",
    )
