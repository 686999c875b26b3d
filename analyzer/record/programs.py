"""tcpdump and dumpcap: how each is told what to capture, and how what it says is read."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from analyzer.fields import of_fields
from analyzer.record.namespace import RecordError
from analyzer.record.plan import SNAPLEN, Plan
from analyzer.record.rights import User, is_root
from analyzer.record.rights import capturer as capturer_user
from analyzer.record.tally import Tallied
from analyzer.record.tools import capturer, path_of

SECOND = 1_000_000_000
RING_FILES = 8  # of which a ring is made: so much more than asked for may be kept
_PRIVILEGE = "it needs root or CAP_NET_RAW: run it with sudo"
_REFUSALS = (
    (r"permission|Operation not permitted", "the kernel does not let this user capture", _PRIVILEGE),
    (r"filter", "", "see pcap-filter(7) for what --filter takes, such as 'tcp port 443'"),
    (r"not up", "", "switch it on: ip link set {interface} up"),
    (r"[Nn]o such device|no device", "there is no such interface", "`ip link` lists them"),
)


@of_fields(frozen=True, slots=True)
class Program:
    """A program that captures.

    Attributes
    ----------
    command : with all its arguments
    file : that it writes, or the first of several
    to_output : whether it writes it to its standard output
    begins : what it says when it captures
    answers : whether SIGUSR1 makes it tell its numbers
    handover_s : after how long at most a frame that the kernel has captured is with the program
    user : whom it becomes when it has the interface; None where it stays who began it
    """

    name: str
    interface: str
    command: tuple[str, ...]
    file: str
    to_output: bool
    begins: str
    answers: bool
    handover_s: float
    user: User | None = None

    def tallied(self, said: Sequence[str]) -> Tallied:
        """The last numbers in what it said."""
        return _of_tcpdump(said) if self.name == "tcpdump" else _of_dumpcap(said)

    def refused(self, words: str) -> RecordError:
        """Why it does not capture."""
        found = words or f"{self.name} does not begin to capture"
        for pattern, instead, todo in _REFUSALS:
            if re.search(pattern, words):
                detail = f"{instead} ({found})" if instead else found
                return RecordError(self.interface, detail, todo.format(interface=self.interface))
        return RecordError(self.interface, found, f"try {self.name} -i {self.interface}")


def program_of(plan: Plan) -> Program:
    """What captures as planned. Raises RecordError where neither program is there."""
    return _tcpdump(plan) if capturer(plan.program) == "tcpdump" else _dumpcap(plan)


def group_of(program: Program, owner: User | None) -> int:
    """The group in which it makes its files. One that stays root (dumpcap) gives up to write where others may not: it is in the owner's group, who can read them so."""
    return (program.user or owner or User("", 0, os.getegid())).group


def _tcpdump(plan: Plan) -> Program:
    # Not --immediate-mode: it takes a slot of the size of the longest frame for each, so that few fit the buffer.
    command = [path_of("tcpdump"), "-n", "-i", plan.interface, "-s", str(plan.snaplen or SNAPLEN)]
    command += ["-B", str(max(plan.buffer >> 10, 1)), "--time-stamp-precision=nano"]
    several = bool(plan.rotate or plan.ring_ns)
    file = "capture.pcap"
    if plan.ring_ns:
        command += ["-G", str(_seconds(plan))]
        file = "capture-%s.pcap"  # seconds since 1970: of files that follow one another none has the name of another
    if plan.rotate:
        command += ["-C", str(-(-plan.rotate // 1_000_000))]
    # Of several files it opens each when the one before is full: as another user it can do so in a folder that is made for it only.
    user = None if several and plan.folder.exists() else capturer_user()
    if user or (several and is_root()):
        command += ["-Z", user.name if user else "root"]
    command += ["-w", file if several else "-"]
    command += ["--", plan.filter] if plan.filter else []  # a filter is none of its options, whatever it begins with
    return Program("tcpdump", plan.interface, tuple(command), file, not several, "listening on", True, 2.2, user)


def _dumpcap(plan: Plan) -> Program:
    command = [path_of("dumpcap"), "-q", "-i", plan.interface, "-s", str(plan.snaplen or SNAPLEN)]
    command += ["-B", str(max(plan.buffer >> 20, 1)), *(["-f", plan.filter] if plan.filter else [])]
    several = bool(plan.rotate or plan.ring_ns)
    if plan.ring_ns:
        command += ["-b", f"duration:{_seconds(plan)}"]
    if plan.rotate:
        command += ["-b", f"filesize:{-(-plan.rotate // 1000)}"]
    command += ["-g", "-w", "capture.pcapng"] if several else ["-w", "-"]
    return Program("dumpcap", plan.interface, tuple(command), "capture.pcapng", not several, "File: ", False, 0.6)


def _seconds(plan: Plan) -> int:
    """How long a file of a ring is written to."""
    return max(1, plan.ring_ns // SECOND // RING_FILES)


def _of_tcpdump(said: Sequence[str]) -> Tallied:
    """Of `N packets captured`, `... received by filter` and `... dropped by kernel`, alone or on one line.

    What it calls dropped by the interface is what the card or the kernel threw away before anybody captured it, such as frames of
    protocols that nobody here speaks: the capture did not lose it, and neither did the host count it.
    """
    text = "\n".join(said)
    words = ("captured", "received by filter", "dropped by kernel")
    return Tallied(*(_last(rf"(\d+) packets? {each}", text) for each in words))


def _of_dumpcap(said: Sequence[str]) -> Tallied:
    """Of `Packets captured: N` and `Packets received/dropped on interface 'eth0': N/M`."""
    text = "\n".join(said)
    found = re.findall(r"received/dropped on interface .*?: (\d+)/(\d+)", text)
    received = sum(int(each) for each, _ in found) if found else -1
    return Tallied(
        _last(r"Packets captured: (\d+)", text), received, sum(int(each) for _, each in found) if found else -1
    )


def _last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else -1
