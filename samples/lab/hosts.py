"""Hosts: a name and a number go in, a network namespace with one interface, addresses and settings comes out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from analyzer.record.namespace import inside

from . import namespace
from .errors import LabError
from .tap import open_tap

INTERFACE = "eth0"


class Host:
    """One namespace with `lo` and `eth0`, a TAP interface whose other side is `tap`, the descriptor of the relay.

    With `cable` there is no relay and `tap` is -1: `cable.join` makes `eth0`.

    Parameters
    ----------
    name : what the host is called in the sample, such as `client`
    number : 1..254, from which its addresses follow: 10.0.0.N, 2001:db8::N, 02:00:00:00:00:N
    family : 4 or 6; the other protocol is switched off, so that it makes no noise
    arp : let the host ask for its neighbours instead of being told by `knows`
    offloads : what the interface promises to do for the kernel (`checksum`, `tso4`, `tso6`), nothing by default
    card : let the relay keep that promise at once, as a network card does, instead of handing it on
    cable : leave the interface to `cable.join`
    features : what `ethtool -K` is to switch on such an interface, as in `tx off gro on`
    sysctls : settings below /proc/sys/net, such as `{"ipv4.tcp_sack": "0"}`
    """

    def __init__(
        self,
        name: str,
        number: int,
        *,
        family: int = 4,
        arp: bool = False,
        mtu: int = 1500,
        offloads: Collection[str] = (),
        card: bool = False,
        cable: bool = False,
        features: str = "",
        sysctls: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.number = number
        self.family = family
        self.has_card = card
        self.features = features
        self.mac = f"02:00:00:00:00:{number:02x}"
        self.address = f"10.0.0.{number}" if family == 4 else f"2001:db8::{number:x}"
        self.namespace = namespace.create()
        self.tap = -1
        try:
            if not cable:
                with self.inside():
                    self.tap = open_tap(INTERFACE, offloads)
            for key, value in {"ipv6.conf.all.disable_ipv6": str(int(family == 4)), **(sysctls or {})}.items():
                self.sysctl(key, value)
            self.run("ip", "link", "set", "lo", "up")
            if not cable:
                self.run("ethtool", "-K", INTERFACE, "gro", "off")
                self.add_interface(INTERFACE, self.address, self.mac, mtu=mtu, arp=arp)
        except BaseException:
            self.close()
            raise

    def add_interface(self, name: str, address: str, mac: str, *, mtu: int = 1500, arp: bool = False) -> None:
        """Give an existing interface its addresses and set it up.

        Without ARP the kernel also leaves out duplicate address detection and the multicast reports of IPv6.
        """
        self.run("ip", "link", "set", name, "address", mac, "mtu", str(mtu), "arp", "on" if arp else "off")
        if self.family == 6:
            self.run("ip", "link", "set", name, "addrgenmode", "none")
        self.run("ip", "link", "set", name, "up")
        prefix = (address + "/24",) if self.family == 4 else (address + "/64", "nodad")
        self.run("ip", "address", "add", *prefix, "dev", name)

    def knows(self, address: str, mac: str, interface: str = INTERFACE) -> None:
        """Tell the host the hardware address of a neighbour, for good."""
        self.run("ip", "neighbour", "replace", address, "lladdr", mac, "dev", interface, "nud", "permanent")

    def inside(self) -> AbstractContextManager[None]:
        """A context in which the calling thread is on this host."""
        return inside(self.namespace)

    def run(self, *command: str) -> str:
        """The standard output of a command run on this host; a failing command is a LabError."""
        with self.inside():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(command)}: {done.stderr.strip() or done.returncode}")
        return done.stdout

    def read(self, path: str) -> str:
        """The text of a file below /proc/net or /proc/sys/net as this host sees it."""
        with self.inside():
            return Path(path).read_text()

    def sysctl(self, name: str, value: str) -> None:
        """Set a value below /proc/sys/net on this host only."""
        with self.inside():
            Path("/proc/sys/net", *name.split(".")).write_text(value)

    def lost_in_interface(self) -> int:
        """Frames that `eth0` dropped on its own, which the relay therefore never saw or could not deliver."""
        numbers = self._interface_numbers()
        receive_drop, transmit_drop = numbers[3], numbers[11]
        return receive_drop + transmit_drop

    def passed_elsewhere(self) -> int:
        """Frames that the other interfaces sent and received, in all."""
        rows = self.read("/proc/thread-self/net/dev").splitlines()[2:]
        others = (row.partition(":")[2].split() for row in rows if row.partition(":")[0].strip() != INTERFACE)
        return sum(int(words[1]) + int(words[9]) for words in others)

    def passed_interface(self) -> tuple[int, int]:
        """Frames that `eth0` sent and received since it was made, a super-segment as one."""
        numbers = self._interface_numbers()
        return numbers[9], numbers[1]

    def _interface_numbers(self) -> list[int]:
        row = self.read("/proc/thread-self/net/dev").partition(f"{INTERFACE}:")[2].split("\n")[0]
        return [int(word) for word in row.split()]

    def close(self) -> None:
        """Remove the interface and the namespace."""
        for descriptor in (self.tap, self.namespace):
            if descriptor >= 0:
                os.close(descriptor)
        self.tap = self.namespace = -1
