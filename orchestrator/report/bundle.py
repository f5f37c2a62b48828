"""Packs texts into one archive for a bug report: bounded, private, without secrets."""

from __future__ import annotations

import gzip
import io
import os
import re
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from orchestrator.errors import UsageError
from orchestrator.text import clean

PART = 256 << 10
"""Characters of one text; what comes before its last so many is left out."""

_ASSIGNED = re.compile(
    r"(?i)((?:(?:api[_-]?key|token|secret|passw(?:or)?d)\w*[\"']?\s*[=:]|bearer\s)\s*[\"']?)"
    r"(?!\d+\b)[^\s\"',}]{6,}"
)
"""What follows a name that sounds like a secret's, unless it is a number."""

_FOLDER = "orchestrator-report"


@attrs.frozen(kw_only=True)
class Part:
    """One file of the archive; ``about`` says what it holds."""

    name: str
    about: str
    text: str


def sanitized(parts: Sequence[Part], redact: Callable[[str], str]) -> tuple[Part, ...]:
    """Return the parts fit to be given away: names and texts without secrets, and bounded.

    Args:
      redact: takes known secrets out of a text.
    """
    home = os.path.expanduser("~")

    def safe(text: str) -> str:
        text = redact(clean(text))
        if len(home) > 1:
            text = text.replace(home, "~")
        return _ASSIGNED.sub(r"\1[redacted]", text)

    done = []
    for part in parts:
        text = safe(part.text)
        if len(text) > PART:
            text = "[the beginning is left out]\n" + text[-PART:].partition("\n")[2]
        name = re.sub(r"[^A-Za-z0-9._/-]", "_", safe(part.name))
        done.append(attrs.evolve(part, name=name, text=text))
    return tuple(done)


def write_bundle(path: Path, parts: Sequence[Part], now: float) -> None:
    """Write the parts into a new archive that only its owner can read. Blocking.

    Args:
      now: Unix time in seconds, the date of every file in it.

    Raises:
      UsageError: when there is such a file already, or it cannot be made.
    """
    data = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=data, mode="wb", mtime=int(now)) as packed,
        tarfile.open(fileobj=packed, mode="w") as archive,
    ):
        for part in parts:
            content = part.text.encode(errors="replace")
            entry = tarfile.TarInfo(f"{_FOLDER}/{part.name}")
            entry.size, entry.mtime, entry.mode = len(content), int(now), 0o600
            archive.addfile(entry, io.BytesIO(content))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        what = "exists already" if isinstance(error, FileExistsError) else str(error.strerror)
        raise UsageError(what, where=str(path), fix="name another file") from error
    with open(handle, "wb") as file:
        file.write(data.getvalue())
