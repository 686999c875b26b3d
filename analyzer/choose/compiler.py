"""A tree of the filter language -> a classic BPF program, for the link types that most captures have.

What is compared, and where, is what libpcap compares: the outermost IP header, behind the VLAN tags that the filter names; ports
of first fragments only; behind an IPv6 header no other extension header than a fragment's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import replace

from analyzer.choose.language import Both, Length, Network, Not, Ports, Protocol, Tree, Vlan, parsed
from analyzer.choose.program import (
    ABS,
    ALU,
    AND,
    IND,
    JA,
    JEQ,
    JGE,
    JGT,
    JMP,
    JSET,
    LD,
    LDX,
    LEN,
    MSH,
    RET,
    B,
    H,
    Program,
    W,
    accept_all,
    checked,
)
from analyzer.errors import UsageError
from analyzer.fields import of_fields

IP, ARP, RARP, IP6 = 0x0800, 0x0806, 0x8035, 0x86DD
TAGS = (0x8100, 0x88A8, 0x9100)
NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58, "sctp": 132}
FRAGMENT = 44  # IPv6 header
ETHERNET, RAW, SLL, IPV4, IPV6, SLL2 = 1, 101, 113, 228, 229, 276


@of_fields(frozen=True, slots=True)
class Layout:
    """Where the EtherType and what it is of stand in a frame; `type_at` is -1 where the IP version tells, or all is of `only`."""

    type_at: int
    payload: int
    only: int = 0


LAYOUTS = {
    ETHERNET: Layout(12, 14), SLL: Layout(14, 16), SLL2: Layout(0, 20), RAW: Layout(-1, 0), IPV4: Layout(-1, 0, IP),
    IPV6: Layout(-1, 0, IP6),
}  # fmt: skip


@of_fields(frozen=True, slots=True)
class Test:
    """Loads, then a jump: is what was loaded equal to a value, or greater, ... With no loads it is `known`."""

    loads: tuple[tuple[int, int], ...]
    jump: int = JEQ
    value: int = 0
    known: bool | None = None


@of_fields(frozen=True, slots=True)
class Joined:
    """All of these, or (`every` is false) one of them; or with `denied` not that."""

    parts: tuple[Test | Joined, ...]
    every: bool
    denied: bool = False


Node = Test | Joined


def compiled(text: str, link_type: int) -> Program:
    """The program of a filter for frames of a link type. Raises UsageError where it is not of the common part of the language, or the link type is not of the common ones."""
    if not text.strip():
        return accept_all()
    if link_type not in LAYOUTS:
        raise UsageError(
            "--filter", f"frames of link type {link_type} cannot be filtered without libpcap", "install it"
        )
    node = _Tests(LAYOUTS[link_type], link_type == ETHERNET).of(parsed(text))
    return checked(list(_Assembler(node).instructions()), text)


def _all(*parts: Node) -> Node:
    return Joined(parts, True)


def _any(*parts: Node) -> Node:
    return Joined(parts, False)


class _Tests:
    """Trees of the language -> trees of tests. A VLAN tag moves what stands behind it in the text."""

    def __init__(self, layout: Layout, tagged: bool) -> None:
        self._layout = layout
        self._tagged = tagged

    def of(self, tree: Tree) -> Node:
        if isinstance(tree, Both):
            left = self.of(tree.left)  # before the right: it may move that
            return Joined((left, self.of(tree.right)), tree.word == "and")
        if isinstance(tree, Not):
            return Joined((self.of(tree.part),), True, denied=True)
        if isinstance(tree, Protocol):
            return self._protocol(tree.name)
        if isinstance(tree, Network):
            return self._network(tree)
        if isinstance(tree, Ports):
            return self._ports(tree)
        if isinstance(tree, Vlan):
            return self._vlan(tree.number)
        return self._length(tree)

    def _length(self, tree: Length) -> Node:
        longer = Test(((LD | LEN, 0),), JGT if tree.word == "less" else JGE, tree.length)
        return Joined((longer,), True, denied=tree.word == "less")

    def _type(self, number: int) -> Node:
        """Frames of an EtherType."""
        layout = self._layout
        if layout.only:
            return Test((), known=number == layout.only)
        if layout.type_at >= 0:
            return Test(((LD | ABS | H, layout.type_at),), JEQ, number)
        if number not in (IP, IP6):
            return Test((), known=False)
        return Test(((LD | ABS | B, 0), (ALU | AND, 0xF0)), JEQ, 0x40 if number == IP else 0x60)

    def _field(self, size: int, at: int, value: int, jump: int = JEQ) -> Test:
        """A field so far behind the link layer."""
        return Test(((LD | ABS | size, self._layout.payload + at),), jump, value)

    def _carried(self, number: int, version: int) -> Node:
        """IP packets of a protocol."""
        if version == 4:
            return _all(self._type(IP), self._field(B, 9, number))
        fragment = _all(self._field(B, 6, FRAGMENT), self._field(B, 40, number))
        return _all(self._type(IP6), _any(fragment, self._field(B, 6, number)))

    def _protocol(self, name: str) -> Node:
        if name in ("ip", "ip6", "arp", "rarp"):
            return self._type({"ip": IP, "ip6": IP6, "arp": ARP, "rarp": RARP}[name])
        if name in ("icmp", "icmp6"):
            return self._carried(NUMBERS[name], 4 if name == "icmp" else 6)
        return _any(self._carried(NUMBERS[name], 4), self._carried(NUMBERS[name], 6))

    def _network(self, tree: Network) -> Node:
        network = tree.network
        if isinstance(network, ipaddress.IPv6Network):
            return _all(self._type(IP6), self._sides(tree.side, *(self._address(network, at) for at in (8, 24))))
        places = {"ip": (IP, 12, 16), "arp": (ARP, 14, 24), "rarp": (RARP, 14, 24)}
        wanted = [tree.protocol] if tree.protocol else list(places)
        found = []
        for name in wanted:
            number, source, target = places[name]
            ends = self._sides(tree.side, self._address(network, source), self._address(network, target))
            found.append(_all(self._type(number), ends))
        return _any(*found)

    def _address(self, network: ipaddress.IPv4Network | ipaddress.IPv6Network, at: int) -> Node:
        """A field with an address of the network, a word at a time."""
        words = network.max_prefixlen // 32
        parts = []
        for word in range(words):
            shift = 32 * (words - 1 - word)
            mask, value = (int(each) >> shift & 0xFFFFFFFF for each in (network.netmask, network.network_address))
            test = self._field(W, at + 4 * word, value)
            if mask:
                parts.append(test if mask == 0xFFFFFFFF else replace(test, loads=(*test.loads, (ALU | AND, mask))))
        return Joined(tuple(parts), True)

    def _sides(self, side: str, source: Node, target: Node) -> Node:
        if side in ("src", "dst"):
            return source if side == "src" else target
        return Joined((source, target), side == "src and dst")

    def _ports(self, tree: Ports) -> Node:
        found: list[Node] = []
        for name in [tree.protocol] if tree.protocol else ["tcp", "udp", "sctp"]:
            number = NUMBERS[name]
            fixed = self._sides(tree.side, *(self._port(tree, LD | ABS | H, 40 + at) for at in (0, 2)))
            found.append(_all(self._type(IP6), self._field(B, 6, number), fixed))
            later = self._field(H, 6, 0x1FFF, JSET)
            behind = self._sides(tree.side, *(self._port(tree, LD | IND | H, at) for at in (0, 2)))
            first = Joined((later,), True, denied=True)
            found.append(_all(self._type(IP), self._field(B, 9, number), first, behind))
        return _any(*found)

    def _port(self, tree: Ports, load: int, at: int) -> Node:
        """A field with one of the ports; with IND it stands behind an IPv4 header of any length."""
        payload = self._layout.payload
        loads: tuple[tuple[int, int], ...] = ((load, payload + at),)
        if load & IND:
            loads = ((LDX | MSH | B, payload), *loads)
        if tree.low == tree.high:
            return Test(loads, JEQ, tree.low)
        return _all(Test(loads, JGE, tree.low), Joined((Test(loads, JGT, tree.high),), True, denied=True))

    def _vlan(self, number: int | None) -> Node:
        if not self._tagged:
            raise UsageError("--filter", "vlan is for Ethernet only", "leave it out")
        layout = self._layout
        tag = _any(*(self._type(each) for each in TAGS))
        wanted = Test(((LD | ABS | H, layout.payload), (ALU | AND, 0x0FFF)), JEQ, number or 0)
        self._layout = Layout(layout.type_at + 4, layout.payload + 4)
        return tag if number is None else _all(tag, wanted)


class _Assembler:
    """A tree of tests -> instructions: those of the tests, then `pass` and `do not`. Jumps that may be far are instructions of their own."""

    def __init__(self, node: Node) -> None:
        self._lines: list[tuple[int, int, tuple[int, int]]] = []  # code, k and, of a jump, the labels that it leads to
        self._places: list[int] = []  # of each label, the line that it stands before
        yes, no = self._label(), self._label()
        self._emit(node, yes, no)
        self._places[yes], self._places[no] = len(self._lines), len(self._lines) + 1

    def instructions(self) -> Iterator[tuple[int, int, int, int]]:
        """Code, jt, jf and k of each."""
        starts = [0]
        for code, _, _ in self._lines:
            starts.append(starts[-1] + (3 if code & 7 == JMP and code != JMP | JA else 1))
        starts.append(starts[-1] + 1)
        for at, (code, k, labels) in enumerate(self._lines):
            good, bad = (starts[self._places[label]] for label in labels)
            if code & 7 != JMP:
                yield code, 0, 0, k
            elif code == JMP | JA:
                yield JMP | JA, 0, 0, good - starts[at] - 1
            else:
                yield code, 0, 1, k
                yield JMP | JA, 0, 0, good - starts[at] - 2
                yield JMP | JA, 0, 0, bad - starts[at] - 3
        yield RET, 0, 0, 0x40000
        yield RET, 0, 0, 0

    def _label(self) -> int:
        self._places.append(0)
        return len(self._places) - 1

    def _emit(self, node: Node, yes: int, no: int) -> None:
        """The lines of a node, which go on at one of two labels."""
        if isinstance(node, Test):
            if node.known is not None:
                self._lines.append((JMP | JA, 0, (yes if node.known else no, no)))
                return
            self._lines.extend((code, k, (0, 0)) for code, k in node.loads)
            self._lines.append((JMP | node.jump, node.value, (yes, no)))
            return
        if node.denied:
            yes, no = no, yes
        for part in node.parts[:-1]:
            behind = self._label()
            self._emit(part, *((behind, no) if node.every else (yes, behind)))
            self._places[behind] = len(self._lines)
        if node.parts:
            self._emit(node.parts[-1], yes, no)
        else:
            self._lines.append((JMP | JA, 0, (yes if node.every else no, no)))
