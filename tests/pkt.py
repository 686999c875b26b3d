"""Captures written as text, in packetdrill's notation, with what is expected of each frame on its line.

    --- A sentence begins a scenario: a capture of its own
    isn client 4294967000 server 12345
    // `<` is from the client, `>` from the server; times are relative to the line before
    +0      < S  0:0(0)         win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
    +0.0001 > S. 0:0(0)   ack 1 win 64240 <mss 1460,nop,nop,sackOK,nop,wscale 7>
    +0.010  < P. 1:11(10) ack 1 win 502 [id 7, ttl 63]                             # expect: -

Numbers count from the ISN of their sender; as the SYN takes one, data begins at 1. `win` is the field of the header.
Flags are S F R P U, `.` for ACK, E for ECE, W for CWR, `-` for none. Options: `mss N`, `wscale N`, `sackOK`, `nop`,
`TS val N ecr N`, `sack 1:2 5:9`, `FO` with a cookie or without. In brackets: `id N` (else each direction counts its
own; 0 is none), `ttl N`, `check N` (of TCP; else it is right), `tos N` or `ect0`, `ect1`, `ce`, `vlan N`, `interface N`,
`in`, `out`, `cut N` (bytes that were captured of the frame); `vxlan N` puts the packet into a VXLAN tunnel between two nodes, with the outer UDP checksum N. Lines of their
own, for the frames that follow: `ipv6`; `isn client N server N`; `at client_port N`, `at server_port N`, `at src_ip ADDRESS`,
`at dst_ip ADDRESS`.

`# expect:` names all events of the frame: `kind`, `kind(cause)` where a kind has causes, `[value]`, `@related_frame`,
`+since_ns`, or `-` for none; it may stand on a line of its own below the frame. Frames count from 1. A line without it is not
compared.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from analyzer.errors import TcpcapError, suggest
from analyzer.kinds import KINDS, NAMES, NUMBER
from tests import build

START_NS = 1_763_660_000_000_000_000
ISN = (3_000_000_000, 1_500_000_000)
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, ".": 16, "U": 32, "E": 64, "W": 128}
TOS = {"ect1": "1", "ect0": "2", "ce": "3"}
CAPTURED = {"in": 1, "out": 2}
NODES = ("10.0.0.1", "10.0.0.2")  # where a VXLAN tunnel begins and ends
PARTS = (
    ("time", r"[+-]\d+(?:\.\d{1,9})?", "a time such as +0.010"),
    ("way", r"[<>]", "< (from the client) or > (from the server)"),
    ("flags", r"[SFRP.UEW]+|-", "flags such as S, S., P., F., R or -"),
    ("numbers", r"(\d+):(\d+)\((\d+)\)", "sequence numbers such as 1:101(100)"),
    ("ack", r"ack (\d+)", ""),
    ("win", r"win (\d+)", "a window such as win 502"),
    ("options", r"<([^>]*)>", ""),
    ("fields", r"\[([^\]]*)\]", ""),
    ("expect", r"# expect: *(.*)", ""),
)
EVENT = re.compile(
    r"(?P<kind>\w+)(?:\((?P<cause>\w+)\))?(?:\[(?P<value>-?[\d_]+)\])?(?:@(?P<related>\d+))?(?:\+(?P<since>[\d_]+))?"
)


class ScriptError(TcpcapError):
    """A line that is not in the notation."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One event; None where the line does not say it."""

    kind: str
    cause: str
    value: int | None
    related_frame: int | None
    since_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One frame; `expected` is None where the line is not compared."""

    number: int
    text: str
    time_ns: int
    direction: int
    frame: bytes
    interface: int
    captured: int | None
    cut: int | None
    expected: tuple[Expected, ...] | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One capture."""

    title: str
    number: int
    lines: list[Line]

    def write(self, path: Path) -> Path:
        """As pcapng with nanoseconds and as many interfaces as the lines name."""
        count = 1 + max((line.interface for line in self.lines), default=0)
        blocks = [build.shb(), *(build.idb(resolution=9, name=f"eth{number}") for number in range(count))]
        for line in self.lines:
            data, whole = line.frame[: line.cut], len(line.frame)
            blocks.append(
                build.epb(data, interface=line.interface, ticks=line.time_ns, flags=line.captured, length=whole)
            )
        path.write_bytes(build.pcapng(*blocks))
        return path

    def expects(self, kind: str) -> bool:
        """Is the kind expected on any line."""
        return any(event.kind == kind for line in self.lines for event in line.expected or ())


@dataclass(frozen=True, slots=True)
class Setting:
    """What lines of their own change for the frames that follow: pairs are client, server."""

    isn: tuple[int, int]
    version: int = 4
    address: tuple[str, str] = (build.SRC4, build.DST4)
    port: tuple[int, int] = (40000, 80)


def read(path: Path, isn: tuple[int, int] = ISN) -> list[Scenario]:
    """The scenarios of a file."""
    return parse(path.read_text(), path.name, isn)


def parse(text: str, name: str, isn: tuple[int, int] = ISN) -> list[Scenario]:
    """The scenarios of a text; `isn` where they name none themselves."""
    scenarios: list[Scenario] = []
    setting, time_ns, ids = Setting(isn), START_NS, [1000, 30000]
    for number, line in whole_lines(text):
        where = f"{name}:{number}"
        if line.startswith("---") or not scenarios:
            scenarios.append(Scenario(line.lstrip("- ") if line.startswith("---") else "", number, []))
            setting, time_ns, ids = Setting(isn), START_NS, [1000, 30000]
            if line.startswith("---"):
                continue
        if line[0] not in "+-":
            setting = changed(setting, line, where)
            continue
        parts = split(line, where)
        time_ns += int(Decimal(parts["time"][0]) * 10**9)
        direction = "<>".index(parts["way"][0])
        fields = fields_of(parts["fields"][0] if "fields" in parts else "", where)
        fields.setdefault("id", ids[direction])
        ids[direction] += 1
        try:
            frame = frame_of(parts, direction, fields, setting, where)
        except (struct.error, ValueError) as error:
            raise ScriptError(where, str(error), "needed are numbers and addresses that fit their fields") from error
        expected = events_of(parts["expect"][0], where) if "expect" in parts else None
        place = (fields.get("interface", 0), fields.get("captured"), fields.get("cut"))
        scenarios[-1].lines.append(Line(number, line, time_ns, direction, frame, place[0] or 0, *place[1:], expected))
    return scenarios


def whole_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, without comments; an expectation on a line of its own belongs to the line above."""
    lines: list[tuple[int, str]] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("# expect:") and lines:
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line}")
        elif line and not line.startswith("//"):
            lines.append((number, line))
    yield from lines


def split(line: str, where: str) -> dict[str, tuple[str, ...]]:
    """The parts of a line, in their order."""
    found, at = {}, 0
    for name, pattern, needed in PARTS:
        match = re.compile(rf"(?:{pattern})(?= |$)").match(line, at)
        if match:
            found[name] = match.groups() or (match[0],)
            at = match.end() + len(line[match.end() :]) - len(line[match.end() :].lstrip())
        elif needed:
            raise ScriptError(where, f"{line[at:]!r} at column {at + 1}", f"needed is {needed}")
    if at < len(line):
        needed = "ack N, win N, <options>, [fields] and # expect:, in this order"
        raise ScriptError(where, f"{line[at:]!r} at column {at + 1}", f"a line goes on with {needed}")
    return found


def number_of(word: str, where: str) -> int:
    """A number, decimal."""
    if not word.isdecimal():
        raise ScriptError(where, f"{word!r}", "needed is a number")
    return int(word)


def changed(setting: Setting, line: str, where: str) -> Setting:
    """The setting after a line of its own."""
    match line.split():
        case ["ipv6"]:
            return replace(setting, version=6, address=(build.SRC6, build.DST6))
        case ["isn", "client", client, "server", server]:
            return replace(setting, isn=(number_of(client, where), number_of(server, where)))
        case ["at", "client_port", port]:
            return replace(setting, port=(number_of(port, where), setting.port[1]))
        case ["at", "server_port", port]:
            return replace(setting, port=(setting.port[0], number_of(port, where)))
        case ["at", "src_ip", address]:
            return replace(setting, address=(address, setting.address[1]))
        case ["at", "dst_ip", address]:
            return replace(setting, address=(setting.address[0], address))
    raise ScriptError(where, f"{line!r}", "needed is a frame (+TIME ...), ipv6, isn, at, // or ---")


def fields_of(text: str, where: str) -> dict[str, int]:
    """What stands in brackets: IP header and place of the capture."""
    fields: dict[str, int] = {}
    for word in filter(None, (item.strip() for item in text.split(","))):
        match word.split():
            case [("id" | "ttl" | "check" | "vlan" | "vxlan" | "interface" | "cut") as name, value]:
                fields[name] = number_of(value, where)
            case ["tos", value]:
                fields["tos"] = number_of(TOS.get(value, value), where)
            case [("in" | "out") as side]:
                fields["captured"] = CAPTURED[side]
            case _:
                known = "id N, ttl N, tos N, check N, vlan N, vxlan N, interface N, cut N, in, out"
                raise ScriptError(where, f"[{word}]", f"known are {known}")
    return fields


def options_of(text: str, other: int, where: str) -> bytes:
    """TCP options; `other` is the ISN that SACK blocks count from."""
    encoded = b""
    for word in filter(None, (item.strip() for item in text.split(","))):
        match word.split():
            case ["mss", value]:
                encoded += build.mss(number_of(value, where))
            case ["wscale", value]:
                encoded += build.window_scale(number_of(value, where))
            case ["sackOK"]:
                encoded += build.SACK_PERMITTED
            case ["nop"]:
                encoded += build.NOP
            case ["TS", "val", value, "ecr", echo]:
                encoded += build.timestamps(number_of(value, where), number_of(echo, where))
            case ["sack", *blocks] if blocks and all(re.fullmatch(r"\d+:\d+", block) for block in blocks):
                edges = (int(edge) + other for block in blocks for edge in block.split(":"))
                encoded += build.sack(*(edge % 2**32 for edge in edges))
            case ["FO", *cookie] if re.fullmatch(r"(?:[0-9a-f]{2})*", "".join(cookie)):
                encoded += build.fast_open(bytes.fromhex("".join(cookie)))
            case _:
                known = "mss N, wscale N, sackOK, nop, TS val N ecr N, sack L:R, FO HEX"
                raise ScriptError(where, f"<{word}>", f"known are {known}")
    return encoded


def frame_of(
    parts: dict[str, tuple[str, ...]], direction: int, fields: dict[str, int], setting: Setting, where: str
) -> bytes:
    """The frame of a line."""
    start, end, size = (int(word) for word in parts["numbers"])
    if end - start != size:
        raise ScriptError(where, f"{start}:{end}({size})", f"needed is {start}:{start + size}({size})")
    letters = parts["flags"][0].strip("-")
    if ("." in letters) != ("ack" in parts):
        raise ScriptError(where, f"flags {letters!r}", "needed is ack N with the flag `.`, and only with it")
    own, other = setting.isn[direction], setting.isn[1 - direction]
    between = setting.address[:: 1 - 2 * direction]
    ports = setting.port[:: 1 - 2 * direction]
    segment = build.tcp(
        bytes(size),
        src_port=ports[0],
        dst_port=ports[1],
        seq=(own + start) % 2**32,
        ack=(other + int(parts["ack"][0])) % 2**32 if "ack" in parts else 0,
        flags=sum(FLAGS[letter] for letter in set(letters)),
        window=int(parts["win"][0]),
        options=options_of(parts["options"][0] if "options" in parts else "", other, where),
        between=(between[0], between[1]),
        check=fields.get("check"),
    )
    ttl, tos = fields.get("ttl", 64), fields.get("tos", 0)
    if setting.version == 6:
        packet = build.ipv6(segment, src=between[0], dst=between[1], hop_limit=ttl, traffic_class=tos)
    else:
        packet = build.ipv4(segment, src=between[0], dst=between[1], ttl=ttl, tos=tos, ident=fields["id"])
    kind = build.IPV6 if setting.version == 6 else build.IPV4
    if "vxlan" in fields:
        inner = build.vxlan(build.ethernet(packet, kind))
        outer = NODES[:: 1 - 2 * direction]
        datagram = build.udp(inner, dst_port=4789, check=fields["vxlan"], between=(outer[0], outer[1]))
        packet, kind = build.ipv4(datagram, build.UDP, src=outer[0], dst=outer[1]), build.IPV4
    if "vlan" in fields:
        packet, kind = build.vlan(packet, kind, vid=fields["vlan"]), build.VLAN
    macs = (build.MAC_A, build.MAC_B)[:: 1 - 2 * direction]
    return build.ethernet(packet, kind, src=macs[0], dst=macs[1])


def events_of(text: str, where: str) -> tuple[Expected, ...]:
    """What stands behind `# expect:`."""
    words = text.split()
    if not words:
        raise ScriptError(where, "nothing behind # expect:", "needed are events, or - for none")
    return () if words == ["-"] else tuple(event_of(word, where) for word in words)


def event_of(word: str, where: str) -> Expected:
    """One event; its kind and cause must be declared in `analyzer.kinds`."""
    found = EVENT.fullmatch(word)
    if not found:
        raise ScriptError(where, f"{word!r}", "needed is kind(cause)[value]@related_frame+since_ns")
    kind, cause, value, related = found["kind"], found["cause"] or "", found["value"], found["related"]
    if kind not in NUMBER:
        raise ScriptError(where, f"no kind of event {kind!r}", suggest(kind, list(NAMES)))
    causes = KINDS[NUMBER[kind]].causes
    if cause not in (causes or ("",)):
        needed = f"causes of {kind} are {', '.join(causes)}" if causes else f"{kind} has no causes"
        raise ScriptError(where, f"{word!r}", needed)
    numbers = (None if text is None else int(text) for text in (value, related, found["since"]))
    return Expected(kind, cause, *numbers)
