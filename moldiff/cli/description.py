"""What is shown of a prepared data set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moldiff.cli.output import pairs, remark, table

if TYPE_CHECKING:
    from moldiff.data.backbones import BackboneStore
    from moldiff.data.complexes import ComplexStore
    from moldiff.data.decoys import DecoyStore
    from moldiff.data.store import Store

__all__ = ["describe", "describe_backbones", "describe_complexes"]


def describe(store: Store) -> None:
    """Print the contents of a store, and the reasons for rejection."""
    sizes, facts = store.sizes, _card(store)
    values = {
        "directory": store.path,
        "source": store.meta.get("source", ""),
        "molecules": len(store),
        **{f"  {name}": count for name, count in store.meta["splits"].items()},
        "elements": tuple(dict.fromkeys(store.vocabulary.elements)),
        "charges": store.vocabulary.charges,
        **({"aromatic bonds": "a class of their own"} if store.vocabulary.aromatic else {}),
        "atoms": f"{sizes.min()} to {sizes.max()}, mean {sizes.mean():.1f}"
        + (", hydrogens not counted" if store.vocabulary.hydrogens else ""),
        "properties": store.property_names or "none",
        **facts,
        "rejected": sum(store.meta["rejected"].values()),
        **{f"  {reason}": count for reason, count in store.meta["rejected"].items()},
    }
    data = {
        "directory": store.path,
        "source": store.meta.get("source"),
        "molecules": len(store),
        "splits": store.meta["splits"],
        "elements": list(dict.fromkeys(store.vocabulary.elements)),
        "charges": list(store.vocabulary.charges),
        "aromatic_bonds": store.vocabulary.aromatic,
        "atoms": _spread(sizes),
        "hydrogens_counted": not store.vocabulary.hydrogens,
        "properties": list(store.property_names),
        "card": facts or None,
        "rejected": _rejected(store.meta),
    }
    table(pairs(values), data=data)
    if store.meta["rejected"]:
        remark(f"Each rejected molecule with its reason: {store.path / 'rejected.csv'}")


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
    pocket, ligand, rotors = (f"{v.min()} to {v.max()}, mean {v.mean():.1f}" for v in sizes[:3])
    values = {
        "directory": store.path,
        "source": meta["source"],
        "complexes": len(store),
        **{f"  {name}": count for name, count in meta["splits"].items()},
        "pocket clusters": meta["clusters"],
        "heavy atoms of a ligand": ligand,
        "rotors": rotors,
        "atoms of a pocket": pocket,
        **({} if poses is None else {"poses": int(poses.sum())}),
        "rejected": sum(meta["rejected"].values()),
        **{f"  {reason}": count for reason, count in meta["rejected"].items()},
    }
    data = {
        "directory": store.path,
        "source": meta["source"],
        "complexes": len(store),
        "splits": meta["splits"],
        "pocket_clusters": meta["clusters"],
        "ligand_heavy_atoms": _spread(sizes[1]),
        "rotors": _spread(sizes[2]),
        "pocket_atoms": _spread(sizes[0]),
        **({} if poses is None else {"poses": int(poses.sum())}),
        "rejected": _rejected(meta),
    }
    table(pairs(values), data=data)
    if meta["rejected"]:
        remark(f"Each rejected complex with its reason: {store.path / 'rejected.csv'}")


def describe_backbones(store: BackboneStore) -> None:
    """Print the contents of a store of backbones, and the reasons for rejection."""
    meta, sizes = store.meta, store.sizes
    values = {
        "directory": store.path,
        "source": meta["source"],
        "chains": len(store),
        **{f"  {name}": count for name, count in meta["splits"].items()},
        "clusters": meta["clusters"],
        "residues": f"{sizes.min()} to {sizes.max()}, mean {sizes.mean():.1f}",
        "rejected": sum(meta["rejected"].values()),
        **{f"  {reason}": count for reason, count in meta["rejected"].items()},
    }
    data = {
        "directory": store.path,
        "source": meta["source"],
        "chains": len(store),
        "splits": meta["splits"],
        "clusters": meta["clusters"],
        "residues": _spread(sizes),
        "rejected": _rejected(meta),
    }
    table(pairs(values), data=data)


def _spread(sizes: Any) -> dict[str, float]:
    """Least, most and mean of an array."""
    return {"least": int(sizes.min()), "most": int(sizes.max()), "mean": float(sizes.mean())}


def _rejected(meta: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for reason, count in meta["rejected"].items()]
