"""Every command and every option is documented: in README.md, in the help, and in the words of the schema."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from analyzer.catalogue import CATALOGUE
from analyzer.cli import cli
from analyzer.described import EVERY_TABLE
from analyzer.prediction import NUMBER
from tests.each import for_each

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
OPTIONS = [
    pytest.param(option, id=f"{name} {option.opts[0]}")
    for name, command in sorted(cli.commands.items())
    for option in command.params
    if isinstance(option, click.Option)
]


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_commands_are_in_the_readme(name: str) -> None:
    """As `tcpcap NAME`."""
    assert re.search(rf"\btcpcap {name}\b", README)


def test_the_readme_names_no_other_command() -> None:
    """What stands behind `tcpcap` at the beginning of a line of an example is a command."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"(?:^|\| |/)tcpcap (\S+)", "".join(blocks), re.MULTILINE))
    assert named
    assert named <= set(cli.commands)


def test_the_readme_names_no_other_option() -> None:
    """Every long option on a line with `tcpcap` is one of that command."""
    lines = [line.split("#")[0] for line in README.splitlines() if re.search(r"\btcpcap \w+ ", line)]
    pairs = [
        (found[1], option)
        for line in lines
        if (found := re.search(r"\btcpcap (\w+) ", line)) and found[1] in cli.commands
        for option in re.findall(r"(?<![\w-])--?[a-z][\w-]*", line[found.end() :])
    ]
    assert len(pairs) > 1
    known = {name: {opt for param in command.params for opt in param.opts} for name, command in cli.commands.items()}
    assert [(name, option) for name, option in pairs if option not in known[name]] == []


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_commands_have_help(name: str) -> None:
    """A sentence, short enough for the list of commands."""
    command = cli.commands[name]
    assert command.help
    first = command.help.split("\n\n")[0]
    assert first[0].isupper()
    assert first.endswith(".")
    assert not command.get_short_help_str(100).endswith("...")


@for_each("option", OPTIONS)
def test_options_have_help(option: click.Option) -> None:
    """A sentence; a default is shown where there is one to be known."""
    assert option.help
    assert option.help[0].isupper()
    assert option.help.endswith(".")
    if isinstance(option.default, int | str) and not option.is_flag:
        assert option.show_default


def test_options_were_found() -> None:
    """There are some of each command that has any."""
    assert len(OPTIONS) >= 6


@pytest.mark.parametrize("status", ["0", "2", "3"])
def test_exit_statuses_are_the_same_in_the_readme_and_in_the_help(status: str) -> None:
    """In the same words."""
    found = [
        re.search(rf"Exit status:.*?\b{status} ([^;.]*?)[;.,]", " ".join(text.split()))
        for text in (README, cli.help or "")
    ]
    assert all(found)
    readme, shown = (match[1] for match in found if match)
    assert shown.startswith(readme) or readme.startswith(shown)


@pytest.mark.parametrize("table", EVERY_TABLE)
def test_columns_are_documented(table: str) -> None:
    """A sentence each; units where numbers have one."""
    for column in EVERY_TABLE[table].columns:
        assert column.doc, column.name
        assert column.doc.endswith(".") or not column.public, column.name
        if column.name.endswith("_ns"):
            assert (column.dtype, column.unit) == ("i8", "ns")
    assert EVERY_TABLE[table].doc.endswith(".")


def test_counts_of_counters_are_true() -> None:
    """How many the catalogue knows, and how many of them are predicted, but for the types of ICMP."""
    predicted = [name for name in CATALOGUE if name in NUMBER and not re.search(r"Type\d+$", name)]
    said = re.search(r"(\d+) of the (\d+) that the catalogue knows, and each type of ICMP", README)
    assert said and (int(said[1]), int(said[2])) == (len(predicted), len(CATALOGUE))
    page = (ROOT / ".github" / "site" / "content" / "counters.md").read_text()
    assert f" know {len(CATALOGUE)} counters" in page
