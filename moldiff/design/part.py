"""A scaffold as what is given of every molecule: clean sites, allowed classes, copied hydrogens.

The first k of n atoms are the scaffold's, about their centroid, as parts are in training
(`moldiff.train.parts`).  Their classes, charges and bonds are clean, except for the class of a
point, which gives hydrogens for new bonds; no other atom of the scaffold has a bond to a new one,
and none to another fragment.  Valence guidance over the same classes does the rest: an atom with
fewer hydrogens must have a new bond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from rdkit import Chem

from moldiff.chem.hydrogens import relax_hydrogens
from moldiff.chem.quiet import quiet
from moldiff.chem.validity import strict_failure
from moldiff.chem.vocabulary import BOND_INDEX, Vocabulary
from moldiff.design.proof import prove
from moldiff.design.scaffold import Points, Scaffold
from moldiff.diffusion.batch import Batch, pair_count, pair_indices
from moldiff.diffusion.guidance import Surroundings
from moldiff.diffusion.time import Clean
from moldiff.domain.molecules import Molecules
from moldiff.errors import InputError
from moldiff.generation.given import Classes, Finished, Given, GivenBatch
from moldiff.text import ranges

__all__ = ["Part", "check_scaffold"]

_CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class Part(Given):
    """A scaffold, and how the points of each molecule are chosen.

    Attributes
    ----------
    task:
        What is done with it, as a word for the tags: "grow".
    scaffold:
        The part that is kept.
    choose:
        Draws the points of one molecule, given how many atoms it adds.
    around:
        What is around the molecules, for the guidance ``surroundings``, in a frame whose origin
        is a point (3,) of the scaffold's; None: nothing.
    """

    task: str
    scaffold: Scaffold
    choose: Callable[[np.random.Generator, int], Points]
    around: Callable[[npt.NDArray[np.float64]], Surroundings] | None = None

    @property
    def elements(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(atom.GetSymbol() for atom in self.scaffold.mol.GetAtoms())

    def batch(
        self, domain: Molecules, n: int, allowed: Classes, rngs: Sequence[torch.Generator]
    ) -> GivenBatch:
        seeds = (int(torch.randint(1 << 62, (), generator=rng)) for rng in rngs)
        points = [self.choose(np.random.default_rng(s), n - self.scaffold.size) for s in seeds]
        return _Completion(self, domain.vocabulary, points, n, allowed)


class _Completion(GivenBatch):
    """b molecules of n atoms that have the scaffold, each with its points."""

    def __init__(
        self,
        part: Part,
        vocabulary: Vocabulary,
        points: Sequence[Points],
        n: int,
        elements: Classes,
    ) -> None:
        self.part, self.points, scaffold = part, points, part.scaffold
        types, charges, orders = _classes(scaffold, vocabulary)
        k, b = scaffold.size, len(points)
        heavy = scaffold.positions[:k]
        self.centre = heavy.mean(0)
        rows, columns = (index.numpy() for index in pair_indices(n, _CPU))
        inside = columns < k
        fields = {
            "positions": torch.zeros(b, n, 3),
            "types": torch.zeros(b, n, dtype=torch.long),
            "charges": torch.zeros(b, n, dtype=torch.long),
            "bonds": torch.zeros(b, pair_count(n), dtype=torch.long),
        }
        fields["positions"][:, :k] = torch.from_numpy(heavy - self.centre).float()
        fields["types"][:, :k] = torch.from_numpy(types)
        fields["charges"][:, :k] = torch.from_numpy(charges)
        known = torch.from_numpy(orders[rows[inside], columns[inside]])
        fields["bonds"][:, torch.from_numpy(inside)] = known
        point = np.zeros((b, n), bool)
        for i, chosen in enumerate(points):
            point[i, list(chosen)] = True
        atom = np.tile(np.arange(n) < k, (b, 1))
        pieces = np.pad(scaffold.fragments, (0, n - k), constant_values=-1)
        together = inside & (pieces[rows] == pieces[columns])
        clean = {"atom": atom, "types": atom & ~point, "pair": np.tile(together, (b, 1))}
        masks = Clean({key: torch.from_numpy(mask) for key, mask in clean.items()})
        around = None if part.around is None else part.around(self.centre)
        self.x_0 = Batch(fields, {"clean": masks}).given(surroundings=around)
        self.allowed = {
            "types": self._types(vocabulary, types, n, elements),
            "bonds": _bonds(len(vocabulary.bonds), atom & ~point, inside, rows, columns),
        }

    def _types(
        self, vocabulary: Vocabulary, types: npt.NDArray[np.int64], n: int, elements: Classes
    ) -> torch.Tensor:
        """The classes of each atom: (b, n, classes)."""
        new = elements.get("types", torch.ones(1, 1, len(vocabulary.kinds), dtype=torch.bool))
        allowed = new.repeat(len(self.points), n, 1)
        places = {kind: k for k, kind in enumerate(vocabulary.kinds)}
        allowed[:, : len(types)] = torch.nn.functional.one_hot(
            torch.from_numpy(types), len(places)
        ).bool()
        for i, chosen in enumerate(self.points):
            for atom, hydrogens in chosen.items():
                element = vocabulary.elements[int(types[atom])]
                fitting = [places[element, h] for h in hydrogens if (element, h) in places]
                allowed[i, atom] = False
                allowed[i, atom, fitting] = True
        return allowed

    def finished(self, i: int, mol: Chem.Mol) -> Finished:
        scaffold, chosen = self.part.scaffold, self.points[i]
        moved, fixed = self._placed(mol, chosen)
        moved = relax_hydrogens(moved, fixed=fixed)
        with quiet():
            invalid = strict_failure(moved, net_charge=scaffold.charge)
        proof = prove(moved, scaffold, chosen)
        tags = {
            "design": self.part.task,
            "kept": proof.line,
            "part_kept": "no" if proof.failure else "yes",
            "kept_atoms": ranges(range(1, scaffold.size + 1)),
            "hydrogens": "as given, or placed by rule and relaxed with MMFF94 (or UFF)",
            "attachments": ranges(sorted(atom + 1 for atom in chosen)),
        }
        return Finished(moved, invalid, proof.failure, tags)

    def _placed(self, mol: Chem.Mol, chosen: Points) -> tuple[Chem.Mol, list[int]]:
        """The molecule in the scaffold's frame, and the hydrogens that the input places."""
        scaffold, k, moved = self.part.scaffold, self.part.scaffold.size, Chem.Mol(mol)
        positions = moved.GetConformer().GetPositions() + self.centre
        positions[:k] = scaffold.positions[:k]
        fixed: list[int] = []
        for atom in set(range(k)) - set(chosen):
            neighbours = moved.GetAtomWithIdx(atom).GetNeighbors()
            hydrogens = sorted(a.GetIdx() for a in neighbours if a.GetAtomicNum() == 1)
            known = scaffold.hydrogens(atom)
            for hydrogen, source in zip(hydrogens, known, strict=False):
                positions[hydrogen] = scaffold.positions[source]
                if scaffold.measured(source):
                    fixed.append(hydrogen)
        moved.GetConformer().SetPositions(np.ascontiguousarray(positions))
        return moved, fixed


def _bonds(
    classes: int,
    closed: npt.NDArray[np.bool_],
    inside: npt.NDArray[np.bool_],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
) -> torch.Tensor:
    """The classes of each pair, (b, e, classes): none from a closed atom or between fragments."""
    # Pairs inside of a fragment are clean, and keep their values.
    never = closed[:, rows] | closed[:, columns] | inside
    allowed = torch.ones(*never.shape, classes, dtype=torch.bool)
    allowed[torch.from_numpy(never)] = torch.arange(classes) == 0
    return allowed


def check_scaffold(scaffold: Scaffold, vocabulary: Vocabulary) -> None:
    """Raise ``InputError`` for a scaffold that a model of the vocabulary cannot hold."""
    _classes(scaffold, vocabulary)


def _classes(
    scaffold: Scaffold, vocabulary: Vocabulary
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Classes of the types and charges, (k,), and of the bonds, (k, k)."""
    kinds = {kind: c for c, kind in enumerate(vocabulary.kinds)}
    k, types, charges = scaffold.size, [], []
    for i in range(k):
        atom, number = scaffold.mol.GetAtomWithIdx(i), scaffold.numbers[i]
        kind, charge = (atom.GetSymbol(), len(scaffold.hydrogens(i))), atom.GetFormalCharge()
        # Where it is a point, one of its classes will do; the full one need not exist.
        left = [kind, *((kind[0], h) for h in scaffold.named.get(i, ()))]
        classes = [kinds[one] for one in left if one in kinds]
        if not classes or charge not in vocabulary.charges:
            what = f"{kind[0]} with {kind[1]} hydrogens" if not classes else f"charge {charge:+d}"
            raise InputError(
                f"The model cannot hold atom {number} of the scaffold: {what} is no class of its "
                "vocabulary.",
                fix=f"Its elements are {', '.join(dict.fromkeys(vocabulary.elements))}, its "
                f"charges {', '.join(f'{q:+d}' for q in vocabulary.charges)}.",
            )
        types.append(classes[0])
        charges.append(vocabulary.charges.index(charge))
    orders = np.zeros((k, k), np.int64)
    for bond in scaffold.mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        if max(i, j) >= k:
            continue
        if bond.GetBondType() not in BOND_INDEX:
            raise InputError(
                f"The bond of atoms {scaffold.numbers[i]} and {scaffold.numbers[j]} is "
                f"{bond.GetBondType().name.lower()}, which is no class of the model.",
                fix="Write it as a single, double or triple bond.",
            )
        orders[i, j] = orders[j, i] = BOND_INDEX[bond.GetBondType()]
    return np.array(types), np.array(charges), orders
