"""At a terminal the operator's own git commits: his editor, his key, his Ctrl-C."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.finished import BRANCH, make_finished, user_content
from tests.gitrepo import fingerprint
from tests.scratch import CHANGE, Scratch, alive_with, wait_for
from tests.terminal import Terminal

pytestmark = pytest.mark.processes


@pytest.fixture
def done(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Scratch, None, None]:
    """A scratch repository whose change was run to its end; nothing may run from it at the end."""
    made = make_finished(tmp_path, tmp_path_factory.mktemp("finished"))
    yield made
    assert alive_with(str(made.home)) == []


def editor(scratch: Scratch, body: str) -> dict[str, str]:
    """Make an editor of the user's; return the environment that names it."""
    path = scratch.home / "editor"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return {"GIT_EDITOR": str(path)}


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen to sign with")
def test_editor_opens_with_stories_and_template_and_the_commit_is_signed(done: Scratch) -> None:
    key = done.home / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    (done.home / "template").write_text("Ticket: none\n# say why\n")
    for name, value in {
        "gpg.format": "ssh", "user.signingKey": f"{key}.pub", "commit.gpgSign": "true",
        "commit.template": str(done.home / "template"), "commit.cleanup": "strip",
    }.items():  # fmt: skip
        done.git("config", name, value)
    env = editor(done, f'test -t 1 && cp "$1" {done.home}/opened && echo Because. >>"$1"')
    terminal = Terminal(done, "finish", CHANGE, "--squash", env=env)
    assert terminal.wait() == 0, terminal.screen
    opened = (done.home / "opened").read_text()
    assert opened.startswith("Add things\n\n- 1 First\n- 2 Second\n")
    assert "Ticket: none\n" in opened
    assert "# say why\n" in opened
    message = done.git("log", "-1", "--format=%B")
    assert "Because." in message
    assert "say why" not in message
    assert "gpgsig" in done.git("cat-file", "commit", "HEAD")
    assert "(signed)" in terminal.screen


@pytest.mark.parametrize("what", ["empty message", "Ctrl-C at a hook", "at a deaf hook"])
def test_squash_that_the_person_gives_up_leaves_everything_as_before(
    done: Scratch, what: str
) -> None:
    before = user_content(fingerprint(done.path))
    env = editor(done, ': >"$1"')
    mark = done.home / "at-hook"
    if what != "empty message":
        hook = done.path / ".git/hooks/pre-commit"
        hook.parent.mkdir(exist_ok=True)
        deaf = "trap '' INT\n" if what == "at a deaf hook" else ""
        hook.write_text(f"#!/bin/sh\n{deaf}touch {mark}\nsleep 300\n")
        hook.chmod(0o755)
    terminal = Terminal(done, "finish", CHANGE, "--squash", env=env)
    if what != "empty message":
        wait_for(mark.exists)
        terminal.press(b"\x03")
    assert terminal.wait() == (4 if what == "empty message" else 130), terminal.screen
    assert user_content(fingerprint(done.path)) == before
    assert done.git("branch", "--list", BRANCH).strip() == BRANCH


def test_squash_without_terminal_that_is_stopped_leaves_everything_as_before(
    done: Scratch,
) -> None:
    before = user_content(fingerprint(done.path))
    mark = done.home / "at-hook"
    hook = done.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {mark}\nsleep 300\n")
    hook.chmod(0o755)
    engine = done.start("finish", CHANGE, "--squash")
    wait_for(mark.exists)
    engine.send_signal(signal.SIGTERM)
    assert engine.wait(60) == 130
    hook.unlink()
    after = user_content(fingerprint(done.path))
    assert {k for k in before if before[k] != after.get(k)} == set()
    assert done.orc("finish", CHANGE, "--squash").code == 0


def test_person_who_presses_control_c_in_the_editor_is_not_thrown_out(done: Scratch) -> None:
    mark = done.home / "at-editor"
    body = f"trap 'touch {done.home}/pressed' INT\ntouch {mark}\n"
    body += f'while ! test -e {done.home}/pressed; do sleep 0.1; done\necho Mine >"$1"'
    terminal = Terminal(done, "finish", CHANGE, "--squash", env=editor(done, body))
    wait_for(mark.exists)
    terminal.press(b"\x03")
    assert terminal.wait() == 0, terminal.screen
    assert done.git("log", "-1", "--format=%s") == "Mine\n"


def test_text_given_opens_no_editor(done: Scratch) -> None:
    env = editor(done, "exit 1")
    terminal = Terminal(done, "finish", CHANGE, "--squash", "-m", "Short", env=env)
    assert terminal.wait() == 0, terminal.screen
    assert done.git("log", "-1", "--format=%s") == "Short\n"
