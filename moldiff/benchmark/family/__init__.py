"""The family compared: ``scripts/benchmark family``.

`members` says what is trained, `training` trains it for a measured CPU time, `sampling` measures
what it makes, `study` does both for all and keeps what is done, `report` and `picture` show it.
"""

from __future__ import annotations

__all__: list[str] = []
