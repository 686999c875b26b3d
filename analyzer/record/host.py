"""The host that is recorded -> what stands in host.json: its name, kernel, interfaces with what they offload, routes, queues and settings."""

from __future__ import annotations

import json
import platform
from typing import Any

from analyzer.record.kernel import settings
from analyzer.record.namespace import RecordError
from analyzer.record.tools import printed, version

OFFLOADS = frozenset(
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


MOST_ASKED = 64  # interfaces whose offloads are asked for, a process each: hosts of containers have thousands


def described(name: str = "", interface: str = "") -> dict[str, Any]:
    """What host.json says of the host in whose namespace the calling thread is; `interface` is the one that is captured on.

    Raises RecordError where `ip` does not tell its addresses.
    """
    text = printed("ip", "-json", "address")
    if text is None:
        raise RecordError("ip", "does not know `ip -json address`", "install iproute2 4.15 or newer")
    return {
        "hostname": name or platform.node(),
        "kernel": f"{platform.system()} {platform.release()}",
        "iproute2": version("ip", "-V"),
        "interfaces": [
            _interface(each, number < MOST_ASKED or each["ifname"] == interface)
            for number, each in enumerate(filter(None, json.loads(text or "[]")))
        ],
        "routes": {4: _json("ip", "-4", "-json", "route"), 6: _json("ip", "-6", "-json", "route")},
        "queues": _json("tc", "-json", "qdisc"),
        "sysctls": settings(),
    }


def _interface(each: dict[str, Any], asked: bool) -> dict[str, Any]:
    """One of `ip -json address`; `asked` says whether to ask what it offloads."""
    offloads = printed("ethtool", "-k", each["ifname"]) if asked else None
    return {
        "name": each["ifname"],
        "mac": each.get("address", ""),
        "mtu": each["mtu"],
        "addresses": [f"{entry['local']}/{entry['prefixlen']}" for entry in each.get("addr_info", [])],
        "offloads": parse_offloads(offloads or ""),
    }


def _json(*command: str) -> Any:
    """What a program prints as JSON; an empty list where it is not there or prints none."""
    try:
        return json.loads(printed(*command) or "[]")
    except ValueError:  # an old tc prints text whatever it is asked for
        return []


def parse_offloads(text: str) -> dict[str, bool]:
    """The features of `ethtool -k` that change what a capture shows, as on or off."""
    words = (row.partition(":") for row in text.splitlines()[1:])
    return {name: value.split()[0] == "on" for name, _, value in words if name in OFFLOADS}
