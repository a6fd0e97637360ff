"""What a benchmark of networks ran on: the machine, and the versions of what computes."""

from __future__ import annotations

import os
import platform
from typing import Any

from moldiff.report.machine import cpu_name
from moldiff.version import __version__

__all__ = ["machine", "versions"]


def versions() -> dict[str, str]:
    """Return the versions of what is measured and of what computes."""
    import numpy
    import torch

    return {
        "moldiff": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
    }


def machine(threads: int) -> dict[str, Any]:
    """Return what it was measured on."""
    import torch

    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "threads": threads,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
    }
