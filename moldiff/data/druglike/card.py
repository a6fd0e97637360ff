"""The data card of a set of drug-like molecules, as plain values and as Markdown."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from moldiff.chem import xtb
from moldiff.data.druglike.listing import SOURCES
from moldiff.data.druglike.statistics import BANDS, Tally
from moldiff.report.markdown import markdown_table
from moldiff.version import __version__

__all__ = ["as_markdown", "essentials", "make_card"]

_COMMONEST = 20  # ring systems listed


def make_card(
    tally: Tally,
    *,
    request: Mapping[str, Any],
    listed: Mapping[str, Any],
    splits: Mapping[str, int],
    rdkit: Sequence[str],
    command: str,
) -> dict[str, Any]:
    """Return the card as plain values.

    Parameters
    ----------
    tally:
        Of the molecules.
    request:
        What was asked for: ``molecules`` and ``refine``.
    listed:
        `Listing.facts`.
    splits:
        Molecules of each split.
    rdkit:
        Versions that the conformers were made with.
    command:
        The command that made the set.
    """
    sources = [
        {
            "name": source.name,
            "origin": source.origin,
            "licence": source.licence,
            "listed": drawn["molecules"],
            "left out": drawn["left out"],
            "molecules": tally.molecules[source.name],
            "by size": {_size(band): tally.sizes[f"{source.name} {_size(band)}"] for band in BANDS},
        }
        for source, drawn in zip(SOURCES, listed["drawn"], strict=True)
        if drawn["molecules"] or drawn["left out"]
    ]
    versions = {
        "moldiff": __version__,
        "rdkit": ", ".join(rdkit),
        "rdkit of the list": listed["rdkit"],
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    if request["refine"]:
        versions["xtb"] = xtb.version() or "unknown"
    identity = listed["identity"]
    digests = filter(None, (identity["moses"], *identity["own"], identity["components"]))
    files = zip(listed["files"], digests, strict=True)
    return {
        "command": command,
        "geometry": "GFN2-xTB, crude thresholds" if request["refine"] else "MMFF94",
        **({"drop": _drops(tally.drops)} if tally.drops else {}),
        "asked for": request["molecules"],
        "molecules": tally.molecules["all"],
        "splits": dict(splits),
        "scaffolds": len(tally.scaffolds),
        "largest scaffold": max(tally.scaffolds.values(), default=0),
        "sources": sources,
        "files": [{"name": name, "sha256": digest} for name, digest in files],
        "heavy atoms": dict(sorted(tally.heavy.items(), key=lambda item: int(item[0]))),
        "atoms": dict(tally.atoms.most_common()),
        "ring systems": {
            "distinct": len(tally.rings),
            "in one molecule": sum(number == 1 for number in tally.rings.values()),
            "commonest": dict(tally.rings.most_common(_COMMONEST)),
        },
        "stereo": dict(sorted(tally.stereo.items())),
        "rejected": dict(tally.reasons.most_common()),
        "kinds": {
            kind: {
                "listed": tally.molecules[kind] + tally.rejected[kind],
                "lost": tally.rejected[kind],
            }
            for kind in sorted(tally.molecules | tally.rejected, key=_place)
        },
        "versions": versions,
    }


def essentials(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``moldiff data info`` shows of a card: name -> text or number."""
    sizes = {_size(band): sum(s["by size"][_size(band)] for s in card["sources"]) for band in BANDS}
    rings, stereo, drop = card["ring systems"], card["stereo"], card.get("drop")
    freed = f", which set free {drop['median']:.1f} kcal/mol (median)" if drop else ""
    return {
        "geometry": card["geometry"] + freed,
        "sources": [f"{s['name']} {s['molecules']} ({s['licence']})" for s in card["sources"]],
        "heavy atoms": [f"{band}: {number}" for band, number in sizes.items()],
        "atoms of": [f"{name} {number}" for name, number in card["atoms"].items()],
        "scaffolds": f"{card['scaffolds']}, the largest of {card['largest scaffold']} molecules",
        "ring systems": f"{rings['distinct']}, {rings['in one molecule']} in one molecule only",
        "stereo": [f"{name} {number}" for name, number in stereo.items()] or "none",
        "command": card["command"],
    }


def as_markdown(card: Mapping[str, Any]) -> str:
    """Return the card as Markdown."""
    return "\n".join(_lines(card)) + "\n"


def _lines(card: Mapping[str, Any]) -> Iterator[str]:
    total, rejected = card["molecules"], sum(card["rejected"].values())
    yield from ("# Drug-like molecules in 3D", "")
    yield f"{total} molecules of {card['asked for']} asked for, one conformer each; geometry of"
    yield f"{card['geometry']}. They are neutral and of one piece; hydrogens are folded into the"
    yield from ("classes of the heavy atoms.", "")
    yield from (f"Made by `{card['command']}`.", "")
    if "drop" in card:
        drop = card["drop"]
        yield (
            f"Refining the MMFF94 minima set free {drop['median']:.1f} kcal/mol in the median "
            f"(a tenth more than {drop['90 %']:.1f})."
        )
        yield ""
    yield from _sources(card)
    yield from ("## Splits", "")
    names = ", ".join(f"{name} {number}" for name, number in card["splits"].items())
    yield f"By Murcko scaffold, a molecule without rings by itself: {names}."
    yield f"{card['scaffolds']} scaffolds, the commonest of {card['largest scaffold']} molecules."
    yield from ("", "## Contents", "")
    yield from _table(("heavy atoms", "molecules"), card["heavy atoms"])
    yield from _table(("atom", "number"), card["atoms"])
    yield from _table(("stereochemistry", "number"), card["stereo"])
    rings = card["ring systems"]
    yield f"{rings['distinct']} ring systems, {rings['in one molecule']} in one molecule only:"
    yield ""
    yield from _table(("commonest ring systems", "molecules"), _quoted(rings["commonest"]))
    yield from ("## Rejected", "")
    yield f"{rejected} listed molecules have no conformer; `rejected.csv` names them."
    yield ""
    yield from _table(("reason", "molecules"), card["rejected"])
    yield from ("Kinds of molecules, as they were listed, and how many of each were lost:", "")
    rows = (
        (kind, str(n["listed"]), str(n["lost"]), f"{100 * n['lost'] / n['listed']:.2f}")
        for kind, n in card["kinds"].items()
    )
    yield markdown_table(("kind", "listed", "lost", "%"), rows, numbers_from=1)
    yield from ("", "## Versions and files", "")
    yield from _table(("package", "version"), card["versions"])
    files = {file["name"]: f"`{file['sha256']}`" for file in card["files"]}
    yield from _table(("file", "sha256"), files)


def _sources(card: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## Sources", "")
    bands = [_size(band) for band in BANDS]
    rows = (
        (
            source["name"],
            source["origin"],
            source["licence"],
            str(source["listed"]),
            str(source["molecules"]),
            *(str(source["by size"][band]) for band in bands),
        )
        for source in card["sources"]
    )
    header = ("source", "origin", "licence", "listed", "here", *(f"{b} atoms" for b in bands))
    yield markdown_table(header, rows, numbers_from=3)
    yield ""
    for source in card["sources"]:
        reasons = ", ".join(f"{reason} ({n})" for reason, n in source["left out"].items())
        yield from ([f"Left out of {source['name']}: {reasons}.", ""] if reasons else [])


def _table(header: tuple[str, str], values: Mapping[str, Any]) -> Iterator[str]:
    if values:
        rows = ((name, str(value)) for name, value in values.items())
        yield from (markdown_table(header, rows, numbers_from=1), "")


def _quoted(values: Mapping[str, int]) -> dict[str, int]:
    return {f"`{name}`": number for name, number in values.items()}


def _size(band: tuple[int, int]) -> str:
    return f"{band[0]}-{band[1]}"


def _drops(drops: Sequence[float]) -> dict[str, float]:
    cut = statistics.quantiles(drops, n=10)[-1] if len(drops) > 1 else drops[0]
    return {"median": round(statistics.median(drops), 2), "90 %": round(cut, 2)}


def _place(kind: str) -> tuple[int, int, str]:
    """Sort kinds: all, sources, sizes, rings, and the rest."""
    names = ["all", *(source.name for source in SOURCES)]
    if kind in names:
        return 0, names.index(kind), kind
    for place, word in enumerate(("heavy atoms", "ring", "element"), 1):
        if word in kind:
            number = "".join(filter(str.isdigit, kind.split("-")[0]))
            return place, int(number or 0), kind
    return 9, 0, kind
