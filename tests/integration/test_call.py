"""Promise: an installed plugin's commands are called from the command line, checked alike."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.scratch import Scratch, make_scratch, wait_for

pytestmark = pytest.mark.processes

MODULE = '''\
import enum, os
from pathlib import Path
import attrs, trio
from orchestrator import Command, Context, Plugin

class Mood(enum.Enum):
    GLAD = "glad"
    SAD = "sad"

@attrs.frozen
class Place:
    x: int
    y: float = 0.5

@attrs.frozen(kw_only=True)
class Greet(Command[dict[str, object]]):
    """Greet somebody; returns the greeting.

    More about it.
    """
    name: str = attrs.field(validator=attrs.validators.min_len(1))
    times: int = attrs.field(default=1, validator=attrs.validators.le(9))
    mood: Mood = Mood.GLAD
    place: Place | None = None
    tags: tuple[str, ...] = ()

@attrs.frozen(kw_only=True)
class Wait(Command[str]):
    seconds: float
    mark: Path | None = None

@attrs.frozen(kw_only=True)
class Fail(Command[None]):
    pass

@attrs.frozen(kw_only=True)
class Odd(Command[None]):
    event: trio.Event

plugin = Plugin("greeter")

@plugin.handles(Greet, name="greet-person", deadline=5)
async def greet(command: Greet, context: Context) -> dict[str, object]:
    return {"text": f"Hello, {command.name}!" * command.times, "command": attrs.asdict(command)}

@plugin.handles(Wait, name="wait-long", deadline=1)
async def wait(command: Wait, context: Context) -> str:
    if command.mark is not None:
        command.mark.touch()
    await trio.sleep(command.seconds)
    return "\\x1b[31mwaited"

@plugin.handles(Fail, name="fail-now")
def fail(command: Fail, context: Context) -> None:
    raise ValueError("no luck")

@plugin.handles(Odd, name="take-event")
def odd(command: Odd, context: Context) -> None:
    pass
'''


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """A repository, and a site directory with a distribution that offers a plugin."""
    site = tmp_path / "site"
    info = site / "greeter_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "greeter_plugin.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: greeter-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[orchestrator.plugins]\ngreeter = greeter_plugin:plugin\n"
    )
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{site}{os.pathsep}{root}")
    return make_scratch(tmp_path)


def test_plugins_and_their_commands_are_listed(scratch: Scratch) -> None:
    listed = scratch.orc("plugins")
    assert listed.code == 0, listed.err
    assert (
        "greeter.greet-person name=TEXT [times=INT] [mood=glad|sad] [place={…}] [tags=[…]]\n"
        "    Greet somebody; returns the greeting., at most 5s\n"
    ) in listed.out
    assert "its field event is Event" in listed.out
    rows = {
        row["name"]: row for row in json.loads(scratch.orc("plugins", "--json").out)["commands"]
    }
    assert rows["greeter.wait-long"]["parameters"] == "seconds=NUMBER [mark=PATH]"
    assert rows["greeter.take-event"]["why_not"]


def test_command_is_built_from_text_or_json_and_its_result_printed(scratch: Scratch) -> None:
    text = scratch.orc(
        "call", "greeter.greet-person", "name=7", "times=2", "mood=sad", 'place={"x": 3}',
        'tags=["a", "b"]', "--json",
    )  # fmt: skip
    assert text.code == 0, text.err
    result = json.loads(text.out)["result"]
    assert result["text"] == "Hello, 7!Hello, 7!"
    assert result["command"] == {
        "name": "7", "times": 2, "mood": "sad", "place": {"x": 3, "y": 0.5}, "tags": ["a", "b"],
    }  # fmt: skip
    whole = scratch.orc("call", "greeter.greet-person", '{"name": "Ada"}')
    assert json.loads(whole.out)["text"] == "Hello, Ada!"
    assert scratch.orc("call", "greeter.wait-long", "seconds=0").out == "waited\n"


WRONG: tuple[tuple[list[str], int, str], ...] = (
    (["greeter.greet-persn"], 2, "did you mean greeter.greet-person"),
    (["nope"], 2, "orc plugins lists them"),
    (["greeter.greet-person"], 2, "name: missing"),
    (["greeter.greet-person", "name="], 2, "name: "),
    (["greeter.greet-person", "name=a", "times=ten"], 2, "times: expected int, got 'ten'"),
    (["greeter.greet-person", "name=a", "times=10"], 2, "times: "),
    (["greeter.greet-person", "name=a", "mood=angry"], 2, "mood: "),
    (["greeter.greet-person", "name=a", 'place={"x": "1"}'], 2, "place.x: expected int"),
    (["greeter.greet-person", "name=a", "tims=1"], 2, "did you mean times?"),
    (["greeter.greet-person", "name=a", "name=b"], 2, "given twice"),
    (["greeter.greet-person", "Ada"], 2, "not key=value"),
    (["greeter.greet-person", "{nope"], 2, "not valid JSON"),
    (["greeter.take-event", "event=1"], 2, "cannot be called from here"),
    (["greeter.fail-now"], 1, "failed: ValueError: no luck"),
    (["greeter.wait-long", "seconds=60"], 1, "did not finish within 1 s"),
)


def test_wrong_calls_are_told_with_the_field_and_the_right_code(scratch: Scratch) -> None:
    for arguments, code, said in WRONG:
        ran = scratch.orc("call", *arguments)
        assert (ran.code, said in ran.err) == (code, True), (arguments, ran)
        assert "Traceback" not in ran.err


def test_ctrl_c_ends_a_call(scratch: Scratch, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    process = subprocess.Popen(
        scratch.command("call", "greeter.wait-long", "seconds=60", f"mark={mark}"),
        cwd=scratch.path,
        stderr=subprocess.PIPE,
    )
    wait_for(mark.exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, b"")


def test_broken_plugin_is_named(scratch: Scratch, tmp_path: Path) -> None:
    (tmp_path / "site" / "greeter_plugin.py").write_text("raise ImportError('lost')\n")
    for command in (["plugins"], ["call", "greeter.greet-person"]):
        ran = scratch.orc(*command)
        assert ran.code == 2
        assert "greeter-plugin" in ran.err
