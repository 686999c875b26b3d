"""The common part of tcpdump's filter language: text -> a tree of what a frame must be. For where libpcap is not installed.

The grammar is that of pcap-filter(7): `and` and `or` bind alike, from the left; `not` binds first; an address or port without
words before it takes those of the one before.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NoReturn

from analyzer.errors import UsageError
from analyzer.fields import of_fields
from analyzer.patterns import regex

WORDS = ("and", "or", "not", "(", ")")
PROTOCOLS = ("ip", "ip6", "arp", "rarp", "tcp", "udp", "sctp", "icmp", "icmp6")
ADDRESSED = ("host", "net", "port", "portrange")
SIDES = ("src", "dst")
OF_ADDRESSES, OF_PORTS = ("", "ip", "ip6", "arp", "rarp"), ("", "tcp", "udp", "sctp")
LENGTHS = ("less", "greater")
_TOKEN = regex(r"\s*(&&|\|\||[!()]|[^\s!()&|]+)")
_SYMBOLS = {"&&": "and", "||": "or", "!": "not"}
_PARTIAL = regex(r"\d{1,3}(\.\d{1,3}){0,3}")


@of_fields(frozen=True, slots=True)
class Head:
    """The words before an address or a port: protocol, side (`src`, `dst`, `src or dst`, `src and dst`), what it is."""

    protocol: str = ""
    side: str = ""
    kind: str = ""


@of_fields(frozen=True, slots=True)
class Protocol:
    """A frame of this protocol."""

    name: str


@of_fields(frozen=True, slots=True)
class Network:
    """A frame from or to an address of a network; a host is a network of one."""

    protocol: str
    side: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network


@of_fields(frozen=True, slots=True)
class Ports:
    """A frame from or to one of these ports."""

    protocol: str
    side: str
    low: int
    high: int


@of_fields(frozen=True, slots=True)
class Vlan:
    """A frame with a VLAN tag, perhaps of this number; what stands behind it in the filter is about what is in the tag."""

    number: int | None


@of_fields(frozen=True, slots=True)
class Length:
    """A frame that was at most, or at least, so long."""

    word: str
    length: int


@of_fields(frozen=True, slots=True)
class Not:
    """Any frame but these."""

    part: Tree


@of_fields(frozen=True, slots=True)
class Both:
    """`and` or `or`."""

    word: str
    left: Tree
    right: Tree


Tree = Protocol | Network | Ports | Vlan | Length | Not | Both


def parsed(text: str) -> Tree:
    """The tree of a filter that is not empty; a UsageError that says where it is not of this part of the language."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = [_SYMBOLS.get(found, found) for found in _TOKEN.findall(text)]
        self._at = 0
        self._before: Head | None = (
            Head()
        )  # whose words an address or port without any takes; None where nobody has any

    def whole(self) -> Tree:
        found = self._expression()
        if self._at < len(self._tokens):
            self._fail("is not expected")
        return found

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _expression(self) -> Tree:
        found = self._term()
        while self._next() in ("and", "or"):
            found = Both(self._take(), found, self._term())
        return found

    def _term(self) -> Tree:
        word = self._next()
        if word == "not":
            self._take()
            return Not(self._term())
        if word == "(":
            return self._in_parentheses(self._before)
        if word in LENGTHS:
            self._take()
            self._before = None
            return Length(word, self._number(1 << 32))
        if word == "vlan":
            self._take()
            self._before = None
            return Vlan(self._number(4096) if self._next().isdecimal() else None)
        return self._primitive()

    def _in_parentheses(self, before: Head | None) -> Tree:
        self._take()
        found = self._expression()
        if self._next() != ")":
            self._fail("stands where `)` is expected")
        self._take()
        self._before = before
        return found

    def _primitive(self) -> Tree:
        """A protocol; or words and an address or port, or several of these in parentheses."""
        begun = self._at
        protocol = self._take() if self._next() in PROTOCOLS else ""
        side = self._side()
        kind = self._take() if self._next() in ADDRESSED else ""
        if protocol and not side and not kind:
            self._before = None
            return Protocol(protocol)
        if self._at > begun:
            self._before = Head(protocol, side, kind)
        if self._next() == "(" and self._at > begun:
            return self._in_parentheses(self._before)
        return self._identifier()

    def _side(self) -> str:
        if self._next() not in SIDES:
            return ""
        side = self._take()
        other = SIDES[1 - SIDES.index(side)]
        if self._tokens[self._at + 1 : self._at + 2] == [other] and self._next() in ("and", "or"):
            side = f"src {self._take()} dst"
            self._take()
        return side

    def _identifier(self) -> Tree:
        head = self._before
        if head is None or not self._next() or self._next() in WORDS:
            self._fail("stands where an address, a port or a protocol is expected")
        if head.kind in ("port", "portrange"):
            if head.protocol not in OF_PORTS:
                self._fail(f"is no port of {head.protocol}")
            return self._ports(head)
        if head.protocol not in OF_ADDRESSES:
            self._fail(f"is no address of {head.protocol}")
        network = self._network(head)
        if head.protocol and (head.protocol == "ip6") != (network.version == 6):
            self._at -= 1
            self._fail(f"is no address of {head.protocol}")
        return Network(head.protocol, head.side, network)

    def _ports(self, head: Head) -> Ports:
        text = self._next()
        found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (0, 1 << 16)
        if max(low, high) > 0xFFFF or (head.kind == "port" and low != high):
            self._fail("is no port (give its number)")
        self._take()
        return Ports(head.protocol, head.side, min(low, high), max(low, high))

    def _network(self, head: Head) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
        text = self._next()
        try:
            if head.kind != "net":
                return ipaddress.ip_network(ipaddress.ip_address(text))
            address, slash, length = text.partition("/")
            if _PARTIAL.fullmatch(address):  # 10.1 is 10.1.0.0/16
                missing = 3 - address.count(".")
                address, length = address + ".0" * missing, length if slash else str(32 - 8 * missing)
            if self._tokens[self._at + 1 : self._at + 2] == ["mask"] and not slash and len(self._tokens) > self._at + 2:
                length = self._tokens[self._at + 2]
                self._at += 2
            return ipaddress.ip_network(f"{address}/{length}" if length else address)
        except ValueError:
            self._fail("is no network (give its number)" if head.kind == "net" else "is no address (give its number)")
        finally:
            self._at += 1

    def _number(self, below: int) -> int:
        if not self._next().isdecimal() or int(self._next()) >= below:
            self._fail("stands where a number is expected")
        return int(self._take())

    def _fail(self, what: str) -> NoReturn:
        at = min(self._at, len(self._tokens))
        word = f"`{self._tokens[at]}`" if at < len(self._tokens) else "the end"
        todo = "host, net, port, portrange, src, dst, vlan, less, greater and names of protocols are known without libpcap; it knows all of tcpdump's language"  # fmt: skip
        raise UsageError("--filter", f"{self._text!r}: {word} {what}", todo)
