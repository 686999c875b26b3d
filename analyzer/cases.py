"""The cases of rules: a capture on which a rule must fire, and one on which it must not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cache
from pathlib import Path

from analyzer.diagnosis.database import Database, QueryError
from analyzer.diagnosis.engine import OWN
from analyzer.diagnosis.finding import Diagnosis
from analyzer.diagnosis.room import bounded_memory
from analyzer.diagnosis.rule import CHECKOUT, Case, Rule, RuleError
from analyzer.diagnosis.trial import TOO_MUCH, harmful
from analyzer.evidence.seen import diagnosed
from analyzer.evidence_between import diagnosed_between
from analyzer.fields import of_fields
from analyzer.run import analyze

SAMPLES, PACKAGE = "samples", "analyzer"  # which a checkout has side by side


@of_fields(frozen=True, slots=True)
class Result:
    """What became of a case: `wrong` is empty where it is as it says; `missing` where it was not tried, since its capture is not here."""

    rule: Rule
    case: Case
    wrong: str
    missing: bool = False


def bound(rules: Sequence[Rule]) -> None:
    """Plan every query against empty tables. Raises RuleError, with DuckDB's suggestion, for one that cannot run."""
    refused, database = harmful(rule.sql for rule in rules if not rule.own), Database()
    try:
        for rule in rules:
            try:
                if rule.sql in refused:
                    raise QueryError(TOO_MUCH)
                with nullcontext() if rule.own else bounded_memory():
                    columns = database.bind(rule.sql)
            except QueryError as error:
                raise RuleError(f"{rule.path}: sql", str(error), "mend the query") from None
            unknown = rule.summary.columns - set(columns)
            if unknown:
                names = ", ".join(sorted(set(columns) - set(OWN)))
                raise RuleError(f"{rule.path}: summary", f"no column {min(unknown)!r}", f"the query gives {names}")
    finally:
        database.close()


def results(rules: Sequence[Rule]) -> Iterator[Result]:
    """Every case of these rules."""

    @cache
    def analysed(places: tuple[tuple[str, str], ...]) -> Diagnosis:
        if places[0][0]:
            return diagnosed_between(analyze(at=dict(places)), list(rules))
        return diagnosed(analyze(places[0][1]), list(rules))

    for rule in rules:
        for case in rule.cases:
            places = places_of(rule, case)
            if places:
                yield Result(rule, case, wrong_in(rule, case, analysed(places)))
            elif any(_sample_folders()):
                yield Result(
                    rule, case, f"no capture {case.sample!r} beside the rule, nor among the samples of a checkout"
                )
            else:
                yield Result(rule, case, "", missing=True)


def places_of(rule: Rule, case: Case) -> tuple[tuple[str, str], ...]:
    """The captures of a case, each behind the name of its capture point (empty where it is one capture); none where one is not here."""
    found = [(name, place_of(rule, sample)) for name, sample in (case.at or {"": case.sample}).items()]
    return (
        tuple((name, str(path)) for name, path in found if path is not None) if all(path for _, path in found) else ()
    )


def place_of(rule: Rule, sample: str) -> Path | None:
    """Where a capture lies: beside the rule, or among the samples."""
    places = (folder / sample for folder in (Path(rule.path).parent, *_sample_folders()))
    return next((path for path in places if path.exists()), None)


def _sample_folders() -> Iterator[Path]:
    """Where samples lie: in the checkout that is installed, or in the one in which we are; a wheel has none."""
    here = Path.cwd()
    for folder in (CHECKOUT.parent, here, *here.parents):
        if (folder / SAMPLES).is_dir() and (folder / PACKAGE).is_dir():
            yield folder / SAMPLES


def wrong_in(rule: Rule, case: Case, diagnosis: Diagnosis) -> str:
    """What is not as the case says; empty where all is."""
    found = [finding for finding in diagnosis.findings if finding.rule.id == rule.id]
    if not case.fires:
        return f"fires: {found[0].summary}" if found else ""
    if not found:
        return next((each.text for each in diagnosis.not_checked if each.rule == rule.id), "stays silent")
    summary = found[0].summary
    for part in case.says:
        if part not in summary:
            return f"does not say {part!r}: {summary}"
    for name in ("severity", "side"):
        wanted, is_ = getattr(case, name), getattr(found[0], name)
        if wanted and wanted != is_:
            return f"{name} is {is_!r}, not {wanted!r}"
    return ""
