"""Loops cut out of held-out chains and built again: ``moldiff benchmark gaps``.

Every method is given the same gaps: the chain without the residues of the gap, which has backbone
atoms only, and its sequence.  What it builds is compared with the crystal structure where it is,
not superposed.

`conformations` shows what our model draws, `methods` is what is compared (`peers` runs other
programs, in interpreters of their own, by the scripts ``with_*``), `judge` measures what was
built, `identity` how alike the closest chain trained on is, `report` writes and shows it.
"""

from __future__ import annotations

__all__: list[str] = []
