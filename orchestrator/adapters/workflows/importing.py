"""Imports a workflow configuration: five files of YAML become settings of ours. Blocking."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from orchestrator.errors import ConfigError

from .checking import problems_between
from .findings import Findings, Problem
from .reading import read_files
from .toml import write
from .values import FILES, PHASES, WORKFLOWS

_PLACES = ("", ".st3/config", "config")
_MOST = 100
"""Problems that are told at once."""

_OTHERS = ("policies.yaml", "project_structure.yaml")


def import_workflows(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the tables of ``orchestrator.toml``, and notes of what they do not carry over.

    Args:
      path: the directory of the files, one that holds it as ``.st3/config`` or ``config``, or one
        of the files: those beside it are read, too.

    Raises:
      ConfigError: when there are none, when one cannot be read, and when they are not sound or do
        not go together; says all that is wrong in all of them.
    """
    directory = _directory(path)
    findings = Findings()
    files = read_files(directory, findings)
    unread = tuple(findings.problems)
    if len(unread) < _MOST:
        # What follows from a value that could not be read is nothing new.
        new = (each for each in problems_between(files) if not any(map(each.touches, unread)))
        findings.problems.extend(islice(new, _MOST + 1))
    if findings.problems:
        raise _error(findings.problems, directory)
    for name in _OTHERS:
        if os.path.lexists(directory / name):
            findings.note(name, "", "not read")
    return write(files, findings), findings.notes()


def holds_workflows(path: Path) -> bool:
    """Tell whether a path is one of the files, or a directory that has them. Blocking."""
    if path.name in FILES and not path.is_dir():
        return True
    return any(os.path.lexists(path / place / WORKFLOWS) for place in _PLACES)


def _directory(path: Path) -> Path:
    """Return where the files are."""
    if path.name in FILES and not path.is_dir():
        return path.parent
    for place in _PLACES:
        if any(os.path.lexists(path / place / name) for name in (WORKFLOWS, PHASES)):
            return path / place
    raise ConfigError(
        f"no {WORKFLOWS} and {PHASES} in it",
        where=str(path),
        fix="name the directory that holds them, or one of them",
    )


def _error(problems: Sequence[Problem], directory: Path) -> ConfigError:
    if len(problems) == 1:
        (problem,) = problems
        return ConfigError(problem.line(), where=str(directory / problem.file), fix=problem.fix)
    ordered = sorted(problems, key=lambda problem: FILES.index(problem.file))
    lines = [
        f"  - {problem.line()}{f' ({problem.fix})' if problem.fix else ''}"
        for problem in ordered[:_MOST]
    ]
    number = str(len(problems)) if len(problems) <= _MOST else f"more than {_MOST}"
    return ConfigError(
        "\n".join([f"{number} things are wrong; nothing was imported", *lines]),
        where=str(directory),
        fix="mend them, then import again",
    )
