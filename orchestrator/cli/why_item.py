"""Gathers why an item of the backlog is where it is. Blocking."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.adapters.git import refs
from orchestrator.adapters.git.branches import our_branches
from orchestrator.adapters.git.repository import Repository
from orchestrator.report.gather import gather
from orchestrator.report.why import Why
from orchestrator.report.why_item import Circumstances, why_item
from orchestrator.run.lock import running_item, worked_on
from orchestrator.settings import Config

from .listing import ready
from .stored import open_stored


def explain_item(
    repo: Repository, name: str, config: Config, *, now: float, redact: Callable[[str], str]
) -> Why | None:
    """Return why the item that a person means is where it is; None where there is no backlog.

    Args:
      now: Unix time in seconds.
      redact: takes secrets out of a text.

    Raises:
      UnknownItemError: when there is none, or there are several.
    """
    with open_stored(repo.state_dir) as stored:
        if not stored.rows:
            return None
        item = stored.find(name)
        known = {one.id: one for one in stored.items()}
    told = gather(repo, [item.id], now=now, redact=redact).items
    rules, branch = config.rules(), refs.branch_ref(item.id)
    around = Circumstances(
        known=known,
        rules=rules,
        line=[one.id for one in ready(known, rules)],
        attempts=told[0].attempts if told else (),
        branch=branch.removeprefix("refs/heads/") if branch in our_branches(repo.git) else "",
        running=worked_on(running_item(repo.state_dir)) is not None,
    )
    return why_item(item, around)
