"""Reads the files in which a project declares something, without trusting what lies there."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

LARGEST = 1 << 20
"""Bytes above which a file declares nothing to us."""

_ENTRIES = 5_000
_SKIPPED = {
    "node_modules", "vendor", "venv", "env", "target", "dist", "build", "site-packages",
    "third_party", "fixtures", "testdata", "__pycache__", "openspec",
}  # fmt: skip


@attrs.define(kw_only=True)
class ProjectFiles:
    """The files of one project.

    Attributes:
      root: the project's directory.
      path: the PATH on which its tools would be found.
      problems: what was there but could not be used, one phrase each.
    """

    root: Path
    path: str
    problems: list[str] = attrs.field(factory=list)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.root / name).is_file()

    def tool(self, name: str) -> bool:
        """Whether a program of that name is installed."""
        return shutil.which(name, path=self.path) is not None

    def text(self, name: str) -> str | None:
        """Return a file's text; None when there is none, or none that can be used."""
        try:
            data = read_inside(self.root, name)
        except ValueError as error:
            self._note(f"{name} {error}")
            return None
        if data is None:
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            self._note(f"{name} is not UTF-8")
            return None

    def json(self, name: str) -> Mapping[str, Any] | None:
        """Return the object in a JSON file; None when there is none."""
        text = self.text(name)
        if text is None:
            return None
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            self._note(f"{name} is not a JSON object")
            return None
        return found

    def toml(self, name: str) -> Mapping[str, Any] | None:
        """Return the tables in a TOML file; None when there are none."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError):
            self._note(f"{name} is not valid TOML")
            return None

    def below(self, depth: int, start: str = ".") -> Iterator[str]:
        """Yield the files below ``start``, at most ``depth`` directories down, hidden and
        generated ones left out; a few thousand at most."""
        left = _ENTRIES
        waiting = [(self.root / start, 0)]
        while waiting:
            directory, level = waiting.pop(0)
            try:
                entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in entries:
                left -= 1
                if left < 0:
                    return
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if level < depth and entry.name not in _SKIPPED:
                        waiting.append((Path(entry.path), level + 1))
                elif entry.is_file(follow_symlinks=False):
                    yield os.path.relpath(entry.path, self.root)

    def _note(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def read_inside(root: Path, name: str) -> bytes | None:
    """Return a regular file's bytes, or None when there is no file of that name.

    Raises:
      ValueError: with the reason, when it lies outside ``root``, is larger than `LARGEST`, is no
        regular file or cannot be read.
    """
    path = root / name
    try:
        if not path.resolve(strict=True).is_relative_to(root.resolve()):
            raise ValueError("leads out of the project")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError):  # a loop of links is a RuntimeError before Python 3.13
        raise ValueError("cannot be read") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if stat.S_ISDIR(found.st_mode):
            return None
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("is no regular file")
        if found.st_size > LARGEST:
            raise ValueError("is too large")
        return file.read(LARGEST)
