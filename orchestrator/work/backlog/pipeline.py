"""Pipelines: the named sequences of phases that items go through, as they are configured."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType

import attrs

from .gate import Gate
from .item import Pool

DEFAULT = "feature"
"""The pipeline of an item that names none."""


class Staleness(enum.Enum):
    """What an exclusive phase does when the commit it is based on left the history."""

    IGNORE = "ignore"
    WARN = "warn"
    BLOCK = "block"


class CommitPolicy(enum.Enum):
    """When a phase's result becomes a commit of the item's branch.

    BATCH: together with those of the phases after it, up to the next IMMEDIATE one.
    """

    IMMEDIATE = "immediate"
    BATCH = "batch"


@attrs.frozen(kw_only=True)
class Phase:
    """One step of a pipeline, and who does it; at most one of the last four says so.

    With none of them the item's agent works by the workflow files, or by the prompt.

    Attributes:
      workflows: files the agent is told to follow; relative to the configuration's directory.
      prompt: what the agent is told, in place of workflow files.
      destructive: it runs alone, and its result is committed at once.
      timeout: seconds of one attempt; None: as configured for all.
      retries: attempts after the first; None: as configured for all.
      agent, model: of this phase; None: as configured for all.
      verify: whether the verify commands decide about its result.
      enter, leave: conditions on beginning it, and on its result.
      command: a shell command, in place of an agent.
      call: a Python function, ``package.module:name``, in place of an agent.
      spec: the change whose stories are worked on, one after another, in place of one prompt.
      subphases: the parts that commits of a branch in it may name.
      commit_type: what such commits begin with; "": "chore".
      commit_types: the same by sub-phase.
      cycles: a branch goes through it in planned rounds.
      leave_cycle: conditions on leaving a round for the next one.
    """

    name: str
    workflows: tuple[str, ...] = ()
    prompt: str = ""
    destructive: bool = False
    staleness: Staleness = Staleness.IGNORE
    commit: CommitPolicy = CommitPolicy.IMMEDIATE
    timeout: float | None = None
    retries: int | None = None
    agent: str | None = None
    model: str | None = None
    verify: bool = True
    enter: tuple[Gate, ...] = ()
    leave: tuple[Gate, ...] = ()
    command: str = ""
    call: str = ""
    spec: str = ""
    subphases: tuple[str, ...] = ()
    commit_type: str = ""
    commit_types: Mapping[str, str] = MappingProxyType({})
    cycles: bool = False
    leave_cycle: tuple[Gate, ...] = ()


@attrs.frozen(kw_only=True)
class Pipeline:
    """A sequence of phases; ``pre_phases`` run before an item is ready, ``phases`` after.

    Attributes:
      description: when it is the right one, for triage.
    """

    name: str
    phases: tuple[Phase, ...]
    pre_phases: tuple[Phase, ...] = ()
    description: str = ""

    def pool(self, pool: Pool) -> tuple[Phase, ...]:
        """Return one of its two lists."""
        return self.pre_phases if pool is Pool.PRE else self.phases

    def find(self, name: str | None) -> tuple[Pool, int, Phase] | None:
        """Return a phase of this name, with where it is; None when there is none."""
        for pool in Pool:
            for index, phase in enumerate(self.pool(pool)):
                if phase.name == name:
                    return pool, index, phase
        return None


Pipelines = Mapping[str, Pipeline]
