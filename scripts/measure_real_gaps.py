"""What `moldiff complete` builds of the gaps that real proteins have.

    sudo apt install mmseqs2 promod3-data
    python scripts/measure_real_gaps.py posebusters_a casf2016 astex -o real-gaps \\
        --database /usr/share/promod3/loop_data/structure_db.dat
    moldiff benchmark docking real-gaps/given --box jitter2 -o given
    moldiff benchmark docking real-gaps/completed --box jitter2 -o completed

Complexes are folders ID/protein.pdb and ID/ligand.sdf.  Their files hold no sequence, so the
residues of a gap are those that a chain of the database, at least 90 % identical, has at the place
of the break.  Each protein with a gap is completed, with what is known of its chains; where nothing
is, the refusal must say so.  A row of gaps.csv is a gap.  Complexes with a gap built within 10 Å of
the ligand are written twice, as they are and completed, for docking.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from rdkit import Chem

from moldiff import complete
from moldiff.benchmark.gaps.identity import letters, matches
from moldiff.completion.result import Completion
from moldiff.data.backbone_files import read_chains
from moldiff.protein.read import read_contents
from moldiff.protein.sequence import letter
from moldiff.protein.structure import Structure
from moldiff.protein.trace import Trace, trace

_COLUMNS = ("query", "fident", "qstart", "qaln", "taln")
_ALIKE = 0.9  # identity from which a chain of the database tells what is missing
_SHIFT = 6  # residues by which an alignment may put an insertion beside the break
_NEAR = 10.0  # Å
_PEPTIDE, _OFF = 1.329, 0.02  # Å
_ROW = ("set", "id", "chain", "residues", "letters", "outcome", "ligand", "worst", "seconds")


@dataclass(frozen=True)
class Protein:
    """A protein with gaps: its chains as letters, and the places in them where they are broken."""

    folder: Path
    structure: Structure
    trace: Trace
    chains: dict[str, str]
    breaks: dict[str, list[int]]


def proteins(folders: list[Path]) -> Iterator[Protein]:
    """Yield the proteins that have gaps, of sets of complexes."""
    for path in (path for folder in folders for path in sorted(folder.glob("*/protein.pdb"))):
        structure = read_contents(path).structure
        backbone = trace(structure)
        chains, breaks = {}, {}
        for chain, runs in backbone.fragments.items():
            words = ["".join(letter(structure.residues[i].name) for i in run) for run in runs]
            places = np.cumsum([len(word) for word in words])[:-1].tolist()
            if places:
                chains[chain], breaks[chain] = "".join(words), places
        if breaks:
            yield Protein(path.parent, structure, backbone, chains, breaks)


def known(found: list[Protein], database: Path) -> dict[tuple[Path, str], dict[int, str]]:
    """Return the residues missing at breaks, by protein and chain, of the most alike chain."""
    _, source = read_chains(database)
    targets = ((str(k), letters(one.backbone.types.tolist())) for k, one in enumerate(source))
    names = [(protein, chain) for protein in found for chain in protein.chains]
    queries = ((str(k), protein.chains[chain]) for k, (protein, chain) in enumerate(names))
    missing: dict[tuple[Path, str], dict[int, str]] = {}
    alike: dict[tuple[Path, str, int], float] = {}
    for query, identity, first, own, other in matches(queries, targets, _COLUMNS):
        protein, chain = names[int(query)]
        key = (protein.folder, chain)
        for place, residues in insertions(int(first) - 1, own, other).items():
            nearest = min(protein.breaks[chain], key=lambda one: abs(one - place))
            close = abs(nearest - place) <= _SHIFT and float(identity) >= _ALIKE
            if close and float(identity) > alike.get((*key, nearest), 0.0) and "X" not in residues:
                alike[*key, nearest] = float(identity)
                # The aligner's place and the break's tell the same sequence, whose ends repeat.
                missing.setdefault(key, {})[place] = residues
                for old in [k for k in missing[key] if k != place and abs(k - place) <= _SHIFT]:
                    del missing[key][old]
    return missing


def insertions(place: int, own: str, other: str) -> dict[int, str]:
    """Return the residues that the other sequence has between two of one's own, by their place."""
    inserted: dict[int, str] = {}
    for mine, its in zip(own, other, strict=True):
        if mine == "-":
            inserted[place] = inserted.get(place, "") + its
        else:
            place += 1
    return inserted


def fasta(protein: Protein, missing: dict[tuple[Path, str], dict[int, str]]) -> str:
    """The sequences of the chains of which something is known to be missing."""
    records = []
    for chain, text in protein.chains.items():
        inserted = missing.get((protein.folder, chain))
        if inserted:
            ends = [0, *sorted(inserted), len(text)]
            parts = [text[a:b] + inserted.get(b, "") for a, b in pairwise(ends)]
            records.append(f">{chain}\n{''.join(parts)}\n")
    return "".join(records)


def atoms_of(text: str) -> Counter[str]:
    """The atoms of a PDB file: identity and coordinates, without serial numbers."""
    lines = (line for line in text.splitlines() if line.startswith(("ATOM", "HETATM")))
    return Counter(line[11:54] for line in lines)


def worst_bond(done: Completion, path: Path) -> dict[str, float]:
    """Return by how much the worst peptide bond of each gap is off, in Å, of the file written."""
    structure = read_contents(path).structure
    backbone = trace(structure)
    place = {(r.chain, r.number, r.insertion): i for i, r in enumerate(structure.residues)}
    off = {}
    for built in done.built:
        absent = built.absent
        ends = [done.structure.residues[k] for k in (absent.before, absent.after)]
        labels = [(ends[0].number, ends[0].insertion), *absent.labels]
        labels.append((ends[1].number, ends[1].insertion))
        run = [place[absent.chain, *label] for label in labels]
        bonds = [
            np.linalg.norm(backbone.atoms[i, 2] - backbone.atoms[j, 0]) for i, j in pairwise(run)
        ]
        off[str(absent)] = float(np.abs(np.array(bonds) - _PEPTIDE).max())
    return off


def distance(protein: Protein, ends: tuple[int, int]) -> float:
    """The distance of the ends of a gap to the ligand, in Å."""
    mol = Chem.MolFromMolFile(str(protein.folder / "ligand.sdf"), sanitize=False)
    ligand = mol.GetConformer().GetPositions()
    own = protein.structure.positions[np.isin(protein.structure.residue, ends)]
    return float(np.linalg.norm(own[:, None] - ligand, axis=-1).min())


def measured(protein: Protein, sequences: str, output: Path) -> list[dict[str, object]]:
    """Complete a protein, check the file that is written, and return a row for each gap."""
    folder = output / protein.folder.parent.name / protein.folder.name
    folder.mkdir(parents=True, exist_ok=True)
    source, written = protein.folder / "protein.pdb", folder / "completed.pdb"
    start = time.process_time()
    told = None
    if sequences:
        told = folder / "sequences.fasta"
        told.write_text(sequences)
    done = complete(source, sequence=told)
    done.write(written)
    seconds = time.process_time() - start
    lost = atoms_of(source.read_text()) - atoms_of(written.read_text())
    waters = sum(n for atom, n in lost.items() if atom[6:9] in ("HOH", "WAT"))
    if len(lost) - waters:
        raise SystemExit(f"{source}: {len(lost) - waters} atoms are not where they were.")
    off = worst_bond(done, written)
    shared = {"set": protein.folder.parent.name, "id": protein.folder.name}
    rows: list[dict[str, object]] = []
    for built in done.built:
        absent = built.absent
        rows.append({**shared, "chain": absent.chain, "residues": len(absent)})
        rows[-1] |= {"letters": absent.letters, "outcome": "built", "worst": off[str(absent)]}
        rows[-1]["ligand"] = distance(protein, (absent.before, absent.after))
    for refused in done.refused:
        rows.append({**shared, "chain": refused.where, "residues": refused.residues or ""})
        rows[-1]["outcome"] = refused.reason
        if refused.ends is not None:
            rows[-1]["ligand"] = distance(protein, refused.ends)
    return [{**row, "seconds": round(seconds, 2)} for row in rows]


def near(rows: list[dict[str, object]], folders: list[Path], output: Path) -> None:
    """Write the complexes with a gap built near the ligand twice, for docking."""
    close = {
        (row["set"], row["id"])
        for row in rows
        if row["outcome"] == "built" and float(str(row["ligand"])) <= _NEAR
    }
    for which in ("given", "completed"):
        (output / which).mkdir(exist_ok=True)
        names = []
        for folder in folders:
            for path in sorted(folder.glob("*/protein.pdb")):
                key = (folder.name, path.parent.name)
                if key not in close:
                    continue
                target = output / which / path.parent.name
                target.mkdir(exist_ok=True)
                shutil.copy(path.parent / "ligand.sdf", target)
                done = output / folder.name / path.parent.name / "completed.pdb"
                shutil.copy(path if which == "given" else done, target / "protein.pdb")
                names.append(path.parent.name)
        (output / which / "index.csv").write_text("id\n" + "".join(f"{name}\n" for name in names))
    print(f"complexes with a gap built within {_NEAR:.0f} Å of the ligand: {len(close)}")


def kind(outcome: str) -> str:
    """An outcome without the numbers and names of its gap."""
    return re.sub(r"\d+(\.\d+)?", "N", outcome.partition(", most with")[0])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", nargs="+", type=Path, help="folders of complexes")
    parser.add_argument("--database", type=Path, required=True, help="ProMod3's structure_db.dat")
    parser.add_argument("-o", "--output", type=Path, default=Path("real-gaps"))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    found = list(proteins(asked.sets))
    missing = known(found, asked.database)
    rows: list[dict[str, object]] = []
    with (asked.output / "gaps.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, _ROW, restval="")
        table.writeheader()
        for k, protein in enumerate(found):
            rows += (new := measured(protein, fasta(protein, missing), asked.output))
            table.writerows(new)
            file.flush()
            print(f"{k + 1} of {len(found)}: {protein.folder.name}", end="\r", flush=True)
    built = [row for row in rows if row["outcome"] == "built"]
    print(f"{len(found)} proteins with gaps, {len(rows)} gaps, {len(built)} built; nothing moved")
    print(f"closed within {_OFF} Å: {sum(float(str(row['worst'])) <= _OFF for row in built)}")
    for reason, count in Counter(kind(str(row["outcome"])) for row in rows).most_common():
        print(f"  {count}: {reason}")
    near(rows, asked.sets, asked.output)


if __name__ == "__main__":
    main()
