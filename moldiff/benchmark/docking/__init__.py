"""Redocking against AutoDock Vina and Rustina: ``moldiff benchmark docking SET``.

The protocol: the receptor as it is in the crystal; the ligand as a molecular graph, whose
crystal coordinates are never read; a cube of 25 Å about the crystal ligand's centroid, moved
by up to 2 Å at random (or another box of `complexes.BOXES`, the same for every method);
symmetry-corrected RMSD of the heavy atoms without superposition; PoseBusters ``redock``.  What
cannot be prepared is a failure.

`complexes` reads sets and draws the boxes, `methods` is what is compared (`peer` runs the other
programs), `measures` judges poses, `worker` and `schedule` run each docking in a process of its
own, `rows` keeps what is finished, `statistics` and `document` sum it up, `report` and `curve` show
it; `study` is all of it.
"""

from __future__ import annotations

__all__: list[str] = []
