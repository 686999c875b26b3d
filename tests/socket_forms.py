"""One set of sockets, written in every form in which people have them; and what a right reader gives for each form."""

from __future__ import annotations

import bz2
import gzip
import ipaddress
import json
import lzma
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lz4.frame
import zstandard

STATES = {
    "ESTAB": ("ESTABLISHED", 1), "SYN-SENT": ("SYN_SENT", 2), "SYN-RECV": ("SYN_RECV", 3), "FIN-WAIT-1": ("FIN_WAIT1", 4),
    "FIN-WAIT-2": ("FIN_WAIT2", 5), "TIME-WAIT": ("TIME_WAIT", 6), "CLOSE-WAIT": ("CLOSE_WAIT", 8),
    "LAST-ACK": ("LAST_ACK", 9), "LISTEN": ("LISTEN", 10), "CLOSING": ("CLOSING", 11),
}  # fmt: skip
NAMES = ("nginx", "Web Content", "(sd-pam)", 'a"b', 'x",y),(z', "postgres: u db ", "timer:(on,1", "cwnd:5 ts", "ü")
Row = dict[str, Any]


@dataclass
class Made:
    """A socket. `info` has the words of ss in their order, with the columns and values they stand for."""

    state: str
    recv_q: int
    send_q: int
    local: str
    local_port: int
    peer: str
    peer_port: int | None
    processes: list[dict[str, Any]]
    timer: tuple[str, int, int] | None
    uid: int
    inode: int
    cookie: int
    cgroup: str
    skmem: dict[str, int]
    info: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    congestion: str = ""
    mapped: bool = False  # shown as an address of IPv6

    @property
    def listens(self) -> bool:
        return self.state == "LISTEN"


def sockets(seed: int, count: int = 40) -> list[Made]:
    """Sockets of every state, of both families, with words of every kind."""
    rng = random.Random(seed)
    return [_socket(rng, list(STATES)[number % len(STATES)]) for number in range(count)]


def _socket(rng: random.Random, state: str) -> Made:
    six = rng.random() < 0.4
    mapped = not six and rng.random() < 0.2

    def address() -> str:
        if not six:
            return str(ipaddress.IPv4Address(rng.getrandbits(32)))
        short = rng.random() < 0.5
        return str(ipaddress.IPv6Address((0x20010DB8 << 96) | rng.getrandbits(8 if short else 96)))

    listens = state == "LISTEN"
    wild = listens and rng.random() < 0.5
    local = ("::" if six else "0.0.0.0") if wild else address()
    made = Made(
        state,
        rng.choice((0, 0, 1, rng.randrange(1 << 20))),
        rng.choice((0, 128, rng.randrange(1 << 20))),
        local,
        rng.randrange(1, 1 << 16),
        ("::" if six else "0.0.0.0") if listens else address(),
        None if listens else rng.randrange(1, 1 << 16),
        [
            {"name": rng.choice(NAMES), "pid": rng.randrange(1, 1 << 22), "fd": rng.randrange(1 << 10)}
            for _ in range(rng.choice((0, 1, 1, 2)))
        ],
        None if listens or rng.random() < 0.4 else (rng.choice(("on", "keepalive", "timewait", "persist")), _expiry(rng), rng.randrange(16)),
        rng.choice((0, 33, 1000)),
        rng.randrange(1 << 32),
        rng.getrandbits(rng.choice((4, 20, 64))),
        rng.choice(("/", "/system.slice/nginx.service", "unreachable:1")),
        {word: rng.randrange(1 << rng.choice((1, 20, 32))) for word in ("r", "rb", "t", "tb", "f", "w", "o", "bl", "d")},
        mapped=mapped and not wild,
    )  # fmt: skip
    _inform(rng, made)
    return made


def _expiry(rng: random.Random) -> int:
    """A time as ss can write it: milliseconds below 10 s, seconds below 10 min, minutes beyond."""
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randrange(1, 1000)
    if kind == 1:
        return rng.randrange(1000, 10_000)
    if kind == 2:
        return 1000 * rng.randrange(10, 600)
    return 60_000 * rng.randrange(10, 120)


def expiry_text(ms: int, seconds: str) -> str:
    """As `print_ms_timer` does; `seconds` is what it writes behind a fraction: ms up to iproute2 6.1, then sec."""
    minutes, rest = divmod(ms, 60_000)
    whole, part = divmod(rest, 1000)
    text = f"{minutes}min" if minutes else ""
    if minutes:
        part = 0
    if minutes > 9:
        whole = 0
    if whole:
        if whole > 9:
            part = 0
        text += f"{whole}." if part else f"{whole}sec"
    if part:
        text += f"{part:03d}{seconds if whole else 'ms'}"
    return text


def _inform(rng: random.Random, made: Made) -> None:
    """Words of tcp_info; a listener has few of them."""
    if made.state == "TIME-WAIT":
        return
    made.congestion = rng.choice(("cubic", "bbr", "reno", "prague-reno", "dctcp"))
    if made.listens:
        made.info = [("cwnd:10", {"cwnd": 10})]
        return
    made.flags = [flag for flag in ("ts", "sack", "ecn", "ecnseen", "fastopen") if rng.random() < 0.5]
    one, other = rng.randrange(15), rng.randrange(15)
    made.info = [
        (f"wscale:{one},{other}", {"snd_wscale": one, "rcv_wscale": other}),
        _decimal(rng, "rto", "rto_ms"),
    ]
    if rng.random() < 0.3:
        made.info.append(_whole(rng, "backoff", "backoff", 16))
    rtt, variation = _number(rng), _number(rng)
    made.info.append((f"rtt:{rtt}/{variation}", {"rtt_ms": float(rtt), "rttvar_ms": float(variation)}))
    for word in ("mss", "pmtu", "rcvmss", "advmss", "cwnd", "ssthresh"):
        made.info.append(_whole(rng, word, word, 1 << 31))
    for word in ("bytes_sent", "bytes_retrans", "bytes_acked", "bytes_received"):
        made.info.append(_whole(rng, word, word, 1 << 64))
    for word in ("segs_out", "segs_in", "data_segs_out", "data_segs_in"):
        made.info.append(_whole(rng, word, word, 1 << 32))
    made.info.append(_rate(rng, "send"))
    for word in ("lastsnd", "lastrcv", "lastack"):
        made.info.append(_whole(rng, word, f"{word}_ms", 1 << 32))
    made.info += [
        _rate(rng, "pacing_rate"),
        _rate(rng, "delivery_rate"),
        _whole(rng, "delivered", "delivered", 1 << 32),
    ]
    if rng.random() < 0.5:
        made.info.append(("app_limited", {}))
        made.flags.append("app_limited")
    busy, part = rng.randrange(1 << 31), rng.randrange(1 << 20)
    made.info.append((f"busy:{busy}ms", {"busy_ms": busy}))
    made.info.append((f"rwnd_limited:{part}ms({rng.random() * 100:.1f}%)", {"rwnd_limited_ms": part}))
    now, total = rng.randrange(9), rng.randrange(1 << 32)
    made.info.append((f"retrans:{now}/{total}", {"retrans": now, "retrans_total": total}))
    for word in ("unacked", "lost", "sacked", "dsack_dups", "reordering", "reord_seen"):
        if rng.random() < 0.5:
            made.info.append(_whole(rng, word, word, 1 << 32))
    made.info.append(_decimal(rng, "rcv_rtt", "rcv_rtt_ms"))
    for word in ("rcv_space", "rcv_ssthresh", "notsent"):
        made.info.append(_whole(rng, word, word, 1 << 32))
    made.info.append(_decimal(rng, "minrtt", "minrtt_ms"))
    for word in ("rcv_ooopack", "snd_wnd", "rcv_wnd", "rehash"):
        made.info.append(_whole(rng, word, word, 1 << 32))


def _number(rng: random.Random) -> str:
    """As C prints %g."""
    return f"{rng.choice((rng.randrange(1, 10**4), rng.random() * 1000, rng.random() / 10**5, rng.random() * 10**8)):g}"


def _decimal(rng: random.Random, word: str, column: str) -> tuple[str, Row]:
    text = _number(rng)
    return f"{word}:{text}", {column: float(text)}


def _whole(rng: random.Random, word: str, column: str, below: int) -> tuple[str, Row]:
    value = rng.choice((0, below - 1, rng.randrange(below)))
    return f"{word}:{value}", {column: value}


def _rate(rng: random.Random, word: str) -> tuple[str, Row]:
    digits, unit, times = rng.choice(
        (("999", "", 1), ("3.2", "K", 10**3), ("77.0", "M", 10**6), ("38.6", "G", 10**9), ("104772800000", "", 1))
    )
    return f"{word} {digits}{unit}bps", {f"{word}_bps": round(float(digits) * times)}


# What a form shows


def core(made: Made) -> Row:
    """What every list has."""
    row: Row = {
        "netid": "tcp", "state": made.state, "recv_q": made.recv_q, "send_q": made.send_q,
        "local": made.local, "local_port": made.local_port, "peer": made.peer,
    }  # fmt: skip
    if made.peer_port is not None:
        row["peer_port"] = made.peer_port
    if made.listens:
        row["accept_queue"] = made.recv_q
    return row


def of_ss(made: Made) -> Row:
    """What ss shows with all flags."""
    row = core(made)
    if made.listens:
        row["accept_limit"] = made.send_q
    _add_processes(row, made.processes)
    if made.timer:
        row |= dict(zip(("timer", "timer_expires_ms", "timer_retransmissions"), made.timer, strict=True))
    row |= {"uid": made.uid} if made.uid else {}
    row |= {"inode": made.inode, "cookie": f"{made.cookie:x}", "cgroup": made.cgroup, "shutdown": "none"}
    row |= {f"skmem_{word}": value for word, value in made.skmem.items()}
    if made.flags:
        row["flags"] = " ".join(
            sorted(made.flags, key=("ts", "sack", "ecn", "ecnseen", "fastopen", "app_limited").index)
        )
    if made.congestion:
        row["congestion"] = made.congestion
    for _, values in made.info:
        row |= values
    return row


def _add_processes(row: Row, processes: list[dict[str, Any]]) -> None:
    if processes:
        row |= {"process": processes[0]["name"], "pid": processes[0]["pid"], "processes": processes}
        row |= {"fd": processes[0]["fd"]} if "fd" in processes[0] else {}


def of_netstat(made: Made) -> Row:
    """What `netstat -neopaW` shows: no limit of an accept queue, one process, hundredths of a second; spaces fill columns."""
    row = core(made)
    row["send_q"] = 0 if made.listens else made.send_q
    row |= {"uid": made.uid, "inode": made.inode}
    _add_processes(row, [{"name": each["name"].rstrip(), "pid": each["pid"]} for each in made.processes[:1]])
    if made.timer:
        name, ms, again = made.timer
        row |= {"timer": name, "timer_expires_ms": ms // 10 * 10, "timer_retransmissions": again, "timer_probes": 0}
    return row


def of_proc(made: Made) -> Row:
    """What /proc/net/tcp shows."""
    row = of_netstat(made)
    return {name: value for name, value in row.items() if name not in ("process", "pid", "processes", "timer_probes")}


# Writers: each gives the text of all sockets


def _v6(made: Made, address: str) -> str:
    return f"::ffff:{address}" if made.mapped else address


def _bracketed(made: Made, address: str) -> str:
    text = _v6(made, address)
    return f"[{text}]" if ":" in text else text


def _end(made: Made, side: str, bare: bool = False) -> str:
    address, port = (made.local, made.local_port) if side == "local" else (made.peer, made.peer_port)
    text = _v6(made, address) if bare else _bracketed(made, address)
    return f"{text}:{'*' if port is None else port}"


def _users(made: Made, old: bool = False) -> str:
    if not made.processes:
        return ""
    form = '("{name}",{pid},{fd})' if old else '("{name}",pid={pid},fd={fd})'
    return f" users:({','.join(form.format(**each) for each in made.processes)})"


def _behind(made: Made, seconds: str = "sec") -> str:
    timer = ""
    if made.timer:
        timer = f" timer:({made.timer[0]},{expiry_text(made.timer[1], seconds)},{made.timer[2]})"
    uid = f" uid:{made.uid}" if made.uid else ""
    return f"{_users(made)}{timer}{uid} ino:{made.inode} sk:{made.cookie:x} cgroup:{made.cgroup} <->"


def _details(made: Made) -> str:
    skmem = ",".join(f"{word}{value}" for word, value in made.skmem.items())
    words = [f"skmem:({skmem})", *(flag for flag in made.flags if flag != "app_limited"), made.congestion]
    return " ".join(word for word in [*words, *(word for word, _ in made.info)] if word)


def ss_oneline(every: list[Made]) -> str:
    """`ss -tanimoeOH` of 6.1."""
    return "".join(
        f"{made.state:<10} {made.recv_q:<6} {made.send_q:<6} {_end(made, 'local'):>20} {_end(made, 'peer'):>20}{_behind(made, 'ms')} {_details(made)}\n"
        for made in every
    )


def ss_twoline(every: list[Made]) -> str:
    """`ss -tanimoe` of 5.x: a heading whose last columns are glued, two lines a socket."""
    lines = ["State     Recv-Q Send-Q          Local Address:Port   Peer Address:PortProcess                      \n"]
    for made in every:
        lines.append(
            f"{made.state:<9} {made.recv_q:<6} {made.send_q:<6} {_end(made, 'local'):>20} {_end(made, 'peer'):>20}{_behind(made)}\n"
        )
        lines.append(f"\t {_details(made)}\n")
    return "".join(lines)


def ss_mixed(every: list[Made]) -> str:
    """`ss -peaonmi`: other families between, a column for the family."""
    lines = ["Netid  State   Recv-Q  Send-Q   Local Address:Port    Peer Address:Port  \n"]
    for number, made in enumerate(every):
        if number % 5 == 0:
            lines.append('u_dgr  UNCONN  0  0  /run/systemd/notify 11778  * 0  users:(("systemd",pid=1,fd=30)) <->\n')
            lines.append("nl     UNCONN  4352 0  4:5741  *  sk=0 cb=0\n")
        lines.append(
            f"tcp    {made.state:<9} {made.recv_q} {made.send_q} {_end(made, 'local')} {_end(made, 'peer')}{_behind(made)}\n"
        )
        lines.append(f"\t {_details(made)}\n")
    return "".join(lines)


def ss_wrapped(every: list[Made]) -> str:
    """The same, folded by a mail program at 72 columns."""
    import textwrap

    lines = ["State  Recv-Q Send-Q Local Address:Port  Peer Address:Port\n\n"]
    for made in every:
        head = f"{made.state} {made.recv_q} {made.send_q} {_end(made, 'local')} {_end(made, 'peer')}{_behind(made)}"
        lines.append(f"{head}\n")
        lines += [
            f"{line}\n" for line in textwrap.wrap(_details(made), 72, break_long_words=False, break_on_hyphens=False)
        ]
    return "".join(lines)


def ss_old(every: list[Made]) -> str:
    """RHEL 7: IPv6 without brackets, `*` for any port; timer before users."""
    lines = ["State      Recv-Q Send-Q Local Address:Port               Peer Address:Port              \n"]
    for made in every:
        timer = f" timer:({made.timer[0]},{expiry_text(made.timer[1], 'ms')},{made.timer[2]})" if made.timer else ""
        uid = f" uid:{made.uid}" if made.uid else ""
        lines.append(
            f"{made.state:<10} {made.recv_q:<6} {made.send_q:<6} {_end(made, 'local', True):>30} {_end(made, 'peer', True):>30}"
            f"{timer}{_users(made)}{uid} ino:{made.inode} sk:{made.cookie:x} cgroup:{made.cgroup} <->\n"
        )
        lines.append(f"\t {_details(made)}\n")
    return "".join(lines)


def prefixed(text: str, prefix: Callable[[int], str]) -> str:
    """Every line behind something."""
    return "".join(f"{prefix(number)}{line}\n" for number, line in enumerate(text.splitlines()))


def docker(every: list[Made], size: int = 1 << 14) -> str:
    """Docker's json-file log, which cuts lines at 16 kB; two lists, a second apart."""
    lists = [every[: len(every) // 2], every[len(every) // 2 :]]
    return "".join(
        json.dumps({"log": line[at : at + size], "stream": "stdout", "time": f"2026-11-20T10:00:0{number}.12345678{row % 10}Z"}) + "\n"
        for number, each in enumerate(lists)
        for row, line in enumerate(ss_twoline(each).splitlines(keepends=True))
        for at in range(0, len(line), size)
    )  # fmt: skip


def journal(every: list[Made]) -> str:
    """`journalctl -o json`."""
    return "".join(
        json.dumps({"__REALTIME_TIMESTAMP": str(1763660000_500000 + row), "MESSAGE": line, "_HOSTNAME": "web1"}) + "\n"
        for row, line in enumerate(ss_oneline(every).splitlines())
    )


def jsonl(every: list[Made]) -> str:
    """A bundle's sockets.jsonl."""
    lists = [every[: len(every) // 2], every[len(every) // 2 :]]
    return "".join(
        f"{json.dumps({'time': 1763660000.5 + number, 'ss': ss_oneline(each)})}\n" for number, each in enumerate(lists)
    )


def jsonl_reversed(every: list[Made]) -> str:
    """The same with members in another order."""
    return f"{json.dumps({'host': 'web', 'ss': ss_twoline(every), 'time': 1763660000.5})}\n"


def netstat(every: list[Made]) -> str:
    """`netstat -neopaW` of net-tools."""
    lines = [
        "Active Internet connections (servers and established)\n",
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State       User       Inode      PID/Program name     Timer\n",
    ]
    for made in every:
        row = of_netstat(made)
        protocol = "tcp6" if made.mapped or ":" in made.local else "tcp"
        program = f"{row['pid']}/{row['process']}" if made.processes else "-"
        timer = "off (0.00/0/0)"
        if made.timer:
            name = {"persist": "probe"}.get(made.timer[0], made.timer[0])
            timer = f"{name} ({made.timer[1] // 10 / 100:.2f}/{made.timer[2]}/0)"
        lines.append(
            f"{protocol:<5} {made.recv_q:>6} {row['send_q']:>6} {_end(made, 'local', True):<23} {_end(made, 'peer', True):<23} "
            f"{STATES[made.state][0]:<11} {made.uid:<10} {made.inode:<10} {program:<20} {timer}\n"
        )
    return "".join(lines)


def proc(every: list[Made]) -> str:
    """/proc/net/tcp and tcp6 of a little-endian host, one after the other."""
    lines = []
    timers = ("", "on", "keepalive", "timewait", "persist")
    for wide, heading in (
        (False, "  sl  local_address rem_address   st tx_queue"),
        (True, "  sl  local_address                         remote_address                        st tx_queue"),
    ):
        lines.append(f"{heading} rx_queue tr tm->when retrnsmt   uid  timeout inode\n")
        for number, made in enumerate(every):
            if wide == (made.mapped or ":" in made.local):
                ends = [
                    _proc_end(_v6(made, address), port)
                    for address, port in ((made.local, made.local_port), (made.peer, made.peer_port))
                ]
                kind, ms, again = made.timer or ("", 0, 0)
                lines.append(
                    f"{number:>4}: {ends[0]} {ends[1]} {STATES[made.state][1]:02X} {0 if made.listens else made.send_q:08X}:{made.recv_q:08X} "
                    f"{timers.index(kind):02X}:{ms // 10:08X} {again:08X} {made.uid:>5}        0 {made.inode} 2 0000000000000000 20 4 30 10 -1\n"
                )
    return "".join(lines)


def _proc_end(address: str, port: int | None) -> str:
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    words = "".join(packed[at : at + 4][::-1].hex().upper() for at in range(0, len(packed), 4))
    return f"{words}:{port or 0:04X}"


def in_proc_order(every: list[Made]) -> list[Made]:
    """IPv4 first, as the two files are."""
    return sorted(every, key=lambda made: made.mapped or ":" in made.local)


@dataclass(frozen=True)
class Form:
    """A form: how it is written, what it shows, in which order, and as which bytes."""

    write: Callable[[list[Made]], str]
    shows: Callable[[Made], Row] = of_ss
    order: Callable[[list[Made]], list[Made]] = list
    encode: Callable[[str], bytes] = str.encode


def utf16(text: str) -> bytes:
    """As PowerShell redirects."""
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")


def coloured(text: str) -> str:
    """As a terminal's log has it."""
    return "".join(f"\x1b[0m{line}\x1b[K\r\n" for line in text.splitlines())


FORMS: dict[str, Form] = {
    "ss-oneline": Form(ss_oneline),
    "ss-twoline": Form(ss_twoline),
    "ss-mixed": Form(ss_mixed),
    "ss-wrapped": Form(ss_wrapped),
    "ss-old": Form(ss_old),
    "ss-ts": Form(lambda every: prefixed(ss_twoline(every), lambda number: f"{1725877589 + number}.81{number:04d} ")),
    "ss-kubectl": Form(lambda every: prefixed(ss_twoline(every), lambda number: f"2026-11-20T10:00:{number % 60:02d}.123456789Z ")),
    "ss-syslog": Form(lambda every: prefixed(ss_oneline(every), lambda number: f"Nov 20 10:00:{number % 60:02d} web1 ss[{900 + number}]: ")),
    "ss-grep": Form(lambda every: prefixed(ss_twoline(every), lambda _: "logs/ss-2026.txt:")),
    "ss-pod": Form(lambda every: prefixed(ss_oneline(every), lambda _: "[pod/web-1/app] ")),
    "ss-quoted": Form(lambda every: prefixed(ss_twoline(every), lambda _: "> ")),
    "ss-indented": Form(lambda every: prefixed(ss_twoline(every), lambda _: "    ")),
    "ss-coloured": Form(lambda every: coloured(ss_twoline(every))),
    "ss-utf16": Form(ss_twoline, encode=utf16),
    "ss-bom": Form(ss_oneline, encode=lambda text: b"\xef\xbb\xbf" + text.encode()),
    "ss-gzip": Form(ss_oneline, encode=lambda text: gzip.compress(text.encode())),
    "ss-zstd": Form(ss_oneline, encode=lambda text: zstandard.compress(text.encode())),
    "ss-lz4": Form(ss_oneline, encode=lambda text: lz4.frame.compress(text.encode())),
    "ss-xz": Form(ss_oneline, encode=lambda text: lzma.compress(text.encode())),
    "ss-bzip2": Form(ss_oneline, encode=lambda text: bz2.compress(text.encode())),
    "jsonl": Form(jsonl),
    "jsonl-reversed": Form(jsonl_reversed),
    "docker": Form(docker),
    "journal-json": Form(journal),
    "netstat-docker": Form(lambda every: "".join(json.dumps({"log": line + "\n", "stream": "stdout", "time": "2026-11-20T10:00:00.1Z"}) + "\n" for line in netstat(every).splitlines()), of_netstat),
    "netstat": Form(netstat, of_netstat),
    "netstat-syslog": Form(lambda every: prefixed(netstat(every), lambda number: f"Nov 20 10:00:{number % 60:02d} web1 cron: "), of_netstat),
    "netstat-crlf": Form(netstat, of_netstat, encode=lambda text: text.replace("\n", "\r\n").encode()),
    "proc": Form(proc, of_proc, in_proc_order),
}  # fmt: skip
