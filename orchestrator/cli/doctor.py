"""`doctor`: whether what is here will work."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

import attrs

from orchestrator.adapters.git import borrowed
from orchestrator.adapters.git.repository import Repository
from orchestrator.adapters.git.workspace import KINDS, require_workable
from orchestrator.config import FILE_NAME, load_config
from orchestrator.errors import ConfigError, NoSpecError, OrchestratorError, UsageError
from orchestrator.guardian import landlock
from orchestrator.run.backlog.preflight import problems
from orchestrator.run.build import choose_build
from orchestrator.run.delivery.settling import require_whole
from orchestrator.run.hosting.agent import choose_agent
from orchestrator.run.hosting.environment import interpreters_into
from orchestrator.run.lock import SESSION, in_words, running_item
from orchestrator.run.specs import find_source
from orchestrator.run.verification import find_subject, known_baseline
from orchestrator.settings import Config

from .agent_lines import agent_line, may_line, withheld_line
from .output import ago, build_line, coloured, print_json
from .stored import open_stored
from .verify import passed_line, run_verification, verification_line


@attrs.frozen(kw_only=True)
class Finding:
    """One line of `doctor`; ``level`` is ok, warn or fail."""

    level: str
    about: str
    text: str
    fix: str | None = None


def doctor(arguments: argparse.Namespace) -> int:
    """Check what a run stands on; exit 2 when something is missing, unless a bundle is wanted."""
    findings = list(_findings(arguments))
    if arguments.bundle is not None:
        from .bundle import bundle  # late: it needs much that nothing else does

        return bundle(arguments, [attrs.asdict(finding) for finding in findings])
    if arguments.json:
        print_json({"findings": [attrs.asdict(finding) for finding in findings]})
    else:
        colours = {"ok": "green", "warn": "yellow", "fail": "red"}
        for finding in findings:
            level = coloured(f"{finding.level:<5}", colours[finding.level], sys.stdout)
            print(f"{level} {finding.about}: {finding.text}")
            if finding.fix:
                print(f"      fix: {finding.fix}")
    return 2 if any(finding.level == "fail" for finding in findings) else 0


def _findings(arguments: argparse.Namespace) -> list[Finding]:
    start = Path(arguments.directory)
    try:
        repo = Repository.open(start)
        config_file = Path(arguments.config) if arguments.config else repo.checkout / FILE_NAME
        repo = repo.working(_mode(config_file))
        if not borrowed.note(repo).exists():
            require_workable(repo, repo.changes())
    except OrchestratorError as error:
        return [Finding(level="fail", about="git", text=error.message, fix=error.fix)]
    findings = [
        Finding(level="ok", about="git", text=f"{repo.checkout} at {repo.head[:9]}"),
        _identity(repo),
    ]
    if boundary := KINDS[repo.mode].boundary:
        findings.append(Finding(level="warn", about="workspace", text=boundary))
    checks: list[tuple[str, Callable[[], str]]] = [
        ("configuration", lambda: _configuration(repo, start, config_file)),
        ("spec", lambda: _spec(repo, start, config_file)),
        ("agent", lambda: _agent(config_file, repo)),
        ("locks", lambda: _locks(repo)),
    ]
    for about, check in checks:
        try:
            findings.append(Finding(level="ok", about=about, text=check()))
        except OrchestratorError as error:
            findings.append(Finding(level="fail", about=about, text=error.message, fix=error.fix))
    findings += _backlog(repo, config_file)
    findings.append(_baseline(start, arguments))
    return [*findings, *_confinement(config_file), *_environment(repo, config_file)]


def _baseline(start: Path, arguments: argparse.Namespace) -> Finding:
    """Say whether set-up and verification pass on what a run would start from."""
    config_file = Path(arguments.config) if arguments.config else None
    fix = (
        "orc verify shows what it prints; mend it, or choose other commands with "
        "[workspace] setup and [execution] verify"
    )
    try:
        subject = find_subject(start, config_file)
        where = f"on {subject.name}@{subject.commit[:7]}"
        if arguments.baseline:
            found = run_verification(subject, quiet=bool(arguments.json))
            level, text = (
                ("ok" if found.passed else "fail"),
                f"on {verification_line(subject, found)}",
            )
            return Finding(
                level=level, about="baseline", text=text, fix=None if found.passed else fix
            )
        known = known_baseline(subject)
    except OrchestratorError as error:
        return Finding(level="fail", about="baseline", text=error.message, fix=error.fix)
    if known is not None:
        text = f"{passed_line(where, subject, known.setup, known.verify)} ({ago(known.at)})"
        return Finding(level="ok", about="baseline", text=text)
    text = f"{where}: not known; the next run finds out before any worker starts"
    return Finding(level="ok", about="baseline", text=text, fix="now: orc doctor --baseline")


def _backlog(repo: Repository, config_file: Path) -> list[Finding]:
    """Say what would stop work on the backlog, where there is one."""
    try:
        config = load_config(config_file, environ=os.environ)
    except ConfigError:
        return []  # what is wrong is said of the configuration itself
    try:
        with open_stored(repo.state_dir) as stored:
            items = stored.items()
    except OrchestratorError as error:
        return [Finding(level="fail", about="backlog", text=error.message, fix=error.fix)]
    if not (items or config.pipelines):
        return []
    ways = []
    for name, pipeline in config.rules().pipelines.items():
        phases = (*pipeline.pre_phases, *pipeline.phases)
        ways.append(f"{name}: {' → '.join(phase.name for phase in phases)}")
    text = f"{sum(not item.status.is_final for item in items)} open items; {'; '.join(ways)}"
    base = config_file.resolve().parent
    found = problems(config, items, repo=repo, base_dir=base, environ=os.environ)
    return [
        Finding(level="ok", about="backlog", text=text),
        *(
            Finding(level="fail", about="backlog", text=f"{where}: {what}", fix=fix)
            for what, where, fix in found
        ),
    ]


def _mode(config_file: Path) -> str:
    try:
        return load_config(config_file, environ=os.environ).workspace.mode
    except ConfigError:
        return "clone"  # what is wrong is said of the configuration itself


def _confinement(config_file: Path) -> list[Finding]:
    try:
        config = load_config(config_file, environ=os.environ)
        text = may_line(choose_agent(config, os.environ), config, os.environ)
    except OrchestratorError:
        return []  # it has been said what is wrong with the agent
    level = "ok" if landlock.abi() else "warn"
    return [Finding(level=level, about="containment", text=text)]


def _identity(repo: Repository) -> Finding:
    identity = repo.identity()
    if identity.is_fallback:
        return Finding(
            level="warn",
            about="identity",
            text="not set: commits are made as Orchestrator <orchestrator@localhost>",
            fix="git config --global user.name NAME; git config --global user.email ADDRESS",
        )
    return Finding(level="ok", about="identity", text=f"{identity.name} <{identity.email}>")


def _configuration(repo: Repository, start: Path, path: Path) -> str:
    config = load_config(path, environ=os.environ)
    try:
        root = find_source(repo, start).root
    except OrchestratorError:
        root = repo.checkout
    build = choose_build(config, root, repo.checkout)
    source = path.name if path.exists() else "defaults"
    return f"{source}; {build_line(build.setup, build.commands, build.not_used)}"


def _spec(repo: Repository, start: Path, config_file: Path) -> str:
    try:
        source = find_source(repo, start)
    except NoSpecError:
        if not load_config(config_file, environ=os.environ).pipelines:
            raise
        return "none; the pipelines need none"
    changes = source.changes()
    counts = ", ".join(f"{change.id} {change.done}/{change.total}" for change in changes[:5])
    where = os.path.relpath(source.root, repo.checkout)
    return f"{source.format} in {where}: {counts or 'no open change'}"


def _agent(config_file: Path, repo: Repository) -> str:
    agent = choose_agent(load_config(config_file, environ=os.environ), os.environ)
    return agent_line(agent, os.environ, repo.checkout)


def _locks(repo: Repository) -> str:
    require_whole(repo)
    item = running_item(repo.state_dir)
    if item is None and borrowed.note(repo).exists():
        raise UsageError(
            "a run that was killed had borrowed this checkout",
            fix="orc run again: it gives the checkout back first",
        )
    if item is None:
        return "none held"
    return f"an engine {'answers' if item == SESSION else 'runs'} {in_words(item)}"


def _environment(repo: Repository, config_file: Path) -> list[Finding]:
    findings = []
    try:
        config = load_config(config_file, environ=os.environ)
    except ConfigError:
        config = Config()  # what is wrong is said of the configuration itself
    if text := withheld_line(config, os.environ, repo.checkout):
        fix = "what a worker needs: [workspace] env"
        findings.append(Finding(level="warn", about="environment", text=text, fix=fix))
    into = interpreters_into(os.environ.get("PATH", os.defpath), repo.checkout)
    if into:
        findings.append(
            Finding(
                level="fail",
                about="python",
                text=f"{into[0]} has this checkout installed: verification would test it instead "
                "of the workspace",
                fix="uninstall it there, and install it in an environment of its own",
            )
        )
    return findings
