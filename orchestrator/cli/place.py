"""Where a light command works: the repository that it stands in, in whatever state that is."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.adapters.git.discover import discover, state_dir
from orchestrator.adapters.git.runner import Git


def open_place(arguments: argparse.Namespace) -> tuple[Git, Path]:
    """Return git and the product's directory there.

    Raises:
      RepositoryError: when there is no repository.
    """
    found = discover(Path(arguments.directory))
    return Git(found.common_dir, None, found.executable), state_dir(found.common_dir)
