"""The condition on entering or leaving a phase, as it is configured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

PLACEHOLDERS = ("item", "phase", "issue", "branch")
"""What ``{…}`` in the texts of a gate, or in a prompt, may stand for."""

KINDS = ("file", "glob", "absent", "command", "check")
"""The conditions, of which a gate has one."""

ABOUT_FILES = ("contains", "lacks", "key")
"""What may be said besides, of a file."""


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its placeholders replaced; other braces stay."""
    for name in PLACEHOLDERS:
        if name in values:
            text = text.replace(f"{{{name}}}", values[name])
    return text


@attrs.frozen(kw_only=True)
class Gate:
    """One condition; exactly one of the first five is given.

    ``{item}`` and ``{phase}`` in its texts stand for the item's id and the phase's name,
    ``{branch}`` for the branch, and ``{issue}`` for what a branch under the phase machine is about:
    its issue, else its own name after the slash; of other items, their id.

    Attributes:
      file: this path exists.
      glob: a path matches this pattern.
      absent: no path matches this pattern.
      command: this shell command succeeds.
      check: this command of a plugin, ``plugin.verb-noun``, finds nothing wrong.
      contains: text that the file holds, too; only with ``file``.
      lacks: text that the file does not hold; only with ``file``.
      key: path such as ``a.b.0`` that leads to a value in the file, which is JSON, YAML or TOML;
        only with ``file``.
      cycle: of conditions on leaving cycles: the one it is about, 0 for every one.
    """

    file: str = ""
    glob: str = ""
    absent: str = ""
    command: str = ""
    check: str = ""
    contains: str = ""
    lacks: str = ""
    key: str = ""
    cycle: int = 0

    def filled(self, values: Mapping[str, str]) -> Gate:
        """Return the gate with its placeholders replaced."""
        texts: dict[str, Any] = {
            name: fill(getattr(self, name), values) for name in (*KINDS, *ABOUT_FILES)
        }
        return attrs.evolve(self, **texts)

    @property
    def fault(self) -> str:
        """What is wrong with its being a gate at all, "" when nothing is."""
        given = [name for name in KINDS if getattr(self, name)]
        if len(given) != 1:
            kinds = f"{', '.join(KINDS[:-1])} and {KINDS[-1]}"
            return f"expected one of {kinds}, got {' and '.join(given) or 'none'}"
        wrong = [name for name in ABOUT_FILES if getattr(self, name) and not self.file]
        return f"{wrong[0]} goes only with file" if wrong else ""

    @property
    def wanted(self) -> str:
        """What satisfies it, in words."""
        if self.command:
            return f"the command `{self.command}` has to succeed"
        if self.check:
            return f"the check {self.check} has to find nothing wrong"
        if self.absent:
            return f"nothing may match {self.absent}"
        if self.glob:
            return f"there has to be a file that matches {self.glob}"
        if self.key:
            return f"{self.file} has to have the key {self.key}"
        if self.lacks:
            return f"{self.file} has to be there without {self.lacks!r}"
        held = f" and contain {self.contains!r}" if self.contains else ""
        return f"{self.file} has to be there{held}"


@attrs.frozen(kw_only=True)
class GateResult:
    """How a gate was decided; ``problem`` is "" when it holds, else what is wrong, in words."""

    gate: Gate
    problem: str = ""

    @property
    def holds(self) -> bool:
        """Whether it lets pass."""
        return not self.problem
