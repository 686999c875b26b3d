"""What arriving data moves in the receiver: exchanges as text, and what the counters of the server must say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analyzer.prediction.arrival.ranges_kernel import advance, forget, hold
from analyzer.prediction.arrival.state import ARRIVAL, RANGE
from tests import build
from tests.pkt import parse
from tests.predicting import Range, moved

SEED = 6298
Count = Callable[[str], dict[str, Range]]
OPENING = """
--- An exchange
+0        < S  0:0(0)       win 64240 <mss 1460,sackOK,wscale 7>
+0.00002  > S. 0:0(0) ack 1 win 64240 <mss 1460,sackOK,wscale 7>
+0.01     < .  1:1(0) ack 1 win 502
"""
PLAIN = OPENING.replace(",sackOK", "")
STAMPED = """
--- With timestamps
+0        < S  0:0(0)       win 64240 <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
+0.00002  > S. 0:0(0) ack 1 win 64240 <mss 1460,sackOK,TS val 900 ecr 100,nop,wscale 7>
+0.01     < .  1:1(0) ack 1 win 502 <nop,nop,TS val 110 ecr 900>
"""


@pytest.fixture
def counted(tmp_path: Path) -> Count:
    """From an exchange to the counters of the server that it moves: (best guess, least, most)."""

    def count(text: str) -> dict[str, Range]:
        path = parse(text, "test")[0].write(tmp_path / "exchange.pcapng")
        return {name.removeprefix("TcpExt"): each for name, each in moved(path, build.DST4).items() if "TcpExt" in name}

    return count


def test_data_beyond_a_hole(counted: Count) -> None:
    """Each segment beyond the hole is queued out of order; the one that fills it is not."""
    found = counted(
        OPENING
        + """
        +0.01    < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1 win 502 <nop,nop,sack 1461:2921>
        +0.00001 < .  2921:4381(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1 win 502 <nop,nop,sack 1461:4381>
        +0.02    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 4381 win 502
        +0.01    < .  4381:5841(1460) ack 1 win 502
        """
    )
    assert found["TCPOFOQueue"] == (2, 2, 2)
    assert "DelayedACKLost" not in found
    assert "TCPOFOMerge" not in found


def test_data_beyond_the_window_is_not_queued(counted: Count) -> None:
    """It begins where the offered window ends."""
    found = counted(
        OPENING
        + """
        +0.01    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 23
        +0.01    < .  4405:5865(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 23
        """
    )
    assert "TCPOFOQueue" not in found


def test_what_is_held_already_is_dropped(counted: Count) -> None:
    """A copy of a segment out of order; it is queued as one, too, for the counter."""
    found = counted(
        OPENING
        + """
        +0.01    < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1 win 502 <nop,nop,sack 1461:2921>
        +0.02    < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1 win 502 <nop,nop,sack 1461:2921 1461:2921>
        """
    )
    assert found["TCPOFOQueue"] == (2, 2, 2)
    assert found["TCPOFOMerge"] == (1, 1, 1)


@pytest.mark.parametrize("opening", [OPENING, PLAIN])
def test_data_received_before(counted: Count, opening: str) -> None:
    """With and without SACK; data, an empty probe's byte and a FIN."""
    found = counted(
        opening
        + """
        +0.01    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502
        +0.2     < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502
        +1       < .  1460:1461(1) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502
        +1       < .  1460:1460(0) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502
        """
    )
    assert found["DelayedACKLost"] == (2, 2, 2)
    assert "TCPOFOQueue" not in found


def test_old_data_leaves_the_recent_timestamp_alone(counted: Count) -> None:
    """A copy of old data with a new TSval is dropped before that is kept; what was sent earlier passes PAWS."""
    found = counted(
        STAMPED
        + """
        +0.01    < .  1:1449(1448) ack 1 win 502 <nop,nop,TS val 120 ecr 900>
        +0.00001 < .  1449:2897(1448) ack 1 win 502 <nop,nop,TS val 120 ecr 900>
        +0.00001 > .  1:1(0) ack 2897 win 502 <nop,nop,TS val 910 ecr 120>
        +0.01    < .  1:1449(1448) ack 1 win 502 <nop,nop,TS val 150 ecr 900>
        +0.00001 > .  1:1(0) ack 2897 win 502 <nop,nop,TS val 920 ecr 120>
        +0.01    < .  4345:5793(1448) ack 1 win 502 <nop,nop,TS val 130 ecr 900>
        +0.00001 > .  1:1(0) ack 2897 win 502 <nop,nop,TS val 930 ecr 120,nop,nop,sack 4345:5793>
        """
    )
    assert found["TCPOFOQueue"] == (1, 1, 1)
    assert found["DelayedACKLost"] == (1, 1, 1)


@pytest.mark.parametrize("isn", ["client 7 server 4294960000", "client 4294967000 server 9"])
def test_data_that_paws_refuses(counted: Count, isn: str) -> None:
    """It is not queued, and only what is old of it counts; whatever number the connection begins with."""
    found = counted(
        STAMPED.replace("timestamps\n", f"timestamps\nisn {isn}\n")
        + """
        +0.01    < .  1:1449(1448) ack 1 win 502 <nop,nop,TS val 140 ecr 900>
        +0.00001 > .  1:1(0) ack 1449 win 502 <nop,nop,TS val 910 ecr 140>
        +0.01    < .  2897:4345(1448) ack 1 win 502 <nop,nop,TS val 130 ecr 900>
        +0.00001 > .  1:1(0) ack 1449 win 502 <nop,nop,TS val 930 ecr 140>
        +0.01    < .  1:1449(1448) ack 1 win 502 <nop,nop,TS val 130 ecr 900>
        +0.00001 > .  1:1(0) ack 1449 win 502 <nop,nop,TS val 940 ecr 140,nop,nop,sack 1:1449>
        """
    )
    assert "TCPOFOQueue" not in found
    assert found["DelayedACKLost"] == (1, 1, 1)


def test_a_full_accept_queue(counted: Count) -> None:
    """The last ACK of the handshake is not taken, nor is the data after it: what comes again is not old."""
    found = counted(
        OPENING
        + """
        +0.001   < P. 1:101(100) ack 1 win 502
        +0.2     < P. 1:101(100) ack 1 win 502
        +0.8     > S. 0:0(0) ack 1 win 64240 <mss 1460,sackOK,wscale 7>
        """
    )
    assert found["DelayedACKLost"] == (0, 0, 1)


def test_both_ends_open_at_once(counted: Count) -> None:
    """The SYN comes again with the ACK: old data for a receiver that has seen it."""
    found = counted(
        """
        --- Simultaneous open
        +0      < S  0:0(0)       win 64240 <mss 1460,sackOK,wscale 7>
        +0.001  > S  0:0(0)       win 64240 <mss 1460,sackOK,wscale 7>
        +0.001  > S. 0:0(0) ack 1 win 64240 <mss 1460,sackOK,wscale 7>
        +0.01   < S. 0:0(0) ack 1 win 64240 <mss 1460,sackOK,wscale 7>
        """
    )
    assert found["DelayedACKLost"][0] == 1


@pytest.mark.parametrize(("wait", "count"), [("0.0412", 1), ("0.0901", 1), ("0.00002", 0), ("0.012", 0)])
def test_delayed_acks(counted: Count, wait: str, count: int) -> None:
    """An ACK 40 ms or more after the data is the timer's; sooner it is the receiver's or the reader's."""
    found = counted(
        OPENING
        + f"""
        +0.01    < P. 1:101(100) ack 1 win 502
        +{wait}  > .  1:1(0) ack 101 win 502
        """
    )
    assert found.get("DelayedACKs", (0, 0, 0))[0] == count


def test_a_fin_alone_is_acknowledged_by_the_timer(counted: Count) -> None:
    """Before any data the timer has no time set, and runs out at once."""
    found = counted(
        OPENING
        + """
        +0.01    < F. 1:1(0) ack 1 win 502
        +0.0021  > .  1:1(0) ack 2 win 502
        """
    )
    assert found["DelayedACKs"] == (1, 1, 1)


def test_an_answer_to_a_forged_reset_is_not_the_timer_s(counted: Count) -> None:
    """It is an ACK that challenges, though data waited for one."""
    found = counted(
        OPENING
        + """
        +0.01    < P. 1:101(100) ack 1 win 502
        +0.04    < R  5001:5001(0) win 0
        +0.00002 > .  1:1(0) ack 101 win 502
        """
    )
    assert "DelayedACKs" not in found
    assert found["TCPChallengeACK"] == (1, 1, 1)


def test_a_reader_may_answer_before_a_slow_timer(counted: Count) -> None:
    """After the timer has sent an ACK it waits for longer, a round trip at most; a window that opens sooner may be the reader's."""
    slow = OPENING.replace("+0.01     < .", "+0.12     < .")
    first = "+0.01 < P. 1:101(100) ack 1 win 502\n+0.0412 > . 1:1(0) ack 101 win 501\n"
    late = "+0.2 < P. 101:201(100) ack 1 win 502\n+0.07 > . 1:1(0) ack 201 win 520\n"
    assert counted(slow + first + late)["DelayedACKs"] == (2, 1, 2)


def test_a_reset_has_a_window(counted: Count) -> None:
    """What nobody reads any more makes room."""
    found = counted(
        OPENING
        + """
        +0.01    < P. 1:101(100) ack 1 win 502
        +0.00001 > .  1:1(0) ack 101 win 0
        +0.2     > R. 1:1(0) ack 101 win 502
        """
    )
    assert found["TCPToZeroWindowAdv"] == found["TCPFromZeroWindowAdv"] == (1, 1, 1)


def test_acks_held_back(counted: Count) -> None:
    """Three segments out of order are answered at once, four more by one ACK: three were saved."""
    answers = "".join(
        f"+0.0001 < . {1 + 1460 * k}:{1461 + 1460 * k}(1460) ack 1 win 502\n"
        f"+0.00001 > . 1:1(0) ack 1 win 502 <nop,nop,sack 1461:{1461 + 1460 * k}>\n"
        for k in range(1, 4)
    )
    more = "".join(f"+0.0001 < . {1 + 1460 * k}:{1461 + 1460 * k}(1460) ack 1 win 502\n" for k in range(4, 8))
    found = counted(OPENING + answers + more + "+0.001 > . 1:1(0) ack 1 win 502 <nop,nop,sack 1461:11681>\n")
    assert found["TCPAckCompressed"] == (3, 3, 3)
    assert found["TCPOFOQueue"] == (7, 7, 7)


def test_segments_that_wait_for_the_socket(counted: Count) -> None:
    """The first segment out of order has no answer before the next comes: both wait, and probably become one."""
    found = counted(
        OPENING
        + """
        +0.01     < .  1:1461(1460) ack 1 win 502
        +0.00001  > .  1:1(0) ack 1461 win 502
        +0.00001  < .  2921:4381(1460) ack 1 win 502
        +0.00001  < .  4381:5841(1460) ack 1 win 502
        +0.0001   > .  1:1(0) ack 1461 win 502 <nop,nop,sack 2921:5841>
        """
    )
    assert found["TCPOFOQueue"] == (1, 1, 2)
    assert found["TCPBacklogCoalesce"] == (0, 0, 1)
    assert "TCPAckCompressed" not in found


def test_an_ack_that_was_as_good_as_due(counted: Count) -> None:
    """What asks for no answer brings it forward, just before the timer runs out (tcp_send_delayed_ack())."""
    found = counted(
        OPENING
        + """
        +0.01    < F. 1:1(0) ack 1 win 502
        +0.0021  < .  2:2(0) ack 1 win 510
        +0.00002 > .  1:1(0) ack 2 win 502
        """
    )
    assert found["DelayedACKs"] == (0, 0, 1)


def test_memory_that_may_have_run_out(counted: Count) -> None:
    """Data comes and the window does not move on: from the third segment on the queue may be pruned; a window that moves has room."""
    small = "".join(
        f"+0.01 < P. {1 + 10 * k}:{11 + 10 * k}(10) ack 1 win 502\n+0.00001 > . 1:1(0) ack {11 + 10 * k} win 502\n"
        for k in range(5)
    )
    found = counted(OPENING + small)
    assert found["PruneCalled"] == (0, 0, 3)
    assert found["TCPRcvCollapsed"] == (0, 0, 6)
    assert "PruneCalled" not in counted(
        OPENING
        + small.replace("win 502\n+0.00001", "win 502\n+0.00001")
        .replace("> . 1:1(0) ack 21 win 502", "> . 1:1(0) ack 21 win 520")
        .replace("> . 1:1(0) ack 41 win 502", "> . 1:1(0) ack 41 win 540")
    )


def test_data_that_found_no_place_before(counted: Count) -> None:
    """A full listener has ignored it, as the answer shows: what came behind it waits out of order."""
    found = counted(
        OPENING
        + """
        +0.00001 < .  1:1461(1460) ack 1 win 502
        +0.00001 < P. 1461:1501(40) ack 1 win 502
        +0.2     < P. 1461:1501(40) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1 win 502 <nop,nop,sack 1461:1501>
        """
    )
    amount, least, most = found["TCPOFOQueue"]
    assert least == amount == 1 <= most


def test_a_window_that_would_be_closed(counted: Count) -> None:
    """The right edge stays where it is, and less than a segment fits before it; how much memory is left, no packet tells."""
    found = counted(
        OPENING.replace("ack 1 win 64240", "ack 1 win 2920")
        + """
        +0.01    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 20
        +0.00001 < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 2921 win 9
        """
    )
    amount, least, most = found["TCPWantZeroWindowAdv"]
    assert (amount, least) == (1, 0)
    assert most >= 1


def test_a_window_taken_back(counted: Count) -> None:
    """The answer to data in the window is a window of 0: there was no memory. What comes again is not old."""
    found = counted(
        OPENING
        + """
        +0.01    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502
        +0.01    < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 0
        +0.3     < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 2921 win 502
        """
    )
    assert found["TCPRcvQDrop"] == found["RcvPruned"] == (1, 0, 1)
    assert "DelayedACKLost" not in found


def test_a_queue_thrown_away(counted: Count) -> None:
    """What SACK had reported is no longer there."""
    found = counted(
        OPENING
        + """
        +0.01    < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1 win 502 <nop,nop,sack 1461:2921>
        +0.01    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502
        """
    )
    assert found["OfoPruned"] == (1, 0, 1)


def test_data_before_a_closed_window(counted: Count) -> None:
    """A sender that ignores it: the data is dropped, and is new when it comes again."""
    found = counted(
        OPENING
        + """
        +0.01    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 0
        +0.01    < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 0
        +0.3     > .  1:1(0) ack 1461 win 502
        +0.01    < .  1461:2921(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 2921 win 502
        """
    )
    assert found["TCPZeroWindowDrop"][1:] == (0, 1)
    assert "DelayedACKLost" not in found


@pytest.mark.parametrize(("options", "most"), [("<mss 1460>", 1), ("<mss 1460,nop,wscale 7>", 0)])
def test_header_prediction_of_a_client(tmp_path: Path, options: str, most: int) -> None:
    """tcp_rcv_synsent_state_process(): on at once where the SYN-ACK does not scale its window; else from the first change on."""
    text = f"""
    --- The server speaks first
    +0     < S  0:0(0)       win 64240 {options}
    +0.01  > S. 0:0(0) ack 1 win 64240 {options}
    +0     < .  1:1(0) ack 1 win 502
    +0     < P. 1:11(10) ack 1 win 502
    +0.01  > P. 1:101(100) ack 11 win {64240 if most else 502}
    """
    found = moved(parse(text, "test")[0].write(tmp_path / "a.pcap"), build.SRC4)
    assert found.get("TcpExtTCPHPHits", (0, 0, 0))[2] == most


def test_header_prediction_and_joined_buffers_are_bounded(counted: Count) -> None:
    """Requests of one segment, answered at once: nothing to join but the one that came before."""
    found = counted(
        OPENING
        + """
        +0.01    < P. 1:101(100) ack 1 win 502
        +0.0001  > P. 1:51(50) ack 101 win 502
        +0.01    < .  101:101(0) ack 51 win 502
        +0.01    < P. 101:201(100) ack 51 win 502
        +0.0001  > P. 51:101(50) ack 201 win 502
        """
    )
    assert found["TCPHPHits"] == (0, 0, 1)  # the first finds no memory in hand
    assert found["TCPRcvCoalesce"] == (0, 0, 1)


def test_a_connection_open_before_the_capture(counted: Count) -> None:
    """What the host acknowledges says where it is; the scale of its window is not known."""
    found = counted(
        """
        --- In the middle
        +0       > .  1:1(0) ack 1 win 502
        +0.01    < .  1:1461(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502
        +0.01    < .  4381:5841(1460) ack 1 win 502
        +0.00001 > .  1:1(0) ack 1461 win 502 <nop,nop,sack 4381:5841>
        +0.01    < .  1:1461(1460) ack 1 win 502
        """
    )
    assert found["TCPOFOQueue"] == (1, 1, 1)
    assert found["DelayedACKLost"] == (1, 1, 1)


def test_ranges_out_of_order() -> None:
    """Ranges are kept in order, joined on the right, dropped where they are covered, and given back."""
    pool, own = np.zeros(8, RANGE), np.zeros(1, ARRIVAL)[0]
    own["next"][0] = 0
    assert hold(pool, own, 0, 100, 200) == (0, 0, 0, 0)
    assert hold(pool, own, 0, 200, 300) == (-1, 0, 0, 0)
    assert hold(pool, own, 0, 400, 500) == (0, 0, 0, 0)
    assert hold(pool, own, 0, 200, 300) == (1, 1, 1, 1)
    assert hold(pool, own, 0, 150, 250) == (1, 0, 1, 1)
    assert own["stored"][0] == 300
    assert hold(pool, own, 0, 50, 600) == (2, 2, 3, 1)
    assert own["stored"][0] == 550
    assert own["last"][0] == own["queue"][0]
    assert advance(pool, own, 0, 60)[0] == 1
    assert own["next"][0] == 600
    assert own["queue"][0] == own["stored"][0] == 0


def test_an_exhausted_pool_forgets_and_recovers() -> None:
    """No index leaves it; what was given back is used again, and numbers may wrap."""
    pool, own = np.zeros(3, RANGE), np.zeros(1, ARRIVAL)[0]
    own["next"][1] = 0xFFFFFF00
    for k in range(6):
        hold(pool, own, 1, 0xFFFFFF10 + 100 * k & 0xFFFFFFFF, 0xFFFFFF20 + 100 * k & 0xFFFFFFFF)
    assert own["stored"][1] == 32
    forget(pool, own, 1)
    assert own["queue"][1] == own["stored"][1] == 0
    assert hold(pool, own, 1, 0xFFFFFFF0, 0x20) == (0, 0, 0, 0)
    assert advance(pool, own, 1, 0xFFFFFFF0) == (1, 1)
    assert own["next"][1] == 0x20


def test_the_pool_stays_whole() -> None:
    """Whatever comes: each row that was used is either in the list of an end or free, and lists are in order."""
    rng = np.random.default_rng(SEED)
    pool, own = np.zeros(12, RANGE), np.zeros(1, ARRIVAL)[0]
    for _ in range(400):
        side = int(rng.integers(2))
        left = int(own["next"][side]) + int(rng.integers(1, 40))
        if rng.random() < 0.85:
            hold(pool, own, side, left, left + int(rng.integers(1, 15)))
        else:
            advance(pool, own, side, left)
        rows = [list_from(pool, int(own["queue"][end])) for end in (0, 1)]
        free = list_from(pool, int(pool[0]["next"]))
        assert sorted(rows[0] + rows[1] + free) == list(range(1, int(pool[0]["left"]) + 1))
        for end, held in enumerate(rows):
            assert int(own["last"][end]) == (held[-1] if held else 0)
            assert list(pool["left"][held]) == sorted(pool["left"][held])
            assert int(own["stored"][end]) == int((pool["right"][held] - pool["left"][held]).sum())


def list_from(pool: np.ndarray, at: int) -> list[int]:
    """The rows of a list."""
    rows = []
    while at:
        rows.append(at)
        at = int(pool[at]["next"])
    return rows
