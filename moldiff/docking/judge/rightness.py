"""Judging the poses of one problem with the rank network.

It is the evidence ``rightness``: the logit of the probability that a pose is within 2 Å of the
bound one (`moldiff.nn.rank`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.graph import molecular_graph
from moldiff.diffusion.batch import Batch
from moldiff.domain.poses import ligand_input, pocket_input
from moldiff.protein.tokens import structure_tokens

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem
    from moldiff.model import Model

__all__ = ["rightness"]

_TOGETHER = 64  # poses in one pass, which bounds the memory


def rightness(
    model: Model, problem: Problem
) -> Callable[[Float[Tensor, "p n 3"]], Float[Tensor, " p"]]:
    """Return a function that judges poses (p, n, 3) in Å, (p,); higher is better.

    Ligand and pocket are encoded here, once.
    """
    structure = problem.receptor.structure
    graph = molecular_graph(problem.ligand.mol, problem.ligand.heavy)
    centre = np.asarray(problem.box.centre, dtype=np.float32)
    pocket = pocket_input(structure.positions, structure_tokens(structure), centre, np.inf)
    ligand = ligand_input(graph, problem.rotors.moves)
    network = model.network
    with torch.no_grad():
        context = network.eval().encode({"ligand": ligand, "pocket": pocket})

    def judged(x: Tensor) -> Tensor:
        with torch.no_grad():
            parts = (x - torch.tensor(centre)).split(_TOGETHER)
            return torch.cat([network(Batch({"positions": part}, context)) for part in parts])

    return judged
