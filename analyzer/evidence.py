"""An Analysis -> what rules are asked about: signals, and bounded tables that are made when a rule first names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from analyzer.analysis import Analysis
from analyzer.checksums.result import HARMFUL
from analyzer.correlate import NOT_COMPARABLE, UNOBSERVABLE, Compared
from analyzer.correlate import table as counter_table
from analyzer.correlate import texts as counter_texts
from analyzer.counters import deltas
from analyzer.diagnosis.engine import Ends, Evidence, diagnose
from analyzer.diagnosis.finding import Diagnosis, Proof
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.signals import Signals
from analyzer.diagnosis.views import (
    COUNTER_INTERVALS,
    ICMP_ERRORS,
    PORTS,
    SOCKETS_SEEN,
    WAITS,
    Columns,
    arrays_of,
    columns_of,
)
from analyzer.events.gather import TROUBLE, frames_of
from analyzer.flows.ports import ports_of
from analyzer.kinds import CAUSES, NAMES
from analyzer.schema import Rows, address_text
from analyzer.tables import CAPTURE_FACTS, CHECKSUMS, COUNTER_VERDICTS, FLOW_EVENTS, FLOWS, HOSTS

MOST_FLOWS = 20_000
DEFAULT_PORTS = (32_768, 60_999)  # net.ipv4.ip_local_port_range of Linux
THINKING, THOUGHT_NS = ("client_think", "server_think", "sender_stall", "idle"), 100_000_000
LOST_NS = 10_000_000  # what connections lost to a cause, to be a signal


def diagnosed(analysis: Analysis, rules: Sequence[Rule], limit_s: float | None = None) -> Diagnosis:
    """What the rules say of it."""
    return diagnose(rules, _Seen(analysis).evidence(), limit_s)


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
        if analysis.counter_series is not None:
            available |= {"counters", "counter_intervals"}
        if analysis.has_sockets:
            available.add("sockets")
        if analysis.sysctls:
            available.add("sysctls")
        if analysis.checksum_result is not None:
            available.add("checksums")
        untimely = [fact.text for fact in analysis.facts if fact.fact == "made_up_times"]
        doubts = {"times": f"Of the capture itself: {untimely[0]}."} if untimely else {}
        return Evidence(self.signals, available, self._sources(), self.ends, lambda: self.moved, doubts)

    def _sources(self) -> Mapping[str, Callable[[], Columns]]:
        return {
            "flows": lambda: columns_of(FLOWS, self.flows),
            "flow_events": lambda: columns_of(
                FLOW_EVENTS,
                self.analysis.gathered,
                {
                    "frames": frames_of(self.analysis.gathered),
                    "related_frames": frames_of(self.analysis.gathered, "related"),
                },
            ),
            "waits": self.waits,
            "connection_states": self.states,
            "capture_facts": self.facts,
            "checksums": self.checksums,
            "counters": self.counters,
            "counter_intervals": self.intervals,
            "sockets": self.sockets,
            "local_addresses": lambda: arrays_of({"address": self.analysis.local}),
            "sysctls": self.sysctls,
            "hosts": self.hosts,
            "capture": self.capture,
            "icmp_errors": self.icmp_errors,
            "ports_in_use": self.ports,
        }

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
        low, high = self.port_range or DEFAULT_PORTS
        listed = analysis.sockets_seen.taken.rows if analysis.has_sockets else 0
        if 2 * max(analysis.flow_tracker.total, listed) >= 1 + high - low:
            seen.add("many_ports")
        if analysis.has_sockets and analysis.sockets_seen.foreign:
            seen.add("foreign_sockets")
        seen |= self._counter_signals()
        return Signals(
            {
                "events": self._event_signals(),
                "counters": {each.counter for each in self.compared if each.observed > 0},
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
        pairs = np.unique(gathered["event"].astype(np.int64) * len(CAUSES) + gathered["cause"])
        told = (divmod(pair, len(CAUSES)) for pair in pairs.tolist())
        return {*self.analysis.event_counts, *(f"{NAMES[event]}/{CAUSES[cause]}" for event, cause in told if cause)}

    def _counter_signals(self) -> set[str]:
        if not self.compared:
            return set()
        from analyzer.catalogue import is_routine

        odd = any(each.observed > 0 and not is_routine(each.counter) for each in self.compared)
        # Of what cannot be compared because the host counted less than was captured, too.
        differing = any(
            COUNTER_VERDICTS[each.verdict] in ("under", "over")
            or (each.verdict == NOT_COMPARABLE and each.observed < each.predicted)
            for each in self.compared
        )
        return ({"odd_counters"} if odd else set()) | ({"differing_counters"} if differing else set())

    # Flows

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

    def waits(self) -> Columns:
        found: dict[str, list[Any]] = {column.name: [] for column in WAITS.columns}
        for flow, notes in self.analysis.slow_notes(MOST_FLOWS // 4):
            for cause, note in notes:
                side = ("client", "server")[note["direction"]]
                values = (
                    flow,
                    cause,
                    side,
                    note["count"],
                    note["ns"],
                    note["longest_ns"],
                    note["first_frame"],
                    note["longest_frame"],
                )
                for name, value in zip(found, values, strict=True):
                    found[name].append(value)
        return arrays_of(found)

    def states(self) -> Columns:
        counts = self.analysis.flow_tracker.state_counts()
        return arrays_of({"state": list(counts), "connections": list(counts.values())})

    # The capture

    def facts(self) -> Columns:
        facts = self.analysis.facts
        return arrays_of(
            {column.name: [getattr(fact, column.name) for fact in facts] for column in CAPTURE_FACTS.columns}
        )

    def capture(self) -> Columns:
        analysis = self.analysis
        summary = analysis.summary
        drops = [value for name, value in analysis.drops.items() if value is not None and name != "interface_received"]
        row = {
            "frames": summary.total("frames"),
            "start_ns": summary.total("first_ns"),
            "end_ns": summary.total("last_ns"),
            "connections": sum(analysis.flow_tracker.state_counts().values()),
            "dropped": sum(drops) if drops else -1,
            "cut": summary.quirks.get("cut", 0),
            "copies": summary.total("copies"),
            "icmp_errors": analysis.icmp_errors.total,
        }
        return arrays_of({name: [value] for name, value in row.items()})

    def icmp_errors(self) -> Columns:
        found = self.analysis.icmp_errors.rows
        return arrays_of(
            {column.name: [getattr(each, column.name) for each in found] for column in ICMP_ERRORS.columns}
        )

    def checksums(self) -> Columns:
        result = self.analysis.checksum_result
        if result is None:
            return {}
        found = columns_of(CHECKSUMS, result.rows())
        found["harmful"] = np.array([verdict.word in HARMFUL for verdict in result.verdicts], np.int64)
        return found | arrays_of({"says": ["; ".join(verdict.evidence) for verdict in result.verdicts]})

    def sysctls(self) -> Columns:
        known = self.analysis.sysctls
        return arrays_of({"name": list(known), "value": list(known.values())})

    def hosts(self) -> Columns:
        """The table `hosts`; an MTU that is not known is -1."""
        rows, texts, mtus = self.analysis.hosts_rows()
        given = {name: list(values) for name, values in texts.items()} | {"mtu": [0] * len(rows)}
        return columns_of(HOSTS, rows, given) | {"mtu": np.where(mtus > 0, mtus, -1)}

    # Ports

    @cached_property
    def port_range(self) -> tuple[int, int] | None:
        """The ports that the host of the capture may choose from for its own connections, where its settings are known."""
        words = self.analysis.sysctls.get("net.ipv4.ip_local_port_range", "").split()
        if len(words) != 2 or not all(word.isdecimal() and len(word) <= 5 for word in words):
            return None
        low, high = map(int, words)
        return (low, high) if low <= high else None

    def ports(self) -> Columns:
        analysis = self.analysis
        found: dict[str, list[Any]] = {column.name: [] for column in PORTS.columns}
        listed = analysis.sockets_seen.taken.ports() if analysis.has_sockets else None
        for source, rows in (("capture", ports_of(analysis.flow_tracker)), ("sockets", listed)):
            for row in () if rows is None else rows:
                version = int(row["version"])
                ends = [
                    address_text(int(row[f"{end}_hi"]), int(row[f"{end}_lo"]), version) for end in ("address", "peer")
                ]
                own = self.port_range if source == "sockets" or ends[0] in analysis.local else None
                numbers = [
                    int(row[name])
                    for name in (
                        "peer_port",
                        "ports",
                        "lowest",
                        "highest",
                        "time_wait",
                        "close_wait",
                        "reused",
                        "time_ns",
                    )
                ]
                values = [source, *ends, *numbers, *(own or DEFAULT_PORTS), int(own is not None)]
                for column, value in zip(found.values(), values, strict=True):
                    column.append(value)
        return arrays_of(found)

    # Counters and sockets

    @cached_property
    def compared(self) -> Sequence[Compared]:
        """Every counter over the whole time of the snapshots; where nobody knows whose they are, only by how much it moved."""
        analysis = self.analysis
        if analysis.counter_series is None:
            return []
        if analysis.comparison is not None:
            return analysis.comparison.whole()
        total: dict[str, int] = {}
        start = end = 0
        for interval in deltas(analysis.counter_series):
            start, end = start or interval.start_ns or 0, interval.end_ns
            for name, value in interval.values.items():
                total[name] = total.get(name, 0) + value
        reason = "the host that took the capture is not known"
        return [
            Compared(name, start, end, value, 0, 0, 0, UNOBSERVABLE, NOT_COMPARABLE, reason)
            for name, value in total.items()
            if value
        ]

    @cached_property
    def moved(self) -> Mapping[str, Proof]:
        """What counters did, by name."""
        return {
            each.counter: Proof(
                each.counter,
                each.observed,
                None if each.relation == UNOBSERVABLE else each.predicted,
                COUNTER_VERDICTS[each.verdict],
            )
            for each in self.compared
            if each.observed > 0
        }

    def counters(self) -> Columns:
        from analyzer.catalogue import CATALOGUE, is_routine

        found = self._counter_columns(self.compared)
        entries = [CATALOGUE.get(each.counter) for each in self.compared]
        routine = [int(is_routine(each.counter)) for each in self.compared]
        means = [entry.meaning if entry else "" for entry in entries]
        points = [entry.points_at if entry else "" for entry in entries]
        return found | arrays_of({"routine": routine, "means": means, "points_at": points})

    def intervals(self) -> Columns:
        comparison = self.analysis.comparison
        return self._counter_columns(comparison.rows() if comparison else [])

    def _counter_columns(self, compared: Sequence[Compared]) -> Columns:
        texts = counter_texts(self.analysis.host_name, compared)
        return columns_of(
            COUNTER_INTERVALS, counter_table(compared), {name: list(values) for name, values in texts.items()}
        )

    def sockets(self) -> Columns:
        rows = self.analysis.sockets_seen.rows()
        return arrays_of({column.name: [row[column.name] for row in rows] for column in SOCKETS_SEEN.columns})
