"""The text that `tcpcap analyze` prints: never wider than 80 columns, safe for a terminal, the answer first."""

from __future__ import annotations

import copy
import html
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from analyzer import Analysis, analyze
from analyzer.capture import Damage, FileInfo, Interface, Interfaces
from analyzer.events.judge import Judge
from analyzer.flows import FlowTracker
from analyzer.kinds import KINDS, NAMES, Kind
from analyzer.report.console import ENDED, QUIRK_TEXT, STOP_TEXT, console_text
from analyzer.report.layout import columns, wrapped
from analyzer.report.story import story
from analyzer.schema import Rows
from analyzer.summary import Summary
from analyzer.tables import FLOW_STATES, FLOWS, PACKETS, QUIRKS, STOPS, TUNNELS
from analyzer.text import (
    duration_text,
    endpoint,
    plural,
    printable,
    rate_text,
    same_day,
    size_text,
    time_text,
)
from tests import build
from tests.helpers import fitting, rows_with
from tests.test_flows import SOMETHING_ELSE, STEP_NS, Script, rows_of

START_NS = 1_763_660_000_123_456_789
SECOND, DAY = 10**9, 86_400 * 10**9
LONG, OTHER = "2001:1db8:1111:2222:3333:4444:5555:6666", "fe80:aaaa:bbbb:cccc:dddd:eeee:ffff:1111"
HOSTILE = "eth\x1b[31m0\n\r\t\x07\x9b1m\u202e\udcff"
HOSTILE_SHOWN = "eth\\x1b[31m0\\x0a\\x0d\\x09\\x07\\x9b1m\\x202e\\xdcff"


def segment(
    version: int = 4, flags: int = 0x10, payload: int = 0, seq: int = 1001, ack: int = 2000, **ends: str | int
) -> bytes:
    """An Ethernet frame with TCP; `src`, `dst`, `src_port`, `dst_port` as for the builders."""
    ports = {name: int(value) for name, value in ends.items() if name.endswith("port")}
    addresses = {name: str(value) for name, value in ends.items() if name in ("src", "dst")}
    content = build.tcp(bytes(payload), seq=seq, ack=ack, flags=flags, check=0, **ports)
    if version == 6:
        return build.ethernet(build.ipv6(content, **addresses), build.IPV6)
    return build.ethernet(build.ipv4(content, **addresses))


def pcap_of(path: Path, frames: Sequence[bytes], step_ns: int = 1_000_000, start_ns: int = START_NS) -> Path:
    """A capture file with the frames."""
    records = [build.Record(frame, start_ns + step_ns * number) for number, frame in enumerate(frames)]
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    return path


def pcapng_at(path: Path, times: Sequence[int]) -> Path:
    """A capture with a frame at each time; offsets of the interfaces make any time possible."""
    interfaces = [build.idb(resolution=9, offset=time_ns // SECOND) for time_ns in times]
    packets = [
        build.epb(segment(seq=1000 + number), interface=number, ticks=time_ns % SECOND)
        for number, time_ns in enumerate(times)
    ]
    path.write_bytes(build.pcapng(build.shb(), *interfaces, *packets))
    return path


def made(
    rows: Rows | None = None,
    interfaces: Sequence[Interface] = (Interface(0, 1),),
    files: Sequence[FileInfo] = (FileInfo("made.pcap", "pcap", size=24),),
    damages: Sequence[Damage] = (),
) -> Analysis:
    """An analysis of made-up parts."""
    summary, tracker, known = Summary(), FlowTracker(), Interfaces()
    judge = Judge(tracker)
    for interface in interfaces:
        known.add(interface)
    if rows is not None:
        summary.add(rows, len(known))
        for part in tracker.follow(rows):
            judge.add(part)
    for _ in judge.finish():
        pass
    counts = {name: int(count) for name, count in zip(NAMES, judge.counts, strict=True) if count}
    return Analysis([file.path for file in files], list(files), known, list(damages), summary, tracker, counts)


def made_rows(count: int, **columns: object) -> Rows:
    """Rows with the given columns, a microsecond apart."""
    return rows_with(count, time_ns=START_NS + 1000 * np.arange(count), **columns)


def rows_later(frames: Sequence[bytes]) -> Rows:
    """Rows of the frames, a millisecond apart, and of another that shows that the capture goes on for two seconds."""
    times = [START_NS + STEP_NS * number for number in range(len(frames))]
    return rows_of([*frames, SOMETHING_ELSE], [*times, times[-1] + 2 * SECOND])


def checked(analysis: Analysis, top: int = 10) -> str:
    """The text, if it is as wide and as harmless as any text must be."""
    text = fitting(console_text(analysis, top))
    assert re.search(r"\de[+-]\d", text.partition("\n\n")[2]) is None, "an exponent"
    return text


def section(text: str, title: str) -> list[str]:
    """The lines below a title."""
    blocks = [block.splitlines() for block in text.split("\n\n")]
    (found,) = [block[1:] for block in blocks if block[0].startswith(title)]
    return found


def stories(text: str) -> list[tuple[str, str]]:
    """Of the connections in trouble: who talked to whom, and what happened to them."""
    found: list[tuple[str, str]] = []
    for line in section(text, "connections in trouble"):
        if line.startswith("      "):
            ends, told = found[-1]
            found[-1] = ends, " ".join([*told.split(), *line.split()])
        elif not line.startswith("  and "):
            found.append((line.strip(), ""))
    return found


def told_of(text: str) -> int:
    """How many connections that section adds up to."""
    counts = [re.match(r"(?:and )?([\d,]+) (?:more )?connections? ", f"{line.strip()} ") for line in section(text, "connections in trouble") if not line.startswith("      ")]  # fmt: skip
    return sum(int(found[1].replace(",", "")) if found else 1 for found in counts)


def joined(text: str) -> str:
    """The text with folded lines put together again."""
    return " ".join(text.split())


# Whole answers: those about the samples are in test_rules, which analyses each of them once


def test_the_whole_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One capture, word for word."""
    monkeypatch.chdir(tmp_path)
    frames = [
        segment(flags=2, seq=1000),
        segment(flags=0x12, seq=1999, ack=1001, src=build.DST4, dst=build.SRC4, src_port=80, dst_port=40000),
        segment(),
        segment(payload=1000),
        build.ethernet(build.ipv4(build.udp(bytes(20), check=1), build.UDP)),
        build.ethernet(bytes(28), build.ARP),
    ]
    records = [build.Record(frame, START_NS + number * 500_000) for number, frame in enumerate(frames)]
    records[3] = records[3]._replace(data=frames[3][:96], length=len(frames[3]))
    Path("small.pcap").write_bytes(build.pcap(records, magic=build.NANOSECONDS, snaplen=96))
    assert (
        checked(analyze("small.pcap"))
        == """\
Nothing wrong found in 1 TCP connection.

info     3 checksums of 4 frames only look wrong (virtual): they never left the
         machine (loopback, veth, virtual machines of one host), where nobody
         computes them. Nothing to do (to see true ones, capture at the other
         end, or `ethtool -K IFACE tx off` on 192.0.2.1; `tcpcap fix-checksums`
         mends the file). (checksum-offload)
  proof  at 0.000 s, frames 1, 2
info     1 frame from 192.0.2.1 to 198.51.100.2 (udp) has a wrong checksum
         (first frame 5); whether that is damage on the way or the sender's
         card, this capture does not tell. (checksum-wrong)
  proof  at 0.002 s, frame 5

small.pcap: 6 frames in 2.5 ms, 1 TCP connection (1 still open), 1 UDP
conversation; checked: packets, checksums.

the capture itself
  * 1 frame was cut: payload is hidden, and checksums over it cannot be verified

checksums
  frames      3 zero, 1 bad, 1 unverifiable
  found       3 frames: a virtual link: finished by nobody
  found       1 frame: WRONG, cause unknown

busiest conversations (2 of 2)
         from     packets     bytes    lasted  handshake  ended
  #0 192.0.2.1:40000 > 198.51.100.2:80  tcp
      0.000 s           4   1.22 kB    1.5 ms       1 ms  still open
  #1 192.0.2.1:40000 - 198.51.100.2:53  udp
      0.002 s           1      62 B         -          -

capture
  file        pcap, nanoseconds, little-endian, 2.4, 482 B
  time        2025-11-20 17:33:20.123456 to 17:33:20.125956 UTC
  frames      6 frames, 1.32 kB on the wire, 4.22 Mbit/s on average
  cut frames  1 of 6 (16.7 %), 362 B captured
  interface   0: ETHERNET, snaplen 96, 6 frames
  drops       not known: the file holds no drop counts
  clock       never steps back

protocols
  IPv4 TCP                                 4  66.7 %       1.22 kB  92.1 %
  ARP                                      1  16.7 %          42 B   3.2 %
  IPv4 UDP                                 1  16.7 %          62 B   4.7 %

not decoded to TCP, UDP or ICMP
  not IP                                           1

not checked
  15 rules for lack of kernel counters: `nstat -az` before and after, with
  --snapshots, or a bundle; and --host where it is not known whose they are
  3 rules for lack of kernel counters or socket lists: `ss -tanimoe` while it
  happens, with --sockets, or a bundle
"""
    )


# The verdict, and connections in trouble


def test_trouble_word_for_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst first: one that nobody answered, one that was refused, one that sent something again."""
    monkeypatch.chdir(tmp_path)
    written(
        Path("trouble.pcap"),
        "c:S s:SA c:A c:PA10 s:A c:FA s:FA c:A",
        "c:S s:SA c:A c:PA10 c:PA10! s:A",
        "c:S s:RA",
        "c:S",
    )
    blocks = checked(analyze("trouble.pcap", checksums=False)).split("\n\n")
    opening = [joined(block) for block in blocks[:4]]
    assert opening[0].startswith(
        "warning 192.0.2.1:40003 > 198.51.100.2:80 got no answer to 1 SYN; 2 others to the same port were answered: the SYN "
        "or its answer was lost or dropped there, and the client did not wait for a second try. (syn-unanswered) cost 1 connection "
        "failed, 1 s where #3; on the server's side, likely when at 0.016 s (17:33:20.139 UTC) proof frame 17 but The capture may lack the answers"
    )
    assert opening[1].startswith(
        "warning 198.51.100.2:80 answers slowly: 1 request got no answer within 1.99 s, 100 % of the time of "
        "192.0.2.1:40001 > 198.51.100.2:80; the network takes 2 ms there and back."
    )
    assert opening[2].startswith(
        "info 192.0.2.1:40002 > 198.51.100.2:80 was refused within 1 ms (2 to the same port were not)"
    )
    assert (
        opening[3]
        == "trouble.pcap: 18 frames in 2 s, 4 TCP connections (1 still open, 1 closed, 1 refused, 1 unanswered); checked: packets."
    )
    assert (
        blocks[4]
        == """\
connections in trouble (3)
  192.0.2.1:40003 > 198.51.100.2:80  tcp
      #3 at 0.016 s: no answer to 1 SYN, frame 17
  192.0.2.1:40002 > 198.51.100.2:80  tcp
      #2 at 0.015 s: refused: the server answered the SYN with a reset, frame 16
  192.0.2.1:40001 > 198.51.100.2:80  tcp
      #1 at 0.012 s: the client sent 1 segment again (10 B), frame 13"""
    )
    assert blocks[5].startswith(
        "where the time went\n  all         3.98 s: handshakes 50 %, servers thinking 50 %\n  #1          192.0.2.1:40001 > "
        "198.51.100.2:80 from 0.008 s: 1.99 s, "
    )
    assert blocks[6].startswith("busiest conversations (4 of 4)\n")


@pytest.mark.parametrize("top", [0, 1, 2, 10])
def test_as_many_in_trouble_as_asked_for(top: int) -> None:
    """The worst; how many there are in all stands in the title."""
    words = ["c:S s:RA", "c:S c:S!", "c:S s:SA c:A c:PA9 c:PA9! s:A", "c:S s:SA c:A"]
    frames = [frame for port, each in enumerate(words) for frame in Script((build.SRC4, 40000 + port)).frames(each)]
    text = checked(made(rows_later(frames)), top)
    if top == 0:
        assert "in trouble" not in text
    else:
        assert "connections in trouble (3)" in text
        assert told_of(text) == 3
        ports = [found[1] for ends, _ in stories(text) if (found := re.search(r":(\d+) > ", ends))]
        assert ports == ["40001", "40000", "40002"][:top]


TROUBLES = {
    "half open": "c:S s:SA",
    "refused, then accepted": "c:S s:RA c:S! s:SA c:A c:PA9 s:A",
    "reset in the handshake": "c:S s:SA s:R",
    "the client gives up": "c:S c:R",
    "a reset with data unread": "c:S s:SA c:A c:PA10 s:RA",
    "a reset after a FIN, and data thrown away": "c:S s:SA c:A s:FA c:PA1000 s:R",
    "again and again": "c:S s:SA c:A c:PA9 c:PA9! c:PA9! s:A",
}


@pytest.mark.parametrize("name", TROUBLES)
def test_every_connection_in_trouble_has_a_story(name: str) -> None:
    """Not an empty line."""
    analysis = made(rows_later(Script().frames(TROUBLES[name])))
    text = checked(analysis)
    assert analysis.troubled == 1
    ((_, told),) = stories(text)
    assert len(told) > 10


VERDICTS = {
    "c:S s:RA": "Nothing that needs action found in 1 TCP connection. info 192.0.2.1:40000 > 198.51.100.2:80 was refused within 1 ms",
    "c:S c:S! c:S!": "error 192.0.2.1:40000 > 198.51.100.2:80 got no answer to 3 SYNs",
    "c:S s:SA c:A c:PA10 s:RA": "warning The application on 198.51.100.2:80 closed with up to 10 B unread, so its kernel reset the connection (frame 5)",
    "c:S s:SA c:A c:PA9 c:PA9! c:PA9! s:A": "warning 198.51.100.2:80 answers slowly: 1 request got no answer within 1.99 s",
    "c:S s:SA c:A c:PA9 s:A s:PA9 c:A c:FA s:FA c:A": "Nothing wrong found in 1 TCP connection. ",
    "c:udp9": "Nothing wrong found; there is no TCP connection. ",
}


def written(path: Path, *scripts: str) -> Path:
    """A capture of connections to one server, one after the other, that goes on for two seconds."""
    frames = [frame for port, words in enumerate(scripts) for frame in Script((build.SRC4, 40000 + port)).frames(words)]
    records = [build.Record(frame, START_NS + STEP_NS * number) for number, frame in enumerate(frames)]
    records.append(build.Record(SOMETHING_ELSE, START_NS + 2 * SECOND))
    path.write_bytes(build.pcap(records, magic=build.NANOSECONDS))
    return path


@pytest.mark.parametrize("words", VERDICTS)
def test_the_verdict_comes_first(words: str, tmp_path: Path) -> None:
    """One sentence: the worst that is wrong, or that nothing is; for whom, and how often."""
    text = checked(analyze(written(tmp_path / "told.pcap", words), checksums=False))
    assert joined(text).startswith(VERDICTS[words])


def test_the_worst_verdict_comes_first(tmp_path: Path) -> None:
    """What failed comes before what was only slow, whoever began first."""
    path = written(tmp_path / "told.pcap", "c:S s:SA c:A c:PA9 s:A", "c:S c:S! c:S!")
    text = checked(analyze(path, checksums=False))
    told = re.findall(r"^(?:error|warning|info) .*?\(([a-z-]+)\)$", text, re.M | re.S)
    assert told == ["syn-unanswered", "slow-server"]


@pytest.mark.parametrize("again", ["c:FA!", "c:FA! s:FA! c:FA!"])
def test_a_fin_that_no_timer_repeats_is_no_trouble(again: str) -> None:
    """Some stacks send their FIN with every ACK of a close from both sides: nothing was lost, and nobody waited."""
    analysis = made(rows_later(Script().frames(f"c:S s:SA c:A c:PA9 s:A c:FA s:FA {again} s:A c:A")))
    assert analysis.event_counts["retransmission"] == len(again.split())
    assert checked(analysis).startswith("Nothing wrong found in 1 TCP connection.")


def test_a_window_that_limits_is_no_trouble() -> None:
    """What it costs is in the account of time; where something else was sent again, the story tells of it."""
    assert [kind.trouble for kind in KINDS if kind.name == "window_limited"] == [0]


def test_no_time_is_not_told() -> None:
    """Frames of one moment: no "0 ns" anywhere."""
    frames = Script().frames("c:S s:SA c:A c:PA10 s:A")
    text = checked(made(rows_of(frames)[:1]))
    assert "0 ns" not in text


def flow_row(state: str = "open", events: Sequence[str] = (), **columns: int) -> Rows:
    """A row of the table `flows`."""
    row = np.zeros(1, FLOWS.dtype)
    row["state"], row["events"] = FLOWS.bit("state", state), FLOWS.bit("events", *events)
    for name, value in columns.items():
        row[name] = value
    return row[0]


AGAIN = {"client_retransmissions": 12, "client_retransmitted_bytes": 17_520}
SHUT = {"server_zero_windows": 1, "server_zero_window_ns": 5 * SECOND, "server_zero_window_longest_ns": 5 * SECOND}
STORIES: dict[str, tuple[Rows, str]] = {
    "nothing": (flow_row(), ""),
    "closed": (flow_row("closed", ["window_update", "duplicate_ack"], client_duplicate_acks=5), ""),
    "refused": (flow_row("refused", ["refused"]), "refused: the server answered the SYN with a reset"),
    "slow to open": (flow_row("closed", time_handshake_ns=63 * SECOND), "opening it took 63 s"),
    "opened after half a second": (flow_row("closed", time_handshake_ns=SECOND // 2), ""),
    "unanswered": (flow_row("unanswered", ["syn_unanswered"], client_packets=1), "no answer to 1 SYN"),
    "unanswered for long": (
        flow_row("unanswered", ["syn_unanswered"], client_packets=4, time_handshake_ns=7 * SECOND),
        "no answer to 4 SYNs",
    ),
    "unanswered again": (flow_row("unanswered", ["syn_unanswered"], client_packets=7), "no answer to 7 SYNs"),
    "half open": (flow_row("half_open"), "the handshake was never completed"),
    "reset by the client": (
        flow_row("reset_by_client", ["reset"], server_unique_bytes=2_000_000, client_unique_bytes=9),
        "the client reset it after 2 MB from the server",
    ),
    "reset by the server, nothing came": (flow_row("reset_by_server", ["reset"]), "the server reset it"),
    "reset in the handshake": (
        flow_row("reset_by_client", ["reset_in_handshake"], server_unique_bytes=5),
        "the client reset the handshake",
    ),
    "reset of what one side does not know": (
        flow_row("reset_by_server", ["reset", "half_open"], client_unique_bytes=5),
        "the server reset it: it knew no such connection",
    ),
    "again": (
        flow_row("closed", ["retransmission"], **AGAIN),
        "the client sent 12 segments again (17.5 kB)",
    ),
    "again, once, after a timeout": (
        flow_row(
            "closed",
            ["retransmission", "retransmission_timeout"],
            server_retransmissions=1,
            server_retransmitted_bytes=100,
            server_timeouts=1,
        ),
        "the server sent 1 segment again (100 B), 1 when the timer ran out (retransmission timeout)",
    ),
    "again, needlessly": (
        flow_row(
            "closed", ["retransmission", "spurious_retransmission"], **AGAIN, client_timeouts=2, client_spurious=3
        ),
        "the client sent 12 segments again (17.5 kB), 2 when the timer ran out (retransmission timeout), 3 needlessly",
    ),
    "out of order": (
        flow_row("closed", ["reordering"], server_out_of_order=3),
        "3 segments of the server came out of order (reordering)",
    ),
    "received twice": (
        flow_row("closed", ["dsack"], client_dsacks=2),
        "the client received 2 segments twice (DSACK)",
    ),
    "a closed window": (
        flow_row("closed", ["zero_window"], **SHUT),
        "the server closed its window (zero window) once for 5 s",
    ),
    "a window closed twice": (
        flow_row(
            "closed", ["zero_window"], **(SHUT | {"server_zero_windows": 2, "server_zero_window_longest_ns": SECOND})
        ),
        "the server closed its window (zero window) 2 times for 5 s (longest 1 s)",
    ),
    "a window that never reopened": (
        flow_row(
            "open",
            ["zero_window", "window_never_reopened"],
            **SHUT,
            server_window_closed=FLOWS.bit("server_window_closed", "unprobed"),
            server_window_closed_ns=5 * SECOND,
        ),
        "the server closed its window (zero window) once for 5 s, still closed at the end; the client sent no probe",
    ),
    "a window that was closed just before the end": (
        flow_row(
            "open",
            ["zero_window"],
            server_zero_windows=1,
            server_zero_window_ns=5_000_000,
            server_window_closed=FLOWS.bit("server_window_closed", "unprobed"),
            server_window_closed_ns=5_000_000,
        ),
        "the server closed its window (zero window) once for 5 ms, still closed at the end",
    ),
    "probes that nobody need answer": (
        flow_row(
            "open",
            ["zero_window", "window_never_reopened", "window_probe_invalid"],
            **SHUT,
            server_window_closed=FLOWS.bit("server_window_closed", "invalid_probes"),
            server_window_closed_ns=5 * SECOND,
        ),
        "the server closed its window (zero window) once for 5 s, still closed at the end; the client sent only probes that no "
        "receiver need answer; a closed window was probed with segments that no receiver need answer",
    ),
    "reset by a middlebox": (
        flow_row("reset_by_middlebox", ["reset_by_middlebox"], client_middlebox_hops=-1, server_middlebox_hops=11),
        "a box on the way, 11 hops from here, reset it in the name of the server",
    ),
    "somebody else answers, who knows no options": (
        flow_row(
            "closed",
            ["syn_ack_by_middlebox", "options_refused", "stray"],
            client_middlebox_hops=-1,
            server_middlebox_hops=1,
        ),
        "a box on the way, 1 hop from here, answered the SYN in the name of the server; the server, or a box before it, "
        "grants no window scaling, SACK or timestamps; a left-over of the connection before on the same ports (stray segment)",
    ),
    "a server that waits for data": (
        flow_row("open", ["syn_ack_again", "syn_ack_again_answer", "stray"]),
        "the SYN-ACK was repeated although the ACK of it was captured: the server waits for data (TCP_DEFER_ACCEPT), or "
        "the ACK was late or lost behind the capture; a left-over of the connection before on the same ports (stray segment)",
    ),
    "a path with a smaller MTU": (
        flow_row("open", ["mtu_black_hole", "window_limited"]),
        "no segment of full size was ever acknowledged, however often it was sent, though smaller ones were: a smaller MTU "
        "on the way, of which no ICMP tells, looks like this (an MTU black hole); the receiver's window limits the sender",
    ),
    "a window that is closed by the last frame of all": (
        flow_row("open", ["zero_window"], server_zero_windows=1, server_window_closed=1),
        "the server closed its window (zero window) once, still closed at the end",
    ),
    "a FIN for nobody": (
        flow_row("half_closed", ["fin_unanswered"]),
        "nothing came back after a FIN, sent again and again: that end, or the way to it, is gone",
    ),
    "an ordinary reset": (flow_row("reset_by_client", ["closing_reset"]), "the client reset it"),
    "not captured": (
        flow_row("closed", ["capture_gap"], server_missing_bytes=1460),
        "1.46 kB of the server were not captured",
    ),
    "other kinds, worst first": (
        flow_row("closed", ["ce", "sack_reneging", "stray", "window_shrunk", "window_update"]),
        "data thrown away that was reported as received (SACK reneging); a left-over of the connection before on the same "
        "ports (stray segment); marked as congested by a router (CE)",
    ),
    "everything, worst first": (
        flow_row(
            "reset_by_server",
            ["reset", "retransmission", "zero_window", "stray"],
            **AGAIN,
            **SHUT,
            server_retransmissions=1,
            client_unique_bytes=17,
        ),
        "the server reset it after 17 B from the client; the client sent 12 segments again (17.5 kB); the server sent 1 "
        "segment again; the server closed its window (zero window) once for 5 s; a left-over of "
        "the connection before on the same ports (stray segment)",
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    """Sentence by sentence."""
    row, told = STORIES[name]
    assert story(row) == told


COUNTED_BY_SIDE = {
    "retransmission": "client_retransmissions",
    "retransmission_timeout": "client_timeouts",
    "spurious_retransmission": "client_spurious",
    "reordering": "client_out_of_order",
    "dsack": "client_dsacks",
    "zero_window": "client_zero_windows",
    "window_never_reopened": "client_zero_windows",
}


# A SYN without an answer is told by the state, which is `unanswered` then.
TOLD_BY_THEMSELVES = [kind for kind in KINDS if kind.trouble and kind.name != "syn_unanswered"]


@pytest.mark.parametrize("kind", TOLD_BY_THEMSELVES, ids=lambda kind: kind.name)
def test_every_kind_is_told(kind: Kind) -> None:
    """Whatever is trouble changes the story of a connection, however it ended."""
    counted = {COUNTED_BY_SIDE[kind.name]: 1} if kind.name in COUNTED_BY_SIDE else {}
    with_it = (
        {"client_retransmissions": 1} if kind.name in ("retransmission_timeout", "spurious_retransmission") else {}
    )
    for state in ("open", "closed", "half_closed"):
        assert story(flow_row(state, [kind.name], **with_it, **counted)) != story(flow_row(state, **with_it))


def test_long_stories_are_folded() -> None:
    """Everything at once in the longest words, below the longest addresses."""
    rows = rows_of(Script((LONG, 65535), (OTHER, 50000)).frames("c:S s:SA c:A c:PA9 c:PA9! s:A s:RA"))
    analysis = made(rows)
    state, ends = analysis.flow_tracker.states, analysis.flow_tracker.ends
    both = state["ends"][0]
    state["events"][0] = FLOWS.bit("events", *[kind.name for kind in KINDS])
    for name in ("retransmissions", "timeouts", "spurious", "reordered", "dsacks", "zero_windows"):
        ends[name][both] = 2**32 - 1
    for name in ("retransmitted_bytes", "missing_bytes", "zero_ns", "zero_longest_ns"):
        ends[name][both] = 2**62
    text = checked(analysis)
    words = " ".join(section(text, "connections in trouble")).split()
    assert words[:4] == [f"[{LONG}]:65535", ">", f"[{OTHER}]:50000", "tcp"]
    told = " ".join(words[4:])
    assert told.count("4,294,967,295 segments") == 2 * 3
    assert told.count("4,294,967,295 times for 53,376 days") == 2
    assert "repeated by the network (network duplicate), frame" in told
    assert len(section(text, "connections in trouble")) > 9


# The rest


def test_numbers_stay_with_their_units() -> None:
    """A line ends neither between a number and what it counts in, nor behind "frame"; all else may be folded."""
    for size in range(20, 78):
        text = f"{'x' * size} 78 % of 43.2 ms, 1.2 kB/s, 5 Mbit/s and 3 hosts before frame 312, frames 7"
        lines = [line.split() for line in wrapped(text, "  ")]
        assert " ".join(" ".join(words) for words in lines) == text
        folded = {(before[-1], after[0]) for before, after in pairwise(lines)}
        assert not folded & {("78", "%"), ("43.2", "ms,"), ("1.2", "kB/s,"), ("5", "Mbit/s"), ("frame", "312,")}
    assert wrapped(f"{'x' * 75} 3 hosts", "") == [f"{'x' * 75} 3", "hosts"]


def test_long_paths_part_at_slashes() -> None:
    """Only where a line has no room for them, and never in a name, unless that is too long itself."""
    path = "/captures/of-yesterday/and-of-today/server/host.json"
    with columns(40):
        lines = ["  as", "  /captures/of-yesterday/and-of-today/", "  server/host.json says"]
        assert wrapped(f"as {path} says", "  ") == lines
        assert wrapped("a/b " + "x" * 60, "  ")[0] == "  a/b " + "x" * 34
    assert wrapped(f"as {path} says", "") == [f"as {path} says"]


def test_long_addresses_stand_on_two_lines(tmp_path: Path) -> None:
    """IPv6 with nothing to shorten, and ports of five digits."""
    path = pcap_of(tmp_path / "long.pcap", [segment(6, src=LONG, dst=OTHER, src_port=65535, dst_port=50000)])
    _, client, server, numbers = section(checked(analyze(path)), "busiest")
    assert client == f"  #0 [{LONG}]:65535"
    assert server == f"  - [{OTHER}]:50000  tcp"
    assert numbers.split() == ["0.000", "s", "1", "74", "B", "-", "-", "still", "open"]


def test_many_interfaces_with_long_and_hostile_names(tmp_path: Path) -> None:
    """Those with frames are shown, the others counted."""
    name = "interface-with-a-very-long-name " * 9 + "\x1b[31mred\nnext line"
    interfaces = [build.idb(name=f"{number} {name}", extra=[(11, b"\0tcp port 80 \x1b[2J")]) for number in range(300)]
    path = tmp_path / "interfaces.pcapng"
    path.write_bytes(build.pcapng(build.shb(), *interfaces, *[build.epb(segment(), interface=i) for i in (7, 299)]))
    text = checked(analyze(path))
    assert "\\x1b[31mred\\x0anext" in joined(text)
    assert "\\x1b[2J" in joined(text)
    assert "and 298 more interfaces" in text
    shown = [line.split()[1:3] for line in text.splitlines() if line.startswith("  interface ")]
    assert shown == [["7", "7"], ["299", "299"]]


def test_interfaces_without_frames_are_shown_when_none_has_any(tmp_path: Path) -> None:
    """Eight of them."""
    path = tmp_path / "idle.pcapng"
    path.write_bytes(build.pcapng(build.shb(), *[build.idb(name=f"eth{number}") for number in range(300)]))
    text = checked(analyze(path))
    assert sum(line.startswith("  interface ") for line in text.splitlines()) == 8
    assert "and 292 more interfaces" in text


def test_control_characters_are_shown_never_sent() -> None:
    """From every place where a file can have text."""
    file = FileInfo(f"dir/{HOSTILE}", "pcapng", application=f"app {HOSTILE}", size=1, notes=[f"a note {HOSTILE}"])
    interface = Interface(0, 1, name=f"name {HOSTILE}", filter=f"filter {HOSTILE}", description=HOSTILE, os=HOSTILE)
    damage = Damage(f"dir/{HOSTILE}", 5, 6, f"what {HOSTILE}", None)
    text = checked(made(made_rows(2), [interface], [file, file], [damage]))
    together = joined(text)
    for before in ("dir/", "app ", "a note ", "name ", '"filter ', "what "):
        assert before + HOSTILE_SHOWN in together


@pytest.mark.parametrize("name", ["x" * 250, "many words " * 22, "a-b_c." * 40, "dir/" * 60 + "x", "-" * 100])
def test_long_file_names(name: str) -> None:
    """Are folded, and complete."""
    file = FileInfo(f"{name}.pcap", "pcap", application="dumpcap " * 40, size=1)
    other = FileInfo("other.pcap", "pcap", size=1)
    damage = Damage(f"{name}.pcap", 10**15, 10**12, "cut short in a record of 4,294,967,295 bytes", 10**15)
    text = checked(made(made_rows(3), files=[file, other], damages=[damage]))
    answer = text.split("\n\n")[1]
    assert "".join(f"{name}.pcap".split()) in "".join(answer.split())
    assert "3 frames in 2 us" in joined(answer)


def test_a_name_that_is_long_in_the_file_system(tmp_path: Path) -> None:
    """Through `analyze`."""
    path = pcap_of(tmp_path / ("n" * 240 + "\x1b[1m.pcap"), [segment()])
    text = checked(analyze(path))
    assert "n" * 240 + "\\x1b[1m.pcap:1frame,1TCPconnection" in "".join(text.split())


def test_no_frames(tmp_path: Path) -> None:
    """Said in a warning; no times, no protocols, no conversations."""
    text = checked(analyze(pcap_of(tmp_path / "empty.pcap", [])))
    assert (
        "empty.pcap: 0 frames, 0 TCP connections; checked: packets, checksums. ! the capture holds no frames"
        in joined(text)
    )
    assert [word for word in ("  time ", "  frames ", "protocols", "busiest", "not decoded") if word in text] == []


def test_one_frame(tmp_path: Path) -> None:
    """Singular, without a duration or a rate."""
    text = checked(analyze(pcap_of(tmp_path / "one.pcap", [segment(flags=2)])))
    assert "one.pcap: 1 frame, 1 TCP connection (1 still opening)" in joined(text)
    assert "  frames      1 frame, 54 B on the wire\n" in text


EXTREMES = {
    "the epoch": ([0, 0], "1970-01-01 00:00:00.000000 to 00:00:00.000000 UTC", ""),
    "the end of time": ([0, 2**63 - 1], "1970-01-01 00:00:00.000000 to 2262-04-11 23:47:16.854775 UTC", "106,752 days"),
    "before the epoch": ([-1, 0], "1969-12-31 23:59:59.999999 to 1970-01-01 00:00:00.000000 UTC", "1 ns"),
    "all of time": (
        [-(2**63), 2**63 - 1],
        "1677-09-21 00:12:43.145224 to 2262-04-11 23:47:16.854775 UTC",
        "213,504 days",
    ),
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_times(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a file may claim."""
    monkeypatch.chdir(tmp_path)
    times, span, duration = EXTREMES[name]
    text = checked(analyze(pcapng_at(Path("extreme.pcapng"), times)))
    assert f"  time        {span}\n" in text
    assert f"extreme.pcapng: 2 frames{' in ' * bool(duration)}{duration}, 1 TCP connection" in joined(text)
    assert joined(section(text, "busiest")[-1]) == f"0.000 s 2 108 B {duration or '-'} - still open"


def test_all_of_time_backwards(tmp_path: Path) -> None:
    """Two captures, joined: each has a connection of its own."""
    text = checked(analyze(pcapng_at(tmp_path / "extreme.pcapng", [2**63 - 1, -(2**63)])))
    assert " 2 frames in 213,504 days, " in joined(text)
    assert "2 captures were joined: frame 2 is 2,562,047.8 h earlier than the one before." in joined(text)
    assert "clock never steps back" in joined(text)
    moments = ["18,446,744,073.710 s", "0.000 s"]
    assert [joined(line) for line in section(text, "busiest")[2::2]] == [
        f"{at} 1 54 B - - still open" for at in moments
    ]


def test_times_of_two_days(tmp_path: Path) -> None:
    """The second time has a date of its own."""
    text = checked(analyze(pcapng_at(tmp_path / "night.pcapng", [DAY - 1000, DAY])))
    assert "  time        1970-01-01 23:59:59.999999 to 1970-01-02 00:00:00.000000 UTC\n" in text


def test_few_damages_are_listed(tmp_path: Path) -> None:
    """Where, behind which frame, what, and how much is lost."""
    path = pcap_of(tmp_path / "cut.pcap", [segment(), segment()])
    path.write_bytes(path.read_bytes()[:-10])
    text = checked(analyze(path))
    assert "! " in text
    assert "byte 94, after frame 1: cut short in a record of 54 bytes (44 are there); 60 bytes lost" in joined(text)


def test_many_warnings_are_counted(tmp_path: Path) -> None:
    """The first eight are shown; `warnings` holds all."""
    paths = [pcap_of(tmp_path / f"{number:02}.pcap", [segment(), segment()]) for number in range(23)]
    for path in paths:
        path.write_bytes(path.read_bytes()[:-10])
    analysis = analyze(paths)
    assert len(analysis.warnings) == 23
    text = checked(analysis)
    assert sum(line.startswith("! ") for line in text.splitlines()) == 9
    assert "! 15 more warnings; --json lists them all" in text


def test_many_places_of_one_file_are_summed_up() -> None:
    """Three of them in full."""
    damages = [Damage("a.pcap", 100 * number, number, "nonsense", 7) for number in range(23)]
    file = FileInfo("a.pcap", "pcap", size=24, damaged=1723, lost=12061)  # of so many not all are kept
    text = checked(made(made_rows(3), files=[file], damages=damages))
    assert sum("nonsense" in line for line in text.splitlines()) == 3
    assert "1,720 more damaged places; at least 12,061 bytes" in text.replace("\n  ", " ")


def test_many_files_do_not_hide_the_answer() -> None:
    """The frames are named in the first lines, whatever the number of files."""
    files = [FileInfo(f"a/rather/long/path/of/a/rotated/capture-{number:05}.pcap", "pcap") for number in range(300)]
    text = checked(made(made_rows(3), files=files))
    answer = text.split("\n\n")[1]
    assert "3 frames in 2 us" in joined(answer)
    assert len(answer.splitlines()) <= 5
    assert "and 292 more files" in text


LARGEST = 2**64 - 1


def test_the_largest_drop_counts() -> None:
    """All that a file can claim, at once."""
    statistics = {"dropped": LARGEST, "os_dropped": LARGEST, "received": LARGEST}
    text = checked(made(made_rows(1), [Interface(0, 1, drops=LARGEST, statistics=statistics)]))
    assert joined(text).count(f"{LARGEST:,}") >= 3
    assert "packets: what seems lost may only not have been captured" in joined(text)


def test_no_drops_are_known_to_be_none(tmp_path: Path) -> None:
    """A count of 0 is not the same as no count."""
    path = tmp_path / "statistics.pcapng"
    path.write_bytes(build.pcapng(build.shb(), build.idb(), build.epb(segment()), build.isb(dropped=0)))
    (line,) = [line for line in checked(analyze(path)).splitlines() if line.startswith("  drops ")]
    assert line == "  drops       0 interface dropped"


def test_every_tunnel_at_once() -> None:
    """With counts of five digits the words are wider than a line."""
    mask = PACKETS.bit("tunnels", *TUNNELS)
    text = joined(checked(made(made_rows(12_345, tunnels=mask))))
    assert "tunnels " + ", ".join(f"{word} 12,345" for word in TUNNELS) in text


def test_more_protocols_than_fit() -> None:
    """Sixteen are listed, the others counted."""
    rows = made_rows(256, ip_version=4, ip_proto=range(256), length=2**32 - 1)
    found = section(checked(made(rows)), "protocols")
    assert len(found) == 17
    assert found[-1] == "  and 240 more"


def test_reasons_for_not_decoding() -> None:
    """Each has its line, the most frequent first; `decoded` is none."""
    stops = [number for number in range(len(STOPS)) for _ in range(number + 1)]
    lines = section(checked(made(made_rows(len(stops), stop=stops))), "not decoded")
    assert lines == [
        f"  {STOP_TEXT[word]:<36}{number + 1:>14,}"
        for number, word in reversed([*enumerate(STOPS)])
        if word != "decoded"
    ]


def test_peculiar_frames() -> None:
    """Each has its line, but those that were cut: they have theirs above."""
    text = checked(made(made_rows(3, quirks=PACKETS.bit("quirks", *QUIRKS))))
    assert section(text, "peculiar") == [f"  {QUIRK_TEXT[word]:<36}{3:>14,}" for word in QUIRKS if word != "cut"]
    assert "  cut frames  3 of 3 (100.0 %), 0 B captured\n" in text


def test_every_word_has_a_text() -> None:
    """Stops, states and quirks; no text twice."""
    assert set(STOP_TEXT) == set(STOPS) - {"decoded"}
    assert set(ENDED) == set(FLOW_STATES)
    assert set(QUIRK_TEXT) == set(QUIRKS) - {"cut"}
    for texts in (STOP_TEXT, ENDED, QUIRK_TEXT):
        assert len(set(texts.values())) == len(texts)
        assert [word for word, text in texts.items() if bool(text) != bool(word)] == []


# client (True) or server, flags
ENDS = {
    "open": [(True, 16)],
    "closed": [(True, 17), (False, 17)],
    "half_closed": [(True, 17)],
    "reset_by_client": [(True, 4)],
    "reset_by_server": [(False, 4)],
    "refused": [(True, 2), (False, 20)],
    "unanswered": [(True, 2)],
    "half_open": [(True, 2), (False, 18)],
    "opening": [(True, 2)],
    "reset_by_middlebox": [(True, 2), (False, 18), (True, 16), (False, 4)],
}


def connection(number: int, state: str) -> Rows:
    """The packets of a connection that ends in this state."""
    packets = ENDS[state]
    rows = made_rows(len(packets), ip_version=4, ip_proto=6, header_len=20, layers=PACKETS.bit("layers", "tcp"))
    rows["time_ns"] = START_NS + (2 * SECOND if state == "opening" else 0)
    rows["ttl"] = [61 if flags == 4 else 50 for _, flags in packets]
    for row, (from_client, flags) in zip(rows, packets, strict=True):
        row["flags"] = flags
        row["src_port"], row["dst_port"] = (5000 + number, 80) if from_client else (80, 5000 + number)
        row["src_lo"], row["dst_lo"] = (1, 2) if from_client else (2, 1)
    return rows


def test_the_answer_counts_the_ends_of_connections() -> None:
    """Every state that occurs, with its count."""
    rows = np.concatenate([connection(number, state) for number, state in enumerate(ENDS)])
    rows["frame"] = 1 + np.arange(len(rows))
    text = joined(checked(made(rows)))
    assert (
        f"made.pcap: {len(rows)} frames in 2 s, 10 TCP connections (1 still open, 1 closed, 1 half closed, "
        "1 reset by client, 1 reset by server, 1 refused, 1 unanswered, 1 half open, 1 still opening, "
        "1 reset by a middlebox)"
    ) in text


# Conversations


@pytest.fixture
def five(tmp_path: Path) -> Analysis:
    """Five conversations of one packet each, the third the largest."""
    sizes = (100, 50, 500, 100, 70)
    frames = [segment(src_port=50000 + number, payload=size) for number, size in enumerate(sizes)]
    return analyze(pcap_of(tmp_path / "five.pcap", frames))


@pytest.mark.parametrize(("top", "ports"), [(0, []), (1, [2]), (3, [2, 0, 3]), (10, [2, 0, 3, 4, 1])])
def test_the_busiest_come_first(five: Analysis, top: int, ports: list[int]) -> None:
    """By bytes, then by their first frames; as many as asked for."""
    text = checked(five, top)
    assert re.findall(r":5000(\d) - ", text) == [str(port) for port in ports]
    assert (f"busiest conversations ({len(ports)} of 5)" in text) == (top > 0)


def test_an_arrow_only_where_the_handshake_told(tmp_path: Path) -> None:
    """`>` from client to server, `-` where that was guessed."""
    frames = [segment(flags=2, src_port=50001), segment(src_port=50002)]
    lines = section(checked(analyze(pcap_of(tmp_path / "arrow.pcap", frames))), "busiest")
    assert lines[1] == "  #0 192.0.2.1:50001 > 198.51.100.2:80  tcp"
    assert lines[3] == "  #1 192.0.2.1:50002 - 198.51.100.2:80  tcp"


def test_styles_only_colour(five: Analysis) -> None:
    """Roles reach the style; the text below is the same."""
    roles: list[tuple[str, str]] = []

    def style(text: str, role: str) -> str:
        roles.append((role, text))
        return f"<{role}>{text}</>"

    styled = console_text(five, style=style)
    assert re.sub(r"<\w*>|</>", "", styled) == console_text(five)
    assert {role for role, _ in roles} == {"answer", "title", "info", "plain"}
    assert [text for role, text in roles if role == "title"] == [
        "the capture itself",
        "checksums",
        "busiest conversations (5 of 5)",
        "capture",
        "protocols",
        "not checked",
    ]
    text = console_text(made(made_rows(0)), style=style)
    assert "<warning>! the capture holds no frames</>" in text


def test_html_is_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a notebook a file name is text."""
    monkeypatch.chdir(tmp_path)
    pcap_of(Path("<b>&'\".pcap"), [segment(flags=2)])
    shown = analyze("<b>&'\".pcap")._repr_html_()
    assert (
        "<strong>Nothing wrong found in 1 TCP connection, but 1 had not finished opening when the capture ended.<"
        in shown
    )
    assert shown.count("&lt;b&gt;&amp;&#x27;&quot;.pcap: 1 frame") == 2
    assert "<b>" not in shown
    assert "192.0.2.1:40000 &gt; 198.51.100.2:80" in shown


def test_a_notebook_shows_what_the_command_prints(five: Analysis) -> None:
    """Whoever called analyze(), behind a fold; what nobody gave a way of being shown says what it is."""
    for analysis in (five, analyze(five.paths), copy.copy(five)):
        assert f">{html.escape(console_text(five))}</pre></details>" in analysis._repr_html_()
    assert made()._repr_html_() == "<pre>&lt;Analysis of made.pcap: 0 frames, 0 flows&gt;</pre>"


def test_repr(five: Analysis) -> None:
    """One line."""
    assert re.fullmatch(r"<Analysis of .*five\.pcap: 5 frames, 5 flows>", repr(five))


# Numbers, times and names

SIZES = {
    0: "0 B",
    1: "1 B",
    999: "999 B",
    1000: "1 kB",
    1004: "1 kB",
    1024: "1.02 kB",
    1500: "1.5 kB",
    12_340: "12.3 kB",
    99_940: "99.9 kB",
    99_960: "100 kB",
    123_456: "123 kB",
    999_499: "999 kB",
    999_500: "1 MB",
    999_600: "1 MB",
    1_000_000: "1 MB",
    999_600_000: "1 GB",
    1_260_000_000: "1.26 GB",
    999_600_000_000: "1 TB",
    5 * 10**12: "5 TB",
    999_600 * 10**9: "1,000 TB",
    2**63: "9,223,372 TB",
}


@pytest.mark.parametrize("count", SIZES)
def test_size_text(count: int) -> None:
    """Three figures, decimal units."""
    assert size_text(count) == SIZES[count]


RATES = {
    (1, 0): "",
    (1, -5): "",
    (0, SECOND): "",
    (1, 9 * SECOND): "",
    (1, 8 * SECOND): "1 bit/s",
    (1, SECOND): "8 bit/s",
    (124, SECOND): "992 bit/s",
    (125, SECOND): "1 kbit/s",
    (12_495, SECOND): "100 kbit/s",
    (124_950, SECOND): "1 Mbit/s",
    (125_000_000, SECOND): "1 Gbit/s",
    (1_250_000, 1_000_000): "10 Gbit/s",
    (1_250, 1): "10 Tbit/s",
    (10**9, 1): "8,000,000 Tbit/s",
}


@pytest.mark.parametrize(("count", "duration_ns"), RATES)
def test_rate_text(count: int, duration_ns: int) -> None:
    """Bits per second; nothing where there is nothing to say."""
    assert rate_text(count, duration_ns) == RATES[count, duration_ns]


DURATIONS = {
    0: "0 ns",
    1: "1 ns",
    999: "999 ns",
    1000: "1 us",
    1004: "1 us",
    1234: "1.23 us",
    99_940: "99.9 us",
    99_960: "100 us",
    999_499: "999 us",
    999_500: "1 ms",
    999_600: "1 ms",
    1_000_000: "1 ms",
    20_400_000: "20.4 ms",
    999_499_999: "999 ms",
    999_500_000: "1 s",
    SECOND: "1 s",
    59_999_900_000: "60 s",
    99_940_000_000: "99.9 s",
    99_960_000_000: "100 s",
    100 * SECOND: "100 s",
    3599 * SECOND: "3599 s",
    3600 * SECOND: "1.0 h",
    5400 * SECOND: "1.5 h",
    DAY - SECOND: "24.0 h",
    DAY: "1.0 days",
    36 * 3600 * SECOND: "1.5 days",
    2**63 - 1: "106,752 days",
    -1: "-1 ns",
    -1_500_000: "-1.5 ms",
    -(2**63): "-106,752 days",
}


@pytest.mark.parametrize("duration_ns", DURATIONS)
def test_duration_text(duration_ns: int) -> None:
    """Three figures up to 100 s, then seconds, hours and days."""
    assert duration_text(duration_ns) == DURATIONS[duration_ns]


@pytest.mark.parametrize("power", range(19))
def test_no_exponents(power: int) -> None:
    """Around every power of ten, no text is in scientific notation or longer than its column."""
    for factor in (1, 9.94, 9.95, 9.994, 9.995, 9.996, 9.999, 9.99951):
        value = int(factor * 10**power)
        for text, room in ((size_text(value), 14), (duration_text(min(value, 2**63 - 1)), 12)):
            assert "e" not in text
            assert len(text) <= room
        assert "e" not in rate_text(value, SECOND)


TIMES = {
    0: "1970-01-01 00:00:00.000000",
    -1: "1969-12-31 23:59:59.999999",
    999: "1970-01-01 00:00:00.000000",
    1_999_999_999: "1970-01-01 00:00:01.999999",
    START_NS: "2025-11-20 17:33:20.123456",
    951_782_400 * SECOND: "2000-02-29 00:00:00.000000",
    2**63 - 1: "2262-04-11 23:47:16.854775",
    -(2**63): "1677-09-21 00:12:43.145224",
}


@pytest.mark.parametrize("time_ns", TIMES)
def test_time_text(time_ns: int) -> None:
    """UTC, rounded down to the microsecond, with or without the day."""
    assert time_text(time_ns) == TIMES[time_ns]
    assert time_text(time_ns, day=False) == TIMES[time_ns].split(" ")[1]


@pytest.mark.parametrize(
    ("first", "last", "same"), [(0, DAY - 1, True), (0, DAY, False), (-1, 0, False), (-DAY, -1, True)]
)
def test_same_day(first: int, last: int, same: bool) -> None:
    """By days of UTC, also before 1970."""
    assert same_day(first, last) is same


@pytest.mark.parametrize(
    ("address", "shown"),
    [("192.0.2.1", "192.0.2.1:80"), ("2001:db8::1", "[2001:db8::1]:80"), ("::", "[::]:80"), ("", ":80")],
)
def test_endpoint(address: str, shown: str) -> None:
    """Brackets around IPv6."""
    assert endpoint(address, 80) == shown


@pytest.mark.parametrize(
    ("count", "one", "many", "text"),
    [
        (0, "frame", "", "0 frames"),
        (1, "frame", "", "1 frame"),
        (2, "frame", "", "2 frames"),
        (1234567, "frame", "", "1,234,567 frames"),
        (1, "reply", "replies", "1 reply"),
        (5, "reply", "replies", "5 replies"),
    ],
)
def test_plural(count: int, one: str, many: str, text: str) -> None:
    """One and many."""
    assert plural(count, one, many) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 1 + 1 = 2", "plain text, 1 + 1 = 2"),
        ("häßlich 表", "häßlich 表"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\x00\x7f\x9b", "\\x00\\x7f\\x9b"),
        ("a\u2028b\u202ec", "a\\x2028b\\x202ec"),
        ("\udcff", "\\xdcff"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    """Control characters, line separators, changes of direction and broken bytes are shown as numbers."""
    assert printable(text) == shown
