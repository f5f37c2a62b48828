"""Where the workflow files of a phase are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def workflow_path(workflow: str, base_dir: Path, environ: Mapping[str, str]) -> Path:
    """Return the file that a phase's configuration names.

    Args:
      base_dir: directory of the configuration file, which a relative path starts from.
      environ: the operator's environment, for the home that ``~`` stands for.
    """
    if workflow == "~" or workflow.startswith("~/"):
        return Path(environ.get("HOME", "/"), workflow[2:])
    return base_dir / workflow
