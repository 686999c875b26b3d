"""One recording: hosts and rules go in; bundles of files and the facts about them come out."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import bundle, pcap
from .cable import Cable, merged
from .card import Card
from .errors import LabError
from .frames import parse
from .hosts import INTERFACE, Host
from .impair import Deed, Impairer
from .record import Capture, Sampler
from .relay import Relay

ANY = "any"  # tcpdump's name for all interfaces
_QUIET_S = 0.7
"""How long nothing may be under way before the last snapshot and the end of the captures."""


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back while something is started, so that nothing started is forgotten."""
    held: list[int] = []
    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda number, _: held.append(number)) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
    if held:
        raise KeyboardInterrupt


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What is known for sure about one host: frames as the link and tcpdump counted them, increments of counters."""

    mac: str
    frames_sent: int
    frames_received: int
    tcpdump: dict[str, int]
    increments: dict[str, int]
    frames_merged: int = 0
    """Of those received, how many the capture shows as the end of another one."""
    card: Card | None = None
    elsewhere: int = 0
    """Frames that passed its other interfaces, where all were captured."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known for sure about a recording, because the lab did it.

    The `link` is `relay`, which counted the frames and did the deeds, or `cable`, where the interfaces of the hosts did
    the counting.
    """

    link: str
    connections: int
    interface: str
    snaplen: int
    delay_ms: float
    hosts: dict[str, HostFacts]
    deeds: list[Deed]
    counters: tuple[str, ...] = ()
    """The names of those that the sample is about."""
    beside: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each host that was joined and not recorded: frames that the relay took from it and gave to it."""


class Recording:
    """Captures and snapshots of some hosts, and the link between them; `facts` are there once the `running` body is over."""

    def __init__(
        self,
        folder: Path,
        hosts: Sequence[Host],
        impairer: Impairer,
        *,
        interface: str = INTERFACE,
        snaplen: int = 0,
        counters: tuple[str, ...] = (),
        beside: Sequence[Host] = (),
    ) -> None:
        self.facts: Facts | None = None
        self._folder = folder
        self._hosts = hosts
        self._impairer = impairer
        self._interface = interface
        self._snaplen = snaplen
        self._counters = counters
        self._beside = beside
        self._before: dict[str, int] = {}
        self._link = Cable(hosts) if all(host.tap < 0 for host in hosts) else Relay([*hosts, *beside], impairer)

    @contextlib.contextmanager
    def running(self, before: Callable[[], None] | None = None) -> Iterator[None]:
        """Record while the body makes traffic, and until all is quiet again; `before` happens earlier, and is not recorded."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._link.stop)
            if before is not None:
                self._link.start()
                before()
                time.sleep(_QUIET_S)
                self._impairer.begin()
            captures = self._start_captures(stack)
            sampler = Sampler(self._hosts)
            stack.callback(sampler.stop)
            if before is None:
                self._link.start()
            self._link.taken.clear()
            self._link.delivered.clear()
            sampler.sample()
            self._before = {host.name: host.passed_elsewhere() for host in self._hosts}
            sampler.start()
            yield
            time.sleep(_QUIET_S)
            sampler.stop()
            sampler.sample()
            statistics = {name: capture.stop() for name, capture in captures.items()}
            self._link.stop()
        for host in self._hosts:
            bundle.write(self._folder / host.name, sampler.bundles[host.name])
        self.facts = self._gather(sampler, statistics)
        self._check_complete(self.facts)

    def _start_captures(self, stack: contextlib.ExitStack) -> dict[str, Capture]:
        captures = {}
        for host in self._hosts:
            path = self._folder / host.name / "capture.pcap"
            path.parent.mkdir(parents=True)
            with uninterrupted():
                captures[host.name] = Capture(host, path, interface=self._interface, snaplen=self._snaplen)
                stack.callback(captures[host.name].kill)
        for capture in captures.values():
            capture.wait_until_listening()
        return captures

    def _gather(self, sampler: Sampler, statistics: dict[str, dict[str, int]]) -> Facts:
        hosts = {
            host.name: HostFacts(
                mac=host.mac,
                frames_sent=self._link.taken[host.name],
                frames_received=self._link.delivered[host.name],
                tcpdump=statistics[host.name],
                increments=sampler.bundles[host.name].increments(),
                frames_merged=self._merged(host),
                card=self._link.cards.get(host.name),
                elsewhere=self._elsewhere(host),
            )
            for host in self._hosts
        }
        return Facts(
            link=self._link.kind,
            connections=self._connections(),
            interface=self._interface,
            snaplen=self._snaplen,
            delay_ms=self._impairer.delay_ns / 1_000_000,
            hosts=hosts,
            deeds=self._impairer.deeds,
            counters=self._counters,
            beside={host.name: (self._link.taken[host.name], self._link.delivered[host.name]) for host in self._beside},
        )

    def _connections(self) -> int:
        """How many were begun; without a relay that saw them, by what the first host captured."""
        tracker = self._impairer.tracker
        if self._link.kind == "cable":
            for frame in self._captured(self._hosts[0]):
                tracker.look(parse(frame))
        return len(tracker.connections)

    def _merged(self, host: Host) -> int:
        if "gro on" not in host.features:
            return 0
        others = [other for other in self._hosts if other is not host]
        received = (frame for frame in self._captured(host) if pcap.source(frame) != host.mac)
        sent = (frame for other in others for frame in self._captured(other) if pcap.source(frame) == other.mac)
        return merged(received, sent)

    def _captured(self, host: Host) -> Iterator[bytes]:
        return pcap.frames(self._folder / host.name / "capture.pcap")

    def _elsewhere(self, host: Host) -> int:
        """Frames that passed other interfaces of a host that was captured on all of them."""
        return host.passed_elsewhere() - self._before[host.name] if self._interface == ANY else 0

    def _check_complete(self, facts: Facts) -> None:
        """A recording is good only if each host captured just what the link took from it and gave to it."""
        for host in self._hosts:
            known = facts.hosts[host.name]
            captured = known.tcpdump["captured"]
            passed = known.frames_sent + known.frames_received - known.frames_merged + known.elsewhere
            if captured != passed:
                raise LabError(f"{host.name} captured {captured} frames, the {facts.link} knows of {passed}")
            if lost := host.lost_in_interface():
                raise LabError(f"{host.name} lost {lost} frames in its interface")
        moved = {name for known in facts.hosts.values() for name in known.increments}
        if still := [name for name in facts.counters if name not in moved]:
            raise LabError(f"what the sample is about did not happen, by {', '.join(still)}")
