"""The generated parts of README.md and of the pages behind it. `python -m tests.readme` writes them anew; tests/test_readme.py compares."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
CONTENT = ROOT / ".github" / "site" / "content"
CONTRIBUTING = ROOT / ".github" / "CONTRIBUTING.md"
FILES = (README, CONTRIBUTING, *sorted(CONTENT.glob("*.md")))
SAMPLE = "samples/listen-overflows/server"
BLOCK = re.compile(r"(<!-- (?P<name>[\w-]+): generated -->\n)(?P<body>.*?)(<!-- end -->)", re.DOTALL)


def answer() -> str:
    """The findings that the command prints for the first sample on a terminal of 80 columns, and what it has read."""
    from analyzer import analyze
    from analyzer.report.console import console_text

    with contextlib.chdir(ROOT):
        findings = console_text(analyze(SAMPLE)).partition("\n\nconnections in trouble")[0]
    return f"```\n$ tcpcap analyze {SAMPLE}\n{findings}\n```\n"


def link_types() -> str:
    """The link types that are decoded, in a sentence."""
    from analyzer.decode.link import LINK_TYPES

    return ", ".join(f"{link.name} ({link.number})" for link in LINK_TYPES) + ".\n"


def tables() -> str:
    """The tables and what a row of each is."""
    from analyzer.described import EVERY_TABLE

    lines = ["| table | columns | what a row is |", "|---|---|---|"]
    for table in EVERY_TABLE.values():
        public = sum(column.public for column in table.columns)
        lines.append(f"| `{table.name}` | {public} | {table.doc} |")
    return "\n".join(lines) + "\n"


def events() -> str:
    """The kinds of events, in a sentence."""
    from analyzer.kinds import NAMES

    return ", ".join(f"`{name}`" for name in NAMES) + ".\n"


def house() -> str:
    """The rooms of the package in the order of their stages, each with the first line of what it says of itself."""
    from tests.house import MODULES, RANKS

    lines = ["| room | what it does |", "|---|---|"]
    for name in RANKS:
        file = MODULES.get(f"analyzer.{name}")
        if file is not None:
            place = f"{name}/" if file.name == "__init__.py" else f"{name}.py"
            lines.append(
                f"| `analyzer/{place}` | {(ast.get_docstring(ast.parse(file.read_text())) or '').splitlines()[0]} |"
            )
    return "\n".join(lines) + "\n"


def agreed() -> str:
    """How often each counter was what the packets say."""
    from tests.agreement import agreement

    return agreement()


BLOCKS: dict[str, Callable[[], str]] = {
    "agreement": agreed,
    "answer": answer,
    "events": events,
    "house": house,
    "link-types": link_types,
    "tables": tables,
}


def regenerated(text: str, but: str = "") -> str:
    """`text` with every generated block made anew, except perhaps one."""
    return BLOCK.sub(
        lambda found: found[0] if found["name"] == but else found[1] + BLOCKS[found["name"]]() + found[4], text
    )


def body_of(name: str) -> str:
    """What stands in a generated block, in whichever file it is."""
    return next(found["body"] for file in FILES for found in BLOCK.finditer(file.read_text()) if found["name"] == name)


if __name__ == "__main__":
    for file in FILES:
        file.write_text(regenerated(file.read_text()))
