"""What the files of a workflow configuration say, and the names they have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import attrs

WORKFLOWS = "workflows.yaml"
PHASES = "workphases.yaml"
CONTRACTS = "phase_contracts.yaml"
GIT = "git.yaml"
ENFORCEMENT = "enforcement.yaml"

FILES = (WORKFLOWS, PHASES, CONTRACTS, GIT, ENFORCEMENT)


@attrs.frozen(kw_only=True)
class Workflow:
    """An entry of ``workflows.yaml``."""

    phases: tuple[str, ...]
    description: str = ""


@attrs.frozen(kw_only=True)
class WorkPhase:
    """An entry of ``workphases.yaml``.

    Attributes:
      commit_type: of commits in it, "" for none.
      terminal: whether every workflow ends with it.
    """

    display_name: str = ""
    description: str = ""
    commit_type: str = ""
    subphases: tuple[str, ...] = ()
    terminal: bool = False


@attrs.frozen(kw_only=True)
class Check:
    """A condition on leaving a phase.

    Attributes:
      at: the path of its key in ``phase_contracts.yaml``.
      fields: what it asks for, by the keys that are given.
    """

    at: str
    type: str
    fields: Mapping[str, str]


@attrs.frozen(kw_only=True)
class Contract:
    """What ``phase_contracts.yaml`` says of a phase in a workflow.

    Attributes:
      commit_types: by sub-phase.
      cycle_checks: on leaving a cycle, by its number.
    """

    subphases: tuple[str, ...] = ()
    commit_types: Mapping[str, str] = MappingProxyType({})
    cycle_based: bool = False
    checks: tuple[Check, ...] = ()
    cycle_checks: Mapping[int, tuple[Check, ...]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Branches:
    """What ``git.yaml`` says."""

    types: tuple[str, ...]
    protected: tuple[str, ...]
    pattern: str
    commit_types: tuple[str, ...]
    default_base: str


@attrs.frozen(kw_only=True)
class Action:
    """What a rule does; ``rules`` are the bases by type of branch."""

    at: str
    type: str
    policy: str = ""
    rules: Mapping[str, tuple[str, ...]] = MappingProxyType({})


@attrs.frozen(kw_only=True)
class Rule:
    """An entry of ``enforcement.yaml``."""

    at: str
    event_source: str
    timing: str
    tool: str = ""
    tool_category: str = ""
    actions: tuple[Action, ...] = ()

    @property
    def guards_new_branches(self) -> bool:
        """Whether its actions are asked before a branch is made."""
        asked = self.tool == "create_branch" or self.tool_category == "branch_mutating"
        return self.event_source == "tool" and self.timing == "pre" and asked


@attrs.frozen(kw_only=True)
class Files:
    """All of it; what could not be read is empty.

    Attributes:
      terminals: the phases that every workflow ends with; one, when all is well.
      merge_phase: the only one that a branch is merged from, "" when none is said.
      contracts: by workflow and phase.
    """

    workflows: Mapping[str, Workflow]
    phases: Mapping[str, WorkPhase]
    terminals: tuple[str, ...]
    merge_phase: str
    contracts: Mapping[str, Mapping[str, Contract]]
    branches: Branches
    rules: tuple[Rule, ...]

    @property
    def actions(self) -> tuple[Action, ...]:
        """What the rules do."""
        return tuple(action for rule in self.rules for action in rule.actions)

    @property
    def base_policies(self) -> tuple[Action, ...]:
        """Those that say where a new branch may begin."""
        return tuple(
            action
            for rule in self.rules
            if rule.guards_new_branches
            for action in rule.actions
            if action.type == "check_branch_policy"
        )

    def phases_of(self, workflow: str) -> tuple[str, ...]:
        """Return the phases of a workflow with the terminal one, in their order; () for none."""
        held = self.workflows.get(workflow)
        if held is None or not held.phases or not self.terminals:
            return ()
        return tuple(dict.fromkeys((*held.phases, *self.terminals)))
