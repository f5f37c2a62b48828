"""Tells whether the tools that commands start are still the same ones."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from .shell import simple_commands


def prints_of(commands: Iterable[str], path: str) -> tuple[str, ...]:
    """Return one line for each program that ``commands`` name: where it is, its age and size."""
    names = {words[0] for command in commands for words in simple_commands(command)}
    found = []
    for name in sorted(names):
        place = shutil.which(name, path=path)
        if place is not None:
            real = os.path.realpath(place)
            status = os.stat(real)
            found.append(f"{real} {status.st_mtime_ns} {status.st_size}")
    return tuple(found)
