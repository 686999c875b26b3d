"""Classes that are their fields are what dataclasses makes of them; and the values that occur in an array are those of NumPy."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from dataclasses import KW_ONLY, FrozenInstanceError, asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
import pytest

from analyzer.diagnosis.finding import Proof
from analyzer.distinct import distinct, grouped
from analyzer.fields import of_fields
from analyzer.schema import Column, Table

HOW = [(frozen, slots) for frozen in (False, True) for slots in (False, True)]
Make = Callable[[type], type]


def both(frozen: bool, slots: bool) -> list[Any]:
    """The same class, made here and by dataclasses."""
    found = []
    makes: list[Make] = [of_fields(frozen=frozen, slots=slots), dataclass(frozen=frozen, slots=slots)]
    for make in makes:

        class Some:
            """Fields of every sort."""

            one: int
            many: list[int] = field(default_factory=list)
            word: str = "word"
            hidden: int = field(default=3, repr=False)
            aside: int = field(default=4, compare=False)
            later: int = field(default=5, init=False)
            own: list[int] = field(default_factory=list, init=False)
            _: KW_ONLY
            named: int = 6

            @property
            def doubled(self) -> int:
                """Of what the class does itself, all stays."""
                return 2 * self.one

        Some.__qualname__ = "Some"
        found.append(make(Some))
    return found


@pytest.mark.parametrize(("frozen", "slots"), HOW)
def test_they_are_made_and_shown_as_dataclasses_are(frozen: bool, slots: bool) -> None:
    """With defaults, fields that are given by name alone, and those that nobody gives."""
    given: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((1,), {}),
        ((1, [2], "x"), {"hidden": 7, "named": 8}),
        ((), {"one": 9, "many": [1]}),
    ]
    for arguments, named in given:
        ours, theirs = (each(*arguments, **named) for each in both(frozen, slots))
        assert repr(ours) == repr(theirs) and asdict(ours) == asdict(theirs)
        assert ours.doubled == theirs.doubled
    for wrong in ({}, {"one": 1, "nothing": 2}, {"one": 1, "later": 2}):
        for each in both(frozen, slots):
            with pytest.raises(TypeError, match="argument"):
                each(**wrong)
    ours, theirs = both(frozen, slots)
    assert [each.name for each in fields(ours)] == [each.name for each in fields(theirs)]
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)
    assert ours(1).many is not ours(1).many and hasattr(ours(1), "__dict__") == hasattr(theirs(1), "__dict__")
    assert ours.__match_args__ == theirs.__match_args__


@pytest.mark.parametrize(("frozen", "slots"), HOW)
def test_they_are_compared_hashed_and_kept_as_dataclasses_are(frozen: bool, slots: bool) -> None:
    """By the fields that count; with another class never; what is frozen is not changed, and only that is hashed."""
    ours, theirs = both(frozen, slots)
    for each in (ours, theirs):
        assert each(1) == each(1, aside=9) != each(2)
        assert each(1).__eq__(1) is NotImplemented
        changed = each(1)
        if frozen:
            with pytest.raises(FrozenInstanceError, match="cannot assign to field 'one'"):
                changed.one = 2
            with pytest.raises(FrozenInstanceError, match="cannot delete field 'one'"):
                del changed.one
            assert changed.one == 1
        else:
            changed.one = 2
            assert changed == each(2)
        assert replace(each(1), word="other") == each(1, word="other")
        assert copy.copy(each(1, [5])) == each(1, [5]) == copy.deepcopy(each(1, [5]))
        if frozen:
            with pytest.raises(TypeError, match="unhashable type: 'list'"):
                hash(each(1))
        else:
            assert each.__hash__ is None
    assert ours(1) != theirs(1)


def test_what_a_class_has_itself_stays() -> None:
    """Its own comparison, text and hash; one field or none is no special case."""

    @of_fields(frozen=True)
    class Own:
        one: int

        def __repr__(self) -> str:
            return "mine"

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 7

    assert (repr(Own(1)), Own(1) == Own(2), hash(Own(1))) == ("mine", True, 7)

    @of_fields(frozen=True, slots=True)
    class Nothing:
        pass

    assert Nothing() == Nothing() and repr(Nothing()).endswith("Nothing()") and len({Nothing(), Nothing()}) == 1


def test_one_field_is_no_special_case() -> None:
    """What is not equal to itself is where it is the same; and there is a hash beside a comparison of its own."""
    nan, array = float("nan"), np.zeros(3)

    @of_fields(frozen=True)
    class Ours:
        one: Any

    @dataclass(frozen=True)
    class Theirs:
        one: Any

    for kind in (Ours, Theirs):
        assert kind(nan) == kind(nan) and kind(array) == kind(array) and kind(1) != kind(2)
        assert hash(kind(1)) == hash((1,))

    @of_fields(frozen=True)
    class Alike:
        one: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Alike)

    assert len({Alike(1), Alike(1)}) == 1


def test_what_help_shows() -> None:
    """The same as of a dataclass: what is made anew is called so, and where a method is from."""

    @of_fields()
    class Ours:
        one: int
        many: list[int] = field(default_factory=list)

    @dataclass
    class Theirs:
        one: int
        many: list[int] = field(default_factory=list)

    assert str(inspect.signature(Ours)) == str(inspect.signature(Theirs))
    assert Ours.__init__.__module__ == __name__


def test_those_of_the_package() -> None:
    """They go to other processes and come back equal, count in sets, and are completed by __post_init__."""
    proof = Proof("TcpRetransSegs", 3, 2, "over")
    assert pickle.loads(pickle.dumps(proof)) == proof != replace(proof, observed=4)
    column = Column("one", "u4", "One.")
    assert pickle.loads(pickle.dumps(column)) == column and len({column, copy.deepcopy(column)}) == 1
    table = Table("some", "Some.", (Column("one", "u4", "One."), Column("two", "u8", "Two.")))
    assert table.dtype.itemsize == 16 and table["two"].doc == "Two."


@pytest.mark.parametrize("values", [[], [3], [2, 1, 2, 1], [[5, 5], [4, 9]], list(range(99, -1, -3))])
def test_the_values_of_an_array(values: list[Any]) -> None:
    """As np.unique says, in the same type."""
    for kind in (np.int64, np.uint8):
        array = np.array(values, kind)
        assert distinct(array).tolist() == np.unique(array).tolist() and distinct(array).dtype == kind


def test_what_is_grouped_is_what_numpy_says() -> None:
    """Of numbers and of some fields of records, of none, one and many: values, where each is first, whose each row is, how often."""
    made = np.random.default_rng(1)
    for count in (0, 1, 2, 50, 1000):
        records = np.zeros(count, [("a", "i4"), ("b", "u1"), ("c", "u8")])
        records["a"], records["b"] = made.integers(0, 3, count), made.integers(0, 9, count)
        records["c"] = made.integers(0, 1 << 62, count).astype(np.uint64) % 3 << np.uint64(62)
        for values in (records["a"], records["c"], records[["a", "c"]]):
            found = grouped(values)
            expected = np.unique(values, return_index=True, return_inverse=True, return_counts=True)
            assert found.values.dtype == expected[0].dtype
            assert [each.tolist() for each in found] == [each.reshape(-1).tolist() for each in expected]
