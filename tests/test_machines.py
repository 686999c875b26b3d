"""A dask cluster of two processes: the same answer, and workers that are not what they should be."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import attrgetter, methodcaller
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import fsspec
import pytest
from click.testing import CliRunner
from distributed import Client, LocalCluster

from analyzer import analyze
from analyzer.cli import cli
from analyzer.cluster import away, machines
from analyzer.cluster.executor import Result, Task
from analyzer.errors import CaptureError, TcpcapError, UsageError
from tests import build
from tests.simulated import EACH_S, JOIN_S, Measured, dealt, lines, measured
from tests.test_cluster import cut_at, records, said, told, written
from tests.test_cluster_files import as_of, content_of, ring, split
from tests.test_resume import PIECES, SHARES, Counting, cuts, interrupted


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two processes that know nothing of each other's files."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_the_same_answer(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a client, and by the address of its scheduler."""
    path = written(tmp_path, "losses", "pcap")
    expected = told(analyze(str(path)))
    cut_at(monkeypatch, [path.stat().st_size // 2])
    for cluster in (client, client.scheduler.address):
        analysis = analyze(str(path), cluster=cluster)
        assert analysis.one_pass == ""
        assert told(analysis) == expected


def test_gone_on_with(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What processes here have done the cluster goes on with, and the other way round: rows come along where they are kept."""
    path, folder = written(tmp_path, "losses", "pcap"), tmp_path / "work"
    expected = told(analyze(str(path)))
    cut_at(monkeypatch, cuts(path))
    interrupted(path, folder, PIECES + 1)
    begun = list(folder.iterdir())
    assert told(analyze(str(path), cluster=client, resume=folder)) == expected
    assert len(begun) == PIECES + 1
    real = machines.Machines.run

    def stopping(self: machines.Machines, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        for done in real(self, name, tasks):
            yield done
            if name == "judge":
                raise KeyboardInterrupt

    monkeypatch.setattr(machines.Machines, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        analyze(str(path), cluster=client, resume=folder)
    counting = Counting()
    assert told(analyze(str(path), cluster=counting, resume=folder)) == expected
    assert counting.done == {"judge": SHARES - 1}


def test_simulated(tmp_path: Path) -> None:
    """Who is free first takes the next task; a kind of tasks waits for the one before, and all wait for one process at the end."""
    assert sorted(dealt([3, 1, 1, 1], [0, 0])) == [3, 3]
    assert sorted(dealt([1, 1], [0, 5])) == [2, 5]
    run = Measured(2, {"scatter": [1.0, 3.0], "judge": [2.0, 2.0]}, 0.5, 0.25)
    assert run.simulated_s() == 3.25 + 2 + 0.5
    one = Measured(1, {"scatter": [4.0], "judge": [4.0]}, 0.5, 0.25)
    assert (one.simulated_s(), one.model_s(one)) == (8.5, 8.5)
    assert run.model_s(one) == pytest.approx((8 + 2 * EACH_S + 0.25) / 2 + 0.5 + 2 * JOIN_S)
    found = measured(str(written(tmp_path, "losses", "pcap")), 2, 0.25)
    assert {name: len(seconds) for name, seconds in found.tasks.items()} == {"scatter": 1, "judge": SHARES}
    *_, last = lines([one, found])
    assert last.startswith("| 2 | 5 | ")


def test_workers_that_do_not_fit(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other versions are refused by name; and so is a capture that no worker has."""
    with pytest.raises(CaptureError, match="no worker has it; copy or mount it there"):
        machines.connected(client, [str(tmp_path)])
    with fsspec.open("memory://here/x.pcap", "wb") as file:
        file.write(b"x")
    with pytest.raises(CaptureError, match=r"no worker can read it; pip install 'tcpcap\[remote\]' there"):
        machines.connected(client, ["memory://here/x.pcap"])
    own = machines.about()
    monkeypatch.setattr(machines, "about", lambda: own | {"numpy": "0.1"})
    monkeypatch.setattr(client, "run", lambda function, *given: {"tcp://a:1": own})
    with pytest.raises(UsageError, match=r"tcp://a:1 has numpy [\d.]+, and here it is 0.1; install the same"):
        machines.connected(client, [str(tmp_path)])


def disks(client: Any, folder: Path) -> dict[str, Path]:
    """A folder for each worker, by its name: what only that one is asked for, as if it were a disk of its own."""
    names = [str(each["name"]) for each in client.scheduler_info(n_workers=-1)["workers"].values()]
    places = {name: folder / f"disk of {name}" for name in names}
    for place in places.values():
        place.mkdir()
    return places


@pytest.mark.parametrize("kind", ["pcap", "interfaces"])
def test_files_at_workers_alone(client: Any, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names of workers or their addresses, one packed, a folder among them: each is read where it is, and by nobody else."""
    places = disks(client, tmp_path)
    first, second = list(places)
    address = next(
        address
        for address, each in client.scheduler_info(n_workers=-1)["workers"].items()
        if str(each["name"]) == first
    )
    pieces = [content_of(each, kind, at) for at, each in enumerate(split(records("losses"), 4, Random(kind)))]
    files = ring(places[first], [pieces[0], pieces[2]], ["", ".gz"]) + ring(places[second], [pieces[1], pieces[3]])
    expected = said(analyze(files))
    names = [f"{address}:{files[0]}", f"{first}:{files[1]}", f"{second}:{files[2]}", f"{second}:{files[3]}"]
    cut_at(monkeypatch, [len(pieces[0]) // 2, len(pieces[3]) // 3])
    seen: list[Any] = []
    real = client.submit

    def submitted(function: Any, *given: Any, **asked: Any) -> Any:
        if function is machines.done_alone:
            seen.append((given[1]["given"]["path"], asked["workers"]))
        return real(function, *given, **asked)

    monkeypatch.setattr(client, "submit", submitted)
    for on in (names, [*names[:2], f"{second}:{places[second]}"]):
        found = analyze(on=on, cluster=client)
        assert found.one_pass == ""
        assert as_of(said(found), found.paths, files) == expected
        for again in (attrgetter("packets"), methodcaller("series"), methodcaller("flow", 0)):
            with pytest.raises(UsageError, match="lies there alone, and was read there; copy it here first"):
                again(found)
        found.close()
    assert {path: len(workers) for path, workers in seen} == dict.fromkeys(files, 1)
    assert {path for path, workers in seen if workers == [address]} == set(files[:2])
    with pytest.raises(CaptureError, match="no such file"):
        analyze(names[2])


def test_resumed_at_workers(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a folder here in which what they have done is kept."""
    (place, *_) = disks(client, tmp_path).values()
    path, folder = written(place, "losses", "pcap"), tmp_path / "work"
    on = f"{place.name.rpartition(' ')[2]}:{path}"
    cut_at(monkeypatch, cuts(path))
    real = machines.Machines.run
    done: list[str] = []

    def stopping(self: machines.Machines, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        for each in real(self, name, tasks):
            done.append(name)
            yield each
            if len(done) == PIECES - 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(machines.Machines, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        analyze(on=on, cluster=client, resume=folder)
    assert analyze(on=on, cluster=client, resume=folder).one_pass == ""
    assert (done.count("scatter"), list(folder.iterdir())) == (PIECES, [])


def test_what_must_be_here(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one process alone can tell is refused, and so is what is not there."""
    places = disks(client, tmp_path)
    name, place = next(iter(places.items()))
    found = records("losses")
    paths = ring(place, [build.pcap(found[::2]), build.pcap(found[1::2])])
    on = [f"{name}:{path}" for path in paths]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"on": on}, "--on: one process must read all of it: there are several files that overlap in time"),
        ({"on": on[:1], "filter": "tcp"}, "--on: one process must read all of it: part of it is asked for; leave out"),
        ({"on": "nobody:/x.pcap"}, "no worker is called nobody; known are: .*127.0.0.1"),
        ({"on": f"{name}:{place}/not-there.pcap"}, "not-there.pcap: no such file; check the path, as .* sees it"),
        ({"on": f"{name}:not-from-the-root"}, "HOST:/path"),
        ({"on": on[:1], "cluster": None, "jobs": 4}, "no dask cluster is named; name it with --cluster"),
        ({"on": on[:1], "cluster": Counting()}, "no dask cluster is named"),
    ]
    for asked, message in cases:
        with pytest.raises((UsageError, CaptureError), match=message):
            analyze(**{"cluster": client, **asked})
    own = away.captures_at(paths[0])
    assert not isinstance(own, str)
    assert own[0][3] == Path(paths[0]).read_bytes()[: away.SHOWN_BYTES + 24]
    assert away.parsed("tcp://10.0.0.1:4000:/a:/b") == ("tcp://10.0.0.1:4000", "/a:/b")


def test_on_from_the_command_line(client: Any, tmp_path: Path) -> None:
    """Instead of TRACE; with several capture points, or an answer for each, it means nothing."""
    name, place = next(iter(disks(client, tmp_path).items()))
    path = written(place, "losses", "pcap")
    words = ["analyze", "--cluster", client.scheduler.address, "--on", f"{name}:{path}", "--json"]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["capture"]["files"][0]["path"] == f"{name}:{path}"
    for more, message in ((["--each"], "captures of --on are read as one"), (["--at", f"a={path}"], "capture points")):
        done = CliRunner().invoke(cli, [*words, *more])
        assert message in str(done.exception), done.output


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor the package that would find one."""
    monkeypatch.setattr(machines, "CONNECT_S", "0.2s")
    with pytest.raises(UsageError, match="no scheduler at tcp"):
        machines.connected("tcp://127.0.0.1:1", [str(tmp_path)])
    monkeypatch.setattr(machines, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"is not installed; pip install 'tcpcap\[cluster\]'"):
        machines.connected("tcp://127.0.0.1:1", [str(tmp_path)])


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 7 + b"\x7f" + b"\0" * 7 + b"\x10"])
def test_what_is_no_scheduler(said: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It takes the connection, and says nothing, or something else: no scheduler is there, and nobody waits for ever."""
    path = written(tmp_path, "windows", "pcap")
    monkeypatch.setattr(machines, "ANSWER_S", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def answer() -> None:
            with suppress(OSError):
                while True:
                    taken.append(server.accept()[0])
                    taken[-1].sendall(said)

        Thread(target=answer, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UsageError, match="--cluster: no scheduler at"):
            analyze(str(path), cluster=address)
        server.shutdown(socket.SHUT_RDWR)
        for each in taken:
            each.close()


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "", "..", ".", "a\0b"])
def test_files_that_want_to_be_elsewhere(name: str, tmp_path: Path) -> None:
    """What comes from a worker is written where it belongs, and nowhere else."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(TcpcapError, match="was sent"):
        machines._lay_files(tmp_path / "folder", {"found": b"1", name: b"2"})
    assert [each.name for each in tmp_path.rglob("*")] == ["folder", "found"]
