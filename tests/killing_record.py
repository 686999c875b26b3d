"""`tcpcap record` ended at random moments: whatever ends it, what it left is a bundle that can be read, or nothing; and nobody captures any more.

Its files grow while it runs, so that no other run has the same: what is left is read instead. On the loopback, where it needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import TracebackType

from analyzer import analyze
from analyzer.errors import TcpcapError
from analyzer.record.tools import path_of
from tests.failing import ENDLESS, Failure, library, variables
from tests.forked import Server
from tests.place import Place

CALLS = (
    "record -i lo -o out/rec --every 50ms --duration 300ms",
    "record -i lo -o out/rec --every 50ms --duration 300ms --rotate 1MB",
    "record -i lo -o out/rec --every 50ms --duration 300ms --pack",
)
GONE_S = 15.0  # in which tcpdump must have ended: two seconds, on a machine that does nothing else
SPEAKS_S = 0.005  # between two datagrams


def can_record() -> bool:
    """May this process capture here?"""
    return os.geteuid() == 0 and bool(path_of("tcpdump") and path_of("ip"))


class RecordTrial:
    """A recording; what it leaves in `place` is looked at after each end. Datagrams pass the loopback meanwhile."""

    name = "record"

    def __init__(self, place: Place, random: Random) -> None:
        self.place, self._random = place, random
        self._before, self._root = place.files(), place.folder.parent
        self._words = [call.split() for call in CALLS]
        known = {"LD_PRELOAD": str(library()), "TMPDIR": str(place.temporary)}
        self._over = threading.Event()
        threading.Thread(target=_speak, args=(self._over,), daemon=True).start()
        self._server = Server(self._words[2], place.folder, known)
        place.clean()
        self._took = []
        for words in self._words:
            begun = time.monotonic()
            status, said = self._server.ended(words, place.folder, {})
            self._took.append(time.monotonic() - begun)
            found = list(self._wrong(status, said))
            assert (status, found) == (0, []), said
            place.clean()
        self._calls: dict[tuple[Failure, int], int] = {}

    def signalled(self, number: signal.Signals) -> list[str]:
        """What is wrong after a signal at some moment."""
        which = self._random.randrange(len(self._words))
        after = self._random.random() * self._took[which]
        status, said = self._server.ended(self._words[which], self.place.folder, {}, after, number)
        found = list(self._wrong(status, said, killed=number == signal.SIGKILL))
        if status not in (0, 3, 128 + number, -number):
            found.append(f"status {status}: {said}")
        self.place.clean()
        return found

    def failure(self, failure: Failure) -> list[str]:
        """What is wrong after the disk failed at some call."""
        which = self._random.randrange(len(self._words))
        if (failure, which) not in self._calls:
            self._server.ended(self._words[which], self.place.folder, self._failing(failure, ENDLESS))
            self._calls[failure, which] = int((self._root / "count").read_text())
            self.place.clean()
        first = self._random.randint(1, max(self._calls[failure, which], 1))
        status, said = self._server.ended(self._words[which], self.place.folder, self._failing(failure, first))
        found = list(self._wrong(status, said))
        if status not in (0, 2, 3) or (status == 2 and said.strip().count("\n") > 1):
            found.append(f"status {status}: {said}")
        self.place.clean()
        return [f"from call {first} ({which}): {each}" for each in found]

    def _failing(self, failure: Failure, first: int) -> dict[str, str]:
        return variables(failure, self._root, first, self._root / "count")

    def twice(self) -> list[str]:
        """What is wrong after two of them made the same bundle at once: one of them does."""
        which = self._random.randrange(len(self._words))
        ends, said = self._server.both(self._words[which], self.place.folder)
        found = list(self._wrong(0, "".join(said)))
        if sorted(map(str, ends)) != ["0", "2"]:
            found.append(f"they ended with {ends}")
        self.place.clean()
        return found

    def _wrong(self, status: int, said: str, killed: bool = False) -> Iterator[str]:
        """What is not as it must be."""
        if "Traceback" in said:
            yield f"status {status}: {said}"
        until = time.monotonic() + GONE_S
        while (working := self._working()) and time.monotonic() < until:
            time.sleep(0.05)
        yield from (f"{name} is still there" for name in working)
        now = self.place.files()
        yield from (f"{name} has changed" for name, content in self._before.items() if now.get(name) != content)
        left = sorted(path.name for path in (self.place.folder / "out").iterdir())
        drafts = [name for name in left if name.startswith(".")]
        yield from (f"{name} was left" for name in drafts if not killed)
        whole = [name for name in left if name not in drafts]
        if status == 2:
            yield from (f"{name} was left" for name in whole)
        elif status in (0, 3) and len(whole) != 1:
            yield f"{whole} was left"
        for name in whole:
            yield from self._unreadable(self.place.folder / "out" / name, status, killed)
        if not killed:
            yield from (f"{path.name} was left" for path in self.place.temporary.iterdir())

    def _unreadable(self, path: Path, status: int, killed: bool) -> Iterator[str]:
        """Why what was left is no bundle. Where it was killed before its first snapshot, there is none yet; where it was cut, that is said."""
        counters = path / "counters.jsonl"
        if killed and path.is_dir() and not (counters.exists() and counters.stat().st_size):
            return
        try:
            with analyze(path) as found:
                if found.is_damaged and status == 0:
                    yield f"{path.name} is damaged: {found.damages}"
                if not found.files:
                    yield f"{path.name} has no capture"
        except TcpcapError as error:
            yield f"{path.name}: {error}"

    def _working(self) -> list[str]:
        """The programs that work in the folder, or have a file of it open."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            if int(process.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):  # it has ended, or is another's
                links = [process / "cwd", *(process / "fd").iterdir()]
                if any(link.readlink().is_relative_to(self.place.folder) for link in links):
                    found.append((process / "comm").read_text().strip())
        return found

    def __enter__(self) -> RecordTrial:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.__exit__(kind, value, trace)
        shutil.rmtree(self.place.folder / "out", ignore_errors=True)
        (self.place.folder / "out").mkdir()


def _speak(over: threading.Event) -> None:
    """Something to capture: a datagram now and then, which nobody answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        while not over.wait(SPEAKS_S):
            with contextlib.suppress(OSError):  # that nobody listens is told to the next one
                out.sendto(bytes(500), ("127.0.0.1", 9))
