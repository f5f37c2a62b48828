"""What an agent is told who triages a new item. Pure text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from orchestrator.work.records import AttemptRecord

from .folders import idea_file
from .item import TRIAGE, Item
from .pipeline import DEFAULT, Pipelines
from .prompts import PREAMBLE, about, checks, failure, told, unblocked
from .reporting import OUTCOMES, reporting, schema
from .result import Outcome
from .text import one_line

OTHERS = 400
"""How many other items are listed."""


def triage_prompt(
    item: Item,
    *,
    others: Iterable[Item],
    pipelines: Pipelines,
    result_path: str,
    protected: Sequence[str] = (),
    guidance: Sequence[str] = (),
    previous: AttemptRecord | None = None,
    own_tools: bool = False,
) -> str:
    """Return the prompt of a triage.

    Args:
      others: the other items that are not over, those first that matter most.
      pipelines: those that it can choose from.
      result_path: where the result is expected.
      protected: globs of paths that it must not change.
      guidance: what the operator says to this attempt, oldest first.
      previous: the last failure of this visit.
      own_tools: whether the agent reports and asks by our own tools.
    """
    outcomes: Mapping[Outcome, str] = {
        key: text for key, text in OUTCOMES.items() if key is not Outcome.SUBPHASE
    }
    example = schema(
        item.id,
        TRIAGE,
        pipeline_type=DEFAULT if DEFAULT in pipelines else min(pipelines, default=DEFAULT),
        duplicates=["ids of open items that are about the same"],
        description={
            "context": "how things are now",
            "problem": "what is wrong with that",
            "solution": "what to do, roughly",
            "impact": "for whom it matters, and how much",
            "sizing_rationale": "why these ratings",
        },
    )
    parts = [
        f"# Autonomous Triage Agent\n\n{PREAMBLE}",
        *about(item, "## Item to Triage"),
        *unblocked(item),
        *failure(previous),
        *told(guidance),
        *_backlog(item, others),
        _pipelines(pipelines),
        _instructions(item),
        *checks((), protected),
        reporting(
            result_path,
            example,
            outcomes,
            "Rate all four in updated_assessments, and write description in its five parts. "
            "pipeline_type is exactly one of the names above, and duplicates are exactly ids from "
            "the backlog above; leave the list empty when in doubt.",
            own_tools=own_tools,
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _backlog(item: Item, others: Iterable[Item]) -> Iterable[str]:
    rows = [
        f"- {other.id}: {json.dumps(one_line(other.title), ensure_ascii=False)}"
        f" [{other.status.value}]"
        for other in islice((other for other in others if other.id != item.id), OTHERS)
    ]
    if rows:
        yield (
            "## Current Backlog\n\n"
            + "\n".join(rows)
            + "\n\nWhen one of these is about the same as the item, name its id in duplicates: "
            "they become one, and what was begun or added first stays."
        )


def _pipelines(pipelines: Pipelines) -> str:
    rows = "\n".join(
        f"- `{name}`: {one_line(pipelines[name].description)}".removesuffix(": ")
        for name in sorted(pipelines)
    )
    return f"## Available Pipeline Types\n\n{rows}"


def _instructions(item: Item) -> str:
    return f"""\
## Instructions

1. Read the item, and as much of the code as it takes to judge it. Do none of its work.
2. Find out whether it is done already, or a duplicate of another one.
3. Choose the pipeline that suits it.
4. Rate its size by the files it will change: small 1 to 3, medium 4 to 10, large 11 or more.
5. Rate its complexity (low: it is clear how; medium: something is to be found out; high: it is \
to be designed), its risk (low: easily seen and taken back; medium: others rely on what changes; \
high: data, security or interfaces can break) and its impact on those who use the project.
6. Describe it in five parts for someone who knows the project but not the item.
7. When its size or its risk is medium or more, note what you found out in `{idea_file(item)}`. \
What is small and of low risk needs no such file: it is ready for work at once.
8. Report. It is blocked when only a person can say what is meant, or whether it should be done."""
