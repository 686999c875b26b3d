"""An Analysis -> what rules are asked about: signals, and bounded tables that are made when a rule first names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from analyzer.analysis import Analysis
from analyzer.diagnosis.engine import Ends, Evidence, diagnose
from analyzer.diagnosis.finding import Diagnosis
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.signals import Signals
from analyzer.diagnosis.views import Columns, Named, Source, arrays_of, columns_of
from analyzer.events.gather import TROUBLE, frames_of
from analyzer.evidence import capture
from analyzer.kinds import CAUSES, NAMES
from analyzer.schema import Rows, address_text
from analyzer.tables import FLOW_EVENTS, FLOWS

if TYPE_CHECKING:
    from analyzer.evidence.counters import Counters

MOST_FLOWS = 20_000
THINKING, THOUGHT_NS = ("client_think", "server_think", "sender_stall", "idle"), 100_000_000
LOST_NS = 10_000_000  # what connections lost to a cause, to be a signal


def diagnosed(
    analysis: Analysis, rules: Sequence[Rule], limit_s: float | None = None, *, at_once: bool = True
) -> Diagnosis:
    """What the rules say of it."""
    return diagnose(rules, _Seen(analysis).evidence(), limit_s, at_once=at_once)


class _Seen:
    """Makes tables out of an Analysis, each once."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis

    def evidence(self) -> Evidence:
        available = {
            name
            for name in self._sources()
            if name not in ("counters", "counter_intervals", "sockets", "sysctls", "checksums")
        }
        analysis = self.analysis
        if self._counters is not None:
            available |= {"counters", "counter_intervals"}
        if analysis.has_sockets:
            available.add("sockets")
        if analysis.sysctls:
            available.add("sysctls")
        if analysis.checksum_result is not None:
            available.add("checksums")
        counters = self._counters
        return Evidence(
            self.signals,
            available,
            self._sources(),
            self.ends,
            lambda: counters.moved if counters else {},
            self._doubts(),
        )

    def _doubts(self) -> Mapping[str, str]:
        """What of the capture is not to be trusted, and why."""
        untimely = [fact.text for fact in self.analysis.facts if fact.fact == "made_up_times"]
        return {"times": f"Of the capture itself: {untimely[0]}."} if untimely else {}

    def _sources(self) -> Mapping[str, Source]:
        analysis, counters = self.analysis, self._counters
        return {
            "flows": lambda names: columns_of(FLOWS, self.flows, names=names),
            "flow_events": self.flow_events,
            "waits": lambda _: capture.waits(analysis),
            "connection_states": lambda _: capture.states(analysis),
            "capture_facts": lambda _: capture.facts(analysis),
            "checksums": lambda _: capture.checksums(analysis),
            "counters": lambda _: counters.whole() if counters else {},
            "counter_intervals": lambda _: counters.intervals() if counters else {},
            "sockets": lambda _: capture.sockets(analysis) if analysis.has_sockets else {},
            "local_addresses": lambda _: arrays_of({"address": analysis.local}),
            "sysctls": lambda _: capture.sysctls(analysis),
            "hosts": lambda _: capture.hosts(analysis),
            "capture": lambda _: capture.capture(analysis),
            "icmp_errors": lambda _: capture.icmp_errors(analysis),
            "ports_in_use": lambda _: capture.ports(analysis),
        }

    @cached_property
    def _counters(self) -> Counters | None:
        """None without snapshots."""
        series = self.analysis.counter_series
        if series is None:
            return None
        from analyzer.evidence.counters import Counters

        return Counters(self.analysis, series)

    # Signals

    @cached_property
    def signals(self) -> Signals:
        analysis = self.analysis
        result = analysis.checksum_result
        seen = {"flows"} if analysis.flow_tracker.total else set()
        if analysis.icmp_errors.total:
            seen.add("icmp_errors")
        if analysis.flow_tracker.total:
            ends = analysis.flow_tracker.ends
            seen |= {"super_segments"} if ends["super_segments"].any() else set()
            seen |= {"missing_data"} if "capture_gap" in analysis.event_counts else set()
        low, high = capture.port_range(analysis) or capture.DEFAULT_PORTS
        listed = analysis.sockets_seen.taken.rows if analysis.has_sockets else 0
        if 2 * max(analysis.flow_tracker.total, listed) >= 1 + high - low:
            seen.add("many_ports")
        if analysis.has_sockets and analysis.sockets_seen.foreign:
            seen.add("foreign_sockets")
        seen |= set(self._counters.signals()) if self._counters else set()
        return Signals(
            {
                "events": self._event_signals(),
                "counters": set(self._counters.moved) if self._counters else set(),
                "states": set(analysis.flow_tracker.state_counts()),
                "sockets": analysis.sockets_seen.states if analysis.has_sockets else set(),
                "facts": {fact.fact for fact in analysis.facts},
                "checksums": {verdict.word for verdict in result.verdicts} if result else set(),
                "times": {
                    cause
                    for cause, ns in analysis.time_spent.items()
                    if ns >= (THOUGHT_NS if cause in THINKING else LOST_NS)
                },
                "seen": seen,
            }
        )

    def _event_signals(self) -> set[str]:
        """The verdicts that there are, alone and with their causes."""
        gathered = self.analysis.gathered
        pairs = np.flatnonzero(np.bincount(gathered["event"].astype(np.int64) * len(CAUSES) + gathered["cause"]))
        told = (divmod(pair, len(CAUSES)) for pair in pairs.tolist())
        return {*self.analysis.event_counts, *(f"{NAMES[event]}/{CAUSES[cause]}" for event, cause in told if cause)}

    # Flows

    def flow_events(self, names: Named) -> Columns:
        gathered = self.analysis.gathered
        frames = {"frames": frames_of(gathered), "related_frames": frames_of(gathered, "related")}
        return columns_of(FLOW_EVENTS, gathered, frames, names)

    @cached_property
    def flows(self) -> Rows:
        """All of them, or of very many those that matter most."""
        tracker = self.analysis.flow_tracker
        if len(tracker) <= MOST_FLOWS:
            return tracker.rows()
        gathered = self.analysis.gathered
        troubled = gathered["flow"][(TROUBLE[gathered["event"]] > 0) & (gathered["flow"] >= 0)]
        worst, _ = tracker.troubled(MOST_FLOWS // 4)
        slow, _ = self.analysis.slow_flows(MOST_FLOWS // 4)
        large = tracker.busiest(MOST_FLOWS // 8)
        some = np.concatenate([worst["flow"], slow["flow"], large["flow"], troubled])
        _, first = np.unique(some, return_index=True)
        return tracker.rows_of(some[np.sort(first)[:MOST_FLOWS]])

    @cached_property
    def _at(self) -> dict[int, int]:
        return {flow: at for at, flow in enumerate(self.flows["flow"].tolist())}

    def ends(self, flow: int) -> Ends | None:
        """Addresses and ports of a flow, where it is one of these."""
        at = self._at.get(flow)
        if at is None:
            return None
        row = self.flows[at]
        version = int(row["ip_version"])
        client, server = (
            address_text(int(row[f"{side}_hi"]), int(row[f"{side}_lo"]), version) for side in ("client", "server")
        )
        told = bool(row["roles"] == FLOWS.bit("roles", "handshake"))
        return Ends(client, int(row["client_port"]), server, int(row["server_port"]), told)
