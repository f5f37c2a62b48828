"""Promises of reading phase-golem's YAML: each schema, its inbox, and what is no such file."""

from __future__ import annotations

import attrs
import pytest

from orchestrator.adapters.backlog.golem_inbox import read_inbox
from orchestrator.adapters.backlog.golem_yaml import read_yaml
from orchestrator.adapters.backlog.imported import Imported
from orchestrator.errors import BacklogFileError
from orchestrator.work.backlog.item import (
    Asks,
    Assessments,
    Description,
    Item,
    Level,
    Pool,
    Question,
    Size,
    Status,
)

AT = 1_770_681_600_123_456_789
FULL = """\
schema_version: 3
items:
- id: WRK-001
  title: 'yes: no'
  status: blocked
  phase: build
  size: medium
  complexity: high
  risk: low
  impact: medium
  requires_human_review: true
  origin: WRK-000/review
  blocked_from_status: in_progress
  blocked_reason: Which?
  blocked_type: decision
  unblock_context: This one
  tags:
  - on
  dependencies:
  - WRK-002
  created: 2026-02-10T00:00:00.123456789+00:00
  updated: "2026-02-10T01:00:00.123456789+01:00"
  pipeline_type: bugfix
  description:
    context: |
      Two
      lines
    problem: ''
    solution: S
    impact: ''
    sizing_rationale: ''
  phase_pool: main
  last_phase_commit: '1234567'
"""


def read(text: str, *, phases: frozenset[str] | None = None) -> Imported:
    """Read a backlog."""
    return read_yaml(text.encode(), "BACKLOG.yaml", phases=phases)


def item(version: int, body: str) -> Imported:
    """Read a backlog of one item, ``body`` being further keys."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return read(f"schema_version: {version}\nitems:\n  - id: A-1\n    title: T\n{lines}")


def test_every_key_has_its_place() -> None:
    assert read(FULL) == Imported(
        (
            Item(
                id="WRK-001",
                title="yes: no",
                status=Status.BLOCKED,
                description=Description(context="Two\nlines\n", solution="S"),
                tags=("on",),
                needs=("WRK-002",),
                pipeline="bugfix",
                phase="build",
                pool=Pool.MAIN,
                ratings=Assessments(
                    size=Size.MEDIUM, complexity=Level.HIGH, risk=Level.LOW, impact=Level.MEDIUM
                ),
                needs_review=True,
                origin="WRK-000/review",
                question=Question(text="Which?", asks=Asks.DECISION, since=Status.IN_PROGRESS),
                answer="This one",
                based_on="1234567",
                created=AT,
                updated=AT,
            ),
        )
    )


@pytest.mark.parametrize(
    ("was", "status", "phase", "pool"),
    [
        ("new", Status.NEW, "build", None),
        ("researching", Status.SCOPING, None, None),
        ("scoped", Status.READY, "build", None),
        ("in_progress", Status.IN_PROGRESS, "build", Pool.MAIN),
        ("done", Status.DONE, "build", None),
    ],
)
def test_schema_1_becomes_3(was: str, status: Status, phase: str | None, pool: Pool | None) -> None:
    found = item(1, f"status: {was}\nphase: build").items[0]
    assert (found.status, found.phase, found.pool) == (status, phase, pool)
    assert found.pipeline == "feature"


def test_a_blocked_item_of_schema_1_goes_back_to_what_it_is_called_now() -> None:
    (found,) = item(1, "status: blocked\nblocked_from_status: scoped").items
    assert found.question == Question(text="", since=Status.READY)


def test_a_phase_that_the_pipeline_has_not_is_noted_and_kept() -> None:
    text = "schema_version: 1\nitems:\n- {id: A-1, title: T, status: in_progress, phase: polish}\n"
    found = read(text, phases=frozenset({"build"}))
    assert (found.items[0].phase, found.items[0].pool) == (None, None)
    assert found.items[0].foreign["phase_golem"]["phase"] == "polish"
    (note,) = found.notes
    assert note.startswith("BACKLOG.yaml: line 3: A-1: phase: polish is not in the pipeline")
    assert read(text, phases=frozenset({"polish"})).items[0].phase == "polish"


@pytest.mark.parametrize("version", [1, 2])
def test_a_text_becomes_a_description_in_parts(version: int) -> None:
    text = "description: |\n  First\n  problem: P\n  IMPACT: I\n    and more"
    (found,) = item(version, text).items
    assert found.description == Description(context="First", problem="P", impact="I\n  and more")


def test_without_a_version_it_is_the_first() -> None:
    assert read("items:\n- {id: A-1, title: T, status: scoped}").items[0].status is Status.READY


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("status: Done", "status"),
        ("size: LARGE", "size"),
        ("phase_pool: post", "phase_pool"),
        ("requires_human_review: yes", "requires_human_review"),
        ("tags: one", "tags"),
        ("origin: [x]", "origin"),
        ("created: yesterday", "created"),
        ("description: [x]", "description"),
        ("description:\n  context: 3", "description"),
        ("blocked_reason: Which?", "blocked_reason"),
        ("future: 42", "future"),
    ],
)
def test_what_is_not_understood_is_noted_and_kept(body: str, key: str) -> None:
    found = item(3, body)
    assert attrs.evolve(found.items[0], foreign={}) == Item(id="A-1", title="T")
    assert key in found.items[0].foreign["phase_golem"]
    (note,) = found.notes
    assert note.startswith(f"BACKLOG.yaml: line 3: A-1: {key}: ")


def test_what_has_no_place_at_the_top_is_noted() -> None:
    found = read("schema_version: 3\nitems: []\nnext_item_id: 142\nfuture: {a: 1}\n")
    assert found.items == ()
    assert set(found.notes) == {
        "BACKLOG.yaml: future: {'a': 1}: unknown; left out",
        "BACKLOG.yaml: next_item_id: left out; new ids are random",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema_version: 99\nitems: []", "unsupported schema_version 99"),
        ("schema_version: '3'\nitems: []", "unsupported schema_version '3'"),
        ("schema_version: true\nitems: []", "unsupported schema_version True"),
        ("- a", "line 1: no backlog"),
        ("text", "line 1: no backlog"),
        ("items: {}", "line 1: items is no list"),
        ("items:\n- text", "line 2: an item is a mapping"),
        ("items:\n- {title: T}", "line 2: None is no id"),
        ("items:\n- {id: a/b, title: T}", "line 2: 'a/b' is no id"),
        ("items:\n- {id: A}", "line 2: A has no title"),
        ("items:\n- {id: A, title: T}\n- {id: A, title: T}", "lines 2 and 3 are both A"),
        ("items:\n- id: A\n  id: B", "line 3: id comes twice"),
        ("items:\n- id: A\n title: [", "line 3: no YAML"),
        ("a: &a [1]\nitems: *a", "line 1: it is used again by an alias"),
        ("items: []\n---\nitems: []", "line 2: no YAML"),
        ("items: !!python/object:x []", "line 1: a value of the type"),
        ("items: " + "[" * 60 + "]" * 60, "line 1: it is nested too deeply"),
        ("items: " + "[" * 100_000, "line 1: "),
        ("items: \x00", "line 1: no YAML"),
    ],
)
def test_what_is_no_backlog_is_refused(text: str, says: str) -> None:
    with pytest.raises(BacklogFileError) as caught:
        read(text)
    assert caught.value.message.startswith("BACKLOG.yaml: ")
    assert says in caught.value.message


def test_bytes_that_are_no_text_are_refused_with_their_line() -> None:
    with pytest.raises(BacklogFileError, match="line 2: it is not UTF-8"):
        read_yaml(b"items:\n- \xff", "BACKLOG.yaml")


def test_an_empty_file_holds_nothing() -> None:
    assert read("") == Imported()
    assert read_inbox(b"# nothing\n", "INBOX", prefix="WRK") == Imported()


INBOX = b"""\
- title: '  Wish  '
  description: |
    Because.
    Solution: So
  size: small
  risk: low
  impact: high
  pipeline_type: bugfix
  dependencies: [WRK-001]
- title: ' '
- title: Other
  colour: red
"""


def test_wishes_of_an_inbox_are_new_items() -> None:
    found = read_inbox(INBOX, "INBOX.yaml", prefix="HAMY", at=AT)
    first, second = found.items
    assert attrs.evolve(first, id="HAMY-1") == Item(
        id="HAMY-1",
        title="Wish",
        description=Description(context="Because.", solution="So"),
        needs=("WRK-001",),
        pipeline="bugfix",
        ratings=Assessments(size=Size.SMALL, risk=Level.LOW, impact=Level.HIGH),
        origin="inbox",
        created=AT,
        updated=AT,
    )
    assert first.id.startswith("HAMY-")
    assert second.foreign == {"phase_golem": {"title": "Other", "colour": "red"}}
    assert [note.partition(": no title")[0] for note in found.notes] == [
        "INBOX.yaml: line 10",
        "INBOX.yaml: line 11: colour: 'red': unknown; kept as it is",
    ]


def test_an_inbox_that_is_read_again_gives_the_same_ids() -> None:
    first = read_inbox(INBOX, "INBOX.yaml", prefix="WRK")
    assert read_inbox(INBOX, "INBOX.yaml", prefix="WRK") == first


def test_ids_of_an_inbox_are_free() -> None:
    twice = b"- title: A\n- title: A\n"
    ids = [item.id for item in read_inbox(twice, "INBOX", prefix="WRK").items]
    assert len(set(ids)) == 2
    again = read_inbox(twice, "INBOX", prefix="WRK", taken=ids).items
    assert not {item.id for item in again} & set(ids)


@pytest.mark.parametrize(
    ("text", "says"), [(b"items: []", "line 1: an inbox is a list"), (b"- x", "line 1: an entry")]
)
def test_what_is_no_inbox_is_refused(text: bytes, says: str) -> None:
    with pytest.raises(BacklogFileError, match=says):
        read_inbox(text, "INBOX", prefix="WRK")
