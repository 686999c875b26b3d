"""What the lab knows for sure about a sample goes in, its README.md comes out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .checksum import STATES
from .recording import Facts

_SHOWN = [
    "IpInReceives",
    "IpOutRequests",
    "Ip6InReceives",
    "Ip6OutRequests",
    "IcmpInMsgs",
    "IcmpOutMsgs",
    "IcmpInErrors",
    "IcmpInCsumErrors",
    "UdpInDatagrams",
    "UdpOutDatagrams",
    "UdpInErrors",
    "UdpInCsumErrors",
    "TcpActiveOpens",
    "TcpPassiveOpens",
    "TcpAttemptFails",
    "TcpEstabResets",
    "TcpInSegs",
    "TcpOutSegs",
    "TcpRetransSegs",
    "TcpInErrs",
    "TcpInCsumErrors",
    "TcpOutRsts",
]


def readme(name: str, title: str, body: str, tables: dict[str, Any], facts: Facts) -> str:
    """The README.md of a sample."""
    made_with = tables["recorded_with"]
    return "\n".join(
        [
            f"# {name}: {title.rstrip('.')}",
            "",
            body,
            "",
            "## Topology",
            "",
            *_topology(facts),
            "",
            "## Certain, because the lab did it",
            "",
            *_frames(tables, facts),
            "",
            *_checksums(tables, facts),
            "## Counted by the kernels, first to last snapshot",
            "",
            *_counters(facts),
            "",
            "## Recorded with",
            "",
            f"    python -m samples.lab run {name} --seed {tables['']['seed']}",
            "",
            f"{made_with['kernel']}; {made_with['tcpdump']}.",
            "",
        ]
    )


def _topology(facts: Facts) -> list[str]:
    hosts = list(facts.hosts)
    snaplen = f", {facts.snaplen} bytes of each frame" if facts.snaplen else ""
    captured = f"Captured on each host with `-i {facts.interface}`{snaplen}."
    if facts.link == "cable":
        says = "Each host is a network namespace; a veth pair joins their `eth0`, with nothing in between."
        return [f"    {' --- '.join(hosts)}", "", says, captured]
    cards = [f"The `eth0` of {name} has a card, which completes and cuts frames first." for name in _with_card(facts)]
    says = f"Each host is a network namespace; the relay passes Ethernet frames on, {facts.delay_ms:g} ms later."
    return [f"    {' --- '.join([hosts[0], 'relay', *hosts[1:]])}", "", says, *cards, captured]


def _frames(tables: dict[str, Any], facts: Facts) -> list[str]:
    link = "relay" if facts.link == "relay" else "interface"
    rows = [
        f"| `{host}/` | {tables[f'host.{host}']['frames']} | {tables[f'host.{host}'].get('tcp_frames', '?')} "
        f"| {known.frames_sent} | {known.frames_received} |"
        for host, known in facts.hosts.items()
    ]
    return [
        f"Connections begun: {facts.connections}.",
        "",
        f"| host | frames captured | TCP frames | sent to the {link} | got from the {link} |",
        "|---|---|---|---|---|",
        *rows,
        *(
            f"\nGRO of {host} appended {known.frames_merged} frames to others before they were captured."
            for host, known in facts.hosts.items()
            if known.frames_merged
        ),
        *(_deeds(tables, facts) if facts.link == "relay" else []),
    ]


def _deeds(tables: dict[str, Any], facts: Facts) -> list[str]:
    done = Counter((deed.source, deed.action, deed.segment.kind) for deed in facts.deeds)
    cards = [
        f"* the card of {host} completed {card['completed']} frames; of {card['cut']} among them it made {card['made']}"
        for host, card in ((host, tables[f"card.{host}"]) for host in _with_card(facts))
    ]
    rows = cards + [f"* {action} {kind}, sent by {source}: {count}" for (source, action, kind), count in done.items()]
    return [
        "",
        "What the relay did to frames:",
        "",
        *(rows or ["* nothing but passing them on"]),
        "",
        "All of it, frame by frame, is in `expected.toml`.",
    ]


def _checksums(tables: dict[str, Any], facts: Facts) -> list[str]:
    """A section with the states of the checksums in the captures; nothing where they were not looked at."""
    found = {host: tables[f"checksums.{host}"] for host in facts.hosts if f"checksums.{host}" in tables}
    rows = [
        f"| `{host}/` | {way} | {' | '.join(str(states[f'{way}_{each}']) for each in STATES)} |"
        for host, states in found.items()
        for way in ("sent", "received")
    ]
    heading = ["## Checksums of TCP, UDP and ICMP in the captures", ""]
    return (
        [*heading, f"| host | frames | {' | '.join(STATES)} |", f"|---|---|{'---|' * len(STATES)}", *rows, ""]
        if rows
        else []
    )


def _counters(facts: Facts) -> list[str]:
    hosts = list(facts.hosts)
    moved = dict.fromkeys(counter for known in facts.hosts.values() for counter in known.increments)
    return [
        f"| counter | {' | '.join(hosts)} |",
        f"|---|{'---|' * len(hosts)}",
        *(
            f"| {_emphasised(counter, facts)} | "
            f"{' | '.join(str(facts.hosts[host].increments.get(counter, 0)) for host in hosts)} |"
            for counter in moved
            if counter in _SHOWN or counter in facts.counters or counter.startswith("TcpExt")
        ),
    ]


def _emphasised(counter: str, facts: Facts) -> str:
    """The name of a counter, in bold if the sample is about it."""
    return f"**{counter}**" if counter in facts.counters else counter


def _with_card(facts: Facts) -> list[str]:
    return [host for host, known in facts.hosts.items() if known.card]
