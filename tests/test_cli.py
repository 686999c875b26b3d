"""The command as a user meets it: in processes of its own, with pipes, terminals and broken input."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest

from analyzer import Analysis, analyze
from analyzer.cli import cli
from analyzer.described import EVERY_TABLE
from analyzer.moments import timed, with_texts
from analyzer.report.console import console_text
from analyzer.report.json_text import json_pieces
from analyzer.report.layout import UNFOLDED, columns
from tests import build
from tests.command import COMMAND, COMPILING, TIMEOUT_S, environment, run, run_here
from tests.helpers import interrupts_on

SAMPLES = Path(__file__).parent.parent / "samples"
SAMPLE = SAMPLES / "handshake" / "client" / "capture.pcap"
OTHER = SAMPLES / "clean-ipv4" / "client" / "capture.pcap"
COMMANDS = sorted(cli.commands)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run_on_terminal(
    *command: str | Path, watch: str, stdin: Sequence[bytes] = (), pause_s: float = 0, **variables: str
) -> tuple[int, str, str]:
    """Run with `watch` (stdout or stderr) on a terminal: status, what the terminal showed, what the other one got.

    `stdin` is fed piece by piece, `pause_s` after each.
    """
    master, slave = pty.openpty()
    terminal = {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"} | variables
    process = subprocess.Popen(
        [*map(str, command)],
        stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
        stdout=slave if watch == "stdout" else subprocess.PIPE,
        stderr=slave if watch == "stderr" else subprocess.PIPE,
        env=environment(**terminal),
    )
    os.close(slave)

    def feed() -> None:
        assert process.stdin
        for piece in stdin:
            process.stdin.write(piece)
            process.stdin.flush()
            time.sleep(pause_s)
        process.stdin.close()

    feeder = threading.Thread(target=feed if stdin else lambda: None)
    feeder.start()
    shown = bytearray()
    with contextlib.suppress(OSError):  # the terminal's way to say that it was closed
        while piece := os.read(master, 65536):
            shown += piece
    feeder.join(TIMEOUT_S)
    os.close(master)
    other = process.stderr if watch == "stdout" else process.stdout
    assert other
    with other:
        rest = other.read().decode()
    return process.wait(TIMEOUT_S), COMPILING.sub("", shown.decode()), COMPILING.sub("", rest)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 MB: 21 times the same thousand frames of MTU size."""
    frame = build.ethernet(build.ipv4(build.tcp(bytes(1400), check=0)))
    records = build.pcap([build.Record(frame, 10**18 + 1000 * number) for number in range(1000)])
    path = tmp_path_factory.mktemp("big") / "big.pcap"
    path.write_bytes(records[:24] + 21 * records[24:])
    return path


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    """A capture that ends inside its 32nd record."""
    path = tmp_path / "cut.pcap"
    path.write_bytes(SAMPLE.read_bytes()[:5000])
    return path


def piped(analysis: Analysis, top: int = 10) -> str:
    """The answer as it goes into a pipe or a file: no line is folded."""
    with columns(UNFOLDED):
        return console_text(analysis, top)


# Help


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Usage, what it does, every option; at most 80 columns; nothing on standard error."""
    ran = run_here(*command.split(), "--help", capsys=capsys)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: tcpcap {command}".rstrip())
    assert [line for line in ran.out.splitlines() if len(line) > 80] == []
    options = [
        option for option in (cli.commands[command] if command else cli).params if isinstance(option, click.Option)
    ]
    assert [name for option in options for name in option.opts if name not in ran.out] == []
    assert run_here(*command.split(), "-h", capsys=capsys) == ran


def test_help_of_the_group() -> None:
    """Commands with a sentence each; what a TRACE is; what the exit status means."""
    words = " ".join(run("--help").out.split())
    for command in COMMANDS:
        assert re.search(rf"\b{command} [A-Z][^.]+\.", words)
    assert (
        "Exit status: 0 done; 1 something was found that `--fail-on` names; 2 wrong usage, or nothing readable (no file, or no frame of a link layer that is decoded); 3 done, but the input was cut short or damaged; 128 + N ended by signal N (130 Ctrl-C, 143 SIGTERM)."
        in words
    )
    assert "TRACE is a capture file (pcap, pcapng or snoop;" in words
    assert "`-` for standard input" in words


def test_a_link_layer_that_is_not_decoded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named, and nothing is said of connections; one frame that can be decoded is enough to go on."""
    path = tmp_path / "usb.pcap"
    path.write_bytes(build.pcap([build.Record(bytes(64))] * 3, link=220))
    for command in ("analyze", "checksums"):
        assert run_here(command, path, capsys=capsys).status == 2
    ran = run_here("analyze", path, capsys=capsys)
    assert " ".join(ran.out.split()).startswith(
        "No frame of this capture can be decoded: its link layer (USB_LINUX_MMAPPED) carries no IP that tcpcap reads."
    )
    assert run_here("analyze", path, SAMPLE, capsys=capsys).status == 0


def test_without_arguments() -> None:
    """The help, and the status of wrong usage."""
    ran = run()
    assert ran.status == 2
    assert (ran.out + ran.err).startswith("Usage: tcpcap [OPTIONS] COMMAND [ARGS]...")


def test_help_loads_nothing_heavy() -> None:
    """Or it would not answer at once."""
    program = "import sys, analyzer.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "click" in modules
    assert {"numpy", "pandas", "numba", "duckdb", "rich"} & set(modules) == set()


def test_version() -> None:
    """The installed command and the module are the same thing."""
    ran = run("--version")
    assert re.fullmatch(r"tcpcap \d+\.\d+\.\d+\n", ran.out)
    installed = shutil.which("tcpcap", path=str(Path(sys.executable).parent))
    if installed is None:
        pytest.skip("the command is not installed beside this Python")
    again = subprocess.run([installed, "--version"], capture_output=True, text=True, check=True)
    assert again.stdout == ran.out


# Schema


def test_schema() -> None:
    """All tables as Markdown."""
    ran = run("schema")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "\n".join(table.markdown() for table in EVERY_TABLE.values())


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_schema_of_a_table(table: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every public column, none of the others."""
    ran = run_here("schema", table, capsys=capsys)
    assert (ran.status, ran.err) == (0, "")
    columns, _, kinds = ran.out.partition("\n\n| event |")
    shown = re.findall(r"^\| `(\w+)` \|", columns, re.MULTILINE)
    assert shown == [column.name for column in EVERY_TABLE[table].columns if column.public]
    assert bool(kinds) == (table == "events")
    assert ran.out.startswith(f"### {table}\n")


# Errors

UNKNOWN_TABLE = r"tcpcap: [^\n]+: no table 'packet'; did you mean packets or sockets\?\n"
ERRORS = {
    "no such file": (["analyze", "nope.pcap"], r"tcpcap: nope\.pcap: no such file; check the path\n"),
    "no such file among several": (
        ["analyze", str(SAMPLE), "nope.pcap"],
        r"tcpcap: nope\.pcap: no such file; [^\n]+\n",
    ),
    "an empty file": (["analyze", "empty.pcap"], r"tcpcap: empty\.pcap: an empty file; [^\n]+\n"),
    "a text file": (["analyze", "text.pcap"], r"tcpcap: text\.pcap: a text file; name a pcap or pcapng file\n"),
    "nonsense": (["analyze", "nonsense"], r"tcpcap: nonsense: not a capture \(begins with [^\n]+\); [^\n]+\n"),
    "a folder without a capture": (["analyze", "folder"], r"tcpcap: folder: a directory without a capture; [^\n]+\n"),
    "a folder with bundles": (
        ["analyze", "outer"],
        r"tcpcap: outer: a directory without a capture; name one of outer/client, outer/server\n",
    ),
    "an escape in the name": (["analyze", "\x1b[31mred"], r"tcpcap: \\x1b\[31mred: no such file; check the path\n"),
    "empty standard input": (["analyze", "-"], r"tcpcap: -: an empty file; [^\n]+\n"),
    "standard input twice": (["analyze", "-", "-"], r"tcpcap: -: standard input named twice; name it once\n"),
    "export of no file": (["export", "nope.pcap", "--table", "flows"], r"tcpcap: nope\.pcap: no such file; [^\n]+\n"),
    "export of an unknown table": (["export", "nope.pcap", "--table", "packet"], UNKNOWN_TABLE),
    "schema of an unknown table": (["schema", "packet"], UNKNOWN_TABLE.replace("sockets", "sockets or paths")),
    "export to a name without an ending": (
        ["export", str(SAMPLE), "--table", "flows", "-o", "out"],
        r"tcpcap: out: a file name that does not tell the format; [^\n]*csv, jsonl, parquet[^\n]*--format[^\n]*\n",
    ),
    "export to a folder that is not there": (
        ["export", str(SAMPLE), "--table", "flows", "-o", "not/there.csv"],
        r"tcpcap: not/there\.csv: cannot be written \(No such file or directory\); [^\n]+\n",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_are_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`tcpcap: NAME: found; todo` on standard error, nothing on standard output, status 2."""
    (tmp_path / "empty.pcap").touch()
    (tmp_path / "text.pcap").write_text("Once upon a time there was a packet.\n" * 9)
    (tmp_path / "nonsense").write_bytes(bytes(range(100)))
    (tmp_path / "folder").mkdir()
    for host in ("client", "server"):
        (tmp_path / "outer" / host).mkdir(parents=True)
        shutil.copy(SAMPLE, tmp_path / "outer" / host / "capture.pcap")
    monkeypatch.chdir(tmp_path)
    arguments, message = ERRORS[name]
    ran = run(*arguments) if "-" in arguments else run_here(*arguments, capsys=capsys)
    assert (ran.status, ran.out) == (2, "")
    assert re.fullmatch(message, ran.err), ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["analyze"],
        ["analyze", "--frobnicate", "x.pcap"],
        ["analyze", "--top", "-1", "x.pcap"],
        ["analyze", "--top", "many", "x.pcap"],
        ["analyze", "--max-flows", "0", "x.pcap"],
        ["export", "x.pcap"],
        ["export", "x.pcap", "--table", "flows", "--format", "xlsx"],
        ["schema", "flows", "packets"],
    ],
    ids=" ".join,
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Status 2, a line that says what is wrong, and where help is."""
    ran = run_here(*arguments, capsys=capsys)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("Usage: tcpcap ")
    assert "--help" in ran.err
    assert re.search(r"^Error: .+", ran.err, re.MULTILINE)
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments", [["analyze", SAMPLE], ["export", SAMPLE, "--table", "flows"], ["schema"]], ids=str
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_no_room_for_the_output(arguments: list[str | Path]) -> None:
    """One line and status 2."""
    with Path("/dev/full").open("wb") as full:
        ran = run(*arguments, stdout=full)
    assert ran.status == 2
    assert re.fullmatch(r"tcpcap: [^\n]*No space left on device[^\n]*; [^\n]+\n", ran.err)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("analyze - <&-", 2),
        (f"analyze {SAMPLE} >&-", 2),
        (f"analyze {SAMPLE} 2>&-", 0),
        (f"export --table flows {SAMPLE} >&-", 2),
    ],
)
def test_closed_standard_streams(command: str, status: int) -> None:
    """No traceback, whatever the parent process closed."""
    done = subprocess.run(
        ["sh", "-c", f"{' '.join(COMMAND)} {command}"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == status


# Analyze


@pytest.mark.parametrize("path", [SAMPLE, SAMPLE.parent, OTHER], ids=lambda path: "-".join(path.parts[-2:]))
def test_analyze(path: Path) -> None:
    """The text of the Python API, without colours; standard error stays silent."""
    ran = run("analyze", path)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == piped(analyze(path))


def test_analyze_several_files(capsys: pytest.CaptureFixture[str]) -> None:
    """One capture, in order of time."""
    ran = run_here("analyze", OTHER, SAMPLE, capsys=capsys)
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == piped(analyze([OTHER, SAMPLE]))
    assert "440 frames" in " ".join(ran.out.split())


@pytest.mark.parametrize("top", [0, 2])
def test_analyze_with_options(top: int, capsys: pytest.CaptureFixture[str]) -> None:
    """--top and --max-flows reach the analysis."""
    ran = run_here("analyze", "--top", str(top), "--max-flows", "3", SAMPLE, capsys=capsys)
    assert ran.status == 0
    assert ran.out == piped(analyze(SAMPLE, max_flows=3), top)
    assert "2 flows left to make room for others (--max-flows)" in " ".join(ran.out.split())
    assert f"busiest conversations ({top} of 5)" in ran.out or top == 0


@pytest.mark.parametrize("paths", [[SAMPLE], [SAMPLE, OTHER], [SAMPLES / "tunnel-vxlan" / "client"]], ids=len)
def test_analyze_as_json(paths: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    """One object with what the Python API has, value by value."""
    ran = run_here("analyze", "--json", *paths, capsys=capsys)
    assert (ran.status, ran.err) == (0, "")
    found = json.loads(ran.out)
    analysis = analyze(paths)
    assert list(found) == [
        "schema_version",
        "findings",
        "not_checked",
        "capture",
        "capture_facts",
        "flows",
        "time",
        "events",
        "checksums",
        "counters",
        "sockets",
        "warnings",
    ]
    assert bool(found["sockets"]) == paths[0].is_dir()
    lists = analysis.socket_lists
    assert found["sockets"] == ({} if lists is None else json.loads(json.dumps(lists.as_dict())))
    assert found["counters"] == with_texts(analysis.counters_whole).astype(object).to_dict("records")
    assert bool(found["counters"]) == paths[0].is_dir()  # a bundle has snapshots, a file has none
    assert found["checksums"] == analysis.checksum_counts
    assert found["capture"] == timed(analysis.capture)
    assert (
        found["events"] == analysis.event_counts == analysis.events["event"].value_counts()[lambda n: n > 0].to_dict()
    )
    assert found["warnings"] == analysis.warnings
    flows = with_texts(analysis.flows)
    assert found["flows"] == flows.astype(object).to_dict("records")
    assert [list(flow) for flow in found["flows"]] == [list(flows.columns)] * len(flows)


def test_json_of_an_empty_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No flows is an empty list, no time is null."""
    path = tmp_path / "empty.pcap"
    path.write_bytes(build.pcap([]))
    ran = run_here("analyze", "--json", path, capsys=capsys)
    found = json.loads(ran.out)
    assert (ran.status, found["flows"], found["warnings"]) == (0, [], ["the capture holds no frames"])
    assert (found["capture"]["frames"], found["capture"]["first_ns"]) == (0, None)
    assert (found["capture"]["flows"], found["capture"]["left"], found["events"]) == (0, {}, {})


def test_json_counts_what_left(capsys: pytest.CaptureFixture[str]) -> None:
    """By state; in `flows` are those that stayed."""
    ran = run_here("analyze", "--json", "--max-flows", "3", SAMPLE, capsys=capsys)
    found = json.loads(ran.out)
    assert found["capture"]["flows"] == 5
    assert sum(found["capture"]["left"].values()) == 2 == 5 - len(found["flows"])
    assert set(found["capture"]["left"]) <= {"closed", "refused"}
    assert found["events"] == analyze(SAMPLE).event_counts != {}
    assert [text for text in found["warnings"] if "2 flows left" in text] != []


NAMES = ("ü 表.pcap", "\x1b[31m\n.pcap", 'quote"\\.pcap', os.fsdecode(b"\xff\xfe.pcap"))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_file_name(encoding: str, tmp_path: Path) -> None:
    """In text and in JSON, whatever standard output can hold."""
    content = SAMPLE.read_bytes()
    for number, name in enumerate(
        NAMES
    ):  # files that are equal are read once: these differ in a field that nobody reads
        (tmp_path / name).write_bytes(content[:12] + bytes([number, 0, 0, 0]) + content[16:])
    text = run("analyze", *NAMES, cwd=tmp_path, PYTHONIOENCODING=f"{encoding}:strict")
    assert (text.status, text.err) == (0, "")
    assert "160 frames in 1.03 s" in " ".join(text.out.split())
    assert "\x1b" not in text.out
    as_json = run("analyze", "--json", *NAMES, cwd=tmp_path, PYTHONIOENCODING=f"{encoding}:strict")
    assert (as_json.status, as_json.err) == (0, "")
    assert {file["path"] for file in json.loads(as_json.out)["capture"]["files"]} == set(NAMES)


# Exit status


@pytest.mark.parametrize(
    "arguments",
    [["analyze"], ["analyze", "--json"], ["export", "--table", "packets"], ["export", "--table", "flows"]],
    ids=" ".join,
)
def test_a_damaged_file(arguments: list[str], cut: Path) -> None:
    """Everything before the damage is there; status 3."""
    ran = run(*arguments, cut)
    assert ran.status == 3
    assert "Traceback" not in ran.err
    assert "cut short in a record of 1,514 bytes" in " ".join((ran.out + ran.err).split())
    if arguments == ["analyze"]:
        assert ran.err == ""
        assert "31 frames in" in " ".join(ran.out.split())
    if arguments == ["analyze", "--json"]:
        assert (ran.err, json.loads(ran.out)["capture"]["frames"]) == ("", 31)
    if arguments[-1] == "packets":
        assert len(ran.out.splitlines()) == 1 + 31
        assert re.fullmatch(r"tcpcap: .*cut\.pcap: byte 4,\d+, after frame 31: .*\n", ran.err)


def test_damage_in_a_hostile_name(cut: Path) -> None:
    """The line on standard error shows what the name holds, and sends none of it."""
    path = cut.rename(cut.with_name("\x1b[31m.pcap"))
    ran = run("export", "--table", "flows", path)
    assert ran.status == 3
    assert "\\x1b[31m.pcap: byte" in ran.err
    assert "\x1b" not in ran.err


# Standard input


@pytest.mark.parametrize("wrapped", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input(wrapped: type[bytes]) -> None:
    """The same answer as for the file, but for its name and size."""
    ran = run("analyze", "--json", "-", stdin=wrapped(SAMPLE.read_bytes()))
    assert (ran.status, ran.err) == (0, "")
    found, expected = json.loads(ran.out), json.loads("".join(json_pieces(analyze(SAMPLE))))
    assert found["flows"] == expected["flows"]
    (file,), _ = found["capture"].pop("files"), expected["capture"].pop("files")
    assert (file["path"], file["size"], file["frames"]) == ("-", None, 40)
    assert found["capture"] == expected["capture"]


def test_standard_input_beside_a_file() -> None:
    """Two files, one capture."""
    ran = run("analyze", "--json", "-", OTHER, stdin=SAMPLE.read_bytes())
    assert ran.status == 0
    found = json.loads(ran.out)
    assert found["flows"] == json.loads("".join(json_pieces(analyze([SAMPLE, OTHER]))))["flows"]


def test_a_named_pipe(tmp_path: Path) -> None:
    """Is read once, from its beginning."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_bytes(SAMPLE.read_bytes()))
    writer.start()
    ran = run("analyze", fifo)
    writer.join(TIMEOUT_S)
    assert (ran.status, ran.err) == (0, "")
    assert "40 frames in 1.03 s, 4 TCP connections" in " ".join(ran.out.split())


def test_interrupted(tmp_path: Path) -> None:
    """One line and the status that shells expect."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with interrupts_on():
        process = subprocess.Popen(
            [*COMMAND, "analyze", str(fifo)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    with fifo.open("wb"):  # returns when the command has opened the other end
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (130, "")
    assert COMPILING.sub("", err).strip() == "tcpcap: interrupted"


# Output that nobody reads


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["schema"],
        ["analyze", OTHER],
        ["export", "--table", "packets", OTHER],
        ["export", "--table", "flows", "--format", "parquet", OTHER],
    ],
    ids=lambda arguments: " ".join(str(each) for each in arguments if each != OTHER),
)
def test_output_closed_before_the_beginning(arguments: list[str | Path]) -> None:
    """Ends quietly, with status 0."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as nobody:
        ran = run(*arguments, stdout=nobody)
    assert (ran.status, ran.err) == (0, "")


def test_output_closed_after_a_line(big: Path) -> None:
    """As `| head -1` does, in the middle of a long table."""
    process = subprocess.Popen(
        [*COMMAND, "export", "--table", "packets", str(big)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stderr
    first = process.stdout.readline()
    process.stdout.close()
    with process.stderr:
        err = process.stderr.read()
    assert first.startswith("frame,time_ns,")
    assert (process.wait(TIMEOUT_S), COMPILING.sub("", err)) == (0, "")


# Terminals


def at_once() -> list[str]:
    """The command with progress from the first batch on: here input is too small to wait for."""
    program = "import analyzer.report.progress as p; p.SHOW_AFTER_S = 0; from analyzer.cli import main; main()"
    return [sys.executable, "-c", program]


@pytest.mark.parametrize("kind", ["plain", "gzip"])
def test_progress_of_a_file(kind: str, big: Path, tmp_path: Path) -> None:
    """Bytes of the file on disk and its size; standard output has the answer only."""
    path = big
    if kind == "gzip":
        path = tmp_path / "big.pcap.gz"
        path.write_bytes(gzip.compress(big.read_bytes(), 1))
    status, shown, out = run_on_terminal(*at_once(), "analyze", path, watch="stderr")
    assert status == 0
    assert out == piped(analyze(path))
    size, unit = (
        (f"{path.stat().st_size / 1e6:.1f}", "MB") if kind == "plain" else (f"{path.stat().st_size / 1e3:.1f}", "kB")
    )
    plain = ESCAPES.sub("", shown)
    assert "reading" in plain
    done = re.findall(rf"([\d.]+)/{re.escape(size)} {unit}", plain)
    assert done, plain
    assert all(0 < float(each) <= float(size) + 0.1 for each in done if each != "0.0")


def test_progress_of_a_pipe(big: Path) -> None:
    """Bytes read so far, after half a second; the end is not known."""
    content = big.read_bytes()
    pieces = [content[:9_000_000], content[9_000_000:18_000_000], content[18_000_000:]]
    status, shown, out = run_on_terminal(*COMMAND, "analyze", "-", watch="stderr", stdin=pieces, pause_s=0.7)
    assert status == 0
    assert " 21,000 frames " in out or "21,000 frames" in " ".join(out.split())
    assert re.search(r"\d+(\.\d+)?/\? MB", ESCAPES.sub("", shown)), shown


def test_no_progress_for_a_small_file() -> None:
    """It would only flash up."""
    status, shown, out = run_on_terminal(*COMMAND, "analyze", SAMPLE, watch="stderr")
    assert (status, ESCAPES.sub("", shown).strip()) == (0, "")
    assert out == piped(analyze(SAMPLE))


def test_progress_of_an_export(big: Path, tmp_path: Path) -> None:
    """An export shows it too, and an error below it is still one line."""
    status, shown, _ = run_on_terminal(
        *at_once(), "export", "--table", "packets", "-o", tmp_path / "out.csv", big, watch="stderr"
    )
    assert status == 0
    assert re.search(r"[\d.]+/30\.9 MB", ESCAPES.sub("", shown)), shown
    status, shown, _ = run_on_terminal(*at_once(), "analyze", tmp_path / "nope.pcap", watch="stderr")
    assert status == 2
    assert re.search(r"tcpcap: .*nope\.pcap: no such file; check the path", ESCAPES.sub("", shown))


def test_colours_on_a_terminal_only() -> None:
    """And not where NO_COLOR asks for none."""
    with columns(100):
        expected = console_text(analyze(SAMPLE)).replace("\n", "\r\n")
    status, shown, err = run_on_terminal(*COMMAND, "analyze", SAMPLE, watch="stdout")
    assert (status, err) == (0, "")
    assert "\x1b[1m" in shown
    assert ESCAPES.sub("", shown) == expected
    status, shown, err = run_on_terminal(*COMMAND, "analyze", SAMPLE, watch="stdout", NO_COLOR="1")
    assert (status, err) == (0, "")
    assert shown == expected


def test_parquet_is_not_sent_to_a_terminal() -> None:
    """It is binary."""
    status, shown, err = run_on_terminal(
        *COMMAND, "export", "--table", "flows", "--format", "parquet", SAMPLE, watch="stdout"
    )
    assert (status, shown) == (2, "")
    assert re.fullmatch(r"tcpcap: standard output: a terminal, and Parquet is binary; name a file\n", err)


@pytest.fixture(autouse=True, scope="module")
def kernels() -> Iterator[None]:
    """Compile whatever is not compiled yet, once, so that no test waits for it."""
    run("analyze", SAMPLE, OTHER)
    yield
