"""What the model of Linux's sender says of repairs, probes, timers and undone reactions, in situations made for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analyzer.prediction import INFERRED, PREDICTED, world
from analyzer.prediction.names import RECOVERY
from analyzer.prediction.recovery.state import POOL
from analyzer.schema import Rows
from tests import build, pkt
from tests.predicting import moved

OPENING = """
+0        < S  0:0(0) win 64240 <mss 1460,nop,nop,sackOK,TS val 100 ecr 0,nop,wscale 7>
+0.000050 > S. 0:0(0) ack 1 win 64240 <mss 1460,nop,nop,sackOK,TS val 900 ecr 100,nop,wscale 7>
+0.020000 < .  1:1(0) ack 1 win 502 <nop,nop,TS val 120 ecr 900>
+0.000100 > .  1:1449(1448) ack 1 win 502 <nop,nop,TS val 920 ecr 120>
+0.000010 > .  1449:2897(1448) ack 1 win 502 <nop,nop,TS val 920 ecr 120>
+0.000010 > .  2897:4345(1448) ack 1 win 502 <nop,nop,TS val 920 ecr 120>
+0.000010 > .  4345:5793(1448) ack 1 win 502 <nop,nop,TS val 920 ecr 120>
+0.000010 > P. 5793:7241(1448) ack 1 win 502 <nop,nop,TS val 920 ecr 120>
"""
RENO = """
+0        < S  0:0(0) win 64240 <mss 1460>
+0.000050 > S. 0:0(0) ack 1 win 64240 <mss 1460>
+0.020000 < .  1:1(0) ack 1 win 64240
+0.000100 > .  1:1461(1460) ack 1 win 64240
+0.000010 > .  1461:2921(1460) ack 1 win 64240
+0.000010 > .  2921:4381(1460) ack 1 win 64240
+0.000010 > .  4381:5841(1460) ack 1 win 64240
+0.000010 > P. 5841:7301(1460) ack 1 win 64240
"""
HOLE = """
+0.020000 < .  1:1(0) ack 1 win 502 <nop,nop,TS val 140 ecr 900,nop,nop,sack 1449:2897>
+0.000010 < .  1:1(0) ack 1 win 502 <nop,nop,TS val 140 ecr 900,nop,nop,sack 1449:4345>
+0.000010 < .  1:1(0) ack 1 win 502 <nop,nop,TS val 140 ecr 900,nop,nop,sack 1449:5793>
+0.000030 > .  1:1449(1448) ack 1 win 502 <nop,nop,TS val 940 ecr 140>
"""
BUFFERS = ("TCPSackShifted", "TCPSackMerged", "TCPSackShiftFallback")
MODELLED = {
    f"TcpExt{name}" for name in ({*RECOVERY} - {*BUFFERS} | {"TCPTimeouts", "TCPFastRetrans", "TCPSlowStartRetrans"})
}


def counted(text: str, folder: Path, host: str = build.DST4, label: bytes = b"") -> dict[str, int]:
    """What the model counts for the server (else for the given host), by the name without `TcpExt`.

    `label` replaces the end of the flow label of the last frame.
    """
    (scenario,) = pkt.parse("--- a connection\n" + text, "here")
    if label:
        last = scenario.lines[-1]
        scenario.lines[-1] = replace(last, frame=last.frame[: 18 - len(label)] + label + last.frame[18:])
    found = moved(scenario.write(folder / "capture.pcapng"), host)
    return {
        name.removeprefix("TcpExt"): amount for name, (amount, _, _) in found.items() if name in MODELLED and amount
    }


def test_all_of_it_is_inferred() -> None:
    """A model decides, not a packet alone."""
    assert MODELLED <= INFERRED <= set(PREDICTED)


def test_a_transfer_without_loss_counts_nothing(tmp_path: Path) -> None:
    """Not even delayed or repeated ACKs."""
    end = "+0.02 < . 1:1(0) ack 2897 win 502 <nop,nop,TS val 140 ecr 920>\n"
    end += "+0.04 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 180 ecr 920>\n"
    assert counted(OPENING + end, tmp_path) == {}


def test_three_sacked_segments_begin_a_repair(tmp_path: Path) -> None:
    """Once, however many segments it repairs; and the end that receives the data counts nothing."""
    end = "+0.02 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 160 ecr 940>\n"
    assert counted(OPENING + HOLE + end, tmp_path) == {"TCPSackRecovery": 1, "TCPFastRetrans": 1}
    assert counted(OPENING + HOLE + end, tmp_path, build.SRC4) == {}


def test_an_ack_older_than_the_repair_undoes_it(tmp_path: Path) -> None:
    """The original was late (RFC 4015): at the end of the repair, or in the midst of it where nothing is under way."""
    whole = "+0.001 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 141 ecr 920>\n"
    found = counted(OPENING + HOLE + whole, tmp_path)
    assert found == {"TCPSackRecovery": 1, "TCPFastRetrans": 1, "TCPFullUndo": 1}
    part = "+0.001 < . 1:1(0) ack 5793 win 502 <nop,nop,TS val 141 ecr 920>\n"
    found = counted(OPENING + HOLE + part, tmp_path)
    assert found == {"TCPSackRecovery": 1, "TCPFastRetrans": 1, "TCPPartialUndo": 1, "TCPTSReorder": 1}


def test_a_dsack_for_all_that_was_sent_again_undoes_the_repair(tmp_path: Path) -> None:
    """Even after it has ended; a DSACK for what was never sent again is not believed."""
    answer = "+0.02 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 160 ecr 940>\n"
    answer += "+0.001 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 161 ecr 940,nop,nop,sack 1:1449>\n"
    found = counted(OPENING + HOLE + answer, tmp_path)
    assert found == {"TCPSackRecovery": 1, "TCPFastRetrans": 1, "TCPDSACKUndo": 1}
    answer = "+0.02 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 140 ecr 920,nop,nop,sack 1:1449>\n"
    assert counted(OPENING + answer, tmp_path) == {}


def test_a_timeout_is_told_by_the_state_that_it_ends(tmp_path: Path) -> None:
    """In Disorder, in the midst of a repair, and after progress in that of another timeout."""
    few = "+0.020000 < .  1:1(0) ack 1 win 64240\n+0.5 > . 1:1461(1460) ack 1 win 64240\n"
    once = {"TCPTimeouts": 1, "TcpTimeoutRehash": 1}
    assert counted(RENO + few, tmp_path) == {"TCPRenoFailures": 1, **once}
    lost = "+0.6 > . 1:1449(1448) ack 1 win 502 <nop,nop,TS val 1540 ecr 140>\n"
    lost += "+0.9 > . 1:1449(1448) ack 1 win 502 <nop,nop,TS val 2440 ecr 140>\n"
    repair = {"TCPSackRecovery": 1, "TCPFastRetrans": 1, "TCPSackRecoveryFail": 1, "TCPLostRetransmit": 2}
    twice = {"TCPTimeouts": 2, "TcpTimeoutRehash": 2}
    assert counted(OPENING + HOLE + lost, tmp_path) == {**repair, **twice}
    slow = "+0.5 > . 1:1461(1460) ack 1 win 64240\n+0.02 < . 1:1(0) ack 1461 win 64240\n"
    slow += "+0.00003 > . 1461:2921(1460) ack 1 win 64240\n+0.9 > . 1461:2921(1460) ack 1 win 64240\n"
    assert counted(RENO + slow, tmp_path) == {
        "TCPLossFailures": 1, "TCPSlowStartRetrans": 1, "TCPLostRetransmit": 1, **twice,
    }  # fmt: skip


def test_a_needless_timeout_is_found_by_data_that_was_sent_once(tmp_path: Path) -> None:
    """F-RTO: the ACK covers more than the timer sent (RFC 5682), and timestamps do not tell."""
    opening = OPENING.replace("TS val 100 ecr 0,", "").replace("TS val 900 ecr 100,", "")
    opening = "".join(line.split(" <nop,nop,TS")[0] + "\n" for line in opening.splitlines())
    late = "+0.5 > . 1:1449(1448) ack 1 win 502\n+0.01 < . 1:1(0) ack 2897 win 502\n"
    found = counted(opening + late, tmp_path)
    assert found == {"TCPTimeouts": 1, "TcpTimeoutRehash": 1, "TCPLossUndo": 1, "TCPSpuriousRTOs": 1}


def test_the_tail_is_probed_before_the_timer_runs_out(tmp_path: Path) -> None:
    """The last segment again; what its answer says decides whether anything was lost."""
    probe = "+0.05 > P. 5793:7241(1448) ack 1 win 502 <nop,nop,TS val 970 ecr 120>\n"
    same = "+0.02 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 190 ecr 970,nop,nop,sack 5793:7241>\n"
    assert counted(OPENING + probe + same, tmp_path) == {"TCPLossProbes": 1, "TCPDSACKIgnoredNoUndo": 1}
    repaired = "+0.02 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 190 ecr 970>\n"
    more = "+0.01 > P. 7241:8241(1000) ack 1 win 502 <nop,nop,TS val 1000 ecr 190>\n"
    more += "+0.02 < . 1:1(0) ack 8241 win 502 <nop,nop,TS val 220 ecr 1000>\n"
    assert counted(OPENING + probe + repaired + more, tmp_path) == {"TCPLossProbes": 1, "TCPLossProbeRecovery": 1}


def test_a_probe_may_be_new_data(tmp_path: Path) -> None:
    """Sent when the timer of the probe runs out, and nothing asked for it; with an ACK just before it is none."""
    late = "+0.043 > P. 7241:8241(1000) ack 1 win 502 <nop,nop,TS val 964 ecr 120>\n"
    assert counted(OPENING + late, tmp_path) == {"TCPLossProbes": 1}
    asked = "+0.043 < . 1:1(0) ack 1449 win 502 <nop,nop,TS val 164 ecr 920>\n"
    assert counted(OPENING + asked + late.replace("0.043", "0.0001"), tmp_path) == {}


def test_data_that_fills_a_hole_unrepeated_was_overtaken(tmp_path: Path) -> None:
    """Reordering without a repair."""
    swapped = "+0.02 < . 1:1(0) ack 1 win 502 <nop,nop,TS val 140 ecr 900,nop,nop,sack 1449:2897>\n"
    swapped += "+0.0001 < . 1:1(0) ack 2897 win 502 <nop,nop,TS val 140 ecr 920>\n"
    assert counted(OPENING + swapped, tmp_path) == {"TCPSACKReorder": 1}


def test_without_sack_duplicates_are_counted(tmp_path: Path) -> None:
    """Three begin a repair; more than there are segments show that they were not for holes alone."""
    duplicates = "+0.02 < . 1:1(0) ack 1 win 64240\n" + "+0.00001 < . 1:1(0) ack 1 win 64240\n" * 2
    again = "+0.00003 > . 1:1461(1460) ack 1 win 64240\n"
    end = "+0.02 < . 1:1(0) ack 7301 win 64240\n"
    assert counted(RENO + duplicates + again + end, tmp_path) == {"TCPRenoRecovery": 1, "TCPFastRetrans": 1}
    many = "+0.00001 < . 1:1(0) ack 1 win 64240\n" * 4
    assert counted(RENO + duplicates + again + many + end, tmp_path)["TCPRenoReorder"] == 3


def test_without_sack_a_second_repetition_is_the_timer_s(tmp_path: Path) -> None:
    """Though duplicates came in between: only RACK could tell that the retransmission was lost."""
    duplicates = "+0.02 < . 1:1(0) ack 1 win 64240\n" + "+0.00001 < . 1:1(0) ack 1 win 64240\n" * 2
    again = "+0.00003 > . 1:1461(1460) ack 1 win 64240\n"
    late = "+0.1 < . 1:1(0) ack 1 win 64240\n+0.16 > . 1:1461(1460) ack 1 win 64240\n"
    assert counted(RENO + duplicates + again + late, tmp_path) == {
        "TCPRenoRecovery": 1, "TCPFastRetrans": 1, "TCPRenoRecoveryFail": 1, "TCPTimeouts": 1, "TcpTimeoutRehash": 1,
        "TCPLostRetransmit": 1,
    }  # fmt: skip


def test_a_repeated_syn_ack_is_a_timeout_without_a_new_path(tmp_path: Path) -> None:
    """Its timer belongs to the listening socket; a repeated SYN rehashes."""
    text = """
+0 < S  0:0(0) win 64240 <mss 1460>
+0.00005 > S. 0:0(0) ack 1 win 64240 <mss 1460>
+1.01 > S. 0:0(0) ack 1 win 64240 <mss 1460>
+0.02 < . 1:1(0) ack 1 win 64240
"""
    assert counted(text, tmp_path) == {"TCPTimeouts": 1}
    text = """
+0 < S  0:0(0) win 64240 <mss 1460>
+1.01 < S  0:0(0) win 64240 <mss 1460>
+0.02 > S. 0:0(0) ack 1 win 64240 <mss 1460>
"""
    assert counted(text, tmp_path, build.SRC4) == {"TCPTimeouts": 1, "TcpTimeoutRehash": 1}


def test_old_data_under_another_flow_label_makes_the_receiver_rehash(tmp_path: Path) -> None:
    """It takes that for its own ACKs being lost; under the same label nothing happens."""
    text = """
ipv6
+0 < S  0:0(0) win 64240 <mss 1440>
+0.00005 > S. 0:0(0) ack 1 win 64240 <mss 1440>
+0.02 < . 1:1(0) ack 1 win 64240
+0.01 < P. 1:101(100) ack 1 win 64240
+0.0001 > . 1:1(0) ack 101 win 64240
+0.3 < P. 1:101(100) ack 1 win 64240
"""
    assert counted(text, tmp_path, build.DST6) == {}
    assert counted(text, tmp_path, build.DST6, b"\x07") == {"TcpDuplicateDataRehash": 1}


def test_a_full_pool_only_makes_blind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of what is outstanding then, until it is acknowledged; causes of events still count."""

    def full(*settings: Any, **more: Any) -> Rows:
        found = world.world_of(*settings, **more)
        found["segments"]["start"][0, 0] = POOL - 1  # none is left
        return found

    monkeypatch.setattr("analyzer.prediction.predictor.world_of", full)
    end = "+0.02 < . 1:1(0) ack 7241 win 502 <nop,nop,TS val 160 ecr 940>\n"
    assert counted(OPENING + HOLE + end, tmp_path) == {"TCPFastRetrans": 1}


# Four pieces that left one right after the other, the last with PSH: one buffer. Then single segments, each pushed.
ONE_BUFFER = """
+0        < S  0:0(0) win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.000050 > S. 0:0(0) ack 1 win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
+0.020000 < .  1:1(0) ack 1 win 502
+0.000100 > P. 1:1461(1460) ack 1 win 502
+0.000300 > .  1461:2921(1460) ack 1 win 502
+0.000002 > .  2921:4381(1460) ack 1 win 502
+0.000002 > .  4381:5841(1460) ack 1 win 502
+0.000002 > P. 5841:7301(1460) ack 1 win 502
"""
SINGLE = ONE_BUFFER.replace("> .  1461", "> P. 1461").replace("> .  2", "> P. 2").replace("> .  4", "> P. 4")


@pytest.mark.parametrize(
    ("opening", "blocks", "expected"),
    [
        # Nothing before the first was SACKed: it falls back; each of the others is moved into the one before as a whole.
        (SINGLE, ["1461:2921", "1461:4381", "1461:7301"], (0, 3, 1)),
        # One buffer is cut where the block ends, and what follows is moved bit by bit, the last of it as a whole.
        (ONE_BUFFER, ["1461:2921", "1461:4381", "1461:7301"], (1, 1, 1)),
        # Cut in front as well: both parts fall back.
        (ONE_BUFFER, ["2921:4381"], (0, 0, 2)),
        # What a block before has covered is not looked at again.
        (SINGLE, ["1461:2921", "1461:2921", "4381:5841,1461:2921"], (0, 0, 2)),
        # The hole is filled: the buffers on both sides of it become one.
        (SINGLE, ["1461:2921", "4381:5841,1461:2921", "1461:5841"], (0, 2, 2)),
    ],
    ids=["singles", "one", "middle", "again", "filled"],
)
def test_blocks_cut_and_join_buffers(
    opening: str, blocks: list[str], expected: tuple[int, int, int], tmp_path: Path
) -> None:
    """tcp_shift_skb_data(): so many parts moved, wholes moved, and neither possible."""
    acks = [f"+0.005 < . 1:1(0) ack 1 win 502 <nop,nop,sack {each.replace(',', ' ')}>\n" for each in blocks]
    (scenario,) = pkt.parse("--- a connection\n" + opening + "".join(acks), "here")
    found = moved(scenario.write(tmp_path / "capture.pcapng"), build.DST4)
    assert tuple(found.get(f"TcpExt{name}", (0, 0, 0)) for name in BUFFERS) == tuple((n, n, n) for n in expected)


def test_where_the_cuts_were_is_not_certain(tmp_path: Path) -> None:
    """A segment that follows a bit late may be a piece of the same buffer, or another one: bounds say so."""
    late = ONE_BUFFER.replace("+0.000002 > P. 5841", "+0.000200 > P. 5841")
    acks = "".join(f"+0.005 < . 1:1(0) ack 1 win 502 <nop,nop,sack 1461:{end}>\n" for end in (2921, 7301))
    (scenario,) = pkt.parse("--- a connection\n" + late + acks, "here")
    found = moved(scenario.write(tmp_path / "capture.pcapng"), build.DST4)
    assert all(least < most for name in BUFFERS for _, least, most in [found[f"TcpExt{name}"]])
