"""From files of protein backbones to a `BackboneStore`: read, filter, cluster, split, write.

Two kinds of files are read.  ``structure_db.dat`` is the database of chains without gaps of
ProMod3 (Studer et al., PLoS Comput. Biol. 17 (2021) e1008667), which Debian's package
``promod3-data`` installs.  An ``.npz`` of such chains has the arrays ``id`` (N,), ``offset``
(N + 1,), and, residue by residue, ``xyz_centi_angstrom`` (R, 4, 3), ``seq`` and ``dssp``; and
optionally ``cath`` (N,), their codes in the classification CATH.

Chains of one topology of CATH belong to one cluster, and a cluster to one split: what is held out
has folds that were never trained on.  Where a file has no such codes, chains are alike that share a
tenth of their stretches of five residues.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile, is_zipfile

import numpy as np
import numpy.typing as npt

from moldiff.data.backbones import UNIT, BackboneStore, write
from moldiff.data.clusters import linked, split_clusters
from moldiff.errors import DataError, InputError
from moldiff.parallel import Progress
from moldiff.protein.backbone import LETTERS, UNKNOWN, Backbone

__all__ = ["prepare_backbones"]

_SHORTEST = 40  # residues
_BOND = (1.1, 1.6)  # Å, range of a C-N bond in a chain without a gap
_STEP = (2.6, 4.2)  # Å, range of the distance of consecutive C-alpha: cis to trans
_REGULAR = frozenset("HGIE")  # codes of DSSP
_STRETCH, _ALIKE = 5, 0.1
_MAGIC, _HEADER = (1234, 2), 0x4D

_CODES = np.full(256, UNKNOWN, np.int8)
_CODES[list(LETTERS.encode())] = np.arange(len(LETTERS))


@dataclass(frozen=True, eq=False)
class _Chain:
    name: str
    backbone: Backbone
    cath: str = ""


class _Fault(ValueError):
    """What is wrong with a file, in words for users."""


def prepare_backbones(
    files: Sequence[str | Path],
    destination: str | Path,
    *,
    seed: int = 0,
    share: float = 0.05,
    limit: int | None = None,
    progress: Progress | None = None,
) -> BackboneStore:
    """Prepare the chains of files as a store.

    Parameters
    ----------
    files:
        Files in the formats above.
    seed:
        Seed of the split.
    share:
        Fraction of the chains for validation.
    limit:
        Largest number of chains of each file, the first ones.
    progress:
        Called as ``progress(stage, done, total)``.

    Raises
    ------
    InputError
        If a file is missing or has another format.
    DataError
        If no chain can be used, or the store cannot be written.
    """
    report = progress or (lambda stage, done, total: None)
    accepted: list[_Chain] = []
    rejected: list[tuple[str, str]] = []
    for path in map(Path, files):
        count, chains = _read(path, limit)
        for k, chain in enumerate(chains):
            reason = _fault(chain.backbone)
            if reason:
                rejected.append((chain.name, reason))
            else:
                accepted.append(chain)
            report(f"reading {path.name}", k + 1, count)
    if not accepted:
        reasons = sorted({reason for _, reason in rejected})
        raise DataError(f"No chain can be used: {', '.join(reasons)}.", fix="Look at the reasons.")
    parts, threshold = _likeness(accepted)
    clusters = linked(parts, threshold=threshold)
    write(
        Path(destination),
        [(chain.name, chain.backbone) for chain in accepted],
        rejected,
        clusters=clusters,
        split=split_clusters(clusters, share=share, seed=seed),
        source=", ".join(Path(path).name for path in files),
    )
    return BackboneStore.open(destination)


def _fault(chain: Backbone) -> str:
    """Return why a chain cannot be used; "" if it can."""
    if len(chain) < _SHORTEST:
        return f"fewer than {_SHORTEST} residues"
    if not np.isfinite(chain.atoms).all():
        return "atoms without a position"
    n, ca, c = chain.atoms[:, 0], chain.atoms[:, 1], chain.atoms[:, 2]
    bond = np.linalg.norm(n[1:] - c[:-1], axis=1)
    step = np.linalg.norm(ca[1:] - ca[:-1], axis=1)
    inside = [(low < d) & (d < high) for d, (low, high) in ((bond, _BOND), (step, _STEP))]
    return "" if np.logical_and(*inside).all() else "a break in the chain"


def _likeness(chains: Sequence[_Chain]) -> tuple[list[npt.NDArray[np.int64]], float]:
    """Return numbers of each chain, and which share of them two chains have in common."""
    if all(chain.cath for chain in chains):
        codes = [
            sorted({".".join(code.split(".")[:3]) for code in chain.cath.split("+")})
            for chain in chains
        ]
        number = {code: k for k, code in enumerate(sorted(set().union(*codes)))}
        # However many topologies a chain has, one in common is enough.
        return [np.array([number[code] for code in own], np.int64) for own in codes], 1e-6
    powers = (UNKNOWN + 1) ** np.arange(_STRETCH, dtype=np.int64)
    windows = np.lib.stride_tricks.sliding_window_view
    stretches = [
        np.unique(windows(chain.backbone.types.astype(np.int64), _STRETCH) @ powers)
        for chain in chains
    ]
    return stretches, _ALIKE


def _read(path: Path, limit: int | None) -> tuple[int, Iterator[_Chain]]:
    """Return the number of chains of a file, and the chains."""
    if not path.is_file():
        raise InputError(
            f"There is no file '{path}'.",
            fix="Debian's promod3-data has one: /usr/share/promod3/loop_data/structure_db.dat.",
        )
    try:
        count, chains = _archive(path) if path.suffix == ".npz" else _database(path)
    except (OSError, ValueError, TypeError, IndexError, struct.error, BadZipFile) as error:
        # The words of the libraries that read it would say nothing to a user.
        told = error if isinstance(error, _Fault) else "it is cut off, or of another format"
        raise InputError(
            f"'{path}' is not a file of protein backbones: {told}.",
            fix="Give ProMod3's structure_db.dat, or an .npz: moldiff data backbones --help.",
        ) from error
    count = min(count, limit or count)
    return count, (next(chains) for _ in range(count))


def _archive(path: Path) -> tuple[int, Iterator[_Chain]]:
    """Read an ``.npz`` of chains."""
    if not is_zipfile(path):
        raise _Fault("it is no .npz archive")
    with np.load(path, allow_pickle=False) as file:
        wanted = ("id", "offset", "xyz_centi_angstrom", "seq", "dssp")
        if lacking := [name for name in wanted if name not in file.files]:
            raise _Fault(f"it lacks the array {', '.join(lacking)}")
        names, offset, atoms = file["id"], file["offset"], file["xyz_centi_angstrom"]
        letters, dssp = (_letters(file[key]) for key in ("seq", "dssp"))
        cath = file["cath"] if "cath" in file.files else np.full(len(names), "")
    if not offset[-1] == len(atoms) == len(letters) == len(dssp):
        raise _Fault("its arrays have different lengths")

    def chains() -> Iterator[_Chain]:
        for k, (name, code) in enumerate(zip(names.tolist(), cath.tolist(), strict=True)):
            part = slice(offset[k], offset[k + 1])
            yield _Chain(name, _backbone(atoms[part], letters[part], dssp[part]), code)

    return len(names), chains()


def _letters(array: np.ndarray) -> npt.NDArray[np.uint8]:
    """Return letters, one by one or as one string, as their codes."""
    text = str(array) if array.ndim == 0 else "".join(array.tolist())
    return np.frombuffer(text.encode("ascii", "replace"), np.uint8)


def _database(path: Path) -> tuple[int, Iterator[_Chain]]:
    """Read ProMod3's database.

    It begins with a header of 77 bytes and the number of chains (uint64); of each chain: PDB code
    and chain name (uint32 length, text), offset (uint32), size and first number (uint16), and a
    shift (3 float32).  Sections follow, each after its number of residues (uint64): one letter
    codes, coordinates (12 uint16, hundredths of an Å), dihedrals (2 int16), accessibility and
    depth (uint16), and DSSP's letters.
    """
    data = np.memmap(path, np.uint8, "r")
    buffer = data.data
    if struct.unpack_from("<II", buffer) != _MAGIC:
        raise _Fault("it does not begin as ProMod3's structure_db.dat does")
    (count,) = struct.unpack_from("<Q", buffer, _HEADER)
    at = _HEADER + 8
    table: list[tuple[str, int, int]] = []
    for _ in range(count):
        name = []
        for _ in range(2):
            (size,) = struct.unpack_from("<I", buffer, at)
            name.append(bytes(buffer[at + 4 : at + 4 + size]).decode("ascii"))
            at += 4 + size
        offset, length = struct.unpack_from("<IH", buffer, at)
        at += 20
        table.append(("_".join(name), offset, length))
    sections = []
    for width in (1, 24, 4, 2, 2, 1):
        (residues,) = struct.unpack_from("<Q", buffer, at)
        sections.append(data[at + 8 : at + 8 + residues * width].reshape(residues, width))
        at += 8 + residues * width
    letters, atoms, _, _, _, dssp = sections

    def chains() -> Iterator[_Chain]:
        for name, offset, length in table:
            part = slice(offset, offset + length)
            xyz = np.ascontiguousarray(atoms[part]).view("<u2").reshape(-1, 4, 3)
            yield _Chain(name, _backbone(xyz, letters[part, 0], dssp[part, 0]))

    return count, chains()


def _backbone(
    atoms: npt.NDArray[np.integer], letters: npt.NDArray[np.uint8], dssp: npt.NDArray[np.uint8]
) -> Backbone:
    regular = np.isin(dssp, [ord(code) for code in _REGULAR])
    return Backbone(np.float32(UNIT) * atoms.astype(np.float32), _CODES[letters], regular)
