"""What ships with the package to compare with: training set, distributions, the data's own row.

A reference is three files in one folder, made by ``moldiff data reference``:
``NAME.json`` (provenance, versions, checksums, the row), ``NAME-smiles.npz`` (hashes of the
training set in both protocols, and of its ring systems) and ``NAME-distributions.npz``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from rdkit import Chem

from moldiff.errors import DataError, InputError, did_you_mean
from moldiff.metrics.distributions import Distribution, Distributions
from moldiff.metrics.novelty import SmilesSet
from moldiff.metrics.value import Value

__all__ = ["AUTO", "Reference", "beside", "fitting", "located"]

AUTO = "auto"
"""Instead of a name: the reference of the molecules' own kind."""

_SCHEMA = 1
_QM9 = frozenset({1, 6, 7, 8, 9}), 9  # atomic numbers, and the most heavy atoms


def beside(store: Path) -> Path:
    """Return the folder of a data set's reference, where no other is given."""
    return store.resolve().with_name(f"{store.resolve().name}.reference")


def fitting(mols: Iterable[Chem.Mol | None]) -> str:
    """Return the name of the reference of the molecules' kind: "qm9" or "druglike".

    It is QM9 if more than half of them have its elements and at most nine heavy atoms.
    """
    elements, most = _QM9
    kinds = [
        elements.issuperset(numbers) and sum(z > 1 for z in numbers) <= most
        for numbers in ([a.GetAtomicNum() for a in mol.GetAtoms()] for mol in mols if mol)
    ]
    return "druglike" if 2 * sum(kinds) < len(kinds) else "qm9"


def located(text: str) -> tuple[str, Path]:
    """Return name and folder of a reference.

    Parameters
    ----------
    text:
        The name of one that ships with the package; the folder of one that ``moldiff data
        reference`` made; or the data set that it was made of.

    Raises
    ------
    InputError
        If there is none.
    """
    place, shipped = Path(text), Path(str(files("moldiff.metrics") / "reference"))
    if (shipped / f"{text}.json").is_file():
        return text, shipped
    store = (place / "store.json").is_file()
    folder = beside(place) if store else place
    names = sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []
    if len(names) == 1:
        return names[0], folder
    if store:
        raise InputError(
            f"The data set {place} has not been measured.", fix=f"moldiff data reference {place}"
        )
    if place.is_dir():
        raise InputError(
            f"The folder {place} holds {len(names)} references, not one.",
            fix="Give a data set, or the folder that moldiff data reference wrote.",
        )
    known = [path.stem for path in shipped.glob("*.json")]
    raise InputError(f"There is no reference '{text}'.", fix=did_you_mean(text, ["none", *known]))


@dataclass(frozen=True)
class Reference:
    """A data set as a yardstick.

    Attributes
    ----------
    name:
        "qm9" or "druglike" for those that ship.
    graph, lookup:
        The training set's identities in protocol B and in protocol A.
    distributions:
        Of the test split.
    rings:
        The training set's ring systems; None in a reference of an older version.
    row:
        Metric name -> what the data itself scores.
    details:
        Finer results of the data itself, as in a report's ``details``.
    bands:
        Band of sizes -> metric name -> what the data of that band scores.
    inferred:
        Metric name -> what the data scores where its bonds are inferred from its coordinates.
    info:
        Where all this comes from, with which versions (plain JSON values).
    """

    name: str
    graph: SmilesSet
    lookup: SmilesSet
    distributions: Distributions
    rings: SmilesSet | None = None
    row: Mapping[str, Value] = field(default_factory=dict)
    details: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    bands: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    inferred: Mapping[str, Value] = field(default_factory=dict)
    info: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, name: str = "qm9", folder: str | Path | None = None) -> Reference:
        """Load a reference, from the package or from a ``folder`` of one's own.

        Raises
        ------
        DataError
            If there is none of that name, or a file is missing or does not match its checksum.
        """
        place = Path(str(files("moldiff.metrics") / "reference")) if folder is None else folder
        place = Path(place)
        if not (place / f"{name}.json").is_file():
            known = sorted(path.stem for path in place.glob("*.json"))
            raise DataError(f"There is no reference '{name}'.", fix=did_you_mean(name, known))
        try:
            meta = json.loads((place / f"{name}.json").read_text(encoding="utf-8"))
            arrays = {
                part: _arrays(place / f"{name}-{part}.npz", meta["sha256"][part])
                for part in ("smiles", "distributions")
            }
            return cls(
                name,
                SmilesSet.from_deltas(arrays["smiles"]["graph"]),
                SmilesSet.from_deltas(arrays["smiles"]["lookup"]),
                _distributions(arrays["distributions"], meta["sizes"]),
                SmilesSet.from_deltas(arrays["smiles"]["rings"])
                if "rings" in arrays["smiles"]
                else None,
                {key: Value.from_dict(value) for key, value in meta["row"].items()},
                _groups(meta["details"]),
                _groups(meta.get("bands", {})),
                {key: Value.from_dict(value) for key, value in meta.get("inferred", {}).items()},
                meta["info"],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"The reference '{name}' in {place} is damaged: {error}.",
                fix="Reinstall moldiff, or build the reference again.",
            ) from error

    def without_bonds(self) -> Reference:
        """The same with the row of the data whose bonds were inferred, for files without bonds."""
        if not self.inferred:
            return self
        graphs = max(value.n for value in self.inferred.values())
        row = f"{self.info.get('row', self.name)}; graphs: {graphs} of them, bonds inferred, too"
        info = {**self.info, "row": row}
        return replace(self, row={**self.row, **self.inferred}, info=info)

    def save(self, folder: str | Path) -> None:
        """Write the three files into an existing folder."""
        place = Path(folder)
        sets = {"graph": self.graph.to_deltas(), "lookup": self.lookup.to_deltas()}
        if self.rings is not None:
            sets["rings"] = self.rings.to_deltas()
        # Mean distance of 1e5 hashes in 2^40 is 1e7, so that differences fit 32 bits.
        small = {key: _shrunk(value) for key, value in sets.items()}
        _save(place / f"{self.name}-smiles.npz", small)
        continuous = {f"q:{k}": d.quantiles for k, d in self.distributions.continuous.items()}
        counts = {f"h:{k}": h.astype(np.float32) for k, h in self.distributions.counts.items()}
        _save(place / f"{self.name}-distributions.npz", {**continuous, **counts})
        self.save_row(place)

    def save_row(self, folder: str | Path) -> None:
        """Write the JSON file only, beside the two others that `save` has written before."""
        place = Path(folder)
        meta = {
            "schema": _SCHEMA,
            "info": dict(self.info),
            "sizes": {k: d.size for k, d in self.distributions.continuous.items()},
            "sha256": {
                part: _sha256(place / f"{self.name}-{part}.npz")
                for part in ("smiles", "distributions")
            },
            "row": {key: value.to_dict() for key, value in self.row.items()},
            "details": _plain(self.details),
            "bands": _plain(self.bands),
            "inferred": {key: value.to_dict() for key, value in self.inferred.items()},
        }
        text = json.dumps(meta, indent=1, ensure_ascii=False) + "\n"
        (place / f"{self.name}.json").write_text(text, encoding="utf-8")


def _groups(data: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Value]]:
    return {
        group: {key: Value.from_dict(value) for key, value in entries.items()}
        for group, entries in data.items()
    }


def _plain(groups: Mapping[str, Mapping[str, Value]]) -> dict[str, dict[str, Any]]:
    return {
        group: {key: value.to_dict() for key, value in entries.items()}
        for group, entries in groups.items()
    }


def _save(path: Path, arrays: dict[str, Any]) -> None:
    np.savez_compressed(path, **arrays)


def _shrunk(deltas: np.ndarray) -> np.ndarray:
    return deltas.astype(np.uint32) if deltas.max(initial=0) < 2**32 else deltas


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _arrays(path: Path, checksum: str) -> dict[str, np.ndarray]:
    if _sha256(path) != checksum:
        raise ValueError(f"{path.name} does not match its checksum")
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def _distributions(arrays: Mapping[str, np.ndarray], sizes: Mapping[str, int]) -> Distributions:
    continuous = {
        key[2:]: Distribution(array, sizes[key[2:]])
        for key, array in arrays.items()
        if key.startswith("q:")
    }
    counts = {
        key[2:]: array.astype(np.float64) for key, array in arrays.items() if key.startswith("h:")
    }
    return Distributions(continuous, counts)
