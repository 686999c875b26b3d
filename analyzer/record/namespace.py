"""Namespaces: a network's by the name that `ip netns` gave, by a process that is in one, or by a path; being inside of one; what a container is called."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from analyzer.errors import TcpcapError

CLONE_NEWNET, CLONE_NEWUTS = 0x40000000, 0x04000000
OWN = "/proc/thread-self/ns/net"
OWNS = {CLONE_NEWNET: OWN, CLONE_NEWUTS: "/proc/thread-self/ns/uts"}
NAMED = Path("/run/netns")


class RecordError(TcpcapError):
    """What cannot be recorded, or not here."""


def opened(name: str = "", pid: int = 0) -> int:
    """A descriptor of the namespace that `ip netns` calls `name` (or a path), of the one of process `pid`, or of the own one; the caller closes it."""
    where, path = "--pid" if pid else "--netns", _path(name, pid)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if pid:
            raise RecordError(where, f"there is no process {pid}", "name one that runs, as `ps` lists them") from None
        known = ", ".join(sorted(each.name for each in NAMED.glob("*"))) or "none"
        raise RecordError(
            where, f"there is no namespace {name!r}", f"`ip netns` lists those with a name: {known}"
        ) from None
    except PermissionError:
        raise RecordError(where, "permission denied", "run it as root, such as with sudo") from None


def _path(name: str, pid: int) -> str:
    if pid:
        return f"/proc/{pid}/ns/net"
    return OWN if not name else name if "/" in name else str(NAMED / name)


@contextlib.contextmanager
def inside(namespace: int, kind: int = CLONE_NEWNET) -> Iterator[None]:
    """Run the body in `namespace`, of this kind. Only the calling thread moves; sockets and children made inside stay there.

    Raises OSError where that is not allowed: it needs CAP_SYS_ADMIN. Who has become another user in the body stays inside.
    """
    user, home = os.geteuid(), os.open(OWNS[kind], os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("setns", namespace, kind)
        try:
            yield
        finally:
            if os.geteuid() == user:
                call("setns", home, kind)
    finally:
        os.close(home)


def host_name(pid: int) -> str:
    """What the host is called that process `pid` is on, such as a container; empty where that may not be asked.

    The kernel says it: a file of the container may be a link to one of this host.
    """
    with contextlib.ExitStack() as stack:
        try:
            namespace = os.open(f"/proc/{pid}/ns/uts", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, namespace)
            stack.enter_context(inside(namespace, CLONE_NEWUTS))
        except OSError:
            return ""
        return os.uname().nodename


def call(function: str, *arguments: int) -> None:
    """A system call by the C library: os.setns and os.unshare exist from Python 3.12 on only."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
