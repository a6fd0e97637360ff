"""Design in a pocket: parts that have their pose in a receptor are grown there.

::

    scaffold | pieces of a known ligand | generated fragments
        ---> Start (a part in its pose, `starts`)
        ---> molecules around it, pushed out of walls on the way (`room`, guidance "surroundings")
        ---> what was added turns until the docking energy is least (`settle`)
        ---> evidence and checks of docking, proof, rank, choice (`run`, `report`)

Or whole molecules are docked, and the best have children: pieces of them are completed anew, or
joined to pieces of others, and docked (`evolve`, `crossing`).
"""

from __future__ import annotations

from moldiff.design.pockets.api import pocket
from moldiff.design.pockets.bench import Bench, prepare
from moldiff.design.pockets.report import Outcome
from moldiff.design.pockets.run import Budget, Design

__all__ = ["Bench", "Budget", "Design", "Outcome", "pocket", "prepare"]
