"""A dask cluster that does tasks: futures only. What a task writes stays with who did it, and goes to who reads it; files need not be shared.

A task writes a `folder` and may read others, its `folders`; here each is the bytes of its files, by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from analyzer.capture.opened import size_of
from analyzer.capture.where import away_of, is_url, named
from analyzer.cluster import shares
from analyzer.cluster.away import lay_out, parsed, workers_of
from analyzer.cluster.executor import Result, Task
from analyzer.cluster.same import about
from analyzer.cluster.tasks import run
from analyzer.ending import within
from analyzer.errors import CaptureError, TcpcapError, UsageError
from analyzer.output import removed, temporary_folder, whole_folder

Files = dict[str, bytes]
Done = tuple[Result, Files]
TRIES = 3
CONNECT_S, ANSWER_S = "10s", 20.0


class Machines:
    """An Executor on a cluster, which has each file of the capture on at least one machine, under the same name as here, or there alone."""

    def __init__(self, client: Any, paths: Sequence[str], own: bool = False) -> None:
        self._client, self._own = client, own
        self.keeps_rows = False  # what is written comes here with the rows of flows, so that it may be gone on with
        self._ranges: dict[str, Any] = {}  # what was written into a folder: who has it knows dask
        refuse_others(client)
        self._holders = _holders(client, paths)
        self.width = sum(client.nthreads().values())

    def __enter__(self) -> Machines:
        return self

    def __exit__(self, *_: object) -> None:
        self._ranges.clear()
        if self._own:
            self._client.close()

    def run(self, name: str, tasks: Sequence[Task]) -> Iterator[tuple[int, Result]]:
        begun = {self._begun(name, task): position for position, task in enumerate(tasks)}
        small = {
            done if self.keeps_rows else self._client.submit(without_rows, done, pure=False): done for done in begun
        }
        try:
            for future in _distributed().as_completed(list(small), loop=self._client.loop):
                position = begun[small[future]]
                facts, files = _result(future)
                folder = Path(tasks[position]["folder"])
                with whole_folder(folder) as draft:
                    _lay_files(draft, files)
                self._ranges[str(folder)] = small[future]
                yield position, facts
        finally:
            for future in (*small, *begun):
                if future.status == "pending":
                    future.cancel()

    def _begun(self, name: str, task: Task) -> Any:
        """The task, on its way to somebody who can do it."""
        given = dict(task)
        if "folders" not in given:
            wanted = given["given"]
            path, holders = self._holders[wanted["path"]]
            given["given"] = {**wanted, "path": path}
            return self._client.submit(done_alone, name, given, workers=holders, retries=TRIES, pure=False)
        read = [
            self._client.submit(of_share, self._range(folder), given["share"], pure=False)
            for folder in given["folders"]
        ]
        return self._client.submit(done_with, name, given, read, retries=TRIES, pure=False)

    def _range(self, folder: str) -> Any:
        """What a range wrote: at who did it, or sent there where it was done before this cluster was asked."""
        if folder not in self._ranges:
            files = {file.name: file.read_bytes() for file in Path(folder).iterdir()}
            self._ranges[folder] = self._client.scatter(({}, files), hash=False)
        return self._ranges[folder]


def connected(cluster: Any, paths: Sequence[str]) -> Machines:
    """The cluster at an address, or of a dask client, with the files of a capture. Raises UsageError where it cannot be used."""
    client, own = client_of(cluster)
    try:
        return Machines(client, paths, own=own)
    except BaseException:
        if own:
            client.close()
        raise


def client_of(cluster: Any) -> tuple[Any, bool]:
    """A client of the cluster at an address, or that client itself; and is it ours to close? Raises UsageError where there is none."""
    if find_spec("distributed") is None:
        raise UsageError("--cluster", "dask.distributed is not installed", "pip install 'tcpcap[cluster]'")
    if isinstance(cluster, _distributed().Client):
        return cluster, False
    try:
        # Who takes a connection and says nothing is waited for by dask for ever; who talks of something else may have it ask for any memory.
        return within(ANSWER_S, lambda: _distributed().Client(cluster, timeout=CONNECT_S, set_as_default=False)), True
    except (OSError, ValueError, MemoryError) as error:
        todo = "start one: dask scheduler, and dask worker ADDRESS on each machine"
        raise UsageError("--cluster", f"no scheduler at {cluster} ({error})", todo) from None


def laid_out(cluster: Any, on: Sequence[str]) -> list[str]:
    """The names of captures that lie at workers alone, each known here by its name as long as somebody reads it.

    Raises UsageError where there is no cluster, no such worker or another tcpcap, CaptureError where there is no such file.
    """
    for each in on:
        parsed(each)  # before anybody is asked
    if cluster is None or not (isinstance(cluster, str) or hasattr(cluster, "scheduler_info")):
        raise UsageError("--on", "no dask cluster is named", "name it with --cluster ADDRESS")
    client, own = client_of(cluster)
    try:
        refuse_others(client)
        return lay_out(client, on)
    finally:
        if own:
            client.close()


def done_alone(name: str, given: dict[str, Any]) -> Done:
    """At a worker: do a task that reads no folder."""
    return done_with(name, given, [])


def done_with(name: str, given: dict[str, Any], read: Sequence[Files]) -> Done:
    """At a worker: do a task whose folders hold these files."""
    place = temporary_folder()
    try:
        folders = [place / f"{number}" for number in range(len(read))]
        for folder, files in zip(folders, read, strict=True):
            folder.mkdir()
            _lay_files(folder, files)
        own = {**given, "folder": str(place / "done")}
        facts = run(name, own | ({"folders": [str(each) for each in folders]} if read else {}))
        return facts, {file.name: file.read_bytes() for file in (place / "done").iterdir()}
    finally:
        removed(place)


def _lay_files(folder: Path, files: Files) -> None:
    """Write files into a folder, and nowhere else. Raises TcpcapError where that is not all that was sent."""
    for name, content in files.items():
        if name in ("", "..") or "\0" in name or Path(name).name != name:
            raise TcpcapError("--cluster", f"a file called {name!r} was sent", "does another tcpcap work there?")
        (folder / name).write_bytes(content)


def of_share(done: Done, share: int) -> Files:
    """At a worker: of what a range wrote, the rows of a share."""
    return shares.only(done[1], share)


def without_rows(done: Done) -> Done:
    """At a worker: what goes to who asked, all but the rows of flows."""
    facts, files = done
    return facts, {name: content for name, content in files.items() if name not in (shares.ROWS, shares.BLOCKS)}


def sizes_of(paths: Sequence[str]) -> list[int]:
    """At a worker: bytes of each file, -1 where it cannot be read."""
    return list(map(_size_of, paths))


def _size_of(path: str) -> int:
    try:
        size = size_of(path)
    except (TcpcapError, OSError):  # who has none is not asked to read it
        return -1
    return -1 if size is None else size


def _distributed() -> Any:
    """Imported when there is a cluster."""
    return import_module("distributed")


def refuse_others(client: Any) -> None:
    """Raise UsageError where a worker is not what this process is."""
    own = about()
    for worker, told in client.run(about).items():
        for name, value in told.items():
            if value != own[name]:
                found = f"{worker} has {name} {value}, and here it is {own[name]}"
                raise UsageError("--cluster", found, "install the same on all machines")


def _holders(client: Any, paths: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """What each file is called at the workers that have it, and which these are."""
    lying = {path: away_of(path) for path in paths}
    there = {path: path if away is None else away.path for path, away in lying.items()}
    told = client.run(sizes_of, list(there.values()))
    found = {}
    for at, (path, away) in enumerate(lying.items()):
        workers = list(told) if away is None else workers_of(client, away.host)
        size = _size_of(path)
        found[path] = there[path], [worker for worker in workers if told[worker][at] == size >= 0]
        if not found[path][1]:
            lacking, todo = "no worker has it", "copy or mount it there under the same name"
            if away is not None:
                todo = "was it written to meanwhile?"
            elif is_url(path):
                lacking, todo = "no worker can read it", "pip install 'tcpcap[remote]' there, and check that they may"
            raise CaptureError(named(path), lacking, todo)
    return found


def _result(future: Any) -> Done:
    try:
        found: Done = future.result()
    except _distributed().KilledWorker as error:
        raise TcpcapError("--cluster", f"workers died of {error.task}", "is there memory for it?") from None
    return found
