"""What a person sees: data on stdout, progress on stderr, colour only where it is wanted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from orchestrator.errors import OrchestratorError
from orchestrator.redact import redactor
from orchestrator.text import duration, one_line

VERSION = 1
"""Of the JSON documents: raised when a field goes or changes its meaning."""

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "dim": "2", "bold": "1"}


def coloured(text: str, colour: str, stream: TextIO | Quiet) -> str:
    """Return ``text`` in ``colour`` when ``stream`` is a terminal and NO_COLOR is not set."""
    plain_wanted = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    if plain_wanted or not stream.isatty():
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def width() -> int:
    """Return the columns of the terminal, 100 when there is none."""
    return max(40, shutil.get_terminal_size((100, 24)).columns)


class Quiet:
    """A stream that goes quiet when nobody reads it any more: work goes on without listeners."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def isatty(self) -> bool:
        """Tell whether a person may be looking."""
        return self._stream is not None and self._stream.isatty()

    def write(self, text: str) -> None:
        """Write and flush ``text``, or nothing."""
        if self._stream is None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # What is buffered would be complained about when Python exits.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self._stream = None


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout, with the version that all of them share."""
    sys.stdout.write(json_text(document))
    sys.stdout.flush()


def json_text(document: Mapping[str, Any]) -> str:
    """Return one JSON document as a line, with the version that all of them share."""
    return json.dumps({"version": VERSION, **document}, ensure_ascii=True) + "\n"


def print_error(error: OrchestratorError, *, as_json: bool) -> None:
    """Tell what happened, where, and what to do; one document on stdout under ``--json``."""
    redact = redactor(os.environ).text
    told = {key: value and redact(value) for key, value in error.document().items()}
    if as_json:
        print_json(told)
        return
    lines = [coloured("error: ", "red", sys.stderr) + str(told["message"])]
    if told["where"]:
        lines.append(f"  where: {told['where']}")
    if told["fix"]:
        lines.append(f"  fix:   {told['fix']}")
    print("\n".join(lines), file=sys.stderr)


def build_line(setup: Sequence[str], verify: Sequence[str], not_used: Sequence[str]) -> str:
    """Return set-up and verification on one line, with what was seen and left alone."""
    made, done, left = build_words(setup, verify, not_used)
    return f"setup: {made}; verify: {done}{left and f' {left}'}"


def build_words(
    setup: Sequence[str], verify: Sequence[str], not_used: Sequence[str]
) -> tuple[str, str, str]:
    """Return set-up, verification, and what was seen and left alone or "", for a person."""
    return (
        one_line(", ".join(setup), 200) or "nothing",
        one_line(", ".join(verify), 200) or "nothing: done will mean unverified",
        f"(seen, not used: {one_line(shortened(not_used), 200)})" if not_used else "",
    )


def shortened(names: Sequence[str], most: int = 3) -> str:
    """Return the first few of some names, and how many more there are."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def ago(at: float) -> str:
    """Return how long ago a Unix time in seconds was, as "3m02s ago"."""
    return f"{duration(max(0.0, time.time() - at))} ago"
