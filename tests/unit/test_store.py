"""Promises of the store: acknowledged is durable, a change is all or nothing, files stay whole."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import StoreError
from orchestrator.store import schema, transaction
from orchestrator.store.database import store_path
from orchestrator.store.reading import open_reader
from orchestrator.store.store import Store, open_store
from orchestrator.store.transaction import Transaction
from tests.scratch import wait_for


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path) as opened:
        yield opened


def names(state_dir: Path) -> list[str]:
    """The names of all facts, as another process reads them."""
    with open_reader(state_dir) as reader:
        assert reader is not None
        return [fact.name for fact in reader.facts(limit=100_000)]


def sql(state_dir: Path, statement: str) -> None:
    """Change the store's file behind our back."""
    with closing(sqlite3.connect(store_path(state_dir))) as connection, connection:
        connection.execute(statement)


class RefusedError(Exception):
    """What a failing change raises."""


changes = st.lists(st.booleans(), max_size=5)


@settings(max_examples=30, deadline=None)
@given(st.lists(changes, min_size=1, max_size=6))
def test_changes_of_many_threads_are_each_all_or_nothing(threads: list[list[bool]]) -> None:
    """Every thread makes its changes in order; True is one that fails after it has written."""
    expected = [
        f"{thread}.{number}.{part}"
        for thread, mine in enumerate(threads)
        for number, fails in enumerate(mine)
        if not fails
        for part in "ab"
    ]

    def work(store: Store, thread: int, mine: list[bool]) -> None:
        for number, fails in enumerate(mine):

            def change(tx: Transaction, number: int = number, fails: bool = fails) -> int:
                tx.add_fact(f"{thread}.{number}.a", {})
                if fails:
                    raise RefusedError
                return tx.add_fact(f"{thread}.{number}.b", {})

            if fails:
                with pytest.raises(RefusedError):
                    store.write(change)
            else:
                seq = store.write(change)
                # Acknowledged is visible at once, to everybody.
                assert store.facts(seq - 1, limit=1)[0].name == f"{thread}.{number}.b"

    with tempfile.TemporaryDirectory() as directory:
        with open_store(Path(directory)) as store:
            workers = [
                threading.Thread(target=work, args=(store, thread, mine))
                for thread, mine in enumerate(threads)
            ]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        found = names(Path(directory))
    assert sorted(found) == sorted(expected)
    assert all(
        first[:-1] == second[:-1] for first, second in zip(found[::2], found[1::2], strict=True)
    )


def test_changes_that_come_while_one_is_made_share_its_sync(store: Store) -> None:
    begun = threading.Event()
    let_go = threading.Event()

    def first(tx: Transaction) -> None:
        begun.set()
        let_go.wait(10)

    workers = [threading.Thread(target=store.write, args=(first,))]
    workers[0].start()
    begun.wait(10)
    statements: list[str] = []
    store._writer._connection.set_trace_callback(statements.append)
    workers += [threading.Thread(target=store.write, args=(told,)) for _ in range(20)]
    for worker in workers[1:]:
        worker.start()
    wait_for(lambda: store._writer._queue.qsize() == 20)
    let_go.set()
    for worker in workers:
        worker.join()
    assert len(store.facts()) == 20
    assert statements.count("COMMIT") == 1


def test_file_is_private_durable_and_marked(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for name in os.listdir(tmp_path):
            assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
        connection = store._writer._connection
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA application_id").fetchone() == (0x4F726368,)
    assert os.listdir(tmp_path) == ["store.db"]


def test_without_a_file_there_is_nothing_to_read(tmp_path: Path) -> None:
    with open_reader(tmp_path) as reader:
        assert reader is None
    store_path(tmp_path).touch()
    with open_reader(tmp_path) as reader:
        assert reader is None


def told(tx: Transaction) -> int:
    return tx.add_fact("told", {})


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE theirs (a)")


def damaged(path: Path) -> None:
    path.write_bytes(b"this is no database, but long enough to be taken for one\n" * 200)


def torn(path: Path) -> None:
    with open_store(path.parent) as store:
        for number in range(200):
            store.write(lambda tx, n=number: tx.add_fact("x" * 100, {"n": n}))  # type: ignore[misc]
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 16384)


def cut(path: Path) -> None:
    torn(path)
    os.truncate(path, 10_000)


def newer(path: Path) -> None:
    with open_store(path.parent):
        pass
    sql(path.parent, "PRAGMA user_version = 1000")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (foreign, "another program"),
        (damaged, "damaged"),
        (torn, "damaged"),
        (cut, "damaged"),
        (newer, "newer orchestrator"),
        (Path.mkdir, "not a file"),
    ],
)
def test_file_that_is_not_a_sound_store_of_ours_is_refused_and_left_alone(
    tmp_path: Path, spoil: object, said: str
) -> None:
    path = store_path(tmp_path)
    spoil(path)  # type: ignore[operator]
    before = path.is_file() and path.read_bytes()
    with pytest.raises(StoreError, match=said) as caught, open_store(tmp_path):
        pass
    assert caught.value.where == str(path)
    assert "move it away" in (caught.value.fix or "")
    assert (path.is_file() and path.read_bytes()) == before
    path.rename(tmp_path / "aside")
    with open_store(tmp_path) as store:
        assert store.write(lambda tx: tx.add_fact("again", {})) == 1


@pytest.mark.parametrize("spoil", [foreign, damaged, newer])
def test_reading_a_file_that_is_no_store_of_ours_says_so(tmp_path: Path, spoil: object) -> None:
    spoil(store_path(tmp_path))  # type: ignore[operator]
    with pytest.raises(StoreError), open_reader(tmp_path):
        pass


@contextmanager
def full_disk() -> Generator[None, None, None]:
    """No file can grow: what a full disk does to this process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_full_disk_is_no_damage_and_keeps_nobody_from_reading(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.write(lambda tx: tx.add_fact("kept", {}))
        # As a killed engine leaves it: with what only its write-ahead log holds.
        shutil.copytree(tmp_path, tmp_path / "killed")
        (tmp_path / "killed" / "store.db-shm").unlink()
    with full_disk():
        with open_reader(tmp_path) as reader:
            assert reader is not None
            assert [fact.name for fact in reader.facts()] == ["kept"]
        with pytest.raises(StoreError) as caught, open_store(tmp_path):
            pass
        with pytest.raises(StoreError) as unread, open_reader(tmp_path / "killed"):
            pass
    for error in (caught.value, unread.value):
        assert "damaged" not in error.message
        assert "nothing is lost" in (error.fix or "")


def test_emptied_file_is_a_new_store(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.write(lambda tx: tx.add_fact("gone", {}))
        # As a killed engine leaves it: with its write-ahead log.
        shutil.copytree(tmp_path, tmp_path / "killed")
    os.truncate(tmp_path / "killed" / "store.db", 0)
    with open_store(tmp_path / "killed") as store:
        assert store.facts() == ()


@pytest.mark.processes
@pytest.mark.skipif(not shutil.which("setpriv"), reason="needs setpriv")
def test_file_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path):
        pass
    store_path(tmp_path).chmod(0o400)
    before = store_path(tmp_path).read_bytes()
    code = (
        "import sys; from pathlib import Path; from orchestrator.store.store import open_store\n"
        "with open_store(Path(sys.argv[1])): pass"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    if os.geteuid() == 0:  # the superuser may write anywhere
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "may not be written" in done.stderr
    assert store_path(tmp_path).read_bytes() == before


def test_full_disk_fails_the_change_and_every_later_one_and_loses_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.write(lambda tx: tx.add_fact("kept", {}))
        connection = store._writer._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="full") as caught:
            store.write(lambda tx: tx.add_fact("x" * 100_000, {}))
        assert "run again" in (caught.value.fix or "")
        with pytest.raises(StoreError):
            store.write(lambda tx: tx.add_fact("small", {}))
    assert names(tmp_path) == ["kept"]
    with open_store(tmp_path) as store:
        store.write(lambda tx: tx.add_fact("again", {}))
    assert names(tmp_path) == ["kept", "again"]


def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        store.write(lambda tx: tx.add_fact("late", {}))


def test_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path) as store:
        store.write(lambda tx: tx.add_fact("old", {}))
    good = schema.MIGRATIONS
    bad = ("CREATE TABLE more (a)", "INSERT INTO no_such_table VALUES (1)")
    monkeypatch.setattr("orchestrator.store.database.MIGRATIONS", (*good, bad))
    with pytest.raises(StoreError, match="no_such_table"), open_store(tmp_path):
        pass
    monkeypatch.setattr("orchestrator.store.database.MIGRATIONS", (*good, bad[:1]))
    with open_store(tmp_path) as store:
        assert store._rows("SELECT * FROM more") == []
        assert store._rows("PRAGMA user_version") == [(len(good) + 1,)]
        assert [fact.name for fact in store.facts()] == ["old"]


@pytest.mark.processes
def test_what_was_acknowledged_survives_sigkill(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from orchestrator.store.store import open_store\n"
        "with open_store(Path(sys.argv[1])) as store:\n"
        "    while True:\n"
        "        print(store.write(lambda tx: tx.add_fact('told', {})), flush=True)\n"
    )
    told = 0
    for _ in range(3):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        with process:
            for line in process.stdout:
                told = int(line)
                if told % 20 == 0:
                    break
            process.send_signal(signal.SIGKILL)
            rest = process.stdout.read().split("\n")
        told = max(told, *(int(line) for line in rest[:-1] if line), 0)
    with open_store(tmp_path) as store:
        seqs = [fact.seq for fact in store.facts(limit=100_000)]
    assert seqs == list(range(1, seqs[-1] + 1))
    assert seqs[-1] >= told


RUN = {"id": "r", "item": "i", "state": "open", "at": 1, "title": "T"}
ATTEMPT = {"id": "i.r.1.1", "item": "i", "run": "r", "state": "started", "at": 1}


def test_runs_and_attempts_are_kept_as_they_were_last_recorded(store: Store) -> None:
    def change(tx: Transaction) -> None:
        tx.put_run(json.dumps(RUN))
        tx.put_run(json.dumps({**RUN, "id": "other", "item": "j"}))
        tx.put_run(json.dumps({**RUN, "id": "s"}))
        tx.put_run(json.dumps({**RUN, "state": "done"}))
        tx.put_attempt(json.dumps(ATTEMPT))
        tx.put_attempt(json.dumps({**ATTEMPT, "id": "i.s.1.1", "run": "s"}))
        tx.put_attempt(json.dumps({**ATTEMPT, "state": "failed"}))

    store.write(change)
    run = store.run("i")
    assert run is not None
    assert run.id == "s"
    assert [(run.id, run.state) for run in store.runs()] == [
        ("r", "done"),
        ("other", "open"),
        ("s", "open"),
    ]
    assert store.run("none") is None
    assert [(a.id, a.state) for a in store.attempts("i")] == [
        ("i.r.1.1", "failed"),
        ("i.s.1.1", "started"),
    ]
    assert json.loads(store.attempts()[0].document) == {**ATTEMPT, "state": "failed"}


def test_facts_are_numbered_and_the_oldest_go(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "FACTS_KEPT", 3)
    for number in range(5):
        store.write(lambda tx, n=number: tx.add_fact("n", {"n": n}, item=f"i{n % 2}", run="r"))  # type: ignore[misc]
    assert [(fact.seq, fact.document["n"]) for fact in store.facts()] == [(3, 2), (4, 3), (5, 4)]
    assert [fact.seq for fact in store.facts(3)] == [4, 5]
    assert [fact.seq for fact in store.facts(item="i0")] == [3, 5]
    assert [fact.seq for fact in store.facts(limit=1)] == [3]
    sql(store_path_of(store), "DELETE FROM facts")
    assert store.write(lambda tx: tx.add_fact("later", {})) == 6


def store_path_of(store: Store) -> Path:
    """The directory that a store lies in."""
    return Path(store._rows("PRAGMA database_list")[0][2]).parent


def test_timers_and_checks(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(lambda tx: tx.set_timer("b", 200.5, "later"))
    store.write(lambda tx: tx.set_timer("a", 300, "first"))
    store.write(lambda tx: tx.set_timer("a", 100, "sooner"))
    assert [tuple(row) for row in store.timers()] == [("a", 100, "sooner"), ("b", 200.5, "later")]
    store.write(lambda tx: tx.clear_timer("a"))
    assert [row.name for row in store.timers()] == ["b"]
    monkeypatch.setattr(transaction, "_CHECKS_KEPT", 2)
    for key in "xyzx":
        store.write(lambda tx, k=key: tx.put_check(k, passed=k != "z", seconds=1.5, output="out"))  # type: ignore[misc]
    assert store.check("y") is None
    found = store.check("x"), store.check("z")
    assert [(row.passed, row.seconds, row.output) for row in found if row] == [
        (True, 1.5, "out"),
        (False, 1.5, "out"),
    ]


def test_an_operation_is_decided_once(store: Store) -> None:
    store.write(lambda tx: tx.begin_operation("1", "merge", "i", {"old": "a"}))
    store.write(lambda tx: tx.begin_operation("2", "merge", "i", {"old": "b"}))
    assert [op.id for op in store.operations("i")] == ["2", "1"]
    assert store.operations("j") == ()
    assert store.write(lambda tx: tx.finish_operation("1")) is True
    assert store.write(lambda tx: tx.finish_operation("1")) is False
    assert store.write(lambda tx: tx.void_operation("1")) is False
    assert [(op.id, op.plan) for op in store.operations(state="intent")] == [("2", {"old": "b"})]
    store.write(lambda tx: tx.void_operation("2"))
    store.write(lambda tx: tx.begin_operation("2", "merge", "i", {"old": "c"}))
    assert [(op.state, op.plan["old"]) for op in store.operations()] == [
        ("intent", "c"),
        ("done", "a"),
    ]


def test_guidance_goes_to_every_attempt_until_one_is_verified(store: Store) -> None:
    def take(attempt: str) -> list[str]:
        rows = store.write(lambda tx: tx.take_guidance("i", attempt))
        return [row.text for row in rows]

    def end(attempt: str, state: str) -> None:
        record = {"id": attempt, "item": "i", "run": "r", "state": state, "at": 1}
        store.write(lambda tx: tx.put_attempt(json.dumps(record)))

    store.write(lambda tx: tx.add_guidance("i", "first"))
    store.write(lambda tx: tx.add_guidance("j", "not mine"))
    assert take("a1") == ["first"]
    end("a1", "failed")
    store.write(lambda tx: tx.add_guidance("i", "second"))
    assert take("a2") == ["first", "second"]
    assert take("a2") == ["first", "second"]
    end("a2", "verified")
    assert take("a3") == []
    assert [row.attempt for row in store.guidance("i")] == ["a2", "a2"]
    assert [row.attempt for row in store.guidance("j")] == [None]


def test_reading_while_another_writes_never_waits(tmp_path: Path) -> None:
    with open_store(tmp_path) as store, contextlib.ExitStack() as stack:
        store.write(lambda tx: tx.add_fact("before", {}))

        def change(tx: Transaction) -> list[str]:
            tx.add_fact("under way", {})
            return names(tmp_path)

        assert store.write(change) == ["before"]
        reader = stack.enter_context(open_reader(tmp_path))
        assert reader is not None
        assert [fact.name for fact in reader.facts()] == ["before", "under way"]


def test_a_file_that_nobody_would_find_any_more_takes_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as removed:
        removed.write(lambda tx: tx.set_timer("a", 1, ""))
        for path in tmp_path.glob("store.db*"):
            path.unlink()
        with pytest.raises(StoreError, match="was removed"):
            removed.write(lambda tx: tx.set_timer("b", 2, ""))
        with open_store(tmp_path) as other:
            other.write(lambda tx: tx.set_timer("c", 3, ""))
            with pytest.raises(StoreError, match="was removed, or replaced"):
                removed.write(lambda tx: tx.set_timer("d", 4, ""))
