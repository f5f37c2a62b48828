"""Makes the demo's repository: a README, a test per story, and an OpenSpec change."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from orchestrator.adapters.process import run

CHANGE = "add-greeter"

_FILES = {
    "README.md": "# Greeter\n\nA project to be.\n",
    "test_greeter.py": """\
import unittest

try:
    import greeter
except ImportError:
    greeter = None


class GreeterTest(unittest.TestCase):
    def expect(self, name, result):
        function = getattr(greeter, name, None)
        if function is None:
            self.skipTest(f"{name} is not there yet")
        self.assertEqual(function("Ada"), result)

    def test_greet(self):
        self.expect("greet", "Hello, Ada!")

    def test_shout(self):
        self.expect("shout", "HELLO, ADA!")

    def test_whisper(self):
        self.expect("whisper", "hello, ada!")


if __name__ == "__main__":
    unittest.main()
""",
    f"openspec/changes/{CHANGE}/proposal.md": "# Add a greeter\n\nPeople want to be greeted.\n",
    f"openspec/changes/{CHANGE}/tasks.md": """\
## 1. Greet

- [ ] 1.1 Add `greet(name)` to greeter.py

## 2. Shout

- [ ] 2.1 Add `shout(name)`, the greeting in capitals

## 3. Whisper

- [ ] 3.1 Add `whisper(name)`, the greeting in small letters
""",
    f"openspec/changes/{CHANGE}/specs/greeting/spec.md": """\
## ADDED Requirements

### Requirement: Greeting

The module SHALL greet people by name.

#### Scenario: Shouting

- **GIVEN** the name Ada
- **WHEN** she is shouted at
- **THEN** the greeting is HELLO, ADA!
""",
}


def make_project(directory: Path) -> None:
    """Write the demo's project into ``directory`` and commit it; the spec stays uncommitted."""
    for name, text in _FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    worker = Path(__file__).with_name("worker.py")
    settings = f"""\
[execution]
agent = "scripted"
verify = ["python3 -B -m unittest -q"]

[agents.scripted]
kind = "command"
argv = ["{sys.executable}", "-B", "{worker}"]
"""
    (directory / "orchestrator.toml").write_text(settings)
    git(directory, "init", "-q", "-b", "main")
    git(directory, "add", "README.md", "test_greeter.py", "orchestrator.toml")
    git(directory, "commit", "-q", "-m", "Start the greeter")


def clean_environment() -> dict[str, str]:
    """Return the operator's environment without what would point git elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def git(directory: Path, *arguments: str) -> str:
    """Run the operator's git in the demo's repository and return what it prints."""
    identity = {
        "GIT_AUTHOR_NAME": "Demo",
        "GIT_AUTHOR_EMAIL": "demo@localhost",
        "GIT_COMMITTER_NAME": "Demo",
        "GIT_COMMITTER_EMAIL": "demo@localhost",
        "GIT_CONFIG_GLOBAL": "/dev/null",
    }
    done = run(("git", *arguments), cwd=directory, env={**clean_environment(), **identity})
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="replace")
