"""Promise: a report shows hostile text as text, in every form, and never loses its own shape."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from orchestrator.report import html, markdown, plots
from orchestrator.report.document import document
from orchestrator.report.model import (
    Attempt,
    Diff,
    FileChange,
    Item,
    Note,
    Report,
    Row,
    Run,
    Story,
    Task,
    waits_of,
)
from orchestrator.report.task import Asked, Found
from orchestrator.report.timescale import time_scale
from orchestrator.text import one_line
from orchestrator.work.records import AttemptRecord, AttemptState, RunRecord
from orchestrator.work.worker import Usage

NOW = 2_000_000.0
EVIL = (
    "</pre></script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]>-->&lt;</title><style>*{}</style>",
    "\x1b[31mred\x1b]0;title\x07\x00\u202e\u2066bidi\ud800",
    "```\n~~~\n# heading\n| a | b |\n- [x] task",
    "@octocat fixes #12 GH-3 https://example.invalid/x www.example.invalid",
    "[link](javascript:alert(1)) ![i](http://x) <b>",
    "</details></article></main>",
)
text = st.one_of(st.sampled_from(EVIL), st.text(max_size=60), st.just(""))
word = st.one_of(st.sampled_from(EVIL), st.text(min_size=1, max_size=20))
patch_lines = st.sampled_from(("+a\n", "-\n", "@@ -1 +1\n", "+++ b\n", " c\n", "\n"))
number = st.integers(0, 10**12)


@st.composite
def diffs(draw: st.DrawFn) -> Diff:
    """A difference with odd names and lines."""
    files = draw(
        st.lists(
            st.builds(
                FileChange,
                path=text,
                added=st.none() | number,
                removed=st.none() | number,
            ),
            max_size=3,
        )
    )
    return Diff(
        files=tuple(files),
        count=len(files) + draw(st.integers(0, 5)),
        added=draw(number),
        removed=draw(number),
        patch="".join(draw(st.lists(patch_lines, max_size=3))) + draw(text),
        cut=draw(st.booleans()),
    )


@st.composite
def attempts(draw: st.DrawFn, story: str) -> Attempt:
    """An attempt in any state at any time, also in an order that no clock gives."""
    record = AttemptRecord(
        id=draw(text),
        item="thing",
        run=draw(text),
        story=story,
        number=draw(st.integers(0, 99)),
        at=draw(st.integers(1_000_000, 1_999_999)),
        state=draw(st.sampled_from(AttemptState)),
        reason=draw(text),
        evidence=draw(text),
        learnings=draw(text),
        until=draw(st.floats(0, 3_000_000)),
        usage=Usage(
            turns=draw(st.integers(0, 99)),
            input_tokens=draw(number),
            cost=draw(st.floats(0, 1e6)),
        ),
    )
    return Attempt(
        record=record,
        ended=draw(st.none() | st.floats(0, 10_000).map(lambda took: record.at + took)),
        running=draw(st.booleans()),
        commit=draw(st.sampled_from(("", "a" * 40))),
        diff=draw(st.none() | diffs()),
    )


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    """What a backlog could hold of an item."""
    return Task(
        title=draw(text),
        pipeline=draw(text),
        origin=draw(text),
        description=tuple(draw(st.lists(st.tuples(st.just("context"), text), max_size=2))),
        asked=(
            Asked(at=1.0, phase=draw(text), text=draw(text)),
            Asked(
                at=2.0, phase="", text="?", until=3.0, how=draw(text), answer=draw(text), by="me"
            ),
        ),
        found=(Found(id=draw(word), title=draw(text), status=draw(text)),),
    )


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A line of an overview."""
    return Row(
        id=draw(word), title=draw(text), status=draw(text), done=draw(st.integers(0, 9)), tries=0,
        cost=draw(st.floats(0, 9)), at=draw(st.floats(0, 1e9)), reason=draw(text),
    )  # fmt: skip


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """A report of anything that records could hold."""
    ids = draw(st.lists(word, max_size=3, unique=True))
    stories = tuple(
        Story(
            id=id,
            title=draw(text),
            tasks=draw(st.integers(0, 3)),
            done=draw(st.integers(0, 3)),
            attempts=tuple(draw(st.lists(attempts(id), max_size=3))),
            became=draw(st.sampled_from(("", "", "partial", "blocked", "verified"))),
            checked=draw(st.none() | st.booleans()),
        )
        for id in ids
    )
    run = RunRecord(
        id="1", item=draw(word), change="c", title=draw(text), base="b" * 40, start="", seen="",
        target=draw(text), root=".", at=1, reason=draw(text), carried=(draw(text),),
    )  # fmt: skip
    item = Item(
        status=draw(st.sampled_from(("in progress", "interrupted", "done", "failed", "odd"))),
        reason=draw(text),
        evidence=draw(text),
        advice=draw(text),
        waiting=draw(text),
        told=(draw(text),),
        run=run,
        checks=draw(st.none() | st.booleans()),
        branch=draw(text),
        tip="c" * 40,
        commits=2,
        diff=draw(st.none() | diffs()),
        deliveries=(draw(text),),
        runs=(
            Run(id=draw(text), at=1, state=draw(text), reason=draw(text), ended=None),
            Run(id=draw(text), at=2, state="failed", reason="", ended=9.0),
        ),
        stories=stories,
        notes=(Note(at=3, kind=draw(text), text=draw(text)),),
        task=draw(st.none() | tasks()),
    )
    return Report(
        product="orchestrator",
        repository=draw(text),
        at=NOW,
        items=(item,),
        rows=tuple(draw(st.lists(rows(), max_size=2))),
        counts=((draw(text), 3),),
    )


class _Balance(HTMLParser):
    """Fails on a tag, an attribute or an end that our own markup does not have."""

    LEAVES = frozenset(("rect", "line", "circle", "path"))
    TAGS = frozenset(
        re.findall(
            r"\w+",
            "html head meta title style body main article header section footer figure figcaption "
            "h1 h2 h3 h4 p span div dl dt dd ul li table thead tbody tr th td code pre details "
            "summary svg defs pattern g rect line circle path text",
        )
    )

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in self.TAGS, tag
        for name, value in attributes:
            assert not name.startswith("on"), name
            assert name not in {"src", "href", "action", "srcset"}, name
            assert "url(" not in (value or ""), value
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        assert tag in self.LEAVES, tag

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag, (self.getpos(), tag)


def balanced(page: str) -> None:
    """Fail when the page is not well formed, or holds a tag that is not ours."""
    parser = _Balance()
    parser.feed(page)
    parser.close()
    assert not parser.open


def harmless(page: str) -> None:
    """Fail when a terminal or a reader of right-to-left text would do something."""
    assert not re.search(
        r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page
    )
    page.encode()


@settings(max_examples=30)
@given(reports())
def test_html_is_well_formed_and_holds_only_our_markup(report: Report) -> None:
    page = html.render(report)
    balanced(page)
    harmless(page)


@settings(max_examples=30)
@given(reports())
def test_markdown_shows_hostile_text_as_text(report: Report) -> None:
    page = markdown.render(report)
    harmless(page)
    ours = ("<details><summary>What shows it</summary>", "</details>")
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(page):
        if token.type == "html_block":
            assert token.content.strip() in ours, token.content
        for part in token.children or ():
            assert part.type in {
                "text", "code_inline", "softbreak", "strong_open", "strong_close", "text_special",
            }, part  # fmt: skip
            if part.type == "text":
                assert not re.search(r"[@#]\w|GH-\d|://\w|www\.\w", part.content), part


@given(text)
def test_markdown_text_reads_as_it_was(value: str) -> None:
    (token,) = [t for t in MarkdownIt().parse(f"x {markdown.plain(value)} x") if t.type == "inline"]
    shown = "".join(part.content for part in token.children or ()).replace("\u2060", "")
    assert shown.split() == ["x", *one_line(value).replace("\u2060", "").split(), "x"]


@settings(max_examples=30)
@given(reports())
def test_json_document_is_plain_values(report: Report) -> None:
    assert json.loads(json.dumps(document(report), ensure_ascii=True))["items"]


def test_nothing_to_tell_is_told() -> None:
    nothing = Report(product="o", repository="r", at=NOW, items=())
    assert "Nothing has been run" in markdown.render(nothing)
    balanced(html.render(nothing))


SECONDS = st.floats(0, 1e30, allow_subnormal=False), st.floats(0, 1e6, allow_subnormal=False)


@given(st.lists(st.tuples(*SECONDS), max_size=30))
def test_time_scale_keeps_the_order_and_the_line(spans: list[tuple[float, float]]) -> None:
    busy = [(start, start + took) for start, took in spans]
    scale = time_scale(busy)
    moments = sorted(moment for span in busy for moment in span)
    places = [scale.place(moment) for moment in moments]
    assert places == sorted(places)
    assert all(0 <= place <= 100 for place in places)


def test_idle_days_do_not_hide_the_work() -> None:
    day = 86_400.0
    scale = time_scale([(0, 60), (9 * day, 9 * day + 60)])
    assert scale.place(60) - scale.place(0) > 40


def story_item(status: str, *records: AttemptRecord) -> Item:
    """An item with one story of these attempts."""
    made = tuple(Attempt(record=one, ended=one.at + one.seconds) for one in records)
    run = RunRecord(
        id="1", item="thing", change="c", title="", base="b" * 40, start="", seen="", target="",
        root=".", at=1,
    )  # fmt: skip
    return Item(
        status=status, reason="", evidence="", advice="", waiting="", told=(), run=run,
        checks=True, branch="", tip="", commits=0, diff=None,
        deliveries=(), runs=(), notes=(),
        stories=(Story(id="1", title="One", tasks=1, done=1, attempts=made),),
    )  # fmt: skip


def attempt(state: AttemptState, at: int, until: float = 0.0) -> AttemptRecord:
    """An attempt of story 1 that took ten seconds."""
    return AttemptRecord(
        id=f"thing.1.1.{at}", item="thing", run="1", story="1", number=at, at=at, state=state,
        seconds=10.0, until=until,
    )  # fmt: skip


@pytest.mark.parametrize(("following", "end"), [((), 500.0), ((300,), 300.0), ((900,), 600.0)])
def test_wait_lasts_until_its_end_the_next_attempt_or_now(
    following: tuple[int, ...], end: float
) -> None:
    item = story_item(
        "in progress",
        attempt(AttemptState.LIMITED, 100, until=600.0),
        *(attempt(AttemptState.VERIFIED, at) for at in following),
    )
    now = 500.0 if not following else 2000.0
    (wait,) = waits_of(item, now)
    assert (wait.start, wait.end) == (110.0, end)


def test_run_that_ended_with_a_limit_waits_no_more() -> None:
    assert not waits_of(story_item("limited", attempt(AttemptState.LIMITED, 100, 600.0)), 500.0)


@settings(max_examples=30)
@given(reports())
def test_every_attempt_has_a_mark_with_its_state_in_words(report: Report) -> None:
    (item,) = report.items
    drawn = plots.retries(item)
    assert drawn.count('class="mark') == len(item.attempts)
    assert drawn.count("<g><title>") == len(item.attempts)
