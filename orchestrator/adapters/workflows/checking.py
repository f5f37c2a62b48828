"""Finds what in the files of a workflow configuration does not go together. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from orchestrator.work.backlog.item import DELIVER, TRIAGE
from orchestrator.work.backlog.text import one_line

from .findings import Problem
from .gates import check_problems
from .table import nearest
from .values import (
    CONTRACTS,
    ENFORCEMENT,
    GIT,
    PHASES,
    WORKFLOWS,
    Action,
    Contract,
    Files,
    Rule,
)

ACTIONS = ("check_branch_policy", "check_pr_status", "check_phase_readiness")
CATEGORIES = ("branch_mutating",)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PIPELINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def problems_between(files: Files) -> Iterator[Problem]:
    """Yield all of it. What could not be read is empty, and nothing is held against that."""
    yield from _workflow_problems(files)
    yield from _phase_problems(files)
    yield from _contract_problems(files)
    yield from _branch_problems(files)
    for rule in files.rules:
        yield from _rule_problems(files, rule)
    yield from _doubled_policies(files)


def _workflow_problems(files: Files) -> Iterator[Problem]:
    if not files.workflows:
        yield Problem(WORKFLOWS, "workflows", "expected one or more, got none")
    for name, workflow in files.workflows.items():
        path = f"workflows.{name}"
        if not _PIPELINE.fullmatch(name):
            yield Problem(WORKFLOWS, path, "expected a name of up to 64 letters, digits, - and _")
        for phase, times in Counter(workflow.phases).items():
            if times > 1:
                yield Problem(WORKFLOWS, f"{path}.phases", f"{phase} comes {times} times")
            yield from _known_phase(files, WORKFLOWS, f"{path}.phases", phase)


def _phase_problems(files: Files) -> Iterator[Problem]:
    if len(files.terminals) != 1:
        got = " and ".join(files.terminals) or "none"
        fix = "say terminal: true for the phase that every workflow ends with, and for no other"
        yield Problem(PHASES, "phases", f"expected exactly one terminal phase, got {got}", fix)
    used = {phase for workflow in files.workflows for phase in files.phases_of(workflow)}
    for name, phase in files.phases.items():
        path = f"phases.{name}"
        if name in used and name in (TRIAGE, DELIVER):
            fix = "give it another name"
            yield Problem(PHASES, path, "every item has a phase of this name here", fix)
        elif name in used:
            yield from _sound_name(PHASES, path, name)
        for place, subphase in enumerate(phase.subphases):
            yield from _sound_name(PHASES, f"{path}.subphases.{place}", subphase)
        if phase.commit_type:
            yield from _known_type(files, PHASES, f"{path}.commit_type_hint", phase.commit_type)


def _contract_problems(files: Files) -> Iterator[Problem]:
    if files.merge_phase:
        path = "merge_policy.pr_allowed_phase"
        yield from _known_phase(files, CONTRACTS, path, files.merge_phase)
    for workflow, contracts in files.contracts.items():
        path = f"workflows.{workflow}"
        if files.workflows and workflow not in files.workflows:
            fix = nearest(workflow, files.workflows)
            yield Problem(CONTRACTS, path, f"no workflow of {WORKFLOWS}", fix)
            continue
        known = files.phases_of(workflow)
        for phase, contract in contracts.items():
            if known and phase not in known:
                text = f"no phase of this workflow in {WORKFLOWS}"
                yield Problem(CONTRACTS, f"{path}.{phase}", text, nearest(phase, known))
            yield from _one_contract(files, f"{path}.{phase}", phase, contract)


def _one_contract(files: Files, path: str, phase: str, contract: Contract) -> Iterator[Problem]:
    types = f"{path}.commit_type_map"
    if contract.cycle_based and not contract.commit_types:
        fix = "say the type of commit for each sub-phase"
        yield Problem(CONTRACTS, types, "a phase with cycles needs one that is not empty", fix)
    for place, subphase in enumerate(contract.subphases):
        yield from _sound_name(CONTRACTS, f"{path}.subphases.{place}", subphase)
    known = files.phases.get(phase)
    subphases = contract.subphases or (known.subphases if known else ())
    for subphase, commit_type in contract.commit_types.items():
        if (known or contract.subphases) and subphase not in subphases:
            text = "no sub-phase of this phase"
            yield Problem(CONTRACTS, f"{types}.{subphase}", text, nearest(subphase, subphases))
        if commit_type:
            yield from _known_type(files, CONTRACTS, f"{types}.{subphase}", commit_type)
    for check in (
        *contract.checks,
        *(each for of in contract.cycle_checks.values() for each in of),
    ):
        yield from check_problems(check)


def _branch_problems(files: Files) -> Iterator[Problem]:
    git = files.branches
    for key, words in (("branch_types", git.types), ("commit_types", git.commit_types)):
        for place, word in enumerate(words):
            if not _WORD.fullmatch(word):
                text = f"expected letters, digits, ., _ and -, got {one_line(repr(word), 60)}"
                yield Problem(GIT, f"{key}.{place}", text)
    try:
        re.compile(git.pattern)
    except (re.error, RecursionError, OverflowError) as error:
        text = f"no regular expression: {one_line(str(error), 80)}"
        yield Problem(GIT, "branch_name_pattern", text)


def _rule_problems(files: Files, rule: Rule) -> Iterator[Problem]:
    if rule.event_source == "tool" and bool(rule.tool) == bool(rule.tool_category):
        got = "both" if rule.tool else "none"
        yield Problem(ENFORCEMENT, rule.at, f"expected one of tool and tool_category, got {got}")
    if rule.tool_category and rule.tool_category not in CATEGORIES:
        text = f"unknown category {one_line(repr(rule.tool_category), 60)}"
        fix = nearest(rule.tool_category, CATEGORIES)
        yield Problem(ENFORCEMENT, f"{rule.at}.tool_category", text, fix)
    for action in rule.actions:
        yield from _action_problems(files, action)


def _action_problems(files: Files, action: Action) -> Iterator[Problem]:
    if action.type not in ACTIONS:
        text = f"unknown action {one_line(repr(action.type), 60)}"
        yield Problem(ENFORCEMENT, f"{action.at}.type", text, nearest(action.type, ACTIONS))
    elif action.type == "check_branch_policy" and not action.rules:
        fix = "say the bases of each type of branch"
        yield Problem(ENFORCEMENT, f"{action.at}.rules", "expected one or more, got none", fix)
    elif action.type == "check_phase_readiness":
        path = f"{action.at}.policy"
        if action.policy:
            yield from _known_phase(files, ENFORCEMENT, path, action.policy)
        else:
            yield Problem(ENFORCEMENT, path, "is missing", "say the phase")


def _doubled_policies(files: Files) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for action in files.base_policies:
        for name in action.rules:
            at = first.setdefault(name, action.at)
            if at != action.at:
                text, fix = f"{at}.rules says it, too", "keep one of them"
                yield Problem(ENFORCEMENT, f"{action.at}.rules.{name}", text, fix)


def _sound_name(file: str, path: str, name: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        expected = "expected a name of up to 64 lower-case letters, digits, - and _"
        yield Problem(file, path, f"{expected}, got {one_line(repr(name), 60)}")


def _known_phase(files: Files, file: str, path: str, phase: str) -> Iterator[Problem]:
    if files.phases and phase not in files.phases:
        text = f"{one_line(repr(phase), 60)} is no phase of {PHASES}"
        yield Problem(file, path, text, nearest(phase, files.phases))


def _known_type(files: Files, file: str, path: str, commit_type: str) -> Iterator[Problem]:
    known = files.branches.commit_types
    if known and commit_type not in known:
        text = f"{one_line(repr(commit_type), 60)} is no commit type of {GIT}"
        yield Problem(file, path, text, nearest(commit_type, known))
