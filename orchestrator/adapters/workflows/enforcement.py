"""Reads ``enforcement.yaml``: what is asked before and after the calls of that tool."""

from __future__ import annotations

from .table import Table
from .values import Action, Rule


def read_rules(table: Table) -> tuple[Rule, ...]:
    """Return the rules."""
    table.only("enforcement")
    return tuple(map(_rule, table.rows("enforcement")))


def _rule(table: Table) -> Rule:
    table.only("event_source", "timing", "tool", "tool_category", "phase", "actions")
    table.text("phase")
    return Rule(
        at=table.path,
        event_source=table.text("event_source", required=True),
        timing=table.choice("timing", "pre", "post", required=True),
        tool=table.text("tool"),
        tool_category=table.text("tool_category"),
        actions=tuple(map(_action, table.rows("actions"))),
    )


def _action(table: Table) -> Action:
    table.only("type", "policy", "rules", "path", "message")
    for key in ("path", "message"):
        if table.text(key):
            table.note(key, "left out")
    bases = table.table("rules")
    return Action(
        at=table.path,
        type=table.text("type", required=True),
        policy=table.text("policy"),
        rules={name: bases.texts(name, required=True, some=True) for name in bases.names()},
    )
