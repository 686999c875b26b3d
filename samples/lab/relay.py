"""The wire: frames that hosts send go in, and come out at other hosts when and if the Impairer says so.

What a host has offloaded is done at once where the host has a card, and else left to whoever receives the frame.
"""

from __future__ import annotations

import heapq
import os
import selectors
import sys
import time
from collections import Counter
from collections.abc import Sequence

from .card import Card
from .hosts import Host
from .impair import NS, Delivery, Impairer
from .tap import HEADER_LEN, read_frame
from .worker import Worker

_IDLE_S = 0.05


class Relay(Worker):
    """A switch in user space between the `eth0` of all hosts; runs until `stop`."""

    kind = "relay"

    def __init__(self, hosts: Sequence[Host], impairer: Impairer) -> None:
        super().__init__("the relay")
        self.impairer = impairer
        self.taken: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.cards = {host.name: Card() for host in hosts if host.has_card}
        self._by_mac = {bytes.fromhex(host.mac.replace(":", "")): host for host in hosts}
        self._queue: list[tuple[int, int, Delivery]] = []
        self._order = 0
        # select() takes its timeout in microseconds, epoll only in milliseconds: too coarse for short delays.
        self._selector = selectors.SelectSelector()
        for host in hosts:
            self._selector.register(host.tap, selectors.EVENT_READ, host)
        # A thread that computes may keep the others waiting for 5 ms by default, which is half a delay.
        sys.setswitchinterval(0.0005)

    def step(self) -> None:
        """Wait for frames or for the time of a delivery, whichever is first."""
        self._receive([key.data for key, _ in self._selector.select(self._wait_s())])
        self._deliver(time.monotonic_ns())

    def _wait_s(self) -> float:
        if not self._queue:
            return _IDLE_S
        return min(_IDLE_S, max(0, self._queue[0][0] - time.monotonic_ns()) / NS)

    def _receive(self, ready: Sequence[Host]) -> None:
        for host in ready:
            while (frame := read_frame(host.tap)) is not None:
                self.taken[host.name] += 1
                for each in self._on_the_wire(host, frame):
                    for delivery in self.impairer.process(time.monotonic_ns(), host.name, each):
                        self._enqueue(delivery)
        for delivery in self.impairer.expired(time.monotonic_ns()):
            self._enqueue(delivery)

    def _on_the_wire(self, host: Host, frame: bytes) -> list[bytes]:
        card = self.cards.get(host.name)
        return card.process(frame) if card else [frame]

    def _enqueue(self, delivery: Delivery) -> None:
        # The running number keeps frames that are due at the same time in their order.
        self._order += 1
        heapq.heappush(self._queue, (delivery.due_ns, self._order, delivery))

    def _deliver(self, now_ns: int) -> None:
        while self._queue and self._queue[0][0] <= now_ns:
            delivery = heapq.heappop(self._queue)[-1]
            for host in self._receivers(delivery.frame):
                os.write(host.tap, delivery.frame)
                self.delivered[host.name] += 1

    def _receivers(self, frame: bytes) -> list[Host]:
        destination, sender = frame[HEADER_LEN : HEADER_LEN + 6], frame[HEADER_LEN + 6 : HEADER_LEN + 12]
        if destination in self._by_mac:
            return [self._by_mac[destination]]
        return [host for mac, host in self._by_mac.items() if mac != sender]
