"""Promises of the layers: imports go one way, and the command line starts without heavy ones."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import orchestrator

ROOT = Path(__file__).resolve().parents[2]
LAYERS = (
    "adapters",
    "agents",
    "guardian",
    "project",
    "store",
    "control",
    "run",
    "report",
    "mcp",
    "cli",
    "demo",
)

READS_RECORDS = {
    "diagnosis",
    "differences",
    "endings",
    "gather",
    "known",
    "notes",
    "overview",
    "stories",
    "tasks",
}
"""The modules of reports that know where things are kept."""

PURE = {
    "__future__",
    "attrs",
    "collections",
    "datetime",  # for calendars; see the test that nobody asks it for the time
    "difflib",
    "enum",
    "fnmatch",
    "functools",
    "heapq",
    "itertools",
    "json",
    "math",
    "pathlib",  # for types; see the test that nothing of it is called
    "re",
    "shlex",
    "types",
    "typing",
    "unicodedata",
}
"""What the domain may import from outside: values and functions, no files, no clocks, no tasks."""


def modules_below(*places: str) -> list[Path]:
    """Return the modules in these folders of the project, each of which must hold some."""
    found = []
    for place in places:
        modules = sorted((ROOT / place).rglob("*.py"))
        assert modules, place
        found += modules
    return found


def imports(source: str, package: str) -> Iterator[str]:
    """Yield the absolute name of all that a module of ``package`` imports, also in functions.

    ``from a import b`` yields ``a`` and ``a.b``: b may be a module.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            above = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def imports_of(path: Path) -> set[str]:
    """Return the absolute name of all that the module imports."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return set(imports(path.read_text(encoding="utf-8"), package))


def within(name: str, package: str) -> bool:
    """Say whether ``name`` is the package or something in it."""
    return name == package or name.startswith(f"{package}.")


def forbidden(path: Path, *layers: str) -> set[str]:
    """Return what the module imports of these layers."""
    return {
        name
        for name in imports_of(path)
        if any(within(name, f"orchestrator.{layer}") for layer in layers)
    }


@pytest.mark.parametrize(
    "source",
    [
        "import orchestrator.run.records.ledger",
        "from orchestrator import run",
        "from orchestrator.run import records",
        "from ..run import ledger",
        "from .. import run",
        "def late():\n    from ..run.ledger import read",
    ],
)
def test_the_search_for_imports_finds_them(source: str) -> None:
    assert any(within(name, "orchestrator.run") for name in imports(source, "orchestrator.agents"))


@pytest.mark.parametrize(
    "source", ["import orchestrator.runtime", "from . import run", "from .run import x", "'import'"]
)
def test_the_search_for_imports_leaves_others_alone(source: str) -> None:
    found = imports(source, "orchestrator.agents")
    assert not any(within(name, "orchestrator.run") for name in found)


@pytest.mark.parametrize("path", modules_below("orchestrator/work"), ids=lambda path: path.stem)
def test_domain_imports_only_values(path: Path) -> None:
    for name in imports_of(path):
        ours = within(name, "orchestrator.work") or within(name, "orchestrator.errors")
        assert ours or name.partition(".")[0] in PURE, name


@pytest.mark.parametrize("path", modules_below("orchestrator/work"), ids=lambda path: path.stem)
def test_domain_makes_no_path_and_opens_no_file(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"Path", "pathlib.Path", "open"}, called
            assert called.rpartition(".")[2] not in {"read_text", "write_text", "exists"}, called


@pytest.mark.parametrize("path", modules_below("orchestrator/work"), ids=lambda path: path.stem)
def test_domain_asks_no_clock(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today"}, ast.unparse(node)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "orchestrator").glob("[a-z]*.py")), ids=lambda path: path.stem
)
def test_framework_knows_no_tool(path: Path) -> None:
    assert not forbidden(path, *LAYERS)


@pytest.mark.parametrize("layer", ["adapters", "agents", "guardian", "project", "store", "control"])
def test_tools_do_not_know_who_uses_them(layer: str) -> None:
    for path in modules_below(f"orchestrator/{layer}"):
        assert not forbidden(path, "run", "report", "mcp", "cli", "demo"), path


def test_run_does_not_know_the_command_line() -> None:
    for path in modules_below("orchestrator/run"):
        assert not forbidden(path, "report", "mcp", "cli", "demo"), path


def part_of_run(name: str) -> str:
    """Return which folder or module of the services a name belongs to, "" when to none."""
    return name.split(".")[2] if within(name, "orchestrator.run") and name.count(".") > 1 else ""


def test_services_use_each_other_one_way() -> None:
    uses: dict[str, set[str]] = {}
    for path in modules_below("orchestrator/run"):
        own = part_of_run(".".join(path.relative_to(ROOT).with_suffix("").parts))
        used = {part_of_run(name) for name in imports_of(path)}
        uses.setdefault(own, set()).update(used - {own, ""})
    TopologicalSorter(uses).prepare()  # a circle is an error that names it


def test_reports_are_rendered_from_values_alone() -> None:
    for path in modules_below("orchestrator/report"):
        assert not forbidden(path, "cli", "demo"), path
        if path.stem not in READS_RECORDS:
            assert not forbidden(path, "adapters", "agents", "guardian", "store", "run"), path


def test_plugins_use_public_names_only() -> None:
    public = {"orchestrator", *(f"orchestrator.{name}" for name in orchestrator._MODULES)}
    for path in modules_below("plugins"):
        ours = {name for name in imports_of(path) if within(name, "orchestrator")}
        assert ours <= public, path


def test_public_names_are_those_that_type_checkers_see() -> None:
    tree = ast.parse((ROOT / "orchestrator/__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    assert seen == orchestrator._MODULES
    assert all(hasattr(orchestrator, name) for name in seen)
    assert set(seen) <= set(dir(orchestrator))
    assert not hasattr(orchestrator, "no_such_name")


@pytest.mark.processes
@pytest.mark.parametrize(
    "module",
    [
        "orchestrator",
        "orchestrator.cli.main",
        "orchestrator.cli.parser",
        "orchestrator.cli.status",
        "orchestrator.cli.completion",
        "orchestrator.cli.logs",
        "orchestrator.cli.events",
        "orchestrator.cli.steer",
        "orchestrator.store.reading",
        "orchestrator.control.client",
    ],
)
def test_starts_without_the_heavy_imports(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & {"trio", "attr", "attrs", "cattrs", "asyncio", "markdown_it"}
