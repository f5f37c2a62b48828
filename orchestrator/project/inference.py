"""Infers set-up and verification together, from everything the project's root declares."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from . import make, native, node, python
from .declared import Declared
from .files import ProjectFiles
from .place import MANIFESTS

_DEPTH = 3


@attrs.frozen(kw_only=True)
class Project:
    """How a project is set up and verified, as far as it says so itself.

    Attributes:
      setup, verify: shell commands, to be run in the project's root.
      own_python: whether its Python packages belong into an environment made for the workspace.
      not_used: what was seen and left alone: projects below the root, tools that are missing,
        files that cannot be read.
    """

    setup: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    own_python: bool = False
    not_used: tuple[str, ...] = ()


def look(root: Path, *, path: str, wanted: tuple[str, ...] = ()) -> Project:
    """Return what the project in ``root`` declares. Blocking; only reads.

    Args:
      path: the PATH on which its tools must be found.
      wanted: verify commands that were configured: what they need is part of the set-up.
    """
    files = ProjectFiles(root=root, path=path)
    found = [
        declared
        for read in (node.read, python.read, native.read_cargo, native.read_go)
        if (declared := read(files, wanted)) is not None
    ]
    targets = make.read(files)
    verify = [
        command
        for declared in found
        for command in declared.verify
        if targets is None or not targets.covers(command)
    ]
    if targets is not None:
        verify += targets.commands
    missing = [note for declared in found for note in declared.not_used]
    return Project(
        setup=tuple(command for declared in found for command in declared.setup),
        verify=tuple(verify),
        own_python=any(declared.own_python for declared in found),
        not_used=(*files.problems, *missing, *_below(files, found)),
    )


def _below(files: ProjectFiles, found: list[Declared]) -> list[str]:
    """Name the projects below the root that no workspace of the root's own tools includes."""
    included = {marker for declared in found for marker in declared.includes}
    return [
        path
        for path in files.below(_DEPTH)
        if os.sep in path and (name := os.path.basename(path)) in MANIFESTS and name not in included
    ]
