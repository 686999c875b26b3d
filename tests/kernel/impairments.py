"""What may happen to traffic on its way: a source of chance goes in, rules of the relay come out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from samples.lab.frames import FIN, Segment
from samples.lab.impair import NS, Delivery, Rule, corrupt, delay, drop, duplicate, overtake
from samples.lab.mark import mark

MS = 1_000_000
MSS = 1428
"""The least payload of a full segment in these recordings: IPv6 with timestamps."""

__all__ = ["IMPAIRMENTS", "Course"]


@dataclass(frozen=True, slots=True)
class Course:
    """Who sends the data, who acknowledges it, and in pieces of how many bytes it is written."""

    source: str
    other: str
    piece: int


@dataclass(slots=True)
class Positions:
    """Where in its stream each data segment ends; sees all segments of one host."""

    initial: dict[tuple[int, int], int] = field(default_factory=dict)

    def end(self, segment: Segment) -> int:
        """Bytes of the stream up to the end of the segment; 0 for a segment without data."""
        key = (segment.src_port, segment.dst_port)
        if segment.is_syn or segment.is_syn_ack:
            self.initial[key] = segment.seq + 1
        if not segment.is_data or key not in self.initial:
            return 0
        return (segment.seq + segment.payload_len - self.initial[key]) & 0xFFFFFFFF


@dataclass(slots=True)
class Period:
    """A span of time that begins at the `number`-th data segment of `source`."""

    number: int
    length_ns: int
    seen: int = 0
    until_ns: int = 0

    def note(self, segment: Segment) -> bool:
        """Count a segment of the source; whether the period is on."""
        self.seen += segment.is_new_data
        if self.seen >= self.number and not self.until_ns:
            self.until_ns = time.monotonic_ns() + self.length_ns
        return self.on(segment)

    def on(self, segment: Segment) -> bool:
        """Whether the period is on now."""
        return time.monotonic_ns() < self.until_ns

    def hold(self, delivery: Delivery, random: Random) -> list[Delivery]:
        """Deliver when the period is over."""
        return [Delivery(max(delivery.due_ns, self.until_ns), delivery.frame)]


def is_data(segment: Segment) -> bool:
    """Any data segment."""
    return segment.is_data


def is_again(segment: Segment) -> bool:
    """A retransmission of data."""
    return segment.is_data and not segment.is_new


def random_loss(random: Random, course: Course) -> list[Rule]:
    """Each data segment may be lost."""
    return [drop(course.source, is_data, probability=random.uniform(0.005, 0.1))]


def burst_loss(random: Random, course: Course) -> list[Rule]:
    """Neighbours are lost together, once or twice."""
    lost: set[int] = set()
    for _ in range(random.choice([1, 1, 2])):
        first = random.randrange(2, 40)
        lost.update(range(first, first + random.randrange(2, 13)))
    return [drop(course.source, lambda segment: segment.is_new_data, nth=lost)]


def tail_loss(random: Random, course: Course) -> list[Rule]:
    """The last segments of what the application wrote at once are lost, at their first transmission."""
    positions, lost = Positions(), random.choice([1, 1, 2, 3])

    def is_tail(segment: Segment) -> bool:
        end = positions.end(segment)
        return segment.is_new_data and (end - 1) % course.piece >= course.piece - (lost - 1) * MSS - 1

    return [drop(course.source, is_tail, probability=random.choice([0.5, 1.0]))]


def blackout(random: Random, course: Course) -> list[Rule]:
    """Nothing passes for a while: one way or both."""
    period = Period(random.randrange(1, 30), random.randrange(NS // 2, 3 * NS))
    there = Rule("drop", course.source, period.note, lambda delivery, random: [], probability=1.0)
    back = drop(course.other, period.on, probability=1.0)
    # The first counts in any case, and then drops nothing where only the way back is closed.
    count = Rule("pass", course.source, period.note, lambda delivery, random: [delivery], probability=1.0)
    return random.choice([[there], [there, back], [count, back]])


def lost_again(random: Random, course: Course) -> list[Rule]:
    """Data is lost, and then its retransmissions too."""
    first: Rule = random.choice([random_loss, burst_loss])(random, course)[0]
    return [first, drop(course.source, is_again, probability=random.uniform(0.2, 0.6))]


def lost_syn(random: Random, course: Course) -> list[Rule]:
    """The first SYNs are lost."""
    return [drop("client", lambda segment: segment.is_syn, nth=range(1, random.choice([2, 2, 3])))]


def lost_syn_ack(random: Random, course: Course) -> list[Rule]:
    """The first SYN-ACKs are lost, or the ACK behind them."""
    if random.random() < 0.3:
        return [drop("client", lambda segment: segment.is_pure_ack, nth={1})]
    return [drop("server", lambda segment: segment.is_syn_ack, nth=range(1, random.choice([2, 2, 3])))]


def lost_fin(random: Random, course: Course) -> list[Rule]:
    """A FIN is lost at one end or at both, perhaps several times."""
    ends = random.choice([["client"], ["server"], ["client", "server"]])
    return [
        drop(end, lambda segment: bool(segment.flags & FIN), nth=range(1, random.choice([2, 2, 4]))) for end in ends
    ]


def reorder(random: Random, course: Course) -> list[Rule]:
    """Data comes some milliseconds late, or behind what was sent after it."""
    probability = random.uniform(0.01, 0.1)
    if random.random() < 0.5:
        return [overtake(course.source, is_data, random.randrange(1, 6), probability=probability)]
    return [delay(course.source, is_data, random.randrange(1 * MS, 15 * MS), probability=probability)]


def duplication(random: Random, course: Course) -> list[Rule]:
    """The network delivers data, and perhaps acknowledgments, twice."""
    after_ns = random.choice([0, 0, 1 * MS, 5 * MS])
    rules = [duplicate(course.source, is_data, probability=random.uniform(0.01, 0.15), after_ns=after_ns)]
    if random.random() < 0.3:
        rules.append(duplicate(course.other, lambda segment: segment.is_pure_ack, probability=0.1))
    return rules


def ack_loss(random: Random, course: Course) -> list[Rule]:
    """Acknowledgments are lost."""
    return [drop(course.other, lambda segment: segment.is_pure_ack, probability=random.uniform(0.1, 0.7))]


def delay_jump(random: Random, course: Course) -> list[Rule]:
    """The network stands still for a while and then delivers everything: timers expire for nothing."""
    period = Period(random.randrange(1, 30), random.randrange(NS * 3 // 10, NS))
    if random.random() < 0.5:
        return [Rule("delay", course.source, period.note, period.hold, probability=1.0)]
    count = Rule("pass", course.source, period.note, lambda delivery, random: [delivery], probability=1.0)
    return [count, Rule("delay", course.other, period.on, period.hold, probability=1.0)]


def marks(random: Random, course: Course) -> list[Rule]:
    """A router marks packets of both ends, data or not, where it might have dropped them."""
    share = random.uniform(0.02, 0.3)
    return [mark(end, lambda segment: not segment.is_syn, probability=share) for end in (course.source, course.other)]


def corruption(random: Random, course: Course) -> list[Rule]:
    """Some data comes with a flipped bit."""
    return [corrupt(course.source, is_data, probability=random.uniform(0.01, 0.1))]


def nothing(random: Random, course: Course) -> list[Rule]:
    """All goes well."""
    return []


IMPAIRMENTS: dict[str, Callable[[Random, Course], list[Rule]]] = {
    each.__name__: each
    for each in (
        random_loss, burst_loss, tail_loss, blackout, lost_again, lost_syn, lost_syn_ack, lost_fin, reorder, duplication,
        ack_loss, delay_jump, marks, corruption, nothing,
    )
}  # fmt: skip
