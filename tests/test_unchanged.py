"""Rewriting the package does not change what it computes.

``unchanged.json`` holds digests of ten outputs each of generation, docking, evaluation and
likelihood, and the checksums of the bundled weights.  Floating-point results belong to a kind of
machine, so it holds one set of digests per machine, recognised by a digest of plain arithmetic; on
a machine that it does not know, evaluation and likelihood are compared within rounding and the
others are left out.  ``python tests/test_unchanged.py`` adds this machine, or records anew what was
changed on purpose.
"""

from __future__ import annotations

import functools
import hashlib
import json
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import moldiff
from moldiff.chem.validity import canonical_smiles
from moldiff.cli import app

ROOT = Path(__file__).parents[1]
KNOWN = ROOT / "tests" / "unchanged.json"
SAMPLE = ROOT / "datasets" / "qm9" / "sample.sdf"
COMPLEX = ROOT / "datasets" / "docking" / "1m2z"

GENERATED: dict[str, dict[str, Any]] = {
    "skeleton": {"seed": 0, "steps": 10, "valence": 1.0},
    "all atoms": {"model": "qm9", "seed": 1, "steps": 10},
    "four steps": {"model": "qm9-fast", "seed": 2},
    "formula": {"model": "qm9", "formula": "C7H8O", "n": 4, "steps": 10},
    "size": {"size": 9, "n": 4, "steps": 10, "valence": 1.0},
    "heun": {"sampler": "heun,s_churn=2", "steps": 6, "valence": 1.0},
    "multistep": {"sampler": "multistep", "steps": 8, "valence": 1.0},
    "temperatures": {
        "temperature": 0.5,
        "early_temperature": {"bonds": 4.0},
        "steps": 8,
        "valence": 1.0,
    },
    "no valence": {"valence": 0.0, "steps": 8},
    "langevin": {
        "sampler": "langevin",
        "steps": 8,
        "keep_valid": True,
        "n": 4,
        "valence": 1.0,
    },
}
DOCKED = {
    "paracetamol": "CC(=O)Nc1ccc(O)cc1",
    "ethanol": "CCO",
    "benzene": "c1ccccc1",
    "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "ibuprofen": "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O",
    "nicotine": "CN1CCC[C@H]1c1cccnc1",
    "chlorine": "Clc1ccccc1Br",
    "chain": "CCCCCCCCO",
    "sulfonamide": "Cc1ccc(cc1)S(N)(=O)=O",
}
SETTINGS: dict[str, Any] = {
    "draws": 8,
    "starts": 60,
    "chains": 12,
    "rounds": 3,
    "shortlist": 8,
    "conformers": 3,
    "poses": 3,
}


def digest(*values: Any) -> str:
    """Twelve characters that differ where a bit of the numbers, or a letter, does."""
    sha = hashlib.sha256()
    for value in values:
        if isinstance(value, float):
            sha.update(struct.pack("<d", value))
        elif isinstance(value, torch.Tensor):
            sha.update(value.contiguous().view(torch.uint8).numpy().tobytes())
        else:
            sha.update(repr(value).encode())
    return sha.hexdigest()[:12]


@functools.cache
def machine() -> str:
    """A digest of sums, products and functions in the sizes that networks have."""
    rng = torch.Generator().manual_seed(0)
    results: list[Any] = [torch.__version__, torch.backends.cpu.get_cpu_capability()]
    for n, k in ((5, 16), (9, 33), (36, 64), (153, 128), (640, 256)):
        a, b = (torch.randn(s, generator=rng) for s in ((n, k), (k, n)))
        products = (a @ b, (a @ b).softmax(-1), a.exp().log1p(), a.norm(dim=1), a.cumsum(0).sin())
        results += [x.contiguous() for x in products]
        batch = torch.randn(4, n, k, generator=rng)
        results += [batch @ b, (batch @ batch.mT), torch.nn.functional.layer_norm(batch, (k,))]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            results.append((a @ b).float())
    square = torch.randn(8, 3, 3, generator=rng)
    results += [x.contiguous() for x in torch.linalg.svd(square)]
    return digest(*results)


def molecule(mol: Any) -> str:
    """Digest of a molecule: elements, charges, bonds and the bits of its coordinates."""
    atoms = [(a.GetAtomicNum(), a.GetFormalCharge()) for a in mol.GetAtoms()]
    bonds = [(b.GetBeginAtomIdx(), b.GetEndAtomIdx(), str(b.GetBondType())) for b in mol.GetBonds()]
    return digest(atoms, bonds, *mol.GetConformer().GetPositions().ravel().tolist())


def generated() -> Iterator[tuple[str, str]]:
    for name, options in GENERATED.items():
        items = moldiff.generate(**{"model": "qm9-skeleton", "n": 10, "seed": 0, **options})
        yield name, digest([(molecule(i.mol), i.failure, flat(i)) for i in items])


def flat(item: Any) -> str | None:
    """The SMILES without stereochemistry of what is valid: what its tag was when this began."""
    return canonical_smiles(item.mol) if item.tags["strictly_valid"] == "yes" else None


def docked() -> Iterator[tuple[str, str]]:
    for name, smiles in DOCKED.items():
        result = moldiff.dock(
            str(COMPLEX / "receptor.pdb"),
            smiles,
            pocket_ligand=str(COMPLEX / "ligand.sdf"),
            **SETTINGS,
        )
        rows = [(molecule(p.mol), p.energy, p.score, p.confidence) for p in result.poses]
        yield name, digest(rows, [sorted(p.terms.items()) for p in result.poses])


@functools.cache
def evaluated() -> dict[str, dict[str, float | None]]:
    from moldiff.io import read_molecules

    records = list(read_molecules(SAMPLE))
    rows = {}
    for k in range(0, 50, 5):
        report = moldiff.evaluate(records[k : k + 5], posebusters=0, relax=2, xtb=0)
        rows[f"molecules from {k + 1}"] = {n: v.value for n, v in report.values.items()}
    return rows


def exact(values: Mapping[str, float | None]) -> list[tuple[str, float | None]]:
    """The metrics that the digests of machines are of; newer ones are compared within rounding."""
    return [(name, values[name]) for name in known()["digested"]]


@functools.cache
def likelihoods() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        molecules, output = Path(folder) / "ten.sdf", Path(folder) / "ten.json"
        blocks = SAMPLE.read_text(encoding="utf-8").split("$$$$\n")[:10]
        molecules.write_text("".join(f"{block}$$$$\n" for block in blocks), encoding="utf-8")
        command = ["likelihood", str(molecules), "--steps", "16", "-o", str(output)]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        rows = json.loads(output.read_text(encoding="utf-8"))["rows"]
    return {f"{i + 1}": row["elbo"] for i, row in enumerate(rows)}


def weights() -> Iterator[tuple[str, str]]:
    for path in sorted((ROOT / "moldiff" / "weights").rglob("*.safetensors")):
        yield path.stem, hashlib.sha256(path.read_bytes()).hexdigest()


#: What belongs to a machine, and what is the same (but for rounding) on all of them.
OF_A_MACHINE: Mapping[str, Callable[[], Any]] = {
    "generate": generated,
    "dock": docked,
    "evaluate, exactly": lambda: {n: digest(exact(v)) for n, v in evaluated().items()},
    "likelihood, exactly": lambda: {n: digest(v) for n, v in likelihoods().items()},
}
OF_ALL: Mapping[str, Callable[[], Any]] = {
    "weights": weights,
    "evaluate": evaluated,
    "likelihood": likelihoods,
}


def known() -> dict[str, Any]:
    return json.loads(KNOWN.read_text(encoding="utf-8")) if KNOWN.exists() else {}


@pytest.mark.thorough
@pytest.mark.parametrize("what", OF_A_MACHINE)
def test_bit_for_bit(what: str) -> None:
    here = known()["machines"].get(machine())
    if here is None or what not in here:
        pytest.skip("digests of this kind of machine have not been recorded")
    assert dict(OF_A_MACHINE[what]()) == here[what]


@pytest.mark.parametrize("what", OF_ALL)
def test_everywhere(what: str) -> None:
    expected, found = known()[what], dict(OF_ALL[what]())
    assert found.keys() == expected.keys()
    for name, value in found.items():
        if isinstance(value, float | dict):
            # Rounding moves a bound of some hundred nats by thousandths.
            assert value == pytest.approx(expected[name], rel=1e-4, abs=1e-3, nan_ok=True), name
        else:
            assert value == expected[name], name


def record() -> None:
    """Write what this machine computes beside what others did."""
    torch.set_num_threads(1)
    values = known()
    values |= {what: dict(compute()) for what, compute in OF_ALL.items()}
    here = {what: dict(compute()) for what, compute in OF_A_MACHINE.items()}
    values.setdefault("machines", {})[machine()] = here
    KNOWN.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(record())
