"""Network namespaces without names: made on request, held open by a descriptor, gone with the process that holds it.

A named namespace stays behind when its maker is killed; one that only a descriptor refers to cannot.
"""

from __future__ import annotations

import os

from analyzer.record.namespace import CLONE_NEWNET, OWN, call


def create() -> int:
    """A descriptor of a fresh network namespace; the caller closes it."""
    home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        call("unshare", CLONE_NEWNET)
        return os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        call("setns", home, CLONE_NEWNET)
        os.close(home)
