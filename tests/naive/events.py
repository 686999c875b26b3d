"""The judge of TCP as one reads it aloud: packet after packet, with a memory for everything, a rule per event.

A packet is a dict with the columns of `PACKETS` as plain values (words as text, bits as a set of words), its `flow` and
`direction` among them. `me` is the end that sent it and `other` the one that it was sent to. A position is a sequence
number that does not wrap: 0 is the SYN, 1 the first byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from tests.naive.flows import (
    ACK,
    FIN,
    RST,
    SYN,
    Handshakes,
    Legs,
    Packet,
    ends,
    handshake_rtt_ns,
    is_opening,
    sender,
    state_of,
    what_was_seen,
)

PSH, URG = 8, 32
ECE, CWR = 64, 128
ROUND = 2**32
FAR = 2**30  # no window is as wide
NEAR = 2**20
MILLISECOND, SECOND, HOUR, DAY = 10**6, 10**9, 3600 * 10**9, 24 * 3600 * 10**9
DOUBTS = 8

TIMER_NS = 180 * MILLISECOND  # shortest retransmission timer of Linux: 200 ms, less some jitter
SOON_NS = 1 * MILLISECOND
TAIL_NS = 250 * MILLISECOND
LONG_NS = 10 * MILLISECOND  # the longest tick of a timestamp clock in use
ANSWER_NS = 20 * MILLISECOND  # jitter, and the time that a host takes
DUPLICATES = 3
NEAR_IDS = 4096
FEW_HOPS = 2  # two packets from one place differ by no more
COUNTED_IDS = 256  # two that count their packets from the start have lower ones
FASTEST_TICK_NS = 1000
IN_VAIN = 3  # probes that nobody need answer, before they are called so
FINS = 3  # as many FINs are sent in vain before that is said
CLOSING_BYTES = 256
OPTIONS = frozenset({"window_scale", "sack_permitted", "timestamps"})


class Event(NamedTuple):
    """One row of `EVENTS`."""

    frame: int
    kind: str
    cause: str = ""
    related_frame: int = 0
    value: int = 0
    since_ns: int = 0  # since what is sent again was sent first, or since it was sent again


@dataclass
class Verdict:
    """What was said, and the columns of `FLOWS` that follow from it, by number of the flow."""

    events: list[Event]
    flows: dict[int, dict[str, int | str]]
    most_holes: int  # that an end had at a time
    most_blocks: int
    most_doubts: int


# What is remembered


@dataclass
class Sent:
    """A segment that took up sequence space, and when it was sent again."""

    start: int
    end: int
    frame: int
    time_ns: int
    tsval: int
    ip_id: int
    times: int = 1
    last_frame: int = 0
    last_ns: int = 0
    last_tsval: int = 0
    again_until: int = 0  # how far it was sent again
    needless: bool = False  # it is known that sending it again was not needed

    def __post_init__(self) -> None:
        self.last_frame, self.last_ns, self.last_tsval = self.frame, self.time_ns, self.tsval
        self.again_until = self.end if self.times > 1 else self.start

    @property
    def when_is_known(self) -> bool:
        """Were both the first and the last transmission captured?"""
        return self.last_ns > self.time_ns

    def holds(self, position: int) -> bool:
        """Is the position in it?"""
        return self.start <= position < self.end


@dataclass
class Doubt:
    """A verdict that waits for what comes: what is missing may come late, what came twice may be answered twice."""

    kind: str  # "gap" or "copy"
    packet: Packet  # that is judged
    start: int
    end: int
    until_ns: int
    tsecr: int | None  # of the ACK before a gap
    related_frame: int = 0
    is_unseen: bool = False  # of a copy: options of an answer were cut off, which may have told of it
    value: int = (
        0  # of a copy: ns since the first; of a gap: is it one, or may it be that only one direction was captured
    )


class Hole(NamedTuple):
    """Bytes that were not captured, and what is known of the segment behind them."""

    start: int
    end: int
    time_ns: int
    tsval: int
    ip_id: int


class Ranges:
    """A set of bytes, as pieces without overlap or contact."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> int:
        """Add bytes; how many of them are new."""
        new = end - start
        apart = []
        for left, right in self.pieces:
            if right < start or end < left:
                apart.append((left, right))
            else:
                new -= max(min(right, end) - max(left, start), 0)
        for left, right in self.pieces:
            if (left, right) not in apart:
                start, end = min(start, left), max(end, right)
        self.pieces = sorted([*apart, (start, end)])
        return new

    def cut(self, position: int) -> int:
        """Forget every piece that begins at or before the position; how many bytes behind it are lost by that."""
        lost = sum(max(right - position, 0) for left, right in self.pieces if left <= position)
        self.pieces = [(left, right) for left, right in self.pieces if left > position]
        return lost


@dataclass
class End:
    """One end of a connection: what it sent, what it was told of that, and what it said as a receiver."""

    isn: int | None = None
    other_isn: int | None = None  # of another SYN-ACK, while nobody knows which of them the client takes
    heard: bool = False
    is_direct: bool = False  # was it heard on the near side of the NAT
    next: int = 0  # after the highest that it sent
    una: int = 0  # the highest that was acknowledged
    fin: int = 0  # where its FIN is; 0 without one
    reset: str = ""  # "rst" or "rst_ack", its first
    last_ns: int | None = None
    last_frame: int = 0
    sent_ns: int = 0
    data_ns: int = 0
    ip_id: int = 0
    id_of_data: bool = False
    unordered: int = 0  # how often the next of its stream had a lower IPv4 ID
    ids: str = ""  # "vary" or "same", of its last two packets
    tap: tuple[object, ...] = ()  # where its first packet was captured
    # The handshake
    syns: int = 0
    syn_frame: int = 0
    syn_ns: int = 0
    syn_id: int = 0
    syn_ttl: int = 0  # of its SYN-ACK
    was_compared: bool = False  # its first data with that
    box_hops: int = -1  # to somebody who spoke in its name
    ttls: list[int] = field(default_factory=list)
    syn_was_cut: bool = False
    answered_syn: bool = False
    options: frozenset[str] = frozenset()
    mss: int = 0
    scale: int = 0
    scale_known: bool = False
    ecn: str = ""
    # The window that it offers
    window: int = 0
    window_from: str = ""  # "SYN" or "segment"
    edge: int = 0
    highest_edge: int = 0
    shut_frame: int = 0
    shut_ns: int = 0
    # Its timestamps, and as a receiver the one it accepted last
    tsval: int | None = None
    first_tsval: int = 0
    accepted: int | None = None
    accepted_ns: int = 0
    # What it sent and what became of it
    unacknowledged: list[Sent] = field(default_factory=list)
    passed: int = 0  # most payload of which it is certain that it arrived in one segment
    sent_again: list[Sent] = field(default_factory=list)
    holes: list[Hole] = field(default_factory=list)
    sacked: Ranges = field(default_factory=Ranges)
    sacked_high: int = 0
    repeats: int = 0  # duplicate ACKs in a row
    news_ns: int = 0  # when it was last told something new
    progress_ns: int = 0  # when it was last acknowledged something new
    told_ns: int = 0  # when it was first told of the present hole
    phase: str = "open"  # "fast" or "loss" while it repairs
    repaired_at: int = 0
    expired_ns: int = 0  # when its timer ran out
    is_doubtful: bool = False  # its timer ran out, and nothing was sent again since: perhaps too early (RFC 5682)
    undo_tsval: int = 0  # of the first retransmission since it had nothing to repair
    tail_probe_end: int = 0
    probe: str = ""  # "probe" or "keep-alive" while one waits for an answer
    probe_frame: int = 0
    probe_ns: int = 0
    doubts: list[Doubt] = field(default_factory=list)
    lags: bool = False  # the capture wrote its packets late
    captured: int = 0  # after the highest that was captured
    padding: str = ""  # "perhaps" its latest data, or "yes": it adds padding to its ACKs
    padding_end: int = 0
    offence: int = 0  # frame of an unacceptable segment
    offence_repeats: bool = False  # it was the SYN-ACK of the handshake once more
    vain_probes: int = 0
    vain_gap_ns: int = 0
    filled_edge: int = 0  # of the other end's window
    filled_window: int = 0
    is_limited: bool = False
    fins: int = 0
    fin_ns: int = 0
    reset_ns: int = 0
    dsacks: int = 0  # without those that answer a probe
    # What is counted
    rtts: list[int] = field(default_factory=list)
    smoothed_rtt_ns: int = 0  # RFC 6298 section 2
    idle_ns: int = 0
    shuts: list[int] = field(default_factory=list)  # how long the window was shut, each time
    windows: list[int] = field(default_factory=list)
    payloads: list[int] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    zero_windows: int = 0
    copies: int = 0
    once: int = 0  # packets that were no copies
    padded: list[int] = field(default_factory=list)  # bytes of payload that were padding
    captured_again: list[Packet] = field(default_factory=list)
    missing: int = 0
    sack_blocks: int = 0
    supers: int = 0
    retransmitted: int = 0
    needless: int = 0  # retransmissions that were not needed
    needless_frame: int = 0  # the latest of them, as far as that is known
    full_start: int = 0  # where its first segment of the largest size began
    full_again: list[Packet] = field(default_factory=list)  # what its timer sent again there
    most_holes: int = 0
    most_blocks: int = 0
    most_doubts: int = 0
    counts: dict[str, int] = field(default_factory=dict)  # its events

    @property
    def shortest_rtt_ns(self) -> int:
        """From here to the other end and back, at least; 0 if it is not known."""
        return min(self.rtts, default=0)

    @property
    def hole_bytes(self) -> int:
        """What is missing and not acknowledged."""
        return sum(hole.end - hole.start for hole in self.holes)

    def forget(self) -> None:
        """What was remembered by position: the numbers begin elsewhere."""
        self.unacknowledged, self.sent_again, self.holes, self.sacked = [], [], [], Ranges()
        self.sacked_high = self.told_ns = self.repaired_at = self.tail_probe_end = self.fin = self.fins = 0
        self.phase = "open"
        self.doubts, self.lags, self.captured, self.padding = [], False, 0, ""

    def begin_repair(self, phase: str, segment: Segment) -> None:
        """With this segment, until all is acknowledged that was sent so far."""
        if self.phase == "open":
            self.undo_tsval = segment.tsval or 0
        self.phase, self.repaired_at = phase, self.next

    def place(self, number: int) -> int:
        """The position that is meant by a number on the wire: the nearest to what is sent next."""
        assert self.isn is not None
        return self.next + ahead(number, self.isn + self.next)

    def fill(self, start: int, end: int) -> tuple[int, Hole | None]:
        """Take bytes out of the holes: how many there were, and the first hole that lost some."""
        met = [hole for hole in self.holes if hole.start < end and start < hole.end]
        left: list[Hole] = []
        for hole in self.holes:
            if hole not in met:
                left.append(hole)
                continue
            if hole.start < start:
                left.append(hole._replace(end=start))
            if end < hole.end:
                left.append(hole._replace(start=end))
        filled = sum(min(hole.end, end) - max(hole.start, start) for hole in met)
        self.holes = left
        return filled, met[0] if met else None

    def find(self, position: int) -> Sent | None:
        """What was sent there and is not acknowledged; the newest if it holds the position, else the oldest."""
        newest_first = self.unacknowledged[-1:] + self.unacknowledged
        return next((sent for sent in newest_first if sent.holds(position)), None)

    def is_news(self, frame: int) -> bool:
        """Is it not known yet that this retransmission was not needed? It may have repeated several segments at once."""
        if frame == self.needless_frame or self.needless >= self.counts.get("retransmission", 0):
            return False
        self.needless_frame = frame
        self.needless += 1
        return True

    def find_again(self, start: int, end: int) -> Sent | None:
        """The latest of what was sent again that overlaps these bytes."""
        return next((sent for sent in reversed(self.sent_again) if sent.start < end and start < sent.end), None)

    def mark_again(self, found: Sent, segment: Segment) -> None:
        """All that a retransmission covers, from where it starts on."""
        for sent in self.unacknowledged[self.unacknowledged.index(found) :]:
            if sent.start >= segment.end:
                return
            if sent.end > segment.start:
                if sent.times == 1:
                    self.sent_again.append(sent)
                sent.times += 1
                sent.again_until = max(sent.again_until, min(segment.end, sent.end))
                sent.last_ns, sent.last_tsval, sent.last_frame = segment.time_ns, segment.tsval or 0, segment.frame
                sent.needless = False

    def remember(self, segment: Segment, times: int) -> Sent:
        """A segment that it sent."""
        sent = Sent(
            segment.start, segment.end, segment.frame, segment.time_ns, segment.tsval or 0, segment.ip_id, times
        )
        self.unacknowledged.append(sent)
        if times > 1:
            self.sent_again.append(sent)
        return sent


@dataclass
class Segment:
    """The packet at hand, in positions, and what was found out about it."""

    packet: Packet
    end_of: int
    start: int = 0
    end: int = 0
    ack: int = 0
    window: int = 0
    una: int = 0  # of the other end before it
    late: bool = False  # it was sent before what was captured before it
    padding: int = 0  # bytes of its payload that only filled the frame
    advanced: int = 0  # bytes that it acknowledges for the first time
    sacked: int = 0  # bytes that it reports by SACK for the first time
    is_dsack: bool = False

    def has(self, flags: int) -> bool:
        """Is one of the flags set?"""
        return bool(self.packet["flags"] & flags)

    @property
    def frame(self) -> int:
        return int(self.packet["frame"])

    @property
    def time_ns(self) -> int:
        return int(self.packet["time_ns"])

    @property
    def size(self) -> int:
        """Bytes of payload."""
        return int(self.packet["payload_len"]) - self.padding

    @property
    def tsval(self) -> int | None:
        return int(self.packet["tsval"]) if "timestamps" in self.packet["options"] else None

    @property
    def tsecr(self) -> int:
        return int(self.packet["tsecr"])

    @property
    def ip_id(self) -> int:
        """The ID of IPv4, which counts up in most systems; 0 without one."""
        return int(self.packet["ip_id"]) if "ipv4" in self.packet["layers"] else 0

    @property
    def takes_up_numbers(self) -> bool:
        """Payload, SYN or FIN."""
        return self.end > self.start

    @property
    def is_empty(self) -> bool:
        """No payload, SYN, FIN or RST."""
        return self.size == 0 and not self.has(SYN | FIN | RST)


@dataclass
class Connection:
    """Both ends of a flow, and how far its handshake is."""

    number: int
    before: Connection | None
    events: list[Event]
    ends: tuple[End, End] = field(default_factory=lambda: (End(), End()))
    packets: list[Packet] = field(default_factory=list)
    frame: int = 0
    client: int = 0
    root: Connection | None = None  # the one that has the same packets on the other side of a NAT
    syn_ns: int = 0
    handshake_rtt_ns: int = -1  # where copies are not counted
    has_syn_twice: bool = False
    began_ns: int = 0  # the capture
    syn: bool = False
    syn_ack: bool = False
    acknowledged: bool = False
    letters: list[tuple[str, int]] = field(default_factory=list)

    def say(self, me: End, kind: str, cause: str = "", related_frame: int = 0, value: int = 0, since: int = 0) -> None:
        """An event on the frame at hand, which `me` sent."""
        self.events.append(Event(self.frame, kind, cause, related_frame, value, max(since, 0)))
        me.counts[kind] = me.counts.get(kind, 0) + 1

    def say_of(self, packet: Packet, kind: str, related_frame: int = 0, value: int = 0) -> None:
        """An event on a frame of before."""
        self.events.append(Event(packet["frame"], kind, "", related_frame, value))

    def write(self, letter: str, end: int) -> None:
        """A letter of the history, once an end."""
        if (letter, end) not in self.letters:
            self.letters.append((letter, end))

    def follow(self, packet: Packet) -> None:
        """The next packet, whatever it says."""
        self.packets.append(packet)
        self.frame = packet["frame"]
        self.client = sender(packet) ^ packet["direction"]

    def handshake(self, segment: Segment) -> None:
        """How far the handshake is after this segment."""
        if segment.has(SYN):
            self.syn |= not segment.has(ACK)
            self.syn_ack |= segment.has(ACK)
            self.syn_ns = self.syn_ns if segment.has(ACK) else segment.time_ns
        elif segment.has(ACK) and segment.end_of == self.client:
            once = all(end.syns == 1 for end in self.ends)  # else nobody can tell which was answered (Karn)
            if once and self.has_syn_twice and self.syn and self.syn_ack and not self.acknowledged and segment.ack == 1:
                self.handshake_rtt_ns = max(segment.time_ns - self.syn_ns, -1)
            self.acknowledged |= self.syn or self.syn_ack
        elif segment.has(ACK) and segment.start > 0 and (segment.size or segment.has(FIN) or segment.advanced):
            self.acknowledged |= self.syn_ack  # the server goes on: the client's ACK has reached it

    @property
    def only_syn(self) -> bool:
        """Was it only asked for?"""
        return self.syn and not self.syn_ack and not self.acknowledged

    @property
    def is_open(self) -> bool:
        """The handshake is complete, or was not captured."""
        return self.acknowledged or not (self.syn or self.syn_ack)


def judge(packets: Iterable[Packet]) -> Verdict:
    """All events, in the order in which they became certain, and what follows from them."""
    events: list[Event] = []
    connections: dict[int, Connection] = {}
    latest: dict[tuple[object, ...], Connection] = {}
    copies, sources, servers, legs = Copies(), Sources(), Servers(), Legs()
    previous: Packet | None = None
    began_ns = latest_ns = 0
    for packet in packets:
        began_ns = packet["time_ns"] if previous is None else began_ns
        latest_ns = packet["time_ns"] if previous is None else max(latest_ns, packet["time_ns"])
        back = previous["time_ns"] - packet["time_ns"] if previous else 0
        if previous and packet["interface"] == previous["interface"] and 0 < back <= HOUR:
            events.append(Event(packet["frame"], "clock_regression", value=back))
        previous = packet
        if packet["flow"] < 0 or packet["ip_proto"] != 6:
            continue
        tuple_ = (
            packet["ip_version"],
            *sorted([(packet["src"], packet["src_port"]), (packet["dst"], packet["dst_port"])]),
        )
        if packet["flow"] not in connections:
            latest[tuple_] = Connection(packet["flow"], latest.get(tuple_), events)
            connections[packet["flow"]] = latest[tuple_]
            latest[tuple_].began_ns = began_ns
            root = legs.look(packet)
            latest[tuple_].root = None if root is None else connections[root]
        connection = connections[packet["flow"]]
        connection.follow(packet)
        is_direct = connection.root is None
        if connection.root is not None:
            connection, packet = connection.root, untranslated(packet, connection.root)
            connection.follow(packet)
        if packet["stop"] in ("decoded", "truncated") and "fragment" not in packet["layers"]:
            observe(packet, connection, copies, sources, servers, is_direct)
    for connection in connections.values():
        for end in connection.ends:
            while end.doubts:
                settle(end.doubts[0], end, connection, copies)
    succeeded = {connection.before.number for connection in connections.values() if connection.before}
    handshakes = known_handshakes(connections.values())
    for connection in connections.values():
        is_over = connection.number in succeeded
        say_late(connection, is_over, latest_ns, handshakes, servers)
    flows = {
        number: columns_of(connection, number in succeeded, latest_ns) for number, connection in connections.items()
    }
    ends = [end for connection in connections.values() for end in connection.ends]
    most_holes = max([end.most_holes for end in ends], default=0)
    most_blocks = max([end.most_blocks for end in ends], default=0)
    most_doubts = max([end.most_doubts for end in ends], default=0)
    return Verdict(events, flows, most_holes, most_blocks, most_doubts)


def untranslated(packet: Packet, root: Connection) -> Packet:
    """The packet as it would be on the other side of the NAT, where its connection was seen first."""
    first = root.packets[0]
    syn_ends = [(first["src"], first["src_port"]), (first["dst"], first["dst_port"])]
    (src, src_port), (dst, dst_port) = syn_ends if packet["direction"] == 0 else syn_ends[::-1]
    return {**packet, "src": src, "src_port": src_port, "dst": dst, "dst_port": dst_port}


def observe(
    packet: Packet, connection: Connection, copies: Copies, sources: Sources, servers: Servers, is_direct: bool
) -> None:
    """One packet: a copy of another, or something new. `is_direct` unless it passed on the far side of a NAT."""
    end_of = sender(packet)
    me, other = connection.ends[end_of], connection.ends[1 - end_of]
    me.is_direct |= is_direct
    for end in (me, other):
        for doubt in [doubt for doubt in end.doubts if packet["time_ns"] > doubt.until_ns]:
            if doubt in end.doubts:  # it may have gone with one before it
                settle(doubt, end, connection, copies)
    kind, first = copies.look(packet, connection.number, me, other)
    if first is None and me.heard and me.tap != place_of(packet):
        sent = piece_of(placed(packet, end_of, me, other, connection), me)
        if sent is not None:
            kind, first = "capture_duplicate", {"frame": sent.frame, "time_ns": sent.time_ns}
    if first is not None:
        me.copies += 1
        since = packet["time_ns"] - first["time_ns"]
        connection.has_syn_twice |= bool(packet["flags"] & SYN) and kind != "network_duplicate"
        if kind == "doubtful":
            segment = placed(packet, end_of, me, other, connection)
            wait_for(me, "copy", segment, (segment.start, segment.end), connection, copies)
            me.doubts[-1].related_frame, me.doubts[-1].value = first["frame"], since
            return
        connection.say(me, kind, "", first["frame"], since)
        if kind == "capture_duplicate":
            me.captured_again.append(packet)
        elif me.heard and me.tsval is not None:  # its receiver looks at it again
            judge_paws(placed(packet, end_of, me, other, connection), me, other, connection)
        return
    if answers_from_before(packet, me, other, connection):
        return
    segment = placed(packet, end_of, me, other, connection)
    judge_past_nat(segment, other, connection, is_direct)
    understand(segment, me, other, connection, sources, servers, copies)
    if not me.heard:
        me.heard, me.tap = True, place_of(packet)
    if not segment.has(RST):
        me.ttls.append(packet["ttl"])
    if me.last_ns is not None:
        me.idle_ns = max(me.idle_ns, segment.time_ns - me.last_ns)
    me.last_ns, me.last_frame = segment.time_ns, segment.frame
    if segment.ip_id:
        if me.ip_id:
            me.ids = "same" if segment.ip_id == me.ip_id else "vary"
        if not has_lower_id(segment, me):
            me.ip_id, me.id_of_data = segment.ip_id, segment.size > 0


def ahead(a: int, b: int) -> int:
    """How far number `a` is ahead of number `b`: at most half a round, negative if it is behind."""
    return (a - b + ROUND // 2) % ROUND - ROUND // 2


def placed(packet: Packet, end_of: int, me: End, other: End, connection: Connection) -> Segment:
    """The packet in positions of the two streams, which may begin with it."""
    segment = Segment(packet, end_of)
    if segment.has(RST) and me.isn is None:  # its number need not be one of the connection's
        segment.start = segment.end = me.next
        return segment
    begins = segment.has(SYN) and me.syns == 0 and not connection.acknowledged
    if me.isn is None or begins:
        me.isn = packet["seq"] if segment.has(SYN) else (packet["seq"] - 1) % ROUND
        me.next = me.una = 0 if segment.has(SYN) else 1
        me.forget()
    segment.start = me.place(packet["seq"])
    segment.end = segment.start + segment.size + segment.has(SYN) + segment.has(FIN)
    agreed = "timestamps" in me.options & other.options
    if segment.tsval is not None and not segment.has(SYN | RST) and me.scale_known and not agreed:
        me.scale_known = other.scale_known = False  # other SYNs than these opened the connection
    scale = me.scale if me.scale_known and not segment.has(SYN) else 0
    segment.window = packet["window"] << scale
    if segment.has(ACK):
        if other.isn is None:
            other.isn, other.next, other.una = (packet["ack"] - 1) % ROUND, 1, 1
        if (
            other.other_isn is not None
            and packet["ack"] == (other.other_isn + 1) % ROUND
            and not connection.acknowledged
        ):
            other.isn, other.other_isn, other.next, other.una = other.other_isn, None, 1, 0
            other.tsval = me.accepted = None  # another host has another clock
            other.forget()
        segment.ack = other.place(packet["ack"])
    segment.una = other.una
    return segment


def understand(
    segment: Segment,
    me: End,
    other: End,
    connection: Connection,
    sources: Sources,
    servers: Servers,
    copies: Copies,
) -> None:
    """Everything that a segment means, in order: whose it is, what it carries, what it acknowledges, what it offers."""
    if is_stray(segment, me, connection):
        connection.say(me, "stray")
        connection.write("i", segment.end_of)
        return
    if segment.has(RST):
        judge_reset(segment, me, other, connection)
        return
    if segment.has(SYN) and me.syns and segment.start != 0:
        connection.write("h" if segment.has(ACK) else "s", segment.end_of)
        me.offence, me.offence_repeats = segment.frame, False
        if not connection.acknowledged:
            me.other_isn = segment.packet["seq"]
            if segment.has(ACK):
                me.syn_frame, me.syn_ns = segment.frame, segment.time_ns
        return
    if is_wild(segment, me, other):
        me.offence, me.offence_repeats = segment.frame, False
        return
    if is_offence(segment, me, other, connection):
        me.offence, me.offence_repeats = segment.frame, False
    take_out_padding(segment, me, other)
    if segment.has(SYN):
        connection.write("h" if segment.has(ACK) else "s", segment.end_of)
        judge_syn(segment, me, other, connection, servers)
        if not segment.has(ACK):
            judge_source(segment, me, connection, sources)
    elif segment.has(ACK) and not segment.takes_up_numbers:
        connection.write("a", segment.end_of)
    if segment.size:
        connection.write("d", segment.end_of)
    if segment.has(FIN):
        connection.write("f", segment.end_of)
    is_awaited = any(gap.kind == "gap" and gap.start <= segment.start < gap.end for gap in me.doubts)
    probe = "" if is_awaited else judge_probe(segment, me, other, connection)
    if segment.takes_up_numbers and probe != "keep-alive":
        me.probe = probe
        judge_after_close(segment, me, other, connection)
        judge_full(segment, me, other, connection)
        judge_sending(segment, me, other, connection, probe)
    elif not probe and (segment.start < me.next or was_sent_before(segment, me)):
        segment.late = True
    if segment.has(ACK):
        judge_acknowledgment(segment, me, other, connection, copies)
        judge_late_answer(segment, me, other, connection)
        judge_sack(segment, me, other, connection, copies)
        answers = judge_answer(segment, me, other, connection)
        judge_challenge(segment, me, other, connection)
        judge_duplicate_ack(segment, me, other, connection, answers)
        judge_second_answer(segment, me, other, connection, answers, copies)
        if segment.packet["stop"] == "truncated":
            miss_answer(other)
        judge_window(segment, me, other, connection)
    if not both_closed(me, other):
        judge_paws(segment, me, other, connection)
    judge_timestamps(segment, me, other, connection)
    remember_timestamps(segment, me, other)
    judge_congestion(segment, me, other, connection)
    judge_who_answered(segment, me, other, connection)
    if segment.has(FIN) and not me.fin and segment.end >= me.next:
        me.fin, me.fin_ns = segment.end - 1, segment.time_ns
    me.fins += segment.has(FIN) and segment.end - 1 == me.fin
    me.answered_syn |= segment.has(SYN) and segment.has(ACK)
    connection.handshake(segment)


# Padding


def take_out_padding(segment: Segment, me: End, other: End) -> None:
    """Ethernet's smallest frame carries 46 bytes of IP; in some captures the IP length says so of every ACK."""
    if me.padding and me.next == me.padding_end:
        reconsider_padding(segment, me, other)
    elif not segment.has(SYN | RST):
        give_back(me, segment.start)
    is_small = segment.size > 0 and segment.has(ACK) and not segment.has(RST) and 0 < segment.packet["ip_len"] <= 46
    is_plain = not segment.has(PSH | URG)
    if is_small and is_plain and me.padding == "yes" and segment.start <= me.next:
        me.padding_end, segment.padding = segment.end, segment.size
        segment.end -= segment.padding
        me.padded.append(segment.padding)
        return
    is_open = other.window > 0 or not other.window_from
    if is_small and (is_plain or me.padding == "yes") and segment.start == me.next and is_open and not segment.has(FIN):
        me.padding, me.padding_end = me.padding or "perhaps", segment.end


def give_back(me: End, upto: int) -> None:
    """What was taken for padding was data, as far as the stream goes on behind it."""
    if me.padding == "yes" and me.next < upto <= me.padding_end:
        me.padded.append(me.next - upto)
        me.next, me.captured = upto, max(me.captured, upto)
        if upto == me.padding_end:
            me.padding = ""


def reconsider_padding(segment: Segment, me: End, other: End) -> None:
    """Its latest data was padding if this begins there, too, and cannot be the same once more."""
    found = me.unacknowledged[-1] if me.unacknowledged else None
    if found is None or found.end != me.padding_end or me.una >= found.end or segment.start == found.end:
        me.padding = "yes" if me.padding == "yes" else ""
        return
    if not found.holds(segment.start) or me.una > segment.start or has_lower_id(segment, me):
        return
    size = found.end - segment.start
    is_ack = segment.size == 0 and size > 1 and not segment.has(SYN)  # below one byte, it may be a keep-alive
    was_asked = me.repeats >= DUPLICATES or me.sacked_high > found.start
    is_soon = segment.time_ns - found.time_ns < TIMER_NS and not was_asked
    says_more = segment.size > size or (segment.size == size and segment.ack > other.una)
    is_other = is_ack or (says_more and (is_soon or other.padding == "yes"))
    if segment.start > found.start:
        is_other = me.una == segment.start  # the other end has taken the first part, and no more was sent
    if not is_other:
        return
    me.padding, me.next, me.captured = "yes", segment.start, min(me.captured, segment.start)
    me.padded.append(size)
    if segment.start == found.start:
        me.unacknowledged.pop()
    else:
        found.end = segment.start


# Doubts


def wait_for(
    whose: End, kind: str, segment: Segment, data: tuple[int, int], connection: Connection, copies: Copies
) -> None:
    """Wait with a verdict on the segment, which is about this data."""
    if len(whose.doubts) == DOUBTS:
        settle(whose.doubts[0], whose, connection, copies)
    tsecr = segment.tsecr if segment.tsval is not None else None
    whose.doubts.append(Doubt(kind, segment.packet, *data, segment.time_ns + SECOND, tsecr))
    whose.most_doubts = max(whose.most_doubts, len(whose.doubts))


def settle(doubt: Doubt, whose: End, connection: Connection, copies: Copies) -> None:
    """Nothing came that would have changed it."""
    if doubt.kind == "copy":
        with_data = doubt.packet["payload_len"] > 0
        by_network = copies.proved > copies.unproved if with_data else copies.proved > 0
        if doubt.is_unseen and not by_network:
            whose.doubts.remove(doubt)
            return
        copies.unproved += with_data and not by_network
        decide_copy(doubt, whose, connection, by_network)
        return
    if not doubt.value:
        whose.doubts.remove(doubt)
        return
    # All that one acknowledgment covers is one gap.
    gaps = [each for each in whose.doubts if each.kind == "gap" and each.value]
    same = [each for each in gaps if each.packet is doubt.packet]
    connection.say_of(doubt.packet, "capture_gap", value=sum(each.end - each.start for each in same))
    connection.write("g", connection.ends.index(whose))
    whose.doubts = [each for each in whose.doubts if each not in same]


def decide_copy(doubt: Doubt, whose: End, connection: Connection, by_network: bool) -> None:
    """By whom it was made."""
    kind = "network_duplicate" if by_network else "capture_duplicate"
    connection.say_of(doubt.packet, kind, doubt.related_frame, doubt.value)
    if not by_network:
        whose.captured_again.append(doubt.packet)
    whose.doubts.remove(doubt)


def came_twice(whose: End, start: int, end: int, connection: Connection, copies: Copies) -> bool:
    """The receiver got these bytes twice: is there a copy that explains it?"""
    for doubt in whose.doubts:
        with_data = doubt.kind == "copy" and doubt.packet["payload_len"] > 0
        if with_data and doubt.start < end and start < doubt.end <= end:
            copies.proved += 1
            decide_copy(doubt, whose, connection, True)
            return True
    return False


def miss_answer(whose: End) -> None:
    """The receiver may say in options that were not captured that it got bytes twice."""
    for doubt in whose.doubts:
        doubt.is_unseen |= doubt.kind == "copy" and doubt.packet["payload_len"] > 0


def miss(segment: Segment, me: End, other: End, start: int, end: int, connection: Connection, copies: Copies) -> None:
    """The segment acknowledges bytes that were not captured, or not yet; perhaps the other direction was not captured at all.

    The first ACK in a connection that was open before the capture covers what was sent before it.
    """
    counts = other.heard and bool(me.heard or other.syns)
    if counts:
        other.missing += end - start
    last = other.doubts[-1] if other.doubts else None
    goes_on = last and last.kind == "gap" and last.end == start and last.value == counts
    if last and goes_on and (other.lags or len(other.doubts) == DOUBTS or not counts):
        last.end, last.tsecr = end, segment.tsecr if segment.tsval is not None else None
        return
    wait_for(other, "gap", segment, (start, end), connection, copies)
    other.doubts[-1].value = int(counts)


def judge_late(segment: Segment, me: End, other: End, connection: Connection, again: int) -> bool:
    """Did the capture write it after the ACK that covers it? All of `again` bytes must have been missing."""
    gaps = [gap for gap in me.doubts if gap.kind == "gap" and gap.start < segment.end and segment.start < gap.end]
    sizes = [min(gap.end, segment.end) - max(gap.start, segment.start) for gap in gaps]
    covered, counted = sum(sizes), sum(size for gap, size in zip(gaps, sizes, strict=True) if gap.value)
    cause = late_capture_cause(segment, me, other, gaps[0]) if gaps and covered >= again else ""
    if not cause:
        return False
    first = gaps[0].packet
    connection.say(me, "captured_late", cause, first["frame"], segment.time_ns - first["time_ns"])
    me.missing -= counted
    me.lags = True
    for gap in gaps:
        if segment.start <= gap.start and gap.end <= segment.end:
            me.doubts = [doubt for doubt in me.doubts if doubt is not gap]
            continue
        gap.until_ns = segment.time_ns + SECOND
        if segment.end < gap.end:
            gap.start = segment.end
        else:
            gap.end = segment.start
    return True


def late_capture_cause(segment: Segment, me: End, other: End, gap: Doubt) -> str:
    """How one knows that it was sent before the ACK."""
    if segment.tsval is not None and gap.tsecr is not None and ahead(segment.tsval, gap.tsecr) <= 0:
        return "tsval"
    is_newer = segment.tsval is not None and me.tsval is not None and ahead(segment.tsval, me.tsval) > 0
    if me.ids == "vary" and has_lower_id(segment, me) and not is_newer:
        return "ip_id"
    if segment.start < me.captured:
        return ""  # it was first sent before what follows it in its stream
    if me.ids != "same" and segment.ip_id and me.ip_id:
        steps = (segment.ip_id - me.ip_id) % 2**16
        if steps == 1 or (steps and steps * segment.size == segment.end - me.captured):
            return "ip_id"
    if me.lags and segment.start == me.captured:
        return "too_soon"
    probes = "sack_permitted" in me.options & other.options or not (me.syns and other.syns)
    rtt = me.shortest_rtt_ns + other.shortest_rtt_ns
    soon = min(max(2 * rtt, 2 * MILLISECOND), TIMER_NS) if probes else TIMER_NS
    asked = me.repeats >= DUPLICATES or me.sacked_high > segment.end
    if segment.time_ns - gap.packet["time_ns"] <= MILLISECOND:
        return "too_soon"
    before_ns = (me.last_ns or 0) if other.data_ns <= me.sent_ns else me.sent_ns
    if not me.heard:
        before_ns = gap.packet["time_ns"]
    return "too_soon" if not asked and 0 <= segment.time_ns - before_ns < soon else ""


# Copies

PLACE = ("interface", "ifindex", "ttl", "link_direction", "vlan", "vlan_depth", "tunnel_id", "tunnel_depth", "flow")


def place_of(packet: Packet) -> tuple[object, ...]:
    """Where it was captured."""
    return tuple(packet[name] for name in PLACE)


def piece_of(segment: Segment, me: End) -> Sent | None:
    """What was sent there a moment ago and is not segmented yet, or of which this is several merged."""
    if segment.size == 0 or segment.end > me.next or segment.has(SYN | RST):
        return None
    found = me.find(segment.start)
    if found is None or found.tsval != (segment.tsval or 0):
        return None
    since = segment.time_ns - found.time_ns
    if segment.ip_id == 0:
        return found if 0 <= since <= MILLISECOND else None
    pieces = ceil((found.end - found.start) / segment.size)
    return found if 0 <= since <= Copies.WITHOUT_ID_NS and (segment.ip_id - found.ip_id) % 2**16 < pieces else None


class Copies:
    """Packets that were captured twice, or repeated by the network."""

    WITH_ID_NS = 1 * SECOND
    WITHOUT_ID_NS = 10 * MILLISECOND
    NEXT_NS = MILLISECOND // 10
    MANY = 8  # of fewer packets, nobody can say how many come twice
    SAME = (
        "ip_id", "src", "src_port", "seq", "ack", "tsval", "tsecr", "window", "flags", "payload_len", "sack_left_1",
        "sack_right_1",
    )  # fmt: skip

    def __init__(self) -> None:
        self.first: dict[tuple[object, ...], Packet] = {}
        self.originals = 0
        self.copies = 0
        self.unproved = 0  # so many times it said nothing when data came twice
        self.proved = 0  # so many times a receiver said that the network had made two of a packet

    def look(self, packet: Packet, flow: int, me: End, other: End) -> tuple[str, Packet | None]:
        """The event, or `doubtful`, and the first copy; a packet that is none may be the first of others."""
        identity = (flow, *(packet[name] for name in self.SAME))
        first = self.first.get(identity)
        has_id = "ipv4" in packet["layers"] and packet["ip_id"] != 0 and me.ids != "same"
        longest = self.WITH_ID_NS if has_id else self.WITHOUT_ID_NS
        if first is not None and 0 <= packet["time_ns"] - first["time_ns"] <= longest:
            if place_of(packet) != place_of(first):
                return "capture_duplicate", first
            kind = self.at_the_same_place(packet, first, has_id, me, other)
            if kind:
                self.copies += 1
                return kind, first
        else:
            self.originals += 1
            me.once += 1
        self.first[identity] = packet
        return "", None

    def at_the_same_place(self, packet: Packet, first: Packet, has_id: bool, me: End, other: End) -> str:
        """Who copies does so both ways.

        What comes again without an ID after that is an ACK that its sender repeats; with nothing between, it is a copy.
        """
        since = packet["time_ns"] - first["time_ns"]
        often = 3 * (self.copies + 1) >= self.originals and 2 * self.proved <= self.copies
        is_one_way = other.once >= self.MANY and not other.copies
        by_capture = often and (self.originals >= self.MANY or since <= self.NEXT_NS) and not is_one_way
        is_near = since <= 8 * (packet["length"] + 24)  # ns at 1 Gbit/s
        if not has_id:
            beside = first["frame"] > other.last_frame
            is_timed = packet["flags"] & SYN and since <= MILLISECOND
            soon = packet["payload_len"] and (is_near or (beside and since <= self.NEXT_NS))
            return "capture_duplicate" if is_timed or soon or (beside and by_capture) else ""
        if by_capture or (is_near and not packet["payload_len"]):
            return "capture_duplicate"
        if is_one_way and not packet["payload_len"] and since <= self.NEXT_NS:
            return "network_duplicate"
        with_answer = packet["payload_len"] or self.unproved  # a receiver that gets data twice says so
        if since <= (self.WITHOUT_ID_NS if with_answer else self.NEXT_NS):
            return "doubtful"
        is_resent = packet["payload_len"] or packet["flags"] & (SYN | FIN)
        by_timer = is_resent and "timestamps" not in packet["options"]
        return "" if since >= TIMER_NS and (by_timer or not me.ids) else "network_duplicate"


# The handshake


Servers = dict[tuple[str, int, int], bool]  # address, port and TTL of those that granted options


def judge_syn(segment: Segment, me: End, other: End, connection: Connection, servers: Servers) -> None:
    """What the two ends offer and agree on."""
    packet, options = segment.packet, segment.packet["options"]
    if me.syns == 0 or not segment.has(ACK):
        me.options, me.mss = options, packet["mss"]
        me.scale = min(packet["window_scale"], 14) if "window_scale" in options else 0
    congestion = packet["flags"] & (ECE | CWR)
    if not segment.has(ACK):
        if other.syns and not me.syns and connection.syn and not connection.syn_ack:
            connection.say(me, "simultaneous_open")
        if congestion == ECE | CWR:
            me.ecn = "asked"
        if "fast_open" in options and packet["fast_open_len"] == 0:
            connection.say(me, "fast_open", "requested")
        elif "fast_open" in options and segment.size:
            connection.say(me, "fast_open", "used", value=segment.size)
    elif not me.syns and not other.syns and congestion == ECE:  # it agrees on what was not captured
        me.ecn = other.ecn = "agreed"
    elif me.syns and segment.start == 0 and connection.acknowledged:
        judge_repeated_syn_ack(segment, me, other, connection)
    elif not me.syns and other.syns:
        if packet["stop"] != "truncated" and not other.syn_was_cut:
            judge_grants(segment, me, other, connection, servers)
        if other.ecn == "asked" and congestion == ECE:
            me.ecn = other.ecn = "agreed"
            connection.say(me, "ecn_negotiated")
        if "fast_open" in options and packet["fast_open_len"]:
            connection.say(me, "fast_open", "granted", value=packet["fast_open_len"])
        if "fast_open" in other.options and other.next > 1:
            connection.say(me, "fast_open", "accepted" if segment.ack > 1 else "refused", value=other.next - 1)
    me.syns += 1
    me.syn_frame, me.syn_ns, me.syn_id = segment.frame, segment.time_ns, segment.ip_id
    if segment.has(ACK):
        me.syn_ttl = packet["ttl"]
    me.syn_was_cut |= packet["stop"] == "truncated"
    if other.syns and not me.syn_was_cut and not other.syn_was_cut:
        me.scale_known = other.scale_known = True
        if "window_scale" not in me.options & other.options:
            me.scale = other.scale = 0


def judge_grants(segment: Segment, me: End, other: End, connection: Connection, servers: Servers) -> None:
    """Which options of the SYN the answer grants."""
    server = server_of(segment.packet)
    if segment.packet["options"] & OPTIONS:
        servers[server] = True
    elif {"window_scale", "sack_permitted"} <= other.options:
        if server in servers:
            connection.say(me, "syn_cookie")
        else:
            connection.say(me, "options_refused", "stack" if "timestamps" in other.options else "stack_or_cookie")


def server_of(packet: Packet) -> tuple[str, int, int]:
    """Who sends the SYN-ACK: from another distance it is another."""
    return packet["src"], packet["src_port"], packet["ttl"]


def judge_repeated_syn_ack(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """Its ACK had been captured."""
    since = segment.time_ns - me.progress_ns
    cause = "ack_lost" if other.next > 1 else "deferred"
    if other.rtts and since < other.shortest_rtt_ns:
        cause = "crossed"
    connection.say(me, "syn_ack_again", cause, me.syn_frame, since)
    me.offence, me.offence_repeats = segment.frame, True


def hops(ttl: int) -> int:
    """Routers passed, if it began at the next of the usual values."""
    return min(start for start in (32, 64, 128, 255) if start >= ttl) - ttl


def are_apart(ttl: int, other: int) -> bool:
    """Whatever they began at: do they come from places that far from each other?"""
    return abs(ttl - other) > FEW_HOPS and abs(hops(ttl) - hops(other)) > FEW_HOPS


def judge_who_answered(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """Somebody else than the server, by what comes behind the handshake."""
    packet = segment.packet
    if segment.has(SYN | RST):
        return
    if me.syn_ttl and segment.size and not me.was_compared:
        me.was_compared = True
        if are_apart(me.syn_ttl, packet["ttl"]):
            me.box_hops = hops(me.syn_ttl)
            connection.say(me, "syn_ack_by_middlebox", "ttl", me.syn_frame, me.box_hops)
    is_last = connection.syn and connection.syn_ack and not connection.acknowledged
    is_last = is_last and segment.end_of == connection.client
    if is_last and me.syn_id == other.syn_id >= COUNTED_IDS and segment.ip_id not in (0, me.syn_id):
        other.box_hops = hops(other.syn_ttl)
        connection.say(me, "syn_ack_by_middlebox", "ip_id", other.syn_frame, other.box_hops)


# At the end of the capture


def known_handshakes(connections: Iterable[Connection]) -> Handshakes:
    """The longest between each two addresses."""
    known: Handshakes = {}
    for connection in connections:
        pair = frozenset((connection.packets[0]["src"], connection.packets[0]["dst"]))
        rtt = handshake_rtt_ns(connection.packets, connection.client)
        if rtt >= 0:
            known[pair] = max(known.get(pair, 0), rtt)
    return known


def say_late(connection: Connection, succeeded: bool, latest_ns: int, handshakes: Handshakes, servers: Servers) -> None:
    """What nothing can change any more."""
    packets, client = connection.packets, connection.client
    copies = sum(len(end.captured_again) for end in connection.ends)
    opening = is_opening(packets, succeeded, latest_ns, handshakes, copies)
    me = connection.ends[client]
    is_unanswered = state_of(what_was_seen(packets, client), client, opening) == "unanswered"
    if is_unanswered and connection.root is None and me.syns:
        connection.events.append(Event(me.syn_frame, "syn_unanswered", value=me.syns))
    server = connection.ends[1 - client]
    if any(end.counts.get("options_refused") for end in connection.ends):
        end = ends(packets[0])[1 - client]
        if (*end, server.syn_ttl) in servers:
            connection.events.append(Event(server.syn_frame, "syn_cookie"))
    for me, other in (connection.ends, connection.ends[::-1]):
        is_silent = not other.heard or (other.last_ns or 0) < me.fin_ns
        if me.fins >= FINS and me.una <= me.fin and is_silent and not (me.reset or other.reset):
            connection.events.append(Event(me.last_frame, "fin_unanswered", value=me.fins))
    for me, other in (connection.ends, connection.ends[::-1]):
        closed_ns = still_closed_ns(me, connection, succeeded, latest_ns)
        if closed_ns >= SECOND:
            how = what_was_done(me, other)
            connection.events.append(Event(me.shut_frame, "window_never_reopened", how, 0, closed_ns))
    for me, other in (connection.ends, connection.ends[::-1]):
        say_black_hole(me, other, connection)


def full_size(me: End, other: End) -> int:
    """Payload of its largest segment, after it was cut for the wire."""
    largest = max(me.payloads, default=0)
    return min(largest, other.mss) if other.mss else largest


def say_black_hole(me: End, other: End, connection: Connection) -> None:
    """Nothing of full size was acknowledged, however often its timer sent it, and something smaller was."""
    size = full_size(me, other)
    if len(me.full_again) < 3 or me.una != me.full_start or size <= 536 or other.shut_frame or not other.heard:
        return
    rtt = me.shortest_rtt_ns + other.shortest_rtt_ns
    is_alive = (other.last_ns or 0) > me.full_again[0]["time_ns"] + rtt
    if is_alive or me.una > 1:
        frame = me.full_again[-1]["frame"]
        connection.events.append(Event(frame, "mtu_black_hole", "answered" if is_alive else "silent", 0, size))


def still_closed_ns(me: End, connection: Connection, succeeded: bool, latest_ns: int) -> int:
    """For how long its window has been closed when the capture ends, or the connection is over."""
    seen = what_was_seen(connection.packets, connection.client)
    if len(seen.fins) == 2 or seen.reset_by is not None or succeeded:
        latest_ns = max(packet["time_ns"] for packet in connection.packets)
    return max(latest_ns - me.shut_ns, 0) if me.shut_frame else 0


def what_was_done(me: End, other: End) -> str:
    """By the other end, about a window that is still closed."""
    last_ns = max(other.sent_ns, other.probe_ns)
    if last_ns > me.shut_ns + me.shortest_rtt_ns + other.shortest_rtt_ns:
        return "unanswered" if (me.last_ns or 0) < last_ns else "probed"
    return "invalid_probes" if other.vain_probes >= IN_VAIN else "unprobed"


# Resets, strangers and the end


def judge_reset(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """What it resets, and by whose fault."""
    connection.write("r", segment.end_of)
    by_client = segment.end_of == connection.client
    if connection.only_syn and not by_client:
        connection.say(me, "refused", value=segment.time_ns - other.sent_ns)
    elif not connection.is_open:
        connection.say(me, "reset_in_handshake")
    elif not (me.reset or other.reset or both_closed(me, other)):
        if is_of_middlebox(segment, me):
            me.box_hops = hops(segment.packet["ttl"])
            connection.say(me, "reset_by_middlebox", "", me.last_frame, me.box_hops)
        else:
            judge_ending(segment, me, other, connection)
    if segment.start != me.next and me.una < segment.start <= other.highest_edge:
        me.offence, me.offence_repeats = segment.frame, False
    if not me.reset:
        me.reset, me.reset_ns = "rst_ack" if segment.has(ACK) else "rst", segment.time_ns


def is_of_middlebox(segment: Segment, me: End) -> bool:
    """Was it sent nearer than all else of its end, and does it not know what that end knows?"""
    ttl = segment.packet["ttl"]
    low, high = min(me.ttls, default=0), max(me.ttls, default=0)
    if not me.ttls or low <= ttl <= high or not (are_apart(ttl, low) and are_apart(ttl, high)):
        return False
    if hops(ttl) >= min(hops(low), hops(high)):
        return False
    other_count = segment.ip_id and me.ip_id and abs(id_steps(segment.ip_id, me.ip_id)) >= NEAR_IDS
    other_window = segment.packet["window"] and segment.window != me.window
    return bool(other_count or other_window or segment.start != me.next)


def judge_ending(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """Does it end something, or was that ending anyway?"""
    theirs, mine = outstanding(other, segment.ack if segment.has(ACK) else 0), outstanding(me, 0)
    cause, was_open = reset_cause(segment, me, other), True
    is_early = (
        connection.is_open and not connection.acknowledged and segment.time_ns - connection.began_ns < 60 * SECOND
    )
    if not me.heard and (is_early or not other.heard):
        cause, was_open = "begun_before", False
    elif cause == "after_fin":
        was_open = max(theirs, mine) > CLOSING_BYTES
    elif cause != "out_of_window" and other.fin and not theirs and not mine:
        cause, was_open = "unread_data" if cause == "unread_data" else "after_fin_of_other", False
    if not was_open:
        connection.say(me, "closing_reset", cause, value=theirs)
        return
    answers = other.last_frame > me.last_frame and segment.start == me.una
    is_silent = me.last_ns is None or segment.time_ns - me.last_ns >= SECOND
    if answers and is_silent and not segment.has(ACK) and not me.fin:
        connection.say(me, "half_open")
    connection.say(me, "reset", cause, value=max(other.next - other.una, 0))


def outstanding(me: End, ack: int) -> int:
    """Bytes of data that nobody has acknowledged, this segment included."""
    return max(min(me.next, me.fin or me.next) - max(me.una, ack), 0)


def both_closed(me: End, other: End) -> bool:
    """Have both sent their FIN, and do both know it?"""
    return all(end.fin and end.una > end.fin for end in (me, other))


def reset_cause(segment: Segment, me: End, other: End) -> str:
    """Why an open connection is reset."""
    if me.fin:
        return "after_fin"
    if not me.una <= segment.start <= me.next:
        return "out_of_window"
    return "unread_data" if segment.has(ACK) and other.data_ns > me.data_ns else "in_window"


def judge_past_nat(segment: Segment, other: End, connection: Connection, is_direct: bool) -> None:
    """The client resets what came to it past the NAT."""
    is_opening = connection.syn and connection.syn_ack and not connection.acknowledged
    by_client = segment.has(RST) and segment.end_of == connection.client
    if is_opening and by_client and not is_direct and not other.is_direct:
        since = segment.time_ns - connection.syn_ns
        connection.say(connection.ends[segment.end_of], "answered_past_nat", "", other.last_frame, since)


def is_stray(segment: Segment, me: End, connection: Connection) -> bool:
    """Its number fits the connection before, and not this one."""
    if connection.before is None or segment.has(SYN) or me.isn is None or abs(segment.start - me.next) <= NEAR:
        return False
    then = connection.before.ends[segment.end_of]
    return then.isn is not None and abs(ahead(segment.packet["seq"], then.isn + then.next)) < NEAR


def answers_from_before(packet: Packet, me: End, other: End, connection: Connection) -> bool:
    """A SYN was answered by an end that still has the connection before: with what it waits for there."""
    plain_ack = packet["flags"] & (ACK | SYN | RST) == ACK
    if not connection.only_syn or sender(packet) == connection.client or not plain_ack or me.syns:
        return False
    if 1 <= (packet["ack"] - (other.isn or 0)) % ROUND <= other.next:
        return False
    if packet["payload_len"] or packet["flags"] & FIN:
        connection.say(me, "stray")
    else:
        connection.say(me, "challenge_ack", "", other.syn_frame)
    return True


def is_wild(segment: Segment, me: End, other: End) -> bool:
    """Are its numbers so far off that nothing can be learned from it?"""
    wild_seq = me.heard and abs(segment.start - me.next) > FAR
    wild_ack = other.heard and segment.has(ACK) and abs(segment.ack - other.next) > FAR
    return wild_seq or wild_ack


def is_offence(segment: Segment, me: End, other: End, connection: Connection) -> bool:
    """Does an open connection not accept it: a SYN, or an acknowledgment that is too old?"""
    if not connection.is_open or not other.heard:
        return False
    too_old = other.syns and other.una - segment.ack > max([65535, *me.windows])
    return segment.has(SYN) or bool(segment.has(ACK) and too_old)


def judge_challenge(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """An ACK without news right behind such a segment."""
    related, other.offence = other.offence, 0
    if related and segment.is_empty and segment.ack == segment.una and segment.start == me.next:
        kind = "syn_ack_again_answer" if other.offence_repeats else "challenge_ack"
        connection.say(me, kind, "", related)


def judge_after_close(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """New data from an end that had no more, or for one that wants none."""
    if segment.size == 0 or segment.end <= me.next:
        return
    beyond_fin = me.fin and segment.end > me.fin + 1
    crossing_ns = 200 * MILLISECOND + me.shortest_rtt_ns + other.shortest_rtt_ns
    if beyond_fin or (other.fin and other.reset and segment.time_ns > other.reset_ns + crossing_ns):
        connection.say(me, "data_after_close", value=segment.size)


# Sending


def judge_sending(segment: Segment, me: End, other: End, connection: Connection, probe: str) -> None:
    """It is new, or fills a hole, or was sent before."""
    begins = not me.heard and me.syns == 0 and segment.end >= me.next
    if segment.start >= me.next or begins:
        if segment.start > me.next and me.heard:
            me.holes.append(Hole(me.next, segment.start, segment.time_ns, segment.tsval or 0, segment.ip_id))
            me.most_holes = max(me.most_holes, len(me.holes))
        is_next = segment.start == me.next and segment.size > 0
        me.unordered += is_next and me.id_of_data and has_lower_id(segment, me)
        me.remember(segment, 1)
        me.next = segment.end
    else:
        filled, hole = me.fill(segment.start, segment.end)
        known = min(segment.end, me.next) - segment.start
        cause = late_cause(segment, me, other, hole) if hole and filled == known else ""
        again = known - filled
        if segment.has(SYN) and segment.has(ACK) and segment.start == 0 and not me.answered_syn and other.syns:
            pass  # the answer to a SYN that crossed its own (RFC 9293 figure 7)
        elif judge_late(segment, me, other, connection, again):
            segment.late = segment.start < me.captured  # of the packets of its own end it may be the next
            if segment.end > me.una:
                me.remember(segment, 2)
        elif hole and cause:
            connection.say(me, "reordering", cause, value=segment.time_ns - hole.time_ns)
            segment.late = True
            me.remember(segment, 2)
        elif is_overtaken(segment, me, other, connection):
            segment.late = True
        else:
            flags = segment.has(SYN) or (segment.has(FIN) and segment.end <= me.next)
            judge_retransmission(segment, me, other, connection, probe, known - flags)
        me.next = max(me.next, segment.end)
    me.captured = max(me.captured, segment.end)
    me.sent_ns = segment.time_ns
    if segment.size:
        me.data_ns = segment.time_ns
        largest = max(me.payloads, default=0)
        if segment.size > largest and (not other.mss or largest < other.mss - 12):
            me.full_start, me.full_again = segment.start, []
        me.payloads.append(segment.size)
        me.supers += 0 < other.mss < segment.size
    if other.heard:
        last = me.next - 1 if segment.has(FIN) and not me.fin else min(me.next, me.fin or me.next)
        me.in_flight.append(last - max(me.una, 1))


def late_cause(segment: Segment, me: End, other: End, hole: Hole) -> str:
    """How one knows that it left before the segment behind the hole; empty if it did not."""
    if segment.tsval is not None and segment.tsval != hole.tsval:
        return "tsval" if ahead(segment.tsval, hole.tsval) < 0 else ""
    rtt = me.shortest_rtt_ns + other.shortest_rtt_ns
    if segment.tsval is not None and (ahead(me.tsval or 0, segment.tsval) > 0 or rtt >= LONG_NS):
        return "tsval"  # of one tick with that segment: older than what was sent since, or too soon to be an answer
    if segment.ip_id and hole.ip_id:
        steps = id_steps(segment.ip_id, hole.ip_id)
        is_near = 0 < abs(steps) < NEAR_IDS and me.unordered < 2
        if is_near and segment.time_ns - hole.time_ns < max(SECOND, 2 * rtt):
            return "ip_id" if steps < 0 else ""
    # What the receiver said must reach the sender, and its answer must come back from there. That takes three quarters
    # of the shortest round trip at least.
    was_told = me.sacked_high > segment.end or me.told_ns > 0
    to_sender = other.shortest_rtt_ns - other.shortest_rtt_ns // 4
    if was_told and segment.time_ns - me.told_ns >= to_sender:
        return ""
    return "sack" if segment.time_ns - hole.time_ns < max(TIMER_NS, rtt) else ""


def is_overtaken(segment: Segment, me: End, other: End, connection: Connection) -> bool:
    """Was it sent before the segment that brought its bytes? That was the retransmission then, and came first."""
    found = me.find(segment.start)
    if segment.has(SYN):
        return False
    if segment.tsval is not None:
        cause = "tsval"
        older = ahead(segment.tsval, found.tsval if found else me.tsval or 0) < 0
    else:
        cause = "ip_id"
        longest = max(SECOND, 2 * (me.shortest_rtt_ns + other.shortest_rtt_ns))
        overtaken_ns = found.time_ns if found else me.last_ns or 0
        older = has_lower_id(segment, me) and segment.time_ns - overtaken_ns < longest
    if older:
        first, since = (found.frame, segment.time_ns - found.time_ns) if found else (0, 0)
        connection.say(me, "reordering", cause, first, since)
    return older


def judge_retransmission(segment: Segment, me: End, other: End, connection: Connection, probe: str, size: int) -> None:
    """Why it was sent again, and whether it had to be."""
    quiet = segment.time_ns - max(me.sent_ns, me.news_ns)
    found = me.find(segment.start)
    cause, by_timer = retransmission_cause(segment, me, other, connection, probe, size, quiet, found)
    first = found.frame if found else 0
    since = segment.time_ns - found.time_ns if found else 0
    timer = "syn" if segment.has(SYN) else "data"
    if segment.size == 0 and segment.has(FIN):
        cause = timer = "fin"
    if by_timer:
        connection.say(me, "retransmission_timeout", timer, first, quiet, since)
        if segment.start == me.full_start > 0:
            if segment.size < full_size(me, other) - 12:
                me.full_start = -1
            else:
                me.full_again.append(segment.packet)
    connection.say(me, "retransmission", cause, first, size, since)
    connection.write("t", segment.end_of)
    me.retransmitted += size
    if found:
        me.mark_again(found, segment)
    else:
        found = me.remember(segment, 2)
    if segment.end <= me.una and not segment.has(SYN):
        connection.say(me, "spurious_retransmission", "acked", segment.frame, size)
        found.needless = True
        me.needless += 1
        me.needless_frame = segment.frame


def retransmission_cause(
    segment: Segment, me: End, other: End, connection: Connection, probe: str, size: int, quiet: int, found: Sent | None
) -> tuple[str, bool]:
    """The first rule that holds decides. And: did the retransmission timer expire?"""
    if segment.has(SYN):
        is_waiting = not other.reset and not connection.acknowledged
        if not segment.has(ACK):  # an ACK that is none of this connection's may bring its timer forward
            return "syn", segment.time_ns - me.sent_ns >= MILLISECOND and is_waiting
        silence = segment.time_ns - max(me.sent_ns, other.sent_ns)
        return "syn_ack", silence >= TIMER_NS and is_waiting
    again = found is not None and found.times > 1 and segment.start < found.again_until
    if found is not None and found.start == 0 < segment.start and not again:
        return "fast", False  # data of the SYN, which the SYN-ACK did not acknowledge
    was_probed = found is not None and size == 1 < segment.size and found.end - found.start == 1
    if probe or was_probed or (other.window_from and other.window == 0 and segment.start >= other.edge):
        return "window_probe", False
    # The timer runs from what was sent last or from the last progress; what an ACK asks for comes soon after it.
    rtt = me.shortest_rtt_ns + other.shortest_rtt_ns  # from here to both ends and back
    waited = segment.time_ns - max(me.sent_ns, me.progress_ns) >= TIMER_NS + rtt
    is_answer = segment.time_ns - me.news_ns <= rtt + (rtt >> 1) + ANSWER_NS
    asked = me.repeats >= DUPLICATES or me.sacked_high > segment.end
    if (asked or me.phase == "fast") and (is_answer or not waited):
        return cause_when_asked(segment, me, again and me.sacked_high > segment.end, found), False
    if me.phase == "loss" and not waited:
        me.is_doubtful = False
        return "rto", False
    if quiet < max(rtt, SOON_NS) or not (other.heard or waited):
        return "unknown", False
    is_known = me.syns and other.syns
    with_sack = "sack_permitted" in me.options & other.options or other.sack_blocks or not is_known
    is_tail = segment.end >= me.next and segment.start > 0
    undisturbed = me.phase == "open" and not me.tail_probe_end and not asked
    # The timer sends the first segment again; where the last is the first, the probe comes before it.
    is_soon = quiet < rtt + 2 * max(rtt, me.smoothed_rtt_ns) + TAIL_NS
    if with_sack and is_tail and undisturbed and (segment.start > me.una or is_soon):
        me.tail_probe_end = me.next
        return "tlp", False
    if quiet < rtt + (rtt >> 1) + ANSWER_NS and not waited:
        return "unknown", False  # too soon for a timer, and nothing that was captured asked for it
    me.begin_repair("loss", segment)
    me.tail_probe_end, me.is_doubtful, me.expired_ns = 0, True, segment.time_ns
    return "rto", True


def cause_when_asked(segment: Segment, me: End, lost_again: bool, found: Sent | None) -> str:
    """An ACK asks for it, or fast recovery is under way. `lost_again`: sent again, and SACK still asks for it."""
    if me.phase == "loss":
        if lost_again and found is not None and found.last_ns > me.expired_ns:
            me.begin_repair("fast", segment)  # what was sent after the time-out is lost too: from here on by SACK
            return "lost_again"
        me.is_doubtful = False
        return "rto"
    if me.phase == "fast":
        return "lost_again" if lost_again else "fast"
    me.begin_repair("fast", segment)
    return "fast"


# Acknowledgments


def is_out_of_range(segment: Segment, other: End) -> bool:
    """Too far from everything that the other end sent to be an acknowledgment of it."""
    return segment.ack - other.next > FAR or other.una - segment.ack > FAR


def judge_acknowledgment(segment: Segment, me: End, other: End, connection: Connection, copies: Copies) -> None:
    """What arrived: what the capture missed, what the receiver threw away, how long it took."""
    if is_out_of_range(segment, other):
        return
    give_back(other, segment.ack)
    before = other.next
    other.next = max(other.next, segment.ack)
    if segment.ack > other.una:
        thrown_away = other.sacked.cut(segment.ack)
        if thrown_away:
            connection.say(me, "sack_reneging", value=thrown_away)
        for hole in [hole for hole in other.holes if hole.start < segment.ack]:
            other.fill(hole.start, min(hole.end, segment.ack))
            miss(segment, me, other, hole.start, min(hole.end, segment.ack), connection, copies)
    if segment.ack > before:
        miss(segment, me, other, before, segment.ack, connection, copies)
    if segment.ack <= other.una:
        return
    segment.advanced = segment.ack - other.una
    other.una = segment.ack
    other.repeats = 0
    other.news_ns = other.progress_ns = segment.time_ns
    if other.phase == "loss" and segment.tsval is not None and ahead(segment.tsecr, other.undo_tsval) < 0:
        other.phase = "open"  # nothing was lost: the sender takes its reaction back (RFC 4015)
    arrived = take_arrived(segment, other)
    note_passed(segment, other, arrived)
    judge_eifel(segment, me, other, connection, arrived)
    measure(segment, other, arrived)
    if other.sacked_high <= segment.ack:
        other.told_ns = 0
    if segment.ack > other.tail_probe_end:
        other.tail_probe_end = 0
    if segment.ack >= other.repaired_at:
        other.phase = "open"


def take_arrived(segment: Segment, other: End) -> list[Sent]:
    """What is acknowledged completely, from the oldest on."""
    count = 0
    while count < len(other.unacknowledged) and other.unacknowledged[count].end <= segment.ack:
        count += 1
    arrived, other.unacknowledged = other.unacknowledged[:count], other.unacknowledged[count:]
    return arrived


def note_passed(segment: Segment, other: End, arrived: list[Sent]) -> None:
    """The most payload of which it is certain that it arrived in one segment."""
    pieces = [(sent.start, sent.end) for sent in arrived if sent.times == 1]
    if other.unacknowledged:
        begun = max(other.unacknowledged[0].start, segment.ack - segment.advanced)
        pieces.append((begun, segment.ack))
    most = max(other.payloads, default=0)
    for start, end in pieces:
        other.passed = max(other.passed, min(end - max(start, 1), most))


def judge_eifel(segment: Segment, me: End, other: End, connection: Connection, arrived: list[Sent]) -> None:
    """The first ACK of a retransmission says by its TSecr which transmission it answers."""
    again = [sent for sent in arrived if sent.times > 1 and sent.when_is_known]
    if segment.tsval is None:
        judge_too_soon(segment, me, other, connection, again)
        return
    if not again:
        return
    sent = again[0]
    since = segment.time_ns - sent.last_ns
    if ahead(segment.tsecr, sent.last_tsval) < 0 and not sent.needless:
        sent.needless = True
        if not other.is_news(sent.last_frame):
            return
        connection.say(me, "spurious_retransmission", "eifel", sent.last_frame, sent.end - sent.start, since)
        if other.phase == "loss":
            other.phase = "open"


def judge_too_soon(segment: Segment, me: End, other: End, connection: Connection, again: list[Sent]) -> None:
    """Without timestamps: nothing that is sent again is acknowledged in half of the shortest round trip."""
    shortest = other.shortest_rtt_ns
    if other.syns != 1 or len(other.rtts) < 3 or shortest < MILLISECOND or other.lags:
        return
    if other.rtts[0] > 2 * shortest:  # the others may all have waited for a delayed ACK
        return
    for sent in again:
        since = segment.time_ns - sent.last_ns
        if 2 * since < shortest and sent.start > 0 and not sent.needless:
            sent.needless = True
            if other.is_news(sent.last_frame):
                size = sent.end - sent.start
                connection.say(me, "spurious_retransmission", "too_soon", sent.last_frame, size, since)


def judge_late_answer(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """The client's ACK comes before its repeated SYN was answered: the first was, and that answer came late."""
    opens = connection.syn and connection.syn_ack and not connection.acknowledged and not segment.has(SYN)
    since = segment.time_ns - me.syn_ns
    is_repeated = me.syns > 1 and 0 < other.syn_ns < me.syn_ns and since >= 0
    if opens and segment.end_of == connection.client and segment.advanced and is_repeated:
        connection.say(me, "spurious_retransmission", "answer_late", me.syn_frame, 0, since)
        me.needless += 1


def measure(segment: Segment, other: End, arrived: list[Sent]) -> None:
    """The round-trip time of the newest, if it was sent once (Karn) and did not wait behind a hole.

    Or else if the TSecr says whether its first or its last transmission arrived.
    """
    if not arrived:
        return
    newest = arrived[-1]
    waited = other.told_ns > 0 or newest.end <= other.sacked_high or any(sent.times > 1 for sent in arrived)
    rtt, named = segment.time_ns - newest.last_ns, False
    if newest.when_is_known and segment.tsval is not None:
        named = segment.tsecr in (newest.last_tsval, newest.tsval)
        if segment.tsecr != newest.last_tsval:
            rtt = segment.time_ns - newest.time_ns
    if (named or not waited) and rtt >= 0 and not other.lags:
        other.smoothed_rtt_ns += (rtt - other.smoothed_rtt_ns) >> 3 if other.rtts else rtt
        other.rtts.append(rtt)


def judge_sack(segment: Segment, me: End, other: End, connection: Connection, copies: Copies) -> None:
    """Block by block: a duplicate, nonsense, or something that arrived out of order."""
    packet = segment.packet
    blocks = [
        (other.place(packet[f"sack_left_{n}"]), other.place(packet[f"sack_right_{n}"]))
        for n in range(1, min(packet["sack_count"], 4) + 1)
    ]
    me.sack_blocks += len(blocks)
    for n, (left, right) in enumerate(blocks):
        if n == 0 and left < right <= other.next:
            inside = len(blocks) > 1 and left >= segment.ack and blocks[1][0] <= left and right <= blocks[1][1]
            if inside or right <= segment.ack:
                segment.is_dsack = True
                cause = "out_of_order" if inside else "old"
                judge_dsack(segment, me, other, connection, (left, right), cause, copies)
                continue
        is_bounded = other.heard and me.window_from and me.scale_known
        if left >= right or (right > max(other.next, me.highest_edge) and is_bounded):
            connection.say(me, "invalid_sack", value=right - left)
        elif right > other.una and segment.ack >= other.una:
            new = other.sacked.add(max(left, other.una), right)
            segment.sacked += new
            again = other.find_again(left, right)
            if new and segment.tsval is None and again is not None and left <= again.start and again.end <= right:
                judge_too_soon(segment, me, other, connection, [again])
            if new and other.phase == "loss" and other.is_doubtful:
                found = other.find(left)
                if found is not None and found.times == 1 and right <= other.repaired_at:
                    other.phase = "open"  # first transmissions arrive: the timer ran out too early
            other.most_blocks = max(other.most_blocks, len(other.sacked.pieces))
            other.sacked_high = max(other.sacked_high, right)
    if segment.sacked:
        other.news_ns = segment.time_ns
        other.told_ns = other.told_ns or segment.time_ns


def judge_dsack(
    segment: Segment,
    me: End,
    other: End,
    connection: Connection,
    block: tuple[int, int],
    cause: str,
    copies: Copies,
) -> None:
    """Something arrived twice: then a retransmission of it was not needed, or the network has made two of it."""
    sent = other.find_again(*block)
    size = block[1] - block[0]
    me.dsacks += not other.probe
    connection.say(me, "dsack", cause, sent.last_frame if sent else 0, size)
    if sent and not sent.needless:
        sent.needless = True
        if other.is_news(sent.last_frame):
            since = segment.time_ns - sent.last_ns
            connection.say(me, "spurious_retransmission", "dsack", sent.last_frame, size, since)
    elif not sent and other.heard and not came_twice(other, *block, connection, copies):
        copies.proved += other.missing == 0  # behind the place of the capture


def judge_second_answer(
    segment: Segment, me: End, other: End, connection: Connection, answers: bool, copies: Copies
) -> None:
    """An ACK that says nothing new, where nothing is missing: its sender got something twice."""
    if answers or segment.packet["sack_count"] or segment.start < me.una or segment.window != me.window:
        return
    agreed = "sack_permitted" in me.options & other.options
    if segment.is_empty and segment.ack == segment.una and (agreed or other.next == other.una):
        came_twice(other, 0, segment.ack, connection, copies)


def judge_duplicate_ack(segment: Segment, me: End, other: End, connection: Connection, answers: bool) -> None:
    """It repeats what was acknowledged: something arrived that the receiver did not wait for."""
    # A tail probe that was needless is answered by a duplicate; one that was not, by progress (RFC 8985 section 7.4.2).
    without_progress = not (segment.advanced or segment.sacked or segment.size)
    if other.tail_probe_end == segment.ack and (segment.is_dsack or without_progress):
        other.tail_probe_end = 0
    if segment.start < me.una or not segment.is_empty or segment.ack != segment.una or segment.advanced:
        return
    same = other.next > other.una and segment.window == me.window and me.window_from == "segment"
    if (same and not segment.is_dsack and not answers) or segment.sacked:
        other.repeats += 1
        connection.say(me, "duplicate_ack", value=other.repeats)
        other.told_ns = other.told_ns or segment.time_ns
        other.news_ns = segment.time_ns


# Windows


def judge_probe(segment: Segment, me: End, other: End, connection: Connection) -> str:
    """ "probe", "keep-alive", or empty if it is neither."""
    if segment.size > 1 or segment.has(SYN | FIN | RST) or not me.heard or not other.heard:
        return ""
    if other.window_from and other.window == 0:
        if segment.size == 1 and segment.start >= other.edge:
            cause = "one_byte"
        elif segment.size == 0 and segment.start == me.una - 1:
            cause = "empty"
        else:
            if segment.size == 0:
                judge_vain_probe(segment, me, other, connection)
            return ""
        if me.probe == "probe":
            since = segment.time_ns - me.probe_ns
            connection.say(me, "window_probe_unanswered", "", me.probe_frame, since)
        connection.say(me, "window_probe", cause)
        me.probe = "probe"
    elif segment.start == me.next - 1 and me.una == me.next:
        connection.say(me, "keep_alive")
        me.probe = "keep-alive"
    else:
        return ""
    me.probe_frame, me.probe_ns = segment.frame, segment.time_ns
    return me.probe


def judge_vain_probe(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """Nothing that a receiver need answer, at growing intervals."""
    nothing_new = segment.start == me.next == me.una and segment.ack == other.una and segment.window == me.window
    if not segment.has(ACK) or not nothing_new:
        return
    gap = segment.time_ns - max(me.last_ns or 0, other.last_ns or 0)
    if other.last_frame > me.last_frame:
        me.vain_probes = int(gap >= 100 * MILLISECOND)
    else:
        grows = gap > me.vain_gap_ns + me.vain_gap_ns // 2
        is_steady = me.vain_probes >= IN_VAIN and gap >= me.vain_gap_ns - me.vain_gap_ns // 8
        me.vain_probes = me.vain_probes + 1 if grows or is_steady else 1
    me.vain_gap_ns = gap
    if me.vain_probes >= IN_VAIN:
        connection.say(me, "window_probe_invalid", "", me.last_frame, gap)


def judge_answer(segment: Segment, me: End, other: End, connection: Connection) -> bool:
    """Does it answer a probe or keep-alive? Whatever it is, none waits for an answer any more."""
    probe = other.probe
    if not probe or segment.has(SYN | RST):
        return False
    other.probe = ""
    if not segment.is_empty or segment.start != me.next:
        return False
    kind = {"probe": "window_probe_answer", "keep-alive": "keep_alive_answer"}[probe]
    since = segment.time_ns - other.probe_ns
    longest = max([2 * other.shortest_rtt_ns, *other.rtts])
    if probe == "probe" and segment.window and other.rtts and since > longest + ANSWER_NS:
        return False  # the window opened by itself
    connection.say(me, kind, "", other.probe_frame, since)
    return True


def judge_full(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """Nothing is left of an open window."""
    if segment.size and other.scale_known and other.window > 0 and segment.end >= other.highest_edge:
        connection.say(me, "window_full", value=other.window)
        again = me.filled_window >= other.window and other.highest_edge > me.filled_edge
        if again and not me.is_limited:
            me.is_limited = True
            connection.say(me, "window_limited", value=other.window)
        me.filled_edge, me.filled_window = other.highest_edge, max(me.filled_window, other.window)


def judge_window(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """The window that it offers, against the one before."""
    if segment.has(RST) or segment.ack < segment.una or segment.late:
        return
    sent = min(other.next, other.fin or other.next)
    has_all = bool(other.fin) and segment.ack >= other.fin  # that will ever come
    if not segment.has(SYN):
        judge_shut(segment, me, other, connection, sent, has_all)
    moved = segment.ack + segment.window - me.edge
    if moved > 0:
        other.news_ns = segment.time_ns
    if me.window_from:
        pure = segment.is_empty and segment.ack == segment.una
        if moved > 0 and pure and (me.window_from == "segment" or not me.syns):
            connection.say(me, "window_update", value=moved)
        step = 2**me.scale  # a window is rounded down to it
        if moved <= -step and me.scale_known and not segment.has(SYN) and not has_all:
            beyond = sent - segment.ack - segment.window
            if me.window_from == "segment" or segment.window == 0 or beyond > 0:
                connection.say(me, "window_shrunk", value=-moved)
            if beyond > 0 and segment.ack + segment.window < me.highest_edge:
                connection.say(me, "sent_beyond_window", value=beyond)
    me.window_from = "SYN" if segment.has(SYN) else "segment"
    me.window, me.edge = segment.window, segment.ack + segment.window
    me.highest_edge = max(me.highest_edge, me.edge)
    if not segment.has(SYN):
        me.windows.append(segment.window)


def judge_shut(segment: Segment, me: End, other: End, connection: Connection, sent: int, has_all: bool) -> None:
    """It shuts, or opens again. A FIN shuts nothing, and opens it only where nothing waits outside."""
    if segment.window == 0 and not has_all:
        if not me.shut_frame and not segment.has(FIN):
            connection.say(me, "zero_window")
            connection.write("w", segment.end_of)
            me.shut_frame, me.shut_ns = segment.frame, segment.time_ns
            me.zero_windows += 1
            other.vain_probes = 0
    elif me.shut_frame and (not segment.has(FIN) or sent <= segment.ack):
        me.shuts.append(max(segment.time_ns - me.shut_ns, 0))
        if segment.window:
            connection.say(me, "zero_window_end", "", me.shut_frame, me.shuts[-1])
        me.shut_frame = 0


# Timestamps


def judge_paws(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """Would its receiver drop it, by the last timestamp that it accepted?"""
    if segment.tsval is None or other.accepted is None or segment.has(SYN | RST):
        return
    old = ahead(other.accepted, segment.tsval)
    if old <= 1 or segment.time_ns - other.accepted_ns > 24 * DAY:
        return
    repeats = segment.is_empty and segment.has(ACK) and segment.start == me.una and segment.ack == segment.una
    if repeats and old * MILLISECOND <= 240 * MILLISECOND + me.shortest_rtt_ns + other.shortest_rtt_ns:
        return
    connection.say(me, "paws", "old_ack" if segment.is_empty and segment.start < me.una else "segment", value=old)


def id_steps(a: int, b: int) -> int:
    """How far IPv4 ID `a` is ahead of `b`."""
    return (a - b + 2**15) % 2**16 - 2**15


def has_lower_id(segment: Segment, me: End) -> bool:
    """Is its IPv4 ID a little lower than the highest of its end, and do its IDs tell an order?"""
    return me.unordered < 2 and segment.ip_id > 0 and me.ip_id > 0 and -NEAR_IDS < id_steps(segment.ip_id, me.ip_id) < 0


def was_sent_before(segment: Segment, me: End) -> bool:
    """Was it sent before one that was captured before it, by its IPv4 ID and its TSval?"""
    is_newer = segment.tsval is not None and (me.tsval is None or ahead(segment.tsval, me.tsval) > 0)
    return has_lower_id(segment, me) and not is_newer


def judge_timestamps(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """Against what both ends sent before."""
    if segment.tsval is None:
        return
    if me.tsval is not None:
        back = ahead(me.tsval, segment.tsval)
        old_ack = segment.has(ACK) and segment.ack < segment.una
        if back > 0 and not (segment.late or old_ack or has_lower_id(segment, me)):
            connection.say(me, "tsval_regression", value=back)
    if segment.has(ACK) and other.tsval is not None and segment.tsecr and other.missing == 0:
        beyond = ahead(segment.tsecr, other.tsval)
        possible = max(segment.time_ns - (other.last_ns or 0), 0) // FASTEST_TICK_NS + 1000  # in an ACK not captured
        if beyond > possible or (beyond <= 0 and other.syns and ahead(other.first_tsval, segment.tsecr) > 130_000):
            connection.say(me, "tsecr_never_sent", value=beyond)


def remember_timestamps(segment: Segment, me: End, other: End) -> None:
    """The highest that was sent, and the one that the receiver will echo (RFC 7323 section 4.3)."""
    if segment.tsval is None:
        return
    if me.tsval is None:
        me.tsval = me.first_tsval = segment.tsval
    elif ahead(segment.tsval, me.tsval) > 0:
        me.tsval = segment.tsval
    if other.accepted is None or (segment.start <= me.una and ahead(segment.tsval, other.accepted) >= 0):
        other.accepted, other.accepted_ns = segment.tsval, segment.time_ns


class Source(NamedTuple):
    """The last SYN with a timestamp from one address to another."""

    tsval: int
    time_ns: int
    place: int | None  # of its clock, which is the offset between timestamp and time
    clocks: list[tuple[int, int]]  # those that were seen, and how many connections showed each, up to 2


Sources = dict[tuple[str, str], Source]


def judge_source(segment: Segment, me: End, connection: Connection, sources: Sources) -> None:
    """A SYN with a lower timestamp than the last one of its address."""
    if segment.tsval is None:
        return
    key = (segment.packet["src"], segment.packet["dst"])
    last = sources.get(key)
    clock = ahead(segment.tsval, segment.time_ns // MILLISECOND)
    clocks = last.clocks if last else []
    place = place_of_clock(clock, clocks)
    if place is not None and me.syns == 1:
        clocks[place] = (clocks[place][0], min(clocks[place][1] + 1, 2))
    if last and place is not None and last.place is not None and place != last.place:
        is_lower = ahead(last.tsval, segment.tsval) > 1 and 0 <= segment.time_ns - last.time_ns < 60 * SECOND
        if is_lower and clocks[place][1] == clocks[last.place][1] == 2:
            connection.say(me, "tw_recycle", value=sum(count == 2 for _, count in clocks))
    sources[key] = Source(segment.tsval, segment.time_ns, place, clocks)


def place_of_clock(clock: int, clocks: list[tuple[int, int]]) -> int | None:
    """Where it stands among those that were seen; a new one takes a place that belongs to one connection only."""
    for place, (known, _) in enumerate(clocks):
        if abs(ahead(clock, known)) < 1000:
            return place
    if len(clocks) < 8:
        clocks.append((clock, 0))
        return len(clocks) - 1
    free = [place for place, (_, count) in enumerate(clocks) if count < 2]
    if not free:
        return None
    clocks[free[-1]] = (clock, 0)
    return free[-1]


# Congestion


def judge_congestion(segment: Segment, me: End, other: End, connection: Connection) -> None:
    """What routers mark, and what the ends say of it."""
    if segment.packet["tos"] % 4 == 3:
        connection.say(me, "ce")
    if segment.has(SYN) or (me.ecn != "agreed" and (me.syns or other.syns)):
        return
    if segment.has(ECE):
        connection.say(me, "ece")
    if segment.has(CWR):
        connection.say(me, "cwr")


# Columns of the flow


def columns_of(connection: Connection, succeeded: bool, latest_ns: int) -> dict[str, int | str]:
    """Columns of `FLOWS` by name."""
    client = connection.client
    letters = [letter.upper() if end == client else letter for letter, end in connection.letters]
    columns: dict[str, int | str] = {"history": "".join(letters[:20])}
    if connection.has_syn_twice and connection.handshake_rtt_ns >= 0:  # else the tracker says how long it took
        columns["handshake_rtt_ns"] = connection.handshake_rtt_ns
    columns["leg_of"] = -1 if connection.root is None else connection.root.number
    for side, me, other in (
        ("client", connection.ends[client], connection.ends[1 - client]),
        ("server", connection.ends[1 - client], connection.ends[client]),
    ):
        closed_ns = still_closed_ns(me, connection, succeeded, latest_ns)
        columns |= {f"{side}_{name}": value for name, value in columns_of_end(me, other, closed_ns).items()}
        columns[f"{side}_window_closed"] = what_was_done(me, other) if me.shut_frame else ""
        counted = [
            packet
            for packet in connection.packets
            if connection.root is None
            and connection.ends[sender(packet)] is me
            and not any(packet is again for again in me.captured_again)
        ]
        columns[f"{side}_packets"] = len(counted)
        columns[f"{side}_bytes"] = sum(packet["length"] for packet in counted)
        columns[f"{side}_payload"] = sum(packet["payload_len"] for packet in counted) - sum(me.padded)
    return columns


def columns_of_end(me: End, other: End, closed_ns: int) -> dict[str, int | str]:
    """Columns of one side, without its name."""
    has_sent_fin = 0 < me.fin < me.next
    shuts = [*me.shuts, *([closed_ns] if me.shut_frame else [])]
    return {
        "unique_bytes": max(max(me.next - 1, 0) - has_sent_fin - me.hole_bytes, 0),
        "missing_bytes": me.missing,
        "retransmissions": me.counts.get("retransmission", 0),
        "retransmitted_bytes": me.retransmitted,
        "timeouts": me.counts.get("retransmission_timeout", 0),
        "spurious": me.needless,
        "out_of_order": me.counts.get("reordering", 0),
        "duplicate_acks": me.counts.get("duplicate_ack", 0),
        "sack_blocks": me.sack_blocks,
        "dsacks": me.dsacks,
        "copies": me.copies,
        "in_flight_max": max([0, *me.in_flight]),
        "window_min": min(me.windows, default=-1),
        "window_max": max(me.windows, default=-1),
        "zero_windows": me.zero_windows,
        "reset": me.reset,
        "zero_window_ns": sum(shuts),
        "zero_window_longest_ns": max([0, *shuts]),
        "window_closed_ns": closed_ns,
        "middlebox_hops": me.box_hops,
        "idle_longest_ns": me.idle_ns,
        "largest_segment": max(me.payloads, default=0),
        "largest_passed": me.passed,
        "super_segments": me.supers,
        "rtt_samples": len(me.rtts),
        "rtt_min_ns": min(me.rtts, default=-1),
        "rtt_median_ns": quantile(me.rtts, 0.5),
        "rtt_p95_ns": quantile(me.rtts, 0.95),
        "rtt_max_ns": max(me.rtts, default=-1),
    }


def quantile(values: list[int], share: float) -> int:
    """The smallest value that at least this share of the values does not exceed; -1 without values."""
    return sorted(values)[ceil(share * len(values)) - 1] if values else -1
