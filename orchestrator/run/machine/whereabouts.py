"""Answers what is checked out now, with its state, put back or begun when it is missing."""

from __future__ import annotations

from orchestrator.context import Context
from orchestrator.errors import OrchestratorError, StoreError
from orchestrator.run.backlog.book import Book
from orchestrator.run.machine import finding
from orchestrator.run.machine.answers import BranchState
from orchestrator.run.machine.describing import guidance_of, state_of
from orchestrator.run.machine.git_answers import CheckedOut
from orchestrator.run.machine.stepping import KeepRecord


async def checked_out(
    context: Context, branch: str, head: str, by: str, *, created: bool
) -> CheckedOut:
    """Return what is checked out.

    That it has no state, or none that can be told, is part of the answer: it is checked out.

    Raises:
      StoreError: when a state that was put back could not be recorded.
    """
    rules = context.service(Book).rules
    state: BranchState | None = None
    lines = [f"{branch} is checked out, at {head[:9]}"]
    base = ""
    try:
        found = await finding.find(context, branch)
        item = found.item if found.saved else await finding.save(context, found.item, by)
    except StoreError:
        raise
    except OrchestratorError as error:
        lines.append(f"It has no state: {error.message}")
    else:
        if not found.saved:
            lines += await context.call(KeepRecord(item=item.id))
        state = state_of(item, rules, problem=found.problem)
        base = state.base or await finding.base_of(context, branch)
        lines += [state.message, "", guidance_of(item, rules)]
    return CheckedOut(
        message="\n".join(lines).rstrip(),
        branch=branch,
        commit=head,
        base=base,
        created=created,
        state=state,
    )
