"""How a command runs the operator's git: within its deadline, and not in the way of others."""

from __future__ import annotations

import attrs

from orchestrator.adapters.git.checkout.running import OwnGit
from orchestrator.adapters.git.repository import Repository
from orchestrator.context import Context
from orchestrator.run.threads import GitThreads

_PATIENCE = 10.0
"""How many times longer a command may take that runs hooks, or asks a remote."""


def own_git(context: Context) -> OwnGit:
    """Return git as the operator has it, on his checkout."""
    repo = context.service(Repository)
    return OwnGit(
        executable=repo.git.executable, checkout=repo.checkout, deadline=repo.git.deadline
    )


def patient_git(context: Context) -> OwnGit:
    """Return the same with the time that hooks and remotes need."""
    git = own_git(context)
    return attrs.evolve(git, deadline=git.deadline * _PATIENCE)


def apart(context: Context) -> GitThreads:
    """Return threads for what waits for hooks or remotes, so that nobody waits with it."""
    return context.service(GitThreads).apart()
