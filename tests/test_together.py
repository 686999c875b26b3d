"""Records as wholes: what NumPy gives field by field."""

from __future__ import annotations

import numpy as np
import pytest

from analyzer.flows.state import FLOW_STATE
from analyzer.flows.time_state import TIME_STATE
from analyzer.tables import EVENTS, PACKETS
from analyzer.together import Records, cleared, joined, taken

DTYPES = pytest.mark.parametrize("dtype", [PACKETS.dtype, EVENTS.dtype, FLOW_STATE, TIME_STATE])


def some(dtype: np.dtype[np.void], count: int, seed: int) -> Records:
    """Records of any bytes."""
    return np.frombuffer(bytearray(np.random.default_rng(seed).bytes(count * dtype.itemsize)), dtype)


@DTYPES
@pytest.mark.parametrize("count", [0, 1, 7])
def test_some_of_them(dtype: np.dtype[np.void], count: int) -> None:
    """By a mask, by positions in any order and shape, of a part of an array too."""
    rows = some(dtype, 2 * count, count)[::2]
    mask = np.arange(count) % 3 == 0
    places = np.random.default_rng(count).integers(0, max(count, 1), (5 if count else 0, 2))
    for which in (mask, places, places[:, 0]):
        found = taken(rows, which)
        assert found.dtype is rows.dtype and found.shape == rows[which].shape
        assert found.tobytes() == np.ascontiguousarray(rows.view(f"V{dtype.itemsize}")[which]).tobytes()
        assert all(found[name].tobytes() == rows[name][which].tobytes() for name in dtype.names or ())
        assert not np.shares_memory(found, rows)


@DTYPES
def test_all_of_several(dtype: np.dtype[np.void]) -> None:
    """In their order, and only of one kind."""
    parts = [some(dtype, count, count) for count in (0, 3, 1)]
    assert joined(parts).dtype is dtype and joined(parts).tobytes() == b"".join(part.tobytes() for part in parts)
    with pytest.raises(ValueError, match="unpack"):
        joined([parts[0], np.zeros(1, [("other", "i8")])])
    with pytest.raises(ValueError, match="unpack"):
        joined([])


@DTYPES
def test_nothing_is_left_of_some(dtype: np.dtype[np.void]) -> None:
    """And all of the others."""
    rows = some(dtype, 5, 1)
    before = rows.view(f"V{dtype.itemsize}").copy()  # a copy of records leaves open what lies between fields
    cleared(rows, np.array([3, 1]))
    bytes_of = rows.view(f"V{dtype.itemsize}")
    assert [bytes_of[at].tobytes() == before[at].tobytes() for at in range(5)] == [True, False, True, False, True]
    assert not any(bytes_of[1].tobytes() + bytes_of[3].tobytes())
    cleared(rows[:0], np.zeros(0, np.intp))
