"""Promises of inference: what a project declares, with what is installed; all of it, no guess."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from orchestrator.project.inference import Project, look

ALL = ("npm", "pnpm", "yarn", "uv", "poetry", "cargo", "go", "make", "python3")
PACKAGE = json.dumps({"scripts": {"lint": "eslint .", "test": "vitest run"}})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "project"
    path.mkdir()
    return path


def seen(root: Path, files: dict[str, str | bytes], *tools: str) -> Project:
    """Return what is inferred from these files with these tools installed (default: all)."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    bin_ = root.parent / "bin"
    bin_.mkdir(exist_ok=True)
    for tool in tools or ALL:
        (bin_ / tool).write_text("#!/bin/sh\n")
        (bin_ / tool).chmod(0o755)
    return look(root, path=str(bin_))


@pytest.mark.parametrize(
    ("files", "setup", "verify"),
    [
        ({}, (), ()),
        (
            {"package.json": PACKAGE, "package-lock.json": "{}"},
            ("npm ci",),
            ("npm run lint", "npm test"),
        ),
        (
            {"package.json": PACKAGE, "pnpm-lock.yaml": ""},
            ("pnpm install --frozen-lockfile",),
            ("pnpm run lint", "pnpm test"),
        ),
        (
            {"package.json": PACKAGE, "yarn.lock": "", ".yarnrc.yml": ""},
            ("yarn install --immutable",),
            ("yarn run lint", "yarn test"),
        ),
        ({"package.json": PACKAGE}, (), ("npm run lint", "npm test")),
        (
            {"package.json": '{"dependencies": {"a": "1"}, "scripts": {"start": "node ."}}'},
            ("npm install",),
            (),
        ),
        (
            {"uv.lock": "", "pyproject.toml": '[project]\nname = "a"\n'},
            ("uv sync",),
            (),
        ),
        (
            {"uv.lock": "", "pyproject.toml": "[tool.pytest.ini_options]\naddopts = []\n"},
            ("uv sync",),
            ("uv run pytest",),
        ),
        (
            {"poetry.lock": "", "pytest.ini": "[pytest]\n", "pyproject.toml": ""},
            ("poetry install",),
            ("poetry run pytest",),
        ),
        (
            {
                "pyproject.toml": '[project]\nname = "a"\n[project.optional-dependencies]\n'
                'dev = ["pytest>=8"]\ngui = ["qt"]\n',
                "tests/test_a.py": "def test_a(): pass\n",
            },
            ("python -m pip install -e '.[dev]'",),
            ("python -m pytest",),
        ),
        (
            {"requirements.txt": "x\n", "requirements-dev.txt": "Pytest\n", "conftest.py": ""},
            ("python -m pip install -r requirements-dev.txt -r requirements.txt",),
            ("python -m pytest",),
        ),
        (
            {
                "pyproject.toml": '[build-system]\n[dependency-groups]\ntest = ["x", '
                '{include-group = "b"}]\nb = ["y>=1", {include-group = "test"}]\n',
                "test/test_a.py": "import unittest\n",
            },
            ("python -m pip install -e . x 'y>=1'",),
            ("python -m unittest discover -s test",),
        ),
        (
            {"setup.py": "", "tests/test_a.py": "import pytest\n"},
            ("python -m pip install -e . pytest",),
            ("python -m pytest",),
        ),
        ({"Cargo.toml": "[package]\n"}, ("cargo fetch",), ("cargo test",)),
        ({"go.mod": "module a\n"}, ("go mod download",), ("go test ./...",)),
        ({"Makefile": "test:\n\t./run\n"}, (), ("make test",)),
        (
            {"package.json": PACKAGE, "Cargo.toml": "[package]\n"},
            ("cargo fetch",),
            ("npm run lint", "npm test", "cargo test"),
        ),
    ],
)
def test_what_a_project_declares_is_used(
    root: Path, files: dict[str, str | bytes], setup: tuple[str, ...], verify: tuple[str, ...]
) -> None:
    project = seen(root, files)

    assert (project.setup, project.verify) == (setup, verify)
    assert project.not_used == ()


@pytest.mark.parametrize(
    "script",
    [
        "",
        'echo "Error: no test specified" && exit 1',
        "true",
        "exit 0",
        "CI=1 :",
        "jest --watch",
        "vitest --watchAll",
    ],
)
def test_script_that_checks_nothing_or_never_ends_is_no_check(root: Path, script: str) -> None:
    project = seen(root, {"package.json": json.dumps({"scripts": {"test": script}})})

    assert project.verify == ()
    assert [note.partition(" (")[0] for note in project.not_used] == ["package.json test"]


def test_script_that_another_one_runs_is_not_run_twice(root: Path) -> None:
    scripts = {"check": "npm run lint && npm t", "lint": "eslint", "test": "jest"}

    assert seen(root, {"package.json": json.dumps({"scripts": scripts})}).verify == (
        "npm run check",
    )


def test_tool_that_is_missing_is_named_and_not_used(root: Path) -> None:
    project = seen(
        root,
        {
            "package.json": PACKAGE,
            "yarn.lock": "",
            "uv.lock": "",
            "pyproject.toml": "[project]\n",
            "Cargo.toml": "",
            "go.mod": "",
            "Makefile": "test:\n\t./run\n",
        },
        "python3",
    )

    assert project.setup == ("python -m pip install -e .",)
    assert project.verify == ()
    assert set(project.not_used) == {
        "package.json (yarn is not installed)",
        "uv.lock (uv is not installed)",
        "Cargo.toml (cargo is not installed)",
        "go.mod (go is not installed)",
        "Makefile (make is not installed)",
    }


def test_projects_below_the_root_are_listed_and_never_guessed(root: Path) -> None:
    project = seen(
        root,
        {
            "package.json": PACKAGE,
            "api/pyproject.toml": "[project]\n",
            "web/app/package.json": PACKAGE,
            "node_modules/x/package.json": PACKAGE,
            "tools/.hidden/go.mod": "",
        },
    )

    assert project.verify == ("npm run lint", "npm test")
    assert project.not_used == ("api/pyproject.toml", "web/app/package.json")


def test_members_of_a_workspace_belong_to_the_root(root: Path) -> None:
    files: dict[str, str | bytes] = {
        "package.json": '{"workspaces": ["packages/*"]}',
        "packages/a/package.json": PACKAGE,
        "Cargo.toml": '[workspace]\nmembers = ["a"]\n',
        "a/Cargo.toml": "[package]\n",
    }

    assert seen(root, files).not_used == ()


@pytest.mark.parametrize(
    "content", [b"[]", b"{", b"\xff\xfe{}", b" " * (10 << 20), b"[" * 100_000, b'"scripts"']
)
def test_file_that_makes_no_sense_is_named_and_declares_nothing(root: Path, content: bytes) -> None:
    project = seen(root, {"package.json": content})

    assert (project.setup, project.verify) == ((), ())
    assert len(project.not_used) == 1
    assert project.not_used[0].startswith("package.json ")


@pytest.mark.parametrize(
    "package",
    [
        {"scripts": ["test"]},
        {"scripts": {"test": 1, "lint": None}},
        {"packageManager": 7, "workspaces": "x"},
        {"dependencies": "none"},
    ],
)
def test_odd_values_in_package_json_are_survived(root: Path, package: object) -> None:
    assert seen(root, {"package.json": json.dumps(package)}).verify == ()


def test_link_out_of_the_project_declares_nothing(root: Path) -> None:
    (root.parent / "outside.json").write_text(PACKAGE)
    (root / "package.json").symlink_to("../outside.json")
    (root / "Makefile").symlink_to("Makefile")
    project = seen(root, {})

    assert project.verify == ()
    assert project.not_used == ("package.json leads out of the project",)


def test_pipe_in_the_place_of_a_file_does_not_hang(root: Path) -> None:
    os.mkfifo(root / "pyproject.toml")

    assert seen(root, {}).not_used == ("pyproject.toml is no regular file",)


MAKEFILE = """\
PYTEST := pytest \\
  -q
include more.mk
.PHONY: test check
test: unit ; echo done
unit:
\t$(PYTEST) tests
check: test
\t@$(MAKE) lint
"""


def test_makefile_with_continuations_and_includes_is_read(root: Path) -> None:
    project = seen(root, {"Makefile": MAKEFILE, "more.mk": "lint:\n\truff check\n"})

    assert project.verify == ("make check",)


def test_makefile_that_runs_a_tool_is_used_instead_of_running_it_twice(root: Path) -> None:
    files: dict[str, str | bytes] = {"Makefile": MAKEFILE, "conftest.py": "", "Cargo.toml": ""}

    assert seen(root, files).verify == ("cargo test", "make check")


@pytest.mark.parametrize(
    "makefile",
    [
        "all:\n\tcc a.c\n",
        "test:\n",
        "test:\n\t@echo nothing to test\n",
        "include Makefile\ntest = 1\n",
        "test: test\n",
        "\ttest:\n",
        "# test:\n",
    ],
)
def test_makefile_without_a_real_target_declares_nothing(root: Path, makefile: str) -> None:
    assert seen(root, {"Makefile": makefile}).verify == ()
