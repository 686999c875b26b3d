"""What fuzzing and enemies found, each kind by an example that failed before: numbers, names, queries, half an answer, disks that fail."""

from __future__ import annotations

import errno
import json
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random

import pytest

from analyzer import Analysis, analyze
from analyzer.cases import bound
from analyzer.choose import choice_of, libpcap
from analyzer.choose.closed import MOST, refuse_open
from analyzer.diagnosis.database import MOST_OF_VALUE, Database, QueryError
from analyzer.diagnosis.rule import RuleError, all_rules, own_rules, rules_of
from analyzer.diagnosis.trial import TOO_MUCH, harmful
from analyzer.errors import UsageError
from analyzer.serve.captures import Captures
from analyzer.serve.tools import Part, Tools
from tests.command import run_here
from tests.failing import Failure
from tests.filters import LIBPCAP_ONLY, Words
from tests.helpers import SAMPLES, interrupts_on
from tests.house import ROOT
from tests.killing import Trial, place_in

BUNDLE = SAMPLES / "zero-window" / "server"
LONG = "9" * 5000  # more digits than Python makes a number of
PARSER_BOMB = "WITH t AS (" * 12
RULE = """id = "{name}"
title = "A rule"
severity = "info"
why = "Why."
summary = "There are {{n}}."
sql = "{sql}"
"""


@cache
def analysis() -> Analysis:
    """Of a sample with counters and sockets."""
    return analyze(BUNDLE)


@pytest.mark.parametrize(
    "asked",
    [
        lambda: choice_of(between=("-", f"+{LONG}s")),
        lambda: choice_of(between=(f"{LONG}.5", "-")),
        lambda: analysis().series(every=f"{LONG}s"),
        lambda: analysis().flow(LONG),
        lambda: analyze("a\0b"),
        lambda: analyze(BUNDLE, snapshots="a\0b"),
        lambda: Tools(Captures([str(BUNDLE)])).open("a\0b"),
    ],
    ids=["between", "since the epoch", "every", "flow", "path", "snapshots", "mcp"],
)
def test_numbers_and_names_that_cannot_be(asked: object) -> None:
    """They are refused, in one line."""
    with pytest.raises(UsageError):
        asked()  # type: ignore[operator]


def test_frames_that_cannot_be() -> None:
    """No number is too large to be asked for."""
    assert analysis().frames([10**30, -(10**30), 0, 3])["frame"].tolist() == [3]


def test_half_a_list_of_flows_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """What goes wrong on the way ends the object that was begun."""
    ran = run_here("flows", BUNDLE, "--json", "--flow", "0,7", capsys=capsys)
    told = json.loads(ran.out)
    assert ran.status == 2
    assert (told["error"]["where"], "total" in told) == ("--flow", False)


# Rules and questions of strangers


def test_queries_that_the_parser_has_no_limit_for() -> None:
    """A hundred bytes that take gigabytes are found out where they harm nobody; others, and what is no SQL, are let through."""
    queries = ["SELECT 1", PARSER_BOMB, "no SQL", "SELECT 2"]
    assert harmful(queries) == {PARSER_BOMB}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT repeat('x', 4000000000) AS n", "Memory"),
        ("SELECT bit_count(repeat('1', 1000000000)::BIT) AS n", "Memory"),
        (f"SELECT repeat('x', {MOST_OF_VALUE + 1}) AS n", "a value of more than 100 kB"),
        ("SELECT [repeat('x', 60000), repeat('y', 60000)] AS n", "a value of more than 100 kB"),
        (f"SELECT repeat('x', {MOST_OF_VALUE}) AS n FROM range(500)", "more than 16 MB"),
    ],
)
def test_answers_that_are_too_large(sql: str, words: str) -> None:
    """Neither while they are made nor as they are handed out; and afterwards the process may have what it might before."""
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(QueryError, match=words):
        Database().query(sql, trusted=False)
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_answers_of_every_type_are_as_before() -> None:
    """But for their size."""
    sql = "SELECT 5 AS n, 1.5 AS f, 'text' AS \"a \"\"name\", [1, 2] AS l, {'x': 1} AS s, NULL AS z, 10::HUGEINT AS h, true AS b"
    database = Database()
    assert database.query(sql, trusted=False) == database.query(sql)


def test_rules_of_strangers(tmp_path: Path) -> None:
    """One that cannot be read harms no other; those that come with tcpcap need no trial."""
    (tmp_path / "bomb.toml").write_text(RULE.format(name="bomb", sql=PARSER_BOMB))
    (tmp_path / "fine.toml").write_text(RULE.format(name="fine", sql="SELECT 77 AS n"))
    found = analyze(BUNDLE, rules=[tmp_path])
    assert "There are 77." in found.findings["summary"].tolist()
    assert [each.text for each in found.diagnosis.not_checked if each.rule == "bomb" and TOO_MUCH in each.text]
    with pytest.raises(RuleError, match=TOO_MUCH):
        bound(rules_of(tmp_path))
    assert {rule.id for rule in all_rules([tmp_path]) if not rule.own} >= {"bomb", "fine"}
    assert all(rule.own for rule in own_rules())


def test_questions_of_assistants() -> None:
    """The same, in one line each; the next question is answered."""
    captures = Captures([str(BUNDLE)])
    tools = Tools(captures)
    try:
        for sql, words in ((PARSER_BOMB, TOO_MUCH), ("SELECT repeat('x', 4000000000)", "Memory"), ("SELECT repeat('x', 200000)", "100 kB")):  # fmt: skip
            with pytest.raises(UsageError, match=words):
                tools.sql(".", sql)
        assert tools.sql(".", "SELECT count(*) AS n FROM flows")["rows"] == [[1]]
    finally:
        captures.close()


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with what to do, and the status."""

    def short(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 157. MiB")

    monkeypatch.setattr("analyzer.run.analyze", short)
    ran = run_here("analyze", BUNDLE, capsys=capsys)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "157. MiB" in ran.err and "--max-flows" in ran.err


# Disks that fail


@pytest.mark.parametrize(
    ("call", "failure", "first"),
    [
        ("csv", Failure("write", errno.ENOSPC), 8),
        ("sql-csv", Failure("write", errno.ENOSPC), 21),
        ("fix-checksums", Failure("map", errno.EIO), 1),
        ("notebook", Failure("read", errno.EIO), 48),
        ("notebook", Failure("read", errno.EIO), 50),
    ],
    ids=lambda each: getattr(each, "name", None),
)
def test_a_disk_that_fails(call: str, failure: Failure, first: int, tmp_path: Path) -> None:
    """One line, the status, nothing half written and nothing temporary."""
    with Trial(place_in(tmp_path), call, Random(1)) as trial:
        assert trial.failing(failure, first) == []


def test_two_at_once(tmp_path: Path) -> None:
    """That write the same file: both succeed, and it is whole."""
    with Trial(place_in(tmp_path), "csv", Random(1)) as trial:
        assert trial.twice() == []


NAMES = (
    "host evil.example", "evil", "net b", "host \\tcp2", "host 1.2.3.4 or evil", "port evil", "host ab.cd.ef", "portrange evil-http", "host x-1", "ether host x",
    "host 10.0.0.1.evil", "host dead:beef:x::", "tcp[evil] = 1", "host 'a'", "host 1e.com", "host 1.2.3.4:evil.com", "host cafe", "host \u0663", "gateway foo",
    "host icmp-thepasswordis", "host 123456789.987654321.1.2.3", "host 1.2.3.4.", "host 1.2.3.256", "host 1234567-99", "host ssh", "host mgt", "host http",
    "host data", "http", "port 80 and tcp and http", "port 80 and host ssh", "host \\tcp", "net 1.2.3.4.5", "src 10-20",
)  # fmt: skip
NO_NAMES = (
    "ether host 00-11-22-33-44-55", "ether host ab:cd:ef:01:02:03", "port http", "portrange 80-90", "portrange ftp-http", "port http or https or 8080", "ip proto \\tcp", "wlan type mgt", "net 10.1", "tcp[0xd:0x1]=2", "net 10", "net 10.0.0.0/8",
    "dst host ::ffff:1.2.3.4", "vlan 5 && (tcp or udp)", "icmp[icmptype]=icmp-echo", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "len>=5 - 3", *LIBPCAP_ONLY,
)  # fmt: skip


@pytest.mark.parametrize("text", NAMES)
def test_assistants_look_no_name_up(text: str) -> None:
    """Else a name could carry what was read in a capture to whose name server it is; and what cannot be asked about is said."""
    with pytest.raises(UsageError, match=r"may be the name of a host; give addresses: no name is looked up"):
        Tools(Captures([str(BUNDLE.parent)])).open("server", Part(filter=text))


def test_assistants_ask_with_all_that_is_no_name() -> None:
    """Whatever libpcap knows of the language; up to a length of which it makes a program soon."""
    every = [Words(Random(seed), ["10.0.0.1", "fe80::1"], [443], vlans=True) for seed in range(300)]
    for text in (*NO_NAMES, *(words.expression(2, common=number % 2 == 0) for number, words in enumerate(every))):
        refuse_open(text)
    with pytest.raises(UsageError, match="characters; ask with no more than 1,000"):
        refuse_open("tcp or " * MOST + "udp")


LASTING = """
import sys
from analyzer.choose import libpcap
from analyzer.ending import run
libpcap.MOST_S = float(sys.argv[2])
def command():
    from analyzer.cli import main
    return main(["analyze", sys.argv[1], "--filter", "1+" * 100_000 + "1=2"])
run(command)
"""


@pytest.mark.skipif(libpcap.library() is None, reason="no libpcap")
@pytest.mark.parametrize(("most_s", "status"), [(600, 130), (1, 2)])
def test_a_filter_that_takes_long(most_s: int, status: int) -> None:
    """It can be ended while libpcap works, which asks nobody; and it is given up."""
    command = [sys.executable, "-c", LASTING, str(BUNDLE), str(most_s)]
    with interrupts_on(), subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        if status == 130:
            with suppress(subprocess.TimeoutExpired):
                process.wait(12)
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == status
    assert said.strip() == ("tcpcap: interrupted" if status == 130 else "tcpcap: --filter: libpcap makes no program of it in 1.0 s; shorten it")  # fmt: skip
