"""Files that appear when they are complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which gets its name when all is written: what fails or is interrupted leaves nothing behind.

    A fifo or a device takes the bytes as they come. Raises OSError where nothing can be written.
    """
    if path.exists() and not path.is_file():  # a directory refuses
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()  # a link keeps pointing at its target
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        # A file that is replaced keeps its permissions: captures are nobody else's business.
        Path(name).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
