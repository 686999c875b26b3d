"""What the lab knows for sure goes in, the content of expected.toml comes out."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import pcap, tools
from .card import Card
from .checksum import STATES, state
from .hosts import INTERFACE
from .recording import Facts, HostFacts

_PAST = {
    "drop": "dropped",
    "duplicate": "duplicated",
    "delay": "delayed",
    "overtake": "overtaken",
    "corrupt": "corrupted",
    "translate": "translated",
    "rewrite": "rewritten",
    "mark": "marked",
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
            "link": facts.link,
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
            {
                "frames": known.tcpdump["captured"],
                "tcp_frames": count_frames(capture, "tcp"),
                "elsewhere": known.elsewhere or None,
            }
        )
        tables[f"host.{host}.tcpdump"] = known.tcpdump
        if facts.link == "relay":
            tables[f"relay.{host}"] = _relay_table(host, known, facts)
        else:
            tables[f"passed.{host}"] = {
                "sent": known.frames_sent,
                "received": known.frames_received,
                "merged": known.frames_merged,
            }
        if facts.counters:
            tables[f"counters.{host}"] = {name: known.increments.get(name, 0) for name in facts.counters}
        if known.card:
            tables[f"card.{host}"] = _card_table(known.card)
        if facts.interface == INTERFACE and not facts.snaplen and not facts.counters:
            tables[f"checksums.{host}"] = checksum_states(capture, known.mac)
    for name, (sent, received) in facts.beside.items():
        tables[f"beside.{name}"] = {"sent": sent, "received": received}
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
    tables["cut"] = [
        {"source": host, "number": cut.number, "pieces": cut.pieces, "size": cut.size, **_fields(asdict(cut.segment))}
        for host, known in facts.hosts.items()
        if known.card
        for cut in known.card.cuts
    ]
    return tables


def checksum_states(capture: Path, mac: str) -> dict[str, int]:
    """How many frames of a capture have a TCP, UDP or ICMP checksum in which state, by whether they left or came."""
    found = Counter(
        ("sent" if pcap.source(frame) == mac else "received", state(frame)) for frame in pcap.frames(capture)
    )
    return {f"{way}_{each}": found[way, each] for way in ("sent", "received") for each in STATES}


def _card_table(card: Card) -> dict[str, int]:
    """Frames that the card completed; super-segments among them, which it cut, and the frames made of those."""
    return {
        "completed": card.completed,
        "cut": len(card.cuts),
        "made": sum(each.pieces for each in card.cuts),
    }


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
