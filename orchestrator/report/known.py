"""The records of some items, read once for all of them. Blocking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import attrs

from orchestrator.adapters.git.repository import Repository
from orchestrator.run.delivery.pins import read_deliveries
from orchestrator.run.records.history import read_history
from orchestrator.work.records import (
    AttemptRecord,
    DeliveryRecord,
    RunRecord,
    attempt_from,
    run_from,
)


@attrs.frozen(kw_only=True)
class Known:
    """Records by their item, each oldest first."""

    runs: defaultdict[str, list[RunRecord]] = attrs.field(factory=lambda: defaultdict(list))
    attempts: defaultdict[str, list[AttemptRecord]] = attrs.field(factory=lambda: defaultdict(list))
    deliveries: defaultdict[str, list[DeliveryRecord]] = attrs.field(
        factory=lambda: defaultdict(list)
    )


def read_known(repo: Repository, items: Sequence[str]) -> Known:
    """Return what is recorded of these items, and maybe of others.

    Raises:
      StoreError: when there is a store that cannot be read.
      AdapterError: when git fails.
    """
    only = items[0] if len(items) == 1 else None
    known, history = Known(), read_history(repo.git, only)
    for run in filter(None, map(run_from, history.runs)):
        known.runs[run.item].append(run)
    for attempt in filter(None, map(attempt_from, history.attempts)):
        known.attempts[attempt.item].append(attempt)
    for delivery in read_deliveries(repo, only):
        known.deliveries[delivery.item].append(delivery)
    return known
