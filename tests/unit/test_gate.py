"""Promises of gates as they are written: a value fills its place and means nothing more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.work.backlog.gate import Gate, fill
from orchestrator.work.globs import matches
from orchestrator.work.machine.policy import check_issue

ODD = ("99; touch x", "*", "$(touch x)", "`touch x`", "it's", 'a "b"', "a\nb", "\\", "#1", "")


@pytest.mark.processes
@pytest.mark.parametrize("value", ODD)
def test_a_value_is_one_word_of_a_command(tmp_path: Path, value: str) -> None:
    command = Gate(command="printf %s. {issue} > out").filled({"issue": value}).command
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True)
    assert (tmp_path / "out").read_text() == f"{value}."
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "command",
    [
        'test "{issue}" = a',
        "test '{issue}' = a",
        "echo `echo {issue}`",
        "cat <<END\n{issue}\nEND",
        "echo ${issue}",
    ],
)
def test_a_command_with_quotes_of_its_own_takes_only_what_means_itself(command: str) -> None:
    for value in ("$(touch x)", "`touch x`", "';touch x;'", '"', "a\nb"):
        gate = Gate(command=command).filled({"issue": value})
        assert (gate.command, gate.unfilled) == (command, ("issue",))
    for value in ("12", "PROJ-1", "feature/12-login", "a#1", "é", ""):
        gate = Gate(command=command).filled({"issue": value})
        assert gate.command == command.replace("{issue}", value)
        assert gate.unfilled == ()


NAMES = st.text("ab*?[]!^-\\{}.\n", min_size=1) | st.text(min_size=1).filter(
    lambda text: "/" not in text
)


@given(value=NAMES, other=NAMES)
def test_a_value_in_a_pattern_matches_itself_alone(value: str, other: str) -> None:
    values = {"issue": value}
    for gate in (Gate(glob="docs/{issue}/*.md"), Gate(absent="docs/{issue}/*.md")):
        filled = gate.filled(values)
        pattern = filled.glob or filled.absent
        assert matches(f"docs/{value}/a.md", pattern)
        assert other == value or not matches(f"docs/{other}/a.md", pattern)


def test_other_texts_hold_values_as_they_are() -> None:
    gate = Gate(file="{issue}", contains="{issue}", lacks="{issue}", key="{issue}", check="{issue}")
    assert gate.filled({"issue": "[a b]*"}) == Gate(
        file="[a b]*", contains="[a b]*", lacks="[a b]*", key="[a b]*", check="[a b]*"
    )


def test_a_value_that_looks_like_a_placeholder_is_none() -> None:
    values = {"item": "{branch}", "phase": "{item}", "branch": "b"}
    assert fill("{item} {phase} {branch} {issue} {other}", values) == (
        "{branch} {item} b {issue} {other}"
    )


@pytest.mark.parametrize("kind", ["file", "glob", "absent"])
@pytest.mark.parametrize("path", ["/etc/passwd", "~/x", "../x", "a/../../x", "a/.."])
def test_a_path_that_leads_out_is_a_fault(kind: str, path: str) -> None:
    assert "expected a path inside the project" in Gate(**{kind: path}).fault  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["file", "glob", "absent", "command", "check"])
def test_a_nul_is_a_fault(kind: str) -> None:
    assert Gate(**{kind: "a\0b"}).fault == "expected text without NUL"  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["a", "./a/b..c", "...", "a/~", "*.md", "-x"])
def test_a_path_inside_is_no_fault(path: str) -> None:
    assert Gate(file=path).fault == Gate(glob=path).fault == Gate(absent=path).fault == ""


def test_no_condition_and_two_are_faults() -> None:
    assert "got none" in Gate().fault
    assert "got file and glob" in Gate(file="a", glob="b").fault
    assert Gate(glob="a", key="b").fault == "key goes only with file"


@pytest.mark.parametrize("issue", ["12", "PROJ-12", "a", "org.repo#7", "A_b-c", "x" * 64])
def test_an_issue_may_be_a_name(issue: str) -> None:
    check_issue(issue)


@pytest.mark.parametrize(
    "issue", ["", "99; touch x", "*", "../x", "-a", "#1", "a b", "12\n", "a/b", "é", "x" * 65, "\0"]
)
def test_an_issue_is_nothing_but_a_name(issue: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_issue(issue)
    assert raised.value.where == "issue"
