"""What takes longest begins first, so that all processes end at the same time (`--dist loadfile`, files in the order of collection);
and bytecode is kept, as by every Python that is not told otherwise: hundreds of tests start the command.
"""

from __future__ import annotations

import os
import sys

import pytest

from analyzer.beginning import begin

LONGEST = (
    "test_modes",
    "test_rules",
    "test_batching",
    "test_corpus",
    "test_decode_tshark",
    "test_fix_real",
    "test_checksums_naive",
    "test_cli",
    "test_export",
    "test_wireshark",
    "test_flows",
)

begin()  # as the command does: garbage is looked for seldom, among the many objects of a test run

# Else each of those processes, and each that runs tests, would compile every module of the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file only: within one the order stays."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))
