"""How rules are read, asked and told: what they may name, what they must not reach, how findings are grouped, explained and ranked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from platformdirs import user_config_path

from analyzer.cases import bound
from analyzer.diagnosis import opened, parsed
from analyzer.diagnosis.created import VIEWS, create_table
from analyzer.diagnosis.database import Database, QueryError, named_tables
from analyzer.diagnosis.engine import Ends, Evidence, diagnose
from analyzer.diagnosis.finding import Diagnosis, Proof
from analyzer.diagnosis.opened import SETTINGS
from analyzer.diagnosis.rule import Rule, RuleError, all_rules, own_folder, own_rules, rule_of, rules_of, user_folder
from analyzer.diagnosis.signals import Signals
from analyzer.diagnosis.template import Template
from analyzer.diagnosis.views import TABLES, Columns, Named
from analyzer.evidence import expected
from analyzer.evidence.expected import Expected
from analyzer.evidence.seen import diagnosed
from analyzer.kinds import NAMES
from analyzer.report.finding_text import finding_lines, not_checked_lines
from analyzer.report.json_text import findings_dicts
from analyzer.run import analyze
from tests.helpers import SAMPLES, fitting
from tests.house import ROOT

RULE = """
id = "some-rule"
title = "Some rule"
severity = "warning"
why = "It matters."
sql = "SELECT 1 AS flow, 5 AS lost"
summary = "{who} lost {lost:many segment}"
"""


def written(folder: Path, text: str = RULE, name: str = "some-rule", **more: str) -> Path:
    """A rule's file."""
    for key, value in more.items():
        text = "\n".join(line for line in text.splitlines() if not line.startswith(f"{key} ="))
        text = f"{key} = {value}\n{text}"
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def rule(tmp_path: Path, name: str = "some-rule", **more: str) -> Rule:
    """A rule made of RULE with other values."""
    return rule_of(written(tmp_path, RULE, name, id=f'"{name}"', **more))


def given(values: Mapping[str, Any], names: Named) -> Columns:
    """What a table holds, whatever of it is asked for."""
    return dict(values)


def evidence(
    words: Mapping[str, set[str]] | None = None, available: tuple[str, ...] = ("flows",), **columns: Mapping[str, Any]
) -> Evidence:
    """Some evidence; connections are of 10.0.0.1, ports 40000 and up, to port 80 of 10.0.0.2."""
    moved = {"TcpRetransSegs": Proof("TcpRetransSegs", 3, 2, "over")}
    return Evidence(
        Signals(words or {}),
        available,
        {name: partial(given, values) for name, values in columns.items()},
        lambda flow: Ends("10.0.0.1", 40000 + flow, "10.0.0.2", 80, flow != 999) if 0 <= flow < 1000 else None,
        lambda: moved,
    )


def asked(*rules: Rule, **more: Any) -> Diagnosis:
    """What the rules say."""
    return diagnose(list(rules), evidence(**more))


# Files


@pytest.mark.parametrize(
    ("change", "where", "complaint"),
    [
        ({"severity": '"bad"'}, "severity", "choose from info, warning, error"),
        ({"side": '"left"'}, "side", "choose from client, server"),
        ({"id": '"other"'}, "id", "'other' in the file some-rule.toml"),
        ({"sql": "5"}, "sql", "missing, or no text"),
        ({"summary": '"{lost!r}"'}, "summary", "is no column"),
        ({"summary": '"{a.__class__}"'}, "summary", "is no column"),
        ({"summary": '"{lost:.3f}"'}, "summary", "nothing is written as"),
        ({"needs": '["packets"]'}, "needs", "no table 'packets'"),
        ({"when": "{ event = [] }"}, "when", "did you mean events"),
        ({"when": '{ events = ["zero_windows"] }'}, "when.events", "did you mean zero_window"),
        ({"next": "[1]"}, "next", "neither a text nor a list of texts"),
        ({"colour": '"red"'}, "colour", "no key of a rule"),
        ({"case": '[{ sample = "x" }]'}, "case", "without fires"),
        ({"case": '[{ sample = "x", fires = "yes" }]'}, "case.fires", "of another type"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_rule(change: dict[str, str], where: str, complaint: str, tmp_path: Path) -> None:
    """The file, the key, and what to do."""
    with pytest.raises(RuleError) as told:
        rule_of(written(tmp_path, **change))
    assert f"some-rule.toml: {where}" in str(told.value)
    assert complaint in str(told.value)


@pytest.mark.parametrize(
    ("text", "complaint"), [("id = ", "not TOML"), ("\udcff", "not TOML"), (" " * (2 << 20), "1 MB")]
)
def test_what_is_no_toml(text: str, complaint: str, tmp_path: Path) -> None:
    """Nothing, bytes that are no text, too much."""
    path = tmp_path / "some-rule.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RuleError, match=complaint):
        rule_of(path)


def test_rules_that_were_read_before_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the build of a wheel keeps of them; one that was changed since, or of a file that is damaged, is read from its own."""
    own = sorted(own_folder().rglob("*.toml"))
    monkeypatch.setattr(parsed, "FILE", tmp_path / "rules.json")
    for content, kept in ((parsed.made_of(own), len(own)), (b"[]", 0), (b'{"cut', 0), (parsed.made_of(own[:1]), 1)):
        parsed.FILE.write_bytes(content)
        parsed._known.cache_clear()
        assert len(parsed._known()) == kept
        assert [parsed.told_by(path.read_bytes()) for path in own] == [tomllib.loads(path.read_text()) for path in own]
    changed = own[0].read_bytes().replace(b'severity = "', b'severity = "very ')
    assert parsed.told_by(changed)["severity"].startswith("very ")
    parsed._known.cache_clear()


@pytest.mark.parametrize("given", ["/somewhere", "relative", "", None])
@pytest.mark.parametrize("home", ["/home/somebody", "relative"])
def test_the_folder_of_a_user_is_where_all_programs_look(
    given: str | None, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the environment says plainly is what platformdirs says, too."""
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    if given is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", given)
    assert user_folder() == user_config_path("tcpcap", appauthor=False) / "rules"


def test_folders_of_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own folder and others stand beside what comes with tcpcap; a later one of a name takes its place; twice in one is wrong."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    names = {rule.id for rule in all_rules()}
    assert names and "some-rule" not in names
    own, more = tmp_path / "tcpcap" / "rules", tmp_path / "more" / "family"
    own.mkdir(parents=True)
    more.mkdir(parents=True)
    written(own)
    written(more, title='"Another"')
    assert [rule.title for rule in all_rules() if rule.id == "some-rule"] == ["Some rule"]
    assert [rule.title for rule in all_rules([more.parent]) if rule.id == "some-rule"] == ["Another"]
    written(more.parent)
    with pytest.raises(RuleError, match="a second rule 'some-rule'"):
        rules_of(more.parent)
    with pytest.raises(RuleError, match="no folder of rules"):
        rules_of(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("SELECT clint FROM flows", 'Candidate bindings: "client"'),
        ("SELECT * FROM flws", "flws"),
        ("SELECT flow FROM flows", "no column 'lost'"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("DROP TABLE flows", "one SELECT"),
        ("nonsense", "syntax error"),
    ],
)
def test_a_query_is_planned_before_it_is_used(sql: str, complaint: str, tmp_path: Path) -> None:
    """A wrong name is an error with DuckDB's suggestion, not a rule that never fires."""
    with pytest.raises(RuleError, match=r"some-rule\.toml") as told:
        bound([rule(tmp_path, sql=f'"{sql}"')])
    assert complaint in str(told.value)


def test_every_table_can_be_made_and_is_found_by_its_name() -> None:
    """Empty, with every column; views with the tables they are made of."""
    database = Database()
    for name in (*TABLES, *VIEWS):
        assert database.query(f"SELECT * FROM {name}") == []
        assert named_tables(f"select 1 from {name.upper()} x") == [name]
    assert all(
        create_table(each).count(",") + 1 >= sum(column.public for column in each.columns) for each in TABLES.values()
    )


def test_a_query_sees_the_same_where_only_what_queries_name_is_made() -> None:
    """Each rule that comes with tcpcap has the same columns then, and so has the view; without any name a table still has a row for each of its rows."""
    whole = Database()
    for each in own_rules():
        named = Database(queries=[each.sql])
        assert named.bind(each.sql) == whole.bind(each.sql), each.id
        named.close()
    flows = {"flow": np.arange(3), "protocol": ["tcp"] * 3, "leg_of": [-1] * 3, "server_retransmissions": [0, 7, 0]}
    asked_for: list[set[str]] = []

    def source(names: Named) -> Columns:
        asked_for.append(set(names or ()))
        return {name: np.array(flows.get(name, [0] * 3)) for name in names or ()}

    queries = ["SELECT flow FROM ends WHERE retransmissions > 0 AND side = 'server'", "SELECT count(*) AS n FROM flows"]
    database = Database({"flows": source}, queries=queries)
    assert [database.query(sql) for sql in queries] == [[{"flow": 1}], [{"n": 3}]]
    assert asked_for[0] >= {"client_retransmissions", "server_retransmissions"} and "client_bytes" not in asked_for[0]
    with pytest.raises(QueryError, match="client_bytes"):
        database.query("SELECT client_bytes FROM flows")


# Several at a time, and ahead


@pytest.mark.parametrize("sample", ["loss-ipv4/client", "reorder-duplicate/server", "zero-window-empty-queue/client"])
def test_rules_asked_at_once_find_what_they_find_one_by_one(sample: str) -> None:
    """The same findings in the same order, and the same is not checked; also of one that comes last and reads what others found."""
    analysis = analyze([str(SAMPLES / sample)])
    rules = own_rules()
    together, alone = (diagnosed(analysis, rules, at_once=at_once) for at_once in (True, False))
    assert findings_dicts(together.findings) == findings_dicts(alone.findings) != []
    assert (together.not_checked, together.ran, together.left_out) == (alone.not_checked, alone.ran, alone.left_out)


def test_answers_come_in_the_order_of_the_questions() -> None:
    """Of more than are asked at a time; one that fails, for its table or its words, is an error in its place."""

    def broken(_: Named) -> Columns:
        return {"flow": ["no number"]}

    queries = [f"SELECT {number} AS n" for number in range(20)]
    queries[3], queries[7] = "SELECT flow FROM flows", "SELECT nothing FROM ends"
    database = Database({"flows": broken}, queries=queries)
    answers = list(database.answers(queries))
    wrong = {at: str(answer) for at, answer in enumerate(answers) if isinstance(answer, QueryError)}
    assert list(wrong) == [3, 7] and "table flows" in wrong[3] and "nothing" in wrong[7]
    assert [each for at, each in enumerate(answers) if at not in wrong] == [
        [{"n": n}] for n in range(20) if n not in (3, 7)
    ]


def test_who_asks_no_longer_waits_for_no_answer() -> None:
    """What is being asked is stopped: else this took a day, and the database could not be closed."""
    database = Database(limit_s=86_400)
    answers = database.answers(["SELECT 1 AS n", "SELECT sleep_ms(86400000)", "SELECT sleep_ms(86400000)", "SELECT 2"])
    assert next(answers) == [{"n": 1}]
    answers.close()
    assert database.query("SELECT 3 AS n") == [{"n": 3}]
    database.close()


@pytest.mark.usefixtures("nothing_kept")
def test_a_database_is_opened_ahead_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another thread, for the next who asks; who asks then opens another one."""
    who = []
    connect = opened._open

    def open_() -> list[Any]:
        who.append(threading.current_thread() is threading.main_thread())
        return connect()

    monkeypatch.setattr(opened, "_open", open_)
    opened.open_ahead()
    opened.open_ahead()
    first, second = Database(), Database()
    assert who == [False, True]
    assert (
        first.query("SELECT duration(1500) AS told")
        == second.query("SELECT duration(1500) AS told")
        == [{"told": "1.5 us"}]
    )


@pytest.fixture
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No database of another test."""
    monkeypatch.setattr(opened, "_free", [])
    monkeypatch.setattr(opened, "_ahead", [])


@pytest.mark.usefixtures("nothing_kept")
def test_a_database_is_used_again() -> None:
    """Empty, by the next who asks; not by a stranger, and not after one."""
    queries = ["SELECT count(*) AS n FROM local_addresses", "SELECT max(flow) AS n FROM ends"]
    first = Database({"local_addresses": lambda _: {"address": np.array(["192.0.2.1"], object)}}, queries=queries)
    assert [first.query(sql) for sql in queries] == [[{"n": 1}], [{"n": None}]]
    first.close()
    (free,) = opened._free
    stranger = Database()
    assert stranger._connection is not free[0]
    stranger.close()
    second = Database(queries=queries)
    assert opened._free == [] and [second.query(sql) for sql in queries] == [[{"n": 0}], [{"n": None}]]
    assert second._connection is free[0]
    second.close()
    assert opened._free == [free]


@pytest.mark.usefixtures("nothing_kept")
def test_a_database_in_which_something_failed_is_not_used_again() -> None:
    """What was to be a table, nobody can read by the name that it had meanwhile."""
    odd = {"flow": np.array(["a secret"], object)}
    database = Database({"flows": lambda _: odd}, queries=["SELECT flow FROM flows"])
    with pytest.raises(QueryError, match="table flows"):
        database.query("SELECT flow FROM flows")
    with pytest.raises(QueryError, match="source_of_rows"):
        database.query("SELECT * FROM source_of_rows")
    database.close()
    assert opened._free == []


def test_a_table_that_cannot_be_made_harms_no_other_rule(tmp_path: Path) -> None:
    """Whatever is wrong with it; asked one by one, and several at a time."""

    def broken(_: Named) -> Columns:
        raise KeyError("a column")

    rules = [
        replace(rule(tmp_path, "one", sql='"SELECT flow, 5 AS lost FROM flows"'), own=True),
        replace(rule(tmp_path, "two", sql='"SELECT 7 AS flow, 5 AS lost"'), own=True),
    ]
    seen = replace(evidence({}), sources={"flows": broken})
    for at_once in (True, False):
        found = diagnose(rules, seen, at_once=at_once)
        assert [each.flows for each in found.findings] == [[7]] and "a column" in found.not_checked[0].text


def test_rules_are_asked_where_no_thread_can_begin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By the one that asks: those that come with tcpcap find what they find. Strangers are not asked, as nobody would stop them."""

    def refuses(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    analysis = analyze(str(SAMPLES / "loss-ipv4" / "client"))
    expected = findings_dicts(diagnosed(analysis, own_rules()).findings)
    monkeypatch.setattr(threading.Thread, "start", refuses)
    opened.open_ahead()
    assert findings_dicts(diagnosed(analysis, own_rules()).findings) == expected != []
    (lost,) = asked(rule(tmp_path)).not_checked
    assert "new thread" in lost.text


def test_an_interrupt_is_no_error_of_a_rule() -> None:
    """Ctrl-C while a query runs, which DuckDB hands on in words of its own; and the database answers on."""
    database = Database(limit_s=60)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        database.query("SELECT count(*) FROM range(1000000000000) a WHERE a.range % 7 = 3")
    timer.join()
    assert database.query("SELECT 1 AS one") == [{"one": 1}]


FORKED = """
import os, sys, threading
from analyzer import analyze
from analyzer.cluster.forked import is_possible
from analyzer.diagnosis import kept, opened
def found():
    return len(analyze({sample!r}).diagnosis.findings)
expected = found()
list(analyze({sample!r}).sql("SELECT 1 AS n").n)
for _ in range(2):
    child = os.fork()
    if not child:
        os._exit(found() - expected)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    opened.open_ahead()  # the next begins in the middle of it
child = os.fork()
if not child:
    sys.exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
found()
kept.release()
print(expected, is_possible())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no forks")
def test_a_fork_has_a_database_of_its_own() -> None:
    """Also one that begins while a database is being opened; and where nobody uses one, no thread of it is left."""
    script = FORKED.format(sample=str(SAMPLES / "loss-ipv4" / "client"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[0] != "0" and done.stdout.split()[1] == "True"


@pytest.mark.usefixtures("nothing_kept")
def test_what_cannot_be_opened_ahead_is_said_by_whoever_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread says nothing."""

    def fails() -> list[Any]:
        raise MemoryError("no room")

    monkeypatch.setattr(opened, "_open", fails)
    opened.open_ahead()
    with pytest.raises(MemoryError, match="no room"):
        Database()


def test_a_database_is_expected_when_there_is_something_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """When an event is seen that a rule is about, once; at once where counters or sockets lie beside the capture."""
    begun: list[None] = []
    monkeypatch.setattr(expected, "open_ahead", lambda: begun.append(None))
    counts = np.zeros(len(NAMES), np.int64)
    rules = [each for each in own_rules() if each.when.get("events")]
    named = {word.partition("/")[0] for each in rules for word in each.when["events"]}
    watch = Expected(rules, at_once=False)
    for position in [at for at, name in enumerate(NAMES) if name not in named]:
        counts[position] = 1
    watch.see(counts)
    assert begun == [] and counts.any()
    counts[NAMES.index(sorted(named)[0])] = 1
    watch.see(counts)
    watch.see(counts)
    assert begun == [None]
    Expected(rules, at_once=True).see(counts)
    assert begun == [None, None]


# What a query must not do


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_parquet('https://192.0.2.1/x.parquet')",
        "SELECT * FROM secret_of_python",
        "SELECT getenv('HOME')",
        "SELECT * FROM duckdb_secrets()",
        "COPY (SELECT 1) TO '{file}.out'",
        "ATTACH '{file}.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "CREATE TABLE mine AS SELECT 1",
        "DELETE FROM flows",
        "SELECT 1) ; DROP TABLE flows; SELECT * FROM (SELECT 1",
    ],
)
def test_a_query_reaches_nothing_else(sql: str, tmp_path: Path) -> None:
    """No file, no network, no extension, no database, no setting, no variable of Python; and nothing is written."""
    secret_of_python = [1, 2, 3]
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    database = Database()
    with pytest.raises(QueryError):
        database.query(sql.format(file=file))
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert database.query("SELECT count(*) AS n FROM flows") == [{"n": 0}]
    assert secret_of_python


def test_a_query_that_does_not_end_is_stopped() -> None:
    """After the limit, and the next one runs."""
    database = Database(limit_s=0.3)
    began = time.monotonic()
    with pytest.raises(QueryError, match=r"longer than 0\.3 s"):
        database.query("SELECT count(*) FROM range(1000000000000) a WHERE a.range % 7 = 3")  # which needs no memory
    assert time.monotonic() - began < 30
    assert database.query("SELECT 1 AS one") == [{"one": 1}]


def test_a_query_that_sleeps_is_stopped() -> None:
    """It does not work, and would go on for an hour."""
    with pytest.raises(QueryError, match=r"longer than 0\.02 s"):
        Database(limit_s=0.02).query("SELECT sleep_ms(3600000)")


HELD_UP = """
import os, signal, threading
from analyzer.diagnosis.database import Database
database = Database(limit_s=1)
database.query("SELECT 1")
threading.Timer(0.02, os.kill, (os.getpid(), signal.SIGSTOP)).start()
print(database.query("SELECT count(*) AS n FROM range(40000000) a WHERE a.range * 7 % 11 = 3"))
"""


def test_a_query_is_stopped_for_its_own_work_alone() -> None:
    """Not since the machine had no time for it in the middle: else another answer would be given there."""
    with subprocess.Popen([sys.executable, "-c", HELD_UP], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1])
        time.sleep(1.5)
        process.send_signal(signal.SIGCONT)
        assert process.stdout.read() == "[{'n': 3636364}]\n"


def test_no_bar_is_painted_where_python_is_asked_line_by_line() -> None:
    """As `python -c` is: there DuckDB does so by itself, on standard output."""
    code = f"""
import duckdb
from analyzer import analyze
from analyzer.diagnosis.database import Database
from analyzer.lines import MEMORY
sql = "SELECT current_setting('enable_progress_bar') AS bar"
print(duckdb.sql(sql).fetchall())
connection = duckdb.connect()
connection.execute(MEMORY)
print([*Database().query(sql), *analyze({str(SAMPLES / "loss-ipv4" / "client")!r}).sql(sql)["bar"], connection.sql(sql).fetchall()])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[(True,)]", "[{'bar': False}, False, [(False,)]]"]


def test_a_query_that_takes_all_memory_is_stopped() -> None:
    """Or one that gives too many rows: these are cut."""
    database = Database(limit_s=60)
    with pytest.raises(QueryError):
        database.query("SELECT list(a.range) FROM range(1000000000) a")
    assert len(database.query("SELECT * FROM range(1000000)")) == 10_000


def test_a_query_that_does_not_fit_is_not_spilled_into_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be one with somebody's evidence, or read-only."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SETTINGS, "memory_limit", "30MB")
    database = Database(limit_s=60)
    with pytest.raises(QueryError, match=r"(?i)out of memory"):
        database.query(
            "SELECT * FROM (SELECT range AS a, repeat('x', 100) || hash(range) AS s FROM range(1000000) ORDER BY s) WHERE a > 7 OFFSET 9000"
        )
    database.close()
    assert list(tmp_path.iterdir()) == []


# Asking


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ("{}", True),
        ('{ events = ["zero_window", "refused"] }', True),
        ('{ events = ["refused"] }', False),
        ('{ events = ["refused"], counters = ["TcpRetransSegs"] }', True),
        ('{ facts = ["one_way"] }', False),
        ('{ events = ["retransmission/fast"] }', True),
        ('{ events = ["retransmission/rto"] }', False),
    ],
)
def test_a_rule_runs_when_one_of_its_signals_was_seen(when: str, runs: bool, tmp_path: Path) -> None:
    """Of any kind; without any, always."""
    words = {"events": {"zero_window", "retransmission", "retransmission/fast"}, "counters": {"TcpRetransSegs"}}
    found = asked(rule(tmp_path, when=when), words=words)
    assert (found.ran == ["some-rule"]) == runs == bool(found.findings)


def test_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    """Which table it lacked, and what to record."""
    needy = rule(tmp_path, "needy", needs='["counters"]')
    choosy = rule(tmp_path, "choosy", any_of='["counters", "sockets"]')
    found = asked(needy, choosy)
    assert [(each.rule, each.needs) for each in found.not_checked] == [
        ("needy", ("counters",)),
        ("choosy", ("counters", "sockets")),
    ]
    assert "nstat" in found.not_checked[0].text and "ss -" in found.not_checked[1].text
    assert [each.rule.id for each in asked(needy, choosy, available=("counters",)).findings] == ["needy", "choosy"]


def test_a_rule_that_fails_harms_no_other(tmp_path: Path) -> None:
    """It is named, with the reason."""
    broken = rule(tmp_path, "broken", sql="\"SELECT error('no') AS flow, 1 AS lost\"")
    odd = rule(tmp_path, "odd", sql="\"SELECT 1 AS flow, 1 AS lost, 'grave' AS severity\"")
    found = asked(broken, odd, rule(tmp_path))
    assert [each.rule.id for each in found.findings] == ["some-rule"]
    assert [each.rule for each in found.not_checked] == ["broken", "odd"]
    assert "grave" in found.not_checked[1].text


# Findings


def test_rows_of_a_group_are_one_finding(tmp_path: Path) -> None:
    """Counted and added up; the worst fills the sentence; frames of the worst first, then of the others."""
    sql = """'''SELECT * FROM (VALUES (0, 5, 100, [3], 'a'), (1, 7, 900, [9, 12], 'a'), (2, 1, 50, [20], 'b'))
        AS t(flow, lost, cost_ns, frames, "group")'''"""
    summary = '"{who}: {lost} {sum.lost} {max.lost} {min.lost} {distinct.lost} {connections} {rows} {cost} {worst}"'
    first, second = asked(rule(tmp_path, sql=sql, summary=summary)).findings
    assert first.summary == "2 connections of 10.0.0.1 to 10.0.0.2:80: 7 12 7 5 2 2 2 1 us 10.0.0.1:40001 > 10.0.0.2:80"
    assert (first.flows, first.frames, first.cost_ns, first.connections) == ([1, 0], [3, 9, 12], 1000, 2)
    assert second.summary == "10.0.0.1:40002 > 10.0.0.2:80: 1 1 1 1 1 1 1 50 ns 10.0.0.1:40002 > 10.0.0.2:80"
    assert first.evidence == {"lost": 7}


def test_what_a_finding_takes_from_its_rows(tmp_path: Path) -> None:
    """Side, host, times, severity, confidence; counters that moved; next steps with columns filled in, other braces left."""
    sql = """'''SELECT 5 AS flow, 1 AS lost, 'client' AS side, '10.0.0.1' AS host, 7 AS start_ns, 9 AS end_ns, 'error' AS severity,
        'likely' AS confidence, 2 AS failed, 1500 AS cost_bytes, 'Recv-Q 5' AS proof, 'it may not' AS against, 80 AS port'''"""
    (found,) = asked(
        rule(
            tmp_path, sql=sql, counters='["TcpRetransSegs", "TcpInErrs"]', next='["look at {port}", "awk \'{print}\'"]'
        )
    ).findings
    assert (found.side, found.host, found.start_ns, found.end_ns) == ("client", "10.0.0.1", 7, 9)
    assert (found.severity, found.confidence, found.failed, found.cost_bytes) == ("error", "likely", 2, 1500)
    assert [each.text for each in found.counters] == ["TcpRetransSegs +3 (by the packets 2)"]
    assert (found.proofs, found.against, found.next) == (["Recv-Q 5"], ["it may not"], ["look at 80", "awk '{print}'"])


def test_causes_come_first_and_what_they_explain_below(tmp_path: Path) -> None:
    """By severity, then by cost; a cause weighs what its consequences cost, and explains only the same connections or server."""

    def made(name: str, flow: int, cost_ns: int, **more: str) -> Rule:
        return rule(tmp_path, name, sql=f'"SELECT {flow} AS flow, 1 AS lost, {cost_ns} AS cost_ns"', **more)

    cause = made("cause", 0, 10, explains='["consequence", "elsewhere"]')
    consequence = made("consequence", 0, 900_000, severity='"error"', explains='["cause"]')
    dear, cheap, known = made("dear", 3, 800), made("cheap", 4, 5), made("known", 5, 10**12, severity='"info"')
    elsewhere = made("elsewhere", 2000, 1)
    found = asked(cheap, known, consequence, dear, cause, elsewhere).findings
    assert [each.rule.id for each in found] == ["cause", "consequence", "dear", "cheap", "elsewhere", "known"]
    assert [each.because_of for each in found] == [0, 1, 0, 0, 0, 0]
    cause = made("cause", 0, 10, explains='["consequence"]')
    consequence = made("consequence", 0, 900_000, severity='"error"')
    found = asked(dear, consequence, cause).findings
    assert [(each.number, each.rule.id, each.because_of) for each in found] == [
        (1, "cause", 0),
        (2, "consequence", 1),
        (3, "dear", 0),
    ]


@pytest.mark.parametrize(("sender", "because_of"), [("client", 1), ("server", 0)])
def test_what_one_end_lost_does_not_explain_what_the_other_lost(sender: str, because_of: int, tmp_path: Path) -> None:
    """Where both say whose segments they are about."""
    sql = "\"SELECT 1 AS flow, 1 AS lost, '{}' AS sender_side, {} AS cost_ns\""
    cause = rule(tmp_path, "cause", sql=sql.format("client", 9), explains='["other"]')
    found = asked(cause, rule(tmp_path, "other", sql=sql.format(sender, 1))).findings
    assert [(each.rule.id, each.because_of) for each in found] == [("cause", 0), ("other", because_of)]


@pytest.mark.parametrize(
    ("flow", "start", "end", "because_of"),
    [(1, 12, 15, 1), (1, 0, 0, 1), (1, 1, 5, 0), (2, 15, 30, 1), (2, 25, 30, 0), (2, 0, 0, 1), (2000, 12, 15, 0)],
    ids=["same", "same, when", "over before", "same hosts", "same hosts, later", "same hosts, when", "other hosts"],
)
def test_a_consequence_is_of_its_cause(flow: int, start: int, end: int, because_of: int, tmp_path: Path) -> None:
    """Of the same connection and not over before, or between the same hosts at the same time; to the same server alone is not enough."""
    sql = "\"SELECT {} AS flow, 1 AS lost, {}000000000 AS start_ns, {}000000000 AS end_ns, {} AS cost_ns, '10.0.0.2' AS server, 80 AS server_port\""
    cause = rule(tmp_path, "cause", sql=sql.format(1, 10, 20, 9), explains='["other"]')
    found = asked(cause, rule(tmp_path, "other", sql=sql.format(flow, start, end, 1))).findings
    assert [(each.rule.id, each.because_of) for each in found] == [("cause", 0), ("other", because_of)]


def test_a_consequence_is_wholly_of_its_cause(tmp_path: Path) -> None:
    """Where one of its connections has nothing to do with the cause, it stands for itself; and what is covered is no part of more."""
    sql = (
        '"SELECT 1 AS flow, 1 AS lost, 10000000000 AS start_ns, 20000000000 AS end_ns, 9 AS cost_ns, 0 AS \\"group\\""'
    )
    more = sql[:-1].replace("9 AS cost_ns", "1 AS cost_ns") + ' UNION ALL SELECT {}, 1, {}000000000, 50000000000, 1, 0"'
    cause = rule(tmp_path, "cause", sql=sql, explains='["other"]', covers='["other"]')
    for flow, start, because_of in ((2, 40, 0), (2, 15, 1)):
        first, second = asked(cause, rule(tmp_path, "other", sql=more.format(flow, start))).findings
        assert (second.because_of, second.repeats(first)) == (because_of, False)


def test_what_only_says_the_same_again_is_not_printed(tmp_path: Path) -> None:
    """A consequence that its cause covers stays in the table; others, and those of other connections, are printed below the cause."""
    both = '["again", "news"]'
    cause = rule(
        tmp_path, "cause", sql='"SELECT 1 AS flow, 1 AS lost, 9 AS cost_ns"', explains=both, covers='["again"]'
    )
    found = asked(cause, rule(tmp_path, "again"), rule(tmp_path, "news"))
    assert [(each.rule.id, each.because_of) for each in found.findings] == [("cause", 0), ("again", 1), ("news", 1)]
    text = "\n".join(finding_lines(found))
    assert "(news)" in text and "(again)" not in text
    elsewhere = rule(tmp_path, "again", sql='"SELECT 7 AS flow, 1 AS lost"')
    assert any("(again)" in line for line in finding_lines(asked(cause, elsewhere)))


def test_no_rule_drowns_the_others(tmp_path: Path) -> None:
    """Of very many findings of one rule the worst are told, and how many there are more."""
    sql = '"SELECT range AS flow, 1 AS lost, range AS cost_ns, range AS \\"group\\" FROM range(5000)"'
    found = asked(rule(tmp_path, "many", sql=sql), rule(tmp_path))
    assert len(found.findings) == 101
    assert found.left_out == {"many": 4900}
    assert [each.cost_ns for each in found.findings[:2]] == [4999, 4998]
    assert any("4,900 more findings of many" in line for line in not_checked_lines(found))


def test_a_rule_about_what_is_left_runs_last(tmp_path: Path) -> None:
    """It knows which counters other findings name."""
    last = rule(tmp_path, "a-last", sql='"SELECT 1 AS flow, count(*) AS lost FROM explained_counters"')
    (one, two) = asked(last, rule(tmp_path, counters='["TcpRetransSegs"]')).findings
    assert {one.rule.id, two.rule.id} == {"a-last", "some-rule"}
    assert {"10.0.0.1:40001 > 10.0.0.2:80 lost 1 segment"} <= {one.summary, two.summary}


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("{x:duration}", 1_520_000_000, "1.52 s"),
        ("{x:size}", 4344, "4.34 kB"),
        ("{x:rate}", 320_000, "320 kbit/s"),
        ("{x:share}", 0.931, "93 %"),
        ("{x:share}", 0.0004, "0.04 %"),
        ("{x:count}", 12345, "12,345"),
        ("{x:plain}", 50000, "50000"),
        ("{x:many entry/entries}", 2, "2 entries"),
        ("{x:many SYN}", 1, "1 SYN"),
        ("{x}", 12345, "12,345"),
        ("{x}", "text", "text"),
        ("{x}", None, "?"),
        ("{{x}}", 1, "{x}"),
    ],
)
def test_how_values_are_written(text: str, value: Any, shown: str) -> None:
    """In a sentence."""
    assert Template(text).fill({"x": value}, [{"x": value}], {}) == shown


def test_findings_as_text(tmp_path: Path) -> None:
    """Some in full, then a line each, then how many more; never wider than the terminal."""
    many = [
        rule(tmp_path, f"rule-{number:03}", sql=f'"SELECT {number} AS flow, 1 AS lost, {1000 - number} AS cost_ns, [{number + 1}] AS frames"',
             next='["look at it"]', severity='"warning"' if number < 40 else '"info"')
        for number in range(60)
    ]  # fmt: skip
    text = fitting("\n".join(finding_lines(asked(*many))) + "\n")
    assert text.startswith("warning  10.0.0.1:40000 > 10.0.0.2:80 lost 1 segment (rule-000)\n  cost   1 us\n")
    assert text.count("  next   look at it") == 10
    assert "and 10 more findings" in text and "and 10 more worth knowing" in text
