"""Promise: a run with failures can be read afterwards, in every form, and given away safely."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.scratch import CHANGE, GOOD, Scratch, make_scratch
from tests.unit.test_report import balanced, harmless

pytestmark = pytest.mark.processes

HIDDEN = "Zq7-planted+secret/9x"
LISTED = "plain planted value"
WORKER = f"""\
print("a worker says {HIDDEN} and", os.environ.get("PLAIN"), "<script>alert(1)</script> \\x1b[31m")
failed = Path(os.environ["HOME"]) / ".cache" / "failed"
if story == "2" and not failed.exists():
    failed.touch(); write("bad\\n"); tick()
    Path("{HIDDEN.replace("/", "%2F")}.md").write_text("# <script>\\n")
    Path("note").write_text(os.environ["PLAIN"]); complete()
else:
    {GOOD}
"""
VERIFY = (
    "! grep -rq bad --include='*.txt' . || "
    f'{{ echo "<script>printed-$((40 + 2))</script> {HIDDEN}"; cat note; exit 1; }}'
)
SECRETS = {"MY_ODD_TOKEN": HIDDEN}


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    """A repository whose second story fails, with secrets wherever they could be."""
    made = make_scratch(tmp_path)
    made.configure(verify=[VERIFY])
    with (made.path / "orchestrator.toml").open("a") as file:
        file.write(f'[agents.mine.env]\nPLAIN = "{LISTED}"\n')
    made.worker(WORKER)
    return made


def test_what_happened_can_be_told_explained_and_given_away(scratch: Scratch) -> None:
    before = scratch.orc("why", CHANGE, env=SECRETS)
    assert (before.code, "nobody has run it yet" in before.out) == (0, True), before.err

    assert scratch.orc("run", CHANGE, "--max-attempts", "1", env=SECRETS).code == 1

    failed = scratch.orc("why", CHANGE, env=SECRETS)
    assert failed.code == 0, failed.err
    assert "story 2 Second used up its attempts" in failed.out
    assert "<script>printed-42</script>" in failed.out
    assert f"orc run {CHANGE}" in failed.out
    assert len(failed.out.splitlines()) <= 40
    check_bundle(scratch)

    assert scratch.orc("run", CHANGE, env=SECRETS).code == 0
    told = scratch.orc("report", CHANGE, env=SECRETS)
    assert told.code == 0, told.err
    assert "done, 2 of 2 stories verified" in told.out
    assert "verify failed" in told.out
    harmless(told.out)

    document = json.loads(scratch.orc("report", "--json", env=SECRETS).out)
    (item,) = document["items"]
    states = [attempt["state"] for attempt in item["stories"][1]["attempts"]]
    assert states == ["failed", "verified"]
    assert item["stories"][1]["attempts"][1]["diff"]["files"][-1]["path"] == "two.txt"
    assert len(item["runs"]) == 2

    page = scratch.home / "report.html"
    assert scratch.orc("report", "--html", str(page), env=SECRETS).code == 0
    text = page.read_text(encoding="utf-8")
    balanced(text)
    harmless(text)
    assert "&lt;script&gt;printed-42&lt;/script&gt;" in text
    assert "+good" in text
    for form in (failed.out, told.out, json.dumps(document), text):
        assert HIDDEN not in form


def check_bundle(scratch: Scratch) -> None:
    """Fail when the archive of a bug report is not private, or holds a secret or a file."""
    archive = scratch.home / "bundle.tar.gz"
    made = scratch.orc("doctor", "--bundle", str(archive), env=SECRETS)
    assert made.code == 0, made.err
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600

    held = contents(archive)
    assert {name.split("/")[1] for name in held} >= {"versions.txt", "doctor.json", "store", "logs"}
    assert all(name.split("/", 1)[1] in made.out for name in held)
    everything = "\n".join([*held, *held.values()])
    assert "a worker says [redacted MY_ODD_TOKEN]" in everything
    for secret in (HIDDEN, LISTED, os.environ["HOME"]):
        assert secret not in everything
    assert "# Project" not in everything

    again = scratch.orc("doctor", "--bundle", str(archive))
    assert (again.code, "exists already" in again.err) == (2, True)

    quiet = scratch.home / "quiet.tar.gz"
    assert scratch.orc("doctor", "--bundle", str(quiet), "--no-logs", env=SECRETS).code == 0
    everything = "\n".join(contents(quiet).values())
    assert "a worker says" not in everything
    assert "printed-42" not in everything


def test_bundle_is_made_where_nothing_works(tmp_path: Path) -> None:
    (tmp_path / "orchestrator.toml").write_text("[agents.mine.env]\nA = 'planted-value'\nodd\n")
    command = Scratch(home=tmp_path, path=tmp_path).command("doctor", "--bundle", "b", "--json")
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["file"] == "b"
    held = "".join(contents(tmp_path / "b").values())
    assert "not a git repository" in held
    assert "planted-value" not in held


def contents(archive: Path) -> dict[str, str]:
    """Every file of the archive with its text."""
    with tarfile.open(archive) as opened:
        return {
            member.name: file.read().decode()
            for member in opened.getmembers()
            if (file := opened.extractfile(member)) is not None
        }
