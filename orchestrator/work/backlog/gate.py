"""The condition on entering or leaving a phase, as it is configured."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

import attrs

from .text import one_line

PLACEHOLDERS = ("item", "phase", "issue", "branch")
"""What ``{…}`` in the texts of a gate, or in a prompt, may stand for."""

KINDS = ("file", "glob", "absent", "command", "check")
"""The conditions, of which a gate has one."""

ABOUT_FILES = ("contains", "lacks", "key")
"""What may be said besides, of a file."""

_PATHS = ("file", "glob", "absent")
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
_MAGIC = re.compile(r"[*?\[]")
# Where quotes begin and end is then only the shell's to say.
_QUOTES = re.compile(r"""['"\\`#]|<<|\(\(|\$\{""")
# Means itself to a shell, wherever it stands.
_PLAIN = re.compile(r"(?:[\w@%+=:,./-][\w@%+=:,./#-]*)?")


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its placeholders replaced; other braces stay."""
    # In one go: a value that holds another placeholder is not filled itself.
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


@attrs.frozen(kw_only=True)
class Gate:
    """One condition; exactly one of the first six is given.

    ``{item}`` and ``{phase}`` in its texts stand for the item's id and the phase's name,
    ``{branch}`` for the branch, and ``{issue}`` for what a branch under the phase machine is about:
    its issue, else its own name after the slash; of other items, their id.

    Attributes:
      file: this path exists.
      glob: a path matches this pattern.
      absent: no path matches this pattern.
      command: this shell command succeeds.
      check: this command of a plugin, ``plugin.verb-noun``, finds nothing wrong.
      verify: the project's verify commands pass, where there are any.
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
    verify: bool = False
    contains: str = ""
    lacks: str = ""
    key: str = ""
    cycle: int = 0

    def filled(self, values: Mapping[str, str]) -> Gate:
        """Return the gate with its placeholders replaced; each value stands for itself only.

        A command that has quotes of its own keeps the placeholders whose values it could not hold
        without their being read by the shell: it cannot be decided.
        """
        texts: dict[str, Any] = {
            name: fill(getattr(self, name), values) for name in ("file", "check", *ABOUT_FILES)
        }
        escaped = {name: _MAGIC.sub(r"[\g<0>]", value) for name, value in values.items()}
        texts |= {name: fill(getattr(self, name), escaped) for name in ("glob", "absent")}
        if _QUOTES.search(self.command):
            held = {name: value for name, value in values.items() if _PLAIN.fullmatch(value)}
        else:
            held = {name: shlex.quote(value) for name, value in values.items()}
        return attrs.evolve(self, command=fill(self.command, held), **texts)

    @property
    def unfilled(self) -> tuple[str, ...]:
        """The placeholders in its command."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.command)))

    @property
    def fault(self) -> str:
        """What is wrong with its being a gate at all, "" when nothing is."""
        if self.misfit:
            return self.misfit
        if any("\0" in getattr(self, name) for name in (*KINDS, *ABOUT_FILES)):
            return "expected text without NUL"
        path = next((path for name in _PATHS if (path := getattr(self, name))), "")
        if path.startswith(("/", "~")) or ".." in path.split("/"):
            return f"expected a path inside the project, got {one_line(repr(path))}"
        return ""

    @property
    def misfit(self) -> str:
        """Which of its conditions do not go together, "" when they do."""
        given = [name for name in (*KINDS, "verify") if getattr(self, name)]
        if len(given) != 1:
            got = " and ".join(given) or "none"
            return f"expected one of {', '.join(KINDS)} and verify, got {got}"
        wrong = [name for name in ABOUT_FILES if getattr(self, name) and not self.file]
        return f"{wrong[0]} goes only with file" if wrong else ""

    @property
    def wanted(self) -> str:
        """What satisfies it, in words."""
        if self.verify:
            return "the project's verify commands have to pass"
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
