"""What a scenario works with: names and numbers go in; hosts, links between them and recordings come out."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from . import cable
from .behind import Inner, forward
from .errors import LabError
from .hosts import INTERFACE, Host
from .impair import Impairer, Rule
from .recording import Facts, Recording
from .vlan import VlanInterface


@dataclass(slots=True)
class Lab:
    """One run of a scenario: `pair` for hosts, `recording` around the traffic, `folder` for what is recorded."""

    folder: Path
    seed: int = 1
    facts: Facts | None = None
    random: Random = field(init=False)
    """What a scenario leaves to chance follows from the seed."""
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def hosts(self, *names: str, only: Mapping[str, Mapping[str, Any]] | None = None, **options: Any) -> list[Host]:
        """Hosts that know each other; the options are those of Host for all of them, those in `only` for one by name."""
        made = []
        for number, name in enumerate(names, 1):
            made.append(Host(name, number, **{**options, **(only or {}).get(name, {})}))
            self._stack.callback(made[-1].close)
        if not options.get("arp") and not options.get("cable"):
            _introduce(made)
        return made

    def pair(self, **options: Any) -> tuple[Host, Host]:
        """The two hosts of most scenarios."""
        client, server = self.hosts("client", "server", **options)
        return client, server

    def direct_pair(self, family: int = 4, client: str = "", server: str = "") -> tuple[Host, Host]:
        """Two hosts joined by a veth pair, with nothing between them that could do anything to frames.

        `client` and `server` are features to switch there, as `ethtool -K` understands them.
        """
        features = {"client": {"features": client}, "server": {"features": server}}
        left, right = self.pair(family=family, cable=True, only=features)
        cable.join(left, right)
        _introduce([left, right])
        return left, right

    def keep(self, end: socket.socket) -> socket.socket:
        """Leave a socket open until nothing is recorded any more."""
        self._stack.callback(end.close)
        return end

    def behind(self, router: Host, number: int, sysctls: dict[str, str] | None = None) -> Host:
        """A host that is not recorded and reaches the others through `router`, which forwards."""
        forward(router)
        inner = Inner(router, number, sysctls)
        self._stack.callback(inner.close)
        return inner

    def vlan(self, vlan_id: int, *hosts: Host) -> list[str]:
        """A VLAN interface on each host; their addresses, 10.0.ID.N."""
        made = []
        for host in hosts:
            made.append(VlanInterface(host, vlan_id, f"10.0.{vlan_id}.{host.number}"))
            self._stack.callback(made[-1].close)
            made[-1].start()
        for host, mine in zip(hosts, made, strict=True):
            for other, its in zip(hosts, made, strict=True):
                if other is not host:
                    host.knows(its.address, other.mac, mine.name_on_host)
        return [each.address for each in made]

    def vxlan(self, network: int, left: Host, right: Host) -> list[str]:
        """A VXLAN tunnel between two hosts; their addresses in it, 10.0.NETWORK.N."""
        addresses = []
        for host, other in ((left, right), (right, left)):
            tunnel = ("id", str(network), "local", host.address, "remote", other.address, "dstport", "4789")
            # One source port only: the kernel would choose it by a hash with a random key.
            options = ("srcport", "50000", "50001", "nolearning", "dev", INTERFACE)
            host.run("ip", "link", "add", "vxlan0", "type", "vxlan", *tunnel, *options)
            addresses.append(f"10.0.{network}.{host.number}")
            host.add_interface("vxlan0", addresses[-1], f"02:00:00:00:07:{host.number:02x}", mtu=1450)
            host.knows(f"10.0.{network}.{other.number}", f"02:00:00:00:07:{other.number:02x}", "vxlan0")
        return addresses

    @contextlib.contextmanager
    def recording(
        self,
        *hosts: Host,
        rules: Collection[Rule] = (),
        delay_ms: float = 0.0,
        interface: str = INTERFACE,
        snaplen: int = 0,
        counters: str = "",
        before: Callable[[], None] | None = None,
        beside: Sequence[Host] = (),
    ) -> Iterator[None]:
        """Join the hosts by a relay, unless they are joined already, and record all of them while the body makes traffic.

        What `before` does happens between hosts that are joined, and is not recorded. Hosts `beside` are joined, too, and send what
        no kernel would: of them nothing is kept.
        The sample is about the `counters`, whose names are separated by spaces: each must move on one host at least.
        """
        impairer = Impairer(list(rules), round(delay_ms * 1_000_000), self.seed)
        if rules and all(host.tap < 0 for host in hosts):
            raise LabError("there is no relay on a cable that could follow rules")
        recording = Recording(
            self.folder,
            hosts,
            impairer,
            interface=interface,
            snaplen=snaplen,
            counters=tuple(counters.split()),
            beside=beside,
        )
        with recording.running(before):
            yield
        self.facts = recording.facts


def _introduce(hosts: Sequence[Host]) -> None:
    """Tell each host the hardware addresses of the others."""
    for host in hosts:
        for other in hosts:
            if other is not host:
                host.knows(other.address, other.mac)
