"""Which headers tshark has found in a frame, as `frame.protocols` lists them."""

from __future__ import annotations

from functools import lru_cache

from analyzer.fields import of_fields

TRANSPORTS = {6: "tcp", 17: "udp", 1: "icmp", 58: "icmpv6"}


@of_fields(frozen=True)
class Shape:
    """The headers that tshark names, without those that an ICMP error quotes."""

    link: tuple[str, ...]  # before the first IP header, label, or PPP
    versions: tuple[int, ...]  # of the IP headers
    transport: str  # behind the last IP header, if it is one that is decoded
    transports: int  # how many of it there are; the last one counts
    protocols: tuple[str, ...]


@lru_cache(maxsize=10_000)
def shape_of(text: str) -> Shape:
    """Parse `frame.protocols`."""
    names = text.split(":")
    quoting = min((names.index(name) for name in ("icmp", "icmpv6") if name in names), default=len(names))
    names = names[: quoting + 1]
    headers = [place for place, name in enumerate(names) if name in ("ip", "ipv6")]
    ends = [place for place, name in enumerate(names) if name in ("ip", "ipv6", "mpls", "pppoes", "ppp")]
    behind = names[headers[-1] :] if headers else []
    transport = next((name for name in behind if name in TRANSPORTS.values()), "")
    return Shape(
        tuple(names[: min(ends, default=len(names))]),
        tuple(4 if names[place] == "ip" else 6 for place in headers),
        transport,
        names.count(transport),
        tuple(names),
    )
