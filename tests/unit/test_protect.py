"""Promises: what is protected, and what decides verification, changes only when a task names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.project.definition import definition
from orchestrator.work.protect import complaints, is_named

FILES = {
    "package.json": json.dumps(
        {
            "scripts": {
                "test": "npm run unit && node tools/e2e.mjs",
                "unit": "jest",
                "pretest": "sh ./scripts/prepare.sh",
                "start": "node .",
            },
            "jest": {"testMatch": ["**/*.test.js"]},
            "dependencies": {"a": "1"},
        }
    ),
    "tools/e2e.mjs": "1",
    "scripts/prepare.sh": "#!/bin/sh\n./scripts/inner\n",
    "scripts/inner": "x",
    "Makefile": "include rules.mk\nPY = python3\n\ncheck: lint\n\t$(PY) -m pytest\n"
    "\t./ci/run.sh\nclean:\n\trm -rf build\n",
    "rules.mk": "lint:\n\truff check\n",
    "ci/run.sh": "true\n",
    "pyproject.toml": '[project]\nname = "a"\n[tool.pytest.ini_options]\naddopts = "-q"\n',
    "conf/tox.ini": "[pytest]\naddopts = -x\n[testenv]\n",
    "src/a.py": "a = 1\n",
}
COMMANDS = [("npm test", "."), ("env A=1 make check", "."), ("uv run pytest -q", "conf")]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def changed(project: Path, name: str, old: str, new: str) -> list[str]:
    """Return the complaints when a worker replaces ``old`` by ``new`` in a file."""
    before = definition(project, ".", COMMANDS)
    path = project / name
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "").replace(old, new) or new)
    return list(complaints([], (), before, definition(project, ".", COMMANDS), ["Add a login"]))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("package.json", '"jest"', '"true"', "script unit in package.json"),
        ("package.json", '"unit"', '"posttest": "true", "unit"', "script posttest"),
        ("package.json", "test.js", "none.js", "jest in package.json"),
        ("package.json", "{", "[", "package.json"),
        ("tools/e2e.mjs", "1", "2", "tools/e2e.mjs"),
        ("scripts/prepare.sh", "./scripts/inner", "true", "scripts/prepare.sh"),
        ("scripts/inner", "x", "y", "scripts/inner"),
        ("Makefile", "-m pytest", "-V", "target check in Makefile"),
        ("Makefile", "python3", "true", "target check in Makefile"),
        ("Makefile", "clean:", "check: PY = true\nclean:", "target check in Makefile"),
        ("rules.mk", "ruff", "true", "target check in Makefile"),
        ("ci/run.sh", "true", "false", "ci/run.sh"),
        ("pyproject.toml", "-q", "-q -k none", "[tool.pytest] in pyproject.toml"),
        ("conf/tox.ini", "-x", "--co", "[pytest] in conf/tox.ini"),
        ("orchestrator.toml", "", "[execution]\nverify = []\n", "orchestrator.toml"),
    ],
)
def test_change_of_what_decides_verification_is_found(
    project: Path, name: str, old: str, new: str, said: str
) -> None:
    assert any(said in complaint for complaint in changed(project, name, old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("package.json", '"a": "1"', '"a": "2"'),
        ("package.json", "node .", "node app"),
        ("Makefile", "rm -rf build", "rm -rf build dist"),
        ("Makefile", "clean:", "run:\n\t./app\nclean:"),
        ("pyproject.toml", '"a"', '"b"'),
        ("conf/tox.ini", "[testenv]", "[testenv:x]"),
        ("src/a.py", "1", "2"),
        ("tests/test_new.py", "", "def test_a(): pass\n"),
    ],
)
def test_work_beside_it_is_free(project: Path, name: str, old: str, new: str) -> None:
    assert changed(project, name, old, new) == []


def test_link_out_and_removal_count_as_changes(project: Path) -> None:
    before = definition(project, ".", COMMANDS)
    (project / "ci/run.sh").unlink()
    (project / "tools/e2e.mjs").unlink()
    (project / "tools/e2e.mjs").symlink_to("/etc/passwd")
    after = definition(project, ".", COMMANDS)

    assert len(complaints([], (), before, after, [])) == 2


@pytest.mark.parametrize(
    "command",
    ["", "'", "make -C ../.. x", "npm", "sh -c", "cd ..; ./x", "$(", "sh ../../x", "/a"],
)
def test_odd_commands_are_survived(project: Path, command: str) -> None:
    assert definition(project, ".", [(command, ".")]) == {}


def test_commands_that_run_each_other_end(project: Path) -> None:
    (project / "package.json").write_text('{"scripts": {"test": "npm test && npm run test -- x"}}')

    assert definition(project, ".", [("npm test", ".")]) == {
        ("package.json", "script test"): "npm test && npm run test -- x"
    }


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("Change .github/workflows/ci.yml to use Node 22", True),
        ("Change `ci.yml`", True),
        ("Mend ci.yml.", True),
        ("Everything below .github/ may go", True),
        ("Add ci.yml.bak", False),
        ("Add other/.github/workflows/ci.yml", False),
        ("Write my-ci.yml", False),
        ("Add a login", False),
    ],
)
def test_task_that_names_a_path(words: str, named: bool) -> None:
    assert is_named(".github/workflows/ci.yml", words) is named


def test_complaint_names_path_and_rule() -> None:
    found = complaints(["a.py", ".github/x.yml"], ["*.lock", ".github/**"], {}, {}, ["Write a.py"])

    assert found == (
        "the worker changed .github/x.yml, protected by workspace.protect (.github/**), "
        "and no task of the story names it",
    )
