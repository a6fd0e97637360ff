"""What is shown of a prepared data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moldiff.cli.output import pairs, remark, table
from moldiff.text import plural

if TYPE_CHECKING:
    from moldiff.data.backbones import BackboneStore
    from moldiff.data.complexes import ComplexStore
    from moldiff.data.decoys import DecoyStore
    from moldiff.data.store import Store

__all__ = ["describe", "describe_backbones", "describe_complexes"]


def describe(store: Store) -> None:
    """Print the contents of a store, and the reasons for rejection."""
    sizes, facts, vocabulary = store.sizes, _card(store), store.vocabulary
    elements = list(dict.fromkeys(vocabulary.elements))
    counted = ", hydrogens not counted" if vocabulary.hydrogens else ""
    values = {
        "elements": tuple(elements),
        "charges": vocabulary.charges,
        **({"aromatic bonds": "a class of their own"} if vocabulary.aromatic else {}),
        "atoms": f"{_range(sizes)}{counted}",
        "properties": store.property_names or "none",
        **facts,
    }
    data = {
        "elements": elements,
        "charges": list(vocabulary.charges),
        "aromatic_bonds": vocabulary.aromatic,
        "atoms": _spread(sizes),
        "hydrogens_counted": not vocabulary.hydrogens,
        "properties": list(store.property_names),
        "card": facts or None,
    }
    _show(store, "molecule", values, data)


def _card(store: Store) -> dict[str, Any]:
    """Return what is shown of a store's data card; nothing without one."""
    card = store.path / "card.json"
    if not card.is_file():
        return {}
    from moldiff.data.druglike.card import essentials

    return essentials(json.loads(card.read_text(encoding="utf-8")))


def describe_complexes(store: ComplexStore | DecoyStore) -> None:
    """Print the contents of a store of complexes or decoys, and the reasons for rejection."""
    meta, sizes = store.meta, store.sizes.T
    poses = sizes[store.DIMENSIONS.index("p")] if "p" in store.DIMENSIONS else None
    total = {} if poses is None else {"poses": int(poses.sum())}
    pocket, ligand, rotors = sizes[:3]
    values = {
        "pocket clusters": meta["clusters"],
        "heavy atoms of a ligand": _range(ligand),
        "rotors": _range(rotors),
        "atoms of a pocket": _range(pocket),
        **total,
    }
    data = {
        "pocket_clusters": meta["clusters"],
        "ligand_heavy_atoms": _spread(ligand),
        "rotors": _spread(rotors),
        "pocket_atoms": _spread(pocket),
        **total,
    }
    _show(store, "complex", values, data)


def describe_backbones(store: BackboneStore) -> None:
    """Print the contents of a store of backbones, and the reasons for rejection."""
    clusters = {"clusters": store.meta["clusters"]}
    values = {**clusters, "residues": _range(store.sizes)}
    _show(store, "chain", values, {**clusters, "residues": _spread(store.sizes)})


def _show(
    store: BackboneStore | ComplexStore | DecoyStore | Store,
    noun: str,
    values: Mapping[str, Any],
    data: Mapping[str, Any],
) -> None:
    """Print what all stores have, and between it the values, or data, of one kind."""
    meta = store.meta
    table(
        pairs(
            {
                "directory": store.path,
                "source": meta.get("source", ""),
                plural(noun): len(store),
                **{f"  {name}": count for name, count in meta["splits"].items()},
                **values,
                "rejected": sum(meta["rejected"].values()),
                **{f"  {reason}": count for reason, count in meta["rejected"].items()},
            }
        ),
        data={
            "directory": store.path,
            "source": meta.get("source"),
            plural(noun): len(store),
            "splits": meta["splits"],
            **data,
            "rejected": [{"reason": r, "count": count} for r, count in meta["rejected"].items()],
        },
    )
    if meta["rejected"]:
        remark(f"Each rejected {noun} with its reason: {store.path / 'rejected.csv'}")


def _range(sizes: Any) -> str:
    return f"{sizes.min()} to {sizes.max()}, mean {sizes.mean():.1f}"


def _spread(sizes: Any) -> dict[str, float]:
    """Least, most and mean of an array."""
    return {"least": int(sizes.min()), "most": int(sizes.max()), "mean": float(sizes.mean())}
