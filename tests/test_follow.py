"""`tcpcap flow`: one connection frame by frame, its numbers, events in words, pauses, and what the capture notes of frames."""

from __future__ import annotations

import json
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from analyzer import Analysis, analyze
from analyzer.capture.notes import Process, notes_of, processes_in
from analyzer.errors import UsageError
from analyzer.follow import Flow
from analyzer.kinds import KINDS
from analyzer.report.event_words import COUNTED, WORDS, value_text, words_of
from analyzer.report.flow_json import flow_pieces
from analyzer.report.flow_text import flow_text
from analyzer.report.layout import UNFOLDED, columns
from analyzer.tables import EVENTS, FLOWS
from tests import build, pkt
from tests.command import run_here
from tests.helpers import SAMPLES, fitting

WRAPPING = """
--- Numbers wrap on both sides; the client waits for the timer, the server reports a hole
isn client 4294967000 server 4294967290
+0      < S  0:0(0)               win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001  > S. 0:0(0)       ack 1   win 65160 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.001  < .  1:1(0)       ack 1   win 502
+0.001  < P. 1:201(200)   ack 1   win 502
+0.001  > .  1:1(0)       ack 201 win 502
+0.001  < .  201:1661(1460)  ack 1 win 502
+0.0001 < .  1661:3121(1460) ack 1 win 502
+0.0001 < P. 3121:3200(79)   ack 1 win 502
+0.001  > .  1:1(0)       ack 201 win 502 <nop,nop,sack 1661:3121>
+0.6    < .  201:1661(1460)  ack 1 win 502
+0.001  > .  1:1(0)       ack 3200 win 502
+0.001  > P. 1:101(100)   ack 3200 win 502
+0.001  < F. 3200:3200(0) ack 101 win 502
+0.001  > F. 101:101(0)   ack 3201 win 502
+0.001  < .  3201:3201(0) ack 102 win 502
"""


@cache
def sample(name: str) -> Analysis:
    """A sample, analysed once."""
    return analyze(SAMPLES / name)


@pytest.fixture(scope="module")
def wrapping(tmp_path_factory: pytest.TempPathFactory) -> Flow:
    """The connection whose numbers wrap."""
    (scenario,) = pkt.parse(WRAPPING, "wrapping")
    return analyze(scenario.write(tmp_path_factory.mktemp("follow") / "capture.pcapng")).flow(0)


def test_numbers_count_from_the_beginning(wrapping: Flow) -> None:
    """They are those of the script, whatever wraps in between; -1 where nothing is acknowledged."""
    told = [
        (int(row["start"]), int(row["start"]) + int(row["payload_len"]), int(row["acked"]))
        for row in wrapping.frame_rows
    ]
    lines = [line.split() for line in WRAPPING.splitlines() if line.startswith("+")]
    numbers = [line[3].partition("(")[0].split(":") for line in lines]
    acks = [int(line[line.index("ack") + 1]) if "ack" in line else -1 for line in lines]
    assert told == [(int(start), int(end), ack) for (start, end), ack in zip(numbers, acks, strict=True)]
    assert wrapping.frame_rows["side"].tolist() == [int(line[1] == ">") for line in lines]


def test_without_a_syn_the_first_byte_is_one(tmp_path: Path) -> None:
    """As Wireshark counts; the other side's from what is acknowledged first, and windows have no known scale."""
    text = "--- middle\nisn client 100 server 200\n+0 < P. 501:601(100) ack 701 win 502\n+0.1 < P. 601:701(100) ack 701 win 502\n"
    (scenario,) = pkt.parse(text, "middle")
    flow = analyze(scenario.write(tmp_path / "capture.pcapng")).flow(0)
    assert flow.frame_rows[["start", "acked"]].tolist() == [(1, 1), (101, 1)]
    assert "[P.] 101:201(100) ack 1 win 502 (scale not known)" in " ".join(flow.text(True).split())
    assert "not known: the handshake was not captured" in " ".join(flow.text().split())


def test_the_story_word_for_word() -> None:
    """One sample: the head, runs of data folded, pauses with what was waited for, each side in its column."""
    text = fitting(sample("zero-window/server").flow(0).text())
    assert text.startswith("flow 0: 10.0.0.1:40001 > 10.0.0.2:80, TCP, closed; 22 packets; 1.33 s\n")
    assert "  agreed    window scaling (client 10, server 0), SACK, timestamps\n" in text
    assert "  ended     the client closed first (FIN)\n" in text
    assert "(receiver-not-reading); frame 9\n" in text
    assert (
        text.partition("time line\n")[2].partition("       12 ")[0]
        == """\
    frame      seconds  > from the client
                                        < from the server
        1     0.000000  > [S] 0:0(0) win 64240 <mss 1460,sackOK,TS,wscale 10>
        2     0.000024                  < [S.] 0:0(0) ack 1 win 2896 <mss
                                            1460,sackOK,TS,wscale 0>
      3-7     0.020247  > ... 3 segments, 4.34 kB (1:4345), 1 ACK, 1 of them
                            fill the window
                                        < ... 1 ACK
        8     0.033003  > [.] 2897:4345(1448) ack 1 win 64512
                          fills the window of the other side (2.9 kB)
                          sent again (1.45 kB) to ask for an ACK (tail loss
                            probe); first sent in frame 7, 12.8 ms before
        9     0.058582                  < [.] ack 4345 win 0 sack {2897:4345}
                                          shows that what was sent again was not
                                            needed: it answers what was sent
                                            first (spurious, by timestamp); it
                                            was sent again in frame 8
                                          reports 1.45 kB that came twice
                                            (DSACK); see frame 8
                                          closes its window: it cannot take more
                                            (zero window)
    --- 218 ms waiting for the closed window of the server (zero_window)
       10     0.276793  > [.] ack 1 win 64512
                          asks whether the closed window is open (window probe)
       11     0.276810                  < [.] ack 4345 win 0
                                          answers the window probe after
                                            16.6 us; see frame 10
    --- 456 ms waiting for the closed window of the server (zero_window)
"""
    )


def test_all_frames_have_a_line_when_asked_for() -> None:
    """And no frame is told twice, or left out, where runs are folded."""
    flow = sample("loss-ipv6/client").flow(0)
    frames = flow.frame_rows["frame"].tolist()
    lines = [line[:9].strip() for line in flow.text(True).partition("time line\n")[2].splitlines()]
    assert [int(line) for line in lines if line.isdigit()] == frames
    folded = [line[:9].strip() for line in fitting(flow.text()).partition("time line\n")[2].splitlines()]
    spans = [line.split("-") for line in folded if line[:1].isdigit()]
    told = [frame for span in spans for frame in frames if int(span[0]) <= frame <= int(span[-1])]
    assert told == frames
    assert len(spans) < len(frames) // 2


@pytest.mark.parametrize(
    ("name", "cause", "waits"),
    [
        ("zero-window/server", "zero_window", 0),
        ("retransmission-timeout/client", "loss_timeout", 0),
        ("slow-answers/client", "server_think", 1),
        ("delayed-acks/client", "delayed_ack", 0),
        ("sender-pauses/client", "sender_stall", 0),
    ],
)
def test_pauses_are_explained_as_the_account_does(name: str, cause: str, waits: int) -> None:
    """The longest has the cause to which most of the time goes, and the side that waited; all together are no longer than the connection."""
    flow = sample(name).flow(0)
    causes = {each.cause: each for each in sorted(flow.stalls, key=lambda each: each.duration_ns)}
    assert cause in causes
    assert causes[cause].waits == waits
    assert (
        sum(each.duration_ns for each in flow.stalls if each.cause == cause) <= int(flow.row[f"time_{cause}_ns"]) * 1.2
    )
    assert sum(each.duration_ns for each in flow.stalls) <= int(flow.row["duration_ns"])


def test_what_is_owed_at_the_end_is_a_pause(tmp_path: Path) -> None:
    """A request without an answer, in a capture that goes on."""
    text = WRAPPING.partition("+0.001  > P. 1:101")[0] + "at client_port 41000\n+9 < S 0:0(0) win 64240 <mss 1460>\n"
    (scenario,) = pkt.parse(text, "owed")
    flow = analyze(scenario.write(tmp_path / "capture.pcapng")).flow(0)
    assert flow.stalls[-1].before == 0
    assert flow.stalls[-1].cause == "server_think"
    assert "for the server to answer (server_think), until the capture ended" in " ".join(flow.text().split())


def test_icmp_errors_about_it_are_in_its_line() -> None:
    """From neither side, with what they say."""
    flow = sample("fragmentation-needed/router").flow(0)
    assert "! ICMP: fragmentation needed, MTU 1,200" in flow.text()
    assert (flow.frame_rows["side"] == 2).sum() == 5
    assert (np.diff(flow.frame_rows["frame"]) > 0).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_event_has_words(kind: object) -> None:
    """With each cause, and each sort of value; nothing is left open in them."""
    assert isinstance(kind, type(KINDS[0]))
    for cause in kind.causes or ("",):
        event = np.zeros(1, EVENTS.dtype)
        event["event"], event["cause"] = EVENTS.bit("event", kind.name), EVENTS.bit("cause", cause)
        event["frame"], event["value"], event["related_frame"], event["since_ns"] = 9, 3, 7, 5_000_000
        text = words_of(event[0])
        assert "{" not in text
        assert "frame 7" in text
        assert text[0].islower() or text.startswith(("FIN", "SYN"))
    assert not kind.value or kind.value.startswith(("ns ", "bytes")) or kind.name in COUNTED
    known = {f"{kind.name}/{cause}" for kind in KINDS for cause in kind.causes} | {kind.name for kind in KINDS}
    assert set(WORDS) <= known
    assert value_text("retransmission_timeout", 0, "ns of silence before it") == "an unknown time"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("7", "no flow 7; there are 5 flows, from 0 to 4"),
        ("10.0.0.1", "neither a number nor an address with a port"),
        ("10.0.0.2:80", "is an end of 5 flows; name one: 0 (10.0.0.1:40001 > 10.0.0.2:80); 1 "),
        ("[::1]:9", "no flow has the end [::1]:9; `tcpcap flows` lists them"),
    ],
)
def test_what_is_no_flow(name: str, words: str) -> None:
    """The error says what there is."""
    with pytest.raises(UsageError) as raised:
        sample("listen-overflows/server").flow(name)
    assert words in str(raised.value)


def test_an_end_names_its_flow_and_it_shows_itself() -> None:
    """In Python and in a notebook."""
    flow = sample("listen-overflows/server").flow("10.0.0.1:40003")
    assert flow.number == 2
    assert repr(flow) == str(flow) == flow.text()
    assert flow._repr_html_().startswith("<pre")
    assert "10.0.0.1:40003 &gt; 10.0.0.2:80" in flow._repr_html_()
    assert flow.frames["side"].tolist() == ["client", "client"]
    assert flow.frames["start"].tolist() == [0, 0]
    assert flow.events["event"].tolist() == [KINDS[int(event["event"])].name for event in flow.event_rows]


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Text, or an object with every frame, whose moments keep their nanoseconds."""
    trace = SAMPLES / "zero-window" / "server"
    flow = sample("zero-window/server").flow(0)
    text = run_here("flow", trace, "0", "--all", capsys=capsys)
    with columns(UNFOLDED):  # what another program reads is not folded
        assert (text.status, text.out) == (0, flow_text(flow, True))
    told = json.loads(run_here("flow", trace, "10.0.0.1:40001", "--json", capsys=capsys).out)
    assert told == json.loads("".join(flow_pieces(flow)))
    assert [frame["frame"] for frame in told["frames"]] == list(range(1, 23))
    assert told["frames"][0]["time"] == "2026-11-21T13:07:26.817479805Z"
    assert told["flow"]["flow"] == 0 and set(told["flow"]) >= {column.name for column in FLOWS.columns if column.public}
    assert run_here("flow", "-", "0", capsys=capsys).status == 2


# What the capture notes


PTCPDUMP = b"PID: 4711\nCmd: /usr/bin/curl\nArgs: curl http://192.0.2.9/"


def noted(path: Path, order: str = "<") -> Path:
    """A file with comments and process blocks; the second section counts processes anew."""
    (scenario,) = pkt.parse(WRAPPING, "noted")
    process = build.block(
        0x80000001, struct.pack(order + "I", 88) + build.options((2, b"Safari\0"), order=order), order=order
    )
    index = struct.pack(order + "I", 0)
    extras = {
        1: [(1, PTCPDUMP)],
        2: [(1, PTCPDUMP), (1, b"seen by hand")],
        3: [(0x8001, index)],
        4: [(0x8001, struct.pack(order + "I", 7))],  # of which there is no block
        9: [(8, struct.pack(order + "II", 5, 6))],
        10: [(1, b"PID=3 Checksum ok")],
    }
    blocks = [
        build.shb(order=order),
        build.idb(resolution=9, order=order),
        process,
        build.idb(resolution=9, order=order),
    ]
    for number, line in enumerate(scenario.lines, 1):
        if number == 9:
            blocks += [build.shb(order=order), build.idb(resolution=9, order=order), build.nrb(order=order)]
        blocks.append(build.epb(line.frame, ticks=line.time_ns, order=order, extra=extras.get(number, ())))
    path.write_bytes(build.pcapng(*blocks))
    return path


@pytest.mark.parametrize("order", ["<", ">"])
def test_comments_and_programs_of_pcapng(order: str, tmp_path: Path) -> None:
    """By frame, only of those that are asked for, in either byte order."""
    path = noted(tmp_path / "capture.pcapng", order)
    found = notes_of([str(path)], np.arange(1, 16))
    curl = Process("/usr/bin/curl", 4711)
    assert {frame: notes.processes for frame, notes in found.items()} == {
        1: [curl], 2: [curl], 3: [Process("Safari", 88)], 9: [Process("", 5)], 10: [Process("", 3, sure=False)],
    }  # fmt: skip
    assert found[2].comments == [PTCPDUMP.decode(), "seen by hand"]
    assert set(notes_of([str(path)], np.array([2, 12]))) == {2}


def test_notes_of_several_files_have_the_frames_of_the_capture(tmp_path: Path) -> None:
    """Files are read in order of time, and their frames numbered through."""
    one = noted(tmp_path / "one.pcapng")
    (later,) = pkt.parse(WRAPPING.replace("+0      <", "+0.0025 <", 1), "later")
    records = [build.Record(line.frame, line.time_ns) for line in later.lines]
    other = tmp_path / "other.pcap"
    other.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    found = notes_of([str(other), str(one)], np.arange(1, 31))
    times = [frame.time_ns for frame in analyze([other, one]).packets.itertuples()]
    alone = [frame.time_ns for frame in analyze(one).packets.itertuples()]
    assert len(times) == 30
    assert {times[frame - 1] for frame in found} == {alone[frame - 1] for frame in (1, 2, 3, 9, 10)}


def test_programs_of_pktap(tmp_path: Path) -> None:
    """The link-layer header of macOS names them."""
    (scenario,) = pkt.parse(WRAPPING, "pktap")
    records = []
    for line in scenario.lines:
        data = bytearray(build.pktap(line.frame))
        struct.pack_into("<i20s8xi20s", data, 52, 321, b"mDNSResponder", 321, b"mDNSResponder")
        records.append(build.Record(bytes(data), line.time_ns))
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS, link=258))
    assert notes_of([str(path)], np.array([4]))[4].processes == [Process("mDNSResponder", 321)]
    assert "program   client: mDNSResponder (PID 321)" in analyze(path).flow(0).text()


@pytest.mark.parametrize(
    ("comment", "expected"),
    [
        ("PID:77 Process:firefox", [Process("firefox", 77)]),
        ("Process:ssh", [Process("ssh")]),
        ("PID=4 ", [Process("", 4, sure=False)]),
        ("look at this retransmission", []),
        ("ParentPID: 1\nParentCmd: /sbin/init", []),
    ],
)
def test_programs_in_comments(comment: str, expected: list[Process]) -> None:
    """As several programs write them; what only looks like it is none."""
    assert processes_in(comment) == expected


def test_notes_are_in_the_text(tmp_path: Path) -> None:
    """Programs in the head, a rare comment at its frame; control characters do not reach the terminal."""
    flow = analyze(noted(tmp_path / "capture.pcapng")).flow(0)
    text = " ".join(fitting(flow.text()).split())
    assert (
        "client: /usr/bin/curl (PID 4711); Safari (PID 88); PID 3 ran when the frame was logged, which may be another's"
        in text
    )
    assert "comment: seen by hand" in text
    assert "Args: curl http://192.0.2.9/" in text
