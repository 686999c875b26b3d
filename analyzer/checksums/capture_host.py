"""Which host took the capture: every sign that the packets, the link layer and the bundle give, weighed.

A sign speaks for an address with a weight below 1; several multiply what doubt they leave. Two hosts of one conversation
can both have taken the capture only where it is known (loopback, host.json, several captures merged).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

import numpy as np

from analyzer.checksums.state import BAD, PARTIAL, VALID, ZERO
from analyzer.fields import of_fields
from analyzer.schema import Rows, address_text

SURE, LIKELY = 0.9, 0.5
NEARLY_ALL = 0.9
ENOUGH = 3  # frames
INITIAL_TTLS = (64, 128, 255)
NEAR_NS = 100_000  # how fast a host answers what was captured on it; over a wire it takes longer
MUCH_NEARER, NEARER = 5.0, 2.5
HOPS = 32  # that few routers are passed: a TTL this close below a first one was routed
ICMP = (1, 58)  # always finished, card or not

GIVEN, RECORDED, DIRECTION, LOOPBACK, OFFLOAD, MERGED = 1.0, 0.999, 0.99, 0.99, 0.95, 0.6
UNPADDED, NEAR, NEARBY, FIRST_HOP = 0.9, 0.8, 0.5, 0.3

_STATES = ("valid", "partial", "zero", "bad")
_SUMS: tuple[str, ...] = ("frames", *_STATES, "out", "into", "short", "padded")
_OF_SENDER = ("ttl_min", "ttl_max", "bare_partial", "bare_valid", "bad_super", "followed", "acknowledged")


@of_fields(slots=True)
class Endpoint:
    """What an address sent and received, over all its directions."""

    address: str
    peers: set[str] = field(default_factory=set)
    sent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMS, 0))
    received: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_SUMS, 0))
    ttl_min: int = 255
    ttl_max: int = 0
    bare_partial: int = 0  # of what it sent and nobody merged: TCP without data, and all that is not TCP
    bare_valid: int = 0
    got_partial: int = 0  # the same of what it received
    got_valid: int = 0
    large_wrong: int = 0  # wrong ones above the MTU, larger than all right ones
    followed: int = 0  # wrong segments whose fate was watched, and those of them that were acknowledged
    acknowledged: int = 0
    steady: int = 0  # wrong ones that are off by the same amount as the others of their direction
    signs: list[tuple[float, str]] = field(default_factory=list)

    @property
    def confidence(self) -> float:
        """How sure the signs are, 0..1."""
        doubt = 1.0
        for weight, _ in self.signs:
            doubt *= 1 - weight
        return 1 - doubt


@of_fields(frozen=True, slots=True)
class CaptureHost:
    """An address of the host that took the capture, how sure that is (0..1), and why."""

    address: str
    confidence: float
    evidence: tuple[str, ...]


def capture_hosts(
    directions: Rows,
    flows: Rows,
    recorded: Mapping[str, str] | None = None,
    given: Sequence[str] = (),
) -> list[CaptureHost]:
    """The addresses whose host probably took the capture, surest first; empty where nothing tells.

    Parameters
    ----------
    directions : state.DIRECTION rows of a Checker
    flows : rows of `flows`, those whose round-trip times are to be believed
    recorded : addresses of the bundle's host, and which file says so
    given : addresses that the user named; nothing else counts then
    """
    if given:
        return [CaptureHost(address, GIVEN, ("named with --host",)) for address in given]
    ends = endpoints(directions[directions["outer"] == 0])
    for address, path in (recorded or {}).items():
        if address in ends:
            ends[address].signs.append((RECORDED, f"{path} lists it"))
    times = _response_times(flows)
    typical = {address: _answer_times(pairs) for address, pairs in times.items()}
    crossed = any(end.sent["into"] and end.sent["out"] for end in ends.values())  # seen on two interfaces
    for end in ends.values():
        end.signs += _signs(end, crossed, not recorded or end.address in recorded)
        if not _is_elsewhere(end):
            end.signs += _padding(end, ends)
            end.signs += _hops(end, ends)
            end.signs += _merging(end, ends, typical)
            end.signs += _nearness(end, times, typical)
    return _chosen(ends)


def endpoints(directions: Rows) -> dict[str, Endpoint]:
    """The addresses of all directions."""
    found: dict[str, Endpoint] = {}
    states = directions["states"]
    wrong = states[:, BAD] + states[:, ZERO]
    alike = directions["offset_frames"].max(axis=1, initial=0)
    steady = np.where(alike >= np.maximum(ENOUGH, NEARLY_ALL * wrong), alike, 0)
    sums = (
        directions["frames"], *(states[:, state] for state in (VALID, PARTIAL, ZERO, BAD)),
        *(directions[name] for name in ("out", "into", "short", "padded")),
    )  # fmt: skip
    counts = zip(*(column.tolist() for column in sums), strict=True)
    ends = zip(addresses(directions, "src"), addresses(directions, "dst"), strict=True)
    is_transport = (~np.isin(directions["proto"], ICMP)).tolist()
    columns = [directions[name].tolist() for name in _OF_SENDER] + [steady.tolist()]
    for (src, dst), row, has_offload, own in zip(ends, counts, is_transport, zip(*columns, strict=True), strict=True):
        sender, receiver = found.setdefault(src, Endpoint(src)), found.setdefault(dst, Endpoint(dst))
        sender.peers.add(dst)
        receiver.peers.add(src)
        for name, count in zip(_SUMS, row, strict=True):
            if count and (has_offload or name not in _STATES):
                sender.sent[name] += count
                receiver.received[name] += count
        ttl_min, ttl_max, bare_partial, bare_valid, large_wrong, followed, acknowledged, same = own
        sender.ttl_min, sender.ttl_max = min(sender.ttl_min, ttl_min), max(sender.ttl_max, ttl_max)
        if has_offload:
            sender.bare_partial += bare_partial
            sender.bare_valid += bare_valid
            receiver.got_partial += bare_partial
            receiver.got_valid += bare_valid
            sender.large_wrong += large_wrong
            sender.followed += followed
            sender.acknowledged += acknowledged
            sender.steady += same
    return found


def addresses(rows: Rows | Mapping[str, Rows], side: str, version: str = "version") -> list[str]:
    """The address of that side of each row, where `version` tells of which sort; each is written once."""
    keys = list(zip(*(rows[name].tolist() for name in (f"{side}_hi", f"{side}_lo", version)), strict=True))
    texts = {key: address_text(*key) for key in set(keys)}
    return [texts[key] for key in keys]


def share(counts: Mapping[str, int], *names: str) -> float:
    """Part of the frames with a verdict that has one of these; 0 where there are none."""
    total = verified(counts)
    return sum(counts[name] for name in names) / total if total else 0.0


def verified(counts: Mapping[str, int]) -> int:
    """Frames with a verdict."""
    return sum(counts[name] for name in _STATES)


def _signs(end: Endpoint, crossed: bool, is_possible: bool) -> Iterator[tuple[float, str]]:
    """What speaks for one address by what it sent and received itself.

    What arrives may be for others (a router forwards it, a host throws it away), so an address that is not among those
    recorded of the host is not possible by that alone.
    """
    sent, received = end.sent, end.received
    if _is_loopback(end.address):
        yield LOOPBACK, "a loopback address"
    elif end.address in end.peers and sent["partial"]:
        yield LOOPBACK, "it talks with itself, and nobody finishes its checksums"
    forwarded = _is_routed(end.ttl_max) and not crossed  # unless its address was given to what it forwards (NAT)
    # Who has no address yet sends from `::` or 0.0.0.0, which is nobody's; what is sent to a group arrives at many.
    is_its_own = not sent["into"] and not forwarded and _is_unicast(end.address)
    if is_its_own and sent["out"]:
        yield DIRECTION, f"the link layer marks what it sent as outgoing ({sent['out']:,} frames)"
    elif is_its_own and is_possible and received["into"] and not received["out"]:
        yield LIKELY, f"the link layer marks what it received as incoming ({received['into']:,} frames)"
    if sent["into"] or received["out"]:  # it is somewhere behind the interface
        return
    unfinished = share(sent, "partial", "zero", "bad")
    if (
        unfinished >= NEARLY_ALL
        and share(received, "valid") >= NEARLY_ALL
        and (end.bare_partial or sent["partial"] < sent["zero"] + sent["bad"])
        and verified(sent) >= ENOUGH
        and not _is_refused(end)
    ):
        yield OFFLOAD, f"{unfinished:.0%} of what it sent has no finished checksum, what it received has"


def _is_elsewhere(end: Endpoint) -> bool:
    """Did what it sent pass a wire, a router or another interface before it was captured?"""
    sent, received = end.sent, end.received
    return bool(sent["into"] or received["out"] or sent["padded"] or _is_routed(end.ttl_max) or _is_routed(end.ttl_min))


def _is_refused(end: Endpoint) -> bool:
    """Is what it sent wrong rather than unfinished: never acknowledged, or rewritten on the way?"""
    wrong = end.sent["zero"] + end.sent["bad"]
    return wrong > end.sent["partial"] and not end.acknowledged and (end.followed > 0 or end.steady > wrong // 2)


def _is_routed(ttl: int) -> bool:
    """Did a packet with this TTL pass routers?"""
    return any(0 < first - ttl < HOPS for first in INITIAL_TTLS)


def _padding(end: Endpoint, ends: Mapping[str, Endpoint]) -> Iterator[tuple[float, str]]:
    """Short frames are filled up on their way out, after the capture saw them."""
    others = [ends[peer] for peer in end.peers if peer != end.address]
    if end.sent["short"]:
        padded, short = sum(peer.sent["padded"] for peer in others), sum(peer.sent["short"] for peer in others)
        if padded and not short:
            yield (
                UNPADDED,
                f"{end.sent['short']:,} of its frames are shorter than Ethernet allows, those it received are padded",
            )


def _hops(end: Endpoint, ends: Mapping[str, Endpoint]) -> Iterator[tuple[float, str]]:
    """No router lies between it and the capture, but between its peers and the capture."""
    senders = [ends[peer] for peer in end.peers if peer != end.address and ends[peer].sent["frames"]]
    untouched = end.ttl_min == end.ttl_max and end.ttl_min in INITIAL_TTLS
    if untouched and senders and all(peer.ttl_max not in INITIAL_TTLS for peer in senders):
        yield FIRST_HOP, f"its packets still have their first TTL ({end.ttl_min}), those of its peers do not"


def _merging(end: Endpoint, ends: Mapping[str, Endpoint], typical: _Typical) -> Iterator[tuple[float, str]]:
    """What comes in merged was merged where it was captured, and that is seldom a router."""
    if end.address in typical and typical[end.address][0] > NEAR_NS:
        return
    for peer in (ends[name] for name in sorted(end.peers) if name != end.address):
        if peer.bare_partial or peer.bare_valid < ENOUGH:
            continue
        if peer.sent["partial"]:
            yield MERGED, f"what {peer.address} sent came merged (GRO): only packets with data are unfinished"
            return
        if peer.large_wrong and peer.large_wrong == peer.sent["bad"] + peer.sent["zero"]:
            yield MERGED, f"what {peer.address} sent came merged (LRO): only packets above the MTU are wrong"
            return


_Times = Mapping[str, list[tuple[float, float]]]
_Typical = Mapping[str, tuple[float, float]]


def _response_times(flows: Rows) -> _Times:
    """Per address: (its own answer time, that of its peer) for each connection that has both, in ns."""
    found: dict[str, list[tuple[float, float]]] = {}
    # The RTT of the client's data is how long the server side takes to answer, from here.
    of_server, of_client, opening = (
        flows[name].astype(float) for name in ("client_rtt_min_ns", "server_rtt_min_ns", "handshake_rtt_ns")
    )
    # Above, its acknowledgments were delayed.
    of_client = np.where((of_client < 0) & (opening >= of_server) & (of_server >= 0), opening - of_server, of_client)
    told = (of_server >= 0) & (of_client >= 0)
    clients, servers = (
        addresses({name: flows[name][told] for name in (f"{side}_hi", f"{side}_lo", "ip_version")}, side, "ip_version")
        for side in ("client", "server")
    )
    times = of_client[told].tolist(), of_server[told].tolist()
    for client, server, here, there in zip(clients, servers, *times, strict=True):
        found.setdefault(client, []).append((here, there))
        found.setdefault(server, []).append((there, here))
    return found


def _answer_times(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """How long an address takes to answer, and how long its peers take, over its connections: the medians."""
    own, theirs = (sorted(side) for side in zip(*pairs, strict=True))
    low, high = (len(pairs) - 1) // 2, len(pairs) // 2
    return (own[low] + own[high]) / 2, (theirs[low] + theirs[high]) / 2


def _nearness(end: Endpoint, times: _Times, typical: _Typical) -> Iterator[tuple[float, str]]:
    """An address that answers at once while its peers take time is here."""
    if end.address not in times:
        return
    own, theirs = typical[end.address]
    pairs = times[end.address]
    against = sum(its < min(mine, NEAR_NS) for mine, its in pairs) / len(pairs)  # the peer was there, and at once
    if own >= theirs or own > NEAR_NS or against > 1 - NEARLY_ALL:
        return
    ratio = theirs / max(own, 1.0)
    text = f"it answers after {own / 1000:,.0f} us, its peers after {theirs / 1000:,.0f} us"
    if ratio >= MUCH_NEARER:
        yield NEAR, text
    elif ratio >= NEARER:
        yield NEARBY, text


def _chosen(ends: Mapping[str, Endpoint]) -> list[CaptureHost]:
    """The addresses that are likely; of two that talk with each other the less likely one must be known for certain."""
    found = []
    for end in ends.values():
        confidence = end.confidence
        for peer in end.peers:
            rival = ends[peer].confidence if peer != end.address else 0.0
            if confidence < DIRECTION and rival > confidence:
                confidence *= 1 - rival
            elif rival < DIRECTION and rival > LIKELY and confidence < DIRECTION:
                confidence *= 1 - rival / 2
        if confidence >= LIKELY:
            found.append(CaptureHost(end.address, round(confidence, 3), tuple(text for _, text in end.signs)))
    return sorted(found, key=lambda host: (-host.confidence, host.address))


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _is_unicast(address: str) -> bool:
    import ipaddress

    parsed = ipaddress.ip_address(address)
    return not parsed.is_multicast and not parsed.is_unspecified and address != "255.255.255.255"
