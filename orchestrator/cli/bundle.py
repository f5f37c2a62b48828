"""`doctor --bundle`: an archive for a bug report, listed before it is written."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.adapters.git.discover import Found, discover
from orchestrator.adapters.git.runner import Git
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import OrchestratorError
from orchestrator.redact import Redactor, redactor
from orchestrator.report import diagnosis
from orchestrator.report.bundle import Part, sanitized, write_bundle
from orchestrator.text import one_line

from .output import print_json


def bundle(arguments: argparse.Namespace, findings: Sequence[Mapping[str, Any]]) -> int:
    """Write the archive; says first what is in it.

    Args:
      findings: what `doctor` found.
    """
    now = time.time()
    path = Path(arguments.bundle or time.strftime("orchestrator-report-%Y%m%d-%H%M%S.tar.gz"))
    found = _repository(Path(arguments.directory))
    files = _configuration_files(arguments, found)
    known = redactor(os.environ)
    declared = Redactor(diagnosis.declared_secrets(*files))
    raw = tuple(_parts(arguments, findings, found, files[0]))
    parts = sanitized(raw, lambda text: known.text(declared.text(text)))
    if arguments.json:
        write_bundle(path, parts, now)
        listed = [{"name": part.name, "about": part.about} for part in parts]
        print_json({"file": str(path), "parts": listed})
        return 0
    print(f"{path} will hold:")
    longest = max(len(part.name) for part in parts)
    for part in parts:
        size = len(part.text.encode(errors="replace"))
        print(f"  {part.name:<{longest}}  {size:>8,} bytes  {one_line(part.about)}")
    sys.stdout.flush()
    write_bundle(path, parts, now)
    print("written, for your eyes only. Secrets that are known or look like one were taken out;")
    print("look through it before you give it away: tar -xzf it. --no-logs leaves output out.")
    return 0


def _parts(
    arguments: argparse.Namespace,
    findings: Sequence[Mapping[str, Any]],
    found: Found | None,
    config_file: Path,
) -> Iterator[Part]:
    yield diagnosis.versions(found.executable if found is not None else None)
    told = [{**finding, "text": "set"} if _is_name(finding) else finding for finding in findings]
    yield Part(name="doctor.json", about="what doctor found", text=json.dumps(told, indent=1))
    try:
        yield diagnosis.configuration(load_config(config_file, environ=os.environ))
    except OrchestratorError as error:
        text = f"{error.where}: {error.message}\n"
        yield Part(name="configuration.txt", about="what is wrong with it", text=text)
    yield diagnosis.environment(os.environ)
    if found is not None:
        git = Git(found.common_dir, None, found.executable)
        try:
            yield from diagnosis.records(git, logs=arguments.logs)
        except OrchestratorError as error:
            yield Part(name="records.txt", about="why they cannot be read", text=error.message)


def _is_name(finding: Mapping[str, Any]) -> bool:
    return (finding["about"], finding["level"]) == ("identity", "ok")


def _repository(directory: Path) -> Found | None:
    try:
        return discover(directory)
    except OrchestratorError:
        return None


def _configuration_files(arguments: argparse.Namespace, found: Found | None) -> tuple[Path, Path]:
    top = found.checkout if found is not None else Path(arguments.directory)
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    project = Path(arguments.config) if arguments.config else top / FILE_NAME
    return project, home / "orchestrator" / "config.toml"
