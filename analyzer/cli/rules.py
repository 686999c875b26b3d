"""tcpcap rules: what is looked for, a rule as a page, and whether the cases of rules are as they say."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from analyzer.cli import complete
from analyzer.cli.base import FOUND, OK, UNREADABLE, cli, colour, rules_option, say, styled

if TYPE_CHECKING:
    from analyzer.diagnosis.rule import Rule


@cli.group()
def rules() -> None:
    """Rules: what is looked for in a capture, and how it is found."""


@rules.command(name="list")
@rules_option
def list_rules(folders: tuple[str, ...]) -> None:
    """List the rules, each with its severity and title."""
    from analyzer.diagnosis.rule import all_rules
    from analyzer.report.rule_text import rules_text

    say(rules_text(all_rules(folders), styled), nl=False, color=colour())


@rules.command()
@click.argument("name", metavar="ID", shell_complete=complete.rules)
@rules_option
def show(name: str, folders: tuple[str, ...]) -> None:
    """Print a rule as a page: what it means, what to do, how it is found."""
    from analyzer.diagnosis.rule import all_rules
    from analyzer.errors import UsageError, suggest
    from analyzer.report.rule_text import rule_text

    known = {rule.id: rule for rule in all_rules(folders)}
    if name not in known:
        raise UsageError("rules show", f"no rule {name!r}", suggest(name, list(known)))
    say(rule_text(known[name], styled), nl=False, color=colour())


@rules.command()
@click.argument("folder", metavar="[DIR]", required=False)
@click.option(
    "--rule",
    "names",
    multiple=True,
    metavar="ID",
    shell_complete=complete.rules,
    help="Only this rule; may be repeated.",
)
def test(folder: str | None, names: tuple[str, ...]) -> None:
    """Try every case of every rule: those that come with tcpcap, or those in DIR.

    A case names a capture beside the rule's file, or one of the samples of a checkout: of the one that is installed, or in
    whose folder this is run. Exit status 1 where one is not as it says, 2 where there are no samples to try.
    """
    from analyzer.cases import bound, results
    from analyzer.diagnosis.rule import own_rules, rules_of
    from analyzer.text import plural

    found = own_rules() if folder is None else rules_of(Path(folder))
    found = _named(found, names)
    bound(found)
    wrong = count = missing = 0
    for result in results(found):
        count += 1
        missing += result.missing
        if result.wrong:
            wrong += 1
            word = "fires" if result.case.fires else "silent"
            say(f"{result.rule.id}: {result.case.sample} ({word}): {result.wrong}")
    for rule in found:
        sorts = {case.fires for case in rule.cases}
        for fires, word in ((True, "fires"), (False, "stays silent")):
            if fires not in sorts:
                wrong += 1
                say(f"{rule.id}: no case on which it {word}")
    say(f"{plural(len(found), 'rule')}, {plural(count, 'case')}, {wrong:,} wrong")
    if missing:
        say(
            f"tcpcap: {plural(missing, 'case')} not tried: no capture beside the rule, and the samples are not installed; "
            "run it in a checkout of tcpcap",
            err=True,
        )
    sys.exit(FOUND if wrong else UNREADABLE if missing else OK)


def _named(rules: Sequence[Rule], names: Sequence[str]) -> list[Rule]:
    from analyzer.errors import UsageError, suggest

    known = {rule.id: rule for rule in rules}
    for name in names:
        if name not in known:
            raise UsageError("--rule", f"no rule {name!r}", suggest(name, list(known)))
    return [known[name] for name in names] or list(rules)
