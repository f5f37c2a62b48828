"""What the first line of a commit says of the phase it was made in. Pure.

The form is ``type(P_PHASE): …``, ``type(P_PHASE_SP_PART): …`` or ``type(P_PHASE_SP_C2_PART): …``
for the second cycle.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from orchestrator.errors import UsageError
from orchestrator.work.backlog.pipeline import Phase, Pipeline
from orchestrator.work.backlog.text import one_line

from .policy import Branches

_SUBJECT = re.compile(r"([a-z]+)\(p_([a-z0-9_-]+?)(?:_sp_([a-z0-9_-]+))?\)!?:", re.IGNORECASE)
_CYCLE = re.compile(r"c([1-9]\d{0,5})(?:_(.+))?")
DEFAULT_TYPE = "chore"


@attrs.frozen(kw_only=True)
class Scope:
    """A phase, with the part of it and the cycle, "" and 0 where none is named."""

    phase: str
    subphase: str = ""
    cycle: int = 0


def encode(scope: Scope) -> str:
    """Return the scope as a commit's first line has it."""
    parts = [f"P_{scope.phase}"]
    if scope.subphase or scope.cycle:
        inner = [f"C{scope.cycle}"] if scope.cycle else []
        inner += [scope.subphase] if scope.subphase else []
        parts.append(f"SP_{'_'.join(inner)}")
    return "_".join(parts).upper()


def decode(subject: str, phases: Collection[Phase]) -> Scope | None:
    """Return the scope that a commit's first line begins with, None when it names no such phase.

    Args:
      phases: those that count; only one that is done in cycles has a cycle in its scopes.
    """
    found = _SUBJECT.match(subject)
    if found is None:
        return None
    # Case is all that a scope does not keep.
    phase = next((phase for phase in phases if phase.name == found[2].lower()), None)
    if phase is None:
        return None
    rest = (found[3] or "").lower()
    numbered = _CYCLE.fullmatch(rest) if phase.cycles else None
    if numbered is not None:
        return Scope(phase=phase.name, subphase=numbered[2] or "", cycle=int(numbered[1]))
    return Scope(phase=phase.name, subphase=rest)


def message(
    branches: Branches, phase: Phase, scope: Scope, text: str, commit_type: str = ""
) -> str:
    """Return a commit's message, whose first line tells the scope.

    Args:
      text: what was done; its first line becomes the rest of the first line.
      commit_type: what it begins with; "": as the phase and its part say, else "chore".

    Raises:
      UsageError: the text is blank, its first line is too long, or there is no such type or part.
    """
    kind = commit_type.lower() or phase.commit_types.get(scope.subphase, "") or phase.commit_type
    kind = kind or DEFAULT_TYPE
    if kind not in branches.commit_types:
        raise UsageError(
            f'"{one_line(kind, 40)}" is no type of commit',
            where="commit_type",
            fix=f"take one of {', '.join(branches.commit_types)}",
        )
    check_subphase(phase, scope.subphase)
    body = text.strip()
    if not body:
        raise UsageError("a commit needs a message", where="message", fix="say what was done")
    line = f"{kind}({encode(scope)}): {body}"
    first = line.partition("\n")[0]
    if branches.title_max and len(first) > branches.title_max:
        raise UsageError(
            f"the first line has {len(first)} characters; at most {branches.title_max} are allowed",
            where="message",
            fix="say it shorter, and the rest after an empty line",
        )
    return line


def check_subphase(phase: Phase, subphase: str) -> None:
    """Refuse a part that the phase does not have.

    Raises:
      UsageError: names those it has.
    """
    if subphase and subphase not in phase.subphases:
        there = ", ".join(phase.subphases)
        raise UsageError(
            f'{phase.name} has no sub-phase "{one_line(subphase, 80)}"',
            where="subphase",
            fix=f"take one of {there}" if there else "leave it out: this phase has none",
        )


def names(pipeline: Pipeline) -> tuple[str, ...]:
    """Return the names of all phases that a branch goes through."""
    return tuple(phase.name for phase in phases(pipeline))


def phases(pipeline: Pipeline) -> tuple[Phase, ...]:
    """Return all phases that a branch goes through: those before and those after it is ready."""
    return (*pipeline.pre_phases, *pipeline.phases)
