"""A dask cluster of two processes: the same answer, and workers that are not what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client, LocalCluster

from analyzer import analyze
from analyzer.cluster import machines
from analyzer.errors import CaptureError, UsageError
from tests.test_cluster import cut_at, told, written


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


def test_workers_that_do_not_fit(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other versions are refused by name; and so is a capture that no worker has."""
    with pytest.raises(CaptureError, match="no worker has it; copy or mount it there"):
        machines.connected(client, str(tmp_path))
    own = machines.about()
    monkeypatch.setattr(machines, "about", lambda: own | {"numpy": "0.1"})
    monkeypatch.setattr(client, "run", lambda function, *given: {"tcp://a:1": own})
    with pytest.raises(UsageError, match=r"tcp://a:1 has numpy [\d.]+, and here it is 0.1; install the same"):
        machines.connected(client, str(tmp_path))


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nor the package that would find one."""
    monkeypatch.setattr(machines, "CONNECT_S", "0.2s")
    with pytest.raises(UsageError, match="no scheduler at tcp"):
        machines.connected("tcp://127.0.0.1:1", str(tmp_path))
    monkeypatch.setattr(machines, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"is not installed; pip install 'tcpcap\[cluster\]'"):
        machines.connected("tcp://127.0.0.1:1", str(tmp_path))
