"""What is to be recorded, where to, and for how long: what options say becomes numbers, and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.patterns import regex
from analyzer.text import length_ns, size_of

PACKED = ".tar.zst"
SNAPLEN = 262_144  # as tcpdump: whole frames
RESERVE = 32 << 20  # bytes that are left free on the disk
_LIMIT = regex(r"([A-Za-z]\w+)\s*>\s*(\d+(?:\.\d+)?)(?:\s*/\s*s)?")


@of_fields(frozen=True, slots=True)
class Limit:
    """A rate of a counter, per second, beyond which the recording ends, `after_ns` later."""

    counter: str
    rate: float
    after_ns: int

    def passed(self, moved: int, during_ns: int) -> bool:
        """Does a counter that moved by so much in such a time pass it?"""
        return during_ns > 0 and moved * 1e9 > self.rate * during_ns


@of_fields(frozen=True, slots=True)
class Plan:
    """What is to be recorded.

    Attributes
    ----------
    interface : such as eth0, or any
    folder : of the bundle; it must not be there yet, or be empty
    duration_ns : after how long it ends by itself; 0 never
    every_ns : between two snapshots
    filter : a capture filter (pcap-filter(7)); empty captures all
    snaplen : bytes that are kept of each frame; 0 keeps all
    rotate : bytes after which a further capture file begins; 0 writes one only
    ring_ns : how much of the past is kept; 0 keeps all
    limit : a rate of a counter that ends it; None without
    netns, pid : the network namespace, by name or path, or by a process in it; the own one without
    name : what the host is called; empty for what it calls itself
    buffer : bytes in the kernel for frames that are not written yet
    program : tcpdump or dumpcap; empty for the first of them that is there
    packed : whether one file is made of the folder at the end
    """

    interface: str
    folder: Path
    duration_ns: int = 0
    every_ns: int = 1_000_000_000
    filter: str = ""
    snaplen: int = 0
    rotate: int = 0
    ring_ns: int = 0
    limit: Limit | None = None
    netns: str = ""
    pid: int = 0
    name: str = ""
    buffer: int = 64 << 20
    program: str = ""
    packed: bool = False

    @property
    def pack(self) -> Path:
        """The file that is made of the folder."""
        return self.folder.with_name(self.folder.name + PACKED)


def plan(
    interface: str,
    output: str | Path,
    *,
    duration: str | None = None,
    every: str = "1s",
    filter: str | None = None,
    snaplen: int | None = None,
    rotate: str | None = None,
    ring: str | None = None,
    until: str | None = None,
    after: str = "10s",
    netns: str | None = None,
    pid: int | None = None,
    name: str | None = None,
    buffer: str = "64MB",
    program: str | None = None,
    pack: bool = False,
) -> Plan:
    """A Plan of what options say, as `tcpcap record --help` explains them. Raises UsageError for what cannot be."""
    folder, packed = str(output), pack
    if folder.endswith(PACKED):
        folder, packed = folder.removesuffix(PACKED), True
    if not Path(folder).name or folder == "-":
        raise UsageError("-o", f"{str(output)!r} names no folder", "name one that is to be made, such as incident")
    if netns and pid:
        raise UsageError("--pid", "beside --netns", "give one of them")
    every_ns = length_ns(every, "--every")
    if every_ns < 50_000_000:
        raise UsageError("--every", f"{every!r} is too often", "give 50ms or more")
    ring_ns = length_ns(ring, "--ring") if ring else 0
    if ring and ring_ns < 2 * every_ns:
        raise UsageError("--ring", f"{ring!r} holds no two snapshots", f"give twice --every ({every}) or more")
    if snaplen and snaplen < 64:
        raise UsageError("--snaplen", f"{snaplen} bytes hold no headers", "give 64 or more; 128 keep most TCP headers")
    size = size_of(rotate, "--rotate") if rotate else 0
    if rotate and size < 1_000_000:
        raise UsageError("--rotate", f"{rotate!r} is too small", "give 1MB or more")
    return Plan(
        interface,
        Path(folder),
        length_ns(duration, "--duration") if duration else 0,
        every_ns,
        filter or "",
        snaplen or 0,
        size,
        ring_ns,
        limit_of(until, length_ns(after, "--after")) if until else None,
        netns or "",
        pid or 0,
        name or "",
        size_of(buffer, "--buffer"),
        program or "",
        packed,
    )


def limit_of(text: str, after_ns: int) -> Limit:
    """`TcpRetransSegs>100`, per second."""
    found = _LIMIT.fullmatch(text.strip())
    if found is None:
        todo = "give a counter of nstat and how much of it in a second is too much, such as 'TcpRetransSegs>100'"
        raise UsageError("--until", f"{text!r} is no limit", todo)
    return Limit(found[1], float(found[2]), after_ns)
