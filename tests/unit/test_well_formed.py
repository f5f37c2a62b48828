"""Promises of what is said to be malformed: only what is, with its line, and nothing crashes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.adapters.well_formed import problems

SUFFIXES = ["py", "pyi", "json", "toml", "yaml", "yml", "txt", "PY"]
CONFLICT = "a\n<<<<<<< HEAD\nb\n=======\nc\n>>>>>>> other\n"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "def f():\n    return 1\n"),
        ("a.py", "\ufeffa = 1\r\n"),
        ("a.py", ""),
        ("a.json", '{"a": [1, 2.5, null]}\n'),
        ("a.json", "\ufeff[]"),
        ("a.json", "1" * 10_000),
        ("a.toml", '[a]\nb = "c"\n'),
        ("a.toml", ""),
        ("a.yaml", "a: 1\n---\nb: !odd [2]\n"),
        ("a.yml", "a: &x 1\nb: *x\nc: &x 2\n<<: *x\n"),
        ("a.yaml", "when: 2024-99-99\nhow: 1e999\n=: x\n"),
        ("a.yaml", ""),
        ("a.yaml", "a: 😀\n"),
        ("a.txt", "{ ("),
        ("Makefile", "\t("),
        (".py", "("),
        ("a.py.orig", "("),
        ("a.rst", "Title\n=======\n"),
        ("a.md", "<<<<<<< one\n"),
        ("a.md", ">>>>>>> two\n<<<<<<< one\n"),
        ("a.md", " <<<<<<< one\n >>>>>>> two\n"),
    ],
)
def test_what_is_well_formed_has_no_problems(path: str, text: str) -> None:
    assert problems(path, text) == ()


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("a.py", "a = 1\ndef f(:\n", "line 2: no Python: invalid syntax"),
        ("a.pyi", "def f(\n", "line 1: no Python"),
        ("a.PY", "return\n", "line 1: no Python: 'return' outside function"),
        ("a.py", "a = '\0'", "null"),
        ("a.json", '{\n"a": }\n', "line 2: no JSON"),
        ("a.json", "", "line 1: no JSON"),
        ("a.json", "[NaN]", "no JSON: NaN"),
        ("a.toml", "a = 1\na = 2\n", "no TOML"),
        ("a.toml", f"a = {'1' * 10_000}", "digits"),
        ("a.yaml", "a: 1\nb: c: d\n", "line 2: no YAML"),
        ("a.yaml", "a: &x 1\n---\nb: *x\n", "line 3: no YAML: there is no anchor x"),
        ("a.yml", "a: \0", "no YAML"),
        ("a.yaml", "a:\n\tb: 1\n", "line 2: no YAML"),
    ],
)
def test_what_is_malformed_is_said_with_its_line(path: str, text: str, said: str) -> None:
    (problem,) = problems(path, text)
    assert said in problem
    assert "\n" not in problem


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_conflict_is_a_problem_of_every_file(suffix: str) -> None:
    assert problems(f"a.{suffix}", CONFLICT)[0] == (
        "lines 2 to 6: an unresolved conflict of a merge"
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        *(("a.py", one * 100_000 + "1") for one in ("-", "(", "not ", "lambda: ", "a ** ", "[")),
        *(("a.py", "a" + one * 100_000) for one in (".b", "()", "[0]", " + a")),
        ("a.py", "if a: pass\n" + "elif a: pass\n" * 100_000),
        ("a.json", "[" * 100_000),
        ("a.json", '{"a":' * 100_000),
        ("a.toml", f"a = {'[' * 100_000}"),
        ("a.yaml", "[" * 100_000),
        ("a.yaml", "- " * 100_000),
        ("a.yaml", "".join(f"{' ' * depth}a:\n" for depth in range(3_000))),
    ],
    ids=lambda value: value[:6],
)
def test_what_is_nested_too_deeply_is_malformed(path: str, text: str) -> None:
    assert len(problems(path, text)) == 1


@given(
    st.sampled_from(SUFFIXES),
    st.text(alphabet="ab01 :{}[](),'\"\\\n\t#&*!-=\0\r\ud800é<>", max_size=40),
)
@pytest.mark.filterwarnings("ignore")
def test_no_text_raises(suffix: str, text: str) -> None:
    assert all(problem and "\n" not in problem for problem in problems(f"a.{suffix}", text))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_all_json_is_well_formed(value: object) -> None:
    assert problems("a.json", json.dumps(value, ensure_ascii=False)) == ()
