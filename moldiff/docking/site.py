"""Preparing a receptor and its pocket from user input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from moldiff.docking.clock import Progress
from moldiff.docking.where import Place, Where, find_places, staying
from moldiff.errors import InputError
from moldiff.text import several

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.completion.result import Completion
    from moldiff.docking.problem import Pocket
    from moldiff.docking.result import DockingResult
    from moldiff.docking.settings import Settings
    from moldiff.protein.pocket import Box
    from moldiff.protein.read import Contents
    from moldiff.protein.receptor import Receptor
    from moldiff.protein.structure import Residue, Structure

__all__ = ["Site", "Where", "check_receptor", "pocket_at", "site"]

_RECEPTORS = (".pdb", ".ent", ".cif", ".mmcif", ".pdbqt")


@dataclass(frozen=True, eq=False)
class Site:
    """A receptor with a pocket in it.

    Attributes
    ----------
    path:
        The receptor's file.
    receptor:
        The whole receptor.
    pocket:
        The prepared pocket for docking; of several cavities the likeliest, which has the others.
    digest:
        Twelve characters of the SHA-256 of the file.
    notes:
        Remarks about both for the user, a sentence each.
    completion:
        What was built of the residues that the file lacks; None without any.
    """

    path: Path
    receptor: Receptor
    pocket: Pocket
    digest: str
    notes: tuple[str, ...] = ()
    completion: Completion | None = None

    @property
    def built(self) -> frozenset[Residue]:
        """Residues that are not in the file but were built."""
        gaps = () if self.completion is None else self.completion.built
        new = {(one.absent.chain, *label) for one in gaps for label in one.absent.labels}
        residues = self.receptor.structure.residues
        return frozenset(r for r in residues if (r.chain, r.number, r.insertion) in new)

    def write_receptor(self, poses: Path) -> list[Path]:
        """Write a receptor that residues were built in beside its poses: poses.receptor.pdb.

        Returns the file, or nothing where none were built.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        if self.completion is None:
            return []
        path = poses.with_suffix(f".receptor.{self.completion.kind}")
        self.completion.write(path)
        return [path]

    def dock(
        self,
        ligand: tuple[Chem.Mol, str],
        settings: Settings,
        *,
        progress: Progress | None = None,
    ) -> DockingResult:
        """Dock a molecule with a name.

        Raises
        ------
        InputError
            If it cannot be docked; the error says why.
        """
        from moldiff.docking.pipeline import dock
        from moldiff.docking.problem import make_problem
        from moldiff.docking.requirement import requirements

        requirements(settings.require, self.receptor.structure)
        mol, name = ligand
        problem = make_problem(
            mol,
            self.pocket,
            name=name,
            conformers=settings.conformers,
            seed=settings.seed,
            ph=settings.ph,
        )
        if isinstance(problem, str):
            raise InputError(f"The ligand '{name}' cannot be docked: {problem}.")
        return dock(problem, settings, progress=progress)

    def dock_forms(
        self,
        ligand: tuple[Chem.Mol, str],
        settings: Settings,
        *,
        stereo: bool = False,
        tautomers: int = 1,
        progress: Progress | None = None,
    ) -> DockingResult:
        """Dock each isomer that a molecule leaves open, and so many tautomers, in one ranking.

        Raises
        ------
        InputError
            If none can be docked; the error says why the first cannot.
        """
        from moldiff.chem.stereo import MAX_ISOMERS
        from moldiff.docking.forms import forms_of
        from moldiff.docking.requirement import unmet
        from moldiff.docking.result import merged

        mol, name = ligand
        if not stereo and tautomers < 2:
            return self.dock(ligand, settings, progress=progress)
        variants = forms_of(mol, stereo=stereo, tautomers_at_most=tautomers)
        if len(variants.forms) < 2:
            return self.dock(ligand, settings, progress=progress)
        results, problems = [], []
        for k, form in enumerate(variants.forms):

            def part(stage: str, done: float, k: int = k, note: str = form.note) -> None:
                if progress is not None:
                    progress(f"{note}, {stage}", (k + done) / len(variants.forms))

            try:
                results.append(self.dock((form.mol, name), settings, progress=part))
            except InputError as error:
                problems.append(error)
        if not results:
            raise problems[0]
        result = merged(results, variants.smiles, settings.poses)
        forms = "isomers" if tautomers < 2 else "tautomers and isomers" if stereo else "tautomers"
        notes = [
            *variants.notes,
            f"{len(results)} of {len(variants.forms)} {forms} docked, each on its own",
        ]
        if variants.capped:
            notes.append(f"there may be more: at most {MAX_ISOMERS} isomers are tried")
        of_one = {note for one in results for note in unmet(one.best.lacks)}
        kept = [note for note in result.notes if note not in of_one]
        return replace(result, notes=(*kept, *unmet(result.best.lacks), *notes))


def site(
    receptor: str | Path,
    where: Where,
    *,
    exclude: str | Sequence[str] = (),
    keep: str | Sequence[str] = (),
    waters: bool | float = False,
    assembly: str | None = None,
    model: int = 1,
    complete: bool = False,
    sequence: str | Path | None = None,
    seed: int = 0,
    cavities: int = 1,
) -> Site:
    """Prepare a receptor and find the pocket.

    The ligand that defines the box or stands in its middle is left out of the receptor, unless it
    is in ``keep``; the notes say so.  With ``complete`` residues that are missing near the box are
    built (`moldiff.completion`), by a ``sequence`` file if one is given; of several boxes it is the
    first.  Where the pocket is to be found there are up to ``cavities`` of them.  The other
    parameters are those of `moldiff.protein.read_structure`.

    Raises
    ------
    InputError
        If the receptor cannot be read, or the box cannot be searched.
    """
    path, exclude, keep = Path(receptor), several(exclude), several(keep)
    check_receptor(path)
    if cavities > 1 and not where.autobox:
        raise InputError("--cavities is for --autobox.", fix="Give both, or leave it out.")
    from moldiff.protein.read import read_contents
    from moldiff.protein.receptor import prepare_receptor
    from moldiff.text import digest_of

    contents = read_contents(path, model=model, assembly=assembly)
    places, leave, notes = find_places(
        contents, where, exclude=exclude, keep=keep, cavities=cavities
    )
    completion: Completion | None = None
    if complete:
        if assembly is not None or model != 1:
            raise InputError(
                "Missing residues are built in the first model of a file as it is deposited.",
                fix="Complete the file first: moldiff complete FILE -o filled.pdb.",
            )
        filled, additions, completion = _completed(contents, places[0].box, sequence, seed)
        leave = _renumbered(leave, contents.structure, filled.structure)
        contents, notes = filled, (*notes, *additions)
    structure = contents.receptor(waters=waters, exclude=exclude, keep=keep, leave=leave)
    whole = prepare_receptor(structure)
    digest = digest_of(path)
    stay = dict.fromkeys(note for one in places for note in staying(structure, one.box))
    remarks = (*whole.structure.notes, *notes, *stay)
    origin = {"receptor": path.name, "receptor_sha256": digest}
    pocket = pocket_at(whole, places, origin=origin, notes=remarks)
    return Site(path, whole, pocket, digest, remarks, completion)


def pocket_at(
    receptor: Receptor,
    places: Sequence[Place],
    *,
    origin: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> Pocket:
    """Prepare the pocket at the first of some places, which has those at the others."""
    from moldiff.docking.problem import Pocket

    first, *rest = places
    others = [Pocket.of(receptor, one.box, origin=origin, chance=one.chance) for one in rest]
    return Pocket.of(
        receptor, first.box, origin=origin, notes=notes, chance=first.chance, others=others
    )


def _completed(
    contents: Contents, box: Box, sequence: str | Path | None, seed: int
) -> tuple[Contents, list[str], Completion | None]:
    """What a file holds and the residues missing near a box, built; notes; what was built."""
    from moldiff.completion.api import complete
    from moldiff.protein.absent import UNTOLD
    from moldiff.protein.read import contents_of

    done = complete(contents.path, sequence=sequence, near=box, seed=seed)
    cure = {UNTOLD: f"{UNTOLD} in the file: give it as FASTA (--sequence)"}
    notes = [
        f"residues not built: {one.where}, {cure.get(one.reason, one.reason)}"
        for one in done.refused
    ]
    if not done.built:
        notes = notes or ["no residues are missing near the box"]
        return contents, [*done.doubts, *notes], None
    filled = contents_of(done.text().encode(), contents.path)
    names = ", ".join(f"{one.absent} (spread {one.typical_spread} Å)" for one in done.built)
    notes.append(f"residues that were missing near the box are built: {names}")
    return filled, [*done.doubts, *notes], done


def _renumbered(leave: Mapping[int, str], old: Structure, new: Structure) -> dict[int, str]:
    """Residues to leave out, as another structure counts them."""
    place = {residue: i for i, residue in enumerate(new.residues)}
    return {place[old.residues[i]]: why for i, why in leave.items()}


def check_receptor(path: Path) -> None:
    """Raise ``InputError`` unless a receptor's file is there and has a suffix that is read."""
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "is not there"
        raise InputError(f"The receptor {path} {what}.", fix="Check the path.")
    if not {suffix.lower() for suffix in path.suffixes[-2:]} & set(_RECEPTORS):
        raise InputError(
            f"The receptor {path} has the unknown suffix '{path.suffix}'.",
            fix="Give a .pdb or .cif file (also gzipped).",
        )
