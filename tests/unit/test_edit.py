"""Promises of edits: they do what their numbers and texts say, and touch nothing else."""

from __future__ import annotations

import random
import time

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.errors import EditError, UsageError
from orchestrator.work.difference import MOST_LINES, lines_of
from orchestrator.work.edit import (
    LIMIT,
    Insertion,
    LineEdit,
    Replacement,
    Request,
    apply,
    unified_diff,
)
from orchestrator.work.substitution import substituted

TEXTS = st.text(alphabet="ab \n", max_size=30)
ANY = st.text(alphabet="ab\r\n\x0c\u2028é\ufeff", max_size=20)


def by_expression(text: str, wanted: Replacement) -> tuple[str, int]:
    return substituted(text, **attrs.asdict(wanted))


def lines(*edits: tuple[int, int, str]) -> Request:
    return Request(line_edits=tuple(LineEdit(start=a, end=b, text=text) for a, b, text in edits))


def inserted(*insertions: tuple[int, str]) -> Request:
    return Request(insertions=tuple(Insertion(at=at, text=text) for at, text in insertions))


def edited(text: str | None, request: Request) -> str:
    return apply(text, request, substitute=by_expression)


def replaced(
    text: str,
    search: str,
    replace: str,
    *,
    regex: bool = False,
    count: int | None = None,
    ignore_case: bool = False,
    multiline: bool = False,
) -> str:
    wanted = Replacement(
        search=search,
        replace=replace,
        regex=regex,
        count=count,
        ignore_case=ignore_case,
        multiline=multiline,
    )
    return edited(text, Request(replacement=wanted))


@given(st.none() | TEXTS, ANY)
def test_content_is_the_text_afterwards(text: str | None, content: str) -> None:
    assert edited(text, Request(content=content)) == content


@pytest.mark.parametrize(
    ("text", "request_", "after"),
    [
        ("a\nb\nc\n", lines((2, 2, "x")), "a\nx\nc\n"),
        ("a\nb\nc\n", lines((2, 2, "x\n\n")), "a\nx\n\nc\n"),
        ("a\nb\nc\n", lines((3, 3, "z\n"), (1, 1, "x\ny\n")), "x\ny\nb\nz\n"),
        ("a\nb\nc\n", lines((1, 2, "")), "c\n"),
        ("a\nb", lines((2, 2, "x")), "a\nx"),
        ("a\nb", lines((2, 2, "x\n")), "a\nx\n"),
        ("a\nb", lines((1, 1, "x")), "x\nb"),
        ("a\x0cb\u2028c\rd\ne\n", lines((2, 2, "x")), "a\x0cb\u2028c\rd\nx\n"),
        ("a\nb\n", inserted((1, "x")), "x\na\nb\n"),
        ("a\nb\n", inserted((3, "x")), "a\nb\nx\n"),
        ("a\nb", inserted((3, "x")), "a\nb\nx"),
        ("a\nb", inserted((3, "x\n")), "a\nb\nx\n"),
        ("a\nb", inserted((3, "x"), (3, "y"), (1, "z")), "z\na\nb\nx\ny"),
        ("a", Request(insertions=(Insertion(at=2, text="x"),) * 2), "a\nx\nx"),
        ("", inserted((1, "x")), "x\n"),
        ("a\n", inserted((1, "x"), (2, "z"), (1, "y")), "x\ny\na\nz\n"),
    ],
)
def test_whole_lines_are_edited(text: str, request_: Request, after: str) -> None:
    assert edited(text, request_) == after


@pytest.mark.parametrize(
    ("text", "request_", "after"),
    [
        ("a\r\nb\r\n", lines((1, 1, "x\ny")), "x\r\ny\r\nb\r\n"),
        ("a\r\nb\r\n", lines((1, 1, "x\r\ny\r\n")), "x\r\ny\r\nb\r\n"),
        ("a\r\nb", inserted((3, "x")), "a\r\nb\r\nx"),
        ("a\r\n", Request(content="x\ny\n"), "x\r\ny\r\n"),
        (
            "a\r\nb\r\n",
            Request(replacement=Replacement(search="a\nb", replace="c\nd")),
            "c\r\nd\r\n",
        ),
        ("a\r\nb\r\n", Request(replacement=Replacement(search="a\r\nb", replace="c")), "c\r\n"),
        (
            "a\r\nb\r\n",
            Request(
                replacement=Replacement(search="a$", replace=r"c\r\nd", regex=True, multiline=True)
            ),
            "c\r\nd\r\nb\r\n",
        ),
        ("a\r\nb\n", lines((1, 1, "x")), "x\nb\n"),
        ("a\r\r\nb\r\n", lines((2, 2, "x")), "a\r\r\nx\n"),
        ("a\n", lines((1, 1, "x\r\n")), "x\r\n"),
    ],
)
def test_lines_end_as_those_of_the_file_when_all_end_alike(
    text: str, request_: Request, after: str
) -> None:
    assert edited(text, request_) == after


@st.composite
def apart(draw: st.DrawFn) -> tuple[str, list[tuple[int, int, str]]]:
    """Give a text, and edits of lines of it that do not overlap, in any order."""
    text = draw(TEXTS.filter(bool))
    last = len(lines_of(text))
    cuts = sorted(draw(st.sets(st.integers(1, last), min_size=1, max_size=6)))
    ends = [
        draw(st.integers(start, next_ - 1))
        for start, next_ in zip(cuts, [*cuts[1:], last + 1], strict=True)
    ]
    edits = [(start, end, draw(TEXTS)) for start, end in zip(cuts, ends, strict=True)]
    return text, draw(st.permutations(edits))


@example(("a\nb", [(2, 2, "x")]))
@given(apart())
def test_line_edits_do_what_one_after_the_other_from_the_bottom_does(
    case: tuple[str, list[tuple[int, int, str]]],
) -> None:
    text, edits = case
    model = lines_of(text)
    for start, end, new in sorted(edits, reverse=True):
        open_end = end == len(lines_of(text)) and not text.endswith("\n")
        whole = new if open_end or not new or new.endswith("\n") else f"{new}\n"
        model = [*model[: start - 1], whole, *model[end:]]

    assert edited(text, lines(*edits)) == "".join(model)


@given(apart(), st.booleans())
def test_line_edits_touch_no_other_line(
    case: tuple[str, list[tuple[int, int, str]]], crlf: bool
) -> None:
    text, edits = case
    if crlf:
        text = text.replace("\n", "\r\n")
    after = edited(text, lines(*edits))
    place = 0
    touched = {line for start, end, _ in edits for line in range(start, end + 1)}
    for number, line in enumerate(lines_of(text), start=1):
        if number not in touched:
            place = after.find(line, place)
            assert place >= 0
            place += len(line)


@given(TEXTS, st.lists(st.tuples(st.integers(1, 40), TEXTS.filter(bool)), min_size=1, max_size=5))
def test_insertions_only_add(text: str, insertions: list[tuple[int, str]]) -> None:
    last = len(lines_of(text)) + 1
    insertions = [(min(at, last), new) for at, new in insertions]
    model = [line if line.endswith("\n") else f"{line}\n" for line in lines_of(text)]
    backwards = sorted(enumerate(insertions), key=lambda one: (one[1][0], one[0]), reverse=True)
    for _, (at, new) in backwards:
        model.insert(at - 1, new if new.endswith("\n") else f"{new}\n")

    after = edited(text, inserted(*insertions))

    assert after in ("".join(model), "".join(model).removesuffix("\n"))


@given(
    TEXTS, st.text(alphabet="ab\n", min_size=1, max_size=2), TEXTS, st.none() | st.integers(1, 3)
)
def test_a_text_is_replaced_as_a_string_would(
    text: str, search: str, replace: str, count: int | None
) -> None:
    if search not in text:
        with pytest.raises(EditError):
            replaced(text, search, replace, count=count)
        return
    wanted = text.replace(search, replace, -1 if count is None else count)
    assert replaced(text, search, replace, count=count) == wanted
    assert replaced(text, search, replace, count=count, ignore_case=True) == wanted


def test_a_replacement_goes_by_its_settings() -> None:
    text = "Foo(1)\nfoo(2)\n"

    assert replaced(text, "foo", r"\1", ignore_case=True) == "\\1(1)\n\\1(2)\n"
    assert replaced(text, "f.o", "x", regex=True) == "Foo(1)\nx(2)\n"
    assert replaced(text, r"(\w+)\((\d)\)", r"\2:\g<1>", regex=True, count=1) == "1:Foo\nfoo(2)\n"
    assert replaced(text, "^f", "g", regex=True, multiline=True, ignore_case=True) == (
        "goo(1)\ngoo(2)\n"
    )
    assert replaced(text, r"\)$", "", regex=True) == "Foo(1)\nfoo(2\n"
    assert replaced("a.b.c", ".", "-") == "a-b-c"


@pytest.mark.parametrize(
    ("text", "request_", "where"),
    [
        ("a\n", lines((0, 1, "")), "line_edits.0.start"),
        ("a\n", lines((1, 1, ""), (2, 2, "")), "line_edits.1.start"),
        ("a\n", lines((1, 2, "")), "line_edits.0.end"),
        ("a\nb\n", lines((2, 1, "")), "line_edits.0.end"),
        ("", lines((1, 1, "")), "line_edits.0.start"),
        ("a\nb\nc\n", lines((2, 3, ""), (1, 2, "")), "line_edits.0.start"),
        ("a\nb\n", lines((1, 1, ""), (1, 1, "")), "line_edits.1.start"),
        ("a\n", inserted((1, "x"), (3, "x")), "insertions.1.at"),
        ("a\n", inserted((0, "x")), "insertions.0.at"),
        ("a\n", inserted((1, "")), "insertions.0.text"),
    ],
)
def test_wrong_numbers_are_named(text: str, request_: Request, where: str) -> None:
    with pytest.raises(UsageError) as raised:
        edited(text, request_)
    assert raised.value.where == where
    assert raised.value.fix


@pytest.mark.parametrize(
    ("search", "replace", "where"),
    [
        ("", "x", "replacement.search"),
        ("(", "x", "replacement.search"),
        ("a{99999999999999}", "x", "replacement.search"),
        ("(" * 5000 + ")" * 5000, "x", "replacement.search"),
        ("a", r"\1", "replacement.replace"),
        ("a", r"\g<b>", "replacement.replace"),
        ("a", "\\", "replacement.replace"),
        ("zz", "x", "replacement.search"),
        ("zz", r"\1", "replacement.replace"),
    ],
)
def test_wrong_expressions_are_named(search: str, replace: str, where: str) -> None:
    with pytest.raises(UsageError) as raised:
        replaced("abc", search, replace, regex=True)
    assert raised.value.where == where


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(UsageError) as raised:
        replaced("a", "a", "b", count=0)
    assert raised.value.where == "replacement.count"


def test_a_search_without_a_match_shows_how_the_file_begins() -> None:
    text = "".join(f"line {number}\r\n\n" for number in range(30)) + "x" * 500

    with pytest.raises(EditError) as raised:
        replaced(f"{'é' * 300}\n{text}", "not there", "")

    *first, last = raised.value.message.split("\n")
    assert "'not there'" in first[0]
    assert first[1].startswith("  1: éé")
    assert len(first[1]) < 140
    assert first[2] == "  2: line 0"
    assert last == "  10: line 4"


@pytest.mark.parametrize(
    ("given_", "named"),
    [
        ({}, ()),
        ({"content": "", "insertions": (Insertion(at=1, text="a"),)}, ("content", "insertions")),
        (
            {
                "line_edits": (LineEdit(start=1, end=1, text=""),),
                "replacement": Replacement(search="a", replace=""),
            },
            ("line_edits", "replacement"),
        ),
    ],
)
def test_exactly_one_kind_of_edit_is_given(given_: dict[str, object], named: tuple[str]) -> None:
    with pytest.raises(UsageError) as raised:
        Request(**given_)  # type: ignore[arg-type]  # the fields are what differs
    assert all(name in raised.value.message for name in named)


def test_only_content_makes_a_file() -> None:
    with pytest.raises(EditError, match="no such file"):
        edited(None, lines((1, 1, "x")))


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("a" * (LIMIT + 1), lines((1, 1, ""))),
        ("a", Request(content="a" * (LIMIT + 1))),
        (None, Request(content="a" * (LIMIT + 1))),
        ("\r\n" * (LIMIT // 2), inserted((1, "\n"))),
    ],
)
def test_texts_that_are_too_large_are_refused(text: str | None, request_: Request) -> None:
    with pytest.raises(EditError, match="larger than 4 MiB"):
        edited(text, request_)


def test_what_would_be_far_too_large_is_refused_before_it_is_made() -> None:
    with pytest.raises(EditError, match="larger than 4 MiB"):
        replaced("a" * LIMIT, "a", "a" * LIMIT)


def applied(old: list[str], diff: str) -> list[str]:
    """Return the lines that a diff makes of others, which have to be the ones it was made of."""
    result: list[str] = []
    done = 0
    for line in diff.splitlines()[2:]:
        if line.startswith("@@"):
            start, count = map(int, line.split()[1][1:].split(","))
            start -= count > 0
            result += old[done:start]
            done = start
        elif line.startswith("\\"):
            result[-1] = result[-1].removesuffix("\n")
        elif line.startswith("+"):
            result.append(f"{line[1:]}\n")
        else:
            assert old[done].removesuffix("\n") == line[1:]
            if line.startswith(" "):
                result.append(old[done])
            done += 1
    return result + old[done:]


SOME_LINES = st.lists(st.sampled_from("abcdef"), max_size=30).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@example("a\n", "b")
@given(SOME_LINES, SOME_LINES)
def test_a_diff_makes_one_text_of_the_other(old: str, new: str) -> None:
    diff = unified_diff(old, new, "a")

    assert (diff == "") == (old == new)
    assert "".join(applied(lines_of(old), diff)) == new


def test_a_diff_reads_like_git_s() -> None:
    old = "".join(f"{number}\n" for number in range(1, 21)) + "end"
    new = old.replace("5\n", "five\n", 1).replace("end", "end\n")

    assert unified_diff(old, new, "x/y.txt") == (
        "--- a/x/y.txt\n+++ b/x/y.txt\n"
        "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n"
        "@@ -18,4 +18,4 @@\n 18\n 19\n 20\n-end\n\\ No newline at end of file\n+end\n"
    )
    assert unified_diff(None, "a\n", "x") == "--- /dev/null\n+++ b/x\n@@ -0,0 +1,1 @@\n+a\n"
    assert unified_diff("a\n", "", "x") == "--- a/x\n+++ b/x\n@@ -1,1 +0,0 @@\n-a\n"


def test_a_diff_of_a_long_file_shows_only_what_changed() -> None:
    old = [f"line {number}\n" for number in range(50_000)]
    new = ["first\n", *old[:49_000], "late\n", *old[49_001:]]

    diff = unified_diff("".join(old), "".join(new), "x")

    assert [line for line in diff.splitlines()[2:] if line[0] in "+-"] == [
        "+first",
        "-line 49000",
        "+late",
    ]


def test_a_long_diff_says_how_much_more_there_is() -> None:
    diff = unified_diff("", "x" * 10_000 + "\n" + "a\n" * 999, "x").splitlines()

    assert len(diff) == MOST_LINES + 1
    assert len(diff[3]) < 1_000
    assert diff[-1] == "… 603 more lines"


def test_no_texts_make_a_diff_take_long() -> None:
    chance = random.Random(1)
    once = [f"{number}\n" for number in range(20_000)]
    old, new = (chance.choices(["a\n", "b\n"], k=400_000) for _ in range(2))
    for texts in ((old, new), (once, once[::-1]), (old[:999] + once, new[:1_001] + once)):
        began = time.process_time()
        unified_diff("".join(texts[0]), "".join(texts[1]), "x")
        assert time.process_time() - began < 20
