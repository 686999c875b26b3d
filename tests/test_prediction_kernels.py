"""The library, plain Python and numba with bounds checks predict the same from the same frames, with room for all connections or for two."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from unittest.mock import patch

from analyzer.capture.bundle import host_of
from analyzer.correlate import Comparison
from analyzer.counters import series_of
from analyzer.parts import COUNTERS_FILE
from analyzer.passes import judged_rows
from analyzer.prediction import INCREMENT, Predictor
from analyzer.schema import Rows
from analyzer.together import joined
from tests.agreement import HOSTS, SAMPLES

HASHES = (
    "flows.handshake_kernel", "flows.hash_kernel", "checksums.direction_kernel", "checksums.wide_kernel", "events.copies_kernel", "prediction.closing.closing_kernel",
)  # fmt: skip
FEW_BYTES = 6_000  # of a capture: so small that plain Python is through in a second
ALSO = ("loss-ipv4/client", "zero-window/server", "counters-gso/server")


def digest(parts: list[Rows]) -> str:
    """Of the columns one by one: what lies between them does not count."""
    rows = joined(parts)
    found = hashlib.sha256()
    for name in INCREMENT.names or ():
        found.update(rows[name].tobytes())
    return f"{len(rows)} {found.hexdigest()}"


def results() -> dict[str, list[str]]:
    """Of each host: its increments, and what the comparison of their sums with its counters says."""
    found = {}
    for folder in HOSTS:
        name = folder.relative_to(SAMPLES).as_posix()
        if sum(file.stat().st_size for file in folder.glob("capture*")) > FEW_BYTES and name not in ALSO:
            continue
        host = host_of(str(folder))
        assert host is not None
        # Of places there are few at first, as all of them are gone through in the end: more come with the connections.
        with patch("analyzer.prediction.predictor.FIRST_CAPACITY", 2):
            one_by_one = Predictor(host.addresses, host.mtu, host.sysctls)
            with patch("analyzer.prediction.predictor.SLOTS", 2):
                together = Predictor(host.addresses, host.mtu, host.sysctls)
        comparison, parts = Comparison(series_of([folder / COUNTERS_FILE])), []
        for rows, events in judged_rows([str(folder)]):
            parts += [part.copy() for part in one_by_one.add(rows, events)]
            comparison.add(rows, events, together)
        parts += [part.copy() for part in one_by_one.settle()]
        comparison.close(together)
        compared = repr([comparison.rows(), comparison.fit]).encode()
        found[name] = [digest([*parts, one_by_one.finish()]), hashlib.sha256(compared).hexdigest()]
    return found


@cache
def compiled() -> dict[str, list[str]]:
    """The results of this process, which runs the kernels as everyone does."""
    return results()


def test_there_is_something_to_predict() -> None:
    """In most of the samples, and not the same in all."""
    found = compiled()
    assert len(found) > 80
    assert len({first for first, _ in found.values()}) == len(found)


if __name__ == "__main__":
    print(json.dumps(results()))
