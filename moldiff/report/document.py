"""JSON documents: date, plain values, and writing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moldiff.text import replace_text

__all__ = ["now", "plain", "write"]


def now() -> str:
    """Return the date and time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain(value: Any, *, digits: int = 5) -> Any:
    """Return readable JSON values: floats rounded to ``digits`` significant digits, NaN as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, digits=digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, digits=digits) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else None
    return value


def write(result: Mapping[str, Any], path: Path) -> None:
    """Write a document as JSON."""
    replace_text(Path(path), json.dumps(result, indent=1) + "\n")
