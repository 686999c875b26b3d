"""Where a capture lies: on a disk here, at a URL, or at a machine of a cluster alone; and what it is called in all that is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from analyzer.errors import CaptureError
from analyzer.patterns import regex

_URL = regex(r"(?:[A-Za-z][\w.+-]*::)*[A-Za-z][\w.+-]*://")
_addresses: dict[str, str] = {}  # of what has a secret in its URL, by its name, which has none
_away: dict[str, Away] = {}


@dataclass(frozen=True, slots=True)
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
    """What a path is called: a URL without password, query and fragment, by which it is found from now on."""
    if path in _away or not is_url(path):
        return path
    scheme, place, rest, *secrets = urlsplit(path)
    name = urlunsplit((scheme, place.rpartition("@")[2], rest, "", ""))
    if "@" in place or any(secrets):
        _addresses[name] = path
    return name


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
