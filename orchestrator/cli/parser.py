"""The arguments of every command. Imports nothing heavy: `--help` waits for it."""

from __future__ import annotations

import argparse

from orchestrator import __version__

from .arguments import Commands, Parser, add_command
from .backlog_arguments import add_backlog, add_filters, add_orders

_MAIN = """\
start          init      look at what is here, write orchestrator.toml
               doctor    check git, identity, agent, spec and locks
               demo      the whole loop on a scripted worker: no keys, no network
work           run       drive a change, or the backlog, to done
               triage    find out what new items are
               verify    what is there
backlog        add       items, one or many      edit   what is known of one
               answer    what an item asks       move   it to another phase
               retry     what stopped it         hold   it until you say so
               close     without doing it        complete   it: you did the rest
               claim     it: you work on it      pipeline   the phases in force
               worklog   what was done, by month
               import    from another backlog    export     to one
branches       git       begin, commit, check out, merge … by the phases of a workflow
               mcp       the same, and all the rest, for coding agents
see            status    what is going on       list   items, and changes of the spec
               show      an item, or a change   logs   the output of an attempt
               diff      what a run changed
               events    what happened          report what happened, in full
               why       why an item is where it is
steer          stop      end what runs          tell   guide the next attempt
               pause, resume   hold the next attempt, let it begin
deliver        finish    keep, merge, squash, apply or discard the result
               undo      take the last delivery back
               recover   list and restore what is pinned
               gc        remove what was kept long enough
more           config    the settings in force, and where each comes from
               plugins   what plugins offer         call   one of their commands
               completion  a script that completes orc in your shell
"""


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, or of one command of it."""
    parser = Parser(
        prog="orc",
        description="Drives coding agents through a spec, checks the results, commits every step.",
        epilog=_MAIN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"orchestrator {__version__}")
    parser.add_argument("-C", dest="directory", metavar="DIR", default=".", help="work in DIR")
    parser.add_argument("-c", dest="config", metavar="FILE", help="configuration file")
    commands = Commands(parser, only)
    for group in (_start, _work, add_backlog, _by_hand, _see, _steer, _after, _deliver, _more):
        group(commands)
    return parser


def _start(commands: Commands) -> None:
    add_command(commands, "init", "write orchestrator.toml from what is here")
    doctor = add_command(
        commands, "doctor", "check git, identity, agent, spec and locks", json=True
    )
    doctor.add_argument(
        "--bundle", nargs="?", const="", metavar="FILE", help="write an archive for a bug report"
    )
    doctor.add_argument(
        "--no-logs", dest="logs", action="store_false", help="without what workers printed"
    )
    doctor.add_argument("--baseline", action="store_true", help="run set-up and verification too")
    demo = add_command(commands, "demo", "run the real loop on a scripted worker")
    demo.add_argument("--keep", action="store_true", help="keep the demo's repository")


def _work(commands: Commands) -> None:
    _run(add_command(commands, "run", "drive a change, or the backlog, to done", json=True))
    _driving(add_command(commands, "triage", "find out what new items are", json=True))
    verify = add_command(commands, "verify", "set up and verify in a fresh workspace", json=True)
    verify.add_argument("item", nargs="?", help="whose branch; HEAD when left out")
    verify.add_argument(
        "--setup", action="append", metavar="CMD", help="may be given several times"
    )
    verify.add_argument(
        "--verify", action="append", metavar="CMD", help="may be given several times"
    )


def _by_hand(commands: Commands) -> None:
    git = add_command(commands, "git", "bring branches through the phases of a workflow by hand")
    git.add_argument("verb", nargs="?", help="what to do; all of them when left out")
    git.add_argument("rest", nargs=argparse.REMAINDER, help="what it takes: orc git VERB --help")
    mcp = add_command(commands, "mcp", "serve coding agents and editors over the MCP protocol")
    mcp.add_argument(
        "--http",
        action="store_true",
        help="over HTTP on this machine, in place of stdin and stdout",
    )
    mcp.add_argument("--port", type=int, default=0, metavar="N", help="of HTTP (default: any)")
    mcp.add_argument("--attempt", action="store_true", help=argparse.SUPPRESS)


def _see(commands: Commands) -> None:
    status = add_command(commands, "status", "what is going on", json=True)
    status.add_argument("item", nargs="?")
    listed = add_command(commands, "list", "items, and the changes of the spec", json=True)
    add_filters(listed)
    listed.add_argument("--ready", action="store_true", help="what can be worked on right now")
    listed.add_argument("--all", action="store_true", help="also what is done or closed")
    show = add_command(commands, "show", "one item, or one change of the spec", json=True)
    show.add_argument("shown", metavar="ID|CHANGE")
    show.add_argument("--history", action="store_true", help="also all that happened to the item")
    show.add_argument("--prompt", metavar="STORY", help="print the prompt of a change's story")
    logs = add_command(commands, "logs", "the output of an attempt, the newest by default")
    logs.add_argument("attempt", nargs="?", metavar="ATTEMPT|ITEM")
    _follow(logs)
    events = add_command(commands, "events", "what happened, numbered", json=True)
    events.add_argument("--since", type=int, metavar="N", help="only what came after number N")
    _follow(events)
    diff = add_command(commands, "diff", "what a run changed")
    diff.add_argument("item")
    diff.add_argument("--stat", action="store_true", help="only the names of the files")


def _follow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")


def _steer(commands: Commands) -> None:
    stop = add_command(commands, "stop", "stop what runs here: what runs may finish for 10 s")
    level = stop.add_mutually_exclusive_group()
    level.add_argument(
        "--now",
        dest="level",
        action="store_const",
        const="cancel",
        default="polite",
        help="cancel it now",
    )
    level.add_argument(
        "--force",
        dest="level",
        action="store_const",
        const="force",
        help="kill it, also when it is stuck",
    )
    add_command(commands, "pause", "begin no new attempt")
    add_command(commands, "resume", "begin attempts again")
    tell = add_command(commands, "tell", "say something to the next attempts of an item")
    tell.add_argument("item")
    tell.add_argument("text", nargs="+")
    tell.add_argument("--now", action="store_true", help="interrupt the running attempt for it")


def _after(commands: Commands) -> None:
    report = add_command(commands, "report", "what happened, in full", json=True)
    report.add_argument("item", nargs="?", help="all that ever ran when left out")
    form = report.add_mutually_exclusive_group()
    form.add_argument("--html", metavar="FILE", help="write one self-contained HTML file")
    form.add_argument("-o", dest="output", metavar="FILE", help="write to FILE instead of stdout")
    why = add_command(
        commands, "why", "why an item is where it is, and what to say next", json=True
    )
    why.add_argument("item")
    why.add_argument("story", nargs="?", help="the one the item is at when left out")


def _deliver(commands: Commands) -> None:
    finish = add_command(commands, "finish", "deliver the result of an item", json=True)
    finish.add_argument("item")
    how = finish.add_mutually_exclusive_group()
    finish.set_defaults(how="keep")
    for name, text in (
        ("keep", "leave it on its branch (default)"),
        ("merge", "merge it into the branch it started from"),
        ("squash", "one commit of your own git: hooks, signature, template"),
        ("apply", "change the files of the checkout, commit nothing"),
        ("discard", "give it up; it stays pinned"),
    ):
        how.add_argument(f"--{name}", dest="how", action="store_const", const=name, help=text)
    finish.add_argument("--archive", action="store_true", help="the OpenSpec change, too")
    finish.add_argument("-m", dest="message", metavar="TEXT", help="of the squashed commit")
    finish.add_argument("--verify", action="append", metavar="CMD")
    finish.add_argument("--command-timeout", metavar="TIME", help="of one git command")
    undo = add_command(commands, "undo", "take the last delivery back", json=True)
    undo.add_argument("item", nargs="?")
    gc = add_command(commands, "gc", "remove what was delivered and kept long enough", json=True)
    gc.add_argument("--dry-run", action="store_true", help="say what would be removed")
    recover = add_command(commands, "recover", "list what is pinned, or restore one", json=True)
    recover.add_argument("pinned", nargs="?", metavar="ATTEMPT|ITEM")
    recover.add_argument("--to", metavar="DIR", help="write the kept files into this new directory")


def _more(commands: Commands) -> None:
    config = add_command(
        commands, "config", "the settings in force, and where each comes from", json=True
    )
    config.add_argument("key", nargs="?", help="only this one, or those below it")
    _settings(config)
    add_command(commands, "plugins", "the commands of installed plugins", json=True)
    call = add_command(commands, "call", "run a command of a plugin", json=True)
    call.add_argument("name", metavar="PLUGIN.COMMAND")
    call.add_argument("arguments", nargs="*", metavar="KEY=VALUE", help="or one JSON object")
    completion = add_command(
        commands, "completion", "print a script that completes orc in your shell"
    )
    completion.add_argument("shell", nargs="?", choices=("bash", "zsh", "fish"), default="bash")
    completion.add_argument("--list", choices=("items", "changes", "both"), help=argparse.SUPPRESS)


def _run(run: argparse.ArgumentParser) -> None:
    run.add_argument("changes", nargs="*", metavar="CHANGE", help="names, or Markdown files")
    run.add_argument("--all", action="store_true", help="every open change, one after another")
    run.add_argument("--fail-fast", action="store_true", help="several: end after a failure")
    run.add_argument("--story", action="append", metavar="N", help="only this; may be repeated")
    run.add_argument("--from", dest="first", metavar="N", help="from this story on")
    run.add_argument("--step", action="store_true", help="one story, or phase, then pause")
    run.add_argument("--prompt", metavar="TEXT|FILE|-", help="a task in words instead of a change")
    run.add_argument("--until", metavar="CMD", help="the task is done when this succeeds too")
    add_orders(run)
    _driving(run)


def _driving(run: argparse.ArgumentParser) -> None:
    """Add what goes with whatever is driven."""
    _settings(run)
    run.add_argument("--max-concurrent", type=int, metavar="N", help="phases side by side")
    run.add_argument("--model")
    run.add_argument(
        "--again", action="store_true", help="also what failed alike twice, or waits for a limit"
    )
    run.add_argument("--baseline", choices=("run", "skip"), default="run")
    run.add_argument("--dry-run", action="store_true", help="say what would be done")
    run.add_argument("--no-tui", action="store_true", help="no live line on a terminal")
    detail = run.add_mutually_exclusive_group()
    detail.add_argument("-q", "--quiet", action="store_true", help="only what came of each attempt")
    detail.add_argument(
        "-v", "--verbose", action="store_true", help="also what workers do and failed checks print"
    )


def _settings(by: argparse.ArgumentParser) -> None:
    """Add the flags that stand for settings; see `overrides`."""
    by.add_argument("--agent", metavar="NAME", help="claude, or a name from [agents]")
    by.add_argument("--max-attempts", type=int, metavar="N", help="per story (default 3)")
    by.add_argument("--max-cost", type=float, metavar="DOLLARS", help="of the whole run")
    by.add_argument("--max-tokens", type=int, metavar="N", help="of the whole run")
    by.add_argument("--max-turns", type=int, metavar="N", help="of the whole run")
    by.add_argument("--max-time", metavar="TIME", help="of the whole run, such as 8h")
    by.add_argument("--attempt-timeout", metavar="TIME", help="such as 90s, 30m, 2h")
    by.add_argument("--command-timeout", metavar="TIME", help="of one git command (default 30s)")
    by.add_argument("--wait", metavar="TIME", help="for a limit to end (default 6h; 0: never)")
    by.add_argument("--setup", action="append", metavar="CMD", help="may be given several times")
    by.add_argument("--verify", action="append", metavar="CMD", help="may be given several times")
    by.add_argument(
        "--carry", action="store_true", default=None, help="take all uncommitted changes along"
    )
    by.add_argument("--finish", choices=("keep", "merge", "squash", "apply"))
    by.add_argument("--keep-awake", action="store_true", default=None, help="while it runs")
