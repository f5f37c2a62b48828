"""What ``package.json`` declares: npm, pnpm and yarn."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .declared import Declared, table
from .files import ProjectFiles
from .shell import is_stub, simple_commands, watches

MARKER = "package.json"
CHECKS = ("lint", "typecheck", "type-check", "check", "test")
_LOCKS = {
    "pnpm": ("pnpm-lock.yaml",),
    "yarn": ("yarn.lock",),
    "npm": ("package-lock.json", "npm-shrinkwrap.json"),
    "bun": ("bun.lock", "bun.lockb"),
}


def read(files: ProjectFiles, _: tuple[str, ...]) -> Declared | None:
    """Return what the root's ``package.json`` declares, if there is one."""
    package = files.json(MARKER)
    if package is None:
        return None
    manager = _manager(files, package)
    inside = bool(package.get("workspaces")) or files.has("pnpm-workspace.yaml")
    includes = (MARKER,) if inside else ()
    if manager not in ("npm", "pnpm", "yarn"):
        return Declared(includes=includes, not_used=(f"{MARKER} ({manager} is not supported)",))
    if not files.tool(manager):
        return Declared(includes=includes, not_used=(f"{MARKER} ({manager} is not installed)",))
    bodies = scripts(package)
    chosen = [name for name in CHECKS if name in bodies and _checks(bodies[name])]
    run = {name: [c for c in chosen if c in called(bodies[name])] for name in chosen}
    covered = {inner for name in chosen for inner in run[name] if inner != name}
    return Declared(
        setup=_install(files, package, manager),
        verify=tuple(_command(manager, name) for name in chosen if name not in covered),
        includes=includes,
        not_used=tuple(
            f"{MARKER} {name} ({'watches' if watches(bodies[name]) else 'checks nothing'})"
            for name in CHECKS
            if name in bodies and name not in chosen
        ),
    )


def scripts(package: Mapping[str, Any]) -> dict[str, str]:
    """Return the scripts of a ``package.json`` by name."""
    found = table(package, "scripts")
    return {name: body for name, body in found.items() if isinstance(body, str)}


def called(line: str) -> tuple[str, ...]:
    """Return the names of the package's scripts that a shell line runs."""
    names = []
    for program, *words in simple_commands(line):
        rest = [word for word in words if not word.startswith("-")]
        if program not in ("npm", "pnpm", "yarn") or not rest:
            continue
        if rest[0] in ("run", "run-script"):
            names += rest[1:2]
        elif rest[0] in ("t", "tst"):
            names.append("test")
        else:
            names.append(rest[0])
    return tuple(names)


def _checks(body: str) -> bool:
    return not is_stub(body) and not watches(body)


def _manager(files: ProjectFiles, package: Mapping[str, Any]) -> str:
    named = package.get("packageManager")
    match = re.match(r"[a-z]+", named) if isinstance(named, str) else None
    if match is not None:
        return match[0]
    for manager, locks in _LOCKS.items():
        if any(files.has(lock) for lock in locks):
            return manager
    return "npm"


def _install(files: ProjectFiles, package: Mapping[str, Any], manager: str) -> tuple[str, ...]:
    locked = any(files.has(lock) for lock in _LOCKS[manager])
    kinds = ("dependencies", "devDependencies", "optionalDependencies", "workspaces")
    if not locked and not any(package.get(kind) for kind in kinds):
        return ()
    if manager == "npm":
        return ("npm ci",) if locked else ("npm install",)
    if not locked:
        return (f"{manager} install",)
    if manager == "yarn" and files.has(".yarnrc.yml"):
        return ("yarn install --immutable",)
    return (f"{manager} install --frozen-lockfile",)


def _command(manager: str, name: str) -> str:
    return f"{manager} test" if name == "test" else f"{manager} run {name}"
