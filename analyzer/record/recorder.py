"""A recording: a capture runs, and while it does, snapshots are taken; the first when it has begun, the last before it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import field
from importlib import import_module
from pathlib import Path
from typing import Any

from analyzer.errors import TcpcapError, UsageError, suggest
from analyzer.fields import of_fields
from analyzer.record.capture import Capture, capturing
from analyzer.record.folder import Folder, made, written
from analyzer.record.host import described
from analyzer.record.kernel import Counted, counted, steady_ns
from analyzer.record.namespace import RecordError, host_name, inside, opened
from analyzer.record.pack import packed
from analyzer.record.plan import SNAPLEN, Plan
from analyzer.record.programs import Program, program_of
from analyzer.record.rights import User, acting_as, become, may_write
from analyzer.record.signals import Bell, heard
from analyzer.record.sockets import Lister
from analyzer.record.tally import Tallied
from analyzer.record.tools import needed, path_of, version
from analyzer.text import duration_text

STEP_NS = 500_000_000  # a clock that is adjusted slowly does not move as far between two snapshots
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@of_fields(slots=True)
class Recorded:
    """What a recording left.

    Attributes
    ----------
    path : the folder of the bundle, or the file that was made of it
    frames, dropped : captured, and lost for want of room, as the program says; -1 where it does not
    snapshots, lists : of counters, of sockets
    bytes : of its files
    ended_by : why it ended, in words
    cut : whether it ended before it should have, or what it was could not be written down
    ring_ns : how much of its end is kept, where not all is: then `frames` and `dropped` are of more than that
    unpacked : why no one file was made of the folder, where that was wanted
    notes : what to know of it, a sentence each
    """

    path: Path
    frames: int = -1
    dropped: int = -1
    snapshots: int = 0
    lists: int = 0
    bytes: int = 0
    ended_by: str = ""
    cut: bool = False
    ring_ns: int = 0
    unpacked: str = ""
    notes: list[str] = field(default_factory=list)


def record(plan: Plan, begun: Callable[[str], None] = lambda _: None, owner: User | None = None) -> Recorded:
    """Record as planned, until its time is over, its limit is passed, or a signal comes (in the main thread).

    Parameters
    ----------
    begun : called with a sentence when frames are captured
    owner : whom this process becomes then, for good, and whose the folder is; None leaves it who it is

    Raises RecordError where nothing can be recorded; then nothing is left behind.
    """
    needed()
    program = program_of(plan)
    with contextlib.ExitStack() as stack:
        bell = stack.enter_context(heard())
        stack.enter_context(_where(plan))
        if plan.interface != "any":
            _check_interface(plan.interface)
        notes = []
        if owner and not all(may_write(owner, folder) for folder in written(plan)):
            notes.append(f"it ran as root to its end: {owner.name} may not write to {plan.folder}")
            owner = None
        folder = stack.enter_context(made(plan, program, owner))
        recording = _Recording(plan, program, folder, bell, owner)
        recording.found.notes += notes
        recording.run(begun)
        if plan.packed:
            _pack(plan, recording.found, bell)
    return recording.found


def _import_all(plan: Plan) -> None:
    """What is imported later may lie where only root can read."""
    import_module("analyzer.record.words")
    if plan.packed:
        import_module("zstandard")


def _pack(plan: Plan, found: Recorded, bell: Bell) -> None:
    """Make one file of it, where nothing prevents it: the folder is as good."""
    before = len(bell.signals)
    try:
        found.bytes = packed(plan.folder, plan.pack, lambda: len(bell.signals) > before)
        found.path = plan.pack
    except (TcpcapError, OSError) as error:
        found.unpacked = str(error)


@contextlib.contextmanager
def _where(plan: Plan) -> Iterator[None]:
    """In the namespace that is recorded."""
    if not (plan.netns or plan.pid):
        yield
        return
    namespace = opened(plan.netns, plan.pid)
    try:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(inside(namespace))
            except OSError as error:
                where = f"--pid {plan.pid}" if plan.pid else f"--netns {plan.netns}"
                todo = (
                    "run it as root, such as with sudo" if error.errno == errno.EPERM else "is it a network namespace?"
                )
                raise RecordError(where, f"cannot be entered ({error.strerror})", todo) from None
            yield
    finally:
        os.close(namespace)


def _check_interface(name: str) -> None:
    known = [each for _, each in socket.if_nameindex()]
    if name not in known:
        raise RecordError("-i", f"no interface {name!r} here", suggest(name, known))


def _check_limit(plan: Plan, now: Counted) -> None:
    if plan.limit is not None and plan.limit.counter not in now.values:
        known = suggest(plan.limit.counter, list(now.values))
        raise UsageError("--until", f"no counter {plan.limit.counter!r} here", known)


class _Recording:
    """One recording while it runs; `found` is complete when `run` has returned."""

    def __init__(self, plan: Plan, program: Program, folder: Folder, bell: Bell, owner: User | None = None) -> None:
        self.found = Recorded(plan.folder, ring_ns=plan.ring_ns)
        self._plan, self._program, self._folder, self._bell = plan, program, folder, bell
        self._owner = owner
        self._lister = Lister()
        self._last: tuple[Counted, int] | None = None  # and when, by a clock that nobody sets
        self._end_ns = 0  # by that clock; 0 while it is not known
        self._passed = ""  # what passed its limit
        self._facts: dict[str, Any] = {
            "program": version(program.name, "--version"),
            "interface": plan.interface,
            "filter": plan.filter,
            "snaplen": plan.snaplen or SNAPLEN,
            **({"ring": plan.ring_ns / 1e9} if plan.ring_ns else {}),
            "begun": None,
            "ended": None,
        }

    def run(self, begun: Callable[[str], None]) -> None:
        """From its first to its last moment."""
        plan = self._plan
        host = described(_name(plan), plan.interface)
        _check_limit(plan, counted())
        with acting_as(self._owner):
            self._folder.describe(host, self._facts)
        with capturing(self._program, self._folder.path, self._bell.ring, self._owner) as capture:
            if self._owner:  # the rest needs no root
                _import_all(plan)
                become(self._owner)
            start_ns = steady_ns()
            self._end_ns = start_ns + plan.duration_ns if plan.duration_ns else 0
            if self._snapshot() and self._last is not None:
                self._facts["begun"] = self._last[0].time_ns / 1e9
                begun(f"recording {plan.interface} into {plan.folder} with {self._program.name}; Ctrl-C ends it")
                self._follow(capture, start_ns)
            elif not self._folder.counters.count:
                found = f"nothing could be recorded: {self.found.ended_by}"
                raise RecordError(str(plan.folder), found, "name another folder with -o")
            if not self.found.cut:
                self._snapshot(last=True)
            capture.drained(lambda: len(self._bell.signals) > 1)
            tallied = capture.stop()
        self._close(host, tallied)

    def _follow(self, capture: Capture, start_ns: int) -> None:
        """Take snapshots at their times, until something ends the recording."""
        every_ns, count = self._plan.every_ns, 0
        while not self.found.ended_by:
            now_ns = steady_ns()
            count = max(count + 1, (now_ns - start_ns) // every_ns)
            next_ns = start_ns + count * every_ns
            if self._end_ns and self._end_ns <= next_ns:
                next_ns = self._end_ns
            while (now_ns := steady_ns()) < next_ns and not (self._bell.signals or capture.ended):
                self._bell.wait((next_ns - now_ns) / 1e9)
            if capture.ended:
                self._cut(self._why(capture))
            elif self._bell.signals:
                self.found.ended_by = self._bell.signals[0]
            elif self._end_ns and now_ns >= self._end_ns:
                self.found.ended_by = self._passed or "its time was over"
            elif self._snapshot():
                self._folder.prune(steady_ns())

    def _snapshot(self, last: bool = False) -> bool:
        """Counters, and sockets where they are due; False where that ends the recording."""
        now, now_ns = counted(), steady_ns()
        if self._last is not None:
            before, before_ns = self._last
            step_ns = (now.time_ns - before.time_ns) - (now_ns - before_ns)
            if step_ns < -STEP_NS:
                self._cut(
                    f"the clock was set back by {duration_text(-step_ns)}: what follows would stand before the rest"
                )
                return False
            if step_ns > STEP_NS:
                self.found.notes.append(f"the clock was set forward by {duration_text(step_ns)}")
            self._watch(before, now, now_ns - before_ns, now_ns)
        self._last = now, now_ns
        try:
            if not (last or self._folder.has_room()):
                self._cut("the disk is nearly full")
                return False
            self._folder.counters.add(now.time_ns, now_ns, counters=now.values)
            if (last or self._lister.is_due) and (taken := self._lister.listed()) is not None:
                self._folder.sockets.add(taken[0], now_ns, **{self._lister.kind: taken[1]})
        except (OSError, TcpcapError) as error:
            full = isinstance(error, OSError) and error.errno in NO_ROOM
            self._cut("the disk is full" if full else f"its files cannot be written any more ({error})")
            return False
        return True

    def _watch(self, before: Counted, now: Counted, during_ns: int, now_ns: int) -> None:
        """Has the rate passed its limit? Then the end is known."""
        limit = self._plan.limit
        if limit is None or self._passed:
            return
        moved = now.values.get(limit.counter, 0) - before.values.get(limit.counter, 0)
        if limit.passed(moved, during_ns):
            rate = moved * 1e9 / during_ns
            self._passed = f"{limit.counter} rose by {rate:,.0f} a second, more than {limit.rate:,.15g}"
            end_ns = now_ns + limit.after_ns
            self._end_ns = min(self._end_ns, end_ns) if self._end_ns else end_ns

    def _cut(self, why: str) -> None:
        self.found.cut, self.found.ended_by = True, why

    def _why(self, capture: Capture) -> str:
        """Why the program has ended by itself."""
        words = capture.words()
        if "No space left" in words or "Disk quota" in words:
            return "the disk is full"
        if "disappeared" in words or "went down" in words or "No such device" in words:
            return f"{self._plan.interface} is gone"
        return f"{self._program.name} has ended{f' ({words})' if words else ''}"

    def _close(self, host: dict[str, Any], tallied: Tallied) -> None:
        """What is known now goes into host.json."""
        found, folder = self.found, self._folder
        found.frames, found.dropped = tallied.captured, tallied.dropped
        found.snapshots, found.lists = folder.counters.count, folder.sockets.count
        if self._lister.kind != "ss":
            found.notes.append(
                "ss is not installed: sockets are those of /proc/net/tcp, without their round-trip times"
            )
        elif self._lister.failed:
            found.notes.append(f"ss gave no list {self._lister.failed:,} times")
        if not path_of("ethtool"):
            found.notes.append("ethtool is not installed: what the interfaces offload is not known")
        self._facts |= {
            "ended": self._last[0].time_ns / 1e9 if self._last else None,
            "ended_by": found.ended_by,
            "cut": found.cut,
            "frames": found.frames,
            "dropped": found.dropped,
        }
        try:
            folder.describe(host, self._facts)
        except TcpcapError as error:
            found.cut = True  # as who reads it will say
            found.notes.append(str(error))
        found.bytes = folder.size()


def _name(plan: Plan) -> str:
    """What the host is called: a namespace by its own name, a container by what it calls itself."""
    if plan.name or not (plan.netns or plan.pid):
        return plan.name
    if plan.netns:
        return Path(plan.netns).name
    return host_name(plan.pid) or f"pid-{plan.pid}"
