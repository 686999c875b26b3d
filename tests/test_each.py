"""One test over many values fails where any of them does, and tells which."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.each import for_each


def test_all_are_looked_at_and_all_failures_told() -> None:
    """Also behind one that failed, or skipped itself."""
    seen = []

    @for_each("number", [1, 2, 3, 4, pytest.param(5, id="five")])
    def body(number: int) -> None:
        seen.append(number)
        if number == 3:
            pytest.skip("not now")
        assert number % 2, "even"

    with pytest.raises(pytest.fail.Exception, match="3 of 5: 2, 3, 4") as raised:
        body()
    assert seen == [1, 2, 3, 4, 5]
    assert str(raised.value).count("AssertionError: even") == 2


def test_nothing_to_look_at_is_a_failure() -> None:
    """An empty list would hold whatever is asked."""

    @for_each("number", [])
    def body(number: int) -> None:
        assert number

    with pytest.raises(AssertionError, match="nothing to look at"):
        body()


@pytest.mark.parametrize("word", ["a", "b"])
@for_each(("number", "text"), [(1, "one"), (2, "two")], ids=repr)
def test_other_arguments_and_folders(number: int, text: str, word: str, tmp_path: Path) -> None:
    """Fixtures and parameters as without, and an empty folder for each."""
    assert word in "ab"
    assert (number, text) in ((1, "one"), (2, "two"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / text).touch()
