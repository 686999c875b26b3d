"""`tcpcap sql` and `tcpcap flows`: the tables of a capture in SQL, only what a query reads, confined; connections, sorted."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pytest

from analyzer import Analysis, analyze
from analyzer.ask import Ask, Request
from analyzer.ask.plan import Planner, columns_shown
from analyzer.cli.prompt import Editing, completions, ends
from analyzer.cli.sql import split
from analyzer.errors import UsageError
from analyzer.report.flow_list import SORTS, chosen_columns, first_of, sort_key
from analyzer.tables import FLOWS, TABLES
from tests.command import run_here
from tests.helpers import SAMPLES

TRACE = SAMPLES / "loss-ipv6" / "client"
FULL_QUEUE = SAMPLES / "listen-overflows" / "server"


@cache
def sample() -> Analysis:
    """A capture with a lossy connection, one that is not answered, and a UDP datagram."""
    return analyze(TRACE)


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Its tables."""
    with Ask(sample()) as asked:
        yield asked


def answer(ask: Ask, sql: str) -> list[tuple[object, ...]]:
    """All rows."""
    return ask.query(sql).first(10_000)[0]


def test_what_is_chosen_is_asked_and_listed_and_followed(capsys: pytest.CaptureFixture[str]) -> None:
    """With the numbers that flows and frames have in the whole capture."""
    chosen = ("--frames", "9-")
    with Ask(Request([str(FULL_QUEUE)], analyze, chosen={"frames": "9-"})) as asked:
        frames = [row[0] for row in answer(asked, "SELECT frame FROM packets ORDER BY 1")]
        flows = [row[0] for row in answer(asked, "SELECT flow FROM flows ORDER BY 1")]
        told = [row[0] for row in answer(asked, "SELECT flow FROM flow_events")]
    whole = analyze(FULL_QUEUE).packets
    assert frames == list(range(9, len(whole) + 1))
    assert flows == sorted(set(whole["flow"][8:].tolist())) != list(range(len(flows)))
    assert set(told) <= set(flows)
    listed = json.loads(run_here("flows", FULL_QUEUE, *chosen, "--json", capsys=capsys).out)["flows"]
    assert [row["flow"] for row in listed] == flows
    story = json.loads(run_here("flow", FULL_QUEUE, str(flows[-1]), *chosen, "--json", capsys=capsys).out)
    mine = whole[(whole["flow"] == flows[-1]) & (whole["frame"] >= 9)]
    assert [row["frame"] for row in story["frames"]] == mine["frame"].tolist()


# What is read


def test_planners_go_on_alone() -> None:
    """They plan over the same empty tables; one that is closed takes nothing from the other."""
    mine = {"flow": [1]}
    one, other = Planner(), Planner()
    assert one.needs("SELECT flow FROM flows") == {"flows": ["flow"]}
    one.close()
    assert other.needs("SELECT frame FROM packets") == {"packets": ["frame"]}
    with pytest.raises(UsageError, match="mine"):
        other.needs("SELECT * FROM mine")
    assert mine


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT frame FROM packets WHERE seq > 5", {"packets": {"frame", "seq"}}),
        ("SELECT time FROM packets ORDER BY frame", {"packets": {"frame", "time_ns"}}),
        ("SELECT count(*) FROM packets", {"packets": {"frame"}}),
        ("SELECT f.flow FROM flows f JOIN events USING (flow) WHERE event = 'x'", {"flows": {"flow"}, "events": {"flow", "event"}}),
        ("WITH x AS (FROM events) SELECT frame FROM x", {"events": {"frame"}}),
        ("SELECT 1", {}),
        ("SELECT client FROM flows WHERE flow IN (SELECT flow FROM events WHERE frame < 3)",
         {"flows": {"client", "flow"}, "events": {"flow", "frame"}}),
        ("FROM events", {"events": {column.name for column in TABLES["events"].columns if column.public}}),
        ("SELECT e FROM events e", {"events": {column.name for column in TABLES["events"].columns if column.public}}),
    ],
)  # fmt: skip
def test_only_what_a_query_reads_is_made(sql: str, expected: dict[str, set[str]]) -> None:
    """Tables and columns, by DuckDB's own plan."""
    planner = Planner()
    assert {name: set(columns) for name, columns in planner.needs(sql).items()} == expected
    planner.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT flow, count(*) AS n, sum(payload_len) AS s FROM packets WHERE flow >= 0 GROUP BY ALL ORDER BY flow",
        "SELECT e FROM (SELECT frame, event, cause FROM events) e ORDER BY frame, event",
        "SELECT DISTINCT src, dst FROM packets WHERE ip_version = 6 AND payload_len > 0 ORDER BY ALL",
        "SELECT client, event, count(*) FROM flows JOIN events USING (flow) GROUP BY ALL ORDER BY ALL",
        "SELECT frame FROM packets QUALIFY row_number() OVER (PARTITION BY flow ORDER BY frame DESC) = 1 ORDER BY frame",
        "SELECT count(*) FROM packets p WHERE EXISTS (FROM events e WHERE e.frame = p.frame AND event = 'retransmission')",
    ],
)
def test_answers_are_those_of_whole_tables(sql: str) -> None:
    """What a query does not read is missing in the database, and never in an answer."""
    whole = duckdb.connect()
    for name in ("packets", "events", "flows"):
        frame = getattr(sample(), name)
        whole.register(name, frame.astype({key: str for key, kind in frame.dtypes.items() if kind == "category"}))
    with Ask(sample()) as fresh:
        assert answer(fresh, sql) == whole.execute(sql).fetchall()


def test_a_table_grows_with_the_questions(ask: Ask) -> None:
    """What was there before stays, and the answer is the same."""
    before = answer(ask, "SELECT frame FROM packets ORDER BY frame")
    answer(ask, "SELECT max(tsval) FROM packets")
    assert answer(ask, "SELECT frame FROM packets ORDER BY frame") == before
    assert len(before) == sample().summary.total("frames")


@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_asked(table: str) -> None:
    """As many rows as in Python, every column of the view, moments as timestamps."""
    with Ask(full()) as asked:
        found = asked.query(f"FROM {table}")
        rows, _ = found.first(100_000)
        kinds = dict(zip(found.names, found.types, strict=True))
    assert found.names == columns_shown(TABLES[table])
    expected = full().series() if table == "series" else getattr(full(), table)
    assert len(rows) >= len(expected) > 0 or table in ("capture_facts", "not_checked")
    moments = {name for name in found.names if name.endswith("time") or name == "time"}
    assert {name for name, kind in kinds.items() if kind == "TIMESTAMP_NS"} == moments


@cache
def full() -> Analysis:
    """A bundle with counters and sockets."""
    return analyze(FULL_QUEUE)


def test_moments_keep_their_nanoseconds(ask: Ask) -> None:
    """As numbers and as timestamps, and lists are lists."""
    ((number, text),) = answer(ask, "SELECT time_ns, time FROM packets WHERE frame = 1")
    assert text == "2026-11-20T20:03:36.518202131Z" and number == 1795205016518202131
    assert answer(ask, "SELECT epoch_ns(time) - time_ns FROM packets WHERE frame = 5") == [(0,)]
    assert answer(ask, "SELECT frames[1] FROM findings WHERE rule = 'packet-loss'") == [(73,)]
    assert answer(ask, "SELECT duration(1500000)") == [("1.5 ms",)]


# What cannot be asked


def test_the_answer_in_python() -> None:
    """A DataFrame: dates, whole numbers, lists; of a part of a capture that part."""
    query = "SELECT event, sum(value) AS total, max(time) AS last, list(frame) AS frames FROM events GROUP BY ALL"
    found, events = sample().sql(query), sample().events
    sums = events.groupby("event", observed=True)["value"].sum().to_dict()
    assert dict(zip(found["event"], found["total"], strict=True)) == sums
    assert found["total"].dtype == np.int64 and str(found["last"].dtype) == "datetime64[ns, UTC]"
    assert sorted(frame for frames in found["frames"] for frame in frames) == sorted(events["frame"])
    part = analyze(FULL_QUEUE, frames="9-", checksums=False)
    assert part.sql("SELECT min(frame) AS first FROM packets")["first"].tolist() == [9]
    assert part.sql("SELECT * FROM checksums").empty
    assert part.sql("SELECT count(*) AS n FROM flows")["n"].tolist() == [len(part.flows)]
    with pytest.raises(UsageError, match="Did you mean"):
        part.sql("SELECT * FROM pakets")


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nothing FROM flows", "not found in FROM clause"),
        ("FROM flow", "did you mean|Did you mean"),
        ("SELECT 1; SELECT 2", "not one SELECT"),
        ("DROP VIEW flows", "not one SELECT"),
        ("INSERT INTO store.events (frame) VALUES (1)", "not one SELECT"),
        ("COPY flows TO 'out.csv'", "not one SELECT"),
        ("ATTACH 'out.duckdb' AS x", "not one SELECT"),
        ("INSTALL httpfs", "not one SELECT"),
        ("SET memory_limit = '1TB'", "not one SELECT"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled by configuration"),
        ("FROM '/etc/passwd'", "does not exist"),
        ("SELECT * FROM glob('/etc/*')", "disabled by configuration"),
        ("SELECT getenv('HOME')", "does not exist"),
        ("SELEC 1", "syntax error"),
        ("SELECT error('no')", "no"),
    ],
)
def test_what_cannot_be_asked(ask: Ask, sql: str, words: str) -> None:
    """Nothing can be changed, no file be read; the error says what is wrong."""
    with pytest.raises(UsageError, match=words):
        answer(ask, sql)


def test_a_query_that_takes_too_long_is_stopped() -> None:
    """Where there is a limit, of the time of a processor: what works for it works where that is counted."""
    begun = time.process_time()
    with (
        Ask(sample(), limit_s=0.2) as asked,
        pytest.raises(UsageError, match=r"longer than 0\.2 s"),
    ):
        begun = time.process_time()
        answer(asked, "SELECT count(*) FROM range(100000) a, range(1000000) b WHERE (a.range * b.range) % 7 = 3")
    assert time.process_time() - begun < 1


# The command


def test_the_answer_as_text_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A grid with numbers to the right; an object; what was left out is said."""
    query = "SELECT event, count(*) AS n, min(frame) AS first FROM events GROUP BY event ORDER BY n DESC, event"
    assert run_here("sql", TRACE, query, "--limit", "2", capsys=capsys).out == (
        "event           n  first\n"
        "duplicate_ack  47     68\n"
        "window_update  29    102\n"
        "... more rows than these 2: --limit N, or -o FILE for all of them\n"
    )
    told = json.loads(run_here("sql", TRACE, query, "--json", capsys=capsys).out)
    assert told["columns"][1] == {"name": "n", "type": "BIGINT"}
    assert (told["rows"][0], told["more"]) == (["duplicate_ack", 47, 68], False)


def test_the_answer_as_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By the ending, or the format; each keeps the nanoseconds and the type."""
    query = "SELECT frame, time, sum(payload_len) OVER () AS all_bytes, src FROM packets ORDER BY frame LIMIT 2"
    parquet = tmp_path / "out.parquet"
    assert run_here("sql", TRACE, query, "-o", parquet, capsys=capsys).status == 0
    rows = duckdb.sql(f"SELECT frame, epoch_ns(time), all_bytes, src FROM '{parquet}'").fetchall()
    assert rows[0] == (1, 1795205016518202131, 170063, "2001:db8::1")
    stdout = run_here("sql", TRACE, query, "--format", "jsonl", capsys=capsys).out.splitlines()
    assert json.loads(stdout[0])["time"] == "2026-11-20T20:03:36.518202131Z"
    csv = run_here("sql", TRACE, query, "--format", "csv", capsys=capsys).out.splitlines()
    assert csv[:2] == ["frame,time,all_bytes,src", "1,2026-11-20 20:03:36.518202131,170063,2001:db8::1"]
    done = run_here("sql", TRACE, query, "-o", TRACE / "capture.pcap", "--format", "csv", capsys=capsys)
    assert (done.status, "name another file" in done.err) == (2, True)


def test_questions_through_a_pipe(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, over lines; an error is said and the next is answered. The status is that of the last error."""
    text = ".tables\nSELECT count(*)\n  FROM packets; SELECT 'a;b' AS x;\nSELECT nothing FROM flows;\nSELECT 7 AS y"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    done = run_here("sql", TRACE, capsys=capsys)
    assert done.status == 2
    told = [line.strip() for line in done.out.splitlines()]
    assert [line for line in told if line in ("228", "a;b", "7")] == ["228", "a;b", "7"]
    assert "findings       One row per finding" in done.out
    assert "Candidate bindings" in done.err
    assert run_here("sql", "-", capsys=capsys).status == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("a.pcap", "SELECT 1"), (("a.pcap",), "SELECT 1")),
        (("a.pcap", "b.pcap"), (("a.pcap", "b.pcap"), None)),
        (("a.pcap", "b.pcap", "FROM flows;"), (("a.pcap", "b.pcap"), "FROM flows;")),
    ],
)
def test_which_word_is_the_question(words: tuple[str, ...], expected: object) -> None:
    """The last, where it is no file."""
    assert split(words) == expected


def test_a_question_alone_lacks_a_capture(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not taken for a file."""
    assert "name a capture before the question" in run_here("sql", "SELECT 1", capsys=capsys).err


# The prompt


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SELECT 1;", True), ("SELECT 1", False), ("SELECT ';", False), ("SELECT ';'; -- x;", True), ("-- x;", False), ("SELECT '''';", True)],
)  # fmt: skip
def test_where_a_statement_ends(text: str, expected: bool) -> None:
    """At a semicolon that stands in no text and no comment."""
    assert ends(text) is expected


def test_completion_knows_tables_columns_and_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In the case that is typed; and a history that stays."""
    assert {"flow_events", "flows", "flow"} <= set(completions("flo"))
    assert {"client_retransmissions", "client_retransmitted_bytes"} <= set(completions("client_retr"))
    assert completions("SEL") == ["SELECT"]
    assert completions("sel") == ["select"]
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    readline = pytest.importorskip("readline")
    readline.clear_history()
    with Editing() as editing:
        assert editing.complete("not_che", 0) == "not_checked"
        assert editing.complete("not_che", 1) is None
        readline.add_history("SELECT 42;")
    readline.clear_history()
    with Editing():
        assert readline.get_history_item(1) == "SELECT 42;"
    readline.clear_history()


# Connections, sorted


@pytest.mark.parametrize("name", SORTS)
@pytest.mark.parametrize("count", [1, 2, 100])
def test_the_first_of_all_parts(name: str, count: int) -> None:
    """The same as sorting all at once, whatever the parts; of equals the earlier comes first."""
    rows = np.concatenate([sample().flow_tracker.rows(), full().flow_tracker.rows()])
    rows["flow"] = np.arange(len(rows))
    keys = sort_key(name)(rows)
    expected = sorted(range(len(rows)), key=lambda at: (-keys[at], at))[:count]
    for size in (1, 3, len(rows)):
        parts = [rows[at : at + size] for at in range(0, len(rows), size)]
        found, total = first_of(parts, sort_key(name), count)
        assert found["flow"].tolist() == expected
        assert total == len(rows)
    least, _ = first_of([rows], sort_key(name), 1, ascending=True)
    assert sort_key(name)(least)[0] == keys.min()


def test_the_list_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    """What matters of each; how many were left out."""
    assert run_here("flows", FULL_QUEUE, "--sort", "duration", "--top", "2", capsys=capsys).out == (
        "flow  ends                               ended       lasted  packets  bytes  sent again       lost  round trip\n"
        "   2  10.0.0.1:40003 > 10.0.0.2:80  tcp  unanswered  1.05 s        2  148 B           1  1 (50.0%)\n"
        "   3  10.0.0.1:40004 > 10.0.0.2:80  tcp  unanswered  1.04 s        2  148 B           1  1 (50.0%)\n"
        "... and 3 more flows: --top N\n"
    )


def test_columns_and_forms_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """These columns only, as text, as an object, or a line each; all of them without --top."""
    names = ("--columns", "flow, state,start_ns")
    text = run_here("flows", FULL_QUEUE, *names, "--sort", "flow", "--ascending", "--top", "1", capsys=capsys).out
    assert text.splitlines()[:2] == ["flow  state             start_ns", "   0  open   1795265966796738941"]
    told = json.loads(run_here("flows", FULL_QUEUE, *names, "--json", capsys=capsys).out)
    assert told["total"] == len(told["flows"]) == 5
    assert list(told["flows"][0]) == ["flow", "state", "start_ns", "start_time"]
    some = json.loads(
        run_here("flows", FULL_QUEUE, *names, "--json", "--top", "2", "--sort", "loss", capsys=capsys).out
    )
    assert ([row["flow"] for row in some["flows"]], some["total"]) == ([2, 3], 5)
    lines = run_here("flows", FULL_QUEUE, *names, "--ndjson", capsys=capsys).out.splitlines()
    assert [json.loads(line) for line in lines] == [{"table": "flows", **row} for row in told["flows"]]


def test_unknown_columns_name_the_nearest() -> None:
    """Of both options."""
    with pytest.raises(UsageError, match="start_time"):
        chosen_columns("flow,start_tim")
    with pytest.raises(UsageError, match="did you mean loss"):
        sort_key("los")
    assert sort_key("client_mss")(np.zeros(1, FLOWS.dtype)).tolist() == [0.0]
