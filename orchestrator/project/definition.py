"""What decides how a project is verified: the scripts, targets and tables behind its commands."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterable
from pathlib import Path

import attrs

from . import make, node
from .declared import table
from .files import ProjectFiles, read_inside
from .python import pytest_tables
from .shell import simple_commands

_DEEPEST = 6
_PREFIXES = {"env", "exec", "command", "time", "nice", "npx", "bunx", "nohup"}
_RUNNERS = {"uv": "run", "poetry": "run", "pnpm": "exec", "yarn": "exec", "hatch": "run"}
_SHELLS = {"sh", "bash", "dash", "zsh", "ksh"}
_INTERPRETERS = _SHELLS | {"python", "python3", "node", "ruby", "perl", "deno", "bun", "php"}
_CONFIGURED = {
    "tox": ("tox.ini",),
    "nox": ("noxfile.py",),
    "just": ("justfile", "Justfile"),
    "jest": ("jest.config.js", "jest.config.ts", "jest.config.mjs", "jest.config.cjs"),
    "vitest": ("vitest.config.js", "vitest.config.ts", "vitest.config.mjs"),
}
_OWN = "orchestrator.toml"


def definition(
    top: Path, root: str, commands: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Return what decides how the project is verified, by path from ``top`` and part of the file.

    That is, as far as the commands name them: scripts of ``package.json`` with the scripts they
    run, targets of a Makefile with what they need, script files, and pytest's own configuration.
    Blocking; only reads. What cannot be read counts as what it is: unreadable.

    Args:
      root: where the project lies below ``top``.
      commands: each command with the directory below ``root`` that it starts in.
    """
    found = _Definition(top=top)
    for run, cwd in commands:
        found.follow(run, posixpath.normpath(posixpath.join(root, cwd)), 0)
    found.add_file(_OWN)
    return found.parts


@attrs.define(kw_only=True)
class _Definition:
    top: Path
    parts: dict[tuple[str, str], str] = attrs.field(factory=dict)
    _seen: set[tuple[str, str]] = attrs.field(factory=set)

    def follow(self, line: str, cwd: str, depth: int) -> None:
        """Add what a shell line that starts in ``cwd`` runs."""
        if depth > _DEEPEST or (line, cwd) in self._seen:
            return
        self._seen.add((line, cwd))
        for words in simple_commands(line):
            if words[0] == "cd" and len(words) == 2:
                cwd = posixpath.normpath(posixpath.join(cwd, words[1]))
                continue
            self._follow_command(_bare(words), cwd, depth)

    def add_file(self, path: str) -> bytes | None:
        """Add a whole file, if there is one; returns its content."""
        try:
            data = read_inside(self.top, path)
        except ValueError as error:
            self.parts[path, ""] = str(error)
            return None
        if data is not None:
            self.parts[path, ""] = hashlib.sha256(data).hexdigest()
        return data

    def _follow_command(self, words: tuple[str, ...], cwd: str, depth: int) -> None:
        if not words:
            return
        program, rest = posixpath.basename(words[0]), words[1:]
        if program in ("npm", "pnpm", "yarn"):
            self._add_scripts(words, cwd, depth)
        elif program in ("make", "gmake"):
            self._add_targets(rest, cwd, depth)
        if program in _SHELLS and "-c" in rest[:-1]:
            self.follow(rest[rest.index("-c") + 1], cwd, depth + 1)
        elif "pytest" in (program, *(w for w, m in zip(rest[1:], rest, strict=False) if m == "-m")):
            self._add_pytest(cwd)
        for name in _CONFIGURED.get(program, ()):
            self.add_file(posixpath.join(cwd, name))
        script = words[0] if "/" in words[0] else None
        if program in _INTERPRETERS:
            script = next((word for word in rest if not word.startswith("-")), None)
            if "-m" in rest or "-c" in rest or "-e" in rest:
                script = None
        if script is not None and not os.path.isabs(script):
            self._add_script(posixpath.normpath(posixpath.join(cwd, script)), cwd, depth)

    def _add_script(self, path: str, cwd: str, depth: int) -> None:
        data = self.add_file(path)
        is_shell = data is not None and (
            path.endswith((".sh", ".bash")) or data.startswith((b"#!/bin/sh", b"#!/bin/bash"))
        )
        if data is not None and is_shell:
            for line in data.decode(errors="replace").splitlines():
                if not line.lstrip().startswith("#"):
                    self.follow(line, cwd, depth + 1)

    def _add_scripts(self, words: tuple[str, ...], cwd: str, depth: int) -> None:
        for option in ("--prefix", "-C", "--dir", "--cwd"):
            if option in words[:-1]:
                cwd = posixpath.normpath(posixpath.join(cwd, words[words.index(option) + 1]))
        path = posixpath.normpath(posixpath.join(cwd, node.MARKER))
        package = ProjectFiles(root=self.top, path="").json(path)
        bodies = node.scripts(package or {})
        called = node.called(" ".join(words))
        for name in called:
            for script in (f"pre{name}", name, f"post{name}"):
                if script in bodies:
                    self.parts[path, f"script {script}"] = bodies[script]
                    self.follow(bodies[script], cwd, depth + 1)
        for key in ("jest", "mocha", "ava", "c8", "nyc") if called else ():
            if settings := table(package, key):
                self.parts[path, key] = repr(sorted(settings.items(), key=str))

    def _add_targets(self, words: tuple[str, ...], cwd: str, depth: int) -> None:
        targets, directory = [], cwd
        position = 0
        while position < len(words):
            word = words[position]
            if word == "-C" and position + 1 < len(words):
                directory = posixpath.normpath(posixpath.join(cwd, words[position + 1]))
                position += 1
            elif not word.startswith("-") and "=" not in word:
                targets.append(word)
            position += 1
        prefix = "" if directory == "." else f"{directory}/"
        makefile = make.parse(ProjectFiles(root=self.top, path=""), prefix)
        if makefile is None:
            return
        first = next((name for name in makefile.rules if not name.startswith(".")), None)
        for target in targets or ([first] if first is not None else []):
            self.parts[makefile.names[0], f"target {target}"] = makefile.body(target)
            for name in makefile.reach(target):
                for line in makefile.rules[name].lines:
                    self.follow(makefile.expand(line).lstrip("@-+"), directory, depth + 1)

    def _add_pytest(self, cwd: str) -> None:
        files = ProjectFiles(root=self.top / cwd, path="")
        for place, text in pytest_tables(files).items():
            name, _, part = place.partition(" ")
            self.parts[posixpath.normpath(posixpath.join(cwd, name)), part] = text


def _bare(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command without what only starts it."""
    while words:
        if words[0] in _PREFIXES:
            words = words[1:]
            while words and (words[0].startswith("-") or "=" in words[0]):
                words = words[1:]
        elif _RUNNERS.get(words[0]) == next(iter(words[1:2]), ""):
            words = words[2:]
        else:
            break
    return words
