"""Promise: ids can name files, branches and refs; new ones are new; beginnings name one item."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UnknownItemError, UsageError
from orchestrator.work.backlog.ids import (
    ALPHABET,
    RANDOM,
    check_id,
    check_prefix,
    fresh,
    make_id,
    resolve,
)
from orchestrator.work.backlog.item import Item
from tests.backlogs import Backlog


@pytest.mark.parametrize("id", ["WRK-001", "tg-1rh14", "HAMY-001", "a", "a.b", "A_1-2", "x" * 64])
def test_ids_of_old_and_new_backlogs_are_valid(id: str) -> None:
    assert check_id(id) == id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "../x",
        "a/b",
        "a..b",
        ".a",
        "a.",
        "-a",
        "a b",
        "a\n",
        "a\x00",
        "é",
        "x" * 65,
        "a.lock",
        "a\\b",
        "a~1",
        "a:b",
    ],
)
def test_what_is_a_path_an_option_or_no_ref_is_no_id(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_id(text)
    assert caught.value.fix


@pytest.mark.processes
def test_git_takes_every_kind_of_id_as_a_branch() -> None:
    for id in ("WRK-001", "tg-1rh14", "a.b-c_d", "x" * 64, "_1"):
        subprocess.run(
            ["git", "check-ref-format", f"refs/heads/orchestrator/{check_id(id)}"],
            check=True,
            timeout=30,
        )


@given(st.text(max_size=12))
def test_a_valid_id_has_no_part_of_a_path(text: str) -> None:
    try:
        id = check_id(text)
    except UsageError:
        return
    assert id.isascii()
    assert "/" not in id
    assert ".." not in id
    assert not id.startswith((".", "-"))


@pytest.mark.parametrize("prefix", ["", "-a", "a.b", "a/b", "x" * 33, "é", "a b"])
def test_a_prefix_that_makes_no_ids_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError):
        check_prefix(prefix)


@given(st.sampled_from(["WRK", "my-app", "a_b"]), st.binary(min_size=RANDOM, max_size=RANDOM))
def test_a_made_id_is_the_prefix_and_five_clear_characters(prefix: str, random: bytes) -> None:
    id = make_id(prefix, random, lambda _: False)
    assert check_id(id) == id
    assert id.startswith(f"{prefix}-")
    suffix = id.removeprefix(f"{prefix}-")
    assert len(suffix) == 5
    assert set(suffix) <= set(ALPHABET)
    assert not set("ilou") & set(suffix)


def test_a_taken_id_is_not_made_again() -> None:
    random = bytes(range(RANDOM))
    first = make_id("W", random, lambda _: False)
    second = make_id("W", random, lambda id: id == first)
    assert first != second
    with pytest.raises(UsageError, match="no id is free"):
        make_id("W", random, lambda _: True)


def test_an_id_that_is_known_is_asked_for_again() -> None:
    backlog = Backlog(Item(id="N-1", title="a"))
    given_ids = iter(["N-1", "N-1", "N-2"])
    assert fresh(lambda: next(given_ids), backlog) == "N-2"
    with pytest.raises(UsageError, match="no id is free"):
        fresh(lambda: "N-1", backlog)


IDS = ["WRK-001", "WRK-0012", "tg-1rh14", "tg-9zz00", "my-app-4xx00"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("WRK-001", "WRK-001"),  # the whole of one, the beginning of another
        ("wrk-001", "WRK-001"),
        ("001", "WRK-001"),
        ("0012", "WRK-0012"),
        ("tg-1", "tg-1rh14"),
        ("1RH", "tg-1rh14"),
        (" 9z ", "tg-9zz00"),
        ("4xx", "my-app-4xx00"),
        ("my", "my-app-4xx00"),
    ],
)
def test_a_beginning_that_only_one_has_names_it(text: str, meant: str) -> None:
    assert resolve(text, IDS) == meant


@pytest.mark.parametrize("text", ["", " ", "x", "rh14", "WRK-002"])
def test_a_beginning_that_none_has_names_nothing(text: str) -> None:
    with pytest.raises(UnknownItemError, match="no item"):
        resolve(text, IDS)


def test_a_beginning_that_several_have_is_told_with_them() -> None:
    with pytest.raises(UnknownItemError, match=r"2 items .*: tg-1rh14, tg-9zz00"):
        resolve("tg", IDS)


@given(st.lists(st.from_regex(r"[A-Z]{1,3}-[0-9a-z]{1,5}", fullmatch=True), unique=True))
def test_the_whole_id_always_names_its_item(ids: list[str]) -> None:
    for id in ids:
        assert resolve(id, ids) == id
