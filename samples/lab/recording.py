"""One recording: hosts and rules go in; bundles of files and the facts about them come out."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import bundle
from .errors import LabError
from .hosts import INTERFACE, Host
from .impair import Deed, Impairer
from .record import Capture, Sampler
from .relay import Relay

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
    """What is known for sure about one host: frames as the relay and tcpdump counted them, increments of counters."""

    frames_sent: int
    frames_received: int
    tcpdump: dict[str, int]
    increments: dict[str, int]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known for sure about a recording, because the lab did it."""

    connections: int
    interface: str
    snaplen: int
    delay_ms: float
    hosts: dict[str, HostFacts]
    deeds: list[Deed]


class Recording:
    """Relay, captures and snapshots of some hosts; `facts` are there once the `running` body is over."""

    def __init__(
        self, folder: Path, hosts: Sequence[Host], impairer: Impairer, *, interface: str = INTERFACE, snaplen: int = 0
    ) -> None:
        self.facts: Facts | None = None
        self._folder = folder
        self._hosts = hosts
        self._impairer = impairer
        self._interface = interface
        self._snaplen = snaplen

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Record while the body makes traffic, and until all is quiet again."""
        with contextlib.ExitStack() as stack:
            captures = self._start_captures(stack)
            relay, sampler = Relay(self._hosts, self._impairer), Sampler(self._hosts)
            stack.callback(relay.stop)
            stack.callback(sampler.stop)
            relay.start()
            sampler.sample()
            sampler.start()
            yield
            time.sleep(_QUIET_S)
            sampler.stop()
            sampler.sample()
            statistics = {name: capture.stop() for name, capture in captures.items()}
            relay.stop()
        for host in self._hosts:
            bundle.write(self._folder / host.name, sampler.bundles[host.name])
        self.facts = self._gather(relay, sampler, statistics)
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

    def _gather(self, relay: Relay, sampler: Sampler, statistics: dict[str, dict[str, int]]) -> Facts:
        hosts = {
            name: HostFacts(
                frames_sent=self._impairer.sent[name],
                frames_received=relay.delivered[name],
                tcpdump=numbers,
                increments=sampler.bundles[name].increments(),
            )
            for name, numbers in statistics.items()
        }
        return Facts(
            connections=len(self._impairer.tracker.connections),
            interface=self._interface,
            snaplen=self._snaplen,
            delay_ms=self._impairer.delay_ns / 1_000_000,
            hosts=hosts,
            deeds=self._impairer.deeds,
        )

    def _check_complete(self, facts: Facts) -> None:
        """A recording is good only if each host captured just what the relay took from it and gave to it."""
        for host in self._hosts:
            known = facts.hosts[host.name]
            captured, passed = known.tcpdump["captured"], known.frames_sent + known.frames_received
            if captured != passed:
                raise LabError(f"{host.name} captured {captured} frames, the relay knows of {passed}")
            if lost := host.lost_in_interface():
                raise LabError(f"{host.name} lost {lost} frames in its interface")
