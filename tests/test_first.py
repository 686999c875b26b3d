"""The first of several conditions that holds."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.first import first_of


@pytest.mark.parametrize("shape", [(0,), (1,), (500,), (30, 4)])
@pytest.mark.parametrize("count", [1, 2, 9])
def test_as_numpy_chooses(shape: tuple[int, ...], count: int) -> None:
    """The value of the first, number or array; else the other."""
    random = np.random.default_rng(count)
    conditions = [random.random(shape) < 0.3 for _ in range(count)]
    values = [random.integers(-(1 << 60), 1 << 60, shape) if at % 2 else at for at in range(count)]
    found = first_of(conditions, values, -7)
    assert found.dtype == np.int64
    assert np.array_equal(found, np.select(conditions, values, -7))
    if found.size > 100:
        assert (found == -7).any() and (found == 0).any()


def test_other_conditions_than_values() -> None:
    """Are no answer."""
    with pytest.raises(ValueError, match="zip"):
        first_of([np.zeros(3, np.bool_)], [1, 2], 0)
