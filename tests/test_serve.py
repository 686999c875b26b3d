"""`tcpcap mcp`: every tool through the SDK's own client; only the folders that were named, answers of bounded size."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from analyzer.errors import UsageError
from analyzer.serve.captures import Captures
from analyzer.serve.server import server_of
from analyzer.serve.tools import MOST_BYTES, Tools, bounded
from tests.helpers import SAMPLES

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("open", {}),
    ("findings", {}),
    ("findings", {"number": 1}),
    ("flows", {"sort": "loss", "limit": 1}),
    ("flow", {"flow": "0"}),
    ("frames", {"numbers": [9, 10]}),
    ("counters", {"name": "listen"}),
    ("sql", {"query": "SELECT count(*) AS n FROM packets"}),
    ("open", {"part": {"frames": "9-"}}),
    ("sql", {"query": "SELECT min(frame) FROM packets", "part": {"flow": "3", "between": ["+1ms", "-"]}}),
    ("sql", {"query": "DROP VIEW flows"}),
    ("flow", {"flow": "77"}),
    ("findings", {"part": {"filter": "port"}}),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle, and beside it what must not be read."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(SAMPLES / "listen-overflows" / "server", folder / "shared" / "server")
    shutil.copy(SAMPLES / "zero-window" / "server" / "capture.pcap", folder / "secret.pcap")
    (folder / "shared" / "link.pcap").symlink_to(folder / "secret.pcap")
    (folder / "shared" / "bundle").mkdir()
    (folder / "shared" / "bundle" / "capture.pcap").symlink_to(folder / "secret.pcap")
    return folder


@pytest.fixture(scope="module")
def captures(folder: Path) -> Iterator[Captures]:
    """What may be asked about."""
    found = Captures([str(folder / "shared")])
    yield found
    found.close()


async def called(server: Any, calls: list[tuple[str, dict[str, Any]]]) -> tuple[list[Any], list[Any]]:
    """The tools that there are, and what each call gives."""
    async with Client(server) as client:
        tools = (await client.list_tools()).tools
        return tools, [await client.call_tool(name, arguments) for name, arguments in calls]


def test_the_tools_through_the_client(folder: Path) -> None:
    """Read-only, described; each answer is an object, each error a text that helps."""
    calls = [(name, {"capture": "server", **arguments}) for name, arguments in CALLS]
    tools, results = asyncio.run(called(server_of([str(folder / "shared")]), calls))
    assert [tool.name for tool in tools] == ["open", "findings", "flows", "flow", "frames", "counters", "sql"]
    assert all(tool.description and tool.annotations and tool.annotations.read_only_hint for tool in tools)
    assert [result.is_error for result in results] == [False] * 10 + [True] * 3
    about, found, one, flows, flow, frames, counters, count, part, first = [
        json.loads(result.content[0].text) for result in results[:10]
    ]
    assert about["findings"] == {"error": 2}
    assert about["start_time"] == "2026-11-21T12:59:26.796738941Z"
    assert found["findings"][0]["rule"] == "accept-queue-overflow"
    assert one["finding"]["next"] and one["finding"]["against"]
    assert (len(flows["flows"]), flows["total"], flows["more"]) == (1, 5, True)
    assert any("[S] 0:0(0)" in line for line in flow["time_line"])
    assert [frame["frame"] for frame in frames["frames"]] == [9, 10]
    assert {row["counter"] for row in counters["counters"]} == {"TcpExtListenOverflows", "TcpExtListenDrops"}
    assert count["rows"] == [[12]]
    assert "only 4 of 12 frames were asked for (frames 9-)" in str(part["capture_facts"])
    assert first["rows"] == [[8]]
    assert "nothing can be changed" in results[10].content[0].text
    assert "no flow 77; there are 5 flows, from 0 to 4" in results[11].content[0].text
    assert "--filter" in results[12].content[0].text
    assert results[0].structured_content == about


def test_the_command_speaks_on_standard_output(folder: Path) -> None:
    """The whole way: a process of its own, asked by the client."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "analyzer", "mcp", str(folder / "shared")], cwd=SAMPLES.parent
    )
    _, (about,) = asyncio.run(called(server, [("open", {"capture": "server"})]))
    assert json.loads(about.content[0].text)["states"] == {"open": 2, "unanswered": 3}


@pytest.mark.parametrize("name", ["../secret.pcap", "link.pcap", "bundle", "/etc/hosts", "nothing", "-", ""])
def test_only_what_lies_in_the_folders(name: str, captures: Captures) -> None:
    """No way up, no link out, not in full; the folder itself is no capture."""
    with pytest.raises(Exception, match=r"no capture|link to|without a capture|no such") as raised:
        captures.analysis(name)
    assert isinstance(raised.value, Exception) and "root:" not in str(raised.value)


def test_a_path_in_full_is_the_same_capture(folder: Path, captures: Captures) -> None:
    """And is not read twice."""
    path = str(folder / "shared" / "server")
    assert captures.analysis(path) is captures.analysis("server")


def test_a_folder_must_be_one(folder: Path) -> None:
    """Said before anything is served."""
    with pytest.raises(UsageError, match="no folder"):
        Captures([str(folder / "secret.pcap")])


def test_old_captures_are_let_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: the last few stay."""
    monkeypatch.setattr("analyzer.serve.captures.MOST_OPEN", 1)
    captures = Captures([str(folder)])
    captures.ask("secret.pcap")
    captures.analysis("shared/server")
    assert len(captures._open) == 1 and not captures._asks
    captures.close()


def test_answers_are_bounded(captures: Captures) -> None:
    """By bytes and by rows; that there is more is said."""
    items = [{"text": "x" * 1000} for _ in range(100)]
    told = bounded({"rows": items, "total": 100}, "rows")
    assert len(json.dumps(told)) <= MOST_BYTES
    assert told["more"] and 0 < len(told["rows"]) < 100
    assert bounded({"rows": items[:3]}, "rows") == {"rows": items[:3], "more": False}
    tools = Tools(captures)
    wide = tools.sql("server", "SELECT repeat('y', 100000) AS y", 1)
    assert (wide["rows"], wide["more"]) == ([], True)
    assert len(tools.sql("server", "FROM range(100000)", 5_000)["rows"]) == 200
    later = tools.flow("server", "0", first_line=3)
    assert later["time_line"] == tools.flow("server", "0")["time_line"][2:]
    with pytest.raises(UsageError, match="1 to 200"):
        tools.sql("server", "SELECT 1", 0)
