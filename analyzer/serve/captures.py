"""The captures that may be asked about: those in the folders that were named, and nothing that a link in them points to elsewhere."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from analyzer.analysis import Analysis
from analyzer.ask import Ask
from analyzer.capture.bundle import inputs
from analyzer.choose import EVERYTHING, Choice
from analyzer.errors import UsageError
from analyzer.run import analyze

MOST_OPEN = 4
LIMIT_S = 30.0
WHERE = "capture"


Key = tuple[str, Choice]


class Captures:
    """Analyses by the path of their capture and what of it is asked for, the last MOST_OPEN of them; each is made when it is first asked for."""

    def __init__(self, folders: Sequence[str]) -> None:
        self.folders = [Path(os.path.realpath(folder)) for folder in folders]
        for folder in self.folders:
            if not folder.is_dir():
                raise UsageError(str(folder), "no folder", "name the folders whose captures may be asked about")
        self._open: OrderedDict[Key, Analysis] = OrderedDict()
        self._asks: dict[Key, Ask] = {}

    def analysis(self, name: str, choice: Choice = EVERYTHING) -> Analysis:
        """What is known of a capture, or of a part of it. Raises UsageError where it lies elsewhere, CaptureError where it cannot be read."""
        key = path, _ = self.path_of(name), choice
        if key not in self._open:
            self._open[key] = analyze([path], **choice.options())
            while len(self._open) > MOST_OPEN:
                self._close(next(iter(self._open)))
        self._open.move_to_end(key)
        return self._open[key]

    def ask(self, name: str, choice: Choice = EVERYTHING) -> Ask:
        """Its tables in SQL."""
        key, analysis = (self.path_of(name), choice), self.analysis(name, choice)
        if key not in self._asks:
            self._asks[key] = Ask(analysis, LIMIT_S)
        return self._asks[key]

    def path_of(self, name: str) -> str:
        """Where the capture `name` lies: a path in one of the folders, from there on or in full."""
        for folder in self.folders if "\0" not in name else ():
            path = Path(os.path.realpath(folder / name))
            if self._is_inside(path) and (path.is_file() or path.is_dir()):
                for each in inputs(path):
                    self._refuse_links(each.files(), name)
                return str(path)
        listed = ", ".join(map(str, self.folders))
        raise UsageError(WHERE, f"no capture {name!r} in {listed}", "give the path of a capture or bundle below that")

    def close(self) -> None:
        """Let go of all of them."""
        for key in list(self._open):
            self._close(key)

    def _close(self, key: Key) -> None:
        del self._open[key]
        if key in self._asks:
            self._asks.pop(key).__exit__()

    def _refuse_links(self, files: Sequence[str], name: str) -> None:
        for file in files:
            if not self._is_inside(Path(os.path.realpath(file))):
                raise UsageError(WHERE, f"{name!r} has a link to {file}, out of the folders", "copy what it points to")

    def _is_inside(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self.folders)
