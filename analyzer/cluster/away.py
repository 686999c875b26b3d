"""`HOST:/path` -> a file that lies at a worker of a dask cluster alone: who has it, and what must be known of it here."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from analyzer.capture.kept import made_for
from analyzer.capture.places import capture_files
from analyzer.capture.where import Away, forget, lay
from analyzer.cluster.kept import sign_of
from analyzer.cluster.ranges import MOST_HEAD, head_in
from analyzer.errors import CaptureError, TcpcapError, UsageError, suggest
from analyzer.patterns import regex

_ON = regex(r"(.+?):(/(?!/).*)", 16)  # DOTALL: a file may be called so
SHOWN_BYTES = 5 << 16  # behind the first packet: more than the longest that there is
Found = tuple[str, int, list[int | str], bytes]  # path, size, sign, beginning


def parsed(on: str) -> tuple[str, str]:
    """Host and path. Raises UsageError where it is no such thing."""
    found = _ON.fullmatch(on)
    if found is None:
        raise UsageError("--on", repr(on), "give a worker and the path from the root there: HOST:/path")
    return found[1], found[2]


def lay_out(client: Any, on: Sequence[str]) -> list[str]:
    """Have the captures that `HOST:/path` stands for known here by names such as that, which it gives; a folder stands for those in it.

    Raises UsageError for a host that no worker has, CaptureError where it has no such file.
    """
    every: dict[str, Away] = {}
    for each in on:
        host, path = parsed(each)
        told = client.run(captures_at, path, workers=workers_of(client, host))
        found = next((files for files in told.values() if not isinstance(files, str)), None)
        if found is None:
            raise CaptureError(each, next(iter(told.values())), f"check the path, as {host} sees it")
        for file, size, sign, head in found:
            every[f"{host}:{file}"] = Away(host, file, size, tuple(sign), head)
    for name, away in every.items():  # once all are there: what nobody reads then is forgotten by nobody
        lay(name, away)
        made_for(name, None, partial(forget, name))
    return list(every)


def workers_of(client: Any, host: str) -> list[str]:
    """The addresses of the workers at a host, by its address, their names or theirs. Raises UsageError where there are none."""
    every: dict[str, list[str]] = client.run(called)
    found = [address for address, names in every.items() if host in (address, *names)]
    if not found:
        known = sorted({name for names in every.values() for name in names})
        raise UsageError("--on", f"no worker is called {host}", suggest(host, known))
    return found


def called(dask_worker: Any) -> list[str]:
    """At a worker: what it and its host are called."""
    return sorted({str(dask_worker.name), dask_worker.address, dask_worker.ip})


def captures_at(path: str) -> list[Found] | str:
    """At a worker: the captures that a path stands for, or why there are none."""
    try:
        return [_found(file) for file in capture_files(path)]
    except TcpcapError as error:
        return error.found
    except OSError as error:
        return "no such file" if isinstance(error, FileNotFoundError) else str(error.strerror or error)


def _found(path: str) -> Found:
    with Path(path).open("rb") as file:
        start = file.read(MOST_HEAD)
    return path, Path(path).stat().st_size, sign_of(path), start[: (head_in(start) or 0) + SHOWN_BYTES]
