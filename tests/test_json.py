"""What is printed as JSON: every nanosecond survives any reader, the schema fits, errors are objects, tables stream."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from analyzer import Analysis, analyze
from analyzer.cli import main
from analyzer.moments import MOMENTS, moments_of, rfc3339, rfc3339_texts, timed, with_texts
from analyzer.report.flow_json import flow_pieces
from analyzer.report.json_schema import json_schema
from analyzer.report.json_text import json_pieces, ndjson_pieces
from analyzer.tables import EVENTS, TABLES
from tests.command import run_here
from tests.helpers import SAMPLES

SCHEMA = json_schema()
# A full queue with counters and sockets, losses, IPv6, UDP without a connection, and a capture whose frames are cut.
NAMES = ("listen-overflows/server", "loss-ipv6/client", "corrupt-udp/server", "snaplen/client", "forwarding-nat/router")


@cache
def sample(name: str) -> Analysis:
    """A sample, analysed once."""
    return analyze(SAMPLES / name)


def validator(name: str) -> Draft202012Validator:
    """Of one thing that is printed."""
    return Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{name}"}]})


def wrong(name: str, told: Any) -> list[str]:
    """What does not fit the schema."""
    errors = validator(name).iter_errors(told)
    return [
        f"{list(each.absolute_path)}: {each.message[:200]}" for error in errors for each in error.context or [error]
    ]


# Moments


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1_763_660_000_123_456_789, "2025-11-20T17:33:20.123456789Z"),
        (1_763_660_000_000_000_000, "2025-11-20T17:33:20.000000000Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (2**63 - 1, "2262-04-11T23:47:16.854775807Z"),
        (-(2**63), None),
    ],
)
def test_moments_have_nine_places(time_ns: int, text: str | None) -> None:
    """Whatever a capture holds."""
    assert rfc3339(time_ns) == text
    assert rfc3339_texts(np.array([time_ns])).tolist() == [text]
    assert timed({"time_ns": time_ns, "value": 1}) == {"time_ns": time_ns, "time": text, "value": 1}


def test_all_moments_are_known() -> None:
    """A column in nanoseconds that is no moment says that it is a length of time: its name is longer."""
    names = {
        column.name for table in TABLES.values() for column in table.columns if column.unit == "ns" and column.public
    }
    short = {name for name in names if re.fullmatch(r"[a-z]+_ns", name)}
    assert short - set(MOMENTS) == {"cost_ns", "duration_ns", "since_ns"}
    assert set(MOMENTS) <= names
    assert moments_of(EVENTS) == {"time_ns": "time"}


def test_a_table_gets_the_text_behind_the_number() -> None:
    """One that has no rows, too; with the name of the table where that is asked for."""
    empty = with_texts(EVENTS.empty(), "events")
    assert list(empty)[:4] == ["table", "frame", "time_ns", "time"]
    assert with_texts(sample(NAMES[0]).findings)["start_time"][0] == "2026-11-21T12:59:26.817594149Z"


# The objects


@pytest.mark.parametrize("name", NAMES)
def test_the_schema_fits(name: str) -> None:
    """All that is printed of a sample: the object, the lines, a connection."""
    analysis = sample(name)
    told = json.loads("".join(json_pieces(analysis)))
    assert wrong("analyze", told) == []
    lines = [json.loads(line) for line in "".join(ndjson_pieces(analysis)).splitlines()]
    assert [line["table"] for line in lines if wrong("line", line)] == []
    assert [row for row in lines if row["table"] == "flows"] == [{"table": "flows", **row} for row in told["flows"]]
    assert len([row for row in lines if row["table"] == "findings"]) == len(told["findings"])
    assert wrong("follow", json.loads("".join(flow_pieces(analysis.flow(0))))) == []


def test_the_schema_refuses_what_does_not_fit() -> None:
    """A key too many or too few, a number for a word, a moment without its places."""
    Draft202012Validator.check_schema(SCHEMA)
    told = json.loads("".join(json_pieces(sample(NAMES[0]))))
    for spoil in (
        lambda each: each.update(more=1),
        lambda each: each.pop("warnings"),
        lambda each: each["findings"][0].update(severity="bad"),
        lambda each: each["flows"][0].update(start_time="2026-11-21T12:59:26Z"),
        lambda each: each["flows"][0].update(state=3),
        lambda each: each.update(schema_version=0),
    ):
        spoiled = json.loads(json.dumps(told))
        spoil(spoiled)
        assert wrong("analyze", spoiled)


def test_top_holds_for_json() -> None:
    """The busiest; all of them without it."""
    analysis = sample("loss-ipv6/client")
    told = json.loads("".join(json_pieces(analysis, 1)))
    assert [row["flow"] for row in told["flows"]] == analysis.flow_tracker.busiest(1)["flow"].tolist()
    assert len(told["time"]["slowest"]) <= 1
    assert len(json.loads("".join(json_pieces(analysis)))["flows"]) == 2


def test_jq_keeps_every_nanosecond() -> None:
    """Numbers of 2^53 and more are doubles there; the texts are not."""
    told = "".join(json_pieces(sample(NAMES[0])))
    query = ".flows[].start_time, .findings[].start_time, .counters[0].end_time, .capture.first_time"
    done = subprocess.run(["jq", "-r", query], input=told, capture_output=True, text=True, check=True)
    plain = json.loads(told)
    numbers = [row["start_ns"] for row in (*plain["flows"], *plain["findings"])]
    numbers += [plain["counters"][0]["end_ns"], plain["capture"]["first_ns"]]
    assert done.stdout.split() == [rfc3339(number) for number in numbers]
    assert any(number % 1000 for number in numbers)


# The commands


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("analyze", "nothing-there.pcap"), "nothing-there.pcap"),
        (("flow", "samples/zero-window/server", "99"), "FLOW"),
        (("flows", "samples/zero-window/server", "--sort", "lost"), "--sort"),
        (("sql", "samples/zero-window/server", "SELECT nothing FROM flows"), "SQL"),
        (("analyze", "--no-such-option"), None),
    ],
)
def test_errors_are_objects_where_json_was_asked_for(
    words: tuple[str, ...], where: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard output; people read the same on standard error, as without --json."""
    monkeypatch.chdir(SAMPLES.parent)
    plain, done = run_here(*words, capsys=capsys), run_here(*words, "--json", capsys=capsys)
    assert (plain.status, plain.out) == (2, "")
    told = json.loads(done.out)
    assert wrong("error", told) == []
    assert (told["status"], told["error"].get("where")) == (2, where)
    assert told["error"]["text"].split("\n")[0] in done.err
    assert done.err.splitlines()[-1] == plain.err.splitlines()[-1]


def test_lines_and_schema_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    """`--ndjson`, `schema --json`, of a table, too."""
    trace = SAMPLES / "zero-window" / "server"
    lines = run_here("analyze", trace, "--ndjson", "--top", "1", capsys=capsys).out.splitlines()
    assert json.loads(lines[0])["schema_version"] == 1
    assert [json.loads(line)["table"] for line in lines][:2] == ["capture", "findings"]
    main(["schema", "--json"])
    assert json.loads(capsys.readouterr().out) == SCHEMA
    main(["schema", "flows", "--json"])
    assert json.loads(capsys.readouterr().out) == SCHEMA["$defs"]["flows"]
