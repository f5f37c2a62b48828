"""Promises about builds: the workspace's own code, checked once, in bounds, untampered with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scratch import CHANGE, GOOD, Ran, Scratch, make_scratch

pytestmark = pytest.mark.processes

CHECK = "python -c 'import thing; assert thing.answer == 42'"
LINK = (
    "import os, pathlib, sysconfig; "
    "pathlib.Path(sysconfig.get_path('purelib'), 'thing.pth').write_text(os.path.abspath('src'))"
)


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return make_scratch(tmp_path)


def configure(scratch: Scratch, execution: str, workspace: str = "") -> None:
    """Write ``orchestrator.toml`` with these rows of TOML."""
    argv = json.dumps([sys.executable, "-B", str(scratch.home / "worker.py")])
    (scratch.path / "orchestrator.toml").write_text(
        f'[execution]\nagent = "mine"\n{execution}\n[workspace]\n{workspace}\n'
        f'[agents.mine]\nkind = "command"\nargv = {argv}\n'
    )


def ran_lines() -> list[str]:
    """Return what commands noted outside the workspace, where they may write."""
    path = Path(os.environ["HOME"]) / ".cache" / "ran"
    return path.read_text().split() if path.exists() else []


def note(word: str) -> str:
    return f"echo {word} >> $HOME/.cache/ran"


def on_branch(scratch: Scratch) -> set[str]:
    tree = scratch.git("ls-tree", "-r", "--name-only", f"orchestrator/{CHANGE}")
    return set(tree.splitlines())


def failure(ran: Ran) -> str:
    return str(next(e for e in ran.events if e["event"] == "attempt_failed")["reason"])


def test_broken_code_fails_with_the_users_environment_active(tmp_path: Path) -> None:
    """The user's environment is active and has the checkout installed, as editable installs do.

    That environment would call the broken workspace good: the last lines of this test show it. It
    fails when the guard goes, that is, when VIRTUAL_ENV or the PATH of the user reaches set-up,
    worker or verification, or when the workspace has no Python environment of its own.
    """
    scratch = make_scratch(tmp_path, commit_spec=True)
    (scratch.path / "src/thing").mkdir(parents=True)
    (scratch.path / "src/thing/__init__.py").write_text("answer = 42\n")
    (scratch.path / "pyproject.toml").write_text('[project]\nname = "thing"\nversion = "1"\n')
    scratch.git("add", "src", "pyproject.toml")
    scratch.git("commit", "-q", "-m", "Thing")
    venv = scratch.path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    (scratch.path / ".git/info/exclude").write_text(".venv\n")
    site = next(venv.glob("lib/python3*/site-packages"))
    (site / "__editable__.thing.pth").write_text(f"{scratch.path / 'src'}\n")
    configure(
        scratch,
        f"verify = [{json.dumps(CHECK)}]",
        f"setup = [{json.dumps(f'python -c {chr(34)}{LINK}{chr(34)}')}]",
    )
    scratch.worker(
        "where = subprocess.run(['python', '-c', 'import sys; print(sys.prefix)'],\n"
        "    capture_output=True, text=True, check=True).stdout.strip()\n"
        "assert where == os.environ['VIRTUAL_ENV'], where\n"
        f"mine = [k for k, v in os.environ.items() if {str(scratch.path)!r} in v]\n"
        "assert not mine, mine\n"
        "Path('src/thing/__init__.py').write_text('answer = 41\\n')\n" + GOOD
    )
    active = {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    ran = scratch.orc("run", CHANGE, "--max-attempts", "1", "--json", env=active)

    assert ran.code == 1, ran.err + ran.out
    assert any(event["event"] == "baseline_passed" for event in ran.events)
    assert failure(ran).startswith(f"verify failed: {CHECK}")

    broken = tmp_path / "broken" / "src" / "thing"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("answer = 41\n")
    wrong = subprocess.run(
        ["sh", "-c", CHECK], cwd=tmp_path / "broken", env={**os.environ, **active}
    )
    assert wrong.returncode == 0


def test_interpreter_behind_a_shim_that_runs_the_checkout_is_refused(scratch: Scratch) -> None:
    venv, shims = scratch.home / "version", scratch.home / "shims"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    site = next(venv.glob("lib/python3*/site-packages"))
    shims.mkdir()
    (shims / "python3").write_text(f'#!/bin/sh\nexec {venv}/bin/python "$@"\n')
    (shims / "python3").chmod(0o755)
    configure(scratch, """verify = ["python3 -c 'pass'"]""")
    path = {"PATH": f"{shims}{os.pathsep}{os.environ['PATH']}"}

    assert scratch.orc("verify", env=path).code == 0
    (site / "near.pth").write_text(f"{scratch.path}-other\n")
    assert scratch.orc("verify", env=path).code == 0
    (site / "thing.pth").write_text(f"{scratch.path}/src\n")
    ran = scratch.orc("verify", env=path)

    assert ran.code == 2
    assert "would test your checkout instead of the workspace" in ran.err
    assert "thing.pth" in ran.err


def test_what_set_up_brings_stays_and_is_in_no_tree(scratch: Scratch) -> None:
    (scratch.path / ".env").write_text("KEY=1\n")
    (scratch.path / "data").mkdir()
    (scratch.path / "data" / "a b\n.bin").write_bytes(b"\0")
    configure(
        scratch,
        'verify = ["test -f .env && test -f made.txt && grep -q Project README.md"]',
        'copy = [".env", "data"]\nsetup = ["echo x > made.txt; echo x >> README.md"]',
    )
    scratch.worker(
        "assert Path('.env').read_text() == 'KEY=1\\n' and len(os.listdir('data')) == 1\n"
        "Path('made.txt').write_text('changed')\n"
        "write('bad' if story == '2' else 'good'); tick(); complete()\n"
        "if story == '2': sys.exit(1)\n"
    )

    ran = scratch.orc("run", CHANGE, "--max-attempts", "1")

    assert ran.code == 1, ran.err
    assert "made.txt" in ran.err
    assert "set-up changed files, which are taken back: README.md" in ran.err
    kept = scratch.git("for-each-ref", "--format=%(refname)", "refs/orchestrator").split()
    trees = [set(scratch.git("ls-tree", "-r", "--name-only", ref).splitlines()) for ref in kept]
    assert on_branch(scratch) >= {"one.txt", "README.md"}
    for tree in [on_branch(scratch), *trees]:
        assert not {".env", "made.txt"} & tree
        assert not [path for path in tree if path.startswith(("data", '"data'))]


def test_missing_copy_is_an_error_before_anything_is_done(scratch: Scratch) -> None:
    configure(scratch, "verify = []", 'copy = [".env"]')
    ran = scratch.orc("run", CHANGE)

    assert ran.code == 2
    assert "workspace.copy" in ran.err
    assert ".env" in ran.err
    assert "orchestrator/" not in scratch.git("branch", "--list")


def test_commands_run_when_and_where_they_are_due(scratch: Scratch) -> None:
    rows = [
        f'"{note("all")}"',
        f'{{ run = "{note("two")}", when = ["**/two.*"] }}',
        f'{{ run = "{note("end")}", at = "end", when = ["one.txt"] }}',
        f'{{ run = "test -f changes/{CHANGE}/tasks.md && {note("cwd")}", cwd = "openspec" }}',
    ]
    configure(scratch, f"verify = [{', '.join(rows)}]")

    assert scratch.orc("run", CHANGE).code == 0
    baseline, first, second = ["all", "two", "end", "cwd"], ["all", "cwd"], ["all", "two", "end"]
    assert ran_lines() == [*baseline, *first, *second, "cwd"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{ run = "sleep 60", timeout = 1 }', "took longer than 1 s"),
        ('"kill -9 $PPID"', ""),
        ('"head -c 300000000 /dev/zero; exit 4"', "exit 4"),
        ('{ run = "true", cwd = "out" }', "is not in the project"),
        ('{ run = "true", cwd = "nowhere" }', "is not in the project"),
    ],
)
def test_verify_command_that_misbehaves_is_an_answer(scratch: Scratch, row: str, said: str) -> None:
    (scratch.path / "out").symlink_to("/")
    scratch.git("add", "out")
    scratch.git("commit", "-q", "-m", "Link")
    configure(scratch, f"verify = [{row}]")

    ran = scratch.orc("verify", "--json")

    assert ran.code == 1, ran.err
    assert said in json.loads(ran.out).get("verify", [{}])[-1].get("reason", ran.out)


def test_worker_that_bends_verification_has_failed(scratch: Scratch) -> None:
    (scratch.path / "check.sh").write_text("! grep -rq bad --include='*.txt' .\n")
    scratch.git("add", "check.sh")
    scratch.git("commit", "-q", "-m", "Check")
    configure(scratch, 'verify = ["sh check.sh"]', 'protect = ["*.lock"]')
    scratch.worker(
        "if number == 1: Path('check.sh').write_text('true\\n')\n"
        "if number == 2: Path('a.lock').write_text('x\\n')\n"
        "if number == 2: assert 'check.sh' in sys.stdin.read()\n" + GOOD
    )

    ran = scratch.orc("run", CHANGE, "--json")

    assert ran.code == 0, ran.out
    reasons = [e["reason"] for e in ran.events if e["event"] == "attempt_failed"]
    assert "changed check.sh, which decides how its work is verified" in reasons[0]
    assert "changed a.lock, protected by workspace.protect (*.lock)" in reasons[1]
    assert not {"a.lock"} & on_branch(scratch)


def test_baseline_that_passed_is_not_paid_for_again(scratch: Scratch) -> None:
    configure(scratch, f'verify = ["{note("verify")}"]', f'setup = ["{note("setup")}"]')

    assert scratch.orc("verify").code == 0
    assert "both pass" in scratch.orc("doctor").out
    before = len(ran_lines())
    ran = scratch.orc("run", CHANGE)

    assert ran.code == 0, ran.err
    assert "baseline ok  as before" in ran.err
    assert ran_lines()[before:] == ["setup", "verify", "verify"]

    (scratch.path / "more.txt").write_text("x\n")
    scratch.git("add", "more.txt")
    scratch.git("commit", "-q", "-m", "More")
    assert "not known" in scratch.orc("doctor").out
