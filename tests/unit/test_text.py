"""Text from a worker is harmless on a terminal and bounded in memory."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.text import Tail, clean, one_line, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link"),
        ("\x1bP1$r\x1b\\a\x9b2Jb", "ab"),
        ("half \x1b]52;c;payload", "half "),
        ("a\rb\r\nc\td", "a\nb\nc\td"),
        ("\ud800\u202edrow", "drow"),
    ],
)
def test_terminal_control_is_removed(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(st.text(alphabet=st.sampled_from("\x1b[]P\\;m1\x07\x9ba\n\r\x00\u2066")))
def test_nothing_a_terminal_acts_on_is_left(text: str) -> None:
    left = {letter for letter in clean(text) if unicodedata.category(letter) in ("Cc", "Cf", "Cs")}

    assert left <= {"\n", "\t"}


def test_long_text_is_cut_and_says_so() -> None:
    assert shown("x" * 50, 10) == "x" * 9 + "…"


def test_text_becomes_one_line() -> None:
    assert one_line(" a\n  b\tc ") == "a b c"


def test_tail_keeps_the_end_within_its_limit() -> None:
    tail = Tail(limit=10)
    for number in range(1000):
        tail.add(f"{number:04}")
    tail.add("  ")

    assert tail.text == "0998\n0999"
    assert tail.last == "0999"


def test_tail_keeps_the_last_line_however_long() -> None:
    tail = Tail(limit=10)
    tail.add("x" * 100)

    assert tail.last == "x" * 100
