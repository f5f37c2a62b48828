"""``spec.md``: requirements and their GIVEN/WHEN/THEN scenarios. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from orchestrator.work.spec import Scenario

if TYPE_CHECKING:
    from markdown_it.token import Token

_OPERATION = re.compile(r"(ADDED|MODIFIED|REMOVED|RENAMED)\s+Requirements", re.IGNORECASE)
_REQUIREMENT = re.compile(r"Requirement:\s*(.*)", re.IGNORECASE | re.DOTALL)
_SCENARIO = re.compile(r"Scenario:\s*(.*)", re.IGNORECASE | re.DOTALL)
_STEP = re.compile(
    r"[*_]*(GIVEN|WHEN|THEN|AND|BUT)(?![\w-])[*_]*\s*[:,]?[*_]*\s*(.*)", re.IGNORECASE | re.DOTALL
)
_BARE_STEP = re.compile(r"(?:\*\*|__)(?:GIVEN|WHEN|THEN|AND|BUT)\b", re.IGNORECASE)


@attrs.define(kw_only=True)
class _Draft:
    """A scenario while its steps are read."""

    name: str
    requirement: str
    operation: str
    steps: list[tuple[str, list[str]]] = attrs.field(factory=list)

    def add_step(self, keyword: str, text: str) -> None:
        """Begin a step; AND and BUT go on with the keyword before them."""
        keyword = keyword.upper()
        if keyword in ("AND", "BUT"):
            keyword = self.steps[-1][0] if self.steps else "GIVEN"
        self.steps.append((keyword, [text]))

    def extend_step(self, text: str) -> None:
        """Add a line to the step that was begun last, if any."""
        if self.steps:
            self.steps[-1][1].append(text)

    def finish(self, capability: str) -> Scenario:
        texts = [(keyword, "\n".join(lines).strip()) for keyword, lines in self.steps]
        given, when, then = (
            tuple(text for keyword, text in texts if keyword == wanted and text)
            for wanted in ("GIVEN", "WHEN", "THEN")
        )
        return Scenario(
            name=self.name,
            capability=capability,
            requirement=self.requirement,
            operation=self.operation,
            given=given,
            when=when,
            then=then,
        )


def parse_scenarios(text: str, capability: str) -> tuple[Scenario, ...]:
    """Read the scenarios of one spec file, main spec or delta, in document order.

    Every ``#### Scenario:`` heading outside code is one scenario. Wrapped lines are joined with
    spaces; nested bullets and code stay in the text of their step as lines of their own.

    Args:
      capability: the name that the scenarios carry; the spec's directory.
    """
    return tuple(draft.finish(capability) for draft in _drafts(_tokens(text)))


def _tokens(text: str) -> Sequence[Token]:
    # Imported late: most commands read no spec.
    from markdown_it import MarkdownIt

    # Without inline rules a text block keeps its source, and hostile emphasis costs nothing.
    return MarkdownIt("commonmark").disable("inline").parse(text.removeprefix("\ufeff"))


def _drafts(tokens: Sequence[Token]) -> Iterator[_Draft]:
    operation = requirement = ""
    draft: _Draft | None = None
    depth = 0
    fresh = False
    for index, token in enumerate(tokens):
        if token.type == "heading_open" and token.level == 0 and token.markup.startswith("#"):
            level, title = len(token.markup), tokens[index + 1].content.strip()
            if level > 4:
                continue
            if draft is not None:
                yield draft
                draft = None
            if level <= 2:
                found = _OPERATION.fullmatch(title)
                operation, requirement = found[1].upper() if found else "", ""
            elif level == 3:
                found = _REQUIREMENT.fullmatch(title)
                requirement = found[1] if found else ""
            elif found := _SCENARIO.fullmatch(title):
                draft = _Draft(name=found[1], requirement=requirement, operation=operation)
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            depth += 1
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            depth -= 1
        elif token.type == "list_item_open":
            fresh = True
        elif draft is None:
            continue
        elif token.type == "inline" and tokens[index - 1].type == "paragraph_open":
            _add_text(draft, token.content, depth=depth, first=fresh)
            fresh = False
        elif token.type in ("fence", "code_block") and depth:
            draft.extend_step(token.content.rstrip("\n"))
    if draft is not None:
        yield draft


def _add_text(draft: _Draft, text: str, *, depth: int, first: bool) -> None:
    """Sort a paragraph in: a step, or more of the last one.

    Args:
      depth: how many lists it stands in; 0 outside any.
      first: whether it is what its list item begins with.
    """
    if depth == 0:
        _add_bare_steps(draft, text)
        return
    step = _STEP.fullmatch(text) if first else None
    if step is not None:
        draft.add_step(step[1], _joined(step[2]))
    else:
        draft.extend_step(f"  - {_joined(text)}" if first else _joined(text))


def _add_bare_steps(draft: _Draft, text: str) -> None:
    """Read steps written without bullets; only bold keywords, for prose may begin with "When"."""
    inside = False
    for line in text.splitlines():
        step = _STEP.fullmatch(line) if _BARE_STEP.match(line) else None
        if step is not None:
            draft.add_step(step[1], _joined(step[2]))
            inside = True
        elif inside:
            draft.extend_step(_joined(line))


def _joined(text: str) -> str:
    return " ".join(text.split())
