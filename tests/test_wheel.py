"""The wheel, installed away from the checkout, holds all it needs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from analyzer.accelerate.library import LIBRARY, MANIFEST
from tests.readme import ROOT, SAMPLE


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pip wheel .`, without the dependencies, and with the tools to build one that are here already."""
    out = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(out),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = out.glob("tcpcap-*.whl")
    return found


def test_wheel_holds_the_package_and_the_rules(wheel: Path) -> None:
    """Every module, the script of `record` and everything in rules/, and nothing of tests or samples."""
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        str(path.relative_to(ROOT)) for path in (ROOT / "analyzer").rglob("*.*") if path.suffix in (".py", ".sh")
    }
    rules = {f"analyzer/{path.relative_to(ROOT)}" for path in (ROOT / "rules").rglob("*") if path.is_file()}
    assert "analyzer/rules/README.md" in rules
    assets = {str(path.relative_to(ROOT)) for path in (ROOT / "analyzer").glob("*/assets/*")}
    assert "analyzer/plot/assets/page.js" in assets
    kernels = {f"analyzer/accelerate/{name}" for name in (LIBRARY, MANIFEST)}
    assert modules | rules | kernels | assets | {"analyzer/diagnosis/rules.json"} <= names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"analyzer", "tcpcap"}


def test_wheel_is_of_this_platform_and_of_any_python(wheel: Path) -> None:
    """The library is machine code, and knows nothing of Python."""
    python, abi, platform = wheel.stem.split("-")[-3:]
    assert (python, abi) == ("py3", "none")
    assert platform == sysconfig.get_platform().replace("-", "_").replace(".", "_")
    with zipfile.ZipFile(wheel) as content:
        (about,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        needs = re.findall(r"^Requires-Dist: ([\w-]+)[^;\n]*$", content.read(about).decode(), re.MULTILINE)
    assert "numpy" in needs
    assert "numba" not in needs


def test_wheel_analyzes_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own; only the dependencies are borrowed from this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(command, check=True, capture_output=True)
    # A plain path entry comes after `site` itself, and brings no import hooks of an editable installation.
    (site / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    python = tmp_path / "env" / "bin" / "python"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "NUMBA", "TCPCAP"))
    }
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "check": True}
    where = subprocess.run([python, "-c", "import analyzer; print(analyzer.__file__)"], **run).stdout  # type: ignore[call-overload]
    assert Path(where.strip()).is_relative_to(site)
    command = ["-m", "analyzer", "analyze", SAMPLE]
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    answer = subprocess.run([python, *command], **run).stdout  # type: ignore[call-overload]
    here = subprocess.run([sys.executable, *command], **(run | {"cwd": ROOT})).stdout  # type: ignore[call-overload]
    assert answer == here
    assert "5 TCP connections" in " ".join(here.split())
