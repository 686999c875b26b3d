"""FlowTracker against its naive twin on generated conversations, and scenario by scenario what a flow's row says."""

from __future__ import annotations

import math
import random
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analyzer import analyze
from analyzer.capture import RecordBatch
from analyzer.events.judge import Judge
from analyzer.flows import FlowTracker
from analyzer.flows import rows as flow_rows
from analyzer.flows.end_state import BINS, BINS_FROM, END_STATE
from analyzer.flows.hash_kernel import hash_of, way_of
from analyzer.flows.tracker import FIRST_CAPACITY
from analyzer.frames import FrameReader
from analyzer.passes import table_rows
from analyzer.schema import Rows
from analyzer.tables import COMPLETENESS, FLOW_STATES, FLOWS, PACKETS, ROLES, TCP_STATES
from tests import build
from tests.each import for_each
from tests.helpers import CAPTURES, batch_of, differences, is_plain, packets_of, plain, plain_of, read_all
from tests.naive.flows import Flow, Packet, flows_of, sender

SAMPLES = Path(__file__).parent.parent / "samples"
EXPECTED = sorted(SAMPLES.glob("*/expected.toml"))
START_NS = 1_763_660_000_123_456_789
STEP_NS = 1_000_000
SECOND = 1_000_000_000
SOMETHING_ELSE = build.ethernet(bytes(28), build.ARP)
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
NEEDED = (
    "frame", "time_ns", "length", "layers", "ip_version", "src", "dst", "ip_proto", "src_port", "dst_port",
    "seq", "ack", "flags", "header_len", "payload_len", "stop", "options", "mss", "window_scale",
    "told", "told_len", "more_len",
)  # fmt: skip
# What the twin does not know: verdicts, and what is counted along with them.
LETTERS_OF_VERDICTS = str.maketrans("", "", "tTwWgGiI")
LEFT_OUT = {
    "capture_duplicate",
    "network_duplicate",
    "stray",
    "challenge_ack",
}  # frames that tell nothing of their flow
OF_WHOLE_FRAMES = (
    "history", "agreed", "handshake_rtt_ns",
    *(f"{side}_{name}" for side in ("client", "server") for name in (
        "state", "offered", "mss", "window_scale", "largest_segment", "idle_longest_ns", "packets", "bytes", "payload"
    )),
)  # fmt: skip
WORD = re.compile(r"(?P<side>[cs]):(?P<flags>[FSRPAUEC]*|udp|-)(?P<size>\d*)(?P<mark>[!*]?)")
NEAR = 1 << 28  # numbers further apart than this are not of one connection here
IPV4_AT, IPV6_AT = 34, 54  # where the transport header is


class Script:
    """A conversation written in words such as `c:S s:SA c:A c:PA100 s:FA`, turned into frames.

    A word names who sends (client or server), the flags (`-` for none) or `udp`, and the bytes of payload. Sequence and
    acknowledgment numbers follow. `!` behind a word sends what that side sent last once more, `*` begins with another ISN.
    What is sent again is another IP packet; `options` go with a SYN of the client or the server.
    """

    def __init__(
        self,
        client: tuple[str, int] = (build.SRC4, 40000),
        server: tuple[str, int] = (build.DST4, 80),
        isn: tuple[int, int] = (1000, 5000),
        options: tuple[bytes, bytes] = (b"", b""),
    ) -> None:
        self.ends = {"c": client, "s": server}
        self.next = {"c": isn[0], "s": isn[1]}
        self.options = {"c": options[0], "s": options[1]}
        self.sent: dict[str, bytes] = {}
        self.number = 0

    def frames(self, words: str) -> list[bytes]:
        """The frames of the words."""
        return [self.frame(word) for word in words.split()]

    def frame(self, word: str) -> bytes:
        """The frame of one word."""
        found = WORD.fullmatch(word)
        assert found, word
        side, other = found["side"], "s" if found["side"] == "c" else "c"
        if found["mark"] != "!":
            if found["mark"] == "*":
                self.next[side] = (self.next[side] + 777_777_777) % 2**32
            content = self.datagram if found["flags"] == "udp" else self.segment
            payload = bytes(int(found["size"] or 0))
            protocol = build.UDP if found["flags"] == "udp" else build.TCP
            self.sent[side] = self.packet(content(side, other, found["flags"], payload), protocol, side, other)
        self.number += 1
        return stamped(self.sent[side], self.number)

    def segment(self, side: str, other: str, letters: str, payload: bytes) -> bytes:
        """A TCP segment with the next sequence number; a reset before anything else was sent has number 0."""
        flags = sum(FLAGS[letter] for letter in letters.strip("-"))
        seq = 0 if flags & 4 and side not in self.sent else self.next[side]
        if not flags & 4:
            self.next[side] = (seq + len(payload) + bool(flags & 1) + bool(flags & 2)) % 2**32
        ack = self.next[other] if flags & 16 else 0
        if flags & 18 == 18 and other not in self.sent:  # its SYN was there, only not captured before this
            ack = (ack + 1) % 2**32
        ports = {"src_port": self.ends[side][1], "dst_port": self.ends[other][1]}
        options = self.options[side] if flags & 2 else b""
        return build.tcp(payload, seq=seq, ack=ack, flags=flags, check=0, options=options, **ports)

    def datagram(self, side: str, other: str, _: str, payload: bytes) -> bytes:
        """A UDP datagram."""
        return build.udp(payload, src_port=self.ends[side][1], dst_port=self.ends[other][1], check=1)

    def packet(self, content: bytes, protocol: int, side: str, other: str) -> bytes:
        """The frame with IP of the version of the addresses."""
        src, dst = self.ends[side][0], self.ends[other][0]
        if ":" in src:
            return build.ethernet(build.ipv6(content, protocol, src=src, dst=dst), build.IPV6)
        return build.ethernet(build.ipv4(content, protocol, src=src, dst=dst))


def stamped(frame: bytes, number: int) -> bytes:
    """The frame as an IP packet of its own: with another identification; in IPv6, that has none, with another window."""
    number = number % 50_000 + 10_000
    at = 18 if frame[12:14] == b"\x08\x00" else IPV6_AT + 14
    is_udp = frame[14 + 9] == build.UDP if at == 18 else frame[14 + 6] == build.UDP
    return frame if is_udp else frame[:at] + number.to_bytes(2, "big") + frame[at + 2 :]


def rows_of(frames: Sequence[bytes | tuple[bytes, int]], times: Sequence[int] | None = None) -> Rows:
    """Ethernet frames (perhaps with another length on the wire) decoded, a millisecond apart, fragments put together."""
    whole = [(frame, len(frame)) if isinstance(frame, bytes) else frame for frame in frames]
    batch, interfaces = batch_of((1, data, length) for data, length in whole)
    rows = batch.rows.copy()
    rows["time_ns"] = START_NS + STEP_NS * np.arange(len(rows)) if times is None else times
    return FrameReader(None).rows_of(RecordBatch(batch.buffer, rows, 1), interfaces)


def plain_flows(rows: Rows) -> list[Flow]:
    """Rows of FLOWS as plain values."""
    return plain_of(rows, FLOWS.columns)


def unlike(expected: Sequence[Flow], rows: Rows, packets: Sequence[Packet]) -> list[dict[str, Any]]:
    """What differs from the twin, flow by flow, in the columns of the twin."""
    found = []
    unsteady = unsteady_flows(packets)
    for ours, actual in zip(expected, plain_flows(rows), strict=True):
        actual["history"] = actual["history"].translate(LETTERS_OF_VERDICTS)
        skipped = OF_WHOLE_FRAMES if actual["events"] & LEFT_OUT or ours["flow"] in unsteady else ()
        differ = differences(ours, {name: actual[name] for name in ours if name not in skipped})
        found += [differ | {"flow": ours["flow"]}] if differ else []
    return found


def left_out(rows: Rows) -> int:
    """Flows with verdicts that keep frames out of them."""
    return sum(bool(events & LEFT_OUT) for events in plain(FLOWS["events"], rows))


def unsteady_flows(packets: Sequence[Packet]) -> set[int]:
    """Flows whose numbers jump: not every segment counts there, and which one is a verdict.

    Those where both ends are the same, too: their streams cannot be told apart.
    """
    found: set[int] = set()
    base: dict[tuple[int, int], int] = {}
    for packet in packets:
        if packet["ip_proto"] != 6 or packet["flow"] < 0 or packet["flags"] & FLAGS["R"]:
            continue
        flow, end = packet["flow"], sender(packet)
        steps = [signed(packet["seq"] - base.setdefault((flow, end), packet["seq"]))]
        if packet["flags"] & FLAGS["A"]:
            steps.append(signed(packet["ack"] - base.setdefault((flow, 1 - end), packet["ack"])))
        in_between = packet["flags"] & FLAGS["S"] and steps[0] > 0
        to_itself = (packet["src"], packet["src_port"]) == (packet["dst"], packet["dst_port"])
        if in_between or to_itself or max(map(abs, steps)) > NEAR:
            found.add(flow)
    return found


def signed(difference: int) -> int:
    """A difference of sequence numbers, the short way round."""
    return (difference + 2**31) % 2**32 - 2**31


def track(rows: Rows, batch: int | None = None, max_flows: int | None = None, keep_left: bool = False) -> FlowTracker:
    """The tracker after all rows, given in batches and judged. Their `flow` and `direction` are filled in."""
    tracker = FlowTracker(**({} if max_flows is None else {"max_flows": max_flows}), keep_left=keep_left)
    judge = Judge(tracker)
    for start in range(0, len(rows), batch or len(rows) or 1):
        for part in tracker.follow(rows[start : start + (batch or len(rows))]):
            judge.add(part)
    for _ in judge.finish():
        pass
    return tracker


def fresh(rows: Rows) -> Rows:
    """The rows as the decoder left them."""
    again = rows.copy()
    again["flow"], again["direction"], again["place"], again["reused"] = -1, 0, -1, 0
    return again


def marks(rows: Rows) -> list[tuple[int, int]]:
    """Flow and direction of each row."""
    return list(zip(rows["flow"].tolist(), rows["direction"].tolist(), strict=True))


def flows(frames: Sequence[bytes | tuple[bytes, int]], times: Sequence[int] | None = None) -> list[Flow]:
    """The flows of the frames; they must be those of the twin."""
    rows = rows_of(frames, times)
    found = track(rows).rows()
    packets = packets_of(rows, NEEDED)
    expected, left = flows_of(packets)
    assert left == []
    assert unlike(expected, found, packets) == []
    assert marks(rows) == [(packet["flow"], packet["direction"]) for packet in packets]
    return plain_flows(found)


def flows_later(frames: Sequence[bytes | tuple[bytes, int]], later_ns: int = 2 * SECOND) -> list[Flow]:
    """The same, when the capture goes on for a while without them."""
    times = [START_NS + STEP_NS * number for number in range(len(frames))]
    return flows([*frames, SOMETHING_ELSE], [*times, times[-1] + later_ns])


def the_flow(words: str, later_ns: int = 2 * SECOND, **ends: Any) -> Flow:
    """The only flow of a script."""
    (flow,) = flows_later(Script(**ends).frames(words), later_ns)
    return flow


# Scenarios

SCENARIOS = {
    "an orderly connection": ("c:S s:SA c:A c:PA100 s:FA c:FA s:A", "closed", 2),
    "still open": ("c:S s:SA c:A c:PA100 s:A", "open", 2),
    "open though only ACKs came": ("c:A s:A c:A", "open", None),
    "the client closes its half": ("c:S s:SA c:A c:FA s:A s:PA100", "half_closed", 2),
    "the server closes its half": ("c:S s:SA c:A s:FA c:A", "half_closed", 2),
    "the FIN is sent again": ("c:S s:SA c:A c:FA c:FA! s:A", "half_closed", 2),
    "both close at once": ("c:S s:SA c:A c:FA s:FA c:A", "closed", 2),
    "reset by the client": ("c:S s:SA c:A c:R", "reset_by_client", 2),
    "reset by the server": ("c:S s:SA c:A c:PA10 s:RA", "reset_by_server", 2),
    "reset by both, the first counts": ("c:S s:SA c:A s:R c:R", "reset_by_server", 2),
    "a reset after one FIN": ("c:S s:SA c:A c:FA s:A s:R", "reset_by_server", 2),
    "a reset that both ends outlived": ("c:S s:SA c:A c:R c:FA s:FA c:A", "closed", 2),
    "a reset behind a FIN that the other end outlived": ("c:S s:SA c:A c:FA s:FA s:R c:A", "closed", 2),
    "a reset while a FIN is under way": ("c:S s:SA c:A c:FA s:R s:FA", "reset_by_server", 2),
    "a reset after both FINs changes nothing": ("c:S s:SA c:A c:FA s:FA c:R", "closed", 2),
    "a reset instead of the last ACK": ("c:S s:SA c:R", "reset_by_client", None),
    "a reset with ACK is no end of a handshake": ("c:S s:SA c:RA", "reset_by_client", None),
    "the server takes its SYN-ACK back": ("c:S s:SA s:R", "reset_by_server", None),
    "refused": ("c:S s:RA", "refused", None),
    "refused twice": ("c:S s:RA c:S! s:RA", "refused", None),
    "refused at first, accepted at the second try": ("c:S s:RA c:S! s:SA c:A c:PA9", "open", None),
    "the client gives up": ("c:S c:R", "reset_by_client", None),
    "unanswered": ("c:S", "unanswered", None),
    "unanswered three times": ("c:S c:S! c:S!", "unanswered", None),
    "a SYN was lost": ("c:S c:S! s:SA c:A", "open", None),
    "half open": ("c:S s:SA", "half_open", None),
    "a SYN-ACK sent again": ("c:S s:SA s:SA! c:A", "open", None),
    "a SYN-ACK sent again after the ACK": ("c:S s:SA c:A s:SA! c:A", "open", 2),
    "the server is not heard": ("c:S c:A c:PA100 c:FA", "half_closed", None),
    "the SYN-ACK was not captured": ("c:S c:A c:PA10 s:A s:R", "reset_by_server", None),
    "the ACK was not captured, and the server speaks first": ("c:S s:SA s:PA20 c:A", "open", None),
    "the ACK was not captured, the request was": ("c:S s:SA c:PA20 s:A", "open", 2),
    "data in the SYN": ("c:S100 s:SA c:A s:PA10", "open", 2),
    "ECN is asked for": ("c:SEC s:SAE c:A", "open", 2),
    "the capture starts with the SYN-ACK": ("s:SA c:A c:PA100", "open", None),
    "the capture starts with the SYN-ACK and ends before the ACK": ("s:SA s:SA!", "half_open", None),
    "the capture starts with the last ACK": ("c:A c:PA100 s:A s:FA", "half_closed", None),
    "the capture starts with the server's data": ("s:PA100 c:A s:FA c:FA", "closed", None),
    "a reset is all there is": ("s:R", "reset_by_server", None),
    "SYN-ACK captured before the SYN": ("s:SA c:S c:A", "open", 1),
    "no flags at all": ("c:- c:-", "open", None),
}  # fmt: skip


@pytest.mark.parametrize("name", SCENARIOS)
def test_how_a_connection_stands(name: str) -> None:
    """State, and the round-trip time of the handshake in steps of a millisecond."""
    words, state, steps = SCENARIOS[name]
    flow = the_flow(words)
    assert (flow["state"], flow["handshake_rtt_ns"]) == (state, -1 if steps is None else steps * STEP_NS)
    assert (flow["client"], flow["client_port"]) == (build.SRC4, 40000)
    assert flow["protocol"] == "tcp"
    assert flow["client_packets"] == words.count("c:")
    assert flow["server_packets"] == words.count("s:")


def test_the_scenarios_reach_every_state() -> None:
    """One scenario at least for each word of the column but the one for UDP; where the capture ends has tests of its own."""
    assert {state for _, state, _ in SCENARIOS.values()} == set(FLOW_STATES) - {"", "opening", "reset_by_middlebox"}


OPENINGS = {
    "a SYN at the end": ("c:S", 1_000_000, "opening"),
    "a SYN a second before it": ("c:S", SECOND, "unanswered"),
    "a SYN a little less before it": ("c:S", SECOND - 1, "opening"),
    "SYNs since more than a second": ("c:S c:S! c:S!", SECOND - 1, "unanswered"),
    "a SYN-ACK at the end": ("c:S s:SA", 1_000_000, "opening"),
    "a SYN-ACK a second before it": ("c:S s:SA", SECOND, "half_open"),
    "a refused SYN at the end": ("c:S s:RA", 0, "refused"),
    "only the server was captured": ("s:SA", 60 * SECOND, "opening"),
    "only the server was captured, and asked again": ("s:SA s:SA!", SECOND, "half_open"),
    "only the server was captured, and sent data": ("s:SA s:PA20", 0, "open"),
    "only the server was captured, and closed": ("s:SA s:FA", 0, "half_closed"),
}


@pytest.mark.parametrize("name", OPENINGS)
def test_how_a_handshake_stands_where_the_capture_ends(name: str) -> None:
    """No answer is none only after a retransmission timeout."""
    words, later_ns, state = OPENINGS[name]
    assert the_flow(words, later_ns)["state"] == state


@pytest.mark.parametrize(("rtt_ns", "due_ns"), [(20_000_000, 220_000_000), (300_000_000, 900_000_000)])
def test_what_is_known_of_the_way(rtt_ns: int, due_ns: int) -> None:
    """Another handshake between the two addresses tells when an answer is due: RFC 6298, but 200 ms more at least."""
    first, second = Script(), Script((build.SRC4, 40001))
    frames = [*first.frames("c:S s:SA c:A"), *second.frames("c:S"), SOMETHING_ELSE]
    begin = START_NS + rtt_ns + 5
    times = [START_NS, START_NS + rtt_ns - 1, START_NS + rtt_ns, begin, begin + due_ns]
    assert [flow["state"] for flow in flows(frames, times)] == ["open", "unanswered"]
    times[-1] -= 1
    assert [flow["state"] for flow in flows(frames, times)] == ["open", "opening"]
    times[-1] += SECOND
    other = [*first.frames("c:S* s:SA* c:A"), *Script(("192.0.2.77", 40001)).frames("c:S"), SOMETHING_ELSE]
    assert [flow["state"] for flow in flows(other, [*times[:-1], begin + SECOND - 1])] == ["open", "opening"]


def test_data_that_acknowledges_more_than_the_handshake() -> None:
    """What the server acknowledges later was sent by a client whose ACK it has got, though that was not captured."""
    words = "c:S s:SA c:A c:PA100 s:A"
    frames = [frame for frame, word in zip(Script().frames(words), words.split(), strict=True) if word[0] == "s"]
    (flow,) = flows_later(frames)
    assert (flow["state"], flow["completeness"], flow["handshake_rtt_ns"]) == ("open", "middle", -1)
    assert flow["client_packets"] == 0


ROLE_SCENARIOS = {
    "the SYN tells": ("c:S s:SA", 40000, 80, "c", "handshake"),
    "the SYN-ACK tells": ("s:SA c:A", 80, 40000, "c", "handshake"),
    "the SYN tells, against the ports": ("c:S", 20, 40000, "c", "handshake"),
    "a late SYN-ACK tells, against the first packet": ("c:A s:SA", 5000, 6000, "c", "handshake"),
    "the port below 1024 is the server's": ("s:A", 40000, 80, "c", "ports"),
    "1023 is below": ("s:A", 1024, 1023, "c", "ports"),
    "1024 is not": ("s:A", 40000, 1024, "s", "first_packet"),
    "both below": ("s:A", 22, 80, "s", "first_packet"),
    "the first packet": ("c:A s:A", 40000, 50000, "c", "first_packet"),
    "UDP by ports": ("s:udp9 c:udp9", 40000, 53, "c", "ports"),
    "UDP by the first packet": ("s:udp9 c:udp9", 40000, 4500, "s", "first_packet"),
    "UDP with flags is unknown": ("c:udp", 123, 123, "c", "first_packet"),
    "simultaneous open: the first SYN": ("s:S c:S s:SA c:SA", 179, 179, "s", "handshake"),
    "simultaneous open, other order": ("s:S c:S c:SA s:SA", 179, 179, "s", "handshake"),
}


@pytest.mark.parametrize("name", ROLE_SCENARIOS)
def test_who_is_the_client(name: str) -> None:
    """And how that is known."""
    words, client_port, server_port, client, roles = ROLE_SCENARIOS[name]
    ends = {"c": (build.SRC4, client_port), "s": (build.DST4, server_port)}
    flow = the_flow(words, client=ends["c"], server=ends["s"])
    assert (flow["client"], flow["client_port"]) == ends[client]
    assert (flow["server"], flow["server_port"]) == ends["s" if client == "c" else "c"]
    assert flow["roles"] == roles


@pytest.mark.parametrize(
    ("port", "service", "client"), [(700, 2049, "c"), (1023, 24007, "c"), (443, 2049, "s"), (700, 3306, "s")]
)
def test_a_client_with_a_reserved_port(port: int, service: int, client: str) -> None:
    """Of NFS and GlusterFS only, and from 512 on: else it is the port below 1024 that serves."""
    flow = the_flow("s:A", client=(build.SRC4, port), server=(build.DST4, service))
    assert (flow["client_port"], flow["roles"]) == (port if client == "c" else service, "ports")


def test_the_scenarios_reach_every_role() -> None:
    """Each word of the column."""
    assert {roles for *_, roles in ROLE_SCENARIOS.values()} == set(ROLES)


OPENED = "c:S s:SA c:A "
END_SCENARIOS = {
    "the SYN": ("c:S", "SYN-SENT", "", "S"),
    "the SYN-ACK": ("c:S s:SA", "SYN-SENT", "SYN-RECEIVED", "Sh"),
    "the handshake": (OPENED, "ESTABLISHED", "ESTABLISHED", "ShA"),
    "data both ways": (OPENED + "c:PA10 s:PA10 c:A", "ESTABLISHED", "ESTABLISHED", "ShADd"),
    "the client's FIN": (OPENED + "c:FA", "FIN-WAIT-1", "CLOSE-WAIT", "ShAF"),
    "the client's FIN, acknowledged": (OPENED + "c:FA s:A", "FIN-WAIT-2", "CLOSE-WAIT", "ShAFa"),
    "the server's FIN, acknowledged": (OPENED + "s:FA c:A", "CLOSE-WAIT", "FIN-WAIT-2", "ShAf"),
    "both, the first acknowledged": (OPENED + "c:FA s:FA", "TIME-WAIT", "LAST-ACK", "ShAFf"),
    "both, without ACK": (OPENED + "c:F s:F", "CLOSING", "LAST-ACK", "ShAFf"),
    "both, the server first": (OPENED + "s:FA c:FA s:A", "CLOSED", "TIME-WAIT", "ShAfFa"),
    "both, all acknowledged": (OPENED + "c:FA s:FA c:A", "TIME-WAIT", "CLOSED", "ShAFf"),
    "a reset": (OPENED + "c:PA10 s:RA", "CLOSED", "CLOSED", "ShADr"),
    "refused": ("c:S s:RA", "CLOSED", "CLOSED", "Sr"),
    "data in the SYN": ("c:S100 s:SA", "SYN-SENT", "SYN-RECEIVED", "SDh"),
    "data with the FIN": (OPENED + "c:PAF10", "FIN-WAIT-1", "CLOSE-WAIT", "ShADF"),
    "UDP": ("c:udp10 s:udp10", "", "", ""),
}


@pytest.mark.parametrize("name", END_SCENARIOS)
def test_how_each_end_stands(name: str) -> None:
    """The states of both ends, and the letters of the history."""
    words, client, server, letters = END_SCENARIOS[name]
    flow = the_flow(words)
    assert (flow["client_state"], flow["server_state"]) == (client, server)
    assert flow["history"].translate(LETTERS_OF_VERDICTS) == letters


def test_a_fin_of_before_closes_nothing() -> None:
    """One that lies before the SYN is of an older connection (RFC 9293 section 3.10.7.4), whoever closes later."""
    for words, client, server in (
        ("", "ESTABLISHED", "ESTABLISHED"),
        ("s:FA c:A", "CLOSE-WAIT", "FIN-WAIT-2"),
        ("s:FA c:FA s:A", "CLOSED", "TIME-WAIT"),
        ("c:PA10 s:A c:FA s:A s:FA c:A", "TIME-WAIT", "CLOSED"),
    ):
        script = Script()
        frames = script.frames(OPENED)
        here = script.next["c"]
        script.next["c"] = here - 400
        frames.append(script.frame("c:FA"))
        script.next["c"] = here
        (flow,) = flows([*frames, *script.frames(words)])
        assert (flow["client_state"], flow["server_state"]) == (client, server), words


COMPLETENESS_SCENARIOS = {
    "complete": ["c:S s:SA c:A c:FA s:FA c:A", "c:S s:SA c:A s:R", "c:S s:RA c:S! s:SA c:A c:R"],
    "no_end": ["c:S s:SA c:A", "c:S s:SA c:A c:FA"],
    "no_beginning": ["c:A c:FA s:FA", "c:PA10 s:R", "s:SA c:A c:R"],
    "middle": ["c:A", "s:PA10 c:FA", "s:SA c:A"],
    "no_handshake": ["c:S", "c:S s:SA", "s:SA s:SA!", "c:S s:RA", "c:S s:SA s:R"],
    "": ["c:udp10"],
}


@pytest.mark.parametrize(
    ("word", "words"), [(word, words) for word, every in COMPLETENESS_SCENARIOS.items() for words in every]
)
def test_how_much_was_captured(word: str, words: str) -> None:
    """Beginning and end, one of them, or neither."""
    assert set(COMPLETENESS_SCENARIOS) == set(COMPLETENESS)
    assert the_flow(words)["completeness"] == word


def test_what_the_ends_offer() -> None:
    """Each side's own options, and those of both."""
    mine = build.mss(1460) + build.SACK_PERMITTED + build.window_scale(7)
    flow = the_flow("c:S s:SA c:A", options=(mine, build.window_scale(0) + build.mss(536)))
    assert flow["client_offered"] == {"mss", "sack_permitted", "window_scale"}
    assert flow["server_offered"] == flow["agreed"] == {"mss", "window_scale"}
    assert (flow["client_mss"], flow["server_mss"]) == (1460, 536)
    assert (flow["client_window_scale"], flow["server_window_scale"]) == (7, 0)
    alone = the_flow("c:S s:SA c:A", options=(mine, b""))
    assert (alone["client_window_scale"], alone["server_window_scale"]) == (7, -1)
    assert (alone["client_mss"], alone["server_mss"], alone["agreed"]) == (1460, 0, frozenset())
    unheard = the_flow("c:S", options=(mine, mine))
    assert (unheard["client_mss"], unheard["server_mss"], unheard["agreed"]) == (1460, 0, frozenset())


def test_the_time_since_the_flow_before() -> None:
    """From its last frame, which is not the one it began with."""
    times = [START_NS + offset for offset in (0, 10, 30, 1000, 1005)]
    first, second = flows(Script().frames("c:S s:SA c:A c:S* s:SA*"), times)
    assert (first["since_previous_ns"], second["since_previous_ns"]) == (0, 970)
    assert (first["client_idle_longest_ns"], first["server_idle_longest_ns"]) == (30, 0)
    assert (second["client_idle_longest_ns"], second["server_idle_longest_ns"]) == (0, 0)


def test_udp_has_no_state() -> None:
    """And no handshake."""
    flow = the_flow("c:udp10 s:udp20 c:udp30")
    assert (flow["protocol"], flow["state"], flow["handshake_rtt_ns"]) == ("udp", "", -1)
    assert (flow["client_idle_longest_ns"], flow["client_window_scale"], flow["client_window_min"]) == (0, -1, -1)
    assert (flow["client_payload"], flow["server_payload"]) == (40, 20)
    assert (flow["client_bytes"], flow["server_bytes"]) == (40 + 2 * 42, 20 + 42)


REUSES = {
    "a SYN with another ISN after the end": ("c:S s:SA c:A c:FA s:FA c:A c:S* s:SA* c:A", ["closed", "open"]),
    "a SYN with another ISN in the middle": ("c:S s:SA c:A c:S* s:R", ["open", "refused"]),
    "a client that tries again and again": ("c:S s:RA c:S* s:RA c:S*", ["refused", "refused", "unanswered"]),
    "after packets of an older connection": ("c:PA10 s:A c:S* s:SA* c:A", ["open", "open"]),
    "after the last packets of an older server": ("s:FA c:S s:SA* c:A", ["half_closed", "open"]),
    "from the other side": ("c:S s:SA c:A s:S* c:SA*", ["open", "half_open"]),
}


@pytest.mark.parametrize("name", REUSES)
def test_a_tuple_that_is_used_again_is_another_flow(name: str) -> None:
    """Each with its own state, in order of their first frames."""
    words, states = REUSES[name]
    found = flows_later(Script().frames(words))
    assert [flow["state"] for flow in found] == states
    assert [flow["flow"] for flow in found] == list(range(len(states)))
    assert [flow["previous"] for flow in found] == list(range(-1, len(states) - 1))
    assert [flow["first_frame"] for flow in found] == sorted(flow["first_frame"] for flow in found)
    assert sum(flow["client_packets"] + flow["server_packets"] for flow in found) == len(words.split())


@pytest.mark.parametrize(
    ("first", "words"),
    [("S", "c:S c:S! s:SA c:A c:PA10"), ("data", "c:PA10 s:A c:PA10! s:A"), ("SA", "s:SA s:SA! c:A")],
)
def test_what_is_sent_again_is_no_other_flow(first: str, words: str) -> None:
    """SYN, SYN-ACK and data with the numbers they had."""
    assert the_flow(words)["first_frame"] == 1, first


@pytest.mark.parametrize("isn", [(2**32 - 1, 2**32 - 1), (0, 0), (2**31, 2**31 - 1)])
def test_sequence_numbers_wrap(isn: tuple[int, int]) -> None:
    """An ISN at the end of the range is acknowledged with 0."""
    flow = the_flow("c:S s:SA c:A c:PA10 s:A c:FA s:FA c:A", isn=isn)
    assert (flow["state"], flow["handshake_rtt_ns"]) == ("closed", 2 * STEP_NS)


def test_counts_and_times() -> None:
    """By hand, for one connection."""
    times = [START_NS + offset for offset in (0, 40, 100, 95, 300)]
    (flow,) = flows(Script(options=(build.mss(1460), build.mss(536))).frames("c:S s:SA c:A c:PA100 s:A"), times)
    expected = {
        "flow": 0,
        "protocol": "tcp",
        "ip_version": 4,
        "client": "192.0.2.1",
        "client_port": 40000,
        "server": "198.51.100.2",
        "server_port": 80,
        "roles": "handshake",
        "start_ns": START_NS,
        "end_ns": START_NS + 300,
        "first_frame": 1,
        "last_frame": 5,
        "previous": -1,
        "since_previous_ns": 0,
        "client_packets": 3,
        "server_packets": 2,
        "client_bytes": 3 * 54 + 4 + 100,
        "server_bytes": 2 * 54 + 4,
        "client_payload": 100,
        "server_payload": 0,
        "handshake_rtt_ns": 100,
        "state": "open",
        "completeness": "no_end",
        "history": "ShADa",
        "agreed": {"mss"},
        "client_state": "ESTABLISHED",
        "server_state": "ESTABLISHED",
        "client_offered": {"mss"},
        "server_offered": {"mss"},
        "client_mss": 1460,
        "server_mss": 536,
        "client_window_scale": -1,
        "server_window_scale": -1,
        "client_largest_segment": 100,
        "server_largest_segment": 0,
        "client_idle_longest_ns": 100,
        "server_idle_longest_ns": 260,
    }
    assert {name: flow[name] for name in expected} == expected
    (row,), _ = flows_of(packets_of(rows_of(Script().frames("c:S")), NEEDED))
    assert set(row) == set(expected), "the columns of the twin"


def test_a_clock_that_steps_back() -> None:
    """Start and end are the extremes; a handshake that would have taken less than nothing has no time."""
    (flow,) = flows(Script().frames("c:S s:SA c:A s:A"), [START_NS + offset for offset in (50, 60, 10, 20)])
    assert (flow["start_ns"], flow["end_ns"]) == (START_NS + 10, START_NS + 60)
    assert (flow["handshake_rtt_ns"], flow["state"]) == (-1, "open")


def test_families_protocols_and_directions_do_not_mix() -> None:
    """The same ports between the same places, and IPv4 beside its image in IPv6."""
    mapped = (("::ffff:192.0.2.1", 40000), ("::ffff:198.51.100.2", 80))
    found = flows(
        [
            *Script().frames("c:S s:SA"),
            *Script(*mapped).frames("c:S s:SA"),
            *Script().frames("c:udp s:udp"),
            *Script((build.DST4, 40000), (build.SRC4, 80)).frames("c:S s:SA"),
        ]
    )
    assert [(flow["protocol"], flow["ip_version"], flow["client"]) for flow in found] == [
        ("tcp", 4, "192.0.2.1"),
        ("tcp", 6, "::ffff:c000:201"),
        ("udp", 4, "192.0.2.1"),
        ("tcp", 4, "198.51.100.2"),
    ]
    assert {(flow["client_packets"], flow["server_packets"]) for flow in found} == {(1, 1)}


def test_both_ends_the_same() -> None:
    """Address and port both ways: one flow, in which nobody can say who sent what."""
    end = ("127.0.0.1", 5000)
    flow = the_flow("c:A c:PA10 s:A", client=end, server=end)
    assert (flow["client"], flow["server"], flow["client_port"], flow["server_port"]) == (*[end[0]] * 2, *[end[1]] * 2)
    assert (flow["client_packets"], flow["server_packets"]) == (3, 0)


CUTS = {"ports": 4, "sequence number": 8, "flags not": 13, "flags": 14, "all but a byte": 19, "options": 20}


@pytest.mark.parametrize("name", CUTS)
def test_a_header_that_was_cut(name: str) -> None:
    """A segment counts as soon as its flags were captured, with its length on the wire."""
    frames = [(frame[: 34 + CUTS[name]], len(frame)) for frame in Script().frames("c:S c:S! c:S!")]
    found = flows_later(frames)
    if CUTS[name] < 14:
        assert found == []
    else:
        assert [(flow["state"], flow["client_packets"], flow["client_bytes"]) for flow in found] == [
            ("unanswered", 3, 162)
        ]


@pytest.mark.parametrize(("captured", "count"), [(7, 0), (8, 1)])
def test_a_cut_udp_header(captured: int, count: int) -> None:
    """UDP needs all 8 bytes."""
    assert len(flows([(frame[: 34 + captured], len(frame)) for frame in Script().frames("c:udp100")])) == count


def test_what_is_not_followed() -> None:
    """ICMP, ARP, later fragments, headers with an impossible length."""
    segment = build.tcp(bytes(40))
    frames = [
        build.ethernet(build.ipv4(build.icmp(), build.ICMP)),
        build.ethernet(bytes(28), build.ARP),
        build.ethernet(build.ipv4(segment, offset=1480)),
        build.ethernet(build.ipv4(build.tcp(header_len=16))),
        build.ethernet(build.ipv4(build.udp(length=7), build.UDP)),
        build.ethernet(build.ipv4(segment, 132)),
    ]
    assert flows(frames)[1:] == []
    assert [flow["protocol"] for flow in flows([*frames, build.ethernet(build.ipv4(segment))])][-1] == "tcp"
    assert sum(flow["client_packets"] for flow in flows(frames)) == len(flows(frames))


@pytest.mark.parametrize(
    ("order", "counted"),
    [
        ((0, 1, 2), [(1, 310, 200)]),
        ((2, 0, 1), [(1, 310, 200)]),
        ((0, 1), [(1, 98, 56)]),  # the last one is missing: what the first one holds
        ((1, 2), []),  # the first one is missing: nobody knows whose it was
    ],
)
def test_a_datagram_in_fragments_is_one_packet(order: tuple[int, ...], counted: list[tuple[int, int, int]]) -> None:
    """With the bytes of all its frames and the payload of the whole."""
    pieces = build.in_pieces(4, build.UDP, build.udp(bytes(200)), (64, 136))
    found = flows([build.ethernet(pieces[place]) for place in order])
    assert [(flow["client_packets"], flow["client_bytes"], flow["client_payload"]) for flow in found] == counted


def test_a_segment_in_fragments_is_followed_as_one() -> None:
    """A request of 1,000 bytes that a router has cut: the connection goes on behind it."""
    script = Script()
    frames = script.frames("c:S s:SA c:A c:PA1000")
    pieces = build.cut_up(frames[-1][14:], (400, 800))
    frames = [*frames[:-1], *map(build.ethernet, pieces), *script.frames("s:A c:FA s:FA c:A")]
    (flow,) = flows(frames)
    assert (flow["state"], flow["client_packets"], flow["client_payload"]) == ("closed", 5, 1000)
    assert flow["client_bytes"] == sum(map(len, frames)) - 3 * 54
    assert flow["client_largest_segment"] == 1000


# Against the twin

SCRIPTS = [words for words, *_ in (*SCENARIOS.values(), *ROLE_SCENARIOS.values(), *REUSES.values())] + [
    "c:udp10 s:udp100 c:udp10",
    "c:S s:SA c:A c:PA1000 s:A s:PA1400 s:PA1400 c:A c:FA s:FA c:A",
]
ADDRESSES = (
    ("192.0.2.1", "198.51.100.2", "192.0.2.3"),
    ("2001:db8::1", "2001:db8:1::2", "fe80::ffff:1"),
    ("::ffff:192.0.2.1", "::ffff:198.51.100.2", "::ffff:192.0.2.3"),
)
PORTS = (22, 80, 1023, 1024, 40000, 40001, 65535)
SYN_OPTIONS = (
    b"",
    build.mss(1460),
    build.mss(536) + build.window_scale(0),
    build.mss(1440) + build.SACK_PERMITTED + build.timestamps(1000, 0) + build.NOP + build.window_scale(7),
    build.mss(65495) + build.NOP + build.window_scale(14) + build.SACK_PERMITTED,
)


def conversation(rng: random.Random) -> list[tuple[bytes, int]]:
    """One conversation of a random kind between random ends, with packets lost, sent twice and exchanged."""
    addresses = rng.choice(ADDRESSES)
    client = (rng.choice(addresses), rng.choice(PORTS))
    server = client if rng.random() < 0.03 else (rng.choice(addresses), rng.choice(PORTS))
    isn = (rng.choice((2**32 - 1, 0, rng.getrandbits(32))), rng.choice((2**32 - 1, 0, rng.getrandbits(32))))
    script = Script(client, server, isn, (rng.choice(SYN_OPTIONS), rng.choice(SYN_OPTIONS)))
    script.number = rng.randrange(50_000)
    frames = [frame for _ in range(rng.randint(1, 3)) for frame in script.frames(rng.choice(SCRIPTS))]
    changed = []
    for frame in frames:
        fate = rng.random()
        if fate < 0.05:
            continue
        at = IPV6_AT if ":" in client[0] else IPV4_AT
        captured = len(frame) if fate < 0.9 else at + rng.choice((0, 4, 8, 12, 13, 14, 19, 20, 24))
        changed.append((frame[:captured], len(frame)))
        if 0.1 < fate < 0.14:
            changed.append((stamped(frame, script.number + 1000 + len(changed)), len(frame)))
        if 0.2 < fate < 0.25 and len(changed) > 1:
            changed[-2:] = changed[:-3:-1]
    return changed


def interleaved(seed: int, count: int) -> Rows:
    """The packets of several conversations, each in its own order, with a clock that sometimes steps back."""
    rng = random.Random(seed)
    waiting = [talk for talk in (conversation(rng) for _ in range(count)) if talk]
    frames, times, now = [], [], START_NS
    while waiting:
        talk = rng.choice(waiting[:5])
        frames.append(talk.pop(0))
        if not talk:
            waiting.remove(talk)
        now += rng.randint(-20_000, 50_000) if rng.random() < 0.1 else rng.randint(0, 50_000)
        now += rng.choice((0, 300_000_000, SECOND)) if rng.random() < 0.02 else 0
        times.append(now)
    return rows_of(frames, times)


@pytest.mark.parametrize("seed", range(30))
def test_generated_conversations(seed: int) -> None:
    """Every column of every flow, for every batch size."""
    rows = interleaved(seed, 40)
    packets = packets_of(rows, NEEDED)
    expected, left = flows_of(packets)
    assert len(expected) > 20
    assert left == []
    whole = track(rows)
    found = whole.rows()
    assert unlike(expected, found, packets) == []
    assert left_out(found) + len(unsteady_flows(packets)) < len(expected) / 3
    assert (len(whole), whole.total, whole.left) == (len(expected), len(expected), {})
    expected_marks = [(packet["flow"], packet["direction"]) for packet in packets]
    assert marks(rows) == expected_marks
    followed = rows["flow"] >= 0
    assert rows["reused"][followed].tolist() == (found["previous"][rows["flow"][followed]] >= 0).tolist()
    for batch in (1, 2, 7, 1000):
        again = fresh(rows)
        assert np.array_equal(track(again, batch).rows(), found)
        assert marks(again) == expected_marks


def test_the_generator_reaches_everything() -> None:
    """Every state, role, protocol and family, known and unknown handshake times, reused and self-made tuples."""
    found = [flow for seed in range(30) for flow in flows_of(packets_of(interleaved(seed, 40), NEEDED))[0]]
    assert {flow["state"] for flow in found} == set(FLOW_STATES) - {"reset_by_middlebox"}
    assert {flow["roles"] for flow in found} == set(ROLES)
    assert {flow["completeness"] for flow in found} == set(COMPLETENESS)
    assert {flow[f"{side}_state"] for flow in found for side in ("client", "server")} == set(TCP_STATES)
    assert "SYN-RECEIVED" not in {flow["client_state"] for flow in found}
    assert "SYN-SENT" not in {flow["server_state"] for flow in found}
    assert {letter for flow in found for letter in flow["history"]} == set("SHADFRshadfr")
    assert {flow["client_window_scale"] for flow in found} == {-1, 0, 7, 14}
    assert len({flow["agreed"] for flow in found}) > 3
    assert sum(flow["client_offered"] != flow["server_offered"] for flow in found) > 53
    assert len({flow["server_largest_segment"] for flow in found}) > 3
    assert sum(flow["since_previous_ns"] > 0 for flow in found) > 53
    assert {(flow["protocol"], flow["ip_version"]) for flow in found} == {
        (protocol, version) for protocol in ("tcp", "udp") for version in (4, 6)
    }
    assert sum(flow["handshake_rtt_ns"] >= 0 for flow in found) > 53
    assert sum((flow["client"], flow["client_port"]) == (flow["server"], flow["server_port"]) for flow in found) > 5
    tuples = [tuple(flow[name] for name in ("client", "client_port", "server", "server_port")) for flow in found]
    assert len(tuples) - len(set(tuples)) > 53


@pytest.mark.parametrize("hash_seed", [0, 1, 2**32, 2**64 - 1, 0x9E3779B97F4A7C15])
def test_the_seed_of_the_hash_changes_nothing(hash_seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever a flow falls in the table."""
    rows = interleaved(3, 200)
    expected = track(rows).rows()
    monkeypatch.setattr("analyzer.flows.tracker.secrets.randbits", lambda _: hash_seed)
    assert np.array_equal(track(rows, 64).rows(), expected)
    assert np.array_equal(track(rows, 1000, max_flows=len(expected)).rows(), expected)


def test_nothing_in_a_packet_cancels_the_seed() -> None:
    """Addresses of a /48 whose subnets are the ports, at both ends: XORed unmixed they would be one and the same flow to any seed."""
    rows = np.zeros(400, PACKETS.dtype)
    number = np.arange(1, len(rows) + 1)
    for end, hi in (("src", 0x20010DB8 << 32), ("dst", 0x20010DB9 << 32)):
        rows[f"{end}_port"], rows[f"{end}_lo"] = number, 1
        rows[f"{end}_hi"] = np.uint64(hi) | number.astype(np.uint64)
    with np.errstate(over="ignore"):
        for seed in (np.uint64(0), np.uint64(7), np.uint64(2**64 - 1)):
            assert len({int(hash_of(row, seed)) >> 44 for row in rows}) > 390
            ways = {
                int(way_of(row["src_hi"], row["src_lo"], row["dst_hi"], row["dst_lo"], row["src_port"], seed)) >> 44
                for row in rows
            }
            assert len(ways) > 390


# Room


def many_connections(tuples: int) -> Rows:
    """For each tuple SYN, SYN-ACK; and for every tuple later another SYN, then an ACK: two connections each."""
    number = np.arange(tuples)
    steps = []
    for flags, seq, ack, from_client in (
        (2, 100, 0, True),
        (18, 300, 101, False),
        (2, 200, 0, True),
        (16, 201, 1, True),
    ):
        rows = np.zeros(tuples, PACKETS.dtype)
        rows["ip_version"], rows["ip_proto"], rows["header_len"], rows["length"] = 4, 6, 20, 60 + number % 7
        rows["layers"] = PACKETS.bit("layers", "ethernet", "ipv4", "tcp")
        rows["flags"], rows["seq"], rows["ack"] = flags, seq, ack
        client, server = ("src", "dst") if from_client else ("dst", "src")
        rows[f"{client}_lo"] = 0xFFFF_0A00_0000 + number // 50
        rows[f"{client}_port"] = 1024 + number % 50
        rows[f"{server}_lo"], rows[f"{server}_port"] = 0xFFFF_C0A8_0001, 80
        steps.append(rows)
    every = np.concatenate(steps)
    every["frame"] = 1 + np.arange(len(every))
    every["time_ns"] = START_NS + 1_000_000 * np.arange(len(every))
    return every


@pytest.mark.parametrize("batch", [None, 1000, 4097])
def test_ten_thousand_flows(batch: int | None) -> None:
    """More than there is room for at first: the table grows twice, and finds the latest flow of each tuple after it."""
    tuples = 5000
    assert FIRST_CAPACITY < tuples < 2 * FIRST_CAPACITY < 2 * tuples
    rows = track(many_connections(tuples), batch).rows()
    assert len(rows) == 2 * tuples
    early, late = rows[:tuples], rows[tuples:]
    assert np.array_equal(early["first_frame"], 1 + np.arange(tuples))
    assert np.array_equal(late["first_frame"], 1 + 2 * tuples + np.arange(tuples))
    for name in ("client_hi", "client_lo", "client_port", "server_lo", "server_port", "ip_version"):
        assert np.array_equal(early[name], late[name])
    assert np.array_equal(early["client_lo"] & 0xFFFF, np.arange(tuples) // 50)
    assert set(early["previous"].tolist()) == {-1}
    assert np.array_equal(late["previous"], early["flow"])
    states = [FLOWS["state"].words[number] for number in (*np.unique(early["state"]), *np.unique(late["state"]))]
    assert states == ["half_open", "open"]
    assert set(zip(early["client_packets"].tolist(), early["server_packets"].tolist(), strict=True)) == {(1, 1)}
    assert set(zip(late["client_packets"].tolist(), late["server_packets"].tolist(), strict=True)) == {(2, 0)}


def test_the_twin_agrees_on_many_flows() -> None:
    """The twin on the same rows, just across the first growth."""
    rows = many_connections(2100)
    packets = packets_of(rows, NEEDED)
    expected, _ = flows_of(packets)
    assert unlike(expected, track(rows, 1000).rows(), packets) == []
    assert len(expected) == 4200


@pytest.mark.parametrize("max_flows", [1, 2, 3, 5, 16, 30, 10_000])
@pytest.mark.parametrize("seed", [1, 2])
def test_room_for_so_many_flows_only(seed: int, max_flows: int) -> None:
    """Who leaves, who stays, and what is kept of both, whatever the batch size."""
    given = interleaved(seed, 40)
    packets = packets_of(given, NEEDED)
    expected, left = flows_of(packets, max_flows)
    stay = sorted({flow["flow"] for flow in expected} - set(left))
    for batch in (None, 1, 7):
        rows = fresh(given)
        tracker = track(rows, batch, max_flows, keep_left=True)
        assert marks(rows) == [(packet["flow"], packet["direction"]) for packet in packets]
        assert tracker.rows()["flow"].tolist() == stay
        assert [number for part in tracker.rows_left for number in sorted(part["flow"].tolist())] == [
            number
            for start in range(0, len(left), max(1, max_flows // 4))
            for number in sorted(left[start : start + max(1, max_flows // 4)])
        ]
        every = np.concatenate([*tracker.rows_left, tracker.rows()])
        assert unlike(expected, every[np.argsort(every["flow"])], packets) == []
        assert (len(tracker), tracker.total) == (len(stay), len(expected))
        assert tracker.left == Counter(expected[number]["state"] for number in left)
        assert tracker.state_counts() == Counter(flow["state"] for flow in expected if flow["state"])
    assert (len(left) > 0) == (max_flows < 10_000)
    assert len(stay) <= max_flows
    assert len(expected) >= len(flows_of(packets)[0])


def test_whose_turn_it_is_to_leave() -> None:
    """What is over, then handshakes that were never completed, then the rest; of each the longest idle."""
    scripts = {
        40000: "c:S s:SA c:A c:PA10",
        40001: "c:S",
        40002: "c:S s:SA c:A c:FA s:FA c:A",
        40003: "c:udp10",
        40004: "c:S s:SA",
        40005: "c:S s:RA",
        40006: "c:S s:SA c:A",
        40007: "c:S s:SA c:A c:FA",
    }
    begun = [frame for port, words in scripts.items() for frame in Script((build.SRC4, port)).frames(words)]
    order = [40002, 40005, 40001, 40004, 40000, 40003, 40006, 40007]
    for count in range(8 + 1):
        # Each newcomer is a connection in use: it outlasts those that were there before.
        new = [frame for number in range(count) for frame in Script((build.SRC4, 50000 + number)).frames("c:A s:A")]
        tracker = track(rows_of([*begun, *new]), max_flows=8, keep_left=True)
        gone = [port for part in tracker.rows_left for port in part["client_port"].tolist()]
        expected = order[: 2 * ((count + 1) // 2)]  # a quarter of the room at a time
        assert sorted(gone) == sorted(expected)
        assert sum(tracker.left.values()) == len(expected)
        assert {flow["client_port"] for flow in plain_flows(tracker.rows())} == (
            set(scripts) - set(expected) | {50000 + number for number in range(count)}
        )


def test_parts_end_where_flows_leave() -> None:
    """The parts of a batch are the batch; in each, a place belongs to one flow."""
    rows = interleaved(4, 40)
    tracker = FlowTracker(3)
    parts = list(tracker.follow(rows))
    assert len(parts) > 5
    assert np.array_equal(np.concatenate(parts), rows)
    for part in parts:
        followed = part[part["flow"] >= 0]
        assert set(followed["place"].tolist()) <= {0, 1, 2}
    assert [len(part) for part in FlowTracker().follow(rows[:0])] == [0]


def test_room_that_is_no_power_of_two() -> None:
    """The limit lies between two sizes of the table; the first connections leave when the others take over their tuples."""
    rows = many_connections(5000)
    every = track(fresh(rows)).rows()
    for batch in (None, 777):
        tracker = track(fresh(rows), batch, max_flows=6007, keep_left=True)
        assert tracker.total == 10_000
        assert len(tracker) == len(tracker.rows()) <= 6007
        assert sum(tracker.left.values()) == 10_000 - len(tracker)
        assert sum(tracker.left.values()) % (6007 // 4) == 0
        gone = np.concatenate(tracker.rows_left)
        assert (gone["flow"] < 5000).all()
        found = np.sort(np.concatenate([gone, tracker.rows()]), order="flow")
        assert np.array_equal(found["flow"], every["flow"])
        known = found["previous"] >= 0  # of a tuple whose first connection had left before
        assert 0 < known.sum() < 5000
        assert np.array_equal(found["previous"][known], every["previous"][known])
        for name in ("first_frame", "client_packets", "server_packets", "client_lo", "client_port", "state"):
            assert np.array_equal(found[name], every[name]), name


def test_what_leaves_is_not_forgotten() -> None:
    """Trouble and states are counted as if there had been room; the worst are told as if they were still there."""
    words = ["c:S s:RA", "c:S", "c:S s:SA c:A c:FA s:FA c:A", "c:S s:SA c:A c:PA99 c:PA99! c:PA99! s:A c:FA s:FA c:A"]
    frames = [
        frame
        for port in range(300)
        for frame in Script((build.SRC4, 40000 + port)).frames(words[0 if port == 7 else 1 + port % 3])
    ]
    times = [START_NS + SECOND * number for number in range(len(frames))]  # enough to tell that nobody answered
    roomy, narrow = track(rows_of(frames, times)), track(rows_of(frames, times), max_flows=10)
    assert len(narrow) <= 10
    assert sum(narrow.left.values()) >= 290
    assert narrow.state_counts() == roomy.state_counts() == {"closed": 199, "refused": 1, "unanswered": 100}
    for count in (0, 1, 100):
        rows, some = narrow.troubled(count)
        expected, every = roomy.troubled(count)
        assert some == every > 150
        assert np.array_equal(rows["flow"], expected["flow"])
        assert len(rows) == count


def test_a_tuple_whose_flow_left_begins_again() -> None:
    """In the middle of a connection: its first part left when another came, and who was the client must be guessed."""
    first, second = Script(), Script((build.SRC4, 40001))
    frames = [*first.frames("c:S s:SA c:A"), second.frame("c:A"), *first.frames("c:PA10 s:A"), second.frame("c:A")]
    tracker = track(rows_of(frames), max_flows=1, keep_left=True)
    found = [*(flow for part in tracker.rows_left for flow in plain_flows(part)), *plain_flows(tracker.rows())]
    assert [(flow["client_port"], flow["roles"], flow["previous"]) for flow in found] == [
        (40000, "handshake", -1),
        (40001, "ports", -1),
        (40000, "ports", -1),
        (40001, "ports", -1),
    ]
    assert tracker.left == {"open": 3}


def test_nothing() -> None:
    """No packets, no flows."""
    tracker = FlowTracker()
    tracker.add(np.zeros(0, PACKETS.dtype))
    assert len(tracker.rows()) == len(tracker) == 0
    assert tracker.rows().dtype == FLOWS.dtype


# Samples


OPEN_BEFORE = {"found-open": 4, "found-open-losses": 2}
"""Connections that the laboratory began before it captured."""
CHALLENGED = {"syn-to-time-wait": 3}
"""Connections whose SYN an ACK of the connection before answers, which a stray RST ends."""


def hosts() -> Iterator[Any]:
    """Each capture with what the laboratory knows of it."""
    for path in EXPECTED:
        expected = tomllib.loads(path.read_text())
        for host in expected["host"]:
            yield pytest.param(expected, host, path.parent / host, id=f"{path.parent.name}-{host}")


@for_each(("expected", "host", "folder"), list(hosts()))
def test_connections_of_the_samples(expected: dict[str, Any], host: str, folder: Path) -> None:
    """As many as the laboratory began, every TCP frame in one of them, every one begun by the client.

    Those that were open before the capture are there as well; no handshake tells who began them, and the ports do.
    """
    if "beside" in expected:
        return  # what another host sent in the client's name, one end only has seen
    analysis = analyze(folder)
    tcp = analysis.flows[analysis.flows["protocol"] == "tcp"]
    both_open = folder.parent.name == "simultaneous-open"  # two that begin, and one connection
    before = OPEN_BEFORE.get(folder.parent.name, 0)
    assert len(tcp) == expected["connections"] - both_open + before
    packets = table_rows([str(folder)], "packets")
    quotes = sum(int((rows["quoted_proto"] == 6).sum()) for rows in packets)  # tshark counts these too
    copies = int((analysis.events["event"] == "capture_duplicate").sum())
    assert (
        int((tcp["client_packets"] + tcp["server_packets"]).sum()) + copies
        == expected["host"][host]["tcp_frames"] - quotes
    )
    assert analysis.capture["frames"] == expected["host"][host]["frames"]
    assert sorted(tcp["roles"]) == ["handshake"] * (len(tcp) - before) + ["ports"] * before
    assert list(tcp["completeness"][tcp["roles"] == "ports"]) == ["no_beginning"] * before
    assert tcp["client"].nunique() == tcp["server"].nunique() == (len(tcp) > 0)
    assert analysis.flow_tracker.left == {}
    if not is_plain(folder):
        return  # how connections end is what many of these samples are about
    broken = folder.parent.name.startswith("middlebox")  # nobody can talk through it to the end
    assert set(tcp["state"]) <= ({"open", "unanswered"} if broken else {"closed", "refused"})
    assert set(tcp["completeness"]) <= ({"no_end", "no_handshake"} if broken else {"complete", "no_handshake"})


def test_the_samples_are_there() -> None:
    """Two captures each."""
    assert len(CAPTURES) == 2 * len(EXPECTED) > 200


@for_each("path", CAPTURES, ids=lambda path: "-".join(path.parts[-3:-1]))
def test_the_twin_agrees_on_the_samples(path: Path) -> None:
    """Every column, and for small batches read from the file."""
    packets = packets_of(read_all(path, together=True).packets, NEEDED)
    expected, _ = flows_of(packets)
    found = analyze(path).flow_tracker.rows()
    assert unlike(expected, found, packets) == []
    deeds = tomllib.loads((path.parent.parent / "expected.toml").read_text()).get("deed", [])
    doubled = {deed["src_port"] + deed["dst_port"] for deed in deeds if deed["action"] == "duplicate"}
    few = max(len(doubled), 0 if is_plain(path) else 1)
    lost = {left_out(found), len(unsteady_flows(packets))}
    assert lost == {CHALLENGED[path.parts[-3]]} if path.parts[-3] in CHALLENGED else max(lost) <= few
    assert np.array_equal(analyze(path, batch_frames=7).flow_tracker.rows(), found)


def test_the_refused_connection_of_the_sample() -> None:
    """Three orderly connections, one refused, one DNS question."""
    found = analyze(SAMPLES / "handshake" / "client").flows
    by_port = {(row.protocol, row.client_port): row for row in found.itertuples()}
    assert by_port["tcp", 40004].state == "refused"
    assert by_port["tcp", 40004].server_port == 81
    assert [by_port["tcp", port].state for port in (40001, 40002, 40003)] == ["closed"] * 3
    assert (by_port["udp", 40000].server_port, by_port["udp", 40000].roles) == (53, "ports")
    handshakes = [by_port["tcp", port].handshake_rtt_ns for port in (40001, 40002, 40003)]
    assert all(100_000 < rtt < 1_000_000 for rtt in handshakes)


# Quantiles


def test_quantiles_of_many_histograms(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are summed up some at a time, and each as if it were alone: the bin behind which that share of the samples lies."""
    rng = np.random.default_rng(29)
    histograms = rng.integers(0, 3, (7, BINS)).astype(np.uint32)
    ends = np.zeros(11, END_STATE)
    ends["histogram"] = [3, -1, 0, 6, 1, -1, 2, 5, 4, -1, 6]
    ends["rtt_count"] = [histograms[place].sum() if place >= 0 else 1 for place in ends["histogram"]]
    ends["rtt_first"][:, 0] = 5000
    ends["rtt_max_ns"] = 1 << 40
    monkeypatch.setattr(flow_rows, "AT_ONCE", 3)
    shares = (0.5, 0.95)
    for share, found in zip(shares, flow_rows._quantiles(ends, histograms, shares), strict=True):
        for end, quantile in zip(ends, found.tolist(), strict=True):
            if end["histogram"] < 0:
                assert quantile == 5000
                continue
            samples = [at for at, count in enumerate(histograms[end["histogram"]]) for _ in range(count)]
            at = samples[math.ceil(share * len(samples)) - 1]
            assert quantile == pytest.approx(2 ** (BINS_FROM + (at + 0.5) / 4), rel=1e-6)


# SYNs that open nothing


@pytest.mark.parametrize(
    ("flags", "check", "last_ns", "expected"),
    [
        (2, None, 3 * SECOND, "unanswered"),
        (2 | 1, None, 3 * SECOND, "half_closed"),  # SYN and FIN
        (2 | 4, None, 3 * SECOND, "reset_by_client"),  # SYN and RST
        (2 | 0x200, None, 3 * SECOND, "opening"),  # a reserved bit
        (2, 1, 3 * SECOND, "opening"),  # a wrong checksum of the IPv4 header
        (2, None, SECOND - 1_000_000, "opening"),  # the capture ends before the second can have been answered
    ],
)
def test_syns_that_judge_nobody(flags: int, check: int | None, last_ns: int, expected: str, tmp_path: Path) -> None:
    """Twice the same, a second apart, beside three SYNs of others that are as they should be."""
    segment = bytearray(build.tcp(flags=flags & 0xFF))
    segment[12] |= flags >> 8
    asked = build.ethernet(build.ipv4(bytes(segment), check=check))
    others = [build.ethernet(build.ipv4(build.tcp(flags=2, src_port=port), src="192.0.2.9")) for port in (1, 2, 3)]
    frames = [(asked, 0), *((other, 0) for other in others), (asked, SECOND), (others[0], SECOND + last_ns)]
    records = [build.Record(frame, START_NS + time_ns) for frame, time_ns in frames]
    path = tmp_path / "capture.pcap"
    path.write_bytes(build.pcap(records))
    assert analyze(path).flows["state"][0] == expected
