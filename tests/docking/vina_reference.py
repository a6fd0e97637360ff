"""What the vina package says of a ligand in a receptor, term by term."""

from dataclasses import fields

import numpy as np
import torch

from moldiff.docking.energy.atom_types import ligand_types, receptor_types
from moldiff.docking.energy.exact import ExactEnergy, Internal, Target
from moldiff.docking.energy.pdbqt import ligand_pdbqt, receptor_pdbqt
from moldiff.docking.energy.terms import TERMS, Weights, internal_pairs

WEIGHTINGS = {
    "all": Weights(),
    **{
        name: Weights(**{f.name: 0.0 for f in fields(Weights) if f.name not in (name, "torsion")})
        for name in TERMS
    },
}


def vina_scores(mol, rotors, receptor, folder):
    """Return {weighting: (inter, intra, total)} as vina computes them, not rounded."""
    from vina import Vina

    ligand = ligand_pdbqt(mol, rotors)
    path = folder / "receptor.pdbqt"
    path.write_text(receptor_pdbqt(receptor))
    centre = mol.GetConformer().GetPositions().mean(0).tolist()
    scores = {}
    for name, weights in WEIGHTINGS.items():
        vina = Vina(sf_name="vina", cpu=1, verbosity=0)
        # The package's own method refuses weights of zero.
        vina._vina.set_vina_weights(*weights.of_terms(), 50.0, weights.torsion)
        vina.set_receptor(str(path))
        vina.set_ligand_from_string(ligand.text)
        # score() sums over atoms; the maps only have to be there.
        vina.compute_vina_maps(center=centre, box_size=[30.0] * 3, spacing=3.0)
        total, inter, *_, intra, _, _ = vina._vina.score()
        scores[name] = (inter, intra, total)
    return scores


def our_scores(mol, rotors, receptor):
    """Return the same from our energy, read from a table of distances as vina does."""
    types = ligand_types(mol)
    positions = torch.as_tensor(np.asarray(receptor.structure.positions), dtype=torch.float32)
    target = Target(positions, receptor_types(receptor))
    pairs = internal_pairs(mol, rotors.axis, rotors.moves)
    # PDBQT has three decimals, and the table of distances has steps.
    rows = mol.GetConformer().GetPositions().tolist()
    x = torch.tensor([[[float(f"{value:.3f}") for value in row] for row in rows]])
    scores = {}
    for name, weights in WEIGHTINGS.items():
        internal = Internal.of(types, pairs, weights)
        energy = ExactEnergy(target, types, internal, weights=weights)
        terms = energy.terms(x, tabulated=True)
        scores[name] = (float(terms["inter"]), float(terms["intra"]))
    return scores
