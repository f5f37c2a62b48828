"""What a story costs beside its worker, as a ratio to the bare work; run by hand, prints a table.

``python -m tests.benchmarks.bench_story [STORIES [ROUNDS]]``. `orc run` drives a change of one-task
stories with a worker and a verify command that end at once. It is compared with a loop that keeps
the same promises by hand, as cheaply as git allows: a record of the attempt before and after,
a commit pinned before the branch moves, every commit and ref synced to disk, the workspace
compared with the result; and the worker and verify commands as plain processes. Both run a change
of 1 and of STORIES + 1 stories; the difference is the cost of STORIES stories without start and
end. Every round runs all four, every other round backwards; a ratio is the median over the rounds.
The number of git processes per story is counted in a run of its own, with a git that keeps count.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.by_hand import ORC, count_git, git, in_fresh_directory

TASKS = "openspec/changes/many/tasks.md"
WORKER = (
    "echo $ORCHESTRATOR_STORY > file-$ORCHESTRATOR_STORY; "
    f'sed -i "s/^- \\[ \\] $ORCHESTRATOR_STORY\\./- [x] $ORCHESTRATOR_STORY./" {TASKS}; '
    "echo '<promise>COMPLETE</promise>'"
)
VERIFY = "true"
CONFIG = f"""\
[execution]
agent = "mine"
verify = ["{VERIFY}"]
[agents.mine]
kind = "command"
argv = ["/bin/sh", "-c", '''{WORKER}''']
"""


def make_project(path: Path, stories: int) -> None:
    """Make a repository with a change of so many stories of one task, all of it committed."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    tasks = path / TASKS
    tasks.parent.mkdir(parents=True)
    titles = range(1, stories + 1)
    tasks.write_text("".join(f"## {n}. Story\n\n- [ ] {n}.1 Write a file\n\n" for n in titles))
    (tasks.parent / "proposal.md").write_text("# Many\n")
    (path / "orchestrator.toml").write_text(CONFIG)
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "Start")


def orchestrated(directory: Path, stories: int) -> float:
    """Return the seconds of `orc run`."""
    make_project(directory / "project", stories)
    start = time.perf_counter()
    subprocess.run(
        [ORC, "run", "many"],
        cwd=directory / "project",
        env={**os.environ, "XDG_STATE_HOME": str(directory / "state")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return time.perf_counter() - start


def bare(directory: Path, stories: int) -> float:
    """Return the seconds of the same work by hand, in a clone that shares the objects."""
    path, work = directory / "project", directory / "work"
    make_project(path, stories)
    start = time.perf_counter()
    git(directory, "clone", "-q", "--shared", str(path), str(work))
    tip = git(path, "rev-parse", "HEAD")
    for story in range(1, stories + 1):
        tip = bare_story(path, work, tip, story)
    return time.perf_counter() - start


def bare_story(path: Path, work: Path, tip: str, story: int) -> str:
    """Do one story by hand and return its commit."""
    at = ("--git-dir", str(path / ".git"), "--work-tree", str(work))
    index = str(work / ".git" / "index")
    record = f"refs/orchestrator/attempts/{story}"
    old = "" if story > 1 else "0" * len(tip)
    started = git(path, "commit-tree", f"{tip}^{{tree}}", "-p", tip, "-F", "-", stdin="started")
    git(path, "update-ref", "--create-reflog", record, started)
    env = {**os.environ, "ORCHESTRATOR_STORY": str(story)}
    subprocess.run(["/bin/sh", "-c", WORKER], cwd=work, env=env, capture_output=True, check=True)
    git(work, *at, "add", "-A", index=index)
    tree = git(work, *at, "write-tree", index=index)
    subprocess.run(["/bin/sh", "-c", VERIFY], cwd=work, capture_output=True, check=True)
    commit = git(path, "commit-tree", tree, "-p", tip, "-F", "-", stdin=f"Story {story}")
    git(path, "update-ref", "--create-reflog", "refs/orchestrator/pins/many", commit)
    git(path, "update-ref", "--create-reflog", "refs/heads/orchestrator/many", commit, old or tip)
    ended = git(path, "commit-tree", tree, "-p", commit, "-F", "-", stdin="verified")
    git(path, "update-ref", "--create-reflog", record, ended, started)
    git(work, *at, "diff-files", "--quiet", index=index)
    git(work, *at, "ls-files", "--others", "--exclude-standard", index=index)
    return commit


def count_processes(directory: Path, stories: int) -> int:
    """Return how many git processes `orc run` starts."""
    return count_git(directory, lambda: orchestrated(directory, stories))


def main(stories: int = 20, rounds: int = 5) -> None:
    """Measure and print everything."""
    found: dict[Callable[[Path, int], float], list[float]] = {orchestrated: [], bare: []}
    for number in range(rounds + 1):
        for measure in list(found) if number % 2 else list(found)[::-1]:
            one = in_fresh_directory(measure, 1)
            many = in_fresh_directory(measure, stories + 1)
            if number:  # round 0 warms up
                found[measure].append((many - one) / stories)
    print(f"{'per story':24}{'ms':>8}{'x bare':>8}")
    for measure, times in found.items():
        ratio = statistics.median(a / b for a, b in zip(times, found[bare], strict=True))
        print(f"{measure.__name__:24}{statistics.median(times) * 1e3:8.1f}{ratio:8.2f}")
    counts = [in_fresh_directory(count_processes, number) for number in (1, 4)]
    print(f"git processes per story: {(counts[1] - counts[0]) / 3:g}, by hand 10")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
