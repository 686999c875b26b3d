"""What happens to frames on the way: rules and frames go in, frames with the time of their delivery come out.

Nothing here touches the network, so everything can be tested with bytes and numbers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from .frames import RST, Segment, parse
from .tap import HEADER_LEN

Predicate = Callable[[Segment], bool]
NS = 1_000_000_000
_HOLD_LIMIT_NS = NS // 5
"""A frame that waits to be overtaken goes out after this time even if nothing came to overtake it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame with its virtio header, due at a time of the monotonic clock, after `behind` more frames of its sender."""

    due_ns: int
    frame: bytes
    behind: int = 0
    is_copy: bool = False


Effect = Callable[[Delivery, Random], list[Delivery]]


@dataclass(frozen=True, slots=True)
class Rule:
    """An effect on some of the frames that the host `source` sends.

    Among the frames for which `when` holds, counted from 1, it strikes those numbered in `nth`; without `nth`,
    each with `probability`.
    """

    action: str
    source: str
    when: Predicate
    effect: Effect
    nth: Collection[int] = ()
    probability: float = 0.0

    def strikes(self, number: int, random: Random) -> bool:
        """Whether the frame with this number among the matching ones is hit."""
        return number in self.nth if self.nth else random.random() < self.probability


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing the relay did to one frame: the `number`-th that the host `source` sent."""

    action: str
    source: str
    number: int
    segment: Segment


def drop(source: str, when: Predicate, nth: Collection[int] = (), probability: float = 0.0) -> Rule:
    """Lose the frame."""
    return Rule("drop", source, when, lambda delivery, random: [], nth, probability)


def duplicate(
    source: str, when: Predicate, nth: Collection[int] = (), probability: float = 0.0, after_ns: int = 0
) -> Rule:
    """Deliver the frame a second time, `after_ns` later; several rules for one frame make a copy each."""

    def effect(delivery: Delivery, random: Random) -> list[Delivery]:
        if delivery.is_copy:
            return [delivery]
        return [delivery, replace(delivery, due_ns=delivery.due_ns + after_ns, is_copy=True)]

    return Rule("duplicate", source, when, effect, nth, probability)


def delay(source: str, when: Predicate, extra_ns: int, nth: Collection[int] = (), probability: float = 0.0) -> Rule:
    """Deliver the frame later than the others."""

    def effect(delivery: Delivery, random: Random) -> list[Delivery]:
        return [replace(delivery, due_ns=delivery.due_ns + extra_ns)]

    return Rule("delay", source, when, effect, nth, probability)


def overtake(source: str, when: Predicate, by: int, nth: Collection[int] = (), probability: float = 0.0) -> Rule:
    """Deliver the frame right after the `by` next frames of the same host, however fast those come."""

    def effect(delivery: Delivery, random: Random) -> list[Delivery]:
        return [replace(delivery, behind=by)]

    return Rule("overtake", source, when, effect, nth, probability)


def corrupt(
    source: str, when: Predicate, nth: Collection[int] = (), probability: float = 0.0, bits: int = 1, tail: int = 16
) -> Rule:
    """Flip `bits` different bits among the last `tail` bytes, where no address or length is."""

    def effect(delivery: Delivery, random: Random) -> list[Delivery]:
        frame = bytearray(delivery.frame)
        start = max(HEADER_LEN, len(frame) - tail) * 8
        for bit in random.sample(range(start, len(frame) * 8), bits):
            frame[bit // 8] ^= 0x80 >> bit % 8
        return [replace(delivery, frame=bytes(frame))]

    return Rule("corrupt", source, when, effect, nth, probability)


class Tracker:
    """Remembers per direction how far a sender got, and which connections were begun."""

    def __init__(self) -> None:
        self._next_seq: dict[tuple[bytes, int, bytes, int], int] = {}
        self.connections: set[tuple[bytes, int, bytes, int, int]] = set()

    def look(self, segment: Segment) -> Segment:
        """The segment with `is_new` filled in."""
        key = (segment.src, segment.src_port, segment.dst, segment.dst_port)
        if segment.is_syn:
            self.connections.add((*key, segment.seq))
        if segment.is_syn or segment.is_syn_ack:
            self._next_seq[key] = (segment.seq + 1) & 0xFFFFFFFF
            return segment
        if not segment.is_data or segment.flags & RST:
            return segment
        end = (segment.seq + segment.payload_len) & 0xFFFFFFFF
        # Serial arithmetic of RFC 1982: ahead by less than half the circle is later.
        is_new = 0 < (end - self._next_seq.get(key, segment.seq)) & 0xFFFFFFFF < 1 << 31
        if is_new:
            self._next_seq[key] = end
        return replace(segment, is_new=is_new)


@dataclass(slots=True)
class Impairer:
    """Applies a constant delay and the rules, in their order, and remembers each deed."""

    rules: Sequence[Rule] = ()
    delay_ns: int = 0
    seed: int = 1
    deeds: list[Deed] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tracker: Tracker = field(default_factory=Tracker)
    _random: Random = field(init=False)
    _matched: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _held: dict[str, list[Delivery]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._random = Random(self.seed)

    def begin(self) -> None:
        """Number frames and remember deeds from here on, as the captures do that begin now; what was sent before still counts for the rules."""
        self.sent.clear()
        self.deeds.clear()
        self.tracker.connections.clear()

    def process(self, now_ns: int, source: str, frame: bytes) -> list[Delivery]:
        """The deliveries that follow from a frame which `source` sent now."""
        self.sent[source] += 1
        segment = self.tracker.look(parse(frame[HEADER_LEN:]))
        deliveries = [Delivery(now_ns + self.delay_ns, frame)]
        for index, rule in enumerate(self.rules):
            if rule.source != source or not rule.when(segment):
                continue
            self._matched[index] += 1
            if rule.strikes(self._matched[index], self._random):
                self.deeds.append(Deed(rule.action, source, self.sent[source], segment))
                deliveries = [new for old in deliveries for new in rule.effect(old, self._random)]
        overtaken = self._overtaken(source, now_ns + self.delay_ns)
        self._held[source] += [each for each in deliveries if each.behind]
        return [each for each in deliveries if not each.behind] + overtaken

    def expired(self, now_ns: int) -> list[Delivery]:
        """Held frames which nothing overtook in time."""
        late = []
        for source, held in self._held.items():
            late += [each for each in held if each.due_ns + _HOLD_LIMIT_NS <= now_ns]
            self._held[source] = [each for each in held if each.due_ns + _HOLD_LIMIT_NS > now_ns]
        return late

    def _overtaken(self, source: str, due_ns: int) -> list[Delivery]:
        waiting = [replace(each, behind=each.behind - 1) for each in self._held[source]]
        self._held[source] = [each for each in waiting if each.behind]
        return [replace(each, due_ns=due_ns) for each in waiting if not each.behind]
