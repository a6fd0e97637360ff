"""``scripts/benchmark training``: speed of training and sampling, and how near it is to the peak.

`works` is what is timed, `study` how it is measured, `command` the options and the result.
"""

from __future__ import annotations

__all__: list[str] = []
