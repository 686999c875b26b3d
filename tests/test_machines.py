"""A dask cluster of two processes: the same answer, and workers that are not what they should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from analyzer import analyze
from analyzer.cluster import machines
from analyzer.cluster.executor import Result, Task
from analyzer.errors import CaptureError, UsageError
from tests.simulated import EACH_S, JOIN_S, Measured, dealt, lines, measured
from tests.test_cluster import cut_at, told, written
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
    own = machines.about()
    monkeypatch.setattr(machines, "about", lambda: own | {"numpy": "0.1"})
    monkeypatch.setattr(client, "run", lambda function, *given: {"tcp://a:1": own})
    with pytest.raises(UsageError, match=r"tcp://a:1 has numpy [\d.]+, and here it is 0.1; install the same"):
        machines.connected(client, [str(tmp_path)])


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor the package that would find one."""
    monkeypatch.setattr(machines, "CONNECT_S", "0.2s")
    with pytest.raises(UsageError, match="no scheduler at tcp"):
        machines.connected("tcp://127.0.0.1:1", [str(tmp_path)])
    monkeypatch.setattr(machines, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"is not installed; pip install 'tcpcap\[cluster\]'"):
        machines.connected("tcp://127.0.0.1:1", [str(tmp_path)])
