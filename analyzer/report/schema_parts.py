"""The parts that JSON schemas of tcpcap are made of: kinds of values, objects without other keys, moments."""

from __future__ import annotations

from typing import Any

from analyzer.moments import MOMENTS
from analyzer.report.json_text import SCHEMA_VERSION

Schema = dict[str, Any]
DRAFT = "https://json-schema.org/draft/2020-12/schema"
MOMENT = r"^-?\d{4,}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$"
TEXT, WHOLE, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
TEXTS, WHOLES = {"type": "array", "items": TEXT}, {"type": "array", "items": WHOLE}
COUNTS = {"type": "object", "additionalProperties": WHOLE}
MAYBE = {"type": ["integer", "null"]}
VERSION = {"const": SCHEMA_VERSION, "description": "Of this schema."}


def moment_schema(doc: str) -> Schema:
    """A moment as text; null where it is not known."""
    return {"type": ["string", "null"], "pattern": MOMENT, "description": doc}


def closed(properties: Schema, doc: str, optional: tuple[str, ...] = ()) -> Schema:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "description": doc,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def with_moments(properties: Schema) -> Schema:
    """With the text of each moment behind its number."""
    found: Schema = {}
    for name, value in properties.items():
        found[name] = value
        if name in MOMENTS:
            found[MOMENTS[name]] = moment_schema(f"`{name}` as text.")
    return found
