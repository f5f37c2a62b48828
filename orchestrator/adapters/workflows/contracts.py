"""Reads ``phase_contracts.yaml``: what each workflow asks for before a phase is left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from .table import Table
from .values import Check, Contract

_FIELDS = ("file", "heading", "text", "dir", "pattern", "path")


def read_contracts(table: Table) -> tuple[str, Mapping[str, Mapping[str, Contract]]]:
    """Return the phase that branches are merged from, and the contracts by workflow and phase."""
    table.only("merge_policy", "workflows")
    policy = table.table("merge_policy", required=True)
    policy.only("pr_allowed_phase", "branch_local_artifacts")
    for artifact in policy.rows("branch_local_artifacts"):
        artifact.only("path", "reason")
        artifact.text("path", required=True)
        artifact.text("reason")
        artifact.note("path", "left out; the state of a branch is no file of its tree here")
    contracts = {
        workflow: {phase: _contract(each) for phase, each in held.tables()}
        for workflow, held in table.table("workflows").tables()
    }
    return policy.text("pr_allowed_phase", required=True), contracts


def _contract(table: Table) -> Contract:
    table.only(
        *("subphases", "commit_type_map", "cycle_based", "exit_requires", "cycle_exit_requires")
    )
    types = table.table("commit_type_map")
    return Contract(
        subphases=table.texts("subphases"),
        commit_types={name: types.text(name, required=True) for name in types.names()},
        cycle_based=table.truth("cycle_based"),
        checks=_checks(table, "exit_requires"),
        cycle_checks=dict(_cycles(table.table("cycle_exit_requires"))),
    )


def _cycles(table: Table) -> Iterator[tuple[int, tuple[Check, ...]]]:
    for number in table.names():
        if re.fullmatch(r"[1-9][0-9]{0,5}", number):
            yield int(number), _checks(table, number)
        else:
            table.wrong(number, "expected the number of a cycle, from 1")


def _checks(table: Table, key: str) -> tuple[Check, ...]:
    return tuple(map(_check, table.rows(key)))


def _check(table: Table) -> Check:
    table.only("id", "type", "required", *_FIELDS)
    table.text("id", required=True)
    table.note("id", "left out; a gate is told by what it asks for")
    if not table.truth("required", default=True):
        table.note("required", "left out; every gate blocks, there as well as here")
    return Check(
        at=table.path,
        type=table.text("type", required=True),
        fields={name: text for name in _FIELDS if (text := table.text(name))},
    )
