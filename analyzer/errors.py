"""What tcpcap says when it cannot go on: where, what was found, and what to do next."""

from __future__ import annotations


class TcpcapError(Exception):
    """An unreadable input or a wrong call. The command line prints it as one line and exits with status 2.

    Parameters
    ----------
    where : the file, option or name concerned
    found : what was there
    todo : the next step for the reader
    """

    def __init__(self, where: str, found: str, todo: str) -> None:
        super().__init__(f"{where}: {found}; {todo}")
        self.where = where
        self.found = found
        self.todo = todo


class CaptureError(TcpcapError):
    """A file that is not a capture, or of which not even the beginning can be read."""


class UsageError(TcpcapError):
    """A wrong argument: an unknown table, an option without meaning here."""


def suggest(name: str, known: list[str]) -> str:
    """The names of `known` nearest to `name`, as a hint for an error message."""
    import difflib

    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known are: {', '.join(known)}"
