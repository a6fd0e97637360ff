"""What numbers depend on: the processor, and the versions of what computes."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["cpu_name", "installed"]


def cpu_name(info: Path = Path("/proc/cpuinfo")) -> str | None:
    """Return the processor's model name; None where the machine does not tell."""
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine() or None


def installed(package: str) -> str | None:
    """Return the version of an installed package; None without it."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
