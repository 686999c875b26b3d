"""A cable in place of the relay: two hosts go in, their `eth0` come out as the two ends of a veth pair."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from .card import Card
from .frames import parse
from .hosts import INTERFACE, Host


def join(left: Host, right: Host) -> None:
    """Make `eth0` of both hosts, which were made with `cable=True`, with the offloads that a veth pair has by default,
    but for the `features` of each.

    Such a link is memory: nobody ever finishes what the kernel offloads to it, and both ends see it unfinished.
    """
    other_end = f"/proc/{os.getpid()}/fd/{right.namespace}"
    left.run("ip", "link", "add", INTERFACE, "type", "veth", "peer", "name", INTERFACE, "netns", other_end)
    for host in (left, right):
        if host.features:
            host.run("ethtool", "-K", INTERFACE, *host.features.split())
        host.add_interface(INTERFACE, host.address, host.mac)


def merged(captured: Iterable[bytes], sent: Iterable[bytes]) -> int:
    """How many of the frames that were `sent` are not among the `captured` because GRO appended them to others.

    It merges segments of equal length, of which only the last may be shorter: a frame stands for as many as it needs.
    """
    size = max((parse(frame).payload_len for frame in sent), default=0)
    return sum((parse(frame).payload_len - 1) // size for frame in captured if parse(frame).payload_len)


class Cable:
    """What a recording asks of the relay, where there is none: the interfaces count what passes them."""

    kind = "cable"

    def __init__(self, hosts: Sequence[Host]) -> None:
        self.taken: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.cards: dict[str, Card] = {}
        self._hosts = hosts
        self._before = {host.name: host.passed_interface() for host in hosts}

    def start(self) -> None:
        """Count from here."""
        self._before = {host.name: host.passed_interface() for host in self._hosts}

    def stop(self) -> None:
        """Count to here."""
        for host in self._hosts:
            sent, received = host.passed_interface()
            sent_before, received_before = self._before[host.name]
            self.taken[host.name] = sent - sent_before
            self.delivered[host.name] = received - received_before
