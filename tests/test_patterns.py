"""Patterns that are compiled when they are first used."""

from __future__ import annotations

import re

import pytest

from analyzer.patterns import regex


def test_one_that_nobody_uses_is_never_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is used, once."""
    compiled: list[str] = []
    plain = re.compile

    def noted(text: str, flags: int) -> re.Pattern[str]:
        compiled.append(text)
        return plain(text, flags)

    monkeypatch.setattr(re, "compile", noted)
    regex("unused")
    used = regex("([a-z]+)([0-9]*)", re.IGNORECASE)
    assert compiled == []
    for _ in range(3):
        found = used.fullmatch("AB12")
        assert found is not None and found.groups() == ("AB", "12")
    assert compiled == ["([a-z]+)([0-9]*)"]


def test_it_answers_as_any_other() -> None:
    """Methods and attributes, of texts and of bytes."""
    assert regex("a|b").sub("-", "cab") == "c--"
    assert regex(rb"\d+").findall(b"1 22") == [b"1", b"22"]
    assert (regex("(?P<one>x)").groupindex, regex("x", re.DOTALL).flags & re.DOTALL) == ({"one": 1}, re.DOTALL)
    with pytest.raises(re.error):
        regex("(").match("x")
    with pytest.raises(AttributeError):
        getattr(regex("x"), "no_such_method")  # noqa: B009
