"""Whose rights a recording has: root begins it, and what goes on for hours needs no root.

A program that captures becomes the user that is there for it, and the recorder becomes who called `sudo`, as soon as frames are captured.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

CAPTURER = "tcpdump"  # the user that packages of tcpdump make for it


class User(NamedTuple):
    """Somebody whom the system knows."""

    name: str
    number: int
    group: int


def is_root() -> bool:
    """May this process become another user?"""
    return os.geteuid() == 0


def caller(environment: Mapping[str, str]) -> User | None:
    """Who called `sudo`; None where root itself did, or nobody."""
    number = environment.get("SUDO_UID", "")
    if not (is_root() and number.isascii() and number.isdecimal() and int(number)):
        return None
    try:
        found = pwd.getpwuid(int(number))
    except (KeyError, OverflowError):  # of another system, such as that around a container
        return None
    return User(found.pw_name, found.pw_uid, found.pw_gid)


def capturer() -> User | None:
    """The user that captures; None where there is none, or this one may not become another."""
    try:
        found = pwd.getpwnam(CAPTURER) if is_root() else None
    except KeyError:
        return None
    return found and User(found.pw_name, found.pw_uid, found.pw_gid)


def may_write(user: User, folder: Path) -> bool:
    """May the user make files there? The way to it counts as well."""
    with acting_as(user):
        return os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)


@contextlib.contextmanager
def acting_as(user: User | None) -> Iterator[None]:
    """Have the rights of this user in the body: what root wrote by its name in a folder of theirs, they could lead elsewhere by a link.

    None changes nothing, and neither does who one is already.
    """
    groups, group, number = os.getgroups(), os.getegid(), os.geteuid()
    if user is None or user.number == number:
        yield
        return
    try:
        os.setgroups(os.getgrouplist(user.name, user.group))
        os.setegid(user.group)
        os.seteuid(user.number)
        yield
    finally:
        os.seteuid(number)
        os.setegid(group)
        os.setgroups(groups)


def grant(folder: Path, mode: int, owner: User | None, group: int = -1) -> None:
    """Give a folder its mode, and a group. Raises OSError where what has its name by now is no folder of the owner's (of this user's, where that is None)."""
    found = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(found).st_uid != (os.geteuid() if owner is None else owner.number):
            raise PermissionError(errno.EPERM, "it is another's by now")
        os.fchown(found, -1, group)
        os.fchmod(found, mode)
    finally:
        os.close(found)


def become(user: User) -> None:
    """Be this user from now on: nothing leads back."""
    os.setgroups(os.getgrouplist(user.name, user.group))
    os.setresgid(user.group, user.group, user.group)
    os.setresuid(user.number, user.number, user.number)
