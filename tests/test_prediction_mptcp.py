"""Multipath TCP by its options: how connections begin, addresses are announced, and connections are thrown away."""

from __future__ import annotations

from pathlib import Path

from tests import build
from tests.predicting import Prediction, of_frames

CAPABLE, JOIN, ADD_ADDRESS, FASTCLOSE = 0, 1, 3, 7
SYN, RST, ACK = 2, 4, 16


def connection(path: Path, host: str, *options: bytes, more: tuple[tuple[bool, int, bytes], ...] = ()) -> Prediction:
    """Handshake with these options, and more segments of (is it the client's, flags, options)."""
    syn, syn_ack, ack = options
    segments = [(True, SYN, syn), (False, SYN | ACK, syn_ack), (True, ACK, ack), *more]
    packets = []
    for k, (by_client, flags, option) in enumerate(segments):
        begun = 1 if k > 1 else 0
        numbers = {"seq": 1000 + (1 if by_client else 0) * begun, "ack": 5001 if flags & ACK else 0}
        if not by_client:
            numbers = {"seq": 5000 + begun, "ack": 1001}
        between = (build.SRC4, build.DST4) if by_client else (build.DST4, build.SRC4)
        ports = {"src_port": 40000 if by_client else 80, "dst_port": 80 if by_client else 40000}
        segment = build.tcp(flags=flags, options=option, between=between, **numbers, **ports)
        packets.append((k / 100, build.ipv4(segment, src=between[0], dst=between[1], ident=k + 1)))
    return of_frames(path, host, packets)


def moved(found: Prediction) -> dict[str, object]:
    """Its counters that moved."""
    from analyzer.prediction import PREDICTED

    return {name[8:]: found.of(name) for name in PREDICTED if name.startswith("MPTcpExt") and found.of(name) != 0}


def test_both_ends_speak_it(tmp_path: Path) -> None:
    """Each counts what it sends first, and what it receives."""
    options = [build.mptcp(CAPABLE)] * 3
    assert moved(connection(tmp_path / "a.pcap", build.SRC4, *options)) == {"MPCapableSYNTX": 1, "MPCapableSYNACKRX": 1}
    assert moved(connection(tmp_path / "a.pcap", build.DST4, *options)) == {"MPCapableSYNRX": 1, "MPCapableACKRX": 1}


def test_the_other_end_does_not(tmp_path: Path) -> None:
    """The connection goes on as TCP; a plain listener counts nothing."""
    options = (build.mptcp(CAPABLE), b"", b"")
    found = moved(connection(tmp_path / "a.pcap", build.SRC4, *options))
    assert found == {"MPCapableSYNTX": 1, "MPCapableFallbackSYNACK": 1}
    assert moved(connection(tmp_path / "a.pcap", build.DST4, *options)) == {}
    lost = (build.mptcp(CAPABLE), build.mptcp(CAPABLE), b"")
    assert moved(connection(tmp_path / "b.pcap", build.DST4, *lost)) == {"MPCapableSYNRX": 1, "MPCapableFallbackACK": 1}


def test_another_subflow(tmp_path: Path) -> None:
    """Its three packets carry MP_JOIN."""
    options = [build.mptcp(JOIN)] * 3
    assert moved(connection(tmp_path / "a.pcap", build.SRC4, *options)) == {"MPJoinSynTx": 1, "MPJoinSynAckRx": 1}
    assert moved(connection(tmp_path / "a.pcap", build.DST4, *options)) == {"MPJoinSynRx": 1, "MPJoinAckRx": 1}


def test_an_address_and_its_echo(tmp_path: Path) -> None:
    """The first of the two is the announcement."""
    options = [build.mptcp(CAPABLE)] * 3
    more = ((False, ACK, build.mptcp(ADD_ADDRESS)), (True, ACK, build.mptcp(ADD_ADDRESS)))
    client = moved(connection(tmp_path / "a.pcap", build.SRC4, *options, more=more))
    assert (client["AddAddr"], client["EchoAddTx"]) == (1, 1)
    server = moved(connection(tmp_path / "a.pcap", build.DST4, *options, more=more))
    assert (server["AddAddrTx"], server["EchoAdd"]) == (1, 1)


def test_fast_close(tmp_path: Path) -> None:
    """A reset with MP_FASTCLOSE aborts the connection; TCP counts no abort of its own for it."""
    options = [build.mptcp(CAPABLE)] * 3
    more = ((True, RST | ACK, build.mptcp(FASTCLOSE)),)
    found = connection(tmp_path / "a.pcap", build.SRC4, *options, more=more)
    assert moved(found)["MPFastcloseTx"] == 1
    assert moved(found)["MPRstTx"] == (1, 0, 1)
    assert found.of("TcpExtTCPAbortOnData") == 0
    assert found.of("TcpOutRsts") == 1
    assert moved(connection(tmp_path / "a.pcap", build.DST4, *options, more=more))["MPFastcloseRx"] == 1
