"""Promise: real tools work inside what a worker may write, and a write that is denied is named."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import attrs
import pytest
import trio

from orchestrator.agents.claude import ClaudeWorker
from orchestrator.guardian import landlock
from orchestrator.guardian.client import Guardians
from orchestrator.run.hosting.host import GuardedHost, writable_paths
from orchestrator.work.worker import Verdict
from tests.mock_model import Say, Use, serve
from tests.scratch import CHANGE, GOOD, make_scratch
from tests.worker_host import task

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock"),
]


def confined(guardians: Guardians, folder: Path, *extra: Path) -> GuardedHost:
    """Return a host as a run has it, for a workspace in ``folder``."""
    workspace, temporary = folder / "workspace", folder / "tmp"
    for directory in (workspace, temporary):
        directory.mkdir(exist_ok=True)
    paths = writable_paths(os.environ, workspace, (temporary, *extra))
    return GuardedHost(guardians=guardians, writable=paths, lock=folder / "lock")


async def shell(folder: Path, script: str, *extra: Path) -> tuple[int, str]:
    """Run a script confined to ``folder`` and the caches; return its status and output."""
    async with Guardians() as guardians:
        host = confined(guardians, folder, *extra)
        env = {**os.environ, "TMPDIR": str(folder / "tmp")}
        argv = ("sh", "-ec", f"exec 2>&1\n{script}")
        async with host.run(argv, cwd=folder / "workspace", env=env) as process:
            await process.stdin.aclose()
            said = b"".join([chunk async for chunk in process.stdout])
            return (await process.wait()).returncode, said.decode(errors="replace")


def tarball(place: Path) -> None:
    """Make an npm package."""
    body = json.dumps({"name": "greet", "version": "1.0.0", "main": "index.js"}).encode()
    with tarfile.open(place, "w:gz") as archive:
        for name, data in (("package.json", body), ("index.js", b"module.exports = 'hello'\n")):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


def wheel(folder: Path) -> Path:
    """Make a Python package."""
    files = {
        "greet.py": b"WORD = 'hello'\n",
        "greet-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: greet\nVersion: 1.0\n",
        "greet-1.0.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
    }
    rows = []
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    files["greet-1.0.dist-info/RECORD"] = "".join(rows).encode()
    path = folder / "greet-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
async def test_npm_ci_works_with_a_home_it_has_never_seen(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    tarball(workspace / "greet.tgz")
    package = {"name": "x", "version": "1.0.0", "dependencies": {"greet": "file:greet.tgz"}}
    (workspace / "package.json").write_text(json.dumps(package))
    quiet = "--offline --no-audit --no-fund"
    script = (
        f"npm install --package-lock-only {quiet}\nnpm ci {quiet}\n"
        "node -p \"require('greet')\"\nnpx --no-install node -e 1"
    )
    code, said = await shell(tmp_path, script)
    assert code == 0, said
    assert "hello" in said
    assert (Path.home() / ".npm").is_dir()


async def test_pip_install_works(tmp_path: Path) -> None:
    path = wheel(tmp_path)
    script = (
        f"{sys.executable} -m venv .venv\n.venv/bin/pip install --no-index {path}\n"
        '.venv/bin/python -c "import greet; print(greet.WORD)"'
    )
    code, said = await shell(tmp_path, script)
    assert code == 0, said
    assert "hello" in said


@pytest.mark.real_cli("claude")
@pytest.mark.timeout(240)
async def test_claude_works_and_resumes_its_session(tmp_path: Path) -> None:
    home = Path.home()
    (home / ".claude").mkdir()
    (home / ".claude.json").write_text("{}")
    place = tmp_path / "workspace" / "hello.txt"
    first = Use("Write", {"file_path": str(place), "content": "hello\n"})
    look = Use("Bash", {"command": "cat hello.txt; touch again.txt", "description": "look"})
    said = Say("Done.\n\n<promise>COMPLETE</promise>")
    job = task(tmp_path, "Write hello.txt.")
    with serve(first, look, said) as model:
        worker = ClaudeWorker(env=model.environment())
        async with Guardians() as guardians:
            extra = (home / ".claude", home / ".claude.json", job.directory)
            host = confined(guardians, tmp_path, *extra)
            with trio.fail_after(200):
                session = None
                for _ in range(2):
                    again = attrs.evolve(job, resume=session)
                    report = await worker.work(
                        again, host, lambda _: None, trio.Event(), lambda _: None
                    )
                    assert (report.verdict, report.reason) == (Verdict.COMPLETE, "")
                    assert session in (None, report.session)
                    session = report.session
    assert place.read_text() == "hello\n"
    assert (place.parent / "again.txt").exists()


def test_denied_write_is_named_with_what_allows_it(tmp_path: Path) -> None:
    """In the reason of the attempt and of the verification; and allowing it is enough."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    scratch = make_scratch(tmp_path)
    scratch.worker(f"Path({str(place / 'x')!r}).write_text('x')\n" + GOOD)
    ran = scratch.orc("run", CHANGE, "--max-attempts", "1")
    assert ran.code == 1
    assert f"it may not write {place / 'x'}: [workspace] writable" in ran.err
    scratch.worker(GOOD)
    scratch.configure(verify=[f"echo x > {place}/y"])
    ran = scratch.orc("run", CHANGE)
    assert ran.code == 2
    assert f"it may not write {place / 'y'}: [workspace] writable" in ran.err
    with (scratch.path / "orchestrator.toml").open("a") as file:
        file.write(f"[workspace]\nwritable = [{json.dumps(str(place))}]\n")
    assert scratch.orc("run", CHANGE).code == 0
