"""One recording of counters written as people log them: a command, the times beside it, what programs put before each line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from analyzer.counters.names import GROUPS, NSTAT_OMITS, group_of
from analyzer.counters.prose import TABLES

SECOND = 10**9
Values = Mapping[str, int]
FEW = ("TcpInSegs", "TcpRetransSegs", "TcpExtTCPTimeouts")


@dataclass(frozen=True)
class Taken:
    """The counters of one moment."""

    time_ns: int
    values: dict[str, int]

    @property
    def date(self) -> datetime:
        """In UTC, to the microsecond."""
        return datetime.fromtimestamp(self.time_ns // 1000 / 1e6, UTC)


# What a command prints of a moment; `before` is the moment before it.


def nstat(values: Values, before: Values, *, flags: str = "") -> str:
    """`nstat` with -a, -z, -j, or without its heading, as grep leaves it."""
    shown = {name: value for name, value in values.items() if name not in NSTAT_OMITS}
    if "a" not in flags:
        shown = {name: value - before.get(name, 0) for name, value in shown.items()}
    if "z" not in flags:
        shown = {name: value for name, value in shown.items() if value}
    if "g" in flags:
        shown = {name: value for name, value in shown.items() if name in FEW}
    if "j" in flags:
        return json.dumps({"kernel": shown}, separators=(",", ":")) + "\n"
    rows = "".join(f"{name:<32}{value:<16}{0.0:6.1f}\n" for name, value in shown.items())
    return rows if "g" in flags else "#kernel\n" + rows


def proc(values: Values, groups: Sequence[str] = GROUPS) -> str:
    """The lines of /proc/net/snmp, netstat and snmp6."""
    text = ""
    for group in groups:
        own = {name.removeprefix(group): value for name, value in values.items() if group_of(name) == group}
        if group.endswith("6"):
            text += "".join(f"{group + name:<32}\t{value}\n" for name, value in own.items())
        elif own:
            text += f"{group}: {' '.join(own)}\n{group}: {' '.join(map(str, own.values()))}\n"
    return text


SNMP = ("Ip", "Icmp", "IcmpMsg", "Tcp", "Udp", "UdpLite")
NETSTAT = ("TcpExt", "IpExt", "MPTcpExt")


def netstat_s(values: Values, *, few: bool = False) -> str:
    """`netstat -s`; or of a few counters the sentences alone, as `grep` leaves them."""
    text = ""
    for group in GROUPS:
        words = {name: sentence for sentence, name in TABLES.get(group, {}).items()}
        own = [name for name in values if group_of(name) == group]
        text += "" if few or group.endswith("6") else f"{group}:\n"
        for name in own:
            sentence = words.get(name.removeprefix(group), f"{name.removeprefix(group)}: #")
            if not group.endswith("6") and not sentence.startswith(("in ", "out ")) and (name in FEW or not few):
                text += f"    {sentence.replace('#', str(values[name]))}\n"
    return text


def exporter(values: Values, stamp: str = "", labels: str = "") -> str:
    """node_exporter's text, with a time behind each sample or without."""
    return "".join(
        f"node_netstat_{group_of(name)}_{name.removeprefix(group_of(name))}{labels} {value}{stamp}\n"
        for name, value in values.items()
        if group_of(name)
    )


# Whole logs.

Command = Callable[[Values, Values], str]
Stamp = Callable[[Taken], str]


def log(rows: Sequence[Taken], command: Command, stamp: Stamp, *, behind: bool = False) -> str:
    """A loop that prints the time and then runs a command, or the other way round."""
    text = ""
    for before, taken in pairwise([rows[0], *rows]):
        printed = command(taken.values, before.values)
        text += printed + stamp(taken) + "\n" if behind else stamp(taken) + "\n" + printed
    return text


def prefixed(rows: Sequence[Taken], command: Command, prefix: Stamp) -> str:
    """The same where another program writes something before each line."""
    return "".join(
        f"{prefix(taken)}{line}\n"
        for before, taken in pairwise([rows[0], *rows])
        for line in command(taken.values, before.values).splitlines()
    )


def jsonl(rows: Sequence[Taken]) -> str:
    """counters.jsonl."""
    return "".join(
        f'{{"time":{taken.time_ns // SECOND}.{taken.time_ns % SECOND:09d},"counters":{json.dumps(taken.values)}}}\n'
        for taken in rows
    )


def prometheus(rows: Sequence[Taken]) -> str:
    """The answer of Prometheus to a query over a range."""
    result = [
        {
            "metric": {"__name__": exporter({name: 0}).split()[0], "instance": "web01:9100"},
            "values": [[taken.time_ns / SECOND, str(taken.values[name])] for taken in rows],
        }
        for name in rows[0].values
        if group_of(name)
    ]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def dump(rows: Sequence[Taken]) -> str:
    """`promtool tsdb dump`: series by series."""
    return "".join(
        f'{{__name__="{exporter({name: 0}).split()[0]}", instance="web01:9100"}} {taken.values[name]}'
        f" {taken.time_ns // 1_000_000}\n"
        for name in rows[0].values
        if group_of(name)
        for taken in rows
    )


def telegraf(rows: Sequence[Taken]) -> str:
    """telegraf's nstat as line protocol, snmp and netstat apart."""
    text = ""
    for taken in rows:
        for which, groups in (("snmp", SNMP), ("netstat", NETSTAT)):
            fields = ",".join(f"{name}={value}i" for name, value in taken.values.items() if group_of(name) in groups)
            text += f"nstat,host=web01,name={which} {fields} {taken.time_ns}\n"
    return text


def docker(rows: Sequence[Taken], command: Command) -> str:
    """The log of docker's json-file driver."""
    return "".join(
        json.dumps({"log": line + "\n", "stream": "stdout", "time": iso(taken) + "Z"}) + "\n"
        for before, taken in pairwise([rows[0], *rows])
        for line in command(taken.values, before.values).splitlines()
    )


def az(values: Values, before: Values) -> str:
    """`nstat -az`"""
    return nstat(values, before, flags="az")


def epoch(taken: Taken) -> str:
    """`date +%s.%N`"""
    return f"{taken.time_ns // SECOND}.{taken.time_ns % SECOND:09d}"


def iso(taken: Taken) -> str:
    """To the microsecond, without a zone."""
    return taken.date.strftime("%Y-%m-%dT%H:%M:%S.%f")


def at(form: str, ahead_h: float = 0) -> Stamp:
    """As strftime prints it in a zone."""
    return lambda taken: (taken.date + timedelta(hours=ahead_h)).strftime(form)


DATES: dict[str, Stamp] = {
    "epoch": epoch,
    "milliseconds": lambda taken: str(taken.time_ns // 1_000_000),
    "date": at("%a %b %d %H:%M:%S UTC %Y"),
    "date in CEST": at("%a %b %d %H:%M:%S CEST %Y", 2),
    "12 hours": at("%a %d %b %Y %I:%M:%S %p UTC"),
    "de": at("Fr %d. Nov %H:%M:%S UTC %Y"),
    "fr": at("ven. %d nov. %Y %H:%M:%S UTC"),
    "es": at("vie %d nov %Y %H:%M:%S CET", 1),
    "it": at("ven %d nov %Y, %H:%M:%S, UTC"),
    "pt": at("sex %d nov %Y %H:%M:%S -03", -3),
    "zh": at("%Y年 %m月 %d日 星期五 %H:%M:%S UTC"),
    "ja": at("%Y年 %m月 %d日 金曜日 %H:%M:%S UTC"),
    "clock": at("%H:%M:%S.%f"),
    "+%T": at("%H:%M:%S"),
    "uptime": at(" %H:%M:%S up 12 days,  3:02,  1 user,  load average: 0.00, 0.01, 0.05"),
    "slashes": at("%m/%d/%Y %H:%M:%S"),
    "dots": at("%d.%m.%Y %H:%M:%S"),
    "colon and milliseconds": lambda taken: taken.date.strftime("%Y-%m-%d %H:%M:%S:") + f"{taken.date:%f}"[:3],
    "offset": at("%Y-%m-%dT%H:%M:%S.%f+05:30", 5.5),
    "host first": at("web01 %a %b %d %H:%M:%S UTC %Y"),
    "round": at("===== iteration 3 at %Y-%m-%d %H:%M:%S ====="),
    "oswatcher": at("zzz ***%a %b %d %H:%M:%S UTC %Y"),
    "day-month-year": at("%d-%b-%Y %H:%M:%S"),
    "of web servers": at("[%d/%b/%Y:%H:%M:%S +0000]"),
    "RFC 2822": at("%a, %d %b %Y %H:%M:%S +0100", 1),
    "watch": at("Every 2.0s: nstat -az      web01: %a %b %d %H:%M:%S %Y"),
    "echoed": at("+ date\n%a %b %d %H:%M:%S UTC %Y\n+ nstat -az"),
    "coloured": lambda taken: f"\x1b[32m{epoch(taken)}\x1b[0m",
    "no zone": at("%Y-%m-%d %H:%M:%S"),
}
"""Times above each snapshot."""

PREFIXES: dict[str, Stamp] = {
    "ts": at("%b %d %H:%M:%S "),
    "ts %.s": lambda taken: f"{epoch(taken)} ",
    "kubectl --timestamps": lambda taken: f"{iso(taken)}789Z ",
    "kubectl --prefix --timestamps": lambda taken: f"[pod/web-7d4b9c6f5-x2x9k/app] {iso(taken)}Z ",
    "CRI": lambda taken: f"{iso(taken)}Z stdout F ",
    "syslog": at("%b %d %H:%M:%S host1 nstat[812]: "),
    "journal": at("%Y-%m-%dT%H:%M:%S+0000 host1 nstat[812]: "),
    "RFC 5424": lambda taken: f"<13>1 {iso(taken)}+00:00 host1 nstat 812 - - ",
    "swarm": lambda taken: f"web.1.x2x9k@node1    | {iso(taken)}Z ",
    "pdsh": lambda taken: f"web01: {epoch(taken)} ",
    "stern": lambda taken: f"web-7d4b9c6f5-x2x9k app {epoch(taken)} ",
    "compose": lambda taken: f"web_1  | {epoch(taken)} ",
    "grep -H": lambda taken: f"{epoch(taken)}:",
    "grep -H of names": at("nstat-%Y%m%d-%H%M%S.txt:"),
    "clock": at("%H:%M:%S "),
}
"""Times before each line."""

COMMANDS: dict[str, Command] = {
    "nstat -az": az,
    "nstat -a": lambda values, before: nstat(values, before, flags="a"),
    "nstat": lambda values, before: nstat(values, before),
    "nstat -z": lambda values, before: nstat(values, before, flags="z"),
    "nstat -aj": lambda values, before: nstat(values, before, flags="aj"),
    "nstat -a | grep": lambda values, before: nstat(values, before, flags="ag"),
    "nstat | grep": lambda values, before: nstat(values, before, flags="g"),
    "netstat -s": lambda values, before: netstat_s(values),
    "netstat -s | grep": lambda values, before: netstat_s(values, few=True),
    "cat /proc/net": lambda values, before: proc(values),
    "grep '' /proc/net": lambda values, before: "".join(
        f"/proc/net/snmp:{line}\n" for line in proc(values, SNMP + NETSTAT).splitlines()
    ),
    "head /proc/net": lambda values, before: (
        f"==> /proc/net/snmp <==\n{proc(values, SNMP)}\n==> /proc/net/netstat <==\n{proc(values, NETSTAT)}"
    ),
    "curl exporter": lambda values, before: exporter(values),
    "two runs": lambda values, before: (
        az({name: values[name] for name in values if group_of(name) == "Tcp"}, {})
        + az({name: values[name] for name in values if group_of(name) != "Tcp"}, {})
    ),
    "awk with commas": lambda values, before: "".join(f"{name},{value}\n" for name, value in values.items()),
    "name=value": lambda values, before: "".join(f"{name}={value}\n" for name, value in values.items()),
    "name: value": lambda values, before: "".join(f"{name}: {value}\n" for name, value in values.items()),
    "quoted": lambda values, before: "".join(f"> {line}\n" for line in az(values, before).splitlines()),
}
"""What is run again and again, with the time above it."""

WHOLE: dict[str, Callable[[Sequence[Taken]], str | bytes]] = {
    "counters.jsonl": jsonl,
    "query_range": prometheus,
    "tsdb dump": dump,
    "telegraf": telegraf,
    "docker": lambda rows: docker(rows, az),
    "exporter with times": lambda rows: "".join(
        exporter(taken.values, f" {taken.time_ns // 1_000_000}") for taken in rows
    ),
    "node_time_seconds": lambda rows: "".join(
        exporter(taken.values) + f"node_time_seconds {taken.time_ns / SECOND:.9e}\n" for taken in rows
    ),
    "date behind": lambda rows: log(rows, az, DATES["date"], behind=True),
    "gzip": lambda rows: gzip.compress(log(rows, az, epoch).encode()),
    "bzip2": lambda rows: bz2.compress(log(rows, az, epoch).encode()),
    "xz": lambda rows: lzma.compress(log(rows, az, epoch).encode()),
    "UTF-16": lambda rows: log(rows, az, epoch).encode("utf-16"),
    "UTF-16 without a mark": lambda rows: log(rows, az, epoch).encode("utf-16-le"),
    "UTF-8 with a mark": lambda rows: log(rows, az, epoch).encode("utf-8-sig"),
    "CRLF": lambda rows: log(rows, az, epoch).replace("\n", "\r\n"),
}
"""Files that are written as a whole."""
