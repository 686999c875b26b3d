"""What one pass over a capture found, and what follows from it without a table: account, warnings, hosts, time, counters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from analyzer.account import Account
from analyzer.capture import Damage, FileInfo, Interfaces
from analyzer.capture.bundle import Host, Recording, host_of
from analyzer.capture.kept import Reader
from analyzer.capture.sysctls import sysctls_of
from analyzer.checksums import CaptureHost, Checksums
from analyzer.choose import EVERYTHING, Choice
from analyzer.diagnosis.finding import Diagnosis
from analyzer.events.icmp import IcmpErrors
from analyzer.facts import Fact
from analyzer.flows import FlowTracker
from analyzer.hosts import KnownHost, hosts_rows, known_hosts
from analyzer.passes import recorded_hosts
from analyzer.schema import Rows
from analyzer.summary import Summary
from analyzer.tables import FLOW_EVENTS, TIME_CAUSES
from analyzer.text import shown
from analyzer.timing.notes import notes_by_cause, notes_by_side

if TYPE_CHECKING:
    from analyzer.checksums.counted import Fit
    from analyzer.correlate import Comparison
    from analyzer.counters import Series
    from analyzer.follow import Flow
    from analyzer.kernel_counters import KernelCounters
    from analyzer.sockets import SocketLists
    from analyzer.sockets.listed import Listed
    from analyzer.sockets.seen import SocketsSeen


class Found:
    """What reports are made of. `shown` makes the HTML that stands for it in a notebook, `diagnose` what the rules say, `plots` its pictures:
    those modules know what they are about, not the other way round.
    """

    def __init__(
        self,
        paths: list[str],
        files: list[FileInfo],
        interfaces: Interfaces,
        damages: list[Damage],
        summary: Summary,
        flows: FlowTracker,
        event_counts: dict[str, int],
        facts: Sequence[Fact] = (),
        checksum_result: Checksums | None = None,
        counters: Series | None = None,
        host_addresses: Sequence[str] = (),
        counted: Comparison | None = None,
        shown: Callable[[Any], str] | None = None,
        socket_lists: SocketLists | None = None,
        gathered: Rows | None = None,
        icmp_errors: IcmpErrors | None = None,
        diagnose: Callable[[Any], Diagnosis] | None = None,
        plots: Callable[[Any], Any] | None = None,
        show_flow: Callable[[Flow, bool], str] | None = None,
        choice: Choice = EVERYTHING,
        notes: Sequence[str] = (),
        times: str = "ns",
        ask: Callable[[Any], Any] | None = None,
        start_ns: int | None = None,
    ) -> None:
        self.paths = paths
        self._notes = list(notes)
        self.choice = choice  # what of the capture was asked for: whoever reads it again asks for the same
        self.files = files
        self.interfaces = interfaces
        self.damages = damages
        self.summary = summary
        self.flow_tracker = flows
        self.event_counts = event_counts
        self.facts = list(facts)
        self.checksum_result = checksum_result
        self._series = counters
        self.host_addresses = list(host_addresses)
        self._counted = counted
        self._shown = shown
        # What is handed to others knows the parts and not this object: else memory would stay until cycles are looked for.
        self._local = partial(_local, self.host_addresses, checksum_result)
        self._listed = _listed(socket_lists, flows, self._local)
        self.gathered = np.zeros(0, FLOW_EVENTS.dtype) if gathered is None else gathered
        self.icmp_errors = icmp_errors or IcmpErrors()
        self._diagnose = diagnose
        self._plots = plots
        self._show_flow = show_flow
        self._times = times
        self._ask = ask
        self._start_ns = start_ns
        self.reader: Reader | None = None  # keeps what was put on disk to be read
        self.drawn: Any = None  # what pictures have read of it
        self.one_pass = ""  # why one process has read all of it, where several were asked to

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """What the rules say: findings in the order in which they are told, and what could not be checked."""
        return self._diagnose(self) if self._diagnose else Diagnosis([], [], [])

    @property
    def checksum_counts(self) -> dict[str, int]:
        """Frames per state of `packets.checksum`."""
        return self.checksum_result.counts if self.checksum_result else {}

    @property
    def capture_hosts(self) -> list[CaptureHost]:
        """Addresses of the host that took the capture, surest first, each with its evidence."""
        return self.checksum_result.hosts if self.checksum_result else []

    @cached_property
    def checksum_fits(self) -> list[Fit]:
        """The counters of checksum errors against the capture; empty without snapshots, or where the host is not known."""
        return (
            self.kernel.checksum_fits(self.checksum_result) if self.checksum_result and self._series is not None else []
        )

    @cached_property
    def kernel(self) -> KernelCounters:
        """The kernel's counters against what the packets predict."""
        from analyzer.kernel_counters import KernelCounters

        return KernelCounters(
            self.paths,
            self._series,
            self._counted,
            self.account,
            self._local,
            self.host_name,
            self.choice,
            self._listed,
        )

    @property
    def comparison(self) -> Comparison | None:
        """The kernel's counters against what the packets predict; None without snapshots, or where the host is not known."""
        return self.kernel.comparison if self._series is not None else None

    @property
    def counter_series(self) -> Series | None:
        """The snapshots of the host that took the capture, as far as it is known whose they are; None without any."""
        return self.kernel.series if self._series is not None else None

    @property
    def local(self) -> list[str]:
        """Addresses of the host that took the capture: those that were named or recorded, else what the packets tell."""
        return self._local()

    @property
    def socket_lists(self) -> SocketLists | None:
        """What the lists of sockets show in all, None without any; they are read when this is first asked for."""
        if self._listed is None:
            return None
        self._listed.seen  # noqa: B018 # reads them
        return self._listed.lists

    @property
    def has_sockets(self) -> bool:
        """Were lists of sockets recorded?"""
        return self._listed is not None

    @property
    def sockets_seen(self) -> SocketsSeen:
        """Of each socket the rows worth keeping."""
        from analyzer.sockets.seen import SocketsSeen

        return SocketsSeen() if self._listed is None else self._listed.seen

    @cached_property
    def sysctls(self) -> dict[str, str]:
        """Settings of the host, from host.json of its bundle."""
        return {name: value for path in self.paths for name, value in sysctls_of(path).items()}

    def flow_parts(self) -> Iterator[Rows]:
        """The rows of `flows`, some at a time."""
        return self.flow_tracker.row_parts()

    def hosts_rows(self) -> tuple[Rows, dict[str, Any], Any]:
        """The same without pandas: what is stored, the texts, and the MTUs (0 where one is not known)."""
        return hosts_rows(self.known_hosts(), self.flow_parts())

    def known_hosts(self) -> list[KnownHost]:
        """What is known of hosts beside their packets."""
        recorded = recorded_hosts(self.paths)
        named = [address for address in self.host_addresses if address not in recorded]
        told = [host.address for host in self.capture_hosts]
        return known_hosts(self.paths, named, told, self.host_name)

    @property
    def host_name(self) -> str:
        """The host whose counters these are: its name, or its addresses."""
        recorded = [host.name for host in self._recorded if host.name]
        return recorded[0] if recorded else ", ".join(host.address for host in self.capture_hosts)

    @cached_property
    def troubled(self) -> int:
        """How many connections had trouble."""
        return self.flow_tracker.troubled(0)[1]

    @cached_property
    def time_spent(self) -> dict[str, int]:
        """How much of the time of all TCP connections went to each cause, in ns: the columns `time_..._ns` of `flows` together."""
        return dict(zip(TIME_CAUSES, map(int, self._accounts[0]), strict=True))

    @cached_property
    def _accounts(self) -> Any:
        return self.flow_tracker.accounts()

    def slow_flows(self, count: int) -> tuple[Rows, int]:
        """The rows of the connections that lost most time, and how many lost a part worth telling."""
        places = self._accounts[1]
        return self.flow_tracker.rows_at(places[:count]), len(places)

    def notes_of(self, flow: int) -> dict[str, dict[str, Any]]:
        """By cause: how often a connection lost time to it (a millisecond or more), in all, and the frames that ended the first and the longest time.

        `direction` is who waited, or was silent: 0 the client, 1 the server; where both did, what is told is of who did so longer.
        Empty where others lost so much more that nothing is kept.
        """
        note = self.flow_tracker.notes_of(flow)
        client = self.flow_tracker.states["client"][self.flow_tracker.states["flow"] == flow]
        return {} if note is None or not len(client) else notes_by_cause(note, int(client[0]))

    def slow_notes(self, count: int) -> Iterator[tuple[int, list[tuple[str, dict[str, Any]]]]]:
        """Of the connections that lost most time, each with its number: (cause, the same), of each side."""
        tracker = self.flow_tracker
        known = {int(flow) - 1: at for at, flow in enumerate(tracker.notes["flow"].tolist()) if flow}
        for place in self._accounts[1][:count]:
            flow = int(tracker.states["flow"][place])
            note = tracker.notes[known[flow]] if flow in known else None
            if note is not None and not note["partial"]:
                yield flow, list(notes_by_side(note, int(tracker.states["client"][place])))

    @property
    def account(self) -> Account:
        """Where the frames came from, and how many of them there are."""
        told = [each.dropped for each in self._recordings() if each.dropped >= 0]
        dropped = sum(told) if told else None
        return Account(self.files, self.interfaces, self.damages, self.summary, self.flow_tracker, dropped, self._notes)

    @property
    def start_ns(self) -> int:
        """When the whole capture begins, whatever of it was asked for: texts count from there, as `between` does."""
        return self.summary.total("first_ns") if self._start_ns is None else self._start_ns

    @property
    def is_damaged(self) -> bool:
        """Was the input cut short or damaged, or recorded to an early end?"""
        return bool(self.damages or any(each.unfinished for each in self._recordings()))

    def _recordings(self) -> list[Recording]:
        """How the bundles were recorded, as far as they say it."""
        return [host.recording for host in self._recorded if host.recording is not None]

    @cached_property
    def _recorded(self) -> list[Host]:
        """What the bundles say of their hosts, read once: it stays the same for all that is said of them."""
        return [host for host in map(host_of, self.paths) if host is not None]

    @cached_property
    def capture(self) -> dict[str, Any]:
        """Files, interfaces, counts, protocols, drops and damages."""
        return self.account.as_dict()

    @property
    def drops(self) -> dict[str, int | None]:
        """Packets that the capture itself lost, as far as the file says; None where it says nothing."""
        return self.account.drops

    @cached_property
    def warnings(self) -> list[str]:
        """What the reader should know before trusting the rest, a sentence each."""
        settings = [f"{host.path}: {text}" for host in self._recorded if host.sysctls for text in _unfit(host.sysctls)]
        counters = self.counter_series.notes if self.counter_series else []
        hosts = [note for host in self._recorded for note in host.notes]
        sockets = self.socket_lists.notes if self.socket_lists is not None else []
        return list(map(shown, [*self.account.warnings(), *hosts, *settings, *counters, *sockets]))


def _local(named: Sequence[str], checksums: Checksums | None) -> list[str]:
    return list(named) or [host.address for host in (checksums.hosts if checksums else ())]


def _listed(lists: SocketLists | None, flows: FlowTracker, local: Callable[[], list[str]]) -> Listed | None:
    if lists is None:
        return None
    from analyzer.sockets.listed import Listed

    return Listed(lists, flows, local)


def _unfit(sysctls: Mapping[str, str]) -> list[str]:
    """The settings with values that they cannot have."""
    from analyzer.prediction.world import unfit_settings

    return unfit_settings(sysctls)
