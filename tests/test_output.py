"""No command writes over what it reads, whatever that is called, and none makes a bundle into another one."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from analyzer.capture.bundle import inputs
from analyzer.cli import cli
from analyzer.diagnosis.rule import own_folder
from analyzer.errors import TcpcapError
from analyzer.output import appearing
from tests.command import Ran, run, run_here
from tests.house import FILES, PACKAGE

BUNDLE = Path(__file__).parent.parent / "samples" / "handshake" / "client"
TABLES = ("packets", "counters")

# Every command that writes a file: which of its parameters say where, and which name what is read.
READ = {"trace", "snapshots", "sockets"}
WRITERS = {
    "analyze": ("html", READ | {"at"}),
    "export": ("output", READ | {"at"}),
    "extract": ("output", READ | {"key"}),
    "fix-checksums": ("target", {"source"}),
    "notebook": ("output", READ),
    "plot": ("output", READ | {"at"}),
    "sql": ("output", READ | {"at"}),
}
# Parameters that name no file.
CHOICE = {"filter", "flow", "between", "frames"}
OF_ALL = {"color", "quiet"}  # parameters that every command has
OTHERS = {
    "analyze": {
        "as_json",
        "as_ndjson",
        "hosts",
        "increments",
        "folders",
        "fail_on",
        "follow",
        "no_checksums",
        "top",
        "max_flows",
        "each",
        "clock",
        "jobs",
        "cluster",
        "on",
        "resume",
        *CHOICE,
    },
    "export": {"table", "clock", "jobs", "limit", "kind", "safe", "hosts", "increments", "every", *CHOICE},
    "extract": {"finding", "event", "jobs", "around", "anonymize", "hosts", "increments", *CHOICE},
    "fix-checksums": {"everything"},
    "notebook": {"hosts", "increments", "folders", *CHOICE},
    "plot": {"kind", "names", "clock", "hosts", "increments", *CHOICE},
    "sql": {"kind", "clock", "jobs", "limit", "safe", "as_json", "hosts", "increments", "folders", *CHOICE},
}
# The words for a command that reads the capture (and perhaps a second one, or snapshots) and writes the target.
CALLS = {
    **{
        f"export {table}": ["export", "{capture}", "--table", table, "--format", "jsonl", "-o", "{target}"]
        for table in TABLES
    },
    "export passages": [
        "export",
        "--at",
        "here={capture}",
        "--at",
        "there={capture}",
        "--table",
        "passages",
        "--format",
        "jsonl",
        "-o",
        "{target}",
    ],
    "extract": ["extract", "{capture}", "--flow", "0", "-o", "{target}"],
    "fix-checksums": ["fix-checksums", "{capture}", "{target}"],
    "analyze": ["analyze", "{capture}", "--html", "{target}"],
    "notebook": ["notebook", "{capture}", "-o", "{target}"],
    "plot": ["plot", "{capture}", "-o", "{target}"],
    "sql": ["sql", "{capture}", "FROM packets", "--format", "csv", "-o", "{target}"],
}

opened: list[str] | None = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    # A number is a descriptor, whose file was opened by its name before.
    if event == "open" and opened is not None and not isinstance(arguments[0], int):
        opened.append(os.fsdecode(arguments[0]))


sys.addaudithook(_note)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test is: a bundle B, a capture that is not part of one, snapshots, and links to all of them."""
    shutil.copytree(BUNDLE, tmp_path / "B")
    (tmp_path / "B" / "sockets.jsonl").write_text('{"time": 1, "ss": ""}\n')
    shutil.copy(BUNDLE / "capture.pcap", tmp_path / "a.pcap")
    shutil.copy(BUNDLE / "counters.jsonl", tmp_path / "before.txt")
    (tmp_path / "C").mkdir()
    (tmp_path / "linked").symlink_to("B")
    for path in [*(tmp_path / "B").iterdir(), tmp_path / "a.pcap", tmp_path / "before.txt"]:
        (tmp_path / f"soft-{path.name}").symlink_to(path.relative_to(tmp_path))
        (tmp_path / f"softer-{path.name}").symlink_to(f"soft-{path.name}")
        (tmp_path / f"hard-{path.name}").hardlink_to(path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, tuple[int, int, bytes | str]]:
    """Everything in a folder: number of the file, time of the last change, content or where a link points."""
    found: dict[str, tuple[int, int, bytes | str]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_mtime_ns, content)
    return found


def call(how: str, capture: str, target: str) -> list[str]:
    """The arguments of a command."""
    return [word.format(capture=capture, target=target) for word in CALLS[how]]


def touched_by(arguments: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Ran, set[str]]:
    """What a command leaves behind, and which files in a folder it opened meanwhile."""
    global opened
    opened = []
    try:
        ran = run_here(*arguments, capsys=capsys)
        found = {Path(path).absolute() for path in opened}
    finally:
        opened = None
    return ran, {str(path.relative_to(folder)) for path in found if path.is_relative_to(folder)}


def refused(folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What the command says; it does nothing and reads nothing."""
    before = contents(folder)
    ran, touched = touched_by(arguments, folder, capsys)
    assert (ran.status, ran.out) == (2, "")
    assert touched == set()
    assert contents(folder) == before
    found = re.fullmatch(r"tcpcap: ([^\n]+)\n", ran.err)
    assert found, ran.err
    return found[1]


def names_of(path: str) -> Iterator[str]:
    """Other ways to call a file."""
    parent, name = Path(path).parent, Path(path).name
    yield str(Path(path).absolute())
    yield f"./{path}"
    yield f"C/../{path}"
    yield f"soft-{name}"
    yield f"softer-{name}"
    yield f"hard-{name}"
    if parent.name:
        yield f"linked/{name}"


NAMES = ["itself", "absolute", "dot", "dots", "soft", "softer", "hard", "folder"]


def named(path: str, name: str) -> str:
    """One of them."""
    return dict(zip(NAMES, [path, *names_of(path)], strict=False)).get(name, f"linked/../{path}")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", CALLS)
def test_a_capture_is_not_written_over(how: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By whatever name: a path, a link of either kind; whichever of the two names is the real one."""
    target = named("a.pcap", name)
    which = "" if target == "a.pcap" else " a.pcap"
    said = refused(folder, call(how, "a.pcap", target), capsys)
    assert said == f"{target}: is the input{which} itself; name another file"
    which = "" if target == "a.pcap" else f" {target}"
    said = refused(folder, call(how, target, "a.pcap"), capsys)
    assert said == f"a.pcap: is the input{which} itself; name another file"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["capture.pcap", "counters.jsonl", "sockets.jsonl", "host.json"])
@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("given", ["B", "B/capture.pcap"])
def test_a_part_of_a_bundle_is_not_written_over(
    given: str, how: str, part: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the bundle is named or the capture in it."""
    target = named(f"B/{part}", name)
    said = refused(folder, call(how, given, target), capsys)
    if given == f"B/{part}":
        assert said.endswith("itself; name another file")
    else:
        which = "" if target == f"B/{part}" else f"B/{part}, "
        assert said == f"{target}: is {which}a part of the bundle B; name another file"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("table", TABLES)
def test_snapshots_are_not_written_over(
    table: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor any of several captures."""
    target = named("before.txt", name)
    beside = ["--snapshots", "B/counters.jsonl", "--snapshots", "before.txt", "--host", "10.0.0.1"]
    said = refused(folder, [*call(f"export {table}", "a.pcap", target), *beside], capsys)
    assert "is the input" in said and said.endswith("itself; name another file")
    target = named("a.pcap", name)
    said = refused(folder, ["export", "B", "a.pcap", "--table", table, "--format", "csv", "-o", target], capsys)
    assert "is the input" in said and said.endswith("itself; name another file")


@pytest.mark.parametrize(
    "name", ["capture2.pcap", "capture.pcapng", "capture-fixed.pcap.zst", "capture.pcap.csv", "counters.jsonl"]
)
@pytest.mark.parametrize("way", ["B", "linked", "C/../B", "dangling", "dangling inside"])
@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("given", ["B", "linked/capture.pcap"])
def test_a_bundle_gets_no_new_part(
    given: str, how: str, way: str, name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be read as something that was recorded; also through a link that leads to no file yet."""
    (folder / "B" / "counters.jsonl").unlink()
    target = f"{way}/{name}"
    if way == "dangling":
        target = "new"
        (folder / target).symlink_to(f"B/{name}")
    elif way == "dangling inside":
        target = f"B/{name}"
        (folder / target).symlink_to("../C/new")
    said = refused(folder, call(how, given, target), capsys)
    bundle = "B" if given == "B" else "linked"
    assert re.fullmatch(
        rf"{re.escape(target)}: (would be read as a part of the bundle {bundle}; choose another name, or another folder"
        rf"|is (\S+, )?a part of the bundle {bundle}; name another file)",
        said,
    )


@pytest.mark.parametrize("target", ["B/packets.jsonl", "C/counters.jsonl", "C/capture2.pcap", "capture2.pcap", "a.csv"])
@pytest.mark.parametrize("how", ["export packets", "fix-checksums"])
def test_what_nobody_reads_is_written(how: str, target: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another file in the bundle's folder; a part's name elsewhere; beside a capture that is no part of a bundle; over an older file."""
    (folder / "a.csv").write_text("older")
    (folder / "host.json").write_text("{}")  # of whatever else lies in this folder: no capture does that a bundle has
    capture = "B/capture.pcap" if "/" in target else "a.pcap"
    before = contents(folder)
    ran, touched = touched_by(call(how, capture, target), folder, capsys)
    assert ran.status == 0
    assert capture in touched
    after = contents(folder)
    assert after.keys() - before.keys() <= {target}
    assert {path for path in before if before[path] != after[path]} <= {target, *map(str, Path(target).parents)}
    assert len((folder / target).read_bytes()) > 100


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("part", ["a.pcap", "B/counters.jsonl", "B/capture2.pcap"])
def test_standard_output_is_no_input(how: str, part: str, folder: Path) -> None:
    """Where the shell appends it to one: `tcpcap ... >> FILE`."""
    before = (folder / part).read_bytes() if (folder / part).exists() else b""
    arguments = call(how, "a.pcap" if part == "a.pcap" else "B/capture.pcap", "-")
    with (folder / part).open("ab") as file:
        ran = run(*arguments, stdout=file)
    assert ran.status == 2
    assert re.fullmatch(r"tcpcap: standard output: is [^\n]+; name another file\n", ran.err)
    assert (folder / part).read_bytes() == before


@pytest.mark.parametrize("how", ["export packets", "fix-checksums"])
@pytest.mark.parametrize("target", ["a.pcap", "hard-a.pcap", "soft-a.pcap"])
def test_standard_input_is_not_written_over(how: str, target: str, folder: Path) -> None:
    """`tcpcap ... - FILE < FILE`."""
    before = contents(folder)
    with (folder / "a.pcap").open("rb") as file:
        ran = run(*call(how, "-", target), stdin=file)
    assert ran == (2, "", f"tcpcap: {target}: is the input itself; name another file\n")
    assert contents(folder) == before


def test_a_device_is_read_and_written() -> None:
    """A terminal, or nothing at all, may well be both."""
    with appearing("/dev/null", inputs("/dev/null")) as file:
        assert file.write(b"gone") == 4


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """Where input and output are the same name, whatever it is."""
    path = str(tmp_path / "none")
    with (
        pytest.raises(TcpcapError, match="none: is the input itself; name another file"),
        appearing(path, inputs(path)),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_failure_that_is_not_the_outputs_keeps_its_name(tmp_path: Path) -> None:
    """Only what fails at writing is said to be that."""
    with pytest.raises(FileNotFoundError), appearing(str(tmp_path / "out"), ()):
        (tmp_path / "else" / "where").read_bytes()
    said = "out: cannot be written \\(No such file or directory\\); "
    with pytest.raises(TcpcapError, match=said), appearing(str(tmp_path / "none" / "out"), ()):
        pass
    assert list(tmp_path.iterdir()) == []


# What keeps it so


def commands(group: click.Group = cli, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command, with its name behind `tcpcap`."""
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name}{word} ")
        else:
            yield name + word, command


def test_every_command_that_writes_is_tested() -> None:
    """Those with a parameter for where to write; and each of their other parameters is known to be an input, or none.

    `record` makes a folder where there is none, and reads nothing: see test_record.py.
    """
    every = {name: each for name, each in commands() if name != "record"}
    outputs = ("-o", "--output", "--html", "target", "out")
    assert set(WRITERS) == {
        name for name, each in every.items() if {opt for param in each.params for opt in param.opts} & set(outputs)
    }
    assert {words[0] for words in CALLS.values()} == set(WRITERS)
    for name, (output, read) in WRITERS.items():
        assert {param.name for param in every[name].params} == {output} | read | OTHERS[name] | OF_ALL


def test_nobody_else_writes_files() -> None:
    """Only output.py opens files to write; what is kept for later starts is the business of accelerate, what processes hand each other below a temporary folder that of cluster."""
    found = set()
    for file in FILES:
        place = str(file.relative_to(PACKAGE))
        if place == "output.py" or place.startswith(("accelerate", "cluster")):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and writes(node):
                found.add(f"{place}:{node.lineno}")
    assert found == set()


WRITE = {
    "write_text", "write_bytes", "mkstemp", "NamedTemporaryFile", "touch", "rename", "symlink_to", "hardlink_to",
    "copyfile", "copy2", "copytree", "move", "to_csv", "to_parquet", "to_pickle", "tofile", "savez",
}  # fmt: skip


def writes(call: ast.Call) -> bool:
    """Does it make or change a file that stays?"""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    texts = [value.value for value in call.args if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    texts += [
        word.value.value
        for word in call.keywords
        if word.arg == "mode" and isinstance(word.value, ast.Constant) and isinstance(word.value.value, str)
    ]
    if name in ("open", "fdopen"):
        return any(re.fullmatch(r"[rbt]*[wax+][rwaxbt+]*", text) for text in texts)
    return name in WRITE or ast.unparse(call.func) in ("np.save", "numpy.save")


@pytest.mark.parametrize(
    ("words", "target"),
    [
        ("analyze a.pcap --rules rules --html", "rules/mine.toml"),
        ("analyze a.pcap --rules rules --html", "rules/sub/new.toml"),
        ("notebook a.pcap --rules rules -o", "rules/sub/mine.toml"),
        ("notebook a.pcap --rules rules -o", "rules/new.toml"),
        ("plot a.pcap -o", str(own_folder() / "new.toml")),
    ],
)
def test_rules_are_not_written_over(words: str, target: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does anything become a rule: of a folder that is named, or of tcpcap's own."""
    for name in ("mine.toml", "sub/mine.toml"):
        (folder / "rules" / name).parent.mkdir(exist_ok=True)
        (folder / "rules" / name).write_text("")
    said = refused(folder, [*words.split(), target], capsys)
    assert re.search(r"(would be read as|is) a part of the rules ", said)


def test_one_standard_output_is_not_two(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and a page cannot both go there."""
    done = run_here("analyze", BUNDLE, "--json", "--html", "-", capsys=capsys)
    assert (done.status, json.loads(done.out)["error"]["where"]) == (2, "--html -")
    assert run_here("analyze", BUNDLE, "--ndjson", "--html", "-", capsys=capsys).status == 2
    assert "standard output is that of --json already" in done.err
