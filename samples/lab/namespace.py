"""Network namespaces without names: made on request, held open by a descriptor, gone with the process that holds it.

A named namespace stays behind when its maker is killed; one that only a descriptor refers to cannot.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000


def create() -> int:
    """A descriptor of a fresh network namespace; the caller closes it."""
    home = _current()
    try:
        _call("unshare", CLONE_NEWNET)
        return _current()
    finally:
        _call("setns", home, CLONE_NEWNET)
        os.close(home)


@contextlib.contextmanager
def inside(namespace: int) -> Iterator[None]:
    """Run the body in `namespace`. Only the calling thread moves; sockets and children made inside stay there."""
    home = _current()
    try:
        _call("setns", namespace, CLONE_NEWNET)
        yield
    finally:
        _call("setns", home, CLONE_NEWNET)
        os.close(home)


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _call(function: str, *arguments: int) -> None:
    # os.setns and os.unshare exist from Python 3.12 on only.
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
