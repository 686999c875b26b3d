"""Captures at URLs: read as a stream and in ranges, by one process and in parts, with the answer of the same file on disk."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar
from urllib.parse import quote, unquote

import fsspec
import pytest
from click.testing import CliRunner
from yarl import URL

from analyzer import analyze
from analyzer.capture import http, open_capture, remote, where
from analyzer.capture.where import address_of, named
from analyzer.cli import cli
from analyzer.cluster import asked
from analyzer.errors import CaptureError, UsageError
from analyzer.serve.captures import Captures
from tests.house import ROOT
from tests.test_cluster import Several, cut_at, records, said, told, written
from tests.test_cluster_files import PACKED, as_of, content_of, ring, split
from tests.test_resume import PIECES, Counting, cuts


class Plain(SimpleHTTPRequestHandler):
    """Serves files, without ranges."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Range", "")))
        self.path = self.path.partition("?")[0]
        super().do_GET()

    def do_HEAD(self) -> None:
        self.path = self.path.partition("?")[0]
        super().do_HEAD()


class Ranged(Plain):
    """Serves ranges of files."""

    def do_GET(self) -> None:
        path, wanted = (
            Path(self.translate_path(self.path)),
            re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")),
        )
        if wanted is None or not path.is_file():
            super().do_GET()
            return
        self.asked.append((self.path, wanted[0]))
        content = path.read_bytes()
        start, stop = int(wanted[1]), min(int(wanted[2]) + 1, len(content))
        self.send_response(206)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content[start:stop])


class Failing(Ranged):
    """Serves the first 4,000 bytes of files, and then nothing more."""

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is not None and 4000 <= int(wanted[1]) < Path(self.translate_path(self.path)).stat().st_size - 1:
            self.send_error(503)
            return
        super().do_GET()


class Refusing(BaseHTTPRequestHandler):
    """Lets nobody read anything."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self.send_error(403)

    do_HEAD = do_GET


@contextmanager
def served(folder: Path, kind: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a folder that is served on loopback."""
    handler = partial(kind, directory=str(folder)) if issubclass(kind, SimpleHTTPRequestHandler) else kind
    Plain.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def in_memory(name: str, content: bytes) -> str:
    """The URL of a file in memory."""
    with fsspec.open(f"memory://captures/{name}", "wb") as file:
        file.write(content)
    return f"memory://captures/{name}"


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("kind", ["pcap", "interfaces"])
def test_one_pass_over_a_url(kind: str, packed: str, tmp_path: Path) -> None:
    """With small windows: in memory, by file://, by HTTP with ranges and without; nothing is asked for twice of a stream."""
    path = tmp_path / f"capture.{kind}{packed}"
    content = PACKED[packed](content_of(records("losses"), kind))
    path.write_bytes(content)
    expected = said(analyze(str(path)))
    with served(tmp_path, Ranged) as ranged, served(tmp_path, Plain) as plain:
        for url in (in_memory(path.name, content), f"file://{path}", f"{ranged}/{path.name}", f"{plain}/{path.name}"):
            found = analyze(url, window_bytes=1 << 12)
            assert as_of(said(found), [url], [str(path)]) == expected, url
            assert len(found.packets) == len(records("losses")), "read again"


@pytest.mark.parametrize("kind", ["pcap", "pcapng", "interfaces"])
def test_in_parts(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file and several, at any cuts, for 1 to 4 workers; with --resume, too."""
    random = Random(kind)
    pieces = [content_of(piece, kind, at) for at, piece in enumerate(split(records("windows"), 3, random))]
    several = ring(tmp_path, pieces, ["", ".zst", ""])
    (tmp_path / "one").mkdir()
    one = written(tmp_path / "one", "windows", kind)
    with served(tmp_path, Ranged) as address:
        for paths in ([str(one)], several):
            expected = said(analyze(paths))
            for urls in (
                [f"{address}/{Path(path).relative_to(tmp_path)}" for path in paths],
                [in_memory(Path(path).name, Path(path).read_bytes()) for path in paths],
            ):
                for width in (1, 4):
                    cut_at(monkeypatch, [random.randrange(one.stat().st_size) for _ in range(2 * width)])
                    found = analyze(urls, cluster=Several(width))
                    assert found.one_pass == ""
                    assert as_of(said(found), urls, paths) == expected
            counting = Counting()
            found = analyze(urls, cluster=counting, resume=tmp_path / "work")
            assert counting.done["judge"] and as_of(told(found), urls, paths) == expected[:-1]


def test_processes_read_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each opens it for itself, secrets and all; where no ranges are given, one process reads it."""
    path = written(tmp_path, "windows", "pcap")
    expected = told(analyze(str(path)))
    monkeypatch.setattr(asked, "LEAST_IN_PARTS", 0)
    cut_at(monkeypatch, [path.stat().st_size // 2])
    with served(tmp_path, Ranged) as address:
        url = f"{address}/{path.name}"
        found = analyze(f"{url}?token=s3cret", jobs=3)
        assert (found.one_pass, as_of(told(found), [url], [str(path)])) == ("", expected)
        assert {asked for asked, _ in Plain.asked} == {f"/{path.name}?token=s3cret"}
    with served(tmp_path, Plain) as address:
        url = f"{address}/{path.name}"
        found = analyze(url, jobs=3)
        assert found.one_pass == "it can be had as a stream only"
        assert as_of(told(found), [url], [str(path)]) == expected


def test_how_often_a_server_is_asked(tmp_path: Path) -> None:
    """Once for what the file is, once whether it gives ranges, and for what is read: by each process that opens it, and by who keeps what was done."""
    path = written(tmp_path, "windows", "pcap")
    heads = []

    class Counted(Ranged):
        """Notes what is asked without reading, too."""

        def do_HEAD(self) -> None:
            heads.append(self.path)
            super().do_HEAD()

    with served(tmp_path, Counted) as address:
        for ways, opened, most in (({}, 1, 4), ({"cluster": Several(2), "resume": tmp_path / "work"}, 4, 15)):
            heads.clear()
            Plain.asked.clear()
            assert analyze(f"{address}/{path.name}", **ways).one_pass == ""
            assert len(heads) == opened
            assert len(heads) + len(Plain.asked) <= most


def test_what_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is told with the next step, and without what is secret in the address."""
    written(tmp_path, "windows", "pcap")
    (tmp_path / "empty.pcap").touch()
    with served(tmp_path, Ranged) as address, served(tmp_path, Refusing) as refusing:
        secret = address.replace("http://", "http://user:s3cret@")
        cases = {
            f"{secret}/not-there.pcap?token=s3cret": r"not-there\.pcap: no such file; check the address",
            f"{refusing}/capture.pcap?token=s3cret": r"capture\.pcap: cannot be read \(status 403\)",
            f"{address}/empty.pcap": "an empty file",
            "memory://captures": "a folder; name a file in it",
            "gs://bucket/capture.pcap?token=s3cret": "gcsfs",
            "nothing://s3cret@bucket/capture.pcap": "nothing reads nothing://; name a file, or a URL of HTTP",
            "htp://host/capture.pcap?token=s3cret": r"nothing reads htp://; did you mean http or https\?",
            "http://[::1/capture.pcap?token=s3cret": r"cannot be read \(\w+\); check the address",
            "http://user:s3cret@127.0.0.1:1/capture.pcap": r"cannot be read \(ClientConnectorError\)",
            "http://user:s3cret/word@127.0.0.1:1/capture.pcap": "cannot be read",
            "simplecache::http://user:s3cret@127.0.0.1:1/capture.pcap?token=s3cret": "cannot be read",
        }
        in_memory("x", b"x")
        for url, message in cases.items():
            with pytest.raises(CaptureError, match=message) as error:
                analyze(url)
            assert "s3cret" not in str(error.value)
            done = CliRunner().invoke(cli, ["analyze", url])
            assert done.exit_code != 0
            assert "s3cret" not in done.output + str(done.exception)
    with monkeypatch.context() as without:
        without.setattr(remote, "find_spec", lambda name: None)
        with pytest.raises(
            CaptureError, match=r"fsspec is not installed, which reads URLs; pip install 'tcpcap\[remote\]'"
        ):
            analyze("http://127.0.0.1/x.pcap")


def test_what_breaks_off(tmp_path: Path) -> None:
    """Is a damage where it is, and the rest was read."""
    path = written(tmp_path, "windows", "pcap")
    with served(tmp_path, Failing) as address:
        analysis = analyze(f"{address}/{path.name}?token=s3cret", window_bytes=1 << 12)
    (damage,) = analysis.damages
    assert (damage.path, damage.what, damage.offset < 9000) == (
        f"{address}/{path.name}", "ClientResponseError, status 503", True
    )  # fmt: skip
    assert 10 < analysis.summary.total("frames") == damage.frame < len(records("windows"))


class Counted:
    """Stands for what lies at a URL, and notes what is asked for."""

    name, size = "x://y", 1 << 20

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, stop: int) -> bytes:
        """Zeros."""
        self.asked.append((start, stop))
        return bytes(stop - start)

    def close(self) -> None:
        """Nothing is open."""


def test_no_more_is_asked_for_than_is_read() -> None:
    """But for one piece ahead, where one is read after the other; of a range nothing behind its last record."""
    remote_, window = Counted(), 1 << 17
    source = remote.RangedSource(remote_, window)  # type: ignore[arg-type] # all of it that is needed
    assert source.require(64)
    source.read_range(window, 3 * window)
    assert source.require(64)
    assert source.require(window)
    assert remote_.asked == [(0, remote.FIRST), (window, 2 * window)]
    source.advance(window - 8)
    assert source.require(64)
    source.advance(window)
    assert source.require(64)
    source.advance(64)
    assert not source.require(1)
    source.close()
    assert remote_.asked[2:] == [(2 * window, 3 * window), (3 * window, 3 * window + 56)]
    source = remote.RangedSource(remote_, window)  # type: ignore[arg-type] # as above
    del remote_.asked[:]
    while source.require(1):
        source.advance(len(source.window))
    source.close()
    assert sorted(remote_.asked) == remote_.asked
    assert sum(stop - start for start, stop in remote_.asked) == remote_.size


def test_addresses_that_differ_in_what_is_secret(tmp_path: Path) -> None:
    """Are two captures, also to whoever reads the first of them again."""
    names = [f"{sample}.pcap" for sample in ("windows", "losses")]
    for sample, name in zip(("windows", "losses"), names, strict=True):
        written(tmp_path, sample, "pcap").rename(tmp_path / name)

    class ByQuery(Ranged):
        """Serves the file that is named behind the `?`."""

        def do_GET(self) -> None:
            self.path = "/" + self.path.rpartition("=")[2]
            super().do_GET()

        def do_HEAD(self) -> None:
            self.path = "/" + self.path.rpartition("=")[2]
            super().do_HEAD()

    with served(tmp_path, ByQuery) as address:
        first, second = (analyze(f"{address}/get?file={name}") for name in names)
        both = analyze([f"{address}/get?file={name}" for name in names])
        expected = [len(analyze(tmp_path / name).packets) for name in names]
        assert [len(first.packets), len(second.packets)] == expected
        assert both.summary.total("frames") == sum(expected)
        assert first.paths == [f"{address}/get"] and second.paths == [f"{address}/get (2)"]


def test_a_file_called_by_a_url_is_that_file(tmp_path: Path) -> None:
    """It is read once, and nothing is written over it, also where it is read through something else."""
    path = written(tmp_path, "windows", "pcap")
    content = path.read_bytes()
    frames = analyze(path).summary.total("frames")
    assert analyze([path, f"file://{path}", f"local://{path}"]).summary.total("frames") == frames
    for name in (f"file://{path}", f"simplecache::file://{path}"):
        for words in (["extract", name, "--flow", "0"], ["export", name, "--table", "packets", "--format", "csv"]):
            done = CliRunner().invoke(cli, [*words, "-o", str(path)])
            assert done.exit_code != 0 and "is the input" in str(done.exception)
            assert path.read_bytes() == content


@pytest.mark.parametrize("ways", [{}, {"cluster": Several(2)}])
def test_a_server_that_fails_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ways: dict[str, Any]) -> None:
    """Once so many parts were given: up to there, or an error about that address, which says so."""
    path = written(tmp_path, "windows", "pcap")
    frames = analyze(path).summary.total("frames")
    cut_at(monkeypatch, [path.stat().st_size // 3, path.stat().st_size // 2])

    class Tired(Ranged):
        """Gives so many parts, and no more."""

        left = 0

        def do_GET(self) -> None:
            Tired.left -= 1
            if Tired.left < 0:
                self.send_error(503)
                return
            super().do_GET()

    ended = []
    with served(tmp_path, Tired) as address:
        for Tired.left in (*range(12), 1000):
            try:
                found = analyze(f"{address}/{path.name}", window_bytes=1 << 12, **ways)
                whole = found.summary.total("frames") == frames
                assert whole or any("503" in str(each) for each in found.damages)
                ended.append("whole" if whole else "damaged")
            except CaptureError as error:
                assert (error.where, error.todo) == (f"{address}/{path.name}", remote.TODO)
                assert "503" in error.found
                ended.append("failed")
    assert ended[0] == "failed" and ended[-1] == "whole"


def test_a_signature_that_was_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is not done again for it."""
    path, folder = written(tmp_path, "windows", "pcap"), tmp_path / "work"
    cut_at(monkeypatch, cuts(path))
    dying, counting = Counting(), Counting()

    def fails(name: str, tasks: Any) -> Any:
        yield from Counting.run(dying, name, tasks)
        raise KeyboardInterrupt

    monkeypatch.setattr(dying, "run", fails)
    with served(tmp_path, Ranged) as address:
        with pytest.raises(KeyboardInterrupt):
            analyze(f"{address}/{path.name}?signature=1", cluster=dying, resume=folder)
        monkeypatch.setattr(where, "_addresses", {})  # as in a process of its own
        assert analyze(f"{address}/{path.name}?signature=2", cluster=counting, resume=folder).one_pass == ""
    assert dying.done["scatter"] == PIECES and "scatter" not in counting.done


def test_only_captures_are_read_from_urls(tmp_path: Path) -> None:
    """What goes beside them is not, and no secret is told."""
    path, url = str(written(tmp_path, "windows", "pcap")), "http://user:s3cret@host/x?token=s3cret"
    for words in (
        ["analyze", path, "--snapshots", url],
        ["analyze", path, "--sockets", url],
        ["counters", "diff", url, url],
    ):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code != 0 and "http://host/x" in str(done.exception) and "only captures" in str(done.exception)
        assert "s3cret" not in done.output + str(done.exception)


def test_names_without_secrets() -> None:
    """By which what was named is found again; what is no URL stays as it is."""
    for path in ("capture.pcap", "a:b/c", "/x/y:z", "C:\\x", "-"):
        assert named(path) == path
    assert named("s3://bucket/key.pcap") == "s3://bucket/key.pcap"
    secret = "https://user:pw@host:81/a/b.pcap?X-Amz-Signature=abc#part"
    assert named(secret) == "https://host:81/a/b.pcap"
    assert address_of("https://host:81/a/b.pcap") == secret
    assert named("zip://a.pcap::https://user:pw@host/x.zip?sig=abc") == "zip://a.pcap::https://host/x.zip"
    assert named("simplecache::s3://key:pw@bucket/x") == "simplecache::s3://bucket/x"
    assert named("http://user:p/w@another/x") == "http://another/x"
    assert named("http://[2001:db8::1]:80/a@b.pcap?sig=abc") == "http://[2001:db8::1]:80/a@b.pcap"
    assert named("http://host:81/mail@home.pcap") == "http://host:81/mail@home.pcap"


def test_paths_do_not_import_fsspec(tmp_path: Path) -> None:
    """Nor the URLs of nobody."""
    path = written(tmp_path, "windows", "pcap")
    code = (
        f"import sys; from analyzer import analyze; analyze({str(path)!r}, jobs=3); sys.exit('fsspec' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


COMMANDS = (
    "flows {}", "flow {} 0", "show --no-wireshark {} 3", "checksums {}", "export {} --table packets -o -", "sql {} 'SELECT max(frame) FROM packets'",
    "extract {} --flow 0 -o -", "analyze --each {}", "analyze --at a={} --at b={}", "fix-checksums {} -",
)  # fmt: skip


def test_all_commands_read_urls(tmp_path: Path) -> None:
    """As they read files, to the byte; what only tshark reads is refused. No secret is told by any."""
    path = written(tmp_path, "windows", "pcap")
    with served(tmp_path, Ranged) as address:
        name = f"{address}/{path.name}"
        for command in COMMANDS:
            there, here = (
                CliRunner().invoke(cli, shlex.split(command.replace("{}", shlex.quote(each))))
                for each in (f"{name}?token=s3cret", str(path))
            )
            assert (there.exit_code, here.exit_code) == (0, 0), (command, there.exception)
            assert b"s3cret" not in there.output_bytes
            assert there.output_bytes.replace(name.encode(), str(path).encode()) == here.output_bytes, command
        refused = f"{name}: tshark reads files of this machine only; copy the capture here first"
        assert str(CliRunner().invoke(cli, ["crosscheck", f"{name}?token=s3cret"]).exception) == refused
        done = CliRunner().invoke(cli, ["show", f"{name}?token=s3cret", "3"])
        assert (done.exit_code, done.output.splitlines()[-1]) == (0, f"without Wireshark's dissection: {refused}")


def test_assistants_name_no_urls(tmp_path: Path) -> None:
    """They ask about what lies in the folders that they were given."""
    url = in_memory("capture.pcap", written(tmp_path, "windows", "pcap").read_bytes())
    for name in (url, f"file://{tmp_path}/capture.pcap"):
        with pytest.raises(UsageError, match="no capture"):
            Captures([str(tmp_path)]).path_of(name)


def test_a_url_is_not_followed(tmp_path: Path) -> None:
    """Nor is one asked of a cluster that is not there."""
    url = in_memory("capture.pcap", written(tmp_path, "windows", "pcap").read_bytes())
    done = CliRunner().invoke(cli, ["analyze", "--follow", url])
    assert done.exit_code != 0
    assert "no file on a disk here; follow it where it is written" in str(done.exception)
    with open_capture([url]) as capture:
        assert sum(map(len, capture)) == len(records("windows"))
    with pytest.raises(UsageError, match="no dask cluster is named"):
        analyze(url, on="host:/x.pcap")


class Lying(Ranged):
    """Answers as an enemy does, by the name of what is asked for; the file is its first word."""

    def do_HEAD(self) -> None:
        self.path = self.path.rpartition("/")[0]
        super().do_HEAD()

    def do_GET(self) -> None:
        self.path, _, kind = self.path.rpartition("/")
        content = Path(self.translate_path(self.path)).read_bytes()
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start, stop = (int(asked[1]), int(asked[2]) + 1) if asked else (0, len(content))
        late = 1 < start < len(content) - 1  # not when it is looked at for the first time
        self.asked.append((kind, self.headers.get("Range", "")))
        if kind == "endless" and late:
            self.send_response(206)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(2000):
                    self.wfile.write(bytes(1 << 20))
            return
        if kind == "short" or asked is None:  # whoever gives no ranges
            self.send_response(200)
            self.end_headers()
            self.wfile.write(content[: len(content) // 2])
            return
        total, tag = len(content), '"first"'
        if late:
            start, stop = (start - 1, stop - 1) if kind == "another" else (start, stop)
            total -= kind == "shrunk"
            total += kind == "grown"
            tag = tag if kind in ("whole", "shrunk") else '"second"'
        self.send_response(206)
        self.send_header("Content-Length", str(stop - start))
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{total}")
        self.send_header("ETag", tag)
        self.end_headers()
        self.wfile.write(content[start:stop])


LIES = {
    "whole": "", "grown": "", "changed": "the file was changed while it was read", "another": "another part came than was asked for",
    "shrunk": r"the file shrank from [\d,]+ to [\d,]+ bytes while it was read", "endless": "more bytes came than were asked for",
    "short": r"[\d,]+ bytes came of [\d,]+ that it has",
}  # fmt: skip


@pytest.mark.parametrize("kind", LIES)
def test_a_server_that_lies(kind: str, tmp_path: Path) -> None:
    """An answer up to there, which says so; one that grows is read as a file that grows. Memory does not follow what is sent."""
    path = written(tmp_path, "windows", "pcap")
    frames = analyze(path).summary.total("frames")
    with served(tmp_path, Lying) as address:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = analyze(f"{address}/{path.name}/{kind}", window_bytes=1 << 12)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    if LIES[kind]:
        (damage,) = found.damages
        assert re.fullmatch(LIES[kind], damage.what) and 0 < damage.frame < frames
    assert (found.summary.total("frames") == frames) == (not LIES[kind])


def test_where_a_server_sends_on(tmp_path: Path) -> None:
    """To another host as browsers go; not for ever, and to nothing but HTTP. No word of the way is said."""
    path = written(tmp_path, "windows", "pcap")

    class Sending(Ranged):
        """Sends to what is behind the `?`."""

        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if "?" not in self.path and self.path != "/loop":
                super().do_GET()
                return
            self.send_response(302)
            self.send_header("Location", unquote(self.path.partition("?")[2]) or "/loop")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_HEAD(self) -> None:
            if "?" in self.path or self.path == "/loop":
                self.do_GET()
            else:
                super().do_HEAD()

    with served(tmp_path, Sending) as address:
        frames = analyze(path).summary.total("frames")
        other = address.replace("127.0.0.1", "localhost")
        assert analyze(f"{address}/x?{other}/{path.name}").summary.total("frames") == frames
        targets = ("/loop", f"file://{path}#s3cret", "ftp://s3cret@127.0.0.1/x", "http://[s3cret", "\x1b[2Js3cret")
        for target in targets:
            with pytest.raises(CaptureError, match=r"cannot be read|no such file") as error:
                analyze(f"{address}/x?{quote(target)}")
            assert "s3cret" not in str(error.value)
            assert "\x1b" not in str(error.value)
            assert path.name not in str(error.value)


def test_from_https_to_http() -> None:
    """Nobody is sent, however it is written; and what is packed on the way is unpacked by us alone, so that it stays bounded."""

    async def asked(scheme: str, location: str, header: str = "Location") -> None:
        given = await http.session()
        try:
            assert (
                not given.auto_decompress and given.timeout.total is None and given.timeout.sock_read == http.SILENT_S
            )
            trace = given.trace_configs[0]
            trace.freeze()
            params = SimpleNamespace(url=URL(f"{scheme}://host/x"), response=SimpleNamespace(headers={header: location}))  # fmt: skip
            await trace.on_request_redirect.send(given, None, params)
        finally:
            await given.close()

    for allowed in (
        ("https", "https://other/x"),
        ("https", "/http:"),
        ("http", "http://other/x"),
        ("http", "https://x"),
    ):
        asyncio.run(asked(*allowed))
    for location in ("http://other/x", "HTTP://host/x"):
        for header in ("Location", "URI"):
            with pytest.raises(http.Broken, match="from https to http"):
                asyncio.run(asked("https", location, header))
