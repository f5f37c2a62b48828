"""How an engine told the end of its work on a run, from the facts that it recorded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from orchestrator.store.reading import FactRow
from orchestrator.work.records import RunRecord


@attrs.frozen(kw_only=True)
class Ending:
    """How an engine told its end; without a word it was interrupted."""

    state: str = "interrupted"
    reason: str = ""
    evidence: str = ""
    advice: str = ""


def ending_of(run: RunRecord, facts: Sequence[FactRow]) -> Ending:
    """Return how the last engine that worked on a run told its end, if it did."""
    names = ("run_started", "baseline_failed", "run_ended")
    told = [fact for fact in facts if fact.run == run.id and fact.name in names]
    if not told:
        return Ending()
    last = {key: str(value) for key, value in told[-1].document.items()}
    match told[-1].name:
        case "run_ended":
            state, advice = last.get("state", "interrupted"), last.get("advice", "")
            return Ending(state=state, reason=last.get("reason", ""), advice=advice)
        case "baseline_failed":
            reason = f"`{last.get('command')}` fails before any work ({last.get('reason')})"
            advice = "mend it, choose other commands (--setup, --verify), or --baseline skip"
            return Ending(reason=reason, evidence=last.get("output", ""), advice=advice)
        case _:
            return Ending()
