"""Where the time of a connection went, as one reads it aloud: gap after gap, with a memory for everything.

A `Frame` is what the judge says of a frame: who sent it and when, of what kind it is, and how both ends stand afterwards. Ends are 0
(low) and 1 (high). The account of a connection is a dict of its ns by cause, with `think_0` and `think_1` for its two ends.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

MS, SECOND = 10**6, 10**9
AT_ONCE = 1 * MS  # an end that goes on so soon has waited for nothing else
IDLE = 10 * SECOND  # a client that is silent for so long does not think
LONG = 1 * SECOND  # who closes after so long has waited for the answer, or for more to say
STALL = 50 * MS  # behind full segments only a pause so long is the sender's
TIMER = 180 * MS
LEAST_DELAY, MOST_DELAY = 20 * MS, 520 * MS  # of an ACK, beyond what the way takes (RFC 1122 section 4.2.3.2)
REQUEST = 65536
TICK = 2**16  # ns
FEW = 7  # segments


@dataclass
class End:
    """How one end stands when a frame has been judged."""

    flight: int  # bytes
    window: int  # that it offers
    rtt: int  # least time from here to the other end and back; 0 unknown
    srtt: int
    segment: int
    limited: bool = False  # the other end's window allows less than a segment
    unscaled: bool = False  # perhaps: the scale is not known
    closed: bool = False  # it offers no window
    repairs: str = ""  # "timeout", "fast" or ""

    @property
    def flying(self) -> bool:
        """Has it something in flight?"""
        return self.flight > 0


@dataclass
class Frame:
    """One frame of a connection."""

    number: int
    time: int
    end: int
    kind: str  # "ack", "data", "again", "syn", "fin", "rst" or "keep_alive"
    client: int  # which end is thought to be the client
    length: int
    since: int  # since the other end last sent payload; -1 never
    advanced: int  # bytes that it newly acknowledges
    ends: tuple[End, End]
    both: bool  # both ends have been heard
    short: bool  # less than a full segment
    opened: bool  # the window moved, or opened
    fin: bool
    again: bool  # retransmission
    next_id: bool
    later_id: bool  # a few IPv4 IDs are missing before it
    full: bool  # not in the middle of a burst


@dataclass
class Answer:
    """What one end said when the other had spoken."""

    end: int
    frame: int
    first: int  # from the last byte of what was said before to its first byte
    asked: int  # when that last byte was sent
    size: int = 0
    last: int = 0  # when its last byte was sent


@dataclass
class Connection:
    """What is remembered of one."""

    spent: Counter[str] = field(default_factory=Counter)
    answers: list[Answer] = field(default_factory=list)
    seconds: list[tuple[int, list[int]]] = field(default_factory=list)  # and the bytes of both ends in it
    before: Frame | None = None  # the latest frame that told something
    upto: int = 0
    opening: bool = False
    over: bool = False
    finished: bool = False
    kept: bool = False
    short: bool = False  # the latest data
    talker: int | None = None
    message: int = 0  # bytes of the talker's
    trip: int = 0  # pending: on the way
    late: int = 0  # pending: later than that
    waits: str = "handshake"
    pace: int = 0
    acked: int = 0  # ticks
    round: int = 0  # ticks
    rounds: tuple[int, int] = (0, 0)  # bytes in the round trip at hand, and in the one before
    unnumbered: set[int] = field(default_factory=set)

    def has_answered(self, end: int) -> bool:
        """Was there an answer of this end?"""
        return any(answer.end == end for answer in self.answers)

    def owes(self, client: int) -> bool:
        """Does the server owe an answer?"""
        return self.talker == client and (self.has_answered(1 - client) or self.message <= REQUEST)

    def is_silent(self) -> bool:
        """Nothing is under way, and nothing to be repaired."""
        assert self.before
        quiet = not any(end.flying or end.closed for end in self.before.ends)
        return quiet and not (self.opening or self.over or self.finished)

    def add(self, frame: Frame) -> None:
        """Account for the time before a frame, then take in what it changes."""
        gap = 0
        if self.before is None:
            self.opening = frame.kind == "syn"
            self.upto = frame.time
        else:
            if self.is_silent() and (frame.kind == "syn" or (frame.kind == "ack" and not frame.advanced)):
                return
            gap = max(frame.time - self.upto, 0)
            if self.frees(frame):
                self.suspend(frame, gap)
            else:
                first, part, rest, how = self.explain(frame, gap)
                self.settle(how, rest)
                self.spent[first] += part
                self.spent[rest] += gap - part
        self.upto = max(self.upto, frame.time)
        self.take(frame, gap)
        self.before = frame

    # What is pending

    def frees(self, frame: Frame) -> bool:
        """An ACK of the last that the other end had in flight, while nothing hindered it."""
        assert self.before
        other = 1 - frame.end
        if frame.kind != "ack" or self.opening or self.over or not frame.both:
            return False
        if any(end.closed or end.repairs for end in self.before.ends):
            return False
        return self.before.ends[other].flying and frame.advanced > 0 and not frame.ends[other].flying

    def suspend(self, frame: Frame, gap: int) -> None:
        """Whether the other end waited shows in what it does next."""
        assert self.before
        sender, now = self.before.ends[1 - frame.end], frame.ends[1 - frame.end]
        self.waits = self.limited(1 - frame.end, "round_trip")
        if gap < AT_ONCE or not frame.full:
            self.trip += gap
            return
        trip = min(max(now.rtt - (frame.since - gap), 0), gap)
        late = gap - trip
        if not LEAST_DELAY <= late <= MOST_DELAY or frame.advanced > 2 * now.segment or sender.limited:
            trip, late = gap, 0
        total = self.trip + trip
        self.trip = min(total, 2**32 - 1)
        self.spent[self.waits] += total - self.trip
        self.late += late

    def settle(self, how: str, cause: str) -> None:
        """`at_once`: the sender had waited; `all`: it had not; `late`: the answer tells what was late; `keep`: not yet."""
        if how == "keep":
            return
        self.spent[cause if how == "all" else self.waits] += self.trip
        self.spent["delayed_ack" if how == "at_once" else cause] += self.late
        self.trip = self.late = 0

    # The cause of a gap

    def explain(self, frame: Frame, gap: int) -> tuple[str, int, str, str]:
        """Cause of the first part, how long that is, cause of the rest, and what becomes of what is pending."""
        assert self.before
        end, other, client = frame.end, 1 - frame.end, frame.client
        before = self.before.ends
        flying = any(each.flying for each in before)
        talks = frame.kind in ("data", "again")
        repairs = {each.repairs for each in before}
        if frame.again:
            repairs |= {each.repairs for each in frame.ends}
        if self.over:
            return "", 0, "closing", "late"
        if self.opening:
            return "", 0, "handshake", "keep"
        if not frame.both:
            return "", 0, "unknown", "all"
        if any(each.closed for each in before):
            return "", 0, "zero_window", "keep"
        if self.finished and not flying and not talks:
            return "", 0, "closing", "late"
        if "timeout" in repairs:
            probed = gap < TIMER and any(each.limited for each in before)
            return "", 0, "receive_window" if probed else "loss_timeout", "keep"
        if "fast" in repairs:
            return "", 0, "loss_fast", "keep"
        if frame.again and gap >= AT_ONCE:
            return "", 0, "unknown", "all"
        if gap < AT_ONCE or not frame.full:  # not looked into
            if talks:
                return "", 0, *(("transfer", "at_once") if self.talker == end else (f"think_{end}", "late"))
            if flying:
                return "", 0, self.limited(other if before[other].flying else end, "transfer"), "keep"
        if talks and self.talker == end:
            return "", 0, *self.going_on(frame, gap)
        if talks and before[other].flying:
            trip = min(max(frame.ends[other].rtt - (frame.since - gap), 0), gap)
            return self.waiting(frame, other, trip), trip, f"think_{end}", "late"
        if talks:
            if self.lost_before(frame, gap):
                return "", 0, "loss_timeout", "late"
            trip = min(gap, frame.ends[other].rtt) if self.talker is None and self.before.end == other else 0
            return "round_trip", trip, self.thinking(end, client, gap - trip), "late"
        if flying:
            return "", 0, self.waiting(frame, other if before[other].flying else end, gap), "keep"
        if frame.kind == "keep_alive":
            asked = self.owes(client) and self.has_answered(1 - client)
            return "", 0, f"think_{1 - client}" if asked else "idle", "all"
        if frame.kind in ("ack", "syn"):
            return "", 0, "unknown" if gap >= AT_ONCE else "transfer", "keep"
        if self.lost_before(frame, gap):
            return "", 0, "closing", "late"
        return "", 0, self.before_end(end, client, gap), "late"

    def waiting(self, frame: Frame, end: int, gap: int) -> str:
        """Why an end with something in flight does not send more."""
        soon = 4 * gap < max(frame.ends[end].rtt, frame.ends[end].srtt)
        return self.limited(end, "transfer" if soon else "round_trip")

    def limited(self, end: int, otherwise: str) -> str:
        """The window where it keeps this end from sending."""
        assert self.before
        sender = self.before.ends[end]
        return "receive_window" if sender.limited else "unknown" if sender.unscaled else otherwise

    def thinking(self, end: int, client: int, gap: int) -> str:
        """A silence that this end has ended."""
        return "idle" if end == client and (gap >= IDLE or self.kept) else f"think_{end}"

    def before_end(self, end: int, client: int, gap: int) -> str:
        """A silence that this end has ended by closing."""
        if self.talker != end:
            return self.thinking(end, client, gap)
        if end == client and self.owes(client) and (self.has_answered(1 - client) or gap >= LONG):
            return f"think_{1 - client}"
        return "idle" if gap >= LONG else f"think_{end}"

    def lost_before(self, frame: Frame, gap: int) -> bool:
        """IPv4 IDs of a far end tell of packets that were lost, and sent again by a timer."""
        far = frame.ends[1 - frame.end].rtt >= AT_ONCE
        return far and frame.later_id and frame.end not in self.unnumbered and gap >= TIMER

    def going_on(self, frame: Frame, gap: int) -> tuple[str, str]:
        """The cause, where the end that talked last says more, and what becomes of what is pending."""
        assert self.before
        mine, near = self.before.ends[frame.end], frame.ends[1 - frame.end].rtt
        if mine.limited:
            return "receive_window", "at_once"
        longest = near + near // 4 + 2 * MS + min(near, 2 * MS)
        window, segment = frame.ends[1 - frame.end].window, frame.ends[frame.end].segment
        full = max(self.rounds) >= min(window - segment, window - window // 8)
        if near >= AT_ONCE and gap <= longest and full:
            return "unknown" if mine.unscaled else "receive_window", "at_once"
        if 2 * gap < near and 2 * gap <= 3 * self.pace:
            return "transfer", "at_once"
        if self.acked and near:
            elapsed = (ticks(frame.time) - self.acked) % 2**32 * TICK  # since it was allowed to go on, here
            if elapsed < near - near // 4:
                return "transfer", "at_once"
            if elapsed <= longest + self.late // 4:
                return "round_trip", "at_once"
        if self.lost_before(frame, gap):
            return "loss_timeout", "at_once"
        if not self.short and (gap < STALL or gap <= 8 * self.pace):
            return "transfer", "at_once"
        hidden = near >= AT_ONCE and gap >= min(TIMER, 2 * near) and not frame.next_id and not self.short
        if hidden or (not near and not mine.flying):
            return "unknown", "all"
        return "idle" if gap >= IDLE or self.kept else "sender_stall", "all"

    # What a frame changes

    def take(self, frame: Frame, gap: int) -> None:
        """Whose turn it is, at what pace, and what is over."""
        if frame.kind != "syn":
            self.opening = False
        if frame.kind == "rst":
            self.over = True
        elif frame.kind == "data":
            self.over = False
        elif frame.kind == "keep_alive":
            self.kept = True
        self.finished |= frame.fin
        if gap < TIMER and frame.both and not frame.next_id and frame.kind != "syn":
            self.unnumbered.add(frame.end)
        if frame.kind == "data":
            self.hear(frame, gap)
        if frame.kind in ("data", "again"):
            second = frame.time // SECOND
            if not self.seconds or self.seconds[-1][0] != second:  # where the clock steps back, it is another
                self.seconds.append((second, [0, 0]))
            self.seconds[-1][1][frame.end] += frame.length
            self.short = frame.short
        reopened = self.before is not None and self.before.ends[frame.end].closed and not frame.ends[frame.end].closed
        news = reopened or ((frame.advanced or frame.opened) and not self.acked)
        if frame.kind != "syn" and self.talker == 1 - frame.end and news:
            self.acked = ticks(frame.time)

    def hear(self, frame: Frame, gap: int) -> None:
        """A new segment."""
        end = frame.end
        if self.talker != end:
            if self.talker is not None:
                since = max(frame.since, 0)
                if self.answers and self.answers[-1].end == self.talker:
                    self.answers[-1].last = frame.time - since
                self.answers.append(Answer(end, frame.number, since, frame.time - since))
            self.talker, self.message, self.acked, self.pace, self.rounds = end, 0, 0, 0, (0, 0)
        elif gap >= max(AT_ONCE, frame.ends[1 - end].rtt // 4):
            self.acked = 0
        now, near = ticks(frame.time), frame.ends[1 - end].rtt // TICK
        elapsed = (now - self.round) % 2**32
        if self.rounds[0] == 0 or elapsed >= max(near, 1) or 4 * (gap // TICK) >= max(3 * near, 1):
            self.rounds, self.round = (0, self.rounds[0] if elapsed < 4 * near else 0), now
        self.rounds = (self.rounds[0] + frame.length, self.rounds[1])
        self.kept = False
        self.message += frame.length
        if self.answers:
            self.answers[-1].size += frame.length
        if not frame.short and gap < STALL:
            self.pace = self.pace + (min(gap, 8 * self.pace + AT_ONCE) - self.pace >> 3) if self.pace else gap


def ticks(time_ns: int) -> int:
    """Of the time since the epoch, what 32 bits hold."""
    return time_ns // TICK % 2**32


def account(frames: list[Frame]) -> Connection:
    """The account of one connection, up to its last frame that told something."""
    connection = Connection()
    for frame in frames:
        connection.add(frame)
    return connection
