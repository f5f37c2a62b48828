"""Completion scripts for bash, zsh and fish, from a description of the command line. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Option(NamedTuple):
    """One option; ``takes`` says what follows: "", "words", "files", "directories" or "value"."""

    names: tuple[str, ...]
    help: str
    takes: str
    words: tuple[str, ...]


class Command(NamedTuple):
    """One command; ``lists`` names what it takes: "items", "changes", "both" or nothing."""

    name: str
    help: str
    options: tuple[Option, ...]
    lists: str
    words: tuple[str, ...]


def _bash(top: Sequence[Option], commands: Sequence[Command]) -> str:
    values = [_bash_value("", option) for option in top]
    values += [_bash_value(c.name, option) for c in commands for option in c.options]
    rows = [f"    '') words={shlex.quote(_names(top, [c.name for c in commands]))} ;;"]
    for command in commands:
        words = shlex.quote(_names(command.options, command.words))
        lists = f" list={command.lists}" if command.lists else ""
        rows.append(f"    {command.name}) words={words}{lists} ;;")
    return _BASH.replace("@VALUES@", "\n".join(filter(None, values))).replace(
        "@WORDS@", "\n".join(rows)
    )


def _bash_value(command: str, option: Option) -> str:
    if not option.takes:
        return ""
    pattern = "|".join(f"{command}:{name}" for name in option.names)
    how = {
        "words": f"_orc_words {shlex.quote(' '.join(option.words))}",
        "files": 'mapfile -t COMPREPLY < <(compgen -f -- "$cur")',
        "directories": 'mapfile -t COMPREPLY < <(compgen -d -- "$cur")',
        "value": ":",
    }[option.takes]
    return f"    {pattern}) {how}; return ;;"


def _names(options: Sequence[Option], words: Sequence[str]) -> str:
    return " ".join((*words, *(name for option in options for name in option.names)))


# Names of items and changes are compared by the shell itself: compgen would expand what is in them.
_BASH = """\
# Completes orc in bash:  source <(orc completion bash)
_orc_words() {
    local word
    for word in $1; do if [[ $word == "$cur"* ]]; then COMPREPLY+=("$word"); fi; done
}
_orc() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
    local command= words= list= name i
    local -a where=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -C) where=(-C "${COMP_WORDS[i + 1]}"); i=$((i + 1)) ;;
        -c) i=$((i + 1)) ;;
        -*) ;;
        *) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $command:$prev in
@VALUES@
    esac
    case $command in
@WORDS@
    esac
    _orc_words "$words"
    [[ -n $list && $cur != -* ]] || return 0
    while IFS= read -r name; do
        if [[ $name == "$cur"* ]]; then COMPREPLY+=("$name"); fi
    done < <("${COMP_WORDS[0]}" "${where[@]}" completion --list "$list" 2>/dev/null)
    if [[ $list == changes ]]; then
        while IFS= read -r name; do
            if [[ -d $name || $name == *.md ]]; then COMPREPLY+=("$name"); fi
        done < <(compgen -f -- "$cur")
    fi
    return 0
}
complete -o filenames -F _orc orc orchestrator
"""


def _zsh(top: Sequence[Option], commands: Sequence[Command]) -> str:
    def spec(option: Option) -> Iterator[str]:
        text = option.help.translate({ord(c): " " for c in "[]:%'"})
        after = {
            "": "",
            "words": f":value:({' '.join(option.words)})",
            "files": ":file:_files",
            "directories": ":directory:_files -/",
            "value": ":value: ",
        }[option.takes]
        yield from (shlex.quote(f"*{name}[{text}]{after}") for name in option.names)

    rows = []
    for command in commands:
        parts = [part for option in command.options for part in spec(option)]
        if command.words:
            parts.append(shlex.quote(f"*:word:({' '.join(command.words)})"))
        elif command.lists:
            parts.append(f"'*:{command.lists}:_orc_list {command.lists}'")
        rows.append(f"    {command.name}) _arguments {' '.join(parts)} ;;")
    names = " ".join(shlex.quote(f"{c.name}:{c.help.replace(':', ' ')}") for c in commands)
    first = " ".join(part for option in top for part in spec(option))
    return _ZSH.format(top=first, names=names, rows="\n".join(rows))


_ZSH = """\
#compdef orc orchestrator
# Completes orc in zsh:  source <(orc completion zsh)
_orc_list() {{
    local -a names
    names=(${{(f)"$($_orc_program $_orc_where completion --list $1 2>/dev/null)"}})
    compadd -a names
    [[ $1 == changes ]] && _files -g '*.md'
}}
_orc() {{
    local _orc_program=$words[1] state line
    local -a _orc_where commands
    typeset -A opt_args
    _arguments -C {top} '1:command:->command' '*::argument:->argument'
    [[ -n $opt_args[-C] ]] && _orc_where=(-C $opt_args[-C])
    if [[ $state == command ]]; then
        commands=({names})
        _describe command commands
        return
    fi
    case $words[1] in
{rows}
    esac
}}
compdef _orc orc orchestrator
"""


def _fish(top: Sequence[Option], commands: Sequence[Command]) -> str:
    lines = [
        "# Completes orc in fish:  orc completion fish | source",
        "complete -c orc -f",
        *(_fish_option("__fish_use_subcommand", option) for option in top),
    ]
    for command in commands:
        text = shlex.quote(command.help)
        lines.append(f"complete -c orc -n __fish_use_subcommand -a {command.name} -d {text}")
        here = f"'__fish_seen_subcommand_from {command.name}'"
        lines += [_fish_option(here, option) for option in command.options]
        if command.words:
            lines.append(f"complete -c orc -n {here} -a '{' '.join(command.words)}'")
        elif command.lists:
            ask = f"(orc completion --list {command.lists} 2>/dev/null)"
            lines.append(f"complete -c orc -n {here} -a '{ask}'")
        if command.lists == "changes":
            lines.append(f"complete -c orc -n {here} -k -a '(__fish_complete_suffix .md)'")
    return "\n".join((*lines, "complete -c orchestrator -w orc", ""))


def _fish_option(condition: str, option: Option) -> str:
    names = " ".join(
        f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names
    )
    after = {
        "": "",
        "words": f" -x -a '{' '.join(option.words)}'",
        "files": " -r -F",
        "directories": " -x -a '(__fish_complete_directories)'",
        "value": " -x",
    }[option.takes]
    return f"complete -c orc -n {condition} {names}{after} -d {shlex.quote(option.help)}"


SCRIPTS = {"bash": _bash, "zsh": _zsh, "fish": _fish}
