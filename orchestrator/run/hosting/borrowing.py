"""Gives a borrowed checkout back at the end of a run. Blocking."""

from __future__ import annotations

from orchestrator.adapters.git import borrowed, workspace
from orchestrator.adapters.git.repository import Repository
from orchestrator.run.hosting.claim import claim_workspace


def release(repo: Repository, item: str) -> tuple[str, ...]:
    """Give back what the item borrowed for a run; returns what a person should know.

    Raises:
      BusyError: when processes of the run do not leave the workspace.
    """
    if not borrowed.note(repo).exists():
        return ()
    place = workspace.place_of(repo, item)
    with claim_workspace(place):
        return workspace.release(repo, place)
