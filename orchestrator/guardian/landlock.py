"""Confines writes of a process to given paths, where the kernel has Landlock. Stdlib only."""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PR_SET_NO_NEW_PRIVS = 38
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
# Removing directories and files, and making each kind of file: bits 4 to 12 of the kernel's ABI.
_CHANGE_DIRECTORY = sum(1 << bit for bit in range(4, 13))
_SCOPE_SIGNAL = 1 << 1
_DEVICES = tuple(f"/dev/{name}" for name in ("null", "zero", "full", "tty", "ptmx", "pts", "shm"))

_libc = ctypes.CDLL(None, use_errno=True)


def abi() -> int:
    """Return the version of Landlock that this kernel has in force, 0 for none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def confine(writable: Iterable[str]) -> None:
    """Deny this process and its descendants every write outside ``writable``, for good.

    Paths that do not exist are passed over. Devices that every program writes to stay writable.
    Where the kernel can, signals to processes outside are denied too.

    Raises:
      OSError: the kernel refused.
    """
    version = abi()
    files = _WRITE_FILE | (_TRUNCATE if version >= 3 else 0)
    everything = files | _CHANGE_DIRECTORY | (_REFER if version >= 2 else 0)
    if version >= 6:
        attributes = struct.pack("=QQQ", everything, 0, _SCOPE_SIGNAL)
    else:
        attributes = struct.pack("=Q", everything)
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    try:
        for path in (*writable, *_DEVICES):
            _allow(ruleset, path, files, everything)
        if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "no_new_privs was refused")
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, files: int, everything: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        is_directory = stat.S_ISDIR(os.fstat(handle).st_mode)
        rule = struct.pack("=Qi", everything if is_directory else files, handle)
        _call(_ADD_RULE, ruleset, 1, rule, 0)
    finally:
        os.close(handle)


def _call(number: int, *args: object) -> int:
    result = int(_libc.syscall(number, *args))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return result
