"""The two files about a sample: what the lab knows for sure goes in, expected.toml and README.md come out."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import tools
from .recording import Facts, HostFacts

_SHOWN = [
    "IpInReceives",
    "IpOutRequests",
    "Ip6InReceives",
    "Ip6OutRequests",
    "IcmpInMsgs",
    "IcmpOutMsgs",
    "UdpInDatagrams",
    "UdpOutDatagrams",
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

_PAST = {
    "drop": "dropped",
    "duplicate": "duplicated",
    "delay": "delayed",
    "overtake": "overtaken",
    "corrupt": "corrupted",
}
"""What became of a frame, by action."""


def count_frames(capture: Path, display_filter: str = "frame") -> int | None:
    """How many frames tshark finds; None without tshark."""
    if shutil.which("tshark") is None:
        return None
    command = ["tshark", "-n", "-r", str(capture), "-Y", display_filter, "-T", "fields", "-e", "frame.number"]
    return len(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def expected(name: str, seed: int, facts: Facts, folder: Path) -> dict[str, Any]:
    """The content of expected.toml: tables by their dotted names, lists of tables as lists."""
    tables: dict[str, Any] = {
        "": {
            "sample": name,
            "seed": seed,
            "connections": facts.connections,
            "interface": facts.interface,
            "snaplen": facts.snaplen,
            "delay_ms": facts.delay_ms,
        },
        "recorded_with": {
            "kernel": tools.kernel(),
            "tcpdump": tools.version("tcpdump", "--version"),
            "tshark": tools.version("tshark", "--version"),
        },
    }
    for host, known in facts.hosts.items():
        capture = folder / host / "capture.pcap"
        tables[f"host.{host}"] = _without_none(
            {"frames": known.tcpdump["captured"], "tcp_frames": count_frames(capture, "tcp")}
        )
        tables[f"host.{host}.tcpdump"] = known.tcpdump
        tables[f"relay.{host}"] = _relay_table(host, known, facts)
    tables["deed"] = [
        {
            "action": deed.action,
            "source": deed.source,
            "number": deed.number,
            "kind": deed.segment.kind,
            **_fields(asdict(deed.segment)),
        }
        for deed in facts.deeds
    ]
    return tables


def _relay_table(host: str, known: HostFacts, facts: Facts) -> dict[str, int]:
    """What the relay did to the frames that this host sent; the names are past participles, all frames and data."""
    deeds = [deed for deed in facts.deeds if deed.source == host]
    numbers = {"sent": known.frames_sent, "received": known.frames_received}
    for action, word in _PAST.items():
        mine = [deed for deed in deeds if deed.action == action]
        numbers[word] = len(mine)
        numbers[f"{word}_data"] = sum(deed.segment.is_data for deed in mine)
    return numbers


def _fields(segment: dict[str, Any]) -> dict[str, int]:
    return {name: segment[name] for name in ("src_port", "dst_port", "seq", "ack", "payload_len")}


def _without_none(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if value is not None}


def to_toml(tables: dict[str, Any]) -> str:
    """TOML of tables by dotted name; the standard library reads TOML but does not write it."""
    blocks = []
    for name, content in tables.items():
        for table in content if isinstance(content, list) else [content]:
            heading = [f"[[{name}]]"] if isinstance(content, list) else [f"[{name}]"] if name else []
            rows = [f"{key} = {_value(value)}" for key, value in table.items()]
            blocks.append("\n".join(heading + rows))
    return "\n\n".join(blocks) + "\n"


def _value(value: str | int | float) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def readme(name: str, title: str, body: str, tables: dict[str, Any], facts: Facts) -> str:
    """The README.md of a sample."""
    host_rows = [
        f"| `{host}/` | {tables[f'host.{host}']['frames']} | {tables[f'host.{host}'].get('tcp_frames', '?')} "
        f"| {known.frames_sent} | {known.frames_received} |"
        for host, known in facts.hosts.items()
    ]
    done = Counter((deed.source, deed.action, deed.segment.kind) for deed in facts.deeds)
    deed_rows = [f"* {action} {kind}, sent by {source}: {count}" for (source, action, kind), count in done.items()]
    made_with = tables["recorded_with"]
    snaplen = f", {facts.snaplen} bytes of each frame" if facts.snaplen else ""
    hosts = list(facts.hosts)
    counters = [counter for counter in _moved(facts) if _worth_showing(counter)]
    return "\n".join(
        [
            f"# {name}: {title.rstrip('.')}",
            "",
            body,
            "",
            "## Topology",
            "",
            f"    {' --- '.join([hosts[0], 'relay', *hosts[1:]])}",
            "",
            f"Each host is a network namespace; the relay passes Ethernet frames on, {facts.delay_ms:g} ms later.",
            f"Captured on each host with `-i {facts.interface}`{snaplen}.",
            "",
            "## Certain, because the lab did it",
            "",
            f"Connections begun: {facts.connections}.",
            "",
            "| host | frames captured | TCP frames | sent to the relay | got from the relay |",
            "|---|---|---|---|---|",
            *host_rows,
            "",
            "What the relay did to frames:",
            "",
            *(deed_rows or ["* nothing but passing them on"]),
            "",
            "All of it, frame by frame, is in `expected.toml`.",
            "",
            "## Counted by the kernels, first to last snapshot",
            "",
            f"| counter | {' | '.join(hosts)} |",
            f"|---|{'---|' * len(hosts)}",
            *(
                f"| {counter} | {' | '.join(str(facts.hosts[host].increments.get(counter, 0)) for host in hosts)} |"
                for counter in counters
            ),
            "",
            "## Recorded with",
            "",
            f"    python -m samples.lab run {name} --seed {tables['']['seed']}",
            "",
            f"{made_with['kernel']}; {made_with['tcpdump']}.",
            "",
        ]
    )


def _moved(facts: Facts) -> list[str]:
    names = [counter for known in facts.hosts.values() for counter in known.increments]
    return list(dict.fromkeys(names))


def _worth_showing(counter: str) -> bool:
    return counter in _SHOWN or counter.startswith("TcpExt")
