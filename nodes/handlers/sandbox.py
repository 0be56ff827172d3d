"""Shuts a process in: from then on it computes on what it has, and opens or starts nothing.

A seccomp filter (Linux, seccomp(2)) lets a short list of system calls through and answers every
other with EPERM: no open, no socket, no exec, no fork, no signal to another process. It binds every
thread and cannot be taken off. No new descriptor could be had besides, by RLIMIT_NOFILE.

Source: Linux, Documentation/userspace-api/seccomp_filter.rst; numbers from the kernel's unistd.h.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
from typing import Final

_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000
_KILL: Final = 0x80000000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD: Final = 0x00010000

# struct seccomp_data: nr at 0, arch at 4, the lower half of the first argument at 16.
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06

_MACHINES: Final = {
    # machine: (AUDIT_ARCH, seccomp, clone, clone3, allowed)
    "x86_64": (
        0xC000003E, 317, 56, 435,
        (
            0, 1, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 24, 25, 26, 27, 28, 35,
            39, 60, 63, 72, 96, 97, 98, 99, 102, 104, 107, 108, 110, 131, 158, 160, 186, 202, 204,
            219, 228, 229, 230, 231, 262, 271, 273, 281, 302, 309, 318, 324, 334, 449,
        ),
    ),
    "aarch64": (
        0xC00000B7, 277, 220, 435,
        (
            25, 57, 62, 63, 64, 65, 66, 67, 68, 72, 73, 80, 93, 94, 98, 99, 100, 101, 113, 114,
            115, 122, 123, 124, 128, 132, 134, 135, 139, 160, 163, 164, 165, 169, 172, 173, 174,
            175, 176, 177, 178, 179, 214, 215, 216, 222, 226, 227, 232, 233, 261, 278, 283, 293,
        ),
    ),
}  # fmt: skip
"""read, write, close, fstat, lseek, mmap and what follows memory; futexes, clocks, polls; who one
is; getrandom; the limits that the worker sets itself before each call."""


class NoSandbox(Exception):
    """This kernel or machine cannot shut a process in, so nothing of a stranger may run here."""


def shut_in() -> None:
    """Shuts this process in, with all its threads; raises NoSandbox and then nothing is changed."""
    machine = os.uname().machine
    if machine not in _MACHINES:
        raise NoSandbox
    arch, seccomp, clone, clone3, allowed = _MACHINES[machine]
    program = b"".join(_program(arch, clone, clone3, allowed))
    buffer = ctypes.create_string_buffer(program)
    length = len(program) // 8
    pointer = struct.pack("HxxxxxxQ", length, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(pointer)
    libc = ctypes.CDLL(None, use_errno=True)
    # PR_SET_NO_NEW_PRIVS, without which only root may filter.
    if libc.prctl(38, 1, 0, 0, 0) != 0:
        raise NoSandbox
    # SECCOMP_SET_MODE_FILTER with SECCOMP_FILTER_FLAG_TSYNC: DuckDB's threads too.
    if libc.syscall(seccomp, 1, 1, ctypes.c_void_p(ctypes.addressof(holder))) != 0:
        raise NoSandbox
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _program(arch: int, clone: int, clone3: int, allowed: tuple[int, ...]) -> list[bytes]:
    program = [
        _statement(_LOAD, 4),
        _statement(_EQUAL, arch, 1, 0),
        _statement(_RETURN, _KILL),
        _statement(_LOAD, 0),
        # glibc then falls back to clone, whose flags can be looked at.
        _statement(_EQUAL, clone3, 0, 1),
        _statement(_RETURN, _ERRNO | _ENOSYS),
        _statement(_EQUAL, clone, 0, 4),
        _statement(_LOAD, 16),
        _statement(_ANY_BIT, _CLONE_THREAD, 0, 1),
        _statement(_RETURN, _ALLOW),
        _statement(_RETURN, _ERRNO | _EPERM),
    ]
    for number in allowed:
        program += [_statement(_EQUAL, number, 0, 1), _statement(_RETURN, _ALLOW)]
    return [*program, _statement(_RETURN, _ERRNO | _EPERM)]


def _statement(code: int, value: int, true: int = 0, false: int = 0) -> bytes:
    """Struct sock_filter."""
    return struct.pack("HBBI", code, true, false, value)
