"""How an agent is told to report on a phase: the file, its keys, and what the outcomes mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .result import Outcome

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.COMPLETE: "all of this phase is done.",
    Outcome.SUBPHASE: (
        "a part is done and works, and you will be asked again for the rest; only for phases "
        "that build step by step."
    ),
    Outcome.FAILED: "it cannot be done this way; summary says why. It will be tried again.",
    Outcome.BLOCKED: (
        "only a person can decide how, or whether, to go on; also when the work turns out not to "
        "be needed. context holds the question, asks what kind of answer it takes."
    ),
}
"""What a report may claim, and when."""


def schema(item: str, phase: str, **more: Any) -> dict[str, Any]:
    """Return an example of a report on a phase of an item, with keys of one's own at its end."""
    return {
        "item_id": item,
        "phase": phase,
        "result": "phase_complete",
        "summary": "what was done, in a sentence or two",
        "context": "what else is to be known; the question, when blocked",
        "asks": "clarification | decision | approval",
        "updated_assessments": {
            "size": "small | medium | large",
            "complexity": "low | medium | high",
            "risk": "low | medium | high",
            "impact": "low | medium | high",
        },
        "commit_summary": "what the commit does, in the imperative",
        "follow_ups": [
            {
                "title": "other work, in one line",
                "context": "why, and where to begin",
                "suggested_size": "small | medium | large",
                "suggested_risk": "low | medium | high",
            }
        ],
        **more,
    }


def reporting(
    result_path: str,
    example: Mapping[str, Any],
    outcomes: Mapping[Outcome, str],
    rules: str,
    *,
    own_tools: bool = False,
) -> str:
    """Return the section that says how to report.

    Args:
      own_tools: whether the agent can do so by our own tools.
    """
    meanings = "\n".join(f"- `{outcome.value}`: {text}" for outcome, text in outcomes.items())
    shown = json.dumps(example, indent=2, ensure_ascii=False)
    tools = (
        "The last thing you do is to call the tool `report_result` of the MCP server "
        "`orchestrator`, with the keys below but item_id and phase as its arguments, or its tool "
        "`ask_operator` when you are blocked; then end your turn. Without these tools it goes "
        "like this.\n\n"
    )
    return (
        f"## Structured Output\n\n{tools if own_tools else ''}"
        "The last thing you do is to write this file, whose path is "
        f"also in $ORCHESTRATOR_RESULT:\n\n```\n{result_path}\n```\n\n"
        "It holds one JSON object and nothing else. item_id, phase, result and summary are "
        "needed, and item_id and phase are exactly these; leave out what you have nothing to say "
        f"about:\n\n```json\n{shown}\n```\n\nresult is one of:\n\n{meanings}\n\n{rules}"
    )
