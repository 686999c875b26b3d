"""A thread that can be stopped and that hands its errors over to whoever stops it."""

from __future__ import annotations

import threading

from .errors import LabError


class Worker(threading.Thread):
    """Repeats `step` until `stop`, which raises what went wrong meanwhile."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.stopping = threading.Event()
        self._error: Exception | None = None

    def step(self) -> None:
        """One round of the work; must return within a fraction of a second."""
        raise NotImplementedError

    def run(self) -> None:
        """Work until told to stop, or until something fails."""
        try:
            while not self.stopping.is_set():
                self.step()
        except Exception as error:  # noqa: BLE001 - kept for the thread that waits for this one
            self._error = error

    def stop(self) -> None:
        """End the work; may be called again, and without a start."""
        self.stopping.set()
        if self.ident is not None:
            self.join()
        if self._error:
            raise LabError(f"{self.name} failed: {self._error!r}") from self._error
