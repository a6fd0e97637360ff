"""The stages of a docking: how far it is, and what each of them takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

__all__ = ["Clock", "Progress"]

# stage -> fraction of the work done at its start, for a progress bar
_STAGES = {
    "choosing": 0.1,
    "grids": 0.1,
    "surveying": 0.15,
    "proposals": 0.3,
    "minimising": 0.45,
    "searching": 0.5,
    "refining": 0.85,
    "ranking": 0.9,
    "rescoring": 0.9,
    "PoseBusters": 0.95,
}

#: Called with the stage and the fraction of the work that is done, 0 to 1.
Progress = Callable[[str, float], None]


class Clock:
    """Measures CPU-seconds by stage."""

    def __init__(self, before: Mapping[str, float], progress: Progress | None) -> None:
        self.seconds = dict(before)
        self._progress = progress or (lambda stage, done: None)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._progress(stage, _STAGES[stage])
        start = time.process_time()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.process_time() - start
