"""Which files compiled code is made of, and whether they are still what they were."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from io import FileIO
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
_KERNEL = re.compile(r"^@kernel\(", re.MULTILINE)


def kernel_modules() -> list[str]:
    """The modules with functions that Python calls, by name; what else is compiled, they import."""
    files = sorted(file for file in PACKAGE.rglob("*_kernel.py") if _KERNEL.search(file.read_text(encoding="utf-8")))
    return [".".join((PACKAGE.name, *file.relative_to(PACKAGE).with_suffix("").parts)) for file in files]


def sources(*modules: Path) -> frozenset[Path]:
    """The files of modules, and those of all modules of this package that they need when they are imported."""
    found, waiting = set(), list(modules)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting.extend(_imported(file))
    return frozenset(found)


def file_of(module: str) -> Path:
    """analyzer.decode.codes -> its file."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def digest(files: Iterable[Path]) -> str:
    """A number that changes with the content of any of these files of the package, and with their names; OSError if one is gone."""
    return digest_of(file.relative_to(PACKAGE).as_posix() for file in files)


def digest_of(names: Iterable[str]) -> str:
    """The same of files by their names in the package, with `/` between folders. Every start asks, so that no path is taken apart more than once."""
    found, folder = hashlib.sha256(), str(PACKAGE)
    for name in sorted(names, key=lambda name: name.split("/")):
        with FileIO(f"{folder}/{name}") as file:
            content = file.readall()
        found.update(f"{name} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


@cache
def _imported(file: Path) -> tuple[Path, ...]:
    """The modules of this package that one imports at its top: what a kernel holds comes from there."""
    indented = "(?:    )?" if file.stem.endswith("_kernel") else ""  # those that a library makes needless
    imports = re.compile(rf"^{indented}from ({PACKAGE.name}[\w.]*) import ", re.MULTILINE)
    return tuple(map(file_of, imports.findall(file.read_text(encoding="utf-8"))))
