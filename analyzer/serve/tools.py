"""What an assistant may ask for. Each answer is an object of bounded size, which says where there is more."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from threading import RLock
from typing import Any

from analyzer.analysis import Analysis
from analyzer.choose import EVERYTHING, Choice, choice_of
from analyzer.choose.closed import refuse_open
from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.moments import timed, with_texts
from analyzer.report.answer_text import answer_dict
from analyzer.report.console import overview_text
from analyzer.report.finding_text import nothing_wrong
from analyzer.report.flow_json import flow_dict
from analyzer.report.flow_list import first_of, sort_key
from analyzer.report.json_text import SCHEMA_VERSION, findings_dicts
from analyzer.schema import Rows
from analyzer.serve.captures import Captures
from analyzer.tables import FLOWS, TABLES

MOST_BYTES = 40_000  # of an answer
MOST_ROWS = 200
MOST_COMMENTS = 20
MOST_LINES = 200  # of a time line
FEW_COLUMNS = (
    "flow", "protocol", "client", "client_port", "server", "server_port", "start_ns", "duration_ns", "state", "client_packets",
    "server_packets", "client_payload", "server_payload", "client_retransmissions", "server_retransmissions", "handshake_rtt_ns", "events",
)  # fmt: skip
TOLD_OF_FINDINGS = ("finding", "rule", "severity", "summary", "side", "host", "connections", "flows", "frames", "start_time", "cost_ns", "failed", "confidence", "because_of")  # fmt: skip


@of_fields(frozen=True)
class Part:
    """A part of a capture: only the frames that satisfy all of it, as if there were no others; numbers of frames and flows stay those of the whole. `filter` is in tcpdump's language (`host 192.0.2.1 and port 80`), with addresses and no names of hosts; `flow` are numbers of connections (`3` or `3,7`); `between` two times (`12:59:26.8` UTC, seconds since the epoch, or since the capture began: `+5s`; `-` is no bound); `frames` are numbers (`10-20`, `10-` or `7`)."""

    filter: str = ""
    flow: str = ""
    between: tuple[str, str] | None = None
    frames: str = ""

    def choice(self) -> Choice:
        """What of the capture is asked for. Raises UsageError for what cannot be meant, and for names of hosts."""
        refuse_open(self.filter)
        return choice_of(self.filter or None, self.flow or None, self.between, self.frames or None)


class Tools:
    """The tools, one method each; their docstrings are what an assistant reads. All can be asked about a `part` of a capture."""

    def __init__(self, captures: Captures) -> None:
        self._captures = captures
        self._lock = RLock()  # one question at a time: a database and a reader are no place for two

    def _analysis(self, capture: str, part: Part | None) -> Analysis:
        return self._captures.analysis(capture, part.choice() if part else EVERYTHING)

    def all(self) -> list[Callable[..., dict[str, Any]]]:
        """In the order in which they are mostly used."""
        return [self.open, self.findings, self.flows, self.flow, self.frames, self.counters, self.sql]

    def open(self, capture: str, part: Part | None = None) -> dict[str, Any]:
        """Read a packet capture (pcap, pcapng, snoop, compressed or not) or a bundle of one with kernel counters, and say what is in it: frames, times, connections by state, how many findings, warnings that limit what can be trusted. Ask this first; then `findings`."""
        with self._lock:
            analysis = self._analysis(capture, part)
            about = timed(analysis.capture)
            counts: dict[str, int] = {}
            for finding in analysis.diagnosis.findings:
                counts[finding.severity] = counts.get(finding.severity, 0) + 1
            found = {
                "schema_version": SCHEMA_VERSION,
                "overview": overview_text(analysis),
                "nothing_wrong": nothing_wrong(analysis),
                "findings": counts,
                "states": analysis.flow_tracker.state_counts(),
                "start_time": about.get("first_time"),
                "end_time": about.get("last_time"),
                "capture_facts": [asdict(fact) for fact in analysis.facts],
                "events": analysis.event_counts,
                "has_counters": analysis.counter_series is not None,
                "has_sockets": analysis.has_sockets,
                "tables": {table.name: table.doc.split(". ")[0] for table in TABLES.values()},
                "warnings": analysis.warnings,
            }
            return bounded(found, "warnings")

    def findings(
        self, capture: str, number: int | None = None, limit: int = 20, part: Part | None = None
    ) -> dict[str, Any]:
        """What is wrong, the worst cause first, each with what it cost, whose side it is and the frames that prove it. With `number`, one finding with all its evidence, what speaks against it and what to do next."""
        with self._lock:
            analysis = self._analysis(capture, part)
            if number is not None:
                one = findings_dicts([analysis.finding(number)])[0]
                return bounded({"schema_version": SCHEMA_VERSION, "finding": one, "flows": one.pop("flows")}, "flows")
            every = findings_dicts(analysis.diagnosis.findings)
            told = [{name: each[name] for name in TOLD_OF_FINDINGS} for each in every]
            shown = told[: rows_of(limit)]
            found = {
                "schema_version": SCHEMA_VERSION,
                "nothing_wrong": nothing_wrong(analysis),
                "findings": shown,
                "total": len(told),
                "not_checked": len(analysis.diagnosis.not_checked),
            }
            return bounded(found, "findings")

    def flows(
        self,
        capture: str,
        sort: str = "bytes",
        limit: int = 20,
        columns: list[str] | None = None,
        part: Part | None = None,
    ) -> dict[str, Any]:
        """Connections, most of `sort` first: bytes, packets, duration, loss, retransmissions, timeouts, rtt, rate, zero-window, server-time, lost-time, or a column of numbers. `columns` names others than the usual ones."""
        with self._lock:
            analysis = self._analysis(capture, part)
            names = list(columns or FEW_COLUMNS)
            for name in names:
                FLOWS[name]  # says what is not there
            rows, total = first_of(analysis.flow_parts(), sort_key(sort), rows_of(limit))
            told = records(rows, names)
            return bounded(
                {
                    "schema_version": SCHEMA_VERSION,
                    "flows": told,
                    "total": total,
                    "left": dict(analysis.flow_tracker.left),
                },
                "flows",
            )

    def flow(self, capture: str, flow: str, first_line: int = 1, part: Part | None = None) -> dict[str, Any]:
        """One connection (its number, or ADDRESS:PORT of an end): who, what they agreed on, round trips, where its time went, pauses with their causes, findings, and a time line of both sides with events in words, as text from `first_line` on."""
        with self._lock:
            found = self._analysis(capture, part).flow(flow)
            about = flow_dict(found, frames=False)
            about.pop("flow")
            about["comments"] = about["comments"][:MOST_COMMENTS]
            lines = found.text().partition("\ntime line\n")[2].splitlines()
            start = max(first_line, 1) - 1
            shown = lines[start : start + MOST_LINES]
            return bounded(
                {**about, "number": found.number, "first_line": start + 1, "lines": len(lines), "time_line": shown},
                "time_line",
            )

    def frames(self, capture: str, numbers: list[int], part: Part | None = None) -> dict[str, Any]:
        """Single frames by their numbers, as Wireshark counts them: what is not empty of each, and the events on it."""
        with self._lock:
            some = numbers[:MOST_ROWS]
            packets = with_texts(self._analysis(capture, part).frames(some))
            told = [
                {
                    str(name): value
                    for name, value in row.items()
                    if value not in ("", 0) or name in ("flow", "direction")
                }
                for row in json.loads(packets.to_json(orient="records"))
            ]
            listed = ", ".join(str(int(number)) for number in some) or "NULL"
            events = self._captures.ask(capture, part.choice() if part else EVERYTHING).query(
                f"FROM events WHERE frame IN ({listed}) ORDER BY frame"
            )
            rows, _ = events.first(MOST_ROWS)
            said = [dict(zip(events.names, row, strict=True)) for row in rows]
            found = {"schema_version": SCHEMA_VERSION, "events": said, "frames": told, "total": len(numbers)}
            return bounded(found, "frames")

    def counters(self, capture: str, name: str = "", limit: int = 50, part: Part | None = None) -> dict[str, Any]:
        """The kernel's counters (nstat) over the whole time of the snapshots, beside what the packets predict; only those whose name has `name` in it. What disagrees comes first. Empty without snapshots in the bundle."""
        with self._lock:
            frame = with_texts(self._analysis(capture, part).counters_whole)
            rows = [
                row for row in json.loads(frame.to_json(orient="records")) if name.lower() in row["counter"].lower()
            ]
            order = ("under", "over", "agree", "not_comparable")
            rows.sort(key=lambda row: order.index(row["verdict"]))
            shown = rows[: rows_of(limit)]
            return bounded({"schema_version": SCHEMA_VERSION, "counters": shown, "total": len(rows)}, "counters")

    def sql(self, capture: str, query: str, limit: int = 50, part: Part | None = None) -> dict[str, Any]:
        """One SELECT in DuckDB's SQL over the tables that `open` names; `DESCRIBE table` lists the columns of one. Times are nanoseconds since the epoch (`time_ns`) and timestamps (`time`). Nothing can be changed, no file read; it may take 30 s."""
        with self._lock:
            answer = self._captures.ask(capture, part.choice() if part else EVERYTHING).query(query)
            rows, more = answer.first(rows_of(limit))
            return bounded(answer_dict(answer.names, answer.types, rows, more), "rows")


def rows_of(limit: int) -> int:
    """How many rows are given. Raises UsageError where that is none."""
    if limit < 1:
        raise UsageError("limit", f"{limit}", f"give a number from 1 to {MOST_ROWS}")
    return min(limit, MOST_ROWS)


def records(rows: Rows, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of `flows` as objects with these columns, each moment with its text."""
    found: list[dict[str, Any]] = json.loads(with_texts(FLOWS.frame(rows)[list(names)]).to_json(orient="records"))
    return found


def bounded(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """The answer as plain JSON values, with as many items of the list `name` as there is room for; `more` says whether some were left out."""
    plain: dict[str, Any] = json.loads(json.dumps(answer, default=str))
    items = plain.pop(name)
    room = MOST_BYTES - len(json.dumps(plain))
    shown: list[Any] = []
    for item in items:
        room -= len(json.dumps(item)) + 2
        if room < 0:
            break
        shown.append(item)
    more = bool(answer.get("more")) or len(shown) < len(items) or plain.get("total", len(items)) > len(items)
    return {**plain, name: shown, "more": more}
