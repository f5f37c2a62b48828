"""Paths in a checkout: which are taken, how git is told them, how they are shown."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from orchestrator.adapters.process import Completed
from orchestrator.errors import UsageError
from orchestrator.text import one_line

from .running import OwnGit

_MISSING = re.compile(r"pathspec '(?::\(literal\))?(.+?)' did not match any file", re.DOTALL)
_IGNORED = re.compile(r"are ignored by one of your \.gitignore files:\n(.*?)(?:\nhint:|\Z)", re.S)
_BEYOND = re.compile(
    r"pathspec '(?::\(literal\))?(.+?)' (is beyond a symbolic link|is in submodule .*)"
)


def inside(git: OwnGit, paths: Sequence[str]) -> tuple[str, ...]:
    """Return the paths as git is told them, relative to the checkout.

    Raises:
      UsageError: when there is none, or one leads out of the checkout or into ``.git``.
    """
    if not paths:
        raise UsageError("no path is given", fix="name the files, relative to the checkout")
    return tuple(_inside(git.checkout, path) for path in paths)


def _inside(checkout: Path, path: str) -> str:
    name = os.path.normpath(path) if path else ""
    if os.path.isabs(name):
        name = os.path.relpath(name, checkout)
    if not name or "\0" in name or name.split("/")[0] in {"..", ".git"}:
        raise UsageError(
            f"{shown_name(path)!r} is no file of the checkout",
            where=str(checkout),
            fix="name files relative to the top of the checkout",
        )
    return name


def literal(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the end of a command line that names exactly these paths: no pattern is one."""
    return ("--", *(f":(literal){path}" for path in paths))


def listed(paths: Iterable[str]) -> bytes:
    """Return paths as ``--pathspec-from-file=-`` reads them; there is no limit to how many."""
    return b"".join(b":(literal)" + os.fsencode(path) + b"\0" for path in paths)


def covered(path: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``names`` that are ``path`` or lie below it."""
    return tuple(
        name
        for name in names
        if path in {".", name.rstrip("/")} or name.startswith(f"{path}/")
    )  # fmt: skip


def shown_name(name: str) -> str:
    """Return a file's name fit to show: on one line, what cannot be shown escaped."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def shown_names(names: Sequence[str], most: int = 10) -> str:
    """Return the first few of some names as one line."""
    line = ", ".join(shown_name(name) for name in names[:most])
    return line if len(names) <= most else f"{line} and {len(names) - most} more"


def near(wanted: str, known: Iterable[str], otherwise: str) -> str:
    """Return a fix that names what may have been meant, else ``otherwise``."""
    found = difflib.get_close_matches(wanted[:200], list(known), n=3)
    return f"did you mean {shown_names(found)}?" if found else otherwise


def path_error(git: OwnGit, done: Completed, known: Iterable[str]) -> UsageError | None:
    """Return the error for paths that git would not take, or None when it says nothing of paths.

    Args:
      known: the paths that may have been meant.
    """
    said = os.fsdecode(done.stderr)
    if (missing := _MISSING.search(said)) is not None:
        return no_such_path(git, missing[1], known)
    if (ignored := _IGNORED.search(said)) is not None:
        return UsageError(
            f"ignored by git: {shown_names(ignored[1].splitlines())}",
            where=str(git.checkout),
            fix="leave them out, or change .gitignore",
        )
    if (beyond := _BEYOND.search(said)) is not None:
        return UsageError(
            f"{shown_name(beyond[1])} {one_line(beyond[2])}",
            where=str(git.checkout),
            fix="name files of this repository itself",
        )
    return None


def no_such_path(git: OwnGit, path: str, known: Iterable[str]) -> UsageError:
    """Return the error for a path that matches nothing."""
    return UsageError(
        f"no such file: {shown_name(path)}",
        where=str(git.checkout),
        fix=near(path, known, "name files relative to the top of the checkout"),
    )
