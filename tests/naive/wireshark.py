"""Wireshark's sequence analysis as one reads it aloud: packet after packet, a rule per label.

A packet is a dict with the columns of `PACKETS` as plain values (words as text, bits as a set of words). `me` is the end
that sent it and `other` the one that it was sent to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.naive.flows import ACK, FIN, RST, SYN, Packet, begins_another, ends, is_followed, is_syn, is_syn_ack, sender

ROUND = 2**32
SAID = ROUND - 1  # a count of duplicate ACKs that says: an ACK of data never seen was already reported
FAST_NS = 20_000_000
OUT_OF_ORDER_NS = 3_000_000


@dataclass
class End:
    """What one end of a connection has sent so far. A sequence number of 0 stands for: none yet."""

    next_seq: int = 0  # the byte after the last one
    whole_until: int = 0  # the byte after the last one that has no hole before it
    last_ack: int = 0
    last_ack_ns: int = 0
    next_seq_ns: int = 0  # when next_seq moved
    duplicate_acks: int = 0
    window: int = -1
    window_was_in_syn: bool = False
    window_scale: int | None = None
    may_scale: bool = True
    base: int | None = None  # sequence number before the first byte
    began_with: str = ""
    last_labels: frozenset[str] = frozenset()


@dataclass
class Connection:
    """Both ends, and the time from SYN to the ACK that ends the handshake (0: not known)."""

    reuses_ports: bool
    ends: tuple[End, End] = field(default_factory=lambda: (End(), End()))
    packets: list[Packet] = field(default_factory=list)
    analysed: int = 0
    syn_ns: int = 0
    rtt_ns: int = 0


def labels_of(packets: Iterable[Packet]) -> list[frozenset[str]]:
    """The labels of each packet."""
    latest: dict[tuple[object, ...], Connection] = {}
    found = []
    for packet in packets:
        labels: frozenset[str] = frozenset()
        if packet["ip_proto"] == 6 and is_followed(packet):
            key = (packet["ip_version"], *ends(packet))
            if key not in latest or begins_another(packet, latest[key].packets):
                latest[key] = Connection(reuses_ports=key in latest)
            latest[key].packets.append(packet)
            if is_analysed(packet):
                labels = analyse(packet, latest[key])
        found.append(labels if packet["stop"] == "decoded" else frozenset())
    return found


def is_analysed(packet: Packet) -> bool:
    """A header with an impossible length is not, nor is a fragment; one whose options were cut is, though in silence."""
    return packet["stop"] in ("decoded", "truncated") and "fragment" not in packet["layers"]


def analyse(packet: Packet, connection: Connection) -> frozenset[str]:
    """The labels of the next packet of a connection."""
    me, other = connection.ends[sender(packet)], connection.ends[1 - sender(packet)]
    labels = set()
    if begins_on_used_ports(connection) or answers_with_another_number(packet, me):
        labels.add("reused_ports")
    connection.analysed += 1
    remember_beginning(packet, me, other)
    if is_syn(packet):  # the connection is opened once more: what came behind a hole is forgotten
        me.next_seq = me.whole_until
    if is_zero_window_probe(packet, me, other):
        labels.add("zero_window_probe")
    else:
        rules = {
            "zero_window": is_zero_window(packet),
            "lost_segment": leaves_a_hole(packet, me),
            "keep_alive": is_keep_alive(packet, me),
            "window_full": fills_window(packet, other),
            "window_update": is_window_update(packet, me),
            "zero_window_probe_ack": answers_probe(packet, me, other),
            "keep_alive_ack": answers_keep_alive(packet, me, other),
            "duplicate_ack": is_duplicate_ack(packet, me, other),
        }
        labels |= {word for word, holds in rules.items() if holds}
    count_duplicate_acks(packet, me, labels)
    if acknowledges_unseen(packet, other):
        labels |= report_unseen(other)
    if takes_up_numbers(packet) and "keep_alive" not in labels:
        labels |= how_it_was_sent_before(packet, me, other, connection)
    if "zero_window_probe" not in labels:
        advance(packet, me)
    remember_segment(packet, me, other, frozenset(labels))
    measure_handshake(packet, connection)
    return me.last_labels


# Sequence numbers


def is_after(a: int, b: int) -> bool:
    """Is number `a` after `b`, that is at most half a round ahead?"""
    return 0 < (a - b) % ROUND <= ROUND // 2


def end_of(packet: Packet) -> int:
    """The number after the last byte of payload."""
    return (packet["seq"] + packet["payload_len"]) % ROUND


def end_with_flags(packet: Packet) -> int:
    """The same where SYN or FIN count as a byte; both together count as one."""
    return (end_of(packet) + has(packet, SYN | FIN)) % ROUND


def has(packet: Packet, flags: int) -> bool:
    """Is one of the flags set?"""
    return bool(packet["flags"] & flags)


def is_special(packet: Packet) -> bool:
    """SYN, FIN or RST: nothing is said of its window or its acknowledgment."""
    return has(packet, SYN | FIN | RST)


def takes_up_numbers(packet: Packet) -> bool:
    """Does it carry something that must be acknowledged?"""
    return packet["payload_len"] > 0 or has(packet, SYN | FIN)


# The beginning


def begins_on_used_ports(connection: Connection) -> bool:
    """Reused ports: the first packet of a connection whose addresses and ports another one had before."""
    return connection.reuses_ports and connection.analysed == 0


def answers_with_another_number(packet: Packet, me: End) -> bool:
    """Reused ports: a SYN-ACK with another number than the one this end is known to have begun with."""
    return is_syn_ack(packet) and me.base is not None and me.base != packet["seq"]


def remember_beginning(packet: Packet, me: End, other: End) -> None:
    """The numbers that both ends began with, and whether it was with a SYN or a SYN-ACK."""
    if me.base is None:
        me.base = packet["seq"] if has(packet, SYN) else (packet["seq"] - 1) % ROUND
        me.began_with = "SYN-ACK" if is_syn_ack(packet) else "SYN" if is_syn(packet) else "something else"
    elif is_syn_ack(packet):
        me.base = packet["seq"]
    if other.base is None and has(packet, ACK):
        other.base = (packet["ack"] - 1) % ROUND
        other.began_with = "something else"


def measure_handshake(packet: Packet, connection: Connection) -> None:
    """From the last SYN to the first ACK of either end that is no SYN; it holds from the next packet on."""
    if is_syn(packet):
        connection.syn_ns = packet["time_ns"]
        return
    if connection.syn_ns != 0 and has(packet, ACK) and not has(packet, SYN) and connection.rtt_ns == 0:
        connection.rtt_ns = packet["time_ns"] - connection.syn_ns


# Windows, keep-alives, holes and repeated ACKs


def is_zero_window_probe(packet: Packet, me: End, other: End) -> bool:
    """The next byte, alone, though the other end's window is shut."""
    return packet["payload_len"] == 1 and packet["seq"] == me.next_seq and other.window == 0


def is_zero_window(packet: Packet) -> bool:
    """The window is shut."""
    return packet["window"] == 0 and not is_special(packet)


def leaves_a_hole(packet: Packet, me: End) -> bool:
    """Something before it was not seen."""
    return me.next_seq != 0 and is_after(packet["seq"], me.next_seq) and not has(packet, RST)


def is_keep_alive(packet: Packet, me: End) -> bool:
    """The last byte again, or nothing in its place."""
    last_byte = (me.next_seq - 1) % ROUND
    return packet["payload_len"] <= 1 and packet["seq"] == last_byte and not is_special(packet)


def fills_window(packet: Packet, other: End) -> bool:
    """Its last byte is the last that the other end's window allows; whether windows are scaled must be known."""
    if packet["payload_len"] == 0 or is_special(packet) or (other.may_scale and other.window_scale is None):
        return False
    scale = other.window_scale if other.may_scale and not other.window_was_in_syn else 0
    return end_of(packet) == (other.last_ack + (other.window << (scale or 0))) % ROUND


def says_nothing_new(packet: Packet, me: End) -> bool:
    """Neither payload, nor another sequence number, nor another acknowledgment: at most the window is new."""
    same = packet["seq"] == me.next_seq and packet["ack"] == me.last_ack
    return same and packet["payload_len"] == 0 and not is_special(packet)


def is_window_update(packet: Packet, me: End) -> bool:
    """Nothing is new but the window, which is open."""
    return says_nothing_new(packet, me) and packet["window"] not in (0, me.window)


def answers_probe(packet: Packet, me: End, other: End) -> bool:
    """Nothing is new, the window is still shut, and it had just been probed."""
    still_shut = packet["window"] == me.window == 0
    return says_nothing_new(packet, me) and still_shut and "zero_window_probe" in other.last_labels


def repeats_itself(packet: Packet, me: End) -> bool:
    """Nothing is new, and the window is open."""
    return says_nothing_new(packet, me) and packet["window"] == me.window != 0


def answers_keep_alive(packet: Packet, me: End, other: End) -> bool:
    """It repeats itself because of a keep-alive."""
    return repeats_itself(packet, me) and "keep_alive" in other.last_labels


def is_duplicate_ack(packet: Packet, me: End, other: End) -> bool:
    """It repeats itself for another reason."""
    return repeats_itself(packet, me) and "keep_alive" not in other.last_labels


def count_duplicate_acks(packet: Packet, me: End, labels: set[str]) -> None:
    """How often the present acknowledgment has been repeated."""
    if packet["ack"] != me.last_ack:
        me.duplicate_acks = 0
    elif "duplicate_ack" in labels:
        me.duplicate_acks = 1 if me.duplicate_acks == SAID else me.duplicate_acks + 1


def acknowledges_unseen(packet: Packet, other: End) -> bool:
    """The other end has sent something, but not as much as is acknowledged, or with a hole."""
    return other.whole_until != 0 and is_after(packet["ack"], other.whole_until) and has(packet, ACK)


def report_unseen(other: End) -> set[str]:
    """A hole is reported once; an ACK of what lies beyond all that was sent, until the other end has ACKs to count."""
    if is_after(other.next_seq, other.whole_until):
        other.whole_until = other.next_seq
        return {"ack_lost_segment"}
    reported = other.duplicate_acks != 0
    other.duplicate_acks = SAID
    return set() if reported else {"ack_lost_segment"}


# Sent before


def how_it_was_sent_before(packet: Packet, me: End, other: End, connection: Connection) -> set[str]:
    """The first rule that holds decides."""
    if was_acknowledged(packet, other):
        return {"spurious_retransmission", "retransmission"}
    if not goes_back(packet, me):
        return set()
    if was_asked_for(packet, other):
        return {"fast_retransmission", "retransmission"}
    return {"out_of_order"} if was_overtaken(packet, me, connection) else {"retransmission"}


def was_acknowledged(packet: Packet, other: End) -> bool:
    """Spurious: the other end had acknowledged all of it."""
    return (
        packet["payload_len"] > 0
        and other.last_ack != 0
        and (end_of(packet) == other.last_ack or is_after(other.last_ack, end_of(packet)))
    )


def goes_back(packet: Packet, me: End) -> bool:
    """It begins before the highest number; but data that begins one byte before it follows a window probe."""
    after_probe = packet["payload_len"] > 1 and packet["seq"] == (me.next_seq - 1) % ROUND
    return me.next_seq != 0 and is_after(me.next_seq, packet["seq"]) and not after_probe


def was_asked_for(packet: Packet, other: End) -> bool:
    """Fast: it begins where two duplicate ACKs or more say, the last of them less than 20 ms before."""
    soon = 0 <= packet["time_ns"] - other.last_ack_ns < FAST_NS
    return other.duplicate_acks >= 2 and other.last_ack == packet["seq"] and soon


def was_overtaken(packet: Packet, me: End, connection: Connection) -> bool:
    """Out of order: less than a round-trip time after what came before it, which it does not end with."""
    soon = 0 <= packet["time_ns"] - me.next_seq_ns < (connection.rtt_ns or OUT_OF_ORDER_NS)
    return soon and end_with_flags(packet) != me.next_seq


# What stays of a packet


def advance(packet: Packet, me: End) -> None:
    """The highest number moves, and the highest without a hole if it is met."""
    if me.next_seq == 0 or is_after(end_with_flags(packet), me.next_seq):
        me.next_seq, me.next_seq_ns = end_with_flags(packet), packet["time_ns"]
    if me.whole_until in (0, packet["seq"]):
        me.whole_until = me.next_seq


def remember_segment(packet: Packet, me: End, other: End, labels: frozenset[str]) -> None:
    """Window, acknowledgment and labels of the last segment; windows are scaled if SYN and SYN-ACK both say so."""
    me.window, me.window_was_in_syn = packet["window"], has(packet, SYN)
    me.last_ack, me.last_ack_ns = packet["ack"], packet["time_ns"]
    me.last_labels = labels
    if has(packet, SYN) and "window_scale" not in packet["options"]:
        if me.may_scale and me.window_scale is None:  # one that is known stays
            me.may_scale = other.may_scale = False
    elif has(packet, SYN) and (other.may_scale or not has(packet, ACK)):
        me.may_scale, me.window_scale = True, min(packet["window_scale"], 14)
    elif has(packet, SYN):
        me.may_scale = False
