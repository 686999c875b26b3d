"""Rules as text: the list, a rule as a page, and what became of their cases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from analyzer.diagnosis.rule import Rule
from analyzer.report.layout import Style, plain, wrapped

NAME_WIDTH = 34


def rules_text(rules: Sequence[Rule], style: Style = plain) -> str:
    """A line for each, family by family."""
    lines: list[str] = []
    family = None
    for rule in sorted(rules, key=lambda rule: (rule.family, rule.id)):
        if rule.family != family:
            lines += [*([""] if lines else []), style(rule.family, "title")]
            family = rule.family
        lines += wrapped(rule.title, f"  {rule.id:<{NAME_WIDTH}} {rule.severity:<8}")
    return "\n".join(lines) + "\n"


def rule_text(rule: Rule, style: Style = plain) -> str:
    """Everything that its file says."""
    return "\n".join(_page(rule, style)) + "\n"


def _page(rule: Rule, style: Style) -> Iterator[str]:
    side = f", on the side of: {rule.side}" if rule.side else ""
    yield style(rule.title, "title")
    yield f"{rule.id} ({rule.severity}{side}; {rule.confidence})"
    yield ""
    yield from wrapped(" ".join(rule.why.split()), "")
    for title, texts in (
        ("what to do", rule.next),
        ("what speaks against it", rule.against),
        ("references", rule.references),
    ):
        if texts:
            yield ""
            yield style(title, "title")
            for text in texts:
                yield from wrapped(text, "  - ")
    yield ""
    yield style("how it is found", "title")
    for label, words in (
        ("needs", rule.needs),
        ("needs one of", rule.any_of),
        ("counters", rule.counters),
        ("explains", rule.explains),
        ("covers", rule.covers),
    ):
        if words:
            yield from wrapped(f"{label}: {', '.join(words)}", "  ")
    for kind, words in rule.when.items():
        yield from wrapped(f"when {kind}: {', '.join(words)}", "  ")
    yield ""
    yield from (f"    {line}".rstrip() for line in rule.sql.splitlines())
    yield ""
    yield from wrapped(" ".join(rule.summary.text.split()), "  says: ")
    yield ""
    yield style("cases", "title")
    for case in rule.cases:
        fires = "fires" if case.fires else "silent"
        note = f" ({case.note})" if case.note else ""
        yield from wrapped(f"{fires}: {case.sample}{note}", "  - ")
    yield ""
    yield f"{rule.path}"
