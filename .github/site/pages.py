"""The pages of the site, made from the declarations: a page for each rule, event, counter, table and command.

pip install -e '.[site]'
python .github/site/pages.py build/pages && sphinx-build -W -q -c .github/site build/pages site
"""

from __future__ import annotations

import html
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

import click  # noqa: E402

from analyzer.catalogue import CATALOGUE, Counter  # noqa: E402
from analyzer.cli import cli  # noqa: E402
from analyzer.cli.base import CONTEXT  # noqa: E402
from analyzer.described import EVERY_TABLE  # noqa: E402
from analyzer.diagnosis.rule import Rule, own_rules  # noqa: E402
from analyzer.kinds import KINDS, Kind  # noqa: E402
from analyzer.prediction import NUMBER  # noqa: E402
from analyzer.report.json_schema import json_schema  # noqa: E402
from analyzer.schema import Column, Table  # noqa: E402

Pages = dict[str, str]
CONTENT = Path(__file__).resolve().parent / "content"
COMMENT = re.compile(r"<!--.*?-->\n?")
SCRIPTS = re.compile(r"^--- ", re.MULTILINE)


def pages() -> Pages:
    """The name of each page in the site, and its text."""
    return {
        "index.md": index(),
        **details(),
        **rules(),
        **events(),
        **counters(),
        **tables(),
        **commands(),
        "json.md": json_page(),
    }


def index() -> str:
    """README; what it links to in the repository is named there."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    readme = COMMENT.sub("", readme).replace("](.github/site/content/", "](")
    for name, file in pictures().items():
        readme = readme.replace(f"]({file})", f"]({name})")
    readme = re.sub(r"(?<!!)\[([^\]]*)\]\((?!https?:|#|[a-z]+\.md\))[^)]+\)", r"\1", readme)
    folders = (f"{name}/index" for name in ("rules", "events", "counters", "tables", "commands"))
    return readme + toctree(*(Path(name).stem for name in details()), *folders, "json")


def pictures() -> dict[str, str]:
    """The name in the site of each picture that README shows, and its file in the repository."""
    shown = re.findall(r"!\[[^\]]*\]\((?!https?:)([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    return {Path(file).name: file for file in shown}


def details() -> Pages:
    """The pages that are written by hand."""
    return {file.name: COMMENT.sub("", file.read_text(encoding="utf-8")) for file in sorted(CONTENT.glob("*.md"))}


def toctree(*names: str) -> str:
    """What leads to other pages, at the side."""
    return "\n".join(("", "```{toctree}", ":hidden:", "", *names, "```", ""))


def listed(folder: str, lines: list[str], made: Pages) -> Pages:
    """An index, and the pages that it leads to. Those are in no tree of contents: with hundreds of names at the side of each the site would take minutes to make."""
    inside = {f"{folder}/{name}.md": f"---\norphan: true\n---\n\n{content}" for name, content in made.items()}
    return {f"{folder}/index.md": "\n".join(lines) + "\n", **inside}


def rules() -> Pages:
    """By family; a page for each with what it means, what to do, how it is found, where it fires and where not."""
    found = own_rules()
    lines = [
        "# Rules",
        "",
        "What is looked for. Each is a file in `rules/`; `tcpcap rules show ID` prints the same.",
        "",
    ]
    for family in sorted({rule.family for rule in found}):
        lines += [f"## {family.capitalize()}", ""]
        lines += [f"* [{rule.id}]({rule.id}.md): {text(rule.title)}" for rule in found if rule.family == family]
        lines += [""]
    explained = {name: [rule.id for rule in found if name in rule.explains] for name in [rule.id for rule in found]}
    return listed("rules", lines, {rule.id: "\n".join(rule_page(rule, explained[rule.id])) for rule in found})


def rule_page(rule: Rule, because: list[str]) -> Iterator[str]:
    """One rule."""
    side = f", on the side of: {rule.side}" if rule.side else ""
    yield from (
        f"# {text(rule.title)}",
        "",
        f"`{rule.id}`: {rule.severity}{side}; {rule.confidence}.",
        "",
        text(rule.why),
        "",
    )
    for title, items in (("What to do", rule.next), ("What speaks against it", rule.against)):
        if items:
            yield from (f"## {title}", "", *(f"* {text(item)}" for item in items), "")
    for title, names in (("It explains", rule.explains), ("It is explained by", because)):
        if names:
            yield from (f"## {title}", "", *(f"* [{name}]({name}.md)" for name in names), "")
    if rule.counters:
        links = ", ".join(f"[{name}](../counters/{name}.md)" for name in rule.counters)
        yield from ("## Counters that prove it", "", links, "")
    yield from ("## How it is found", "", "```sql", rule.sql, "```", "")
    yield from ("It says:", "", f"> {text(str(rule.summary.text))}", "")
    yield from ("## Examples", "")
    for case in rule.cases:
        note = f" ({text(case.note)})" if case.note else ""
        yield f"* {'It fires on' if case.fires else 'It is silent on'} `{case.sample}`{note}"
    yield ""
    if rule.references:
        yield from ("## References", "", *(f"* {text(item)}" for item in rule.references), "")


def events() -> Pages:
    """A page for each kind of event, with the packet scripts that are its examples."""
    lines = ["# Events", "", "tcpcap's verdicts on frames: the table `events`.", ""]
    for family in dict.fromkeys(kind.family for kind in KINDS):
        lines += [f"## {family.capitalize()}", ""]
        lines += [f"* [{kind.name}]({kind.name}.md)" for kind in KINDS if kind.family == family] + [""]
    return listed("events", lines, {kind.name: "\n".join(event_page(kind)) for kind in KINDS})


def event_page(kind: Kind) -> Iterator[str]:
    """One kind of event."""
    yield from (f"# `{kind.name}`", "", text(kind.doc), "", f"Reference: {text(kind.reference)}.", "")
    if kind.causes:
        yield from (f"Causes: {', '.join(f'`{cause}`' for cause in kind.causes)}.", "")
    if kind.value:
        yield from (f"Value: {text(kind.value)}.", "")
    yield from ("## Examples", "")
    script = (ROOT / "tests" / "events" / f"{kind.name}.pkt").read_text(encoding="utf-8")
    for example in SCRIPTS.split(script)[1:]:
        title, _, body = example.partition("\n")
        yield from (f"### {text(title)}", "", "```", body.strip(), "```", "")


def counters() -> Pages:
    """A page for each kernel counter."""
    lines = ["# Kernel counters", "", "What `nstat` prints, and what it means. `tcpcap counters explain NAME` prints the same.", ""]  # fmt: skip
    lines += [f"* [{name}]({name}.md)" for name in CATALOGUE]
    return listed("counters", lines, {name: "\n".join(counter_page(counter)) for name, counter in CATALOGUE.items()})


def counter_page(counter: Counter) -> Iterator[str]:
    """One counter: the same words as `tcpcap counters explain`."""
    from analyzer.report.catalogue_text import explain_text

    body = explain_text(counter)
    yield from (f"# {counter.name}", "", "```", body.strip("\n"), "```", "")
    firing = [rule.id for rule in own_rules() if counter.name in rule.counters]
    if firing:
        yield from ("Rules that it proves: " + ", ".join(f"[{name}](../rules/{name}.md)" for name in firing), "")
    if counter.name in NUMBER:
        yield from ("tcpcap predicts it from the packets.", "")


def tables() -> Pages:
    """A page for each table with all its columns."""
    lines = ["# Tables", "", "DataFrames in Python, files with `tcpcap export`.", ""]
    lines += [f"* [{name}]({name}.md): {text(table.doc)}" for name, table in EVERY_TABLE.items()]
    return listed("tables", lines, {name: "\n".join(table_page(table)) for name, table in EVERY_TABLE.items()})


def table_page(table: Table) -> Iterator[str]:
    """One table."""
    yield from (f"# `{table.name}`", "", text(table.doc), "", "| column | unit | what it says |", "|---|---|---|")
    yield from (column_line(column) for column in table.columns if column.public)
    yield ""


def column_line(column: Column) -> str:
    """A column as a row of a table."""
    words = f" One of {', '.join(f'`{word}`' for word in column.words if word)}." if column.words and column.kind in ("enum", "bits") else ""  # fmt: skip
    return f"| `{column.name}` | {column.unit or ''} | {text(column.doc + words).replace('|', chr(92) + '|')} |"


def commands() -> Pages:
    """A page for each command: what `--help` prints."""
    found = dict(sorted(every_command(cli, ())))
    lines = ["# Commands", ""]
    lines += [f"* [tcpcap {name}]({name.replace(' ', '-')}.md): {text(command.get_short_help_str(200))}" for name, command in found.items()]  # fmt: skip
    return listed("commands", lines, {name.replace(" ", "-"): command_page(name, each) for name, each in found.items()})


def json_page() -> str:
    """The schema of what is printed as JSON."""
    schema = json.dumps(json_schema(), indent=1)
    return f"# JSON schema\n\nWhat `--json` and `--ndjson` print; `tcpcap schema --json` prints the same.\n\n```json\n{schema}\n```\n"


def every_command(group: click.Group, before: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group and of those within it, by their words."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from every_command(command, (*before, name))
        else:
            yield " ".join((*before, name)), command


def command_page(name: str, command: click.Command) -> str:
    """One command."""
    settings = CONTEXT | {"max_content_width": 100, "terminal_width": 100}
    context = click.Context(command, info_name=f"tcpcap {name}", **settings)
    return f"# tcpcap {name}\n\n```\n{command.get_help(context)}\n```\n"


def text(words: str) -> str:
    """Plain words as Markdown: nothing in them is HTML, and underscores and stars stand for themselves but in code."""
    parts = re.split(r"(`[^`]*`)", " ".join(words.split()))
    return "".join(part if part.startswith("`") else re.sub(r"([*_\[\]{}])", r"\\\1", html.escape(part, quote=False)) for part in parts)  # fmt: skip


def broken_links(made: Mapping[str, str]) -> list[str]:
    """Links between the pages that lead nowhere."""
    found = []
    for name, content in made.items():
        folder = Path(name).parent
        for target in re.findall(r"\]\(([^)#\s]+\.md)\)", content):
            place = (folder / target).as_posix()
            parts: list[str] = []
            for part in place.split("/"):
                parts = parts[:-1] if part == ".." else [*parts, part]
            if not target.startswith("http") and "/".join(parts) not in made:
                found.append(f"{name}: {target}")
    return found


def write(folder: Path) -> int:
    """Write them below a folder; how many there are."""
    made = pages()
    for name, content in made.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
    for name, file in pictures().items():
        shutil.copyfile(ROOT / file, folder / name)
    return len(made)


if __name__ == "__main__":
    sys.stdout.write(f"{write(Path(sys.argv[1])):,} pages\n")
