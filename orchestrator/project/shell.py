"""Reads the shell commands that a project declares: simple commands, words, what is a stub."""

from __future__ import annotations

import re
import shlex

_SEPARATORS = {"&&", "||", ";", "|", "&", "(", ")", ";;", "|&", "\n"}
_IDLE = {"echo", "printf", "exit", "true", "false", ":"}
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def simple_commands(line: str) -> tuple[tuple[str, ...], ...]:
    """Part a shell line into its simple commands, each as its words without assignments.

    What cannot be parted is one command of the words between spaces.
    """
    lexer = shlex.shlex(line.replace("\n", " ; "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        words = line.split()
    commands: list[list[str]] = [[]]
    for word in words:
        if word in _SEPARATORS:
            commands.append([])
        elif commands[-1] or not _ASSIGNMENT.match(word):
            commands[-1].append(word)
    return tuple(tuple(command) for command in commands if command)


def is_stub(line: str) -> bool:
    """Whether a shell line checks nothing: it is empty, or only says something and ends."""
    return all(command[0].lstrip("@-+") in _IDLE for command in simple_commands(line))


def watches(line: str) -> bool:
    """Whether a command stays to watch files instead of ending."""
    return any(
        re.match(r"--?watch(All)?$", word) for command in simple_commands(line) for word in command
    )
