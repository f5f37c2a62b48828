"""What a Python project declares: uv, poetry, pip; pytest or unittest."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .declared import Declared, strings, table
from .files import ProjectFiles

_REQUIREMENTS = re.compile(
    r"(?:(?:dev|test|tests)[-_])?requirements(?:[-_](?:dev|test|tests))?\.txt"
)
_DEVELOPMENT = ("dev", "develop", "development", "test", "tests", "testing")
_TESTS = ("tests", "test")
_TEST_FILE = re.compile(r"(?:test_\w+|\w+_test)\.py")
_SAMPLE = 50
"""Test files that are looked into for what runs them."""


def read(files: ProjectFiles, wanted: tuple[str, ...]) -> Declared | None:
    """Return what the root declares of a Python project, if it is one."""
    project = files.toml("pyproject.toml")
    requirements = _requirement_files(files)
    installable = project is not None and bool({"project", "build-system"} & project.keys())
    installable = installable or files.has("setup.py")
    runner = _runner(files)
    if not (installable or requirements or runner or files.has("uv.lock")):
        return None
    includes = ("pyproject.toml",) if table(project, "tool", "uv", "workspace") else ()
    missing = []
    for tool, lock in (("uv", "uv.lock"), ("poetry", "poetry.lock")):
        if not files.has(lock):
            continue
        if files.tool(tool):
            setup = "uv sync" if tool == "uv" else "poetry install"
            verify = (f"{tool} run {runner}",) if runner else ()
            return Declared(setup=(setup,), verify=verify, includes=includes)
        missing.append(f"{lock} ({tool} is not installed)")
    if not files.tool("python3"):
        missing.append("Python (python3 is not installed)")
        return Declared(includes=includes, not_used=tuple(missing))
    uses_pytest = runner == "pytest" or any(re.search(r"\bpytest\b", text) for text in wanted)
    return Declared(
        setup=_pip(files, project, requirements, installable, uses_pytest),
        verify=(f"python -m {runner}",) if runner else (),
        own_python=True,
        includes=includes,
        not_used=tuple(missing),
    )


def _pip(
    files: ProjectFiles,
    project: Mapping[str, Any] | None,
    requirements: tuple[str, ...],
    installable: bool,
    uses_pytest: bool,
) -> tuple[str, ...]:
    """Return the one command that installs what the project needs, itself included."""
    extras = [
        name for name in table(project, "project", "optional-dependencies") if name in _DEVELOPMENT
    ]
    groups = table(project, "dependency-groups")
    grouped = dict.fromkeys(
        entry for name in groups if name in _DEVELOPMENT for entry in _group(groups, name, ())
    )
    words = [word for name in requirements for word in ("-r", name)]
    if installable:
        words += ["-e", f".[{','.join(extras)}]" if extras else "."]
    words += grouped
    if uses_pytest and not _declares(files, project, requirements, extras, grouped, "pytest"):
        words.append("pytest")
    return (f"python -m pip install {shlex.join(words)}",) if words else ()


def _group(groups: Mapping[str, Any], name: str, seen: tuple[str, ...]) -> Iterator[str]:
    """Yield the requirements of a dependency group and of those it includes."""
    entries = groups.get(name)
    if name in seen or not isinstance(entries, list):
        return
    for entry in entries:
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict) and isinstance(entry.get("include-group"), str):
            yield from _group(groups, entry["include-group"], (*seen, name))


def _declares(
    files: ProjectFiles,
    project: Mapping[str, Any] | None,
    requirements: Iterable[str],
    extras: Iterable[str],
    grouped: Iterable[str],
    name: str,
) -> bool:
    lines = [line for file in requirements for line in (files.text(file) or "").splitlines()]
    lines += strings(table(project, "project").get("dependencies"))
    for extra in extras:
        lines += strings(table(project, "project", "optional-dependencies").get(extra))
    lines += grouped
    return any(re.match(rf"\s*{name}(?![\w-])", line, re.IGNORECASE) for line in lines)


def _requirement_files(files: ProjectFiles) -> tuple[str, ...]:
    return tuple(name for name in files.below(0) if _REQUIREMENTS.fullmatch(name))


def _runner(files: ProjectFiles) -> str:
    """Return what runs the project's tests, as ``python -m`` and ``uv run`` take it, or ""."""
    tests = [
        path
        for place in _TESTS
        for path in files.below(2, place)
        if _TEST_FILE.fullmatch(path.rpartition("/")[2])
    ]
    if pytest_tables(files) or "conftest.py" in files.below(0):
        return "pytest"
    if not tests:
        return ""
    texts = [files.text(path) or "" for path in tests[:_SAMPLE]]
    imports = re.compile(r"^\s*(?:import|from)\s+(pytest|unittest)\b", re.MULTILINE)
    used = {name for text in texts for name in imports.findall(text)}
    if used == {"unittest"}:
        return f"unittest discover -s {tests[0].partition('/')[0]}"
    return "pytest"


def pytest_tables(files: ProjectFiles) -> dict[str, str]:
    """Return the configuration of pytest by the file and table that holds it, as text."""
    found = {}
    pytest = table(files.toml("pyproject.toml"), "tool", "pytest")
    if pytest:
        found["pyproject.toml [tool.pytest]"] = repr(sorted(_flat(pytest)))
    for name, section in (
        ("pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"),
    ):  # fmt: skip
        text = files.text(name)
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text or "")
        except configparser.Error:
            continue
        if parser.has_section(section):
            found[f"{name} [{section}]"] = repr(sorted(parser.items(section)))
        elif name == "pytest.ini" and text is not None:
            found[name] = ""
    return found


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", repr(inner)
