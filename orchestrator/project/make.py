"""What a Makefile declares: its targets that check, with what they run."""

from __future__ import annotations

import re
from collections.abc import Iterator

import attrs

from .files import ProjectFiles
from .shell import is_stub, simple_commands

NAMES = ("GNUmakefile", "makefile", "Makefile")
_CHECKS = ("lint", "check", "test")
_RULE = re.compile(r"^([^\s:=#][^:=#]*?)\s*::?(?!=)\s*([^=]*)$")
_VARIABLE = re.compile(r"^(?:override\s+|export\s+)*([\w.-]+)\s*(?:[:?+!]|::|:::)?=\s*(.*)$")
_TARGET_VARIABLE = re.compile(r"^[^\s:=#][^:=#]*::?\s*(\w[\w.-]*\s*[:?+!]?=.*)$")
_INCLUDE = re.compile(r"^-?s?include\s+(.+)$")
_USED = re.compile(r"\$[({]([\w.-]+)[)}]")
_INCLUDES = 20
_NESTED = 5
_LONGEST = 10_000


@attrs.define
class Rule:
    """One target: what it needs first and the shell lines that make it."""

    needs: list[str] = attrs.field(factory=list)
    lines: list[str] = attrs.field(factory=list)


@attrs.define
class Makefile:
    """The rules and variables of a Makefile and of what it includes.

    Attributes:
      names: the files read, the Makefile first.
    """

    names: list[str] = attrs.field(factory=list)
    rules: dict[str, Rule] = attrs.field(factory=dict)
    variables: dict[str, list[str]] = attrs.field(factory=dict)

    def reach(self, target: str) -> list[str]:
        """Return ``target`` and every target that making it makes."""
        found, waiting = [], [target]
        while waiting:
            name = waiting.pop()
            if name in self.rules and name not in found:
                found.append(name)
                rule = self.rules[name]
                waiting += [*rule.needs, *made_by("\n".join(rule.lines))]
        return found

    def expand(self, line: str) -> str:
        """Return a recipe line with the variables of the Makefile in place."""
        for _ in range(_NESTED):
            expanded = _USED.sub(self._value, line)
            if expanded == line or len(expanded) > _LONGEST:
                break
            line = expanded
        return line

    def _value(self, used: re.Match[str]) -> str:
        return "make" if used[1] == "MAKE" else " ".join(self.variables.get(used[1], [])[-1:])

    def body(self, target: str) -> str:
        """Return everything that decides what making ``target`` runs, as text to compare."""
        text = []
        for name in sorted(self.reach(target)):
            rule = self.rules[name]
            text.append(f"{name}: {' '.join(rule.needs)}")
            text += rule.lines
        names = sorted(_USED.findall("\n".join(text)))
        seen: set[str] = set()
        while names:
            name = names.pop()
            if name not in seen and name in self.variables:
                seen.add(name)
                text += [f"{name} = {value}" for value in self.variables[name]]
                names += _USED.findall("\n".join(self.variables[name]))
        return "\n".join(text)


@attrs.frozen
class Targets:
    """The targets of a Makefile that check the project."""

    makefile: Makefile
    names: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that make them."""
        return tuple(f"make {name}" for name in self.names)

    def covers(self, command: str) -> bool:
        """Whether one of the targets runs the same tool as ``command``: it would run twice."""
        words = simple_commands(command)[0]
        tool = words[2] if words[:2] == ("python", "-m") else words[0]
        if words[0] in ("uv", "poetry"):
            tool = words[-1]
        pattern = re.compile(rf"(?<![\w-]){re.escape(tool)}(?![\w-])")
        return any(pattern.search(self.makefile.body(name)) for name in self.names)


def read(files: ProjectFiles) -> Targets | None:
    """Return the targets that check the project, if its Makefile has any and make is there."""
    makefile = parse(files)
    if makefile is None:
        return None
    named = [name for name in _CHECKS if name in makefile.rules]
    real = [name for name in named if _does_something(makefile, name)]
    stubs = (f"{makefile.names[0]} {name} (checks nothing)" for name in named if name not in real)
    files.problems.extend(stubs)
    inner = {other for name in real for other in makefile.reach(name) if other != name}
    names = tuple(name for name in real if name not in inner)
    if names and not files.tool("make"):
        files.problems.append(f"{makefile.names[0]} (make is not installed)")
        return None
    return Targets(makefile, names) if names else None


def parse(files: ProjectFiles, directory: str = "") -> Makefile | None:
    """Return the Makefile in a directory of the project, with what it includes, or None."""
    name = next((f"{directory}{n}" for n in NAMES if files.has(f"{directory}{n}")), None)
    text = files.text(name) if name is not None else None
    if name is None or text is None:
        return None
    found = Makefile()
    _parse_into(found, files, directory, name, text)
    return found


def _parse_into(found: Makefile, files: ProjectFiles, directory: str, name: str, text: str) -> None:
    found.names.append(name)
    current: list[Rule] = []
    for line in _logical_lines(text):
        if line.startswith("\t"):
            for rule in current:
                rule.lines.append(line.strip())
            continue
        bare = line.partition("#")[0].rstrip()
        if not bare.strip():
            continue
        bare = match[1] if (match := _TARGET_VARIABLE.match(bare)) else bare
        if match := _VARIABLE.match(bare.strip()):
            found.variables.setdefault(match[1], []).append(match[2])
        elif match := _INCLUDE.match(bare.strip()):
            for other in match[1].split():
                path = f"{directory}{other}"
                if path not in found.names and len(found.names) < _INCLUDES:
                    inner = files.text(path)
                    if inner is not None:
                        _parse_into(found, files, directory, path, inner)
        elif match := _RULE.match(bare):
            needs, _, recipe = match[2].partition(";")
            current = [found.rules.setdefault(target, Rule()) for target in match[1].split()]
            for rule in current:
                rule.needs += [need for need in needs.split() if need != "|"]
                if recipe.strip():
                    rule.lines.append(recipe.strip())


def _logical_lines(text: str) -> Iterator[str]:
    """Yield lines with their continuations joined."""
    waiting = ""
    for line in text.splitlines():
        if line.endswith("\\"):
            waiting += line[:-1] + " "
            continue
        yield waiting + line
        waiting = ""
    if waiting:
        yield waiting


def made_by(lines: str) -> tuple[str, ...]:
    """Return the targets that shell lines make by calling make again in the same directory."""
    names: list[str] = []
    for program, *words in simple_commands(lines.replace("$(MAKE)", "make").replace("@", "")):
        if program == "make" and not any(word.startswith(("-C", "-f")) for word in words):
            names += [word for word in words if not word.startswith("-") and "=" not in word]
    return tuple(names)


def _does_something(makefile: Makefile, target: str) -> bool:
    return any(
        not is_stub(line) for name in makefile.reach(target) for line in makefile.rules[name].lines
    )
