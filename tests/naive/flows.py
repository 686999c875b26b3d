"""The flow tracker as one reads it aloud: packets are sorted into conversations, then each conversation is looked at.

A packet is a dict with the columns of `PACKETS` as plain values (words as text, bits as a set of words), a flow one
with the columns of `FLOWS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FIN, SYN, RST, ACK = 1, 2, 4, 16

Packet = dict[str, Any]
Flow = dict[str, Any]


def flows_of(packets: Iterable[Packet], max_flows: int | None = None) -> tuple[list[Flow], list[Packet]]:
    """The flows of the packets, and the packets for whose flow there was no room.

    Each packet gets the number of its `flow` (-1 without one) and its `direction`, as known when it was seen.
    """
    conversations: list[list[Packet]] = []
    previous: list[int] = []
    untracked: list[Packet] = []
    latest: dict[tuple[object, ...], int | None] = {}  # None: its flow found no room
    for packet in packets:
        packet["flow"], packet["direction"] = -1, 0
        if not is_followed(packet):
            continue
        key = (packet["ip_version"], packet["ip_proto"], *ends(packet))
        number = latest.get(key)
        if key not in latest or (number is not None and begins_another(packet, conversations[number])):
            if max_flows is None or len(conversations) < max_flows:
                previous.append(-1 if number is None else number)
                number = len(conversations)
                conversations.append([])
            else:
                number = None
            latest[key] = number
        if number is None:
            untracked.append(packet)
            continue
        conversations[number].append(packet)
        client, _ = client_and_roles(conversations[number])
        packet["flow"], packet["direction"] = number, int(sender(packet) != client)
    return [flow_row(number, *each) for number, each in enumerate(zip(conversations, previous, strict=True))], untracked


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
    if packet["ip_proto"] != 6 or not is_syn(packet):
        return False
    base = base_sequence(sender(packet), known)
    if base is None:
        return not any(before["flags"] & SYN for before in known)
    return bool(base != packet["seq"])


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


def flow_row(number: int, packets: list[Packet], previous: int) -> Flow:
    """One row of `FLOWS`."""
    first, last = packets[0], packets[-1]
    is_tcp = first["ip_proto"] == 6
    client, roles = client_and_roles(packets)
    times = [packet["time_ns"] for packet in packets]
    row = {
        "flow": number,
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
        "previous": previous,
        "handshake_rtt_ns": handshake_rtt_ns(packets, client) if is_tcp else -1,
        "state": state_of(packets, client) if is_tcp else "",
    }
    from_client = [packet for packet in packets if sender(packet) == client]
    from_server = [packet for packet in packets if sender(packet) != client]
    for side, sent in (("client", from_client), ("server", from_server)):
        row[f"{side}_packets"] = len(sent)
        row[f"{side}_bytes"] = sum(packet["length"] for packet in sent)
        row[f"{side}_payload"] = sum(packet["payload_len"] for packet in sent)
    return row


def client_and_roles(packets: list[Packet]) -> tuple[int, str]:
    """Which end is the client, and how that is known."""
    for packet in packets:
        if packet["ip_proto"] == 6 and packet["flags"] & SYN:
            return sender(packet) if is_syn(packet) else 1 - sender(packet), "handshake"
    first = packets[0]
    if first["src_port"] < 1024 <= first["dst_port"]:
        return 1 - sender(first), "ports"
    return sender(first), "ports" if first["dst_port"] < 1024 <= first["src_port"] else "first_packet"


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


def state_of(packets: list[Packet], client: int) -> str:
    """How the connection stands after these packets."""
    fins: set[int] = set()
    reset_by: int | None = None
    syn = syn_ack = acknowledged = False
    for packet in packets:
        if is_syn_ack(packet):  # the server goes on, whatever was reset before
            syn_ack, reset_by = True, None
        elif is_syn(packet):
            syn = True
        elif syn or syn_ack:
            acknowledged = acknowledged or acknowledges(packet, client)
        if packet["flags"] & FIN:
            fins.add(sender(packet))
        if packet["flags"] & RST and len(fins) < 2 and reset_by is None:
            reset_by = sender(packet)
    if reset_by == client:
        return "reset_by_client"
    if reset_by is not None:
        return "reset_by_server" if syn_ack or acknowledged or not syn else "refused"
    if fins:
        return "closed" if len(fins) == 2 else "half_closed"
    if syn_ack or syn:
        return "open" if acknowledged else "half_open" if syn_ack else "unanswered"
    return "open"
