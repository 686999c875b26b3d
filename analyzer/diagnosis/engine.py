"""Rules and evidence in, findings out: grouped, explained by each other, ranked by what they cost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import groupby
from typing import Any, NamedTuple

from analyzer.diagnosis.database import LIMIT_S, Database, QueryError
from analyzer.diagnosis.finding import Diagnosis, Finding, NotChecked, Proof, Span
from analyzer.diagnosis.rule import Rule
from analyzer.diagnosis.signals import Signals
from analyzer.diagnosis.spent import IS_OF_THREADS
from analyzer.diagnosis.views import Source, arrays_of
from analyzer.fields import of_fields
from analyzer.tables import CONFIDENCES, FINDING_SIDES, SEVERITIES
from analyzer.text import duration_text, endpoint

MOST_FLOWS, MOST_FRAMES, MOST_PROOFS = 100, 8, 4
MOST_FINDINGS = 100  # of one rule
# What a rule may lack: its name, and how to have it.
WHAT_TO_RECORD = {
    "counters": ("kernel counters", "`nstat -az` before and after, with --snapshots, or a bundle; and --host where it is not known whose they are"),
    "sockets": ("socket lists", "`ss -tanimoe` while it happens, with --sockets, or a bundle"),
    "sysctls": ("the host's settings", "host.json of a bundle"),
    "checksums": ("verified checksums", "without --no-checksums"),
}  # fmt: skip
# Columns of an answer that the engine reads itself; all others are evidence.
OWN = (
    "group", "flow", "connections", "side", "severity", "confidence", "host", "start_ns", "end_ns", "cost_ns", "cost_bytes",
    "failed", "frames", "proof", "against",
)  # fmt: skip

Row = dict[str, Any]


class Ends(NamedTuple):
    """The two ends of a flow; `known` says that the handshake told who is who."""

    client: str
    client_port: int
    server: str
    server_port: int
    known: bool


@of_fields(frozen=True)
class Evidence:
    """What rules are asked about.

    `available` are the tables that were recorded, `sources` make their columns, `ends` says who talks in a flow,
    `moved` what counters did, `doubts` what of the capture is not to be trusted (`rule.TRUSTED`), and why.
    """

    signals: Signals
    available: Collection[str]
    sources: Mapping[str, Source]
    ends: Callable[[int], Ends | None]
    moved: Callable[[], Mapping[str, Proof]]
    doubts: Mapping[str, str] = field(default_factory=dict)


def diagnose(
    rules: Sequence[Rule], evidence: Evidence, limit_s: float | None = None, *, at_once: bool = True
) -> Diagnosis:
    """Ask those rules for which there is a reason, several at a time unless told otherwise. A rule that fails harms no other: it is among those not checked."""
    not_checked: list[NotChecked] = []
    asked = []
    # What the findings of others explain is asked for last.
    for rule in sorted(rules, key=_is_last):
        lacking = rule.lacks(evidence.available)
        if lacking:
            not_checked.append(_lacks(rule, lacking))
        elif rule.applies(evidence.signals):
            asked.append(rule)
    findings: list[Finding] = []
    left_out: dict[str, int] = {}
    sources = dict(evidence.sources)
    sources["explained_counters"] = lambda _: arrays_of(
        {"counter": sorted({each.counter for finding in findings for each in finding.counters})}
    )
    for rule, answer in _answers(asked, sources, LIMIT_S if limit_s is None else limit_s, at_once):
        try:
            if isinstance(answer, QueryError):
                raise answer
            found = found_by(rule, answer, evidence)
            if len(found) > MOST_FINDINGS:
                left_out[rule.id] = len(found) - MOST_FINDINGS
                found = sorted(found, key=lambda finding: finding.weight, reverse=True)[:MOST_FINDINGS]
            findings += found
        except (QueryError, KeyError, TypeError, ValueError) as error:
            not_checked.append(NotChecked(rule.id, (), f"{rule.path}: failed ({error}); its other findings are lost"))
    return Diagnosis(told(findings), not_checked, [rule.id for rule in asked], left_out)


def _is_last(rule: Rule) -> bool:
    return "explained_counters" in rule.sql


def _lacks(rule: Rule, lacking: tuple[str, ...]) -> NotChecked:
    """What it would need, in words."""
    wanted = (": ".join(WHAT_TO_RECORD.get(name, (name,))) for name in lacking)
    any_of = lacking == rule.any_of
    text = f"{rule.title}: needs {('; or ' if any_of else '; and ').join(wanted)}"
    return NotChecked(rule.id, lacking, text, any_of)


def _answers(
    rules: Sequence[Rule], sources: Mapping[str, Source], limit_s: float, at_once: bool
) -> Iterator[tuple[Rule, list[Row] | QueryError]]:
    """Each rule with the rows that answer it, or why there are none. What strangers ask is asked alone: it may not have all memory."""
    if not rules:
        return
    own = all(rule.own for rule in rules)
    refused = {} if own else _refused(rule.sql for rule in rules if not rule.own)
    # A stranger may want to see with `*` whatever there is.
    database = Database(sources, limit_s, [rule.sql for rule in rules] if own else None)
    try:
        if own and at_once and IS_OF_THREADS:
            for _, some in groupby(rules, _is_last):
                group = list(some)
                yield from zip(group, database.answers([rule.sql for rule in group]), strict=True)
            return
        for rule in rules:
            try:
                if rule.sql in refused:
                    raise QueryError(refused[rule.sql])
                answer: list[Row] | QueryError = database.query(rule.sql, rule.own)
            except QueryError as error:
                answer = error
            yield rule, answer
    finally:
        database.close()


def _refused(queries: Iterable[str]) -> dict[str, str]:
    """Those of strangers that DuckDB cannot read, and why; where there are none, nobody tries."""
    strange = list(queries)
    if not strange:
        return {}
    from analyzer.diagnosis.trial import TOO_MUCH, harmful

    return dict.fromkeys(harmful(strange), TOO_MUCH)


def found_by(rule: Rule, rows: Sequence[Row], evidence: Evidence) -> list[Finding]:
    """The findings of one rule: rows of one group are one."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        key = row.get("group")
        if key is None:
            key = (row.get("server"), row.get("server_port"))
        groups.setdefault(key, []).append(row)
    return [_finding(rule, group, evidence) for group in groups.values()]


def _finding(rule: Rule, rows: list[Row], evidence: Evidence) -> Finding:
    rows = sorted(rows, key=_weight, reverse=True)
    worst = rows[0]
    flows = list(dict.fromkeys(int(row["flow"]) for row in rows if row.get("flow") is not None and row["flow"] >= 0))
    told_apart = len(flows)
    connections = sum(int(row["connections"]) for row in rows) if "connections" in worst else told_apart
    cost = _sum(rows, "cost_ns")
    who, server = _who(flows, connections, evidence)
    added = {"who": who, "connections": connections, "rows": len(rows), "cost": duration_text(cost)}
    added["worst"] = _connection(flows[0], evidence) if flows else who
    moved = evidence.moved() if rule.counters else {}
    times = [int(row["start_ns"]) for row in rows if row.get("start_ns")]
    ends = [int(row["end_ns"]) for row in rows if row.get("end_ns")]
    proofs = list(dict.fromkeys(str(row["proof"]) for row in rows if row.get("proof")))
    against = list(dict.fromkeys(str(row["against"]) for row in rows if row.get("against")))
    doubts = [evidence.doubts[word] for word in rule.rests_on if word in evidence.doubts]
    severity = max((row.get("severity") or rule.severity for row in rows), key=_severity)
    return Finding(
        rule=rule,
        severity=_one_of(SEVERITIES, "info" if doubts else severity),
        summary=_sentence(rule.summary.fill(worst, rows, added)),
        side=_one_of(FINDING_SIDES, worst.get("side") or rule.side),
        host=str(worst.get("host") or ""),
        flows=flows[:MOST_FLOWS],
        connections=connections,
        frames=_frames(rows),
        start_ns=min(times, default=0),
        end_ns=max(ends, default=max(times, default=0)),
        cost_ns=cost,
        cost_bytes=_sum(rows, "cost_bytes"),
        failed=_sum(rows, "failed"),
        confidence=_one_of(CONFIDENCES, "possible" if doubts else worst.get("confidence") or rule.confidence),
        evidence={name: value for name, value in worst.items() if name not in OWN and value is not None},
        proofs=proofs[:MOST_PROOFS],
        counters=[moved[name] for name in rule.counters if name in moved],
        against=[*doubts, *(_filled(text, worst) for text in (*against, *rule.against))],
        next=[_filled(text, worst) for text in rule.next],
        server=server or _endpoint_of(worst),
        spans=_spans(rows, evidence),
    )


def _spans(rows: Sequence[Row], evidence: Evidence) -> dict[int, Span]:
    """Of each connection when something was found in it, from the first to the last."""
    found: dict[int, Span] = {}
    for row in rows:
        if row.get("flow") is None or row["flow"] < 0:
            continue
        flow, start = int(row["flow"]), int(row.get("start_ns") or 0)
        end = int(row.get("end_ns") or start)
        if flow in found:
            start, end = min(start, found[flow].start_ns), max(end, found[flow].end_ns)
        ends = evidence.ends(flow)
        hosts = frozenset((f"flow {flow}",) if ends is None else (ends.client, ends.server))
        found[flow] = Span(hosts, start, end)
    return found


def _weight(row: Row) -> tuple[int, int, int, int]:
    values = (int(row.get(name) or 0) for name in ("failed", "cost_ns", "cost_bytes"))
    failed, cost, size = values
    return (_severity(row.get("severity") or ""), failed, cost, size)


def _severity(word: str) -> int:
    return SEVERITIES.index(word) if word in SEVERITIES else -1


def _one_of(words: Sequence[str], word: str) -> str:
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(each for each in words if each)}")
    return word


def _sum(rows: Sequence[Row], name: str) -> int:
    return sum(int(row.get(name) or 0) for row in rows)


def _frames(rows: Sequence[Row]) -> list[int]:
    """Those of the worst row first, then one of each other."""
    found = [int(frame) for frame in rows[0].get("frames") or () if frame]
    for row in rows[1:]:
        found += [int(frame) for frame in (row.get("frames") or ())[:2] if frame]
    return sorted(dict.fromkeys(found[:MOST_FRAMES]))


def _who(flows: Sequence[int], connections: int, evidence: Evidence) -> tuple[str, str]:
    """Which connection, or how many and whose; and the endpoint of the server that they share."""
    known = [ends for ends in map(evidence.ends, flows) if ends is not None]
    servers = {(each.server, each.server_port) for each in known}
    clients = {each.client for each in known}
    shared = endpoint(*next(iter(servers))) if len(servers) == 1 else ""
    if len(flows) == 1 and connections <= 1:
        return _connection(flows[0], evidence), shared
    text = f"{connections:,} connection{'' if connections == 1 else 's'}"
    if len(clients) == 1:
        text += f" of {next(iter(clients))}"
    if shared:
        text += f" to {shared}"
    elif len({server for server, _ in servers}) == 1:
        text += f" to {next(iter(servers))[0]}"
    return text, shared


def _connection(flow: int, evidence: Evidence) -> str:
    ends = evidence.ends(flow)
    if ends is None:
        return f"flow {flow}"
    arrow = ">" if ends.known else "-"
    return f"{endpoint(ends.client, ends.client_port)} {arrow} {endpoint(ends.server, ends.server_port)}"


def _endpoint_of(row: Row) -> str:
    server, port = row.get("server"), row.get("server_port")
    return endpoint(str(server), int(port)) if server and port is not None else ""


def _sentence(text: str) -> str:
    """In one line, and with a capital letter in front; an address or a name stays as it is."""
    text = " ".join(text.split())
    first = text.partition(" ")[0]
    return text[:1].upper() + text[1:] if first.replace("-", "").isalpha() else text


def _filled(text: str, row: Row) -> str:
    """A next step with columns of the worst row, where it names them; commands may hold braces of their own."""
    for name, value in row.items():
        if value is not None:
            text = text.replace(f"{{{name}}}", str(value))
    return text


def told(findings: Sequence[Finding]) -> list[Finding]:
    """In the order in which they are told, numbered: causes, worst first, each followed by what it explains."""
    by_weight = sorted(findings, key=lambda finding: finding.weight, reverse=True)
    for finding in by_weight:
        finding.explained.clear()
    causes: list[Finding] = []
    owner: dict[int, Finding] = {}
    for finding in by_weight:
        cause = next((each for each in by_weight if each is not finding and _explains(each, finding, owner)), None)
        if cause is not None:
            owner[id(finding)] = cause
    for finding in by_weight:
        cause = owner.get(id(finding))
        while cause is not None and id(cause) in owner:
            cause = owner[id(cause)]
        if cause is None:
            causes.append(finding)
        else:
            cause.explained.append(finding)
    # A cause weighs what its consequences cost, too.
    causes.sort(key=lambda finding: max([finding.weight, *(each.weight for each in finding.explained)]), reverse=True)
    ordered = []
    for cause in causes:
        ordered += [cause, *cause.explained]
    for number, finding in enumerate(ordered, start=1):
        finding.number = number
    for cause in causes:
        for finding in cause.explained:
            finding.because_of = cause.number
    return ordered


def _explains(cause: Finding, finding: Finding, owner: Mapping[int, Finding]) -> bool:
    """Is the one a consequence of the other: does the rule say so, and are they about the same connections, or the same hosts at the same time?"""
    if finding.rule.id not in cause.rule.explains:
        return False
    if cause.severity == "info" and finding.severity != "info":
        return False  # what is only worth knowing must not hide what matters
    senders = {each.evidence["sender_side"] for each in (cause, finding) if "sender_side" in each.evidence}
    if len(senders) > 1:
        return False  # what the one end has lost is no consequence of what the other has
    before: Finding | None = cause
    while before is not None:  # not in a circle
        if before is finding:
            return False
        before = owner.get(id(before))
    return finding.follows_from(cause)
