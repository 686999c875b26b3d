"""What the shell offers when Tab is pressed: names of tables, counters, rules and events, each with what it is; files."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

# What arguments and options that are files or folders are called in the usage line.
FILES = {"TRACE", "BUNDLE", "FILE", "DIR", "[DIR]", "IN", "OUT", "A", "B"}


class FilePath(click.types.StringParamType):
    """Text that names a file or a folder."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Left to the shell, which knows files."""
        return [CompletionItem(incomplete, type="file")]


def name_files(parameters: Iterable[click.Parameter]) -> None:
    """Have the shell complete those of them that are files."""
    for each in parameters:
        if each.type is click.STRING and (each.metavar or each.name or "").upper() in FILES:
            each.type = FilePath()


def tables(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Tables, with what a row of each is."""
    from analyzer.described import EVERY_TABLE

    return _offered(begun, {name: table.doc for name, table in EVERY_TABLE.items()})


def events(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Kinds of events, with what they mean."""
    from analyzer.kinds import KINDS

    return _offered(begun, {kind.name: kind.doc for kind in KINDS})


def counters(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Counters with what they count; without their group where it was left out."""
    from analyzer.catalogue import CATALOGUE

    known = {name: entry.meaning for name, entry in CATALOGUE.items()}
    found = _offered(begun, known)
    return found or _offered(begun, {name.removeprefix("TcpExt"): meaning for name, meaning in known.items()})


def rules(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Rules with their titles, those of the folders named by --rules, too."""
    from analyzer.diagnosis.rule import all_rules

    return _offered(begun, {rule.id: rule.title for rule in all_rules(ctx.params.get("folders") or ())})


def _offered(begun: str, known: dict[str, str]) -> list[CompletionItem]:
    """Those that go on as was begun, each with its first sentence."""
    return [
        CompletionItem(name, help=meaning.partition(". ")[0].replace("`", ""))
        for name, meaning in known.items()
        if name.lower().startswith(begun.lower())
    ]
