"""Writes a workflow configuration as the tables of ``orchestrator.toml`` that say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .findings import Findings
from .gates import gate
from .spelling import Value, block, key
from .values import CONTRACTS, ENFORCEMENT, GIT, PHASES, Branches, Contract, Files

_ANCHORED = re.compile(r"\^([^|]*[^|\\])\$")


def write(files: Files, findings: Findings) -> str:
    """Return sound files as TOML; keeps what has to be told."""
    used = {phase for workflow in files.workflows for phase in files.phases_of(workflow)}
    for phase in files.phases:
        if phase not in used:
            findings.note(PHASES, f"phases.{phase}", "left out; no workflow has it")
    return "\n".join([*_branches(files, findings), *_pipelines(files, findings)])


def _branches(files: Files, findings: Findings) -> Iterator[str]:
    git = files.branches
    rule = "the number in a branch <type>/<number>-… is its issue, here as well"
    findings.note(GIT, "branch_types", rule)
    findings.note(GIT, "issue_title_max_length", "left out; no issues are made here")
    yield block(
        "[branches]",
        {
            "types": git.types,
            "names": _names(git, findings),
            "protected": git.protected,
            "default_base": git.default_base,
            "commit_types": git.commit_types,
            "merge_phase": _merge_phase(files, findings),
        },
    )
    if bases := dict(_bases(files, findings)):
        yield block("[branches.bases]", bases)


def _names(git: Branches, findings: Findings) -> str:
    """Return the pattern without anchors, where these say nothing: it is one for the whole name."""
    if not git.pattern.endswith("$"):
        findings.note(GIT, "branch_name_pattern", "the whole name has to match it here")
    anchored = _ANCHORED.fullmatch(git.pattern)
    return anchored[1] if anchored else git.pattern


def _merge_phase(files: Files, findings: Findings) -> str:
    """Return the phase that branches are merged from."""
    (last,) = files.terminals
    asked = [action for action in files.actions if action.type == "check_phase_readiness"]
    chosen = files.merge_phase or (asked[0].policy if asked else last)
    for action in asked:
        text = "said by branches.merge_phase"
        if action.policy != chosen:
            text = f"{action.policy}: left out; branches are merged from {chosen}"
        findings.note(ENFORCEMENT, action.at, text)
    if not files.merge_phase and not asked:
        findings.note(CONTRACTS, "", f"branches are merged from {chosen}, the last phase")
    return chosen


def _bases(files: Files, findings: Findings) -> Iterator[tuple[str, Value]]:
    """Yield the allowed bases by type of branch."""
    policies = files.base_policies
    carried = {action.at for action in policies}
    for action in files.actions:
        if action.type == "check_pr_status":
            findings.note(ENFORCEMENT, action.at, f"{action.type}: left out; no host is asked here")
        elif action.type == "check_branch_policy" and action.at not in carried:
            text = f"{action.type}: left out; nothing asks for it before a branch is made"
            findings.note(ENFORCEMENT, action.at, text)
    for action in policies:
        for name, patterns in action.rules.items():
            if name in files.branches.types:
                yield name, patterns
            else:
                findings.note(ENFORCEMENT, f"{action.at}.rules.{name}", "left out; no such type")


def _pipelines(files: Files, findings: Findings) -> Iterator[str]:
    for name, workflow in files.workflows.items():
        table = f"pipelines.{key(name)}"
        yield block(f"[{table}]", {"description": workflow.description})
        contracts = files.contracts.get(name, {})
        for phase in files.phases_of(name):
            contract = contracts.get(phase, Contract())
            held = dict(_phase(files, phase, contract, findings))
            yield block(f"[[{table}.phases]]", held)


def _phase(
    files: Files, name: str, contract: Contract, findings: Findings
) -> Iterator[tuple[str, Value]]:
    known = files.phases[name]
    yield "name", name
    yield (
        "prompt",
        ": ".join(text for text in (known.display_name, known.description) if text.strip()),
    )
    yield "subphases", contract.subphases or known.subphases
    yield "commit_type", known.commit_type
    yield "commit_types", contract.commit_types
    yield "cycles", contract.cycle_based
    yield "leave", tuple(gate(check, findings) for check in contract.checks)
    of_cycles = [(number, check) for number, of in contract.cycle_checks.items() for check in of]
    if contract.cycle_based:
        yield (
            "leave_cycle",
            tuple({**gate(check, findings), "cycle": number} for number, check in of_cycles),
        )
        return
    for _, check in of_cycles:
        findings.note(CONTRACTS, check.at, "left out; its phase has no cycles")
