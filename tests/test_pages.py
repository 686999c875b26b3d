"""The site and the man page: a page for everything that is declared, no link that leads nowhere, nothing that is out of date."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

from analyzer.catalogue import CATALOGUE
from analyzer.described import EVERY_TABLE
from analyzer.diagnosis.rule import own_rules
from analyzer.kinds import NAMES
from tests.readme import ROOT

SITE = ROOT / ".github" / "site"


@cache
def module(name: str) -> ModuleType:
    """One of the programs that make the site."""
    sys.path.insert(0, str(SITE))
    try:
        spec = importlib.util.spec_from_file_location(name, SITE / f"{name}.py")
        assert spec is not None and spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(found)
    finally:
        sys.path.remove(str(SITE))
    return found


@cache
def pages() -> dict[str, str]:
    """All of them."""
    made: dict[str, str] = module("pages").pages()
    return made


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("rules", [rule.id for rule in own_rules()]),
        ("events", NAMES),
        ("counters", list(CATALOGUE)),
        ("tables", list(EVERY_TABLE)),
    ],
)
def test_everything_has_a_page(folder: str, names: list[str]) -> None:
    """One each, and the index leads to all of them."""
    made = pages()
    assert {name for name in made if name.startswith(f"{folder}/")} == {
        f"{folder}/{name}.md" for name in (*names, "index")
    }
    for name in names:
        assert f"]({name}.md)" in made[f"{folder}/index.md"]
        assert "# " in made[f"{folder}/{name}.md"] and len(made[f"{folder}/{name}.md"]) > 80


def test_commands_have_pages() -> None:
    """Those of groups, too, with what --help prints."""
    made = pages()
    assert "--fail-on" in made["commands/analyze.md"]
    assert "Usage: tcpcap rules show" in made["commands/rules-show.md"]


def test_the_picture_of_readme_is_there(tmp_path: Path) -> None:
    """Above what is said of it."""
    module("pages").write(tmp_path)
    text = (tmp_path / "index.md").read_text()
    (name,) = module("pages").pictures()
    assert f"]({name})\n\n*`tcpcap plot " in text
    assert (tmp_path / name).read_bytes() == (ROOT / ".github" / name).read_bytes()


def test_pages_hold_their_examples() -> None:
    """A rule its cases, an event its scripts."""
    made = pages()
    assert "It fires on `listen-overflows/server`" in made["rules/accept-queue-overflow.md"]
    assert "expect: dsack" in made["events/dsack.md"]


def test_no_link_leads_nowhere() -> None:
    """Between the pages; and what would lead nowhere is found."""
    assert module("pages").broken_links(pages()) == []
    assert module("pages").broken_links({"a/b.md": "[x](../c.md)"}) == ["a/b.md: ../c.md"]


def test_nothing_in_a_page_is_html() -> None:
    """What stands in a declaration is text."""
    assert module("pages").text("a < b, `c_d <e>`, f_g *h*") == r"a &lt; b, `c_d <e>`, f\_g \*h\*"


def test_the_man_page_is_current() -> None:
    """`python .github/site/man.py > .github/tcpcap.1` writes it anew."""
    assert (ROOT / ".github" / "tcpcap.1").read_text(encoding="utf-8") == module("man").man_page()


def test_man_takes_the_page() -> None:
    """Without a warning, where there is a formatter."""
    program = shutil.which("groff")
    if program is None:
        pytest.skip("needs groff")
    page = ROOT / ".github" / "tcpcap.1"
    done = subprocess.run([program, "-man", "-Tutf8", "-ww", str(page)], capture_output=True, text=True, check=True)
    assert done.stderr == "" and "Print one JSON object" in done.stdout
