"""Small PDB files of made-up chains."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from Bio.Data.PDBData import protein_letters_1to3

from moldiff.protein.backbone import LETTERS, Backbone

Label = tuple[int, str]


def names_of(chain: Backbone) -> list[str]:
    """Three-letter names of the residues of a chain."""
    return [protein_letters_1to3[LETTERS[k]].upper() for k in chain.types]


def seqres(names: Sequence[str], chain: str = "A") -> str:
    """SEQRES records."""
    rows = [names[k : k + 13] for k in range(0, len(names), 13)]
    return "".join(
        f"SEQRES {k + 1:3d} {chain} {len(names):4d}  {' '.join(row)}\n"
        for k, row in enumerate(rows)
    )


def pdb_lines(
    chain: Backbone,
    *,
    name: str = "A",
    labels: Sequence[Label] | None = None,
    without: Collection[int] = (),
    atoms: str = "N CA C O",
) -> str:
    """The backbone of a chain without some residues, numbered from 1 unless labels are given."""
    labels = labels or [(k + 1, "") for k in range(len(chain))]
    lines, serial = [], 0
    for k, (residue, (number, code)) in enumerate(zip(names_of(chain), labels, strict=True)):
        for atom, x in zip(("N", "CA", "C", "O"), chain.atoms[k], strict=True):
            if k in without or atom not in atoms.split():
                continue
            serial += 1
            place = "".join(f"{value:8.3f}" for value in x)
            lines.append(
                f"ATOM  {serial:5d}  {atom:<3} {residue:>3} {name}{number:4d}{code or ' '}   "
                f"{place}  1.00 20.00          {atom[0]:>2}\n"
            )
    return "".join(lines)
