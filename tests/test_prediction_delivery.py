"""What acknowledgments move at the sender, in situations that the samples lack; and the model of its queue, against a plain one."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from analyzer import analyze
from analyzer.prediction import BY_OTHERS
from analyzer.prediction.delivery.queue_kernel import acknowledge, forget, queue, sacked
from analyzer.prediction.delivery.requeue_kernel import again
from analyzer.prediction.delivery.state import DELIVERY, PIECE
from tests import build, pkt
from tests.predicting import Range, moved

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
SUM = "TCPPureAcks+TcpExtTCPHPAcks"
OPTIONS = "<mss 1460,nop,nop,sackOK,nop,wscale 7>"
OPENING = f"""
+0     < S  0:0(0) win 64240 {OPTIONS}
+0.010 > S. 0:0(0) ack 1 win 65160 {OPTIONS}
+0     < .  1:1(0) ack 1 win 502
"""
NO_SACK = OPENING.replace("nop,nop,sackOK,", "")
ECN = OPENING.replace("< S  ", "< SEW ").replace("> S. ", "> SE. ")


def predicted(tmp_path: Path, text: str, host: str = build.SRC4) -> dict[str, Range]:
    """(amount, least, most) of each counter of one host, by its name without the group."""
    (scenario,) = pkt.parse(text, "delivery")
    found = moved(scenario.write(tmp_path / "capture.pcap"), host)
    return {name.removeprefix("TcpExt"): each for name, each in found.items()}


def exact(found: dict[str, Range], name: str) -> int:
    """The only value that it can have."""
    amount, least, most = found.get(name, (0, 0, 0))
    assert amount == least == most, (name, amount, least, most)
    return amount


@pytest.mark.parametrize(
    ("acks", "delivered"),
    [
        ("+0.01 > . 1:1(0) ack 4381 win 600", 3),
        ("+0.01 > . 1:1(0) ack 1461 win 600", 1),
        ("+0.01 > . 1:1(0) ack 2000 win 600", 1),  # the second segment is not complete
        ("+0.01 > . 1:1(0) ack 2000 win 600\n+0 > . 1:1(0) ack 4381 win 600", 3),
        ("+0.01 > . 1:1(0) ack 1 win 600 <nop,nop,sack 2921:4381>", 1),
        ("+0.01 > . 1:1(0) ack 1 win 600 <nop,nop,sack 2921:4381>\n+0 > . 1:1(0) ack 4381 win 600", 3),
        ("+0.01 > . 1:1(0) ack 1 win 600 <nop,nop,sack 2921:4000>", 0),
        ("+0.01 > . 1:1(0) ack 9000 win 600", 0),  # never sent
    ],
)
def test_a_super_segment_is_delivered_segment_by_segment(tmp_path: Path, acks: str, delivered: int) -> None:
    """tcp_tso_acked(), tcp_match_skb_to_sack(): in whole segments, each once; the SYN is one."""
    found = predicted(tmp_path, f"{OPENING}+0.01 < P. 1:4381(4380) ack 1 win 502\n{acks}")
    assert exact(found, "TCPDelivered") == 1 + delivered


def test_small_segments_that_were_sent_again_as_one_are_one(tmp_path: Path) -> None:
    """tcp_retrans_try_collapse()."""
    sent = "".join(f"+0 < P. {at}:{at + 100}(100) ack 1 win 502\n" for at in (1, 101, 201))
    acknowledged = "+0.01 > . 1:1(0) ack 301 win 600\n"
    assert exact(predicted(tmp_path, f"{OPENING}{sent}{acknowledged}"), "TCPDelivered") == 4
    again_as_one = "+0.3 < P. 1:301(300) ack 1 win 502\n"
    assert exact(predicted(tmp_path, f"{OPENING}{sent}{again_as_one}{acknowledged}"), "TCPDelivered") == 2


def test_what_is_acknowledged_of_a_segment_is_not_sent_again(tmp_path: Path) -> None:
    """tcp_trim_head(): the rest of the first goes out as one with the second."""
    text = f"""{OPENING}
    +0.01 < P. 1:401(400) ack 1 win 502
    +0    < P. 401:801(400) ack 1 win 502
    +0.01 > .  1:1(0) ack 101 win 600
    +0.30 < P. 101:801(700) ack 1 win 502
    +0.01 > .  1:1(0) ack 801 win 600
    """
    assert exact(predicted(tmp_path, text), "TCPDelivered") == 1 + 1


def test_what_the_receiver_threw_away_is_delivered_twice(tmp_path: Path) -> None:
    """tcp_timeout_mark_lost(): the acknowledgment stops below data that SACK had reported, which is then sent again."""
    text = f"""{OPENING}
    +0.01 < .  1:1461(1460) ack 1 win 502
    +0    < P. 1461:2921(1460) ack 1 win 502
    +0.01 > .  1:1(0) ack 1 win 600 <nop,nop,sack 1461:2921>
    +0.01 > .  1:1(0) ack 1461 win 600
    +0.30 < P. 1461:2921(1460) ack 1 win 502
    +0.01 > .  1:1(0) ack 2921 win 600
    """
    assert exact(predicted(tmp_path, text), "TCPDelivered") == 1 + 2 + 1


@pytest.mark.parametrize(
    ("fin", "delivered"), [("+0 < F. 101:101(0) ack 1 win 502", 2), ("+0 < FP. 101:201(100) ack 1 win 502", 2)]
)
def test_a_fin_is_a_segment_or_part_of_one(tmp_path: Path, fin: str, delivered: int) -> None:
    """tcp_send_fin()."""
    last = 102 if "(0)" in fin else 202
    text = f"{OPENING}+0.01 < P. 1:101(100) ack 1 win 502\n{fin}\n+0.01 > . 1:1(0) ack {last} win 600\n"
    assert exact(predicted(tmp_path, text), "TCPDelivered") == 1 + delivered


def test_a_dsack_is_believed_as_often_as_something_was_sent_again(tmp_path: Path) -> None:
    """tcp_dsack_seen(): the second is dubious; with data outstanding it is discarded like any block that cannot be."""
    text = f"""{OPENING}
    +0.01 < P. 1:101(100) ack 1 win 502
    +0.30 < P. 1:101(100) ack 1 win 502
    +0.01 > .  1:1(0) ack 101 win 600
    +0    > .  1:1(0) ack 101 win 600 <nop,nop,sack 1:101>
    +0.01 < P. 101:201(100) ack 1 win 502
    +0    > .  1:1(0) ack 101 win 600 <nop,nop,sack 1:101>
    """
    found = predicted(tmp_path, text)
    assert exact(found, "TCPDSACKRecvSegs") == exact(found, "TCPDSACKIgnoredDubious") == 1
    assert exact(found, "TCPSACKDiscard") == 1
    assert exact(found, "TCPDelivered") == 1 + 1 + 1
    assert exact(found, SUM) == 3


def test_old_acks_and_probes_of_the_peer_count_nothing(tmp_path: Path) -> None:
    """tcp_ack(): an overtaken ACK; tcp_sequence(): a keep-alive lies below the window."""
    text = f"""{OPENING}
    +0.01 < P. 1:101(100) ack 1 win 502
    +0    < P. 101:201(100) ack 1 win 502
    +0.01 > .  1:1(0) ack 201 win 600
    +0    > .  1:1(0) ack 101 win 600
    +1    > .  0:0(0) ack 201 win 600
    +0    < .  201:201(0) ack 1 win 502
    """
    found = predicted(tmp_path, text)
    assert exact(found, SUM) == exact(found, "TCPPureAcks") == 1
    assert exact(found, "TCPDelivered") == 3


def test_without_sack_duplicate_acks_stand_for_segments(tmp_path: Path) -> None:
    """tcp_add_reno_sack(): two arrived behind the first, which the last ACK covers with them."""
    sent = "".join(f"+0 < P. {at}:{at + 100}(100) ack 1 win 600\n" for at in (1, 101, 201))
    repeats = "+0.01 > . 1:1(0) ack 1 win 65160\n" * 2
    text = f"{NO_SACK}{sent}+0.001 > . 1:1(0) ack 1 win 65160\n{repeats}"
    counts = [exact(predicted(tmp_path, text.replace("wscale 7", "wscale 0") + more), "TCPDelivered") for more in
              ("", "+0.01 > . 1:1(0) ack 301 win 65160\n")]  # fmt: skip
    assert counts == [1 + 2, 1 + 2 + 1]


@pytest.mark.parametrize(("opening", "marked"), [(ECN, 1), (OPENING, 0)])
def test_marks_count_where_ecn_was_agreed_on(tmp_path: Path, opening: str, marked: int) -> None:
    """tcp_ecn_rcv_ecn_echo()."""
    text = f"{opening}+0.01 < P. 1:101(100) ack 1 win 502\n+0.01 > E. 1:1(0) ack 101 win 600\n"
    found = predicted(tmp_path, text)
    assert exact(found, "TCPDeliveredCE") == marked
    assert exact(found, "TCPDelivered") == 2


def test_a_syn_that_comes_again_asks_for_no_ecn(tmp_path: Path) -> None:
    """tcp_check_req(): the request has what the first SYN asked for, and its SYN-ACK was lost."""
    again = f"+1 < S 0:0(0) win 64240 {OPTIONS}\n+0 > SE. 0:0(0) ack 1 win 65160 {OPTIONS}\n"
    first, second, last = ECN.strip().splitlines()
    text = f"{first}\n{second}\n{again}{last}\n+0 > P. 1:101(100) ack 1 win 502\n+0.01 < E. 1:1(0) ack 101 win 600\n"
    found = predicted(tmp_path, text, host=build.DST4)
    assert exact(found, "TCPDeliveredCE") == exact(found, "TCPDelivered") == 1


@pytest.mark.parametrize(("gap", "least"), [("0.000005", 2), ("0.01", 4)])
def test_repeats_that_were_joined_to_an_ack_that_advances(tmp_path: Path, gap: str, least: int) -> None:
    """tcp_add_backlog(): the socket was in use, and what is left of the three ACKs is one that is no duplicate; SACK tells anyway."""
    sent = "".join(f"+0 < P. {at}:{at + 100}(100) ack 1 win 600\n" for at in (1, 101, 201, 301))
    acks = "+0.01 > . 1:1(0) ack 101 win 65160\n" + f"+{gap} > . 1:1(0) ack 101 win 65160\n" * 2
    text = f"{NO_SACK}{sent}{acks}".replace("wscale 7", "wscale 0")
    assert predicted(tmp_path, text)["TCPDelivered"] == (4, least, 4)


@pytest.mark.parametrize(("gap", "least"), [("0.000005", 1), ("0.01", 2)])
def test_a_dsack_that_the_network_doubles_reports_again(tmp_path: Path, gap: str, least: int) -> None:
    """tcp_check_dsack() sees both, unless the second was joined to the first."""
    options = "<nop,nop,TS val 90 ecr 20,nop,nop,sack 1:101>"
    text = f"""{OPENING}
    +0.01 < P. 1:101(100) ack 1 win 502 <nop,nop,TS val 20 ecr 5>
    +0.01 > .  1:1(0) ack 101 win 600 <nop,nop,TS val 80 ecr 20>
    +0.01 > .  1:1(0) ack 101 win 600 {options}
    +{gap} > .  1:1(0) ack 101 win 600 {options}
    """
    assert predicted(tmp_path, text)["TCPDSACKRecv"] == (2, least, 2)


STEADY = f"""{OPENING}
+0.01 < P. 1:101(100) ack 1 win 502
+0.01 > .  1:1(0) ack 101 win 600
+0.01 < P. 101:201(100) ack 1 win 502
+0.01 > .  1:1(0) ack 201 win 600
"""


def test_the_fast_path_needs_the_window_of_before(tmp_path: Path) -> None:
    """tcp_rcv_established(): the first ACK brings another window than the SYN-ACK."""
    found = predicted(tmp_path, STEADY)
    assert (exact(found, "TCPPureAcks"), exact(found, "TCPHPAcks"), exact(found, SUM)) == (1, 1, 2)


def test_a_fin_with_the_last_data_was_queued_who_knows_when(tmp_path: Path) -> None:
    """tcp_close(): no ACK since takes the fast path. One on its own, with nothing before it, was queued just then."""
    early = predicted(tmp_path, f"{STEADY}+0.01 < FP. 201:301(100) ack 1 win 502\n")
    assert (early["TCPPureAcks"], early["TCPHPAcks"]) == ((1, 1, 2), (1, 0, 1))
    assert exact(early, SUM) == 2
    late = predicted(tmp_path, f"{STEADY}+0.01 < F. 201:201(0) ack 1 win 502\n")
    assert (exact(late, "TCPPureAcks"), exact(late, "TCPHPAcks")) == (1, 1)


def test_a_fin_that_is_never_sent(tmp_path: Path) -> None:
    """A reset comes while data is outstanding, or the window has no room for more: a FIN may have waited behind what never left."""
    for last in ("+0.01 < P. 201:301(100) ack 1 win 502", "+0.01 > . 1:1(0) ack 201 win 0"):
        found = predicted(tmp_path, f"{STEADY}{last}\n+0.2 > R. 1:1(0) ack 201 win 0\n")
        assert found["TCPHPAcks"] == (1, 0, 1)
        amount, least, most = found["TCPPureAcks"]
        assert (least, most) == (amount, amount + 1)
        assert found["TcpEstabResets"] == (1, 0, 1)
        exact(found, SUM)
    found = predicted(tmp_path, f"{STEADY}+0.2 > R. 1:1(0) ack 201 win 0\n")
    assert (exact(found, "TCPHPAcks"), exact(found, "TcpEstabResets")) == (1, 1)


def test_a_fin_that_may_wait_when_the_capture_ends(tmp_path: Path) -> None:
    """Nobody knows what the application has done with data outstanding; with all acknowledged it has closed nothing."""
    assert predicted(tmp_path, f"{STEADY}+0.01 < P. 201:301(100) ack 1 win 502\n")["TCPHPAcks"] == (1, 0, 1)
    assert exact(predicted(tmp_path, STEADY), "TCPHPAcks") == 1


@pytest.mark.parametrize(("window", "least"), [(502, 1), (3, 0)])
def test_what_follows_a_silence_was_written_then(tmp_path: Path, window: int, least: int) -> None:
    """So the socket was open before; not so into a window that is too small for a segment, which a timer fills."""
    text = f"{STEADY}+0.01 < P. 201:301(100) ack 1 win 502\n+0.01 > . 1:1(0) ack 301 win {window}\n"
    found = predicted(tmp_path, f"{text}+0.5 < P. 301:401(100) ack 1 win 502\n+0.01 > R. 1:1(0) ack 301 win 0\n")
    assert found["TCPHPAcks"] == (1, least, 1)


def test_data_may_take_the_fast_path(tmp_path: Path) -> None:
    """Whether there is memory at hand for it is in no packet."""
    found = predicted(tmp_path, f"{STEADY}+0 < P. 201:301(100) ack 1 win 502\n+0.01 > P. 1:11(10) ack 301 win 600\n")
    assert found[SUM] == (3, 2, 3)
    assert exact(found, "TCPDelivered") == 4


def test_a_client_that_has_given_up_delivers_nothing(tmp_path: Path) -> None:
    """The SYN-ACK is answered with a reset that has no ACK: it found no socket."""
    opening = OPENING.splitlines()
    text = "\n".join([*opening[:3], "+0 < R 1:1(0) win 0"])
    assert exact(predicted(tmp_path, text), "TCPDelivered") == 0


def test_a_listener_that_is_full_takes_no_ack(tmp_path: Path) -> None:
    """tcp_check_req(): it repeats the SYN-ACK, so that the ACK before was not counted; the one after is."""
    text = f"{OPENING}+1 > S. 0:0(0) ack 1 win 65160 {OPTIONS}\n"
    assert exact(predicted(tmp_path, OPENING, build.DST4), SUM) == 1
    assert exact(predicted(tmp_path, text, build.DST4), SUM) == 0
    assert exact(predicted(tmp_path, f"{text}+0.01 < . 1:1(0) ack 1 win 502\n", build.DST4), SUM) == 1


def test_a_connection_from_before_the_capture_gives_ranges(tmp_path: Path) -> None:
    """What was outstanding then, and whether the ACKs take the fast path, is unknown; what was captured is not."""
    text = """
    +0    < P. 1000:1100(100) ack 1 win 502
    +0.01 > .  1:1(0) ack 1000 win 600
    +0    > .  1:1(0) ack 1100 win 600
    """
    found = predicted(tmp_path, text)
    assert exact(found, SUM) == 2
    assert found["TCPHPAcks"][1:] == (0, 2)
    amount, least, most = found["TCPDelivered"]
    assert least == 1 <= amount < most


class Plain:
    """The retransmission queue as a list of segments: [end, whether it was reported by SACK]."""

    def __init__(self) -> None:
        self.segments: list[list[int]] = []

    def acknowledge(self, ack: int) -> tuple[int, int]:
        """How many are acknowledged, and how many of them were not reported."""
        gone = [each for each in self.segments if each[0] <= ack]
        self.segments = self.segments[len(gone) :]
        return len(gone), sum(not reported for _, reported in gone)

    def sacked(self, edges: list[int], left: int, right: int) -> int:
        """How many are reported for the first time."""
        starts = dict(zip(edges[1:], edges, strict=False))
        fresh = [each for each in self.segments if not each[1] and left <= starts[each[0]] and each[0] <= right]
        for each in fresh:
            each[1] = 1
        return len(fresh)


@pytest.mark.parametrize("seed", range(40))
def test_the_queue_counts_as_a_list_of_segments_does(seed: int) -> None:
    """Segments of many sizes, cut, acknowledged and reported at their edges; nothing of the pool is lost in the end."""
    random = Random(seed)
    pool = np.zeros(1024, PIECE)
    own, plain = np.zeros(1, DELIVERY)[0], Plain()
    base = 0xFFFFFFFF - random.randrange(3000)
    edges, una = [0], 0
    own["snd_una"][0] = base
    for _ in range(300):
        action = random.random()
        if action < 0.5:
            size = random.choice([100, 100, 1460])
            count = random.randrange(1, 6) if size == 1460 else 1
            last = random.randrange(1, size + 1) if random.random() < 0.3 else size
            for length in [size] * (count - 1) + [last]:
                edges.append(edges[-1] + length)
                plain.segments.append([edges[-1], 0])
            start = edges[-1 - count]
            queue(pool, own, 0, base + start & 0xFFFFFFFF, base + edges[-1] & 0xFFFFFFFF, size, 0)
        elif action < 0.75:
            una = random.choice([edge for edge in edges if edge >= una][:8])
            own["snd_una"][0] = base + una & 0xFFFFFFFF
            assert acknowledge(pool, own, 0, base + una & 0xFFFFFFFF) == plain.acknowledge(una)
        else:
            beyond = [edge for edge in edges if edge > una]
            if len(beyond) > 1:
                left, right = sorted(random.sample(beyond, 2))
                fresh = sacked(pool, own, 0, base + left & 0xFFFFFFFF, base + right & 0xFFFFFFFF)
                assert fresh == plain.sacked(edges, left, right)
        assert own["packets_out"][0] == len(plain.segments)
    used = int(pool[0]["count"])
    forget(pool, own, 0)
    assert own["pieces"][0] == own["packets_out"][0] == 0
    free, at = 0, int(pool[0]["next"])
    while at:
        free, at = free + 1, int(pool[at]["next"])
    assert free == max(0, used - 1)


def test_a_pool_without_room_counts_on() -> None:
    """What does not fit becomes part of the last piece."""
    pool, own = np.zeros(16, PIECE), np.zeros(1, DELIVERY)[0]
    for number in range(100):
        size = 10 + number % 7
        start = int(own["snd_nxt"][0])
        queue(pool, own, 0, start, start + size, 1460, 0)
        own["snd_nxt"][0] = start + size
    again(pool, own, 0, 0, 500, 1460, 0)
    assert own["packets_out"][0] == 100
    assert own["pieces"][0] < 16
    assert acknowledge(pool, own, 0, int(own["snd_nxt"][0]))[0] == 100


def test_the_sum_of_two_counters_is_compared() -> None:
    """As one row, lower by as many as the kernel says it has merged before."""
    comparison = analyze(SAMPLES / "reorder-duplicate" / "client").comparison
    assert comparison is not None
    rows = {each.counter: each for each in comparison.whole()}
    name = f"TcpExt{SUM}"
    (other, fewer, _), *_ = BY_OTHERS[name]
    merged = rows[other].observed
    assert rows[name].observed == rows["TcpExtTCPPureAcks"].observed + rows["TcpExtTCPHPAcks"].observed
    assert merged
    assert rows[name].low <= rows[name].predicted - fewer * merged
    assert rows[name].verdict == 0
    (told,) = (
        analyze(SAMPLES / "reorder-duplicate" / "client").counters_whole.query("counter == @name").to_dict("records")
    )
    assert (told["observed"], told["verdict"]) == (rows[name].observed, "agree")
