"""What a command line owes its users: examples that run, help that is whole, colours and widths as the terminal wants them, completion in real shells."""

from __future__ import annotations

import inspect
import io
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import analyzer
from analyzer import Analysis, analyze
from analyzer.cli import cli
from analyzer.cli.base import Command
from analyzer.cli.examples import EXAMPLES
from analyzer.cli.terminal import wants_colour
from analyzer.errors import UsageError
from analyzer.moments import MOMENTS
from analyzer.record import plan as planned
from analyzer.report.console import console_text
from analyzer.report.layout import UNFOLDED, columns
from tests.command import run_here

SAMPLES = Path(__file__).parent.parent / "samples"
BUNDLE = SAMPLES / "zero-window" / "server"
CAPTURE = BUNDLE / "capture.pcap"


def commands(group: click.Group = cli, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command, by its words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def helped(words: str) -> str:
    """What the command prints that only tells of itself."""
    ran = CliRunner().invoke(cli, words.split(), prog_name="tcpcap")
    assert ran.exit_code == 0
    return ran.output


@cache
def analysis() -> Analysis:
    """Of a sample in which something is wrong."""
    return analyze(BUNDLE)


# Help


def test_every_command_has_examples() -> None:
    """And there are none of commands that do not exist."""
    every = dict(commands())
    assert set(EXAMPLES) == set(every)
    assert all(isinstance(command, Command) for command in every.values())


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_in_the_help(name: str) -> None:
    """Each on a line that fits."""
    out = helped(f"{name} --help")
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert out.endswith("".join(f"  {line}\n" for line in EXAMPLES[name]))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the examples name."""
    shutil.copy(CAPTURE, tmp_path / "trace.pcap")
    shutil.copytree(BUNDLE.parent / "client", tmp_path / "bundle")
    (tmp_path / "before.txt").write_text("TcpRetransSegs 1 0.0\nTcpInSegs 5 0.0\n")
    (tmp_path / "after.txt").write_text("TcpRetransSegs 4 0.0\nTcpInSegs 9 0.0\n")
    (tmp_path / "ss.txt").write_text("State Recv-Q Send-Q Local Address:Port Peer Address:Port\nESTAB 0 0 10.0.0.2:80 10.0.0.1:40001\n")  # fmt: skip
    (tmp_path / "my-rules").mkdir()
    rule = SAMPLES.parent / "rules" / "loss" / "packet-loss.toml"
    text = rule.read_text()
    (tmp_path / "my-rules" / "mine.toml").write_text(text.replace('id = "packet-loss"', 'id = "mine"'))
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUNNING = [(name, line) for name in EXAMPLES for line in EXAMPLES[name]]


@pytest.mark.parametrize(("name", "line"), RUNNING, ids=[line.split("#")[0].strip() for _, line in RUNNING])
def test_examples_run(name: str, line: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As they stand there; a pipe's other programs are not asked, recordings are only planned, and programs that are not installed are said to be."""
    arguments = shlex.split(re.split(r'\s\||\s>(?! \d)|\s#|\)"$|\)"\s', line.split("tcpcap ")[-1])[0])
    assert " ".join(arguments).startswith(name)
    if name == "record":
        context = cli.commands["record"].make_context("record", arguments[1:])
        del context.params["script"]
        assert planned(**context.params)
        return
    if name == "mcp" or "--cluster" in arguments or arguments == ["sql", "trace.pcap"]:  # they talk with somebody
        assert cli.commands[name].make_context(name, arguments[1:])
        return
    if "-" in arguments:  # a pipe: the same of the file
        arguments[arguments.index("-")] = "trace.pcap"
        arguments.remove("--follow")
    if "--install" in arguments:
        arguments.remove("--install")
    ran = run_here(*arguments, capsys=capsys)
    assert ran.status in ((0, 1) if "--fail-on" in arguments or name in ("crosscheck", "rules test") else (0,)), ran.err
    assert "Traceback" not in ran.err


def test_what_is_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest is named; of a file what to do with it."""
    assert "did you mean analyze" in run_here("analyse", "x", capsys=capsys).err
    assert f"tcpcap analyze {shlex.quote(str(CAPTURE))}" in run_here(CAPTURE, capsys=capsys).err


@pytest.mark.parametrize("words", ["help analyze", "help counters diff", "counters help diff"])
def test_help_is_a_command_too(words: str) -> None:
    """As people type it."""
    assert helped(words) == helped(f"{words.replace('help ', '')} --help")


# Colours, widths, silence


@pytest.mark.parametrize(
    ("wish", "environment", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, True, False),
        ("auto", {"CLICOLOR": "0"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
    ],
)
def test_who_wants_colours(wish: str, environment: dict[str, str], terminal: bool, expected: bool) -> None:
    """The option first, then what the environment says, then the terminal."""
    assert wants_colour(wish, environment, terminal) is expected


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_text_is_as_wide_as_the_terminal(width: int) -> None:
    """No line is longer, and the sentences are the same, but for where they end."""
    with columns(width):
        text = console_text(analysis())
    assert max(map(len, text.splitlines())) <= width
    with columns(UNFOLDED):
        whole = console_text(analysis())
    answers = [
        "".join(each.partition("\nbusiest")[0].split()) for each in (text, whole)
    ]  # words may be as long as a line
    assert answers[0] == answers[1]


def test_nothing_is_folded_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """Each sentence is a line, without colours unless they are asked for."""
    out = run_here("analyze", BUNDLE, capsys=capsys).out
    with columns(UNFOLDED):
        assert out == console_text(analysis())
    assert "\x1b[" in run_here("analyze", BUNDLE, "--color", "always", capsys=capsys).out


def test_quiet_is_the_answer_only(capsys: pytest.CaptureFixture[str]) -> None:
    """What was found and what was read."""
    out = run_here("analyze", "-q", BUNDLE, capsys=capsys).out
    assert "receiver-not-reading" in out and "22 frames" in out
    assert "busiest" not in out


def test_every_sentence_about_a_connection_has_its_proof() -> None:
    """Its number, when, and frames."""
    with columns(UNFOLDED):
        text = console_text(analysis())
    block = next(each for each in text.split("\n\n") if each.startswith("connections in trouble (1)"))
    told = [line for line in block.splitlines() if line.startswith("      ")]
    assert len(told) == 4
    assert all(re.match(r" {6}#0 (?:at|from) [\d.]+ s: .*, frames? \d", line) for line in told)
    assert re.search(r"^  where  #0; on the server's side", text, re.M)
    assert re.search(r"^  when   from 0.059 s \(13:07:26.876 UTC\) for 1.26 s$", text, re.M)


def test_connections_that_fared_alike_are_told_together() -> None:
    """With their numbers, how many there are, and what adds up."""
    with columns(UNFOLDED):
        text = console_text(analyze(SAMPLES / "listen-overflows" / "server"))
    assert "connections in trouble (3)\n  3 connections of 10.0.0.1 with 10.0.0.2:80  tcp\n" in text
    assert "      #2, #3, #4 from 0.021 s: no answer to 6 SYNs, frames 7, 8, 9 and 3 more\n" in text


# Completion

BEGUN = {
    "tcpcap expo": "export",
    "tcpcap schema flow_e": "flow_events",
    "tcpcap rules show receiver-n": "receiver-not-reading",
    "tcpcap counters explain TcpExtListenOv": "TcpExtListenOverflows",
    "tcpcap analyze trace.p": "trace.p",  # which the shell completes itself
}
# What is asked in each shell, beside the script: the candidates for a line. The parts of zsh that show them only print them here.
ASKING = {
    "bash": """asked() {{ COMP_WORDS=($1); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); _tcpcap_completion tcpcap; echo "$1: ${{COMPREPLY[*]}}"; }}
compopt() {{ COMPREPLY=("${{COMP_WORDS[-1]}}"); }}""",
    "zsh": """compdef() {{ :; }}; _describe() {{ print -l -- ${{(P)3}}; }}; compadd() {{ print -l -- ${{(P)@[-1]}}; }}; _path_files() {{ print -- $words[-1]; }}
asked() {{ words=(${{(z)1}}); CURRENT=$#words; print -- "$1: $(_tcpcap_completion)"; }}""",
    "fish": """function asked; echo "$argv[1]: "(complete -C "$argv[1]"); end""",
}
LOADING = {"bash": 'eval "$(tcpcap completion bash)"', "zsh": 'eval "$(tcpcap completion zsh)"', "fish": "tcpcap completion fish | source"}  # fmt: skip


@pytest.mark.parametrize("shell", ASKING)
def test_completion_in_a_real_shell(shell: str, here: Path) -> None:
    """What it offers for words that were begun."""
    program = shutil.which(shell)
    assert program, f"{shell} is needed: apt-get install {shell}"
    asking = ASKING[shell].format()
    definitions = [asking, LOADING[shell]] if shell == "zsh" else [LOADING[shell], asking]
    script = "\n".join([*definitions, *(f'asked "{begun}"' for begun in BEGUN)])
    options = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [program, *options, "-c", script], capture_output=True, text=True, env=os.environ | {"PATH": path}, cwd=here, check=False
    )  # fmt: skip
    shown = done.stdout
    for begun, expected in BEGUN.items():
        answer = shown.partition(f"{begun}: ")[2].partition("\ntcpcap ")[0]
        assert expected in answer, (shown, done.stderr)


def test_completion_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the shell looks, and it is the script that is printed."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    places = {
        "bash": ".local/share/bash-completion/completions/tcpcap",
        "zsh": ".zfunc/_tcpcap",
        "fish": ".config/fish/completions/tcpcap.fish",
    }
    for shell, place in places.items():
        printed = run_here("completion", shell, capsys=capsys).out
        assert str(tmp_path / place) in run_here("completion", shell, "--install", capsys=capsys).out
        assert (tmp_path / place).read_text() == printed.removesuffix("\n")
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert "none of bash, zsh, fish" in run_here("completion", capsys=capsys).err


# Python


def test_the_package_says_its_version_and_has_types() -> None:
    """The same as the command."""
    assert helped("-V") == f"tcpcap {analyzer.__version__}\n"
    assert (Path(analyzer.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("function", [analyze, Analysis.series, Analysis.frames, Analysis.finding])
def test_signatures_can_be_read(function: object) -> None:
    """No annotation is in quotes."""
    shown = str(inspect.signature(function))  # type: ignore[arg-type]
    assert "->" in shown
    assert "'" not in shown.replace("'ns'", "").replace("'1s'", "")


def test_what_a_capture_may_be() -> None:
    """A path, an open file, its bytes, a stream without a name: the same flows; a stream is read from where it stands."""
    expected = analysis().flow_tracker.rows()["client_bytes"].tolist()
    content = CAPTURE.read_bytes()
    moved = io.BytesIO(b"before" + content)
    moved.seek(6)
    with CAPTURE.open("rb") as file:
        for given in (str(CAPTURE), file, content, bytearray(content), moved, [content]):
            found = analyze(given, checksums=False)
            assert found.flows["client_bytes"].tolist() == expected
            assert len(found.packets) == 22  # which are read again


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (123, {}, r"paths: 123 \(int\) is no capture; give a path, bytes, or an open binary file"),
        ([CAPTURE, None], {}, r"paths: None \(NoneType\) is no capture"),
        (io.StringIO("text"), {}, r"paths: a file that was opened as text; open it with mode"),
        (CAPTURE, {"snapshots": 3}, r"snapshots: 3 \(int\) is no name"),
        (CAPTURE, {"times": "date"}, r"times: 'date' is no form of times; give one of ns, datetime"),
    ],
    ids=["number", "nothing", "text", "snapshots", "times"],
)
def test_wrong_types_are_named(given: object, options: dict[str, object], message: str) -> None:
    """What was given, and what to give."""
    with pytest.raises(UsageError, match=message):
        analyze(given, **options)  # type: ignore[arg-type]


def test_tables_describe_themselves() -> None:
    """Each column by its name, with its unit; moments as dates where they are wanted, to the nanosecond."""
    found = analyze(CAPTURE, times="datetime")
    for frame in (found.flows, found.events, found.findings, found.series()):
        assert set(frame.attrs["columns"]) == set(frame.columns)
        for name, date in MOMENTS.items():
            if name in frame:
                assert frame[date].dtype == "datetime64[ns, UTC]"
                assert frame[date].astype("int64").tolist() == frame[name].tolist()
                assert frame.attrs["units"][name] == "ns"
    assert "start_time" not in analysis().flows


def test_what_tables_say_of_themselves_is_copied_with_them() -> None:
    """Nobody changes it for others; and it is pickled as what any Python has."""
    flows = analyze(CAPTURE).flows
    said, taken = flows.attrs["columns"], flows.copy()
    assert taken.attrs == flows.attrs == flows["client"].attrs
    taken.attrs["columns"]["client"] = "another"
    assert said["client"] != "another" and flows.attrs["columns"] == said
    assert type(pickle.loads(pickle.dumps(said))) is dict
    assert pickle.loads(pickle.dumps(said)) == said


def test_a_notebook_shows_tables() -> None:
    """Findings and connections, with their proof, and the whole text behind a fold."""
    shown = analysis()._repr_html_()
    assert shown.count("<table>") == shown.count("</table>") == 3
    assert "<td" in shown and "receiver-not-reading" in shown
    assert "monospace" in shown and "<details>" in shown


def test_what_users_need_comes_first() -> None:
    """In what an editor offers."""
    offered = [name for name in dir(analysis()) if not name.startswith("_")]
    assert {"flows", "findings", "plot"} <= set(offered)
    assert "flow_tracker" not in offered
    assert all(hasattr(analysis(), name) for name in offered)
