"""The Python environment of a workspace: which interpreter makes it, how a process uses it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path


def base_python(environ: Mapping[str, str], checkout: Path, path: str) -> str | None:
    """Return the interpreter that the operator's own environment is made of.

    An active environment, or one in the checkout, says which Python the project wants; its packages
    must not come along, so that it is the interpreter behind it which is returned.

    Args:
      path: where else to look for one.
    """
    active = environ.get("VIRTUAL_ENV")
    places = [Path(active)] if active else []
    for place in (*places, checkout / ".venv", checkout / "venv"):
        try:
            if (place / "pyvenv.cfg").is_file():
                behind = (place / "bin" / "python").resolve(strict=True)
                if os.access(behind, os.X_OK) and not behind.is_relative_to(place):
                    return str(behind)
        except (OSError, RuntimeError):
            continue
    return shutil.which("python3", path=path)


def make_command(python: str, place: Path) -> str:
    """Return the shell command that makes an empty environment in ``place``."""
    return shlex.join((python, "-m", "venv", "--clear", str(place)))


def use(environment: Mapping[str, str], place: Path) -> dict[str, str]:
    """Return an environment in which the Python in ``place`` and what it installs come first."""
    path = os.pathsep.join((str(place / "bin"), environment.get("PATH", os.defpath)))
    # Configured for the operator's own Python, it would install outside of this one, or fail.
    return {**environment, "PATH": path, "VIRTUAL_ENV": str(place), "PIP_USER": "0"}
