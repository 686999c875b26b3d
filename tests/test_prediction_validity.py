"""Segments that a socket refuses, and its limited answers: conversations written by hand, as their kernel counts them."""

from __future__ import annotations

from pathlib import Path

from tests import build
from tests.predicting import CLIENT, MS, SERVER, SYN_OPTIONS, of_records, only, segment, stamp

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
Frame = tuple[float, bool, int, int, int, bytes, bytes]


def handshake(clock: bool = True) -> list[build.Record]:
    """The client's numbers go on at 1001, those of the server at 5001; its window is 10 000 bytes."""
    return [
        segment(0, False, SYN, 1000, options=SYN_OPTIONS + (stamp(100, 0) if clock else b"")),
        segment(0.1, True, SYN | ACK, 5000, 1001, options=SYN_OPTIONS + (stamp(900, 100) if clock else b"")),
        segment(2, False, ACK, 1001, 5001, options=stamp(102, 900) if clock else b""),
        segment(3, False, ACK | PSH, 1001, 5001, b"x" * 100, options=stamp(103, 900) if clock else b""),
        segment(3.1, True, ACK, 5001, 1101, options=stamp(903, 103) if clock else b""),
    ]


def test_a_clean_conversation_refuses_nothing(tmp_path: Path) -> None:
    """With and without timestamps."""
    assert only(of_records(handshake(), tmp_path)) == {}
    assert only(of_records(handshake(clock=False), tmp_path)) == {}


def test_old_timestamps(tmp_path: Path) -> None:
    """PAWS: the first pure ACK is answered, those within half a second are not, data always is; overtaken ACKs are apart."""
    late = [
        segment(at, False, ACK, 1101, 5001, options=stamp(50, 900), window=9000 + int(at)) for at in (100, 200, 700)
    ]
    answers = [segment(at + 0.1, True, ACK, 5001, 1101, options=stamp(900 + int(at), 103)) for at in (100, 300, 700)]
    data = [segment(300, False, ACK, 1101, 5001, b"y", options=stamp(60, 900))]
    overtaken = [segment(800, False, ACK, 1050, 5001, options=stamp(60, 900))]
    found = only(of_records([*handshake(), *late, *answers, *data, *overtaken], tmp_path))
    assert found == {"PAWSEstab": 4, "TCPACKSkippedPAWS": 1, "PAWSOldAck": 1}


def test_a_repeated_ack_is_excused(tmp_path: Path) -> None:
    """Not too old, it changes nothing: tcp_disordered_ack_check()."""
    first = segment(50, False, ACK, 1101, 5001, options=stamp(150, 903))
    same = segment(100, False, ACK, 1101, 5001, options=stamp(90, 900))
    assert only(of_records([*handshake(), first, same], tmp_path)) == {}
    assert only(of_records([*handshake(), same], tmp_path)) == {"PAWSEstab": 1}  # a new number may bring a new window
    older = [segment(1100, False, ACK, 1101, 5001, options=stamp((1 << 32) - 900, 900))]
    assert only(of_records([*handshake(), *older], tmp_path)) == {"PAWSEstab": 1}


def test_beside_the_window(tmp_path: Path) -> None:
    """Below it, and beyond it."""
    below = [segment(at, False, ACK, 900, 5001) for at in (100, 150, 200)]
    beyond = [segment(at, False, ACK | PSH, 1101 + 10_001, 5001, b"z" * 10) for at in (300, 350)]
    found = only(of_records([*handshake(clock=False), *below, *beyond], tmp_path))
    assert found == {"TCPACKSkippedSeq": 2, "BeyondWindow": 2}


def test_a_closed_window(tmp_path: Path) -> None:
    """What ends beyond it is refused while the application has something to read, which a SACK leaves open."""
    closed = segment(10, True, ACK, 5001, 1101, window=0)
    probe = segment(300, False, ACK | PSH, 1101, 5001, b"z" * 10)
    assert only(of_records([*handshake(clock=False), closed, probe], tmp_path)) == {
        "TCPToZeroWindowAdv": 1,
        "BeyondWindow": 1,
    }
    holes = segment(11, True, ACK, 5001, 1101, window=0, options=build.NOP * 2 + build.sack(1201, 1301))
    assert of_records([*handshake(clock=False), closed, holes, probe], tmp_path)["BeyondWindow"] == (0, 0, 1)


def test_challenges(tmp_path: Path) -> None:
    """A SYN, a RST beside the next number, ACKs of what was never sent or long acknowledged: one answer in half a second."""
    frames = [
        segment(100, False, SYN, 77_000),
        segment(100.1, True, ACK, 5001, 1101),
        segment(200, False, RST, 1200),
        segment(700, False, ACK, 1101, 6000),
        segment(700.1, True, ACK, 5001, 1101),
        segment(1300, False, ACK, 1101, 1 << 31),
    ]
    found = only(of_records([*handshake(clock=False), *frames], tmp_path))
    assert found == {"TcpInErrs": 1, "TCPSYNChallenge": 1, "TCPChallengeACK": 3, "TCPACKSkippedChallenge": 1}


def test_the_right_number_resets(tmp_path: Path) -> None:
    """And nothing is challenged any more."""
    frames = [segment(100, False, RST, 1101), segment(200, False, RST, 1200)]
    assert only(of_records([*handshake(clock=False), *frames], tmp_path)) == {"TcpEstabResets": 1}


def test_just_at_the_limit_the_answer_decides(tmp_path: Path) -> None:
    """The kernel compares jiffies: two probes 500 ms apart are answered both, or not."""
    probes = [segment(100, False, ACK, 900, 5001), segment(598, False, ACK, 900, 5001)]
    answer = segment(598.1, True, ACK, 5001, 1101)
    later = segment(900, False, ACK | PSH, 1101, 5001, b"z")
    assert only(of_records([*handshake(clock=False), *probes, answer, later], tmp_path)) == {}
    assert only(of_records([*handshake(clock=False), *probes, later], tmp_path)) == {"TCPACKSkippedSeq": 1}


def test_time_wait(tmp_path: Path) -> None:
    """The server closes first: old segments find a small socket, which limits its answers to pure ACKs."""
    end = [
        segment(10, True, FIN | ACK, 5001, 1101, options=stamp(910, 103)),
        segment(12, False, FIN | ACK, 1101, 5002, options=stamp(112, 910)),
        segment(12.1, True, ACK, 5002, 1102, options=stamp(912, 112)),
        segment(100, False, ACK, 1050, 5002, options=stamp(50, 910)),
        segment(200, False, ACK, 1050, 5002, options=stamp(120, 910)),
        segment(300, False, FIN | ACK, 1101, 5002, options=stamp(112, 910)),
        segment(400, False, SYN, 900, options=stamp(60, 0)),
    ]
    found = only(of_records([*handshake(), *end], tmp_path))
    assert found == {"PAWSTimewait": 2, "TCPACKSkippedTimeWait": 2}


def test_who_closed_last_keeps_nothing(tmp_path: Path) -> None:
    """LAST_ACK ends without TIME_WAIT."""
    end = [
        segment(10, False, FIN | ACK, 1101, 5001, options=stamp(110, 903)),
        segment(10.1, True, FIN | ACK, 5001, 1102, options=stamp(910, 110)),
        segment(12, False, ACK, 1102, 5002, options=stamp(112, 910)),
        segment(100, False, ACK, 1050, 5002, options=stamp(50, 910)),
    ]
    assert only(of_records([*handshake(), *end], tmp_path)) == {}


def test_an_orphan_may_be_small(tmp_path: Path) -> None:
    """FIN_WAIT_2: whether the application has let go of the socket decides which counter moves; data taken since shows it."""
    end = [
        segment(10, True, FIN | ACK, 5001, 1101, options=stamp(910, 103)),
        segment(12, False, ACK, 1101, 5002, options=stamp(112, 910)),
    ]
    old = [segment(at, False, ACK | PSH, 1101, 5002, b"q", options=stamp(50, 910)) for at in (100, 200)]
    assert of_records([*handshake(), *end, *old], tmp_path)["PAWSEstab"] == (0, 0, 2)
    data = segment(20, False, ACK | PSH, 1101, 5002, b"data", options=stamp(120, 910))
    taken = segment(20.1, True, ACK, 5002, 1105, options=stamp(920, 120))
    assert of_records([*handshake(), *end, data, taken, *old], tmp_path)["PAWSEstab"] == (2, 2, 2)


def test_a_half_open_connection(tmp_path: Path) -> None:
    """tcp_check_req(): the SYN again, an echo that was never sent, an old clock, a strange number; then a reset."""
    frames = [
        *handshake()[:2],
        segment(10, False, SYN, 1000, options=SYN_OPTIONS + stamp(100, 0)),
        segment(10.1, True, SYN | ACK, 5000, 1001, options=SYN_OPTIONS + stamp(910, 100)),
        segment(20, False, SYN, 1000, options=SYN_OPTIONS + stamp(100, 0)),
        segment(30, False, ACK, 1001, 5001, options=stamp(130, 5000)),
        segment(40, False, ACK, 1001, 5001, options=stamp(90, 900)),
        segment(50, False, ACK, 90_000, 5001, options=stamp(150, 900)),
        segment(60, False, RST, 90_000),
        segment(70, False, RST, 1001),
        segment(80, False, RST, 1001),
    ]
    found = only(of_records(frames, tmp_path))
    for name in ("TCPSynRetrans", "TcpRetransSegs"):
        assert found.pop(name) == 1
    assert found == {
        "TCPACKSkippedSynRecv": 4, "TSEcrRejected": 1, "PAWSEstab": 1, "EmbryonicRsts": 1, "TcpAttemptFails": 1,
    }  # fmt: skip


def test_a_syn_in_the_window_of_a_half_open_connection(tmp_path: Path) -> None:
    """It resets."""
    frames = [*handshake()[:2], segment(20, False, SYN, 1300, options=SYN_OPTIONS + stamp(120, 0))]
    frames.append(segment(20.1, True, RST | ACK, 5001, 1301))
    found = only(of_records(frames, tmp_path))
    assert found["EmbryonicRsts"] == found["TcpAttemptFails"] == 1
    assert "TCPSYNChallenge" not in found


def test_a_syn_ack_with_a_strange_echo(tmp_path: Path) -> None:
    """PAWSActive at the client, which goes on waiting: another SYN-ACK opens the connection."""
    frames = [
        segment(0, False, SYN, 1000, options=SYN_OPTIONS + stamp(100, 0)),
        segment(10, True, SYN | ACK, 5000, 1001, options=SYN_OPTIONS + stamp(900, 3000)),
        segment(10.1, False, RST, 1001),
        segment(20, True, SYN | ACK, 6000, 1001, options=SYN_OPTIONS + stamp(900, 100)),
        segment(20.1, False, ACK, 1001, 6001, options=stamp(120, 900)),
        segment(30, True, RST, 6001),
    ]
    found = only(of_records(frames, tmp_path, CLIENT))
    assert found == {"PAWSActive": 1, "TcpOutRsts": 1, "TcpEstabResets": 1}


def test_the_middle_of_a_connection(tmp_path: Path) -> None:
    """Its windows are not known, its clock is after the first segment of the host."""
    middle = handshake()[3:]
    far = segment(50, False, ACK | PSH, 900_000, 5001, b"z", options=stamp(150, 903))
    old = segment(60, False, ACK | PSH, 1101, 5001, b"z", options=stamp(50, 903))
    assert only(of_records([*middle, far, old], tmp_path)) == {"PAWSEstab": 1}


def test_errors_about_segments(tmp_path: Path) -> None:
    """An ICMP error counts if the segment that it quotes is not outstanding."""
    sent = segment(10, True, ACK | PSH, 5001, 1101, b"data")

    def error(at_ms: float, seq: int) -> build.Record:
        quoted = build.ipv4(build.tcp(src_port=80, dst_port=40000, seq=seq), src=SERVER, dst=CLIENT)
        icmp = build.icmp(quoted[:28], kind=3, code=1)
        frame = build.ethernet(build.ipv4(icmp, build.ICMP, src="192.0.2.77", dst=SERVER, ident=int(at_ms)))
        return build.Record(frame, int(at_ms * MS))

    frames = [*handshake(clock=False), sent, error(20, 5001), error(30, 5005), error(40, 4900), error(50, 5006)]
    found = of_records(frames, tmp_path)
    assert found["OutOfWindowIcmps"] == (2, 2, 2)
