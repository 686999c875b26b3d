"""All kernels -> the library and its manifest. `python -m analyzer.accelerate` makes them in place; a wheel's build does the same.

Kernels are shared out to processes, each of which types, lowers, optimises and emits its own; then a linker joins the objects.
"""

from __future__ import annotations

import gc
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from analyzer.accelerate.library import FOLDER, LIBRARY, MANIFEST, KernelsError
from analyzer.accelerate.sources import PACKAGE, digest, file_of, kernel_modules, sources

LINKERS = ("cc", "gcc", "clang", "ld", "ld.lld")


@dataclass(frozen=True, slots=True)
class Made:
    """What one process made: an object file, and of each of its kernels symbol and types."""

    content: bytes
    kernels: dict[str, dict[str, str]]


def build(folder: Path = FOLDER, jobs: int = 0, tell: Callable[[str], None] = print) -> list[Path]:
    """Compile every kernel into `folder`: the library and its manifest, each replaced at once. Returns their paths.

    Raises KernelsError where there is no linker, or it fails; ImportError without numba.
    """
    command = linker()
    started = time.perf_counter()
    files = sources(*map(file_of, kernel_modules()))
    made_from = digest(files)
    shares = [share for share in _shares(kernel_modules(), jobs or os.cpu_count() or 1) if share]
    tell(f"compiling the kernels in {len(shares)} processes, for half a minute or longer")
    with ProcessPoolExecutor(
        len(shares), mp_context=get_context("spawn"), initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        made = list(pool.map(made_of, shares))
    content = _linked([each.content for each in made], command)
    manifest = {
        "library": hashlib.sha256(content).hexdigest(),
        "sources": made_from,
        "files": sorted(file.relative_to(PACKAGE).as_posix() for file in files),
        "kernels": {name: entry for each in made for name, entry in each.kernels.items()},
    }
    paths = [folder / LIBRARY, folder / MANIFEST]
    for path, data in zip(paths, (content, json.dumps(manifest, indent=1).encode()), strict=True):
        _write(path, data)
    tell(f"{len(manifest['kernels'])} kernels, {len(content):,} bytes, {time.perf_counter() - started:.0f} s")
    return paths


def made_of(modules: Sequence[str]) -> Made:
    """The kernels of these modules, compiled."""
    os.environ["TCPCAP_KERNELS"] = "jit"
    gc.disable()  # the compiler makes millions of objects, of which hardly any can go before the end: a fifth of the time
    from analyzer.accelerate.emit import emitted, entry_symbol
    from analyzer.accelerate.front import kernel_names, lowered

    texts = lowered(kernel_names(modules))
    content = emitted(texts, platform.machine().lower())
    return Made(content, {each.name: {"symbol": entry_symbol(each), "types": each.types} for each in texts.kernels})


def _end_with(parent: int) -> None:
    """End this process when the one that started it is gone, however that ended: nobody waits for what is made here."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def linker() -> list[str]:
    """The command that links objects to a library: the system's, or that of ziglang; KernelsError where there is none."""
    found = next(filter(None, map(shutil.which, LINKERS)), None)
    if found:
        return [found]
    if find_spec("ziglang"):
        return [sys.executable, "-m", "ziglang", "cc"]
    raise KernelsError("linker", f"none of {', '.join(LINKERS)} found", "install one, or: pip install ziglang")


def _linked(objects: Sequence[bytes], command: list[str]) -> bytes:
    """The library of these objects. What they need of C: memset, log2."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"{position}.o" for position in range(len(objects))]
        for path, content in zip(paths, objects, strict=True):
            path.write_bytes(content)
        shared = ["-dynamiclib", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
        mathematics = [] if Path(command[0]).name.startswith("ld") else ["-lm"]
        target = folder / LIBRARY
        done = subprocess.run(
            [*command, *shared, "-o", str(target), *map(str, paths), *mathematics],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise KernelsError(command[0], f"failed: {done.stderr.strip()[-500:]}", "is it a linker of this system?")
        return target.read_bytes()


def _shares(modules: Sequence[str], count: int) -> list[list[str]]:
    """The modules shared out: what has most in common stays together, and no share is much larger than it must be."""
    sizes = {file: file.stat().st_size for module in modules for file in sources(file_of(module))}
    needs = {module: {file for file in sources(file_of(module)) if file.stem.endswith("_kernel")} for module in modules}
    shares: list[list[str]] = [[] for _ in range(count)]
    held: list[set[Path]] = [set() for _ in range(count)]

    def cost(files: set[Path]) -> int:
        return sum(sizes[file] for file in files)

    def after(share: int, files: set[Path]) -> tuple[int, int]:
        """The largest share, and what all cost together, if these files went to this one."""
        costs = [cost(held[other] | files if other == share else held[other]) for other in range(count)]
        return max(costs), sum(costs)

    for module in sorted(modules, key=lambda module: (-cost(needs[module]), module)):
        best = min(range(count), key=lambda share: after(share, needs[module]))
        shares[best].append(module)
        held[best] |= needs[module]
    return shares


def _write(path: Path, content: bytes) -> None:
    """Replace a file at once: a process that has loaded the old one keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
