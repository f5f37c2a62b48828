"""Promises of globs: ``*`` stays within a name, ``**`` is any depth, nothing odd raises."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.work.globs import any_matches, matches


@pytest.mark.parametrize(
    ("pattern", "hits", "misses"),
    [
        ("web/**", ["web/a", "web/a/b.ts"], ["web", "webs/a", "a/web/b"]),
        ("**/test_*.py", ["test_a.py", "a/b/test_a.py"], ["a/test_a.pyc", "a/b/xtest_a.py"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "b"]),
        ("src/*.c", ["src/a.c"], ["src/a/b.c", "a.c"]),
        ("*.lock", ["x.lock", "a/b/x.lock"], ["x.locks"]),
        ("/Makefile", ["Makefile"], ["a/Makefile"]),
        (".github/", [".github/x", ".github/a/b"], [".github", "a/.github/x"]),
        ("./a/b", ["a/b"], ["a/b/c"]),
        ("a?c/[xy]", ["abc/x", "abc/y"], ["a/c/x", "abc/z", "abc/xy"]),
        ("[!a]/b", ["c/b"], ["a/b", "//b"]),
        ("**", ["a", "a/b"], [""]),
        ("a[", ["a[", "x/a["], ["a"]),
        ("a/[/]", [], ["a//"]),
        ("a/b c\n*", ["a/b c\nd"], ["a/b c"]),
    ],
)
def test_what_a_glob_matches(pattern: str, hits: list[str], misses: list[str]) -> None:
    assert [path for path in hits if not matches(path, pattern)] == []
    assert [path for path in misses if matches(path, pattern)] == []


@example("[[-?]", "")
@given(st.text(alphabet="ab/*?[]!^-\\|&~.", max_size=12), st.text(alphabet="ab/[]-\\.", max_size=8))
def test_no_glob_raises(pattern: str, path: str) -> None:
    assert matches(path, pattern) in (True, False)


@given(st.text(alphabet=st.characters(exclude_characters="*?[]/"), min_size=1))
def test_plain_name_matches_itself_in_every_directory(name: str) -> None:
    assert matches(name, name) or name.startswith(".")
    assert any_matches([f"a/{name}"], [f"a/{name}"])
