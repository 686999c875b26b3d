"""Rules that were read before: what their TOML says, as JSON, by the SHA-256 of the file.

The build of a wheel makes it of the rules that it holds, since reading TOML takes Python ten times as long as reading JSON, at every
start. A rule that is not in it, because it was changed or is a user's own, is read from its file.

`python -m analyzer.diagnosis` makes it anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("rules.json")

Told = dict[str, Any]


def told_by(text: bytes) -> Told:
    """What the TOML of a rule says. Raises ValueError, or RecursionError where it is nested too deeply, for what is no TOML."""
    known = _known().get(hashlib.sha256(text).hexdigest())
    return _read(text) if known is None else known


def made_of(paths: Iterable[Path]) -> bytes:
    """What is in FILE for some rules."""
    texts = [path.read_bytes() for path in sorted(paths)]
    found = {hashlib.sha256(text).hexdigest(): _read(text) for text in texts}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _read(text: bytes) -> Told:
    """What TOML says. Its reader is imported when something is to be read."""
    import tomllib

    return tomllib.loads(text.decode("utf-8"))


@cache
def _known() -> dict[str, Told]:
    """By the SHA-256 of their files; without the file, or with one that is damaged, nothing is known and all rules are read."""
    try:
        found = json.loads(FILE.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
