"""Scoring the poses of one problem with the judge, a model of distances.

It is the evidence ``distance_score``: the log-ratio of the probability of the distances in a bound
pose to that in one placed at random (`moldiff.nn.distances`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from moldiff.chem.graph import molecular_graph
from moldiff.diffusion.batch import Batch
from moldiff.domain.distances import sites
from moldiff.nn.inputs import LigandInput
from moldiff.protein.tokens import structure_tokens

if TYPE_CHECKING:
    from moldiff.docking.problem import Problem
    from moldiff.model import Model

__all__ = ["distance_score"]

Score = Callable[[Float[Tensor, "p n 3"]], Float[Tensor, " p"]]


def distance_score(model: Model, problem: Problem) -> Score | None:
    """Return a function that scores poses (p, n, 3) in Å, (p,) in nats; higher is better.

    Ligand and pocket are encoded here, once.  None for a pocket of fewer than 2 atoms.
    """
    structure = problem.receptor.structure
    if len(structure.positions) < 2:
        return None
    graph = molecular_graph(problem.ligand.mol, problem.ligand.heavy)
    pocket = sites(
        torch.tensor(structure.positions).float(),
        torch.as_tensor(structure_tokens(structure)).long(),
        torch.tensor(structure.residue).long(),
    )
    ligand = LigandInput(torch.as_tensor(graph.atoms).long(), torch.as_tensor(graph.pairs).long())
    network = model.network
    with torch.no_grad():
        context = network.eval().encode({"ligand": ligand, "pocket": pocket})

    def score(x: Tensor) -> Tensor:
        with torch.no_grad():
            scores: Tensor = network(Batch({"positions": x}, context), x.new_zeros(len(x)))
        return scores

    return score
