"""Compiled: whose packet it is: the flow that its addresses and ports name, the end that sent it; and a new flow, from its first packet."""

from __future__ import annotations

from typing import Any

from analyzer.accelerate import Int, inline
from analyzer.flows.end_state import BLANK
from analyzer.flows.state import SYN, SYN_ACK, TCP, UDP
from analyzer.tables import PACKETS, ROLES

TCP_SYN, TCP_ACK = 2, 16
BY_PORTS, BY_FIRST = ROLES.index("ports"), ROLES.index("first_packet")
LAYER_TCP, LAYER_UDP = PACKETS.bit("layers", "tcp"), PACKETS.bit("layers", "udp")
WELL_KNOWN = 1024
RESERVED = 512  # clients that may, take a port from here to WELL_KNOWN, to show that they are root (rresvport(3))
NFS, GLUSTER = 2049, 24007  # services that ask for that, and are above it


@inline
def has_flow(row: Any) -> Any:
    """Does the frame belong to a conversation: is it of TCP or UDP, with a whole header?"""
    if row["ip_proto"] == TCP:
        return row["layers"] & LAYER_TCP != 0 and row["header_len"] >= 20
    return row["ip_proto"] == UDP and row["layers"] & LAYER_UDP != 0 and row["header_len"] == 8


@inline
def low_end(row: Any) -> Int:
    """Which end of the flow sent this packet: 0 the low one, 1 the high one."""
    if row["src_hi"] != row["dst_hi"]:
        return 0 if row["src_hi"] < row["dst_hi"] else 1
    if row["src_lo"] != row["dst_lo"]:
        return 0 if row["src_lo"] < row["dst_lo"] else 1
    return 0 if row["src_port"] <= row["dst_port"] else 1


@inline
def same_flow(state: Any, row: Any, end: Int) -> Any:
    """Does the packet, sent by `end`, belong to this flow's tuple?"""
    other = 1 - end
    return (
        state["address_lo"][end] == row["src_lo"]
        and state["address_lo"][other] == row["dst_lo"]
        and state["port"][end] == row["src_port"]
        and state["port"][other] == row["dst_port"]
        and state["address_hi"][end] == row["src_hi"]
        and state["address_hi"][other] == row["dst_hi"]
        and state["protocol"] == row["ip_proto"]
        and state["ip_version"] == row["ip_version"]
    )


@inline
def is_reuse(state: Any, row: Any, end: Int) -> Any:
    """A SYN that begins another connection on the same 4-tuple.

    Its sequence number is not that of the known one; or its sender was not heard before, and no handshake is under way.
    """
    if row["flags"] & (TCP_SYN | TCP_ACK) != TCP_SYN:
        return False
    if state["base_known"][end]:
        return state["base_seq"][end] != row["seq"]
    return state["seen"] & (SYN | SYN_ACK) == 0


@inline
def serves(port: Int, other: Int) -> Any:
    """Is it the port of a service, with this one at the other end?"""
    if RESERVED <= port < WELL_KNOWN and (other == NFS or other == GLUSTER):
        return False
    by_name = (port == NFS or port == GLUSTER) and RESERVED <= other < WELL_KNOWN
    return port < WELL_KNOWN or by_name


@inline
def begin(state: Any, row: Any, end: Int) -> None:
    """A new flow, from its first packet."""
    other = 1 - end
    state["address_hi"][end], state["address_lo"][end] = row["src_hi"], row["src_lo"]
    state["address_hi"][other], state["address_lo"][other] = row["dst_hi"], row["dst_lo"]
    state["port"][end], state["port"][other] = row["src_port"], row["dst_port"]
    state["protocol"], state["ip_version"] = row["ip_proto"], row["ip_version"]
    state["client"] = end
    state["roles"] = BY_FIRST
    if serves(row["src_port"], row["dst_port"]) != serves(row["dst_port"], row["src_port"]):
        state["roles"] = BY_PORTS
        state["client"] = other if serves(row["src_port"], row["dst_port"]) else end
    state["seen"] = 0
    state["start_ns"] = state["end_ns"] = row["time_ns"]
    state["first_frame"] = row["frame"]
    state["syn_ns"] = state["waits_ns"] = 0
    state["rtt_ns"] = -1
    state["pair"] = state["server"] = 0
    state["ends"][0] = state["ends"][1] = BLANK
    state["events"] = 0
    state["judged"] = 0
    state["closer"] = 0
    state["letters"] = state["said"] = 0
    state["syn_copied"] = 0
    state["leg_of"] = state["leg"] = state["leg_place"] = -1
    for i in range(2):
        state["packets"][i] = state["bytes"][i] = state["payload"][i] = 0
        state["base_known"][i] = 0
        state["base_seq"][i] = 0
