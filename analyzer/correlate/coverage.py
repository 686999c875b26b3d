"""How much of the host's traffic the capture holds, when, and why not all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from analyzer.correlate.compared import Compared
from analyzer.correlate.facts import Facts
from analyzer.correlate.observed import Observed
from analyzer.fields import of_fields

# Every packet moves one of these: they tell how much of the host's traffic the capture holds.
COVERING = (
    "IpInReceives", "Ip6InReceives", "TcpInSegs", "TcpOutSegs", "UdpInDatagrams", "UdpOutDatagrams", "IpOutRequests",
    "Ip6OutRequests", "IpOutTransmits", "Ip6OutTransmits",
)  # fmt: skip
# What each packet moves whatever was before it: by how names begin; what a connection moves once at most.
STATELESS = ("Ip", "Icmp", "Udp", "TcpOutRsts", "TcpInCsumErrors")
ONCE = ("TcpEstabResets", "TcpAttemptFails", "TcpActiveOpens", "TcpPassiveOpens", "TcpExtTW", "TcpExtTCPAbort")
OUTSTANDING = (
    64  # segments under way on a connection that the capture found open, or whatever was before the first snapshot
)
# What numbers and flags of the host's own segments show, without options: these decide of one at most, as how large it may be.
OWN = ("TcpRetransSegs", "TcpExtTCPOrigDataSent", "TcpExtTCPSynRetrans")
TWICE = (0.49, 0.51)  # surplus where each frame was captured twice
RECEIVED = ("IpInReceives", "Ip6InReceives")
SENT = ("IpOut", "Ip6Out", "TcpOut", "UdpOut")
OTHER_HOST = "another host or network namespace, or frames captured twice"
DROPPED = "IP received it, and it was dropped before it was delivered: a firewall, or a full buffer"
PAST_THE_STACK = "it was sent past the host's stack, by a packet socket or a firewall"
OUTSIDE = "the capture does not cover this time"
FILTERED = (
    "it holds ICMP messages about packets that it does not hold: a filter left these out, or it began between the two"
)
CUT_HEADERS = "the options of some segments are not in the capture (snaplen)"
BEGUN_BEFORE = "connections that began before the capture are known in part"

Mask = npt.NDArray[np.bool_]


@of_fields(frozen=True, slots=True)
class Coverage:
    """How much of the host's traffic the capture holds, by the counters that every packet moves.

    Attributes
    ----------
    share : packets captured per packet counted, at most 1
    surplus : those captured and not counted, per packet captured. A capture of this host alone, with nothing lost, has 1 and 0
    counter : the counter that shows the share, or else the surplus
    time_share : how much of the time of the snapshots is compared; the rest lies outside of the capture
    counted : whether there was such a counter, and it moved
    causes : what the capture file and host.json tell of what may be missing
    contradictions : what cannot be, were this a capture of all of the host's traffic
    losing : whether the file itself says that it does not hold everything
    received : whether IP counted all that was captured
    chosen : that only a part of the capture was asked for, in words; empty where all was
    """

    share: float = 1.0
    surplus: float = 0.0
    counter: str = ""
    time_share: float = 1.0
    counted: bool = False
    causes: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()
    losing: bool = False
    received: bool = False
    chosen: str = ""

    @property
    def complete(self) -> bool:
        """May the capture be taken for all that the host sent and received, while it ran?"""
        whole = self.share == 1.0 and self.surplus == 0.0 and self.time_share > 0
        return whole and not self.chosen and (self.counted or not self.losing)

    @property
    def reason(self) -> str:
        """Why it may not."""
        if self.time_share == 0:
            return "the snapshots lie outside of the capture's time"
        if self.chosen:
            return self.chosen
        if self.share < 1:
            return f"the capture holds {_percent(self.share)} of what the host counted ({self.counter})"
        if self.surplus > 0:
            sent = PAST_THE_STACK if self.counter.startswith(SENT) else DROPPED
            why = sent if self.received else OTHER_HOST
            return f"{_percent(self.surplus)} of what was captured the host did not count ({self.counter}): {why}"
        return "" if self.complete else self.causes[0]

    def sentences(self) -> Iterator[str]:
        """All that is to be said of it, most important first."""
        if 0 < self.time_share < 1:
            yield f"the capture covers {_percent(self.time_share)} of the snapshots' time, and only that is compared"
        if not self.complete:
            yield self.reason
            yield from (each for each in self.causes if each != self.reason and self.share < 1)
        yield from self.contradictions


def doubt(name: str, facts: Facts, late: bool) -> int:
    """By how much, at most, connections from before the capture may move a counter otherwise than it seems; `late`: it began after the snapshots."""
    before = OUTSTANDING if late else 0
    if name.startswith(ONCE):
        return before + facts.begun_before + (facts.cut_headers if name != "TcpActiveOpens" else 0)
    unseen = OUTSTANDING * facts.begun_before if name.startswith("TcpExtTCPDelivered") else 0
    return before + facts.before_segments + facts.cut_headers * (1 if name in OWN else OUTSTANDING) + unseen


def needs_beginning(name: str) -> bool:
    """Does a counter depend on what connections did before?"""
    return not name.startswith(STATELESS) and name not in COVERING


def inside(observed: Observed, facts: Facts, more: Mask) -> Mask:
    """The intervals that the capture covers. `more`: those in which the host counted more than was captured.

    The first frame tells only when traffic began; the capture itself may have begun before. So an interval without traffic
    is covered, and one with traffic before the first frame shows that the capture began later.
    """
    covered = np.ones(len(observed), np.bool_)
    if not facts.first_ns:
        return covered
    before = more & (observed.ends < facts.first_ns)
    after = more & (observed.starts > facts.last_ns)
    if before.any():
        late = more & (observed.starts < facts.first_ns)
        covered[: np.flatnonzero(late)[-1] + 1] = False
    if after.any():
        early = more & (observed.ends > facts.last_ns)
        covered[np.flatnonzero(early)[0] :] = False
    return covered


def more_than_captured(observed: Observed, compared: Callable[[str], tuple[npt.NDArray[np.int64], ...]]) -> Mask:
    """The intervals in which a covering counter moved by more than the packets say; `compared` gives observed, low and high."""
    found = np.zeros(len(observed), np.bool_)
    for name in COVERING:
        moved, _, high = compared(name)
        found |= moved > high
    return found


def assess(
    whole: Iterable[Compared], facts: Facts, time_share: float, repeats: Compared | None, filtered: bool = False
) -> Coverage:
    """The coverage by the covering counters over the whole time; `repeats` is what was found of TcpRetransSegs.

    `filtered` : whether there are answers to packets that were not captured
    """
    share, surplus, shown, counted = 1.0, 0.0, "", 0
    judged = list(whole)
    for found in judged:
        counted += found.observed
        if found.observed > found.high:
            part = max(found.high, 0) / found.observed
            shown, share = (found.counter, part) if part < share else (shown, share)
    for found in judged:
        if found.observed < found.low:
            part = (found.low - found.observed) / found.low
            if part > surplus:
                surplus = part
                shown = shown if share < 1 else found.counter
    contradictions = tuple(_contradictions(judged, repeats))
    received = any(each.counter in RECEIVED and each.observed for each in judged) and not any(
        each.counter in RECEIVED and each.observed < each.low for each in judged
    )
    causes = (*((FILTERED,) if filtered else ()), *facts.causes())
    return Coverage(
        share,
        surplus,
        shown,
        time_share,
        counted > 0,
        causes,
        contradictions,
        facts.losing or filtered,
        received,
        facts.part,
    )


def _contradictions(judged: list[Compared], repeats: Compared | None) -> Iterator[str]:
    """What captured packets and counters say against each other."""
    captured = sum(each.low for each in judged)
    if captured > 0 and not any(each.observed for each in judged):
        packets = max(each.low for each in judged)
        yield f"at least {packets:,} packets of the host's addresses were captured, and its counters stand still: another host or network namespace"
        return
    moving = [each for each in judged if each.low > 1]
    surpluses = [(each.low - each.observed) / each.low for each in moving]
    if moving and all(TWICE[0] <= each <= TWICE[1] for each in surpluses):
        yield "the host counted half of what was captured: every frame seems to have been captured twice"
    if repeats is not None and repeats.observed == 0 and repeats.low > 0:
        yield f"retransmissions of the host were captured ({repeats.low:,}), and TcpRetransSegs stays 0: {OTHER_HOST}"


def _percent(share: float) -> str:
    """Never 100 % for what is not all, nor 0 % for what is some."""
    if 0 < share < 0.001:
        return "less than 0.1%"
    return f"{min(share, 0.999):.1%}" if share < 1 else "100%"
