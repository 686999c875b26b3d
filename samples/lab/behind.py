"""Hosts behind a recorded one: a router and a number go in, a host that reaches the others through it comes out.

What happens between them is not recorded, as in a capture that was taken on one side of a router.
"""

from __future__ import annotations

import os

from .hosts import INTERFACE, Host

_PLAIN = ("tx", "off", "tso", "off", "gso", "off", "gro", "off")


class Inner(Host):
    """A host with the address 192.168.N.2, whose only way out is a router, which has 192.168.N.1 on `lanN`."""

    def __init__(self, router: Host, number: int, sysctls: dict[str, str] | None = None) -> None:
        super().__init__(f"inner{number}", 100 + number, cable=True, sysctls=sysctls)
        self.address = f"192.168.{number}.2"
        lan = f"lan{number}"
        other_end = f"/proc/{os.getpid()}/fd/{router.namespace}"
        self.run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", lan, "netns", other_end)
        for host, interface in ((self, INTERFACE), (router, lan)):
            host.run("ethtool", "-K", interface, *_PLAIN)
        router.add_interface(lan, f"192.168.{number}.1", f"02:00:00:00:09:{number:02x}", arp=True)
        self.add_interface(INTERFACE, self.address, self.mac, arp=True)
        self.run("ip", "route", "add", "default", "via", f"192.168.{number}.1")


def forward(router: Host) -> None:
    """Let the router pass packets on."""
    router.sysctl("ipv4.ip_forward", "1")
