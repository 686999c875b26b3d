"""Facts of the capture: for each an input that has it, and a near miss; and copies, which are counted once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from analyzer import Analysis, analyze
from analyzer.exported import table_frames
from analyzer.passes import table_rows
from analyzer.report.console import console_text
from analyzer.report.json_text import json_pieces
from analyzer.tables import CAPTURE_FACTS, FACTS
from tests import build, pkt

HOUR_NS = 3600 * 10**9
SCRIPTED = Path(__file__).resolve().parent.parent / "samples" / "scripted"
START_NS = 1_763_660_000 * 10**9
HANDSHAKE = """
+0        < S  0:0(0) win 64240 <mss 1460{fields}>
+0.020000 > S. 0:0(0) ack 1 win 65160 <mss 1460{answer}>
+0.000100 < .  1:1(0) ack 1 win 64240{pure}
"""


def handshake() -> str:
    """Three frames without options but the MSS."""
    return HANDSHAKE.format(fields="", answer="", pure="")


def answered(count: int, side: str = "", start: int = 1) -> str:
    """So many segments of 100 bytes from the client, each acknowledged after 20 ms; perhaps only those of one `side`."""
    lines = []
    for number in range(count):
        first = start + 100 * number
        lines.append(("<", "+0.005", f"P. {first}:{first + 100}(100) ack 1 win 64240"))
        lines.append((">", "+0.020", f".  1:1(0) ack {first + 100} win 65160"))
    return "".join(f"{time} {way} {line}\n" for way, time, line in lines if side in ("", way))


def requests(count: int, pure: bool) -> str:
    """Requests and answers with timestamps, and the pure ACKs between them or not."""
    text, ms = "", 1000
    for number in range(count):
        mine, yours = 1 + 100 * number, 1 + 200 * number
        # What was sent between the answer and the next request, if that was not captured, shows in the echo.
        ts = f"<nop,nop,TS val {ms} ecr {8000 + ms - (50 if pure else 30)}>"
        text += f"+0.050 < P. {mine}:{mine + 100}(100) ack {yours} win 502 {ts}\n"
        if pure:
            text += f"+0.020 > .  {yours}:{yours}(0) ack {mine + 100} win 509 <nop,nop,TS val {8020 + ms} ecr {ms}>\n"
        text += (
            f"+0.030 > P. {yours}:{yours + 200}(200) ack {mine + 100} win 509 <nop,nop,TS val {8050 + ms} ecr {ms}>\n"
        )
        if pure:
            text += f"+0.001 < .  {mine + 100}:{mine + 100}(0) ack {yours + 200} win 502 <nop,nop,TS val {ms + 51} ecr {8050 + ms}>\n"
        ms += 100
    return text


def of_port(port: int, number: int, count: int) -> str:
    """A connection of its own to the port."""
    return f"isn client {1000 * number} server 77000\nat client_port {40000 + number}\nat server_port {port}\n" + (
        handshake() + answered(count)
    )


def many(ports: tuple[int, ...], count: int, apart_s: float) -> str:
    """So many connections to these ports in turn, each so long after the one before."""
    texts = [of_port(ports[number % len(ports)], number, 1) for number in range(1, count + 1)]
    return "".join(re.sub(r"\+0 +<", f"+{apart_s} <", text, count=1) for text in texts)


def at_steps(text: str, step_s: float, other_s: float = 0.0, every: int = 0) -> str:
    """The same frames, each so long after the one before; each so-manieth after another time."""
    lines = []
    for number, line in enumerate(text.strip().splitlines()):
        step = other_s if every and number % every == every - 1 else step_s
        lines.append(f"+{step:.6f} {line.split(maxsplit=1)[1]}\n")
    return "".join(lines)


def clocked(stamps: list[tuple[str, float, int]]) -> str:
    """A request and an answer with timestamps in turn, at these times and with these of the sender's clock."""
    text, seqs, clocks = "", {"<": 1, ">": 1}, {"<": 1000, ">": 8000}
    for way, time, ticks in stamps:
        other = "<" if way == ">" else ">"
        clocks[way] += ticks
        echo = f"<nop,nop,TS val {clocks[way]} ecr {clocks[other]}>"
        text += f"+{time} {way} P. {seqs[way]}:{seqs[way] + 100}(100) ack {seqs[other]} win 502 {echo}\n"
        seqs[way] += 100
    return text


TIMED = HANDSHAKE.format(
    fields=",nop,nop,TS val 900 ecr 0", answer=",nop,nop,TS val 7920 ecr 900", pure=" <nop,nop,TS val 920 ecr 7920>"
)
HURRIED = [("<", 0.0001, 80), (">", 0.0001, 80), ("<", 0.0001, 90), (">", 0.0001, 90)]


def twice(text: str) -> str:
    """Each frame of the client with payload again, a microsecond later and with the same ID."""
    lines, number = [], 1000
    for line in text.splitlines():
        if " < P." in line:
            number += 1
            lines.append(f"{line} [id {number}]")
            lines.append(f"+0.000001 {line.split(' ', 1)[1]} [id {number}]")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def of(text: str, tmp_path: Path) -> Analysis:
    """What is found in a capture of one scenario."""
    (scenario,) = pkt.parse(f"--- A capture\n{text}", "facts")
    return analyze(scenario.write(tmp_path / "capture.pcap"))


def facts(analysis: Analysis) -> list[tuple[str, int]]:
    """Word and frames of each fact."""
    return [(fact.fact, fact.frames) for fact in analysis.facts]


HAS = {
    "only the server": (
        "+0 > S. 0:0(0) ack 1 win 65160 <mss 1460>\n+0.020 > P. 1:101(100) ack 201 win 65160\n",
        [("one_way", 2)],
    ),
    "only the client": (handshake().split("\n")[1] + "\n" + answered(12, "<"), [("one_way", 13)]),
    "no pure ACKs": (requests(12, pure=False), [("filtered", 24), ("middle", 24)]),
    "one port, for more than a minute": (many((443,), 20, 3.2), [("filtered", 100)]),
    "late frames": (
        handshake()
        + "".join(
            f"+0.010 > . 1:1(0) ack {1 + 100 * n} win 65160\n+0.0005 < . {100 * n - 99}:{100 * n + 1}(100) ack 1 win 64240\n"
            for n in range(1, 4)
        ),
        [("out_of_order", 3)],
    ),
    "copies": (twice(handshake() + answered(4)), [("copies", 4)]),
    "a frame every 5 ms": (at_steps(handshake() + answered(12), 0.005), [("made_up_times", 25)]),
    "all at one time": (at_steps(handshake() + answered(12), 0), [("made_up_times", 27)]),
    "both clocks deny the times": (
        TIMED + clocked([*HURRIED, ("<", 1.1, 20), (">", 0.0002, 20)]),
        [("made_up_times", 9)],
    ),
    "a clock of whole seconds": (at_steps(handshake() + answered(50), 0, 1, 25), [("made_up_times", 98)]),
    "no handshake": (answered(3), [("middle", 6)]),
}
HAS_NOT = {
    "a server that was not reached": "+0 < S 0:0(0) win 64240 <mss 1460>\n+1 < S 0:0(0) win 64240 <mss 1460>\n",
    "both directions": handshake() + answered(12),
    "pure ACKs": HANDSHAKE.format(
        fields=",nop,nop,TS val 900 ecr 0", answer=",nop,nop,TS val 8920 ecr 900", pure=" <nop,nop,TS val 920 ecr 8920>"
    )
    + requests(12, pure=True),
    "a frame every 5 ms, but few": at_steps(handshake() + answered(8), 0.005),
    "a line that passes a frame of one sender every 200 us": handshake()
    + "".join(f"+0.0002 < . {100 * n - 99}:{100 * n + 1}(100) ack 1 win 64240\n" for n in range(1, 41)),
    "clocks of microseconds": TIMED + clocked([*HURRIED, ("<", 0.001, 1000), (">", 0.0002, 200)]),
    "a queue held the client up": TIMED
    + clocked(
        [("<", 0.02, 20), (">", 0.02, 20), ("<", 0.2, 50), ("<", 0.001, 80), (">", 0.001, 181), ("<", 1.1, 1171)]
    ),
    "a clock of 15 ms": at_steps(handshake() + answered(50), 0, 0.015, 25),
    "a clock of whole seconds in slow traffic": at_steps(handshake() + answered(12), 0, 1, 4),
    "two ports": many((443, 80), 20, 3.2),
    "one port, for less than a minute": many((443,), 20, 2.5),
    "one port, a few times": many((443,), 19, 3.5),
    "one connection": handshake() + answered(20),
    "a retransmission": (
        handshake() + "+0.01 < . 1:101(100) ack 1 win 64240\n+0.25 < . 1:101(100) ack 1 win 64240\n"
        "+0.02 > . 1:1(0) ack 101 win 65160\n"
    ),
    "a gap": (
        handshake() + "+0.01 > . 1:1(0) ack 101 win 65160\n+0.01 < . 101:201(100) ack 1 win 64240\n"
        "+0.02 > . 1:1(0) ack 201 win 65160\n"
    ),
}


@pytest.mark.parametrize("name", HAS)
def test_a_capture_that_has_it(name: str, tmp_path: Path) -> None:
    """Said with the frames that it is about."""
    text, expected = HAS[name]
    assert facts(of(text, tmp_path)) == expected


@pytest.mark.parametrize("name", HAS_NOT)
def test_a_near_miss(name: str, tmp_path: Path) -> None:
    """Nothing to know of it."""
    assert facts(of(HAS_NOT[name], tmp_path)) == []


def test_a_filter_that_the_file_names(tmp_path: Path) -> None:
    """In an option of the interface; another option is none."""
    frame = build.ethernet(build.ipv4(build.udp(b"x"), build.UDP))
    for code, expected in ((11, [("filtered", 1)]), (12, [])):
        interface = build.idb(extra=[(code, b"\0port 53")])
        path = tmp_path / f"{code}.pcapng"
        path.write_bytes(build.pcapng(build.shb(), interface, build.epb(frame)))
        analysis = analyze(path)
        assert facts(analysis) == expected
        assert all('"port 53"' in fact.text for fact in analysis.facts)


@pytest.mark.parametrize(("snaplen", "expected"), [(60, [("cut", 1)]), (142, [])])
def test_cut_frames(snaplen: int, expected: list[tuple[str, int]], tmp_path: Path) -> None:
    """Those that hide payload."""
    frame = build.ethernet(build.ipv4(build.udp(bytes(100)), build.UDP))
    path = tmp_path / "cut.pcap"
    path.write_bytes(build.pcap([build.Record(frame[:snaplen], START_NS)._replace(length=len(frame))]))
    assert facts(analyze(path)) == expected


@pytest.mark.parametrize(
    ("back_ns", "expected"), [(2 * HOUR_NS, [("joined", 1)]), (HOUR_NS // 2, []), (-2 * HOUR_NS, [])]
)
def test_joined_captures(back_ns: int, expected: list[tuple[str, int]], tmp_path: Path) -> None:
    """A step back of more than an hour: a connection on the same addresses and ports is another one."""
    frame = build.ethernet(build.ipv4(build.udp(b"x"), build.UDP))
    path = tmp_path / "joined.pcap"
    path.write_bytes(build.pcap([build.Record(frame, START_NS), build.Record(frame, START_NS - back_ns)]))
    analysis = analyze(path)
    assert facts(analysis) == expected
    assert len(analysis.flows) == (2 if expected else 1)
    assert analysis.summary.total("regressions") == (1 if back_ns == HOUR_NS // 2 else 0)


@pytest.mark.parametrize("sections", [1, 2])
def test_sections(sections: int, tmp_path: Path) -> None:
    """Several sections of a file are several captures."""
    frame = build.ethernet(build.ipv4(build.udp(b"x"), build.UDP))
    blocks = [
        block
        for number in range(sections)
        for block in (build.shb(), build.idb(resolution=9), build.epb(frame, ticks=START_NS + number))
    ]
    path = tmp_path / "sections.pcapng"
    path.write_bytes(build.pcapng(*blocks))
    assert facts(analyze(path)) == ([("joined", 1)] if sections == 2 else [])


def test_copies_count_once(tmp_path: Path) -> None:
    """In the columns of the flow, the sizes and rates of the text, JSON and the handshake's time."""
    once, again = (of(text, tmp_path) for text in (handshake() + answered(6), twice(handshake() + answered(6))))
    columns = ["client_packets", "client_bytes", "client_payload", "server_packets", "handshake_rtt_ns"]
    assert again.flows[columns].to_dict("records") == once.flows[columns].to_dict("records")
    assert again.flows["client_copies"].item() == 6
    assert again.event_counts["capture_duplicate"] == 6
    assert again.capture["copies"]["frames"] == 6
    assert again.capture["bytes"] - again.capture["copies"]["bytes"] == once.capture["bytes"]
    assert "15 without copies" in console_text(again)
    assert "without copies" not in console_text(once)


def test_where_facts_are_said(tmp_path: Path) -> None:
    """Behind the findings and once, in JSON, and as a table."""
    analysis = of(HAS["no pure ACKs"][0], tmp_path)
    text = " ".join(console_text(analysis).split())
    assert " the capture itself " + " ".join(f"* {fact.text}" for fact in analysis.facts) in text
    assert all(text.count(fact.text) == 1 for fact in analysis.facts)
    rows = json.loads("".join(json_pieces(analysis)))["capture_facts"]
    (frame,) = table_frames([str(tmp_path / "capture.pcap")], CAPTURE_FACTS.name)
    assert frame.to_dict("records") == rows == analysis.capture_facts.to_dict("records")
    assert list(frame.columns) == list(rows[0]) == ["fact", "frames", "share", "text"]
    assert [(row["fact"], row["share"]) for row in rows] == [("filtered", 1.0), ("middle", 1.0)]


def test_what_rests_on_made_up_times_is_only_possible(tmp_path: Path) -> None:
    """A window that is full all the time is trouble where the times are true; a reset is one in any case."""
    text = (SCRIPTED / "times-made-up.pkt").read_text().split("\n", 1)[1]
    true = re.sub(r"\+0\.010( +< \.)", r"+0.031\1", text)
    reset = "+0.010 > R. 87601:87601(0) ack 101 win 0\n"
    doubted, believed = of(text + reset, tmp_path), of(true + reset, tmp_path)
    assert [facts(each) for each in (doubted, believed)] == [[("made_up_times", 83)], []]
    severities = [
        {row.rule: (row.severity, row.confidence) for row in each.findings.itertuples()} for each in (doubted, believed)
    ]
    assert severities[0]["window-limited"] == ("info", "possible")
    assert severities[1]["window-limited"] == ("warning", "likely")
    assert severities[0]["reset-by-peer"] == severities[1]["reset-by-peer"]
    (finding,) = (row for row in doubted.findings.itertuples() if row.rule == "window-limited")
    assert "these times were made up" in finding.against


def test_every_fact_has_an_example() -> None:
    """Here, or of several interfaces in the tests of the order, or of what is asked for in theirs."""
    here = {fact for _, expected in HAS.values() for fact, _ in expected} | {"cut", "joined"}
    assert here | {"different_clocks", "chosen"} == set(FACTS)


@pytest.mark.parametrize("name", HAS)
def test_the_batch_size_changes_no_event(name: str, tmp_path: Path) -> None:
    """Verdicts that wait for what comes are the same, whatever comes together."""
    of(HAS[name][0], tmp_path)
    path = str(tmp_path / "capture.pcap")
    found = [
        sorted(tuple(row.tolist()) for rows in table_rows([path], "events", batch_frames=size) for row in rows)
        for size in (1 << 15, 1, 2, 7)
    ]
    assert found[1:] == 3 * found[:1]
