"""Capture points against what the lab did: python -m tests.points [FOLDER]...

Of each folder of samples (without one, the samples of this project; a folder that the lab has written elsewhere does as well)
every sample with two hosts is analysed at both, and the fates of its packets are compared with the deeds in its expected.toml.
"""

from __future__ import annotations

import json
import struct
import sys
import tomllib
from collections.abc import Callable
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from analyzer import analyze
from analyzer.points.points import Points
from samples.lab import pcap
from tests.helpers import SAMPLES

# What the lab calls what it does, and the fate that follows. A frame that was delayed may be overtaken or not.
FATES = {
    "drop": "lost", "duplicate": "duplicated", "corrupt": "corrupted", "translate": "rewritten", "rewrite": "rewritten",
    "mark": "rewritten", "overtake": "reordered",
}  # fmt: skip
Frame = tuple[str, int]  # the host that sent it, and its number in that host's capture


def two_hosts(folder: Path = SAMPLES) -> list[Path]:
    """The samples of a folder that were recorded at two hosts, with frames of Ethernet."""
    found = [path.parent for path in sorted(folder.glob("*/expected.toml"))]
    return [path for path in found if len(hosts_of(path)) == 2 and _expected(path)["interface"] != "any"]


def hosts_of(sample: Path) -> list[str]:
    """The hosts of a sample."""
    return sorted(path.parent.name for path in sample.glob("*/capture.pcap"))


@cache
def deeds_of(sample: Path) -> dict[str, set[Frame]]:
    """The frames that were not just passed on, by fate; `delayed`, too. Only those with TCP, UDP or ICMP, or a fragment of the latter two."""
    found: dict[str, set[Frame]] = {each: set() for each in (*FATES.values(), "delayed", "injected")}
    sent = {host: _sent(sample / host) for host in hosts_of(sample)}
    deeds = [each for each in _expected(sample).get("deed", []) if each["source"] in sent]
    ended = {host: _recorded_until(sample, host) for host in sent}
    for host in {each["source"] for each in deeds}:
        packets = points_of(sample).at[host].packets
        layers = packets["layers"].astype(str)
        known = layers.str.contains(r"\b(?:tcp|udp|icmp|icmpv6)\b") | (
            layers.str.contains("fragment") & (packets["ip_proto"] != 6)
        )
        compared = set(packets["frame"][known])
        for deed in (each for each in deeds if each["source"] == host):
            frame = sent[host][deed["number"] - 1]
            if frame in compared and int(packets["time_ns"].iloc[frame - 1]) + _delay_ns(sample) <= ended[host]:
                found[FATES.get(deed["action"], "delayed")].add((host, frame))
    return found


@cache
def points_of(sample: Path) -> Points:
    """A sample, analysed at both its hosts."""
    return analyze(at={host: str(sample / host) for host in hosts_of(sample)})


def fates_of(points: Points) -> dict[str, set[Frame]]:
    """The frames that were sent, by fate; `injected` those that came."""
    passages = points.passages
    sent = passages[passages["way"] == "sent"]
    chosen = {fate: sent[sent["fate"] == fate] for fate in ("lost", "duplicated", "reordered", "corrupted")}
    chosen["rewritten"] = sent[(sent["fields"] != "") & (sent["fate"] != "corrupted")]
    chosen["injected"] = passages[passages["fate"] == "injected"]
    return {fate: set(zip(rows["point"], map(int, rows["frame"]), strict=True)) for fate, rows in chosen.items()}


def wrong_in(sample: Path) -> list[str]:
    """Where the fates differ from what the lab did, a sentence each."""
    done, found = deeds_of(sample), fates_of(points_of(sample))
    told = []
    for fate in ("lost", "duplicated", "corrupted", "rewritten", "reordered", "injected"):
        may = done["delayed"] if fate == "reordered" else set()
        told += [f"{frame} is not {fate}" for frame in sorted(done[fate] - found[fate])]
        told += [f"{frame} is called {fate}" for frame in sorted(found[fate] - done[fate] - may)]
    return told


def written(
    source: Path,
    target: Path,
    keep: Callable[[int, int], bool] = lambda number, time_ns: True,
    snaplen: int = 1 << 16,
    clock: Callable[[int], int] = lambda time_ns: time_ns,
    times: int = 1,
    change: Callable[[bytes], bytes] = bytes,
) -> Path:
    """A capture of the lab again: only the frames that `keep` says (by number and time), each so many times, with a `change` that leaves its length, cut, stamped by another clock."""
    content, pieces, at, number = source.read_bytes(), [], 24, 0
    while at < len(content):
        seconds, part, captured, length = struct.unpack_from("=IIII", content, at)
        number, time_ns = number + 1, seconds * 10**9 + part
        if keep(number, time_ns):
            stamp, cut = clock(time_ns), min(captured, snaplen)
            header = struct.pack("=IIII", stamp // 10**9, stamp % 10**9, cut, length)
            pieces.append((header + change(content[at + 16 : at + 16 + captured])[:cut]) * times)
        at += 16 + captured
    target.write_bytes(content[:24] + b"".join(pieces))
    return target


def on_the_way(folder: Path, target: Path, way_ns: int, clock_ns: int = 0) -> Path:
    """What a capture point on the way would hold, `way_ns` from the host of `folder`, whose clock shows `clock_ns` more: all that this host sent, and all that came to it."""
    content, at, records = (folder / "capture.pcap").read_bytes(), 24, []
    sent = set(_sent(folder))
    while at < len(content):
        seconds, part, captured, length = struct.unpack_from("=IIII", content, at)
        passes = seconds * 10**9 + part + clock_ns + (way_ns if len(records) + 1 in sent else -way_ns)
        header = struct.pack("=IIII", passes // 10**9, passes % 10**9, captured, length)
        records.append((passes, header + content[at + 16 : at + 16 + captured]))
        at += 16 + captured
    target.write_bytes(content[:24] + b"".join(record for _, record in sorted(records)))
    return target


def main(folders: list[str]) -> int:
    """Print what is wrong, sample by sample; how many are."""
    bad = 0
    for folder in map(Path, folders or [str(SAMPLES)]):
        for sample in two_hosts(folder):
            told = wrong_in(sample)
            bad += bool(told)
            number = sum(map(len, deeds_of(sample).values()))
            print(f"{sample.name}: {number} deeds, {'; '.join(told[:5]) or 'all found, none invented'}", flush=True)
    return bad


@cache
def _expected(sample: Path) -> dict[str, Any]:
    return tomllib.loads((sample / "expected.toml").read_text(encoding="utf-8"))


def _delay_ns(sample: Path) -> int:
    """What a frame takes at least from host to host."""
    return int(_expected(sample)["delay_ms"] * 1e6)


def _recorded_until(sample: Path, host: str) -> int:
    """Until when the other host is known to have recorded, by the one clock of the lab: what came later it may not have captured."""
    (other,) = (each for each in hosts_of(sample) if each != host)
    lines = (sample / other / "counters.jsonl").read_text(encoding="utf-8").splitlines()
    last_ns = int(points_of(sample).at[other].packets["time_ns"].max())
    return max(last_ns, int(Decimal(json.loads(lines[-1], parse_float=str)["time"]) * 10**9))


def _sent(folder: Path) -> list[int]:
    """The frames of a capture that its host has sent."""
    host = json.loads((folder / "host.json").read_text(encoding="utf-8"))
    own = {interface["mac"] for interface in host["interfaces"]}
    frames = enumerate(pcap.frames(folder / "capture.pcap"), start=1)
    return [number for number, frame in frames if pcap.source(frame) in own]


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
