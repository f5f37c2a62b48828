"""An evening as the product promises it: one person, a Node project, the real agent, two terminals.

Half-finished files, a sub-project, hooks and a signature, a failure, a usage limit and its wait, a
second terminal, a squash with the change archived: each in its place, in one session.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.gitrepo import fingerprint
from tests.mock_model import Say, Turn, Use, serve_answers, usage_limit
from tests.scratch import Scratch, wait_for

pytestmark = pytest.mark.processes

ITEM = "add-login"
PACKAGE = {
    "name": "shop",
    "version": "1.0.0",
    "private": True,
    "scripts": {"lint": "node --check src/cart.js", "test": "node test.js"},
}
LOCK = {
    "name": "shop",
    "version": "1.0.0",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {"": {"name": "shop", "version": "1.0.0"}},
}
TEST = """\
const fs = require("fs");
if (fs.existsSync("login.js") && /empty/.test(fs.readFileSync("login.js", "utf8"))) {
  console.error("rejects empty password");
  process.exit(1);
}
"""
TASKS = """\
## 1. Session store

- [ ] 1.1 Keep sessions

## 2. Login form

- [ ] 2.1 Show a form
- [ ] 2.2 Reject an empty password

## 3. Logout

- [ ] 3.1 Forget the session
"""
SPEC = """\
## ADDED Requirements

### Requirement: Login
The shop SHALL let people log in.

#### Scenario: Right password
- **WHEN** the password is right
- **THEN** a session starts
"""
DO_STORY = """\
story=$ORCHESTRATOR_STORY
case $story in
  1) echo "exports.sessions = new Map();" > sessions.js ;;
  2) case $ORCHESTRATOR_ATTEMPT in
       *.1) echo "// takes an empty password" > login.js ;;
       *) echo "exports.login = true;" > login.js ;;
     esac ;;
  3) echo "exports.logout = true;" > logout.js ;;
esac
sed -i "s/- \\[ \\] $story\\./- [x] $story./" openspec/changes/add-login/tasks.md
"""


def make_shop(directory: Path) -> Scratch:
    """Make a Node project with a sub-project, a new uncommitted change and half-finished work."""
    path = directory / "shop"
    scratch = Scratch(home=directory, path=path)
    (path / "src").mkdir(parents=True)
    scratch.git("init", "-q", "-b", "main")
    (path / "package.json").write_text(json.dumps(PACKAGE))
    (path / "package-lock.json").write_text(json.dumps(LOCK))
    (path / "test.js").write_text(TEST)
    (path / ".gitignore").write_text("node_modules/\n")
    (path / "src" / "cart.js").write_text("exports.cart = [];\n")
    (path / "api").mkdir()
    (path / "api" / "pyproject.toml").write_text('[project]\nname = "api"\nversion = "1"\n')
    scratch.git("add", ".")
    scratch.git("commit", "-q", "-m", "Start the shop")
    (path / "src" / "cart.js").write_text("exports.cart = [ // half finished\n")
    change = path / "openspec" / "changes" / ITEM
    (change / "specs" / "login").mkdir(parents=True)
    (change / "proposal.md").write_text("# Add login\n\n## Why\nPeople want to log in.\n")
    (change / "tasks.md").write_text(TASKS)
    (change / "specs" / "login" / "spec.md").write_text(SPEC)
    return scratch


class Script:
    """What the model answers: each story's work, and a usage limit the first time in story 3."""

    def __init__(self, wait: float) -> None:
        self.wait = wait
        self.limited = False

    def __call__(self, prompt: str, results: int) -> Turn:
        """Answer a request."""
        if "story 3," in prompt and not self.limited:
            self.limited = True
            return usage_limit(int(time.time() + self.wait))
        if results:
            return Say("All tasks of the story are done.\n\n<promise>COMPLETE</promise>")
        return Use("Bash", {"command": DO_STORY, "description": "do the story"})


@pytest.mark.real_cli("npm", "claude", "openspec")
@pytest.mark.timeout(400)
def test_evening(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    hook = shop.path / ".git" / "hooks" / "pre-commit"
    hook.write_text(f"#!/bin/sh\necho ran >> {tmp_path}/hook-ran\n")
    hook.chmod(0o755)

    told = shop.orc("init")
    assert told.code == 0, told.err
    assert "add-login 0/4 tasks (uncommitted)" in told.out
    assert re.search(r"^setup +npm ci\nverify +npm run lint, npm test", told.out, re.M), told.out
    assert "seen, not used: api/pyproject.toml" in told.out
    before = fingerprint(shop.path)

    # Long enough to be seen from a second terminal, and kept by the clock of the service.
    with serve_answers(Script(wait=20)) as model:
        environment = {
            **os.environ,
            **model.environment(subscription=True),
            "ANTHROPIC_API_KEY": "sk-ant-api03-" + "y" * 80,
            "GITHUB_TOKEN": "ghp_" + "x" * 36,
        }
        checked = shop.orc("doctor", "--baseline", env=environment, timeout=120)
        assert "both pass" in checked.out, checked.out + checked.err
        assert "GITHUB_TOKEN" in checked.out
        assert environment["GITHUB_TOKEN"] not in checked.out
        assert "subscription" in checked.out
        assert "ANTHROPIC_API_KEY withheld: it would be billed" in checked.out

        run = subprocess.Popen(
            shop.command("run", ITEM, "--max-cost", "10"),
            cwd=shop.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        waiting = wait_for(lambda: _line_with(shop, "claude limit until"), seconds=200)
        assert "in progress 2/3" in waiting
        out, err = run.communicate(timeout=200)
    assert run.returncode == 0, err
    assert "carried 3 uncommitted files" in err
    assert "left behind: " in err
    assert "src/cart.js" in err
    assert re.search(r"2/3 Login form +try 1 .*FAILED.*npm test", err), err
    assert re.search(r"2/3 Login form +try 2 .*verify ok", err), err
    assert "waiting, no attempt used" in err
    assert re.search(r"done 3/3 verified, 4 attempts, \$\d", out), out
    assert fingerprint(shop.path) == before

    finished = shop.orc("finish", ITEM, "--squash", "--archive", timeout=120)
    assert finished.code == 0, finished.err
    assert "verified on main@" in finished.out
    assert "hooks ran" in finished.out
    assert "archived" in finished.out
    assert (tmp_path / "hook-ran").read_text() == "ran\n"
    assert shop.git("log", "--format=%s", "main").splitlines()[1:] == ["Start the shop"]
    assert not (shop.path / "openspec" / "changes" / ITEM).exists()
    assert list((shop.path / "openspec" / "changes" / "archive").glob(f"*-{ITEM}"))
    assert (shop.path / "openspec" / "specs" / "login" / "spec.md").is_file()
    assert "half finished" in (shop.path / "src" / "cart.js").read_text()
    assert shop.git("status", "--porcelain").splitlines() == [
        " M src/cart.js",
        "?? orchestrator.toml",
    ]


def _line_with(shop: Scratch, words: str) -> str:
    return next((line for line in shop.orc("status").out.splitlines() if words in line), "")
