"""The files of a bundle: counters, sockets and host facts go in, text goes out. Times keep all their nine places."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_NOT_COUNTERS = frozenset(
    ["IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab"]
)
"""Settings and gauges in /proc/net/snmp, which nstat leaves out as well."""

_OFFLOADS = frozenset(
    [
        "rx-checksumming",
        "tx-checksumming",
        "tcp-segmentation-offload",
        "generic-segmentation-offload",
        "generic-receive-offload",
        "large-receive-offload",
        "rx-vlan-offload",
        "tx-vlan-offload",
    ]
)
"""What `ethtool -k` calls the features that change what a capture shows."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the kernel of one host said at one moment."""

    time_ns: int
    counters: dict[str, int]
    sockets: str


@dataclass(slots=True)
class Bundle:
    """All that is known of one host beside its capture."""

    host: dict[str, Any]
    snapshots: list[Snapshot] = field(default_factory=list)

    def increments(self) -> dict[str, int]:
        """By how much each counter moved between the first and the last snapshot, without those that stood still."""
        first, last = self.snapshots[0].counters, self.snapshots[-1].counters
        moved = {name: value - first.get(name, 0) for name, value in last.items()}
        return {name: amount for name, amount in moved.items() if amount}


def parse_tables(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp or netstat, whose lines come in pairs of names and values, under nstat's names."""
    counters = {}
    lines = text.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        prefix, _, columns = names.partition(":")
        for column, value in zip(columns.split(), values.partition(":")[2].split(), strict=True):
            counters[prefix + column] = int(value)
    return {name: value for name, value in counters.items() if name not in _NOT_COUNTERS}


def parse_pairs(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp6, one name and value a line."""
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def telling(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Without those around which nothing happened: the counters are as in the snapshot before and the one after, or,
    where nothing follows any more, as in the last one."""
    end = next((index for index, each in enumerate(snapshots) if each.counters == snapshots[-1].counters), 0)
    inner = zip(snapshots, snapshots[1:end], snapshots[2:], strict=False)
    kept = [each for before, each, after in inner if not before.counters == each.counters == after.counters]
    return [snapshots[0], *kept, *snapshots[1:][-1:]]


def decimal_seconds(time_ns: int) -> str:
    """Seconds since the epoch with nine places; a float would keep only six or seven of them."""
    return f"{time_ns // 1_000_000_000}.{time_ns % 1_000_000_000:09d}"


def line(time_ns: int, **values: Any) -> str:
    """One line of a `.jsonl` file."""
    body = json.dumps(values, separators=(",", ":"))
    return f'{{"time":{decimal_seconds(time_ns)},{body[1:]}\n'


def write(folder: Path, bundle: Bundle) -> None:
    """Write everything but the capture into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshots = telling(bundle.snapshots)
    counters = (line(each.time_ns, counters=each.counters) for each in snapshots)
    (folder / "counters.jsonl").write_text("".join(counters), encoding="utf-8")
    sockets = (line(each.time_ns, ss=each.sockets) for each in snapshots)
    (folder / "sockets.jsonl").write_text("".join(sockets), encoding="utf-8")
    (folder / "host.json").write_text(json.dumps(bundle.host, indent=2) + "\n", encoding="utf-8")


def host_facts(
    name: str, kernel: str, addresses: str, offloads: Mapping[str, str], sysctls: Mapping[str, str]
) -> dict[str, Any]:
    """The content of `host.json`, from the texts of `ip -json address` and, by interface, `ethtool -k`."""
    interfaces = [
        {
            "name": each["ifname"],
            "mac": each.get("address", ""),
            "mtu": each["mtu"],
            "addresses": [f"{entry['local']}/{entry['prefixlen']}" for entry in each.get("addr_info", [])],
            "offloads": parse_offloads(offloads.get(each["ifname"], "")),
        }
        for each in json.loads(addresses)
    ]
    return {"hostname": name, "kernel": kernel, "interfaces": interfaces, "sysctls": dict(sysctls)}


def parse_offloads(text: str) -> dict[str, bool]:
    """The features of `ethtool -k` that change what a capture shows, as on or off."""
    words = (row.partition(":") for row in text.splitlines()[1:])
    return {name: value.split()[0] == "on" for name, _, value in words if name in _OFFLOADS}
