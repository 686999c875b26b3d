"""Where a capture lies: on a disk here, at a URL, or at a machine of a cluster alone; and what it is called in all that is said of it."""

from __future__ import annotations

from pathlib import Path

from analyzer.errors import CaptureError
from analyzer.fields import of_fields
from analyzer.patterns import regex

_URL = regex(r"(?:[A-Za-z][\w.+-]*::)*[A-Za-z][\w.+-]*://")
_LOCAL = regex(r"(?:file|local)://")
_PORT = regex(r"[^:]*(?::\d*)?|\[[^\]]*\](?::\d*)?")  # a host, or one with the number of a port
_CHAIN = regex(
    r"::(?=[A-Za-z][\w.+-]*(?:::|://))"
)  # an address of IPv6 has these colons, too, and no protocol behind them
_addresses: dict[str, str] = {}  # of what has a secret in its URL, by its name, which has none
_away: dict[str, Away] = {}


@of_fields(frozen=True, slots=True)
class Away:
    """A file that lies at `host` alone, as `path`: of its `size` (bytes) the first ones are known here, and what `sign` changes with it."""

    host: str
    path: str
    size: int
    sign: tuple[int | str, ...]
    head: bytes

    def refused(self) -> CaptureError:
        """What to say to whoever needs more of it."""
        return CaptureError(
            f"{self.host}:{self.path}", "all of it is needed here, and it lies there alone", "copy it here"
        )


def is_url(path: str) -> bool:
    """Is it a URL? What has no `://` is a file on disk, whatever it is called."""
    return _URL.match(path) is not None


def named(path: str) -> str:
    """What a path is called: a URL without password, query and fragment, by which it is found from now on. Of a file of this machine it is its path.

    Where two URLs differ in that only, the later one gets a number. A URL that is the name of another is that other.
    """
    if path in _away or path in _addresses or not is_url(path):
        return path
    if local := _LOCAL.match(path):
        return path[local.end() :]
    shown = "::".join(map(_without_secrets, chain_of(path)))
    name, number = shown, 1
    while (known := _addresses.get(name)) is not None and known != path:
        number += 1
        name = f"{shown} ({number})"
    if name != path:
        _addresses[name] = path
    return name


def chain_of(url: str) -> list[str]:
    """The parts of a URL in which one is read through the next."""
    return _CHAIN.split(url)


def _without_secrets(part: str) -> str:
    """A URL without what may be secret in it: what is behind `?` and `#`, and who asks, also where a password holds what it must not."""
    scheme, mark, rest = part.partition("://")
    if not mark:
        return part
    rest = rest.partition("#")[0].partition("?")[0]
    host, slash, path = rest.partition("/")
    if "@" in host:
        host = host.rpartition("@")[2]
    elif "@" in path and not _PORT.fullmatch(host):  # user:pass/word@host
        host, slash, path = path.rpartition("@")[2].partition("/")
    return f"{scheme}{mark}{host}{slash}{path}"


def files_in(name: str) -> list[str]:
    """The files of this machine that are read where a name is: itself, or those in a URL that is read through others."""
    if is_here(name):
        return [name]
    return [part[local.end() :] for part in chain_of(_addresses.get(name, name)) if (local := _LOCAL.match(part))]


def address_of(name: str) -> str:
    """Where what is called so is found, by whoever reads it in another process, too: a whole URL, or a path from the root."""
    if is_url(name):
        return _addresses.get(name, name)
    return name if name in _away else str(Path(name).absolute())


def lay(name: str, away: Away) -> None:
    """From now on a file of this name lies elsewhere."""
    _away[name] = away


def forget(name: str) -> None:
    """Nobody reads it any more."""
    _away.pop(name, None)


def away_of(name: str) -> Away | None:
    """The file of this name that lies elsewhere; None where it is here, or at a URL."""
    return _away.get(name)


def is_here(name: str) -> bool:
    """Is it, if anything, a path of this machine?"""
    return name not in _away and not is_url(name)


def is_file(name: str) -> bool:
    """Is it a file, or called as one that is elsewhere: can it be opened more than once?"""
    return name != "-" and (not is_here(name) or Path(name).is_file())
