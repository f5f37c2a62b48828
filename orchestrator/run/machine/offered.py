"""The commands of the phase machine, together."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plugin import Plugin
from orchestrator.run.machine import (
    editing,
    git_ending,
    git_handlers,
    git_looking,
    git_remote,
    handlers,
    reading,
    starting,
)

PLUGINS: Sequence[Plugin] = tuple(
    module.plugin
    for module in (
        starting,
        reading,
        handlers,
        git_looking,
        git_handlers,
        git_remote,
        git_ending,
        editing,
    )
)
"""Those that can be called by name."""
