"""The project around the code: its layout, the rules that hold for every file, its commands."""

from __future__ import annotations

import ast
import fnmatch
import os
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from orchestrator import config, errors, settings
from orchestrator.backlog_settings import BacklogSettings, PipelineSettings
from orchestrator.cli.parser import build_parser
from orchestrator.work.backlog.pipeline import Phase
from orchestrator.work.backlog.rules import Guardrails
from orchestrator.work.machine.policy import Branches

ROOT = Path(__file__).resolve().parents[2]
TOP_LEVEL = {"pyproject.toml", "orchestrator", "plugins", "tests", "examples", "README.md"}
IGNORED = [
    line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
]
SCRIPTS = sorted(path for path in (ROOT / ".ci").iterdir() if path.is_file())
FORBIDDEN = re.compile(
    r"(?<![\w.})\]$*~-])/(?:work|farm|root|home|Users)/\w"
    r"|\b(?:registry\.npmjs\.org|registry\.yarnpkg\.com|pypi\.org|files\.pythonhosted\.org)\b"
    r"|\b(?:deb|security|snapshot)\.debian\.org\b"
)
"""Directories of one person's machine, and hosts that a package configuration may replace."""


def _entries(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.name != ".git" and not any(fnmatch.fnmatch(entry.name, p) for p in IGNORED):
            yield entry


def _files(folder: Path) -> Iterator[Path]:
    for entry in _entries(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _files(entry)
        elif entry.is_file():
            yield entry


def _modules(*folders: str) -> list[Path]:
    return [
        path
        for folder in folders
        if (ROOT / folder).is_dir()
        for path in _files(ROOT / folder)
        if path.suffix == ".py"
    ]


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def _section(title: str) -> str:
    """Return the text of one second-level section of the README."""
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", _readme(), re.M | re.S)
    assert match is not None, f"README.md has no section {title!r}"
    return match[1]


def test_top_level_holds_only_what_is_agreed() -> None:
    names = {entry.name for entry in _entries(ROOT) if not entry.name.startswith(".")}

    assert names - {"LICENSE"} <= TOP_LEVEL


@pytest.mark.parametrize("path", _modules("orchestrator", "plugins", "tests", "examples"), ids=_id)
def test_module_begins_by_saying_what_it_is_for(path: Path) -> None:
    first = next(iter(ast.parse(path.read_text(encoding="utf-8")).body), None)

    assert isinstance(first, ast.Expr), "the first statement is no docstring"
    assert isinstance(first.value, ast.Constant), "the first statement is no docstring"
    assert isinstance(first.value.value, str), "the first statement is no docstring"
    assert first.value.value.splitlines()[0].strip(), "its first line is empty"


def _imports(path: Path) -> set[str]:
    """Return the top-level names of what a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_only_the_process_adapter_starts_processes() -> None:
    starters = {
        _id(path)
        for path in _modules("orchestrator", "plugins")
        if _imports(path) & {"subprocess", "multiprocessing", "pty"}
    }

    assert starters <= {"orchestrator/adapters/process.py"}


def test_every_package_of_the_tree_is_shipped() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    shipped = set(project["tool"]["setuptools"]["packages"])
    present = {
        _id(path.parent).replace("/", ".").replace("plugins", "orchestrator_plugins")
        for path in _modules("orchestrator", "plugins")
    }

    assert present <= shipped


def test_no_file_names_a_machine_or_a_registry() -> None:
    found = [
        f"{_id(path)}:{number}: {line.strip()}"
        for path in _files(ROOT)
        for number, line in enumerate(
            path.read_bytes().decode("utf-8", errors="replace").splitlines(), start=1
        )
        if FORBIDDEN.search(line)
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    ["cd /" + "root/x", '"/' + "home/someone", "https://pypi" + ".org/simple", "(/" + "work/main)"],
)
def test_the_search_for_machine_paths_finds_them(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize("text", ["orchestrator/work/spec.py", "{tmp}/home/x", "~/work/thing"])
def test_the_search_for_machine_paths_leaves_other_paths_alone(text: str) -> None:
    assert not FORBIDDEN.search(text)


def test_the_scripts_are_there() -> None:
    assert {path.name for path in SCRIPTS} == {"demo", "run", "setup", "test"}


@pytest.mark.parametrize("path", SCRIPTS, ids=_id)
def test_script_is_plain_shell_and_stops_at_the_first_error(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if not line.lstrip().startswith("#")]

    assert lines[0] == "#!/bin/sh"
    assert "set -eu" in code
    # Debian has python3 only; an environment's own bin/python always exists.
    assert [line for line in code if re.search(r"(?<![\w/])python(?![\w.-])", line)] == []


def test_every_script_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"\bsh (\.ci/\S+?)[`\s]", _readme()))

    assert {".ci/demo", ".ci/test"} <= named
    assert {name for name in named if not (ROOT / name).is_file()} == set()


def test_every_command_that_the_readme_names_exists(capsys: pytest.CaptureFixture[str]) -> None:
    named = set(re.findall(r"`orc ([a-z]+)", _readme()))

    assert {"run", "demo"} <= named
    for name in named:
        with pytest.raises(SystemExit) as ended:
            build_parser().parse_args([name, "--help"])
        assert ended.value.code == 0, f"orc {name}: {capsys.readouterr().err}"


def test_readme_explains_every_exit_code() -> None:
    def tree(error: type[errors.OrchestratorError]) -> Iterator[int]:
        yield error.exit_code
        for child in error.__subclasses__():
            yield from tree(child)

    explained = {int(code) for code in re.findall(r"^\| (\d+) \|", _section("Exit codes"), re.M)}

    assert {0, *tree(errors.OrchestratorError)} <= explained


def test_readme_explains_every_configuration_key() -> None:
    keys = {
        f"{section}.{field.name}"
        for section, cls in (
            ("execution", settings.Execution),
            ("execution.verify", settings.Check),
            ("workspace", settings.WorkspaceSettings),
            ("agents.<name>", settings.AgentSettings),
            ("backlog", BacklogSettings),
            ("guardrails", Guardrails),
            ("branches", Branches),
            ("pipelines.<name>", PipelineSettings),
            ("pipelines.<name>.phases", Phase),
        )
        for field in attrs.fields(cls)
    }

    assert set(re.findall(r"^\| `(\S+)` \|", _section("Configuration"), re.M)) == keys


def test_readmes_configuration_is_accepted(tmp_path: Path) -> None:
    examples = re.findall(r"^```toml\n(.*?)^```$", _readme(), re.M | re.S)
    assert examples

    for example in examples:
        (tmp_path / "orchestrator.toml").write_text(example, encoding="utf-8")
        config.load_config(tmp_path / "orchestrator.toml", environ={})


def test_readme_ends_with_the_changelog() -> None:
    assert re.findall(r"^## (.*)$", _readme(), re.M)[-1] == "Changelog"


def test_home_is_not_the_operators(isolated_home: Path) -> None:
    assert Path.home() == isolated_home
    assert [name for name in os.environ if name.startswith("GIT_")] == [
        "GIT_CONFIG_GLOBAL",
        "GIT_CONFIG_NOSYSTEM",
    ]


MARKED = """
    import pytest

    @pytest.mark.real_cli("no-such-command-anywhere")
    def test_cli(): pass

    @pytest.mark.slow
    def test_slow(): pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a test suite of its own that uses this project's conftest."""
    shutil.copy(ROOT / "tests" / "conftest.py", pytester.path)
    pytester.makeini("[pytest]\nmarkers =\n    slow\n    processes\n    real_cli\n")
    return pytester


def test_without_ci_a_missing_cli_and_slow_tests_are_skipped(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    suite.makepyfile(MARKED)

    result = suite.runpytest_inprocess("-rs", "-p", "no:xdist")

    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*no-such-command-anywhere*"])


def test_in_ci_a_missing_cli_is_an_error_and_slow_tests_run(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    suite.makepyfile(MARKED)

    result = suite.runpytest_inprocess("-p", "no:xdist")

    result.assert_outcomes(passed=1, errors=1)


@pytest.mark.processes
@pytest.mark.parametrize("how", ["sleep 300 &", "setsid sleep 300 & ", "(setsid sleep 300 &) &"])
def test_a_process_left_behind_fails_its_test(suite: pytest.Pytester, how: str) -> None:
    suite.makepyfile(
        f"""
        import subprocess
        import pytest

        @pytest.mark.processes
        def test_leak():
            subprocess.run(["sh", "-c", "{how}"], check=True)
        """
    )

    result = suite.runpytest_inprocess("-p", "no:xdist")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*left behind: * sleep 300*"])
