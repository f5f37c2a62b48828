"""Promise: ``--only`` means what it says, and says what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.work.backlog.filters import EVERYTHING, parse_filters
from orchestrator.work.backlog.item import Assessments, Item, Level, Size, Status


def item(**more: Any) -> Item:
    return Item(id="a", title="Do it", **more)


def rated(**more: Any) -> Item:
    return item(ratings=Assessments(**more))


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("status=in_progress", item(status=Status.IN_PROGRESS), item(status=Status.READY)),
        ("status=closed", item(status=Status.CLOSED), item(status=Status.DONE)),
        ("status=new,ready", item(status=Status.READY), item(status=Status.SCOPING)),
        ("impact=high", rated(impact=Level.HIGH), rated(impact=Level.LOW, risk=Level.HIGH)),
        ("IMPACT = H , Medium ", rated(impact=Level.MEDIUM), rated(impact=Level.LOW)),
        ("size=s", rated(size=Size.SMALL), rated(size=Size.LARGE)),
        ("size=l", rated(size=Size.LARGE), rated(size=Size.SMALL)),
        ("risk=l", rated(risk=Level.LOW), rated(risk=Level.HIGH)),
        ("complexity=m", rated(complexity=Level.MEDIUM), rated(complexity=Level.HIGH)),
        ("tag=ui", item(tags=("api", "ui")), item(tags=("UI",))),
        ("tag=ui,api", item(tags=("api",)), item()),
        ("tag=a=b", item(tags=("a=b",)), item(tags=("a",))),
        ("pipeline_type=blog", item(pipeline="blog"), item(pipeline="Blog")),
        ("pipeline=blog", item(pipeline="blog"), item()),
        ("pipeline_type=feature", item(pipeline="feature"), item(pipeline=None)),
    ],
)
def test_one_criterion(text: str, matching: Item, other: Item) -> None:
    filters = parse_filters([text])
    assert filters.matches(matching)
    assert not filters.matches(other)


@pytest.mark.parametrize("field", ["impact", "size", "risk", "complexity", "tag", "pipeline"])
def test_what_an_item_does_not_say_never_matches(field: str) -> None:
    everything = {"size": "s,m,l", "tag": "ui", "pipeline": "feature"}.get(field, "h,m,l")
    assert not parse_filters([f"{field}={everything}"]).matches(item())


def test_commas_are_or_and_repetition_is_and() -> None:
    filters = parse_filters(["tag=ui,api", "tag=fast", "status=new"])
    assert filters.matches(item(tags=("fast", "api")))
    assert not filters.matches(item(tags=("ui", "api")))
    assert not filters.matches(item(tags=("ui", "fast"), status=Status.READY))


def test_it_is_shown_as_it_is_meant() -> None:
    filters = parse_filters(["impact=H,medium", "size = s", "pipeline=blog"])
    assert str(filters) == "impact=high,medium AND size=small AND pipeline_type=blog"


def test_no_filter_wants_everything() -> None:
    assert parse_filters([]) == EVERYTHING
    assert not EVERYTHING
    assert EVERYTHING.matches(item())
    assert str(EVERYTHING) == ""


@pytest.mark.parametrize("text", ["impact", "=high", "impact=", " = ", ""])
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filters([text])
    assert caught.value.message == f"Filter must be in format KEY=VALUE, got: {text}"
    assert caught.value.fix


@pytest.mark.parametrize(
    ("texts", "message", "fix"),
    [
        (
            ["impct=high"],
            "Unknown filter field: impct. Supported: "
            "status, impact, size, risk, complexity, tag, pipeline_type",
            "did you mean impact?",
        ),
        (
            ["priority=1"],
            "Unknown filter field: priority. Supported: "
            "status, impact, size, risk, complexity, tag, pipeline_type",
            "use one of the supported fields",
        ),
        (
            ["impact=low,hihg,nope"],
            "Invalid value 'hihg' for field 'impact'. Valid values: low, medium, high",
            "did you mean high?",
        ),
        (
            ["status=in-progress"],
            "Invalid value 'in-progress' for field 'status'. Valid values: "
            "new, scoping, ready, in_progress, blocked, done, closed",
            "did you mean in_progress?",
        ),
        (
            ["size=h"],
            "Invalid value 'h' for field 'size'. Valid values: small, medium, large",
            "use one of the valid values",
        ),
        (
            ["tag=a,,b"],
            "Empty value in comma-separated list for field 'tag'. Each comma separates two values",
            "remove the comma that has no value beside it",
        ),
        (
            ["impact=high,h"],
            "Duplicate value 'h' in comma-separated list for field 'impact'",
            "name each value once",
        ),
        (
            ["tag=a,a"],
            "Duplicate value 'a' in comma-separated list for field 'tag'",
            "name each value once",
        ),
        (
            ["size=s", "tag=a", "size=m,s"],
            "Field 'size' specified multiple times in separate --only flags. "
            "Combine values with a comma in one",
            "write --only size=small,medium",
        ),
        (
            ["pipeline=a", "pipeline_type=b"],
            "Field 'pipeline_type' specified multiple times in separate --only flags. "
            "Combine values with a comma in one",
            "write --only pipeline_type=a,b",
        ),
        (
            ["tag=a,b", "tag=b,a"],
            "Duplicate filter: tag=b,a specified multiple times",
            "give it once",
        ),
    ],
)
def test_every_mistake_has_its_message_and_a_way_on(
    texts: list[str], message: str, fix: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_filters(texts)
    assert (caught.value.message, caught.value.fix) == (message, fix)


def test_tags_and_pipelines_keep_their_case() -> None:
    filters = parse_filters(["tag=a,A"])
    assert filters.matches(item(tags=("A",)))
    assert str(filters) == "tag=a,A"


WORDS = {
    "status": [status.value for status in Status],
    "impact": [level.value for level in Level],
    "size": [size.value for size in Size],
    "tag": ["ui", "UI", "a b"],
    "pipeline_type": ["feature", "blog"],
}


@st.composite
def filter_texts(draw: st.DrawFn) -> list[str]:
    fields = draw(st.lists(st.sampled_from(sorted(WORDS)), unique=True))
    some = {
        field: draw(st.lists(st.sampled_from(WORDS[field]), min_size=1, unique=True))
        for field in fields
    }
    return [f"{field}={','.join(words)}" for field, words in some.items()]


@given(filter_texts())
def test_what_is_shown_reads_as_the_same(texts: list[str]) -> None:
    filters = parse_filters(texts)
    assert str(filters) == " AND ".join(texts)
    assert parse_filters(str(filters).split(" AND ") if texts else []) == filters


def mistake_in(texts: list[str]) -> UsageError | None:
    try:
        parse_filters(texts)
    except UsageError as error:
        return error
    return None


@given(st.lists(st.text(max_size=12), max_size=3))
def test_any_text_is_a_filter_or_a_mistake_that_is_explained(texts: list[str]) -> None:
    mistake = mistake_in(texts)
    assert mistake is None or mistake.fix
