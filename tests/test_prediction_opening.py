"""How connections are opened: cookies, fast opens and full queues, told from handshakes written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import build
from tests.predicting import CLIENT, SERVER, SYN_OPTIONS, moved, of_records, only, segment, stamp

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
PLAIN = build.mss(1460)


def half(at_ms: float, port: int, options: bytes = SYN_OPTIONS) -> list[build.Record]:
    """A SYN and its SYN-ACK."""
    return [
        segment(at_ms, False, SYN, 1000, options=options + stamp(100, 0), port=port),
        segment(at_ms + 0.1, True, SYN | ACK, 5000, 1001, options=options + stamp(900, 100), port=port),
    ]


def whole(at_ms: float, port: int, lag: int = 0) -> list[build.Record]:
    """A handshake and the first words of the server 10 ms later, whose clock has gained `lag` ms on that of the SYN-ACK."""
    return [
        *half(at_ms, port),
        segment(at_ms + 2, False, ACK, 1001, 5001, options=stamp(102, 900), port=port),
        segment(at_ms + 10.1, True, ACK | PSH, 5001, 1001, b"hello", options=stamp(910 + lag, 102), port=port),
    ]


def quiet(at_ms: float) -> build.Record:
    """The capture goes on until then."""
    return segment(at_ms, False, ACK, 1, 1, port=60000)


def test_a_handshake_of_a_request(tmp_path: Path) -> None:
    """The clock of the host goes on from the SYN-ACK."""
    found = of_records(whole(0, 40000), tmp_path)
    assert only(found) == {}
    assert found["TcpPassiveOpens"] == (1, 1, 1)


def test_a_cookie_with_timestamps(tmp_path: Path) -> None:
    """Its TSval lies behind the clock. An ACK that fits nothing is no cookie then."""
    stray = [segment(50, False, ACK, 7, 7, port=50000), segment(50.1, True, RST, 7, port=50000)]
    frames = [*whole(0, 40000, lag=20), *stray]
    found = of_records(frames, tmp_path)
    assert found["SyncookiesFailed"] == (1, 0, 1)  # unless nobody listens any more
    assert only(found, "SyncookiesFailed") == {
        "SyncookiesSent": 1, "TCPReqQFullDoCookies": 1, "SyncookiesRecv": 1, "SyncookiesFailed": 1, "TcpOutRsts": 1,
    }  # fmt: skip


def test_a_cookie_without_timestamps(tmp_path: Path) -> None:
    """The options of the SYN are not answered."""
    frames = [
        segment(0, False, SYN, 1000, options=SYN_OPTIONS),
        segment(0.1, True, SYN | ACK, 5000, 1001, options=PLAIN),
        segment(2, False, ACK, 1001, 5001),
        segment(3, True, ACK | PSH, 5001, 1001, b"hello"),
    ]
    assert only(of_records(frames, tmp_path)) == {"SyncookiesSent": 1, "TCPReqQFullDoCookies": 1, "SyncookiesRecv": 1}


def test_a_flood(tmp_path: Path) -> None:
    """A SYN-ACK that nobody answers is repeated, unless it is a cookie; at the end of a capture that is open."""
    syns = [frame for k in range(3) for frame in half(k, 41000 + k, options=PLAIN)]
    again = segment(1020, True, SYN | ACK, 5000, 1001, options=PLAIN + stamp(1920, 100), port=41000)
    found = only(of_records([*syns, again, quiet(2000)], tmp_path))
    assert found["SyncookiesSent"] == found["TCPReqQFullDoCookies"] == 2
    early = of_records([*syns, quiet(100)], tmp_path)
    assert early["SyncookiesSent"] == early["TCPReqQFullDoCookies"] == (0, 0, 2)


def test_a_repeated_syn_gets_another_cookie_without_timestamps(tmp_path: Path) -> None:
    """The first was known for what it was at once; neither is a repetition."""
    frames = [
        segment(0, False, SYN, 1000, options=SYN_OPTIONS),
        segment(0.1, True, SYN | ACK, 5000, 1001, options=PLAIN),
        segment(1000, False, SYN, 1000, options=SYN_OPTIONS),
        segment(1000.1, True, SYN | ACK, 5000, 1001, options=PLAIN),
        segment(1002, False, ACK, 1001, 5001),
        segment(1003, True, ACK | PSH, 5001, 1001, b"hello"),
    ]
    assert only(of_records(frames, tmp_path)) == {"SyncookiesSent": 2, "TCPReqQFullDoCookies": 2, "SyncookiesRecv": 1}
    assert moved(tmp_path / "capture.pcap", SERVER).get("TcpRetransSegs", (0, 0, 0)) == (0, 0, 0)


def test_a_repeated_syn_gets_another_cookie(tmp_path: Path) -> None:
    """Each counts, and none is a repetition by a timer."""
    frames = half(0, 41000, options=PLAIN) + half(1000, 41000, options=PLAIN)
    assert only(of_records([*frames, quiet(3000)], tmp_path))["SyncookiesSent"] == 2


def test_a_cookie_fits_the_first_byte_only(tmp_path: Path) -> None:
    """A full accept queue ignores what fits a cookie, and data behind that is reset; a request would ignore it, too."""
    frames = [
        *half(0, 40000),
        segment(2, False, ACK, 1001, 5001, options=stamp(102, 900)),
        segment(2.1, False, ACK, 1001, 5001, b"x" * 100, options=stamp(102, 900)),
        segment(2.2, False, ACK | PSH, 1101, 5001, b"y", options=stamp(102, 900)),
        segment(2.3, True, RST, 5001),
    ]
    found = of_records(frames, tmp_path)
    assert found["SyncookiesSent"] == found["TCPReqQFullDoCookies"] == (1, 1, 1)
    assert found["SyncookiesRecv"] == found["ListenOverflows"] == found["ListenDrops"] == (2, 2, 2)
    assert found["SyncookiesFailed"] == (1, 0, 1)
    again = segment(300, False, ACK, 1001, 5001, b"x" * 100, options=stamp(400, 900))
    assert of_records([*frames, again], tmp_path)["SyncookiesRecv"] == (2, 2, 3)


def test_an_ack_that_may_have_found_no_room(tmp_path: Path) -> None:
    """Of two before the server says anything the first may have been ignored; nothing would show it."""
    frames = whole(0, 40000)
    frames.insert(3, segment(5, False, ACK | PSH, 1001, 5001, b"x", options=stamp(105, 900)))
    assert of_records(frames, tmp_path)["ListenOverflows"] == (0, 0, 1)
    assert "ListenOverflows" not in of_records(whole(0, 40000), tmp_path)


def test_a_request_repeats_its_answer_by_the_timer(tmp_path: Path) -> None:
    """Also where the client was heard, and ignored (tcp_syn_ack_timeout()); what comes before is no part of the connection."""
    frames = [
        *half(0, 40000),
        segment(2, False, FIN | ACK, 1001, 5001, options=stamp(102, 900)),
        segment(1020, True, SYN | ACK, 5000, 1001, options=SYN_OPTIONS + stamp(1920, 100)),
        segment(1030, False, FIN | ACK, 1001, 5001, options=stamp(1130, 900)),
        segment(1030.1, True, ACK, 5001, 1002, options=stamp(1930, 1130)),
    ]
    found = of_records(frames, tmp_path)
    assert found["TcpPassiveOpens"] == (1, 1, 1)
    assert "TSEcrRejected" not in found
    assert moved(tmp_path / "capture.pcap", SERVER)["TcpExtTCPTimeouts"] == (1, 1, 1)


def test_syns_without_an_answer(tmp_path: Path) -> None:
    """A full accept queue, if the port answers others; a full queue of requests, if handshakes are under way; else nobody knows."""
    lost = [segment(at, False, SYN, 9000, options=PLAIN, port=42000) for at in (100, 1100)]
    assert only(of_records([*lost, quiet(2000)], tmp_path)) == {}
    assert only(of_records([*whole(0, 40000), *lost, quiet(2000)], tmp_path)) == {
        "ListenOverflows": 2,
        "ListenDrops": 2,
    }
    later = whole(1500, 40000)
    assert only(of_records([*lost, *later, quiet(2000)], tmp_path)) == {"ListenOverflows": 2, "ListenDrops": 2}
    found = only(of_records([*half(0, 40000), *lost, quiet(1200)], tmp_path))
    assert found == {"TCPReqQFullDrop": 2, "ListenDrops": 2}


def test_a_refused_syn_is_answered(tmp_path: Path) -> None:
    """Another address of the host may have no listener."""
    refused = [segment(100, False, SYN, 9000, port=42000), segment(100.1, True, RST | ACK, 0, 9001, port=42000)]
    assert only(of_records([*whole(0, 40000), *refused], tmp_path)) == {"TcpOutRsts": 1}


def test_the_end_of_a_handshake_is_ignored(tmp_path: Path) -> None:
    """The accept queue is full: the SYN-ACK comes again, until there is room."""
    frames = [
        *half(0, 40000),
        segment(2, False, ACK, 1001, 5001, options=stamp(102, 900)),
        segment(3, False, ACK | PSH, 1001, 5001, b"x", options=stamp(103, 900)),
        segment(1020, True, SYN | ACK, 5000, 1001, options=SYN_OPTIONS + stamp(1920, 100)),
    ]
    found = of_records(frames, tmp_path)
    assert found["ListenOverflows"] == found["ListenDrops"] == (2, 2, 2)
    assert "TcpPassiveOpens" not in found
    last = [
        segment(1022, False, ACK, 1001, 5001, options=stamp(1122, 1920)),
        segment(1030, True, ACK, 5001, 1002, options=stamp(1930, 103)),
    ]
    found = of_records([*frames, *last], tmp_path)
    assert found["ListenOverflows"] == (2, 2, 2)
    assert found["TcpPassiveOpens"] == (1, 1, 1)


def test_abort_on_overflow(tmp_path: Path) -> None:
    """The first answer to the end of the handshake is a reset."""
    frames = [
        *half(0, 40000),
        segment(2, False, ACK, 1001, 5001, options=stamp(102, 900)),
        segment(2.1, True, RST, 5001),
    ]
    assert only(of_records(frames, tmp_path)) == {
        "EmbryonicRsts": 1, "ListenOverflows": 1, "ListenDrops": 1, "TcpOutRsts": 1,
    }  # fmt: skip
    assert "TcpPassiveOpens" not in of_records(frames, tmp_path)


COOKIE = build.fast_open(b"12345678")


@pytest.mark.parametrize(
    ("in_syn", "data", "in_answer", "taken", "expected"),
    [
        (build.fast_open(), b"", COOKIE, False, {"TCPFastOpenCookieReqd": 1}),
        (build.fast_open(), b"", b"", False, {"TCPFastOpenCookieReqd": 1}),
        (COOKIE, b"x" * 50, b"", True, {"TCPFastOpenPassive": 1}),
        (
            COOKIE,
            b"x" * 50,
            build.fast_open(b"87654321"),
            True,
            {"TCPFastOpenPassive": 1, "TCPFastOpenPassiveAltKey": 1},
        ),
        (COOKIE, b"x" * 50, build.fast_open(b"87654321"), False, {"TCPFastOpenPassiveFail": 1}),
        (COOKIE, b"x" * 50, b"", False, {}),
        (b"", b"x" * 50, b"", True, {"TCPFastOpenPassive": 1}),
    ],
)
def test_fast_open(
    in_syn: bytes, data: bytes, in_answer: bytes, taken: bool, expected: dict[str, int], tmp_path: Path
) -> None:
    """At both ends, from the SYN and the SYN-ACK."""
    frames = fast(0, 40000, in_syn, data, in_answer, taken)
    found = of_records(frames, tmp_path)
    assert only(found) == expected
    assert found["TcpPassiveOpens"] == (1, 1, 1)
    client = only(of_records(frames, tmp_path, CLIENT))
    assert client == ({} if not data else {"TCPFastOpenActive" if taken else "TCPFastOpenActiveFail": 1})


def fast(at_ms: float, port: int, in_syn: bytes, data: bytes, in_answer: bytes, taken: bool) -> Sequence[build.Record]:
    """A handshake with fast open."""
    until = 1001 + (len(data) if taken else 0)
    return [
        segment(at_ms, False, SYN, 1000, data=data, options=PLAIN + in_syn, port=port),
        segment(at_ms + 0.1, True, SYN | ACK, 5000, until, options=PLAIN + in_answer, port=port),
        segment(at_ms + 5, False, ACK, 1001 + len(data) if taken else 1001, 5001, port=port),
        segment(at_ms + 9, True, ACK | PSH, 5001, until, b"hello", port=port),
    ]


def test_too_many_fast_opens(tmp_path: Path) -> None:
    """A port that takes them does not look at the cookie."""
    frames = [*fast(0, 40000, COOKIE, b"x", b"", True), *fast(100, 40001, COOKIE, b"x", b"", False)]
    assert only(of_records(frames, tmp_path)) == {"TCPFastOpenPassive": 1, "TCPFastOpenListenOverflow": 1}


def test_the_third_timeout_ends_fast_open(tmp_path: Path) -> None:
    """Whatever the SYN-ACK says afterwards."""
    first = segment(0, False, SYN, 1000, data=b"x" * 9, options=PLAIN + COOKIE)
    again = [segment(at, False, SYN, 1000, options=PLAIN) for at in (1000, 2000, 3000)]
    found = of_records([first, *again], tmp_path, CLIENT)
    assert found["TCPFastOpenActiveFail"] == (1, 1, 1)
    assert found["TCPFastOpenBlackhole"] == (0, 0, 1)
    assert "TCPFastOpenActiveFail" not in of_records([first, *again[:2]], tmp_path, CLIENT)


def test_data_that_came_again_shows_what_was_ignored(tmp_path: Path) -> None:
    """Before the SYN-ACK is repeated there is room again: the answer to the data has no DSACK, so its first copy was ignored."""
    frames = [
        *half(0, 40000),
        segment(2, False, ACK, 1001, 5001, options=stamp(102, 900)),
        segment(3, False, ACK | PSH, 1001, 5001, b"x", options=stamp(103, 900)),
        segment(213, False, ACK | PSH, 1001, 5001, b"x", options=stamp(313, 900)),
    ]
    answer = segment(213.1, True, ACK, 5001, 1002, options=stamp(1113, 313))
    assert only(of_records([*frames, answer], tmp_path)) == {"ListenOverflows": 2, "ListenDrops": 2}
    dsack = build.NOP * 2 + build.sack(1001, 1002)
    answer = segment(213.1, True, ACK, 5001, 1002, options=stamp(1113, 313) + dsack)
    assert of_records([*frames, answer], tmp_path)["ListenOverflows"] == (0, 0, 1)  # the bare ACK, at most


def test_a_cookie_that_grew_old(tmp_path: Path) -> None:
    """The end of the handshake was ignored, the SYN-ACK never repeated: after two minutes the cookie is refused."""
    frames = [
        *half(0, 40000),
        segment(2, False, ACK, 1001, 5001, options=stamp(102, 900)),
        segment(119_900, False, ACK | PSH, 1001, 5001, b"x", options=stamp(120_000, 900)),
        segment(119_900.1, True, RST, 5001),
    ]
    found = of_records(frames, tmp_path)
    assert only(found, "SyncookiesFailed") == {
        "SyncookiesSent": 1, "TCPReqQFullDoCookies": 1, "SyncookiesRecv": 1, "SyncookiesFailed": 1, "ListenOverflows": 1,
        "ListenDrops": 1, "TcpOutRsts": 1,
    }  # fmt: skip


def test_signatures(tmp_path: Path) -> None:
    """Segments without a signature on a connection that has one; then SYNs that nobody answers: unsigned, and signed otherwise."""
    signed = SYN_OPTIONS + build.md5()
    frames = [
        segment(0, False, SYN, 1000, options=signed),
        segment(0.1, True, SYN | ACK, 5000, 1001, options=signed),
        segment(2, False, ACK, 1001, 5001, options=build.md5()),
        segment(3, True, ACK | PSH, 5001, 1001, b"hello", options=build.md5()),
        segment(4, False, ACK, 1001, 5001),
        segment(5, False, RST, 1001),
        segment(10, False, SYN, 1, options=SYN_OPTIONS, port=40001),
        segment(20, False, SYN, 1, options=signed, port=40002),
        quiet(5000),
    ]
    found = of_records(frames, tmp_path)
    assert found["TCPMD5NotFound"] == (3, 2, 3)
    assert found["TCPMD5Failure"] == (1, 0, 2)  # and the ACK of the handshake, for all that packets show
    assert found["TcpInSegs"][0] == 7
    assert not found.keys() & {"TcpEstabResets", "TCPChallengeACK"}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([segment(4.9, False, ACK | PSH, 1001, 5001, b"hello")], (0, 0, 1)),  # the data may have come to a request
        ([], None),  # the host spoke first: there was a socket
    ],
    ids=["data", "words"],
)
def test_a_deferred_accept(more: list[build.Record], expected: tuple[int, int, int] | None, tmp_path: Path) -> None:
    """A listener that waits for data drops the ACK of the handshake, and nothing shows it but that it said nothing before."""
    frames = [*half(0, 40000), segment(2, False, ACK, 1001, 5001, options=stamp(102, 900)), *more]
    frames += [segment(5, True, ACK | PSH, 5001, 1001, b"welcome", options=stamp(905, 102)), quiet(50)]
    found = of_records(frames, tmp_path)
    assert found.get("TCPDeferAcceptDrop") == expected
