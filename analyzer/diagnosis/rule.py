"""Rules: one TOML file each, read and checked."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import lru_cache
from pathlib import Path
from typing import Any

from analyzer.diagnosis.parsed import told_by
from analyzer.diagnosis.signals import SIGNALS, Signals
from analyzer.diagnosis.template import Template
from analyzer.diagnosis.views import TABLES
from analyzer.errors import TcpcapError, suggest
from analyzer.fields import of_fields
from analyzer.output import Input
from analyzer.tables import CONFIDENCES, FINDING_SIDES, SEVERITIES

PACKAGED = Path(__file__).resolve().parent.parent / "rules"  # where the wheel holds them
CHECKOUT = PACKAGED.parent.parent / "rules"
PATTERN = "*.toml"  # the names of their files
TRUSTED = ("times",)  # what of a capture a rule may need to be true: the times of its frames
MAX_BYTES = 1 << 20


class RuleError(TcpcapError):
    """A rule that cannot be used: where, what was found, what to do."""


@of_fields(frozen=True, slots=True)
class Case:
    """A capture on which the rule must fire, or must not; or with `at` captures of several points, `sample` being all of them."""

    sample: str
    fires: bool
    says: tuple[str, ...]  # parts of the finding's sentence
    severity: str
    side: str
    note: str
    at: Mapping[str, str] = field(default_factory=dict)


@of_fields(frozen=True, slots=True)
class Rule:
    """One rule, as its file says.

    `needs` are tables without which it says nothing, `any_of` tables of which one must be there; `when` the signals of which
    one must be seen for it to run, empty for always; `explains` the rules whose findings about the same connections or server are its
    consequences, `covers` those of them that only say the same again and are not printed below it; `counters` those that prove it where they moved;
    `rests_on` what of a capture it needs to be true (TRUSTED): where that is in doubt, its findings are only possible. Its `own` came with
    tcpcap; the query of any other is tried before it is asked.
    """

    id: str
    path: str
    family: str
    title: str
    severity: str
    side: str
    confidence: str
    why: str
    sql: str
    summary: Template
    next: tuple[str, ...]
    against: tuple[str, ...]
    references: tuple[str, ...]
    needs: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    counters: tuple[str, ...] = ()
    rests_on: tuple[str, ...] = ()
    when: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    own: bool = False

    def applies(self, signals: Signals) -> bool:
        """Was anything seen of what it is about?"""
        return not self.when or any(signals.has(kind, words) for kind, words in self.when.items())

    def lacks(self, available: Iterable[str]) -> tuple[str, ...]:
        """The tables that it would need; empty where it can run."""
        there = set(available)
        missing = tuple(name for name in self.needs if name not in there)
        if not missing and self.any_of and not there & set(self.any_of):
            return self.any_of
        return missing


_TEXTS = ("id", "title", "severity", "why", "sql", "summary")
_MAY = {
    "side": "", "confidence": "certain", "next": (), "against": (), "references": (), "needs": (), "any_of": (),
    "explains": (), "covers": (), "counters": (), "rests_on": (), "when": {}, "case": (),
}  # fmt: skip
_CASE = {"sample": str, "at": list, "fires": bool, "says": list, "severity": str, "side": str, "note": str}


def rules_of(folder: Path) -> list[Rule]:
    """All rules below a folder, in order of family and name. Raises RuleError for the first that is none, or is there twice."""
    if not folder.is_dir():
        raise RuleError(str(folder), "no folder of rules", "name a folder that holds TOML files")
    found: dict[str, Rule] = {}
    for path in sorted(folder.rglob(PATTERN)):
        rule = rule_of(path)
        if rule.id in found:
            raise RuleError(str(path), f"a second rule {rule.id!r}, after {found[rule.id].path}", "rename one of them")
        found[rule.id] = rule
    return list(found.values())


def own_folder() -> Path:
    """Where those are that come with tcpcap."""
    return PACKAGED if PACKAGED.is_dir() else CHECKOUT


def own_rules() -> list[Rule]:
    """Those that come with tcpcap."""
    return rules_of(own_folder())


def user_folder() -> Path:
    """Where a user keeps rules of their own."""
    # Every start asks, and where the answer is plain (XDG Base Directory Specification) need not import what knows all others, too.
    if sys.platform == "linux":
        given, home = (Path(os.environ.get(name, "")) for name in ("XDG_CONFIG_HOME", "HOME"))
        if given.is_absolute():
            return given / "tcpcap" / "rules"
        if home.is_absolute():
            return home / ".config" / "tcpcap" / "rules"
    from platformdirs import user_config_path

    return user_config_path("tcpcap", appauthor=False) / "rules"


def all_rules(folders: Iterable[str | Path] = ()) -> list[Rule]:
    """Those that come with tcpcap, the user's own, and those of some folders. A later one of the same name stands for the earlier."""
    return list({rule.id: rule for folder in _all_folders(folders) for rule in rules_of(folder)}.values())


def _all_folders(folders: Iterable[str | Path]) -> list[Path]:
    """In this order: tcpcap's own, the user's if there is one, and these."""
    users = user_folder()
    try:
        there = users.is_dir()
    except PermissionError:  # the home is another's, as sudo may leave it: this user keeps no rules there
        there = False
    return [own_folder(), *([users] if there else []), *map(Path, folders)]


def rule_inputs(folders: Iterable[str | Path] = ()) -> list[Input]:
    """All that is read where the rules of these folders are: nothing may be written over it, nor become a rule."""
    found = [each for folder in _all_folders(folders) for each in (folder, *folder.rglob("*"))]
    return [Input(str(each), (PATTERN,), "rules") for each in found if each.is_dir()]


def rule_of(path: Path) -> Rule:
    """The rule in a file; a file that has not changed is not read again."""
    try:
        now = path.stat()
        if now.st_size > MAX_BYTES:
            raise RuleError(str(path), "more than 1 MB", "is it a rule?")
        return _read(path, now.st_mtime_ns, now.st_size)
    except OSError as error:
        raise RuleError(str(path), f"cannot be read ({error.strerror or error})", "check the path") from None


@lru_cache(maxsize=1000)
def _read(path: Path, mtime_ns: int, size: int) -> Rule:
    """The rule in a file of that time and size."""
    try:
        told = told_by(path.read_bytes())
    except (
        ValueError,
        RecursionError,
    ) as error:  # what tomllib says of numbers too long, or nested too deeply, is no error of its own
        raise RuleError(str(path), f"not TOML ({error})", "mend that line") from None
    return _Reader(str(path), told).rule(path)


class _Reader:
    """Takes a rule apart; each complaint names the file and the key."""

    def __init__(self, where: str, told: dict[str, Any]) -> None:
        self.where, self.told = where, told

    def rule(self, path: Path) -> Rule:
        known = (*_TEXTS, *_MAY)
        for key in self.told:
            if key not in known:
                raise self.wrong(key, "no key of a rule", suggest(key, list(known)))
        for key in _TEXTS:
            if not isinstance(self.told.get(key), str) or not self.told[key].strip():
                raise self.wrong(key, "missing, or no text", f'write {key} = "..."')
        if self.told["id"] != path.stem:
            raise self.wrong("id", f"{self.told['id']!r} in the file {path.name}", "give both the same name")
        return Rule(
            id=path.stem,
            path=self.where,
            family=path.parent.name,
            title=self.told["title"],
            severity=self.one_of("severity", SEVERITIES),
            side=self.one_of("side", FINDING_SIDES),
            confidence=self.one_of("confidence", CONFIDENCES),
            why=self.told["why"].strip(),
            sql=self.told["sql"].strip().rstrip(";"),
            summary=self.template(),
            next=self.texts("next"),
            against=self.texts("against"),
            references=self.texts("references"),
            needs=self.tables("needs"),
            any_of=self.tables("any_of"),
            explains=self.texts("explains"),
            covers=self.texts("covers"),
            counters=self.texts("counters"),
            rests_on=self.trusted(),
            when=self.when(),
            cases=tuple(map(self.case, self.list_of("case"))),
            own=path.is_relative_to(own_folder()),
        )

    def wrong(self, key: str, found: str, todo: str) -> RuleError:
        return RuleError(f"{self.where}: {key}", found, todo)

    def one_of(self, key: str, words: Sequence[str]) -> str:
        value = self.told.get(key, _MAY.get(key))
        if value not in words:
            raise self.wrong(key, f"{value!r}", f"choose from {', '.join(word for word in words if word)}")
        return str(value)

    def list_of(self, key: str) -> list[Any]:
        value = self.told.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(key, "no list", f"write {key} = [...]")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.told.get(key, [])
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise self.wrong(key, "neither a text nor a list of texts", f'write {key} = ["..."]')
        return tuple(each.strip() for each in values)

    def tables(self, key: str) -> tuple[str, ...]:
        names = self.texts(key)
        for name in names:
            if name not in TABLES:
                raise self.wrong(key, f"no table {name!r}", suggest(name, list(TABLES)))
        return names

    def trusted(self) -> tuple[str, ...]:
        words = self.texts("rests_on")
        for word in words:
            if word not in TRUSTED:
                raise self.wrong("rests_on", f"{word!r} is none", suggest(word, list(TRUSTED)))
        return words

    def template(self) -> Template:
        try:
            return Template(self.told["summary"].strip())
        except ValueError as error:
            raise self.wrong("summary", str(error), "write columns in braces, such as {server}") from None

    def when(self) -> dict[str, tuple[str, ...]]:
        told = self.told.get("when", {})
        if not isinstance(told, dict):
            raise self.wrong("when", "no table", 'write [when], and below it such as events = ["zero_window"]')
        found = {}
        for kind, words in told.items():
            if kind not in SIGNALS:
                raise self.wrong("when", f"no kind of signal {kind!r}", suggest(kind, list(SIGNALS)))
            if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
                raise self.wrong(f"when.{kind}", "no list of words", f'write {kind} = ["..."]')
            known = SIGNALS[kind]
            for word in words:
                if known and word not in known:
                    raise self.wrong(f"when.{kind}", f"{word!r} is none", suggest(word, list(known)))
            found[kind] = tuple(words)
        return found

    def case(self, told: Any) -> Case:
        one = isinstance(told, dict) and isinstance(told.get("sample"), str)
        at = self.points(told["at"]) if isinstance(told, dict) and not one and "at" in told else {}
        if not (one or at) or "fires" not in told:
            raise self.wrong("case", "without a sample, or without fires", 'write sample = "..." and fires = true')
        for key, value in told.items():
            if key not in _CASE or not isinstance(value, _CASE[key]):
                raise self.wrong(f"case.{key}", "no key of a case, or of another type", suggest(key, list(_CASE)))
        says = tuple(map(str, told.get("says", ())))
        severity, side, note = (str(told.get(key, "")) for key in ("severity", "side", "note"))
        sample = told["sample"] if one else " ".join(told["at"])
        return Case(sample, told["fires"], says, severity, side, note, at)

    def points(self, told: Any) -> dict[str, str]:
        """The samples of several capture points by name."""
        parts = [each.partition("=") for each in told if isinstance(each, str)] if isinstance(told, list) else []
        if len(parts) < 2 or not all(name and sample for name, _, sample in parts):
            raise self.wrong("case.at", f"{told!r}", 'write at = ["client=SAMPLE", "server=SAMPLE"]')
        return {name: sample for name, _, sample in parts}
