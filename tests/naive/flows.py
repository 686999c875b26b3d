"""The flow tracker as one reads it aloud: packets are sorted into conversations, then each conversation is looked at.

A packet is a dict with the columns of `PACKETS` as plain values (words as text, bits as a set of words), a flow one
with those columns of `FLOWS` that need no verdict on a packet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

FIN, SYN, RST, ACK = 1, 2, 4, 16
FIRST_TIMER_NS = 10**9  # of a SYN, before anything is known of the way
SHORTEST_TIMER_NS = 2 * 10**8
FAR = 2**30

Packet = dict[str, Any]
Flow = dict[str, Any]


@dataclass
class Conversation:
    """The packets of one flow, and what was there before it."""

    number: int
    previous: int = -1
    since_previous_ns: int = 0
    succeeded: bool = False  # another one took over its addresses and ports
    timed: bool = False  # its handshake is over
    opening: bool = False  # too little was captured to tell how its handshake went on
    packets: list[Packet] = field(default_factory=list)

    @property
    def end_ns(self) -> int:
        """Time of the last packet."""
        return max(packet["time_ns"] for packet in self.packets)


def flows_of(packets: Iterable[Packet], max_flows: int | None = None) -> tuple[list[Flow], list[int]]:
    """All flows of the packets, and the numbers of those that left to make room for others, in the order they left.

    Each packet gets the number of its `flow` (-1 without one) and its `direction`, as known when it was seen.
    """
    every: list[Conversation] = []
    left: list[int] = []
    latest_ns: int | None = None
    handshakes: Handshakes = {}
    there: dict[tuple[object, ...], list[Conversation]] = {}  # those that are followed, by addresses and ports
    for packet in packets:
        latest_ns = packet["time_ns"] if latest_ns is None else max(latest_ns, packet["time_ns"])
        packet["flow"], packet["direction"] = -1, 0
        if not is_followed(packet):
            continue
        key = key_of(packet)
        while max_flows is not None and len(every) - len(left) == max_flows and begins(packet, there.get(key, [])):
            followed = [each for known in there.values() for each in known]
            for gone in sorted(followed, key=worth)[: max(1, max_flows // 4)]:
                there[key_of(gone.packets[0])].remove(gone)
                gone.opening = is_opening(gone.packets, gone.succeeded, latest_ns, handshakes)
                left.append(gone.number)
        known = there.setdefault(key, [])
        if begins(packet, known):
            another = Conversation(len(every))
            if known:
                known[-1].succeeded = True
                another.previous = known[-1].number
                another.since_previous_ns = packet["time_ns"] - known[-1].end_ns
            every.append(another)
            known.append(another)
        conversation = known[-1]
        conversation.packets.append(packet)
        client, _ = client_and_roles(conversation.packets)
        packet["flow"], packet["direction"] = conversation.number, int(sender(packet) != client)
        note_handshake(conversation, handshakes)
    for conversation in every:
        if conversation.number not in left:
            conversation.opening = is_opening(conversation.packets, conversation.succeeded, latest_ns or 0, handshakes)
    return [flow_row(conversation) for conversation in every], left


class Legs:
    """The two sides of a NAT: the same SYN with one of its addresses changed."""

    LONGEST_NS = 10**7

    def __init__(self) -> None:
        self.latest: dict[tuple[object, ...], Packet] = {}
        self.root: dict[int, int] = {}

    def look(self, packet: Packet) -> int | None:
        """The flow that was there first, where the first packet of a flow is its SYN too."""
        if not is_syn(packet):
            return None
        key = tuple(packet[name] for name in ("src_port", "dst_port", "seq", "tsval", "window"))
        other, self.latest[key] = self.latest.get(key), packet
        if other is None or packet["seq"] == 0 or other["ip_id"] != packet["ip_id"]:
            return None
        has_passed = packet["ip_version"] == 4 and packet["ip_id"] and 0 < other["ttl"] - packet["ttl"] <= 8
        if not (packet["tsval"] or has_passed) or not 0 <= packet["time_ns"] - other["time_ns"] <= self.LONGEST_NS:
            return None
        same = [packet[name] == other[name] for name in ("src", "dst")]
        if packet["ip_version"] != other["ip_version"] or sum(same) != 1:
            return None
        self.root[packet["flow"]] = self.root.get(other["flow"], other["flow"])
        return self.root[packet["flow"]]


def key_of(packet: Packet) -> tuple[object, ...]:
    """What the packets of a conversation have in common."""
    return packet["ip_version"], packet["ip_proto"], *ends(packet)


def begins(packet: Packet, known: list[Conversation]) -> bool:
    """Does the packet begin a flow, where those of its addresses and ports are known? The latest is the one that counts."""
    return not known or begins_another(packet, known[-1].packets)


def worth(conversation: Conversation) -> tuple[int, int, int]:
    """Who leaves first: what is over, then handshakes that were never completed; of each the longest idle."""
    packets = conversation.packets
    importance = 2
    if packets[0]["ip_proto"] == 6:
        seen = what_was_seen(packets, client_and_roles(packets)[0])
        if len(seen.fins) == 2 or seen.reset_by is not None or conversation.succeeded:
            importance = 0
        elif seen.opening:
            importance = 1
    return importance, conversation.end_ns, conversation.number


def is_followed(packet: Packet) -> bool:
    """TCP up to its flags, and UDP completely, must have been captured."""
    if packet["ip_proto"] == 6:
        return "tcp" in packet["layers"] and packet["header_len"] >= 20
    return packet["ip_proto"] == 17 and "udp" in packet["layers"] and packet["header_len"] == 8


def ends(packet: Packet) -> list[tuple[str, int]]:
    """Address and port of both ends of the conversation, in an order that is the same both ways."""
    return sorted([(packet["src"], packet["src_port"]), (packet["dst"], packet["dst_port"])])


def sender(packet: Packet) -> int:
    """Which of the ends it comes from; where both are the same, all packets come from end 0 and go to end 1."""
    return ends(packet).index((packet["src"], packet["src_port"]))


def is_syn(packet: Packet) -> bool:
    """The first packet of a handshake."""
    return packet["flags"] & (SYN | ACK) == SYN


def is_syn_ack(packet: Packet) -> bool:
    """The second packet of a handshake."""
    return packet["flags"] & (SYN | ACK) == SYN | ACK


def begins_another(packet: Packet, known: list[Packet]) -> bool:
    """Is this the SYN of another connection than the one that `known` belongs to?"""
    if is_of_another_capture(packet, known):
        return True
    if packet["ip_proto"] != 6 or not is_syn(packet):
        return False
    base = base_sequence(sender(packet), known)
    if base is None:
        return not any(before["flags"] & SYN for before in known)
    return bool(base != packet["seq"])


def is_of_another_capture(packet: Packet, known: list[Packet]) -> bool:
    """Is it earlier by more than an hour? No capture clock goes back that far."""
    return bool(packet["time_ns"] < max(before["time_ns"] for before in known) - 3600 * 10**9)


def base_sequence(end: int, packets: list[Packet]) -> int | None:
    """The number before an end's first byte: that of its last SYN, or one before what was first sent or acknowledged.

    None if the end was neither heard nor answered.
    """
    for packet in reversed(packets):
        if packet["flags"] & SYN and sender(packet) == end:
            return int(packet["seq"])
    for packet in packets:
        if sender(packet) == end:
            return int((packet["seq"] - 1) % 2**32)
        if packet["flags"] & ACK:
            return int((packet["ack"] - 1) % 2**32)
    return None


def flow_row(conversation: Conversation) -> Flow:
    """One row of `FLOWS`, but for the columns that need verdicts."""
    packets = conversation.packets
    first, last = packets[0], packets[-1]
    is_tcp = first["ip_proto"] == 6
    client, roles = client_and_roles(packets)
    times = [packet["time_ns"] for packet in packets]
    seen = what_was_seen(packets, client)
    if is_tcp and outlived(packets):
        seen.reset_by = None
    row = {
        "flow": conversation.number,
        "protocol": "tcp" if is_tcp else "udp",
        "ip_version": first["ip_version"],
        "client": ends(first)[client][0],
        "client_port": ends(first)[client][1],
        "server": ends(first)[1 - client][0],
        "server_port": ends(first)[1 - client][1],
        "roles": roles,
        "start_ns": min(times),
        "end_ns": max(times),
        "first_frame": first["frame"],
        "last_frame": last["frame"],
        "previous": conversation.previous,
        "since_previous_ns": conversation.since_previous_ns,
        "handshake_rtt_ns": handshake_rtt_ns(packets, client) if is_tcp else -1,
        "state": state_of(seen, client, conversation.opening) if is_tcp else "",
        "completeness": completeness_of(seen) if is_tcp else "",
        "history": history_of(packets, client) if is_tcp else "",
    }
    syns = []
    for side, end in (("client", client), ("server", 1 - client)):
        sent = [packet for packet in packets if sender(packet) == end]
        told = [packet for packet in sent if packet["told"] and packet is not first]  # by their first fragments
        row[f"{side}_packets"] = len(sent) - len(told)
        row[f"{side}_bytes"] = sum(packet["length"] + packet["more_len"] for packet in sent)
        row[f"{side}_payload"] = sum(packet["payload_len"] for packet in sent) - sum(
            packet["told_len"] for packet in told
        )
        row[f"{side}_state"] = end_state(end, packets, seen, client) if is_tcp else ""
        # What follows is told of whole TCP headers only.
        whole = [packet for packet in sent if is_tcp and is_whole(packet)]
        segments = [packet for packet in whole if not packet["flags"] & RST]
        syn = syn_of(segments)
        syns.append(syn)
        row[f"{side}_offered"] = syn["options"] if syn else frozenset()
        row[f"{side}_mss"] = syn["mss"] if syn else 0
        row[f"{side}_window_scale"] = syn["window_scale"] if syn and "window_scale" in syn["options"] else -1
        row[f"{side}_largest_segment"] = max([packet["payload_len"] for packet in segments], default=0)
        pauses = [after["time_ns"] - before["time_ns"] for before, after in pairwise(whole)]
        row[f"{side}_idle_longest_ns"] = max([0, *pauses])
    row["agreed"] = frozenset.intersection(*(syn["options"] if syn else frozenset() for syn in syns))
    return row


def is_whole(packet: Packet) -> bool:
    """Is it a TCP segment, as far as it was captured, and no fragment of one?"""
    return packet["stop"] in ("decoded", "truncated") and "fragment" not in packet["layers"]


def syn_of(segments: list[Packet]) -> Packet | None:
    """The SYN of a side whose options count: the one it sent last, or else its first SYN-ACK."""
    answers = [packet for packet in segments if is_syn_ack(packet)]
    return next((packet for packet in reversed(segments) if is_syn(packet)), answers[0] if answers else None)


def client_and_roles(packets: list[Packet]) -> tuple[int, str]:
    """Which end is the client, and how that is known."""
    for packet in packets:
        if packet["ip_proto"] == 6 and packet["flags"] & SYN:
            return sender(packet) if is_syn(packet) else 1 - sender(packet), "handshake"
    first = packets[0]
    servers = [
        is_of_service(*ports)
        for ports in ((first["src_port"], first["dst_port"]), (first["dst_port"], first["src_port"]))
    ]
    if servers == [True, False]:
        return 1 - sender(first), "ports"
    return sender(first), "ports" if servers == [False, True] else "first_packet"


def is_of_service(port: int, other: int) -> bool:
    """Below 1024; but clients of NFS and GlusterFS have a port from 512 to 1023, and these services another."""
    if 512 <= port < 1024 and other in (2049, 24007):
        return False
    return port < 1024 or (port in (2049, 24007) and 512 <= other < 1024)


def acknowledges(packet: Packet, client: int) -> bool:
    """Does the client acknowledge something, after SYN or SYN-ACK?"""
    return sender(packet) == client and packet["flags"] & (SYN | RST | ACK) == ACK


def handshake_rtt_ns(packets: list[Packet], client: int) -> int:
    """From the only SYN to the client's first ACK, which must acknowledge the only SYN-ACK; else -1."""
    for position, packet in enumerate(packets):
        before = packets[:position]
        syns = [earlier for earlier in before if is_syn(earlier)]
        syn_acks = [earlier for earlier in before if is_syn_ack(earlier)]
        if not (syns or syn_acks) or not acknowledges(packet, client):
            continue
        base = base_sequence(1 - client, before)
        if len(syns) == len(syn_acks) == 1 and base is not None and packet["ack"] == (base + 1) % 2**32:
            return max(-1, packet["time_ns"] - syns[0]["time_ns"])
        return -1
    return -1


@dataclass
class Seen:
    """What was captured of a TCP connection."""

    syn: bool = False
    syn_ack: bool = False
    acknowledged: bool = False  # by the client, after one of these
    fins: list[int] = field(default_factory=list)  # the ends that sent one, in order
    reset_by: int | None = None  # the end whose reset killed the connection

    @property
    def opening(self) -> bool:
        """Is the handshake under way?"""
        return (self.syn or self.syn_ack) and not self.acknowledged


def what_was_seen(packets: list[Packet], client: int) -> Seen:
    """Handshake and end of a connection."""
    seen = Seen()
    for number, packet in enumerate(packets):
        if is_syn_ack(packet):  # the server goes on, whatever was reset before
            seen.syn_ack, seen.reset_by = True, None
        elif is_syn(packet):
            seen.syn = True
        elif seen.syn or seen.syn_ack:
            seen.acknowledged = seen.acknowledged or acknowledges(packet, client)
            if seen.syn_ack and not seen.acknowledged and sender(packet) != client:
                seen.acknowledged = shows_handshake(packet, packets[:number])
        if packet["flags"] & FIN and sender(packet) not in seen.fins:
            seen.fins.append(sender(packet))
        if packet["flags"] & RST and len(seen.fins) < 2 and seen.reset_by is None:
            seen.reset_by = sender(packet)
    return seen


def shows_handshake(packet: Packet, before: list[Packet]) -> bool:
    """Does the server, behind its SYN-ACK, send what it sends to a client whose ACK it has got?"""
    server = sender(packet)
    base, other = base_sequence(server, before), base_sequence(1 - server, before)
    if packet["flags"] & (RST | ACK) != ACK or base is None or (packet["seq"] - base) % 2**32 >= FAR:
        return False
    beyond = other is not None and 1 < (packet["ack"] - other) % 2**32 < FAR
    return bool(packet["payload_len"] or packet["flags"] & FIN or beyond)


Handshakes = dict[frozenset[str], int]  # the longest between two addresses, in ns


def note_handshake(conversation: Conversation, handshakes: Handshakes) -> None:
    """If its last packet is the first behind a SYN with which the client acknowledges: how long the handshake took."""
    *before, packet = conversation.packets
    client, _ = client_and_roles(conversation.packets)
    if conversation.timed or packet["ip_proto"] != 6 or not acknowledges(packet, client):
        return
    conversation.timed = any(earlier["flags"] & SYN for earlier in before)
    rtt = handshake_rtt_ns(conversation.packets, client)
    if rtt >= 0:
        pair = frozenset((packet["src"], packet["dst"]))
        handshakes[pair] = max(handshakes.get(pair, 0), rtt)


def is_opening(packets: list[Packet], succeeded: bool, latest_ns: int, handshakes: Handshakes, copies: int = 0) -> bool:
    """Has too little been captured, up to now, to tell how its handshake went on? So many of the packets are `copies`."""
    client, _ = client_and_roles(packets)
    seen = what_was_seen(packets, client)
    if packets[0]["ip_proto"] != 6 or not seen.opening or seen.fins or seen.reset_by is not None or succeeded:
        return False
    syns = [[packet for packet in packets if kind(packet)] for kind in (is_syn, is_syn_ack)]
    if len(syns[1]) == 1 and all(sender(packet) != client for packet in packets):
        return True  # only the server was captured, which asks again if it is not answered
    waits_since = max((sent[0] for sent in syns if sent), key=lambda packet: packets.index(packet))
    rtt = handshakes.get(frozenset((packets[0]["src"], packets[0]["dst"])))
    if not syns[1] and all(packet["flags"] & (FIN | RST | 0xE00) for packet in syns[0]):
        return True  # nobody answers these
    was_asked_twice = len(packets) - copies == 2 and len(packets) == len(syns[0])
    if was_asked_twice and rtt is None and latest_ns - packets[-1]["time_ns"] < FIRST_TIMER_NS:
        return True  # the second may yet have been answered
    timer = FIRST_TIMER_NS if rtt is None else max(rtt + SHORTEST_TIMER_NS, 3 * rtt)
    return bool(latest_ns - waits_since["time_ns"] < timer)


def state_of(seen: Seen, client: int, opening: bool) -> str:
    """How the connection stands; `opening`: nobody can tell how its handshake went on."""
    if seen.reset_by == client:
        return "reset_by_client"
    if seen.reset_by is not None:
        return "reset_by_server" if seen.syn_ack or seen.acknowledged or not seen.syn else "refused"
    if seen.fins:
        return "closed" if len(seen.fins) == 2 else "half_closed"
    if seen.opening:
        return "opening" if opening else "half_open" if seen.syn_ack else "unanswered"
    return "open"


def completeness_of(seen: Seen) -> str:
    """How much of the connection was captured."""
    ended = len(seen.fins) == 2 or seen.reset_by is not None
    if seen.opening:
        return "no_handshake"
    if seen.syn and seen.syn_ack and seen.acknowledged:
        return "complete" if ended else "no_end"
    return "no_beginning" if ended else "middle"


def end_state(end: int, packets: list[Packet], seen: Seen, client: int) -> str:
    """The state of one end by RFC 9293 section 3.3.2."""
    if seen.reset_by is not None:
        return "CLOSED"
    if seen.opening:
        return "SYN-SENT" if end == client else "SYN-RECEIVED" if seen.syn_ack else ""
    other, fins = 1 - end, fins_of(packets)
    if end not in fins:
        return "CLOSE-WAIT" if other in fins else "ESTABLISHED"
    acknowledged = fin_acknowledged(end, fins[end], packets)
    if other not in fins:
        return "FIN-WAIT-2" if acknowledged else "FIN-WAIT-1"
    if next(iter(fins)) == end:
        return "TIME-WAIT" if acknowledged else "CLOSING"
    return "CLOSED" if acknowledged else "LAST-ACK"


def number_behind(packet: Packet) -> int:
    """The sequence number behind the segment; SYN and FIN count as a byte each."""
    return (
        int(packet["seq"] + packet["payload_len"] + bool(packet["flags"] & SYN) + bool(packet["flags"] & FIN)) % 2**32
    )


def fins_of(packets: list[Packet]) -> dict[int, Packet]:
    """Of each end that closed the FIN, in order: it is the end of a stream, so its end has sent nothing beyond it.

    A receiver drops one that lies before what it has received (RFC 9293 section 3.10.7.4): it is of an older connection.
    """
    fins: dict[int, Packet] = {}
    highest: dict[int, int] = {}
    for packet in packets:
        end, behind = sender(packet), number_behind(packet)
        if packet["flags"] & RST:
            continue
        if (behind - highest.setdefault(end, behind)) % 2**32 < 2**31:
            highest[end] = behind
            if packet["flags"] & FIN:
                fins.setdefault(end, packet)
    return fins


def fin_acknowledged(end: int, fin: Packet, packets: list[Packet]) -> bool:
    """Does the other end acknowledge what lies behind the end's FIN?"""
    behind = number_behind(fin)
    answers = [packet for packet in packets if sender(packet) != end and packet["flags"] & (RST | ACK) == ACK]
    return any((packet["ack"] - behind) % 2**32 < 2**31 for packet in answers)


def outlived(packets: list[Packet]) -> bool:
    """Did both ends close in order, so that a reset on the way to that was ignored?"""
    fins = fins_of(packets)
    return len(fins) == 2 and all(fin_acknowledged(end, fin, packets) for end, fin in fins.items())


def history_of(packets: list[Packet], client: int) -> str:
    """A letter for what each side did first: SYN, SYN-ACK, ACK, data, FIN, RST. In upper case by the client."""
    letters: list[str] = []
    for packet in packets:
        if is_whole(packet):
            for letter in letters_of(packet):
                shown = letter.upper() if sender(packet) == client else letter
                letters += [] if shown in letters else [shown]
    return "".join(letters)


def letters_of(packet: Packet) -> str:
    """What one segment is."""
    if packet["flags"] & RST:
        return "r"
    letters = "s" if is_syn(packet) else "h" if is_syn_ack(packet) else ""
    letters += "d" if packet["payload_len"] else ""
    letters += "f" if packet["flags"] & FIN else ""
    return letters or ("a" if packet["flags"] & ACK else "")
