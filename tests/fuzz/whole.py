"""What was recorded of a host, changed by an enemy, through all stages: tables, every command and format, questions, assistants."""

from __future__ import annotations

import io
import json
import random
import shlex
import struct
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

from analyzer import analyze
from analyzer.ask import Ask
from analyzer.cli import main as tcpcap
from analyzer.parts import HOST_FILE
from analyzer.serve.captures import Captures
from analyzer.serve.tools import Part, Tools
from analyzer.tables import TABLES
from analyzer.tables.flows import CAUSES_OF_TIME
from tests import build, strategies
from tests.helpers import SAMPLES
from tests.test_fuzz import flip, lengthen, splice
from tests.test_hostile_texts import BAD, CONTROLS
from tests.test_snapshot_fuzz import STRANGE, damaged, strange

LARGEST = 20_000  # bytes of a capture that is taken
OF_CAPTURES = (
    "packets",
    "flows",
    "events",
    "flow_events",
    "capture_facts",
    "series",
    "checksums",
    "increments",
    "findings",
    "not_checked",
)
OF_HOSTS = ("counters", "sockets", "hosts")
PARTS = ("", "", "", " --frames 2-9", " --filter 'tcp port 80 or icmp'", " --flow 0,1", " --between +0s +1s", " --host 10.0.0.2")  # fmt: skip
# What each command is given: B is the recording, C the capture in it, T its snapshots, N another capture, OUT where it may write.
COMMANDS = {
    "analyze": ("B", "B --json", "B --ndjson", "B --html OUT.html", "B --each", "B C", "C --at-points", "C --snapshots T", "C --sockets S", "B --max-flows 1", "B --rules R"),
    "flows": ("B", "B --json", "B --ndjson", "C --sort loss --top 3"),
    "flow": ("B 0", "B 1 --json", "B 0 --all"),
    "checksums": ("B", "B --json"),
    "export": tuple(f"B --table {table} --format {form}" + (" -o OUT" if form == "parquet" else "") for table in (*OF_CAPTURES, *OF_HOSTS) for form in ("csv", "jsonl", "parquet")),
    "extract": ("B --flow 0 -o OUT.pcapng", "B --finding 1 -o OUT.pcapng", "B --event retransmission --around 1s -o OUT.pcapng", "C --flow 0 --anonymize -o OUT.pcapng"),
    "fix-checksums": ("C OUT.pcap", "N OUT.pcap"),
    "plot": tuple(f"B {kind} -o OUT.{form}" for kind in ("--flow 0", "--kind overview", "--kind counters", "--kind rtt --flow 0") for form in ("svg", "html")),
    "notebook": ("B -o OUT.ipynb",),
    "show": ("B 1 --no-wireshark", "N 2 --no-wireshark"),
    "sql": ("B 'FROM flows'", "B 'FROM packets' --json", "B 'FROM sockets' --format csv", "B 'FROM counters' -o OUT.parquet", "B 'FROM hosts' --safe-csv --format csv"),
    "counters diff": ("T T", "T B"),
    "counters trace": ("B TcpInSegs",),
    "counters explain": ("X",),
    "rules test": ("R",),
}  # fmt: skip


@cache
def _recordings() -> list[dict[str, bytes]]:
    """Those of the samples that are small, by the names of their parts."""
    found = []
    for folder in sorted(path.parent for path in SAMPLES.glob("*/*/capture.pcap") if path.stat().st_size < LARGEST):
        parts = {path.name: path.read_bytes() for path in folder.iterdir()}
        if HOST_FILE in parts and parts["capture.pcap"][:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1"):
            found.append(parts)
    return found


def of_frames(rng: random.Random, content: bytes) -> bytes:
    """A classic capture whose frames are lost, doubled, moved, cut, late, or changed in their headers; and some that nobody sent."""
    frames, at = [], 24
    while at + 16 <= len(content):
        seconds, fraction, captured, length = struct.unpack_from("<IIII", content, at)
        frames.append((seconds, fraction, length, content[at + 16 : at + 16 + captured]))
        at += 16 + captured
    for _ in range(rng.choice((1, 3, 10))):
        number, kind = rng.randrange(len(frames)), rng.randrange(8)
        seconds, fraction, length, data = frames[number]
        if kind == 0:
            del frames[number : number + rng.choice((1, 1, 5))]
        elif kind == 1:
            frames.insert(rng.randrange(len(frames)), frames[number])
        elif kind == 2:
            frames.insert(rng.randrange(len(frames)), frames.pop(number))
        elif kind == 3:
            frames[number] = (seconds, fraction, length, data[: rng.randrange(len(data) + 1)])
        elif kind == 4:
            frames[number] = (rng.choice((0, seconds - 5, seconds + 100, 2**32 - 1)), fraction, length, data)
        elif kind == 5:
            frames.insert(number, (seconds, fraction, 1500, strategies.random_frame(rng)[1]))
        else:  # behind the header of the link layer: addresses, ports, numbers, options
            changed = bytearray(data)
            for _ in range(rng.choice((1, 2, 4)) if changed else 0):  # of a frame that was cut to nothing
                changed[rng.randrange(14, max(15, min(len(changed), 90))) % len(changed)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.getrandbits(8)))  # fmt: skip
            frames[number] = (seconds, fraction, length, bytes(changed))
        if not frames:
            break
    return content[:24] + b"".join(struct.pack("<IIII", each[0] & 0xFFFFFFFF, each[1], len(each[3]), each[2]) + each[3] for each in frames)  # fmt: skip


def recording(rng: random.Random, bundle: Path) -> None:
    """A recording in a folder, one or several parts of it changed."""
    bundle.mkdir(exist_ok=True)
    for path in bundle.iterdir():
        path.unlink()
    parts = dict(rng.choice(_recordings()))
    for name in rng.sample(sorted(parts), rng.choice((1, 1, 2, len(parts)))):
        if name.endswith(".pcap"):
            parts[name] = of_frames(rng, parts[name]) if rng.random() < 0.8 else rng.choice((flip, splice, lengthen))(rng, parts[name])  # fmt: skip
        elif name == HOST_FILE and rng.random() < 0.5:
            host = json.loads(parts[name])
            host[rng.choice(sorted(host))] = strange(rng)
            parts[name] = json.dumps(host | {"hostname": rng.choice(STRANGE) + BAD}).encode("utf-8", "replace")
        elif rng.random() < 0.5:
            parts[name] = damaged(rng, parts[name].decode("utf-8", "replace")).encode("utf-8", "replace")
        else:
            parts[name] = flip(rng, parts[name]) if parts[name] else b"x"
    for name, data in parts.items():
        (bundle / name).write_bytes(data)


def tables(rng: random.Random, folder: Path) -> str:
    """Every table of a recording, in Python."""
    recording(rng, folder / "B")
    found = analyze(folder / "B", max_flows=rng.choice((1, 2, 1_000_000)))
    assert (found.events["frame"] > 0).all()
    assert (found.flow_events["count"] > 0).all()
    flows = found.flows
    spent = flows[[f"time_{cause}_ns" for cause in CAUSES_OF_TIME]]
    assert (spent >= 0).all(axis=None)
    assert (spent.sum(axis=1) == flows["duration_ns"]).all()
    counters = found.counters
    assert (counters["low"] <= counters["high"]).all()
    assert all(len(getattr(found, name)) >= 0 for name in ("capture_facts", "checksums", "sockets", "hosts"))
    assert len(found.series(every="100ms")) >= 0
    return "damaged" if found.is_damaged else "read"


def commands(rng: random.Random, folder: Path) -> str:
    """A recording through a command; what is read stays as it is."""
    recording(rng, folder / "B")
    before = {path.name: path.read_bytes() for path in (folder / "B").iterdir()}
    (folder / "N").write_bytes(build.pcapng(build.shb(), build.idb(name=BAD), *(build.epb(strategies.random_frame(rng)[1]) for _ in range(5))))  # fmt: skip
    (folder / "rules").mkdir(exist_ok=True)
    name = rng.choice(sorted(COMMANDS))
    words = _words(rng, folder, name)
    status, out, said = run_here(*words)
    assert status in (0, 2, 3) or (name == "rules test" and status == 1), said
    assert "Traceback" not in said and not CONTROLS.search(said.replace("\t", " "))
    if "--json" in words:
        json.loads(out)
    assert {path.name: path.read_bytes() for path in (folder / "B").iterdir()} == before
    assert status == 0 or not list(folder.glob(".OUT*"))
    return f"{name}: {status}"


def _words(rng: random.Random, folder: Path, name: str) -> list[str]:
    """The words of a command."""
    given = rng.choice(COMMANDS[name])
    if name in ("analyze", "flows", "export", "checksums", "sql") and "--at-points" not in given:
        given += rng.choice(PARTS) if name != "checksums" and "--host" not in given else ""
    places = {
        "B": str(folder / "B"), "C": str(folder / "B" / "capture.pcap"), "T": str(folder / "B" / "counters.jsonl"), "N": str(folder / "N"),
        "S": str(folder / "B" / "sockets.jsonl"), "R": str(folder / "rules"), "X": BAD, "C --at-points": "",
    }  # fmt: skip
    words = [places.get(word, word.replace("OUT", str(folder / "OUT"))) for word in shlex.split(given)]
    if "--at-points" in words:
        words = ["--at", f"one={folder / 'B'}", "--at", f"two={folder / 'B' / 'capture.pcap'}"]
    return [*name.split(), *words]


def run_here(*words: str) -> tuple[object, str, str]:
    """The status of a command in this process, what it prints, and what it says of what went wrong."""
    raw, said = io.BytesIO(), io.StringIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", errors="strict", newline="")
    status: object = 0
    try:
        with redirect_stdout(out), redirect_stderr(said):
            tcpcap(list(words))
    except SystemExit as ended:
        status = ended.code
    out.flush()
    return status, raw.getvalue().decode("utf-8", "replace"), said.getvalue()


@cache
def asked() -> Ask:
    """What questions are asked of."""
    return Ask(analyze(SAMPLES / "zero-window" / "server"), limit_s=1.0)


FORBIDDEN = (
    "COPY flows TO 'FOLDER/outside'", "ATTACH 'FOLDER/outside'", "INSTALL httpfs", "LOAD 'FOLDER/x.duckdb_extension'", "SET enable_external_access = true",
    "PRAGMA database_list", "EXPORT DATABASE 'FOLDER/outside'", "SELECT * FROM read_csv('FOLDER/B/host.json')", "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'", "SELECT * FROM glob('/*')", "SELECT getenv('HOME')", "FROM duckdb_secrets()", "CREATE TABLE t AS FROM flows", "DROP TABLE flows",
    "SELECT * FROM flows; COPY flows TO 'FOLDER/outside'", "CALL force_checkpoint()", "RESET ALL", "SET memory_limit = '100GB'", "CREATE SECRET (TYPE s3)", "UPDATE flows SET flow = 1",
    "SELECT * FROM read_blob('FOLDER/B/host.json')", "FROM sniff_csv('/etc/passwd')", "SELECT * FROM read_parquet('FOLDER/*')", "CHECKPOINT", "DELETE FROM events",
)  # fmt: skip
COSTLY = (
    "SELECT count(*) FROM range(100000000000) a, range(1000000) b", "SELECT repeat('x', 4000000000)", "SELECT list(i) FROM range(1000000000) t(i)",
    "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t", "SELECT string_agg(repeat('y', 100000), '') FROM range(100000)",
    "SELECT range(2000000000)", "SELECT regexp_matches(repeat('a', 1000000), '(a+)+b')", "SELECT " + "(" * 3000 + "1" + ")" * 3000, "SELECT 1" + " + 1" * 20000,
)  # fmt: skip


def questions(rng: random.Random, folder: Path) -> str:
    """A question in SQL: one that may be asked, damaged; or one for what it may not have."""
    kind = rng.random()
    if kind < 0.5:
        text = rng.choice(FORBIDDEN).replace("FOLDER", str(folder))
        text = rng.choice((text, text.lower(), f"/* */ {text}", f"EXPLAIN ANALYZE {text}", f"FROM ({text})", f"WITH t AS ({text}) FROM t"))  # fmt: skip
    elif kind < 0.51:
        text = rng.choice(COSTLY)
    else:
        table = rng.choice(sorted(TABLES))
        text = damaged(
            rng, f"SELECT * FROM {table} WHERE {rng.choice(TABLES[table].columns).name} > 5 ORDER BY 1 LIMIT 3;"
        )
    try:
        answer = asked().query(text)
        rows, _ = answer.first(5)
        json.dumps(rows, default=str)
    finally:
        assert not (folder / "outside").exists()
    assert "root:x:0:0" not in str(rows)
    return "answered"


def assistants(rng: random.Random, folder: Path) -> str:
    """What an assistant asks of a recording, of others' files and with what is no argument."""
    recording(rng, folder / "B")
    captures = Captures([str(folder)])
    tools = Tools(captures)
    names = ("B", "B/capture.pcap", "../B", "/etc/passwd", "B/../../", str(folder / "B"), "\0", "", BAD, "B/host.json")
    name = rng.choice((names[0], names[1], rng.choice(names)))
    part = rng.choice((None, None, Part(filter="tcp"), Part(flow=rng.choice(("0", "x"))), Part(frames=rng.choice(("1-3", "-")))))  # fmt: skip
    number = rng.choice((0, 1, -1, 3, 10**30))
    calls = (
        lambda: tools.open(name, part),
        lambda: tools.findings(name, rng.choice((None, number)), 5, part),
        lambda: tools.flows(name, rng.choice(("bytes", "loss", "x", BAD)), number, None, part),
        lambda: tools.flow(name, rng.choice(("0", "x", "10.0.0.1:80")), number, part),
        lambda: tools.frames(name, [number, 1, 2], part),
        lambda: tools.counters(name, rng.choice(("", "Tcp", BAD)), 5, part),
        lambda: tools.sql(name, rng.choice(("FROM flows", "FROM sockets", "SELECT * FROM read_text('/etc/passwd')")), 5, part),
    )  # fmt: skip
    try:
        told = json.dumps(rng.choice(calls)())
    finally:
        captures.close()
    assert len(told) < 60_000
    assert "root:x:0:0" not in told
    return "told"
