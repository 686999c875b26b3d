"""What the laboratory says when it cannot record: one line, with the next step in it."""

from __future__ import annotations


class LabError(Exception):
    """A recording that could not be made or must not be trusted."""
