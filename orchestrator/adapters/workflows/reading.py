"""Reads the YAML files of a workflow configuration. Blocking."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.adapters.backlog import yaml_values
from orchestrator.adapters.backlog.files import read_bytes
from orchestrator.errors import BacklogFileError

from .contracts import read_contracts
from .enforcement import read_rules
from .findings import Findings, Problem
from .table import Table
from .values import (
    CONTRACTS,
    ENFORCEMENT,
    GIT,
    PHASES,
    WORKFLOWS,
    Branches,
    Files,
    Workflow,
    WorkPhase,
)

LIMIT = 1 << 20
"""Largest file that is read, in bytes."""

_TYPES = ("feature", "bug", "fix", "refactor", "docs", "hotfix", "epic")
_COMMIT_TYPES = (
    *("feat", "fix", "docs", "style", "refactor", "test"),
    *("chore", "perf", "ci", "build", "revert"),
)

_WITHOUT: dict[str, tuple[str, Mapping[str, Any] | None]] = {
    CONTRACTS: ("not there: no phase has gates or cycles", None),
    GIT: ("not there: what that tool takes for it is written", {}),
    ENFORCEMENT: ("not there: a branch may begin at any other", {}),
}
"""What it means that a file is not there, and what is read instead; None: nothing."""


def read_files(directory: Path, findings: Findings) -> Files:
    """Read the files in a directory; all that is wrong in them, and what to tell, is kept."""
    workflows = _workflows(_open(directory, WORKFLOWS, findings))
    phases = _phases(_open(directory, PHASES, findings))
    merge_phase, contracts = read_contracts(_open(directory, CONTRACTS, findings, strict=True))
    branches = _branches(_open(directory, GIT, findings))
    rules = read_rules(_open(directory, ENFORCEMENT, findings, strict=True))
    return Files(
        workflows=workflows,
        phases=phases,
        terminals=tuple(name for name, phase in phases.items() if phase.terminal),
        merge_phase=merge_phase,
        contracts=contracts,
        branches=branches,
        rules=rules,
    )


def _open(directory: Path, name: str, findings: Findings, *, strict: bool = False) -> Table:
    path = directory / name
    if name in _WITHOUT and not os.path.lexists(path):
        text, held = _WITHOUT[name]
        findings.note(name, "", text)
        return Table(name, "", held, findings, strict)
    lost = Table(name, "", None, findings, strict)
    try:
        node = yaml_values.parse(read_bytes(path, LIMIT), name)
        value = yaml_values.plain(node, name) if node is not None else None
    except BacklogFileError as error:
        text = error.message.removeprefix(name).lstrip(": ")
        findings.problems.append(Problem(name, "", text, error.fix))
        return lost
    if not isinstance(value, dict):
        findings.problems.append(Problem(name, "", "expected a mapping of keys to values"))
        return lost
    return Table(name, "", value, findings, strict)


def _workflows(table: Table) -> Mapping[str, Workflow]:
    table.only("version", "workflows")
    table.text("version", required=True)
    held = table.table("workflows", required=True)
    return {name: _workflow(name, each) for name, each in held.tables()}


def _workflow(key: str, table: Table) -> Workflow:
    table.only("name", "phases", "default_execution_mode", "description")
    name = table.text("name", required=True)
    if name != key:
        table.note("name", f"{key} is its name here")
    if table.choice("default_execution_mode", "interactive", "autonomous"):
        table.note("default_execution_mode", "left out; it changes nothing there either")
    return Workflow(
        phases=table.texts("phases", required=True, some=True),
        description=table.text("description"),
    )


def _phases(table: Table) -> Mapping[str, WorkPhase]:
    table.only("version", "phases")
    table.text("version", required=True)
    held = table.table("phases", required=True)
    return {name: _phase(each) for name, each in held.tables()}


def _phase(table: Table) -> WorkPhase:
    legacy = ("exit_requires", "entry_expects")
    table.only(
        *("display_name", "description", "commit_type_hint", "subphases", "terminal", *legacy)
    )
    for key in legacy:
        if any(True for _ in table.rows(key)):
            table.note(key, "left out: keys of a plan; gates on files are in phase_contracts.yaml")
    return WorkPhase(
        display_name=table.text("display_name"),
        description=table.text("description"),
        commit_type=table.text("commit_type_hint"),
        subphases=table.texts("subphases"),
        terminal=table.truth("terminal"),
    )


def _branches(table: Table) -> Branches:
    keys = ("branch_types", "protected_branches", "branch_name_pattern", "commit_types")
    table.only(*keys, "default_base_branch", "issue_title_max_length")
    return Branches(
        types=table.texts("branch_types", default=_TYPES, some=True),
        protected=table.texts(
            "protected_branches", default=("main", "master", "develop"), some=True
        ),
        pattern=table.text("branch_name_pattern", default="^[a-z0-9-]+$"),
        commit_types=table.texts("commit_types", default=_COMMIT_TYPES, some=True),
        default_base=table.text("default_base_branch", default="main"),
    )
