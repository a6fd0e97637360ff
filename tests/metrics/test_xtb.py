"""Relaxation with the real program xtb where it is installed; its absence everywhere."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from rdkit import Chem

from moldiff.chem import xtb
from moldiff.io import Record
from moldiff.metrics import METRICS, Settings, Study, samples
from moldiff.metrics.provenance import versions
from moldiff.metrics.relaxation import GFN2, MMFF94, Relaxation, measure

installed = pytest.mark.skipif(
    shutil.which("xtb") is None, reason="the program xtb is not installed"
)


def stretched(mol: Chem.Mol | None, amount: float) -> Chem.Mol:
    """The molecule with its third atom moved, Å."""
    assert mol is not None
    copy = Chem.Mol(mol)
    x, y, z = copy.GetConformer().GetAtomPosition(2)
    copy.GetConformer().SetAtomPosition(2, (x + amount, y, z))
    return copy


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put another program of that name on PATH."""
    program = folder / "xtb"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


@installed
def test_strain_is_found(hand_made: dict[str, Chem.Mol | None]) -> None:
    rest = GFN2.relax(stretched(hand_made["ethanol"], 0.0))
    moved = stretched(hand_made["ethanol"], 0.3)
    before = moved.ToBinary()
    found = GFN2.relax(moved)
    assert rest.reason is found.reason is None
    assert 0 <= rest.drop < 3 and rest.rmsd < 0.1  # minima of the two methods are near
    assert found.drop > rest.drop + 5 and found.rmsd > 0.05 and moved.ToBinary() == before
    assert found.drop == pytest.approx(MMFF94.relax(moved).drop, rel=0.5)


@installed
def test_the_charge_is_told_to_the_program(hand_made: dict[str, Chem.Mol | None]) -> None:
    ammonium = hand_made["ammonium"]
    assert ammonium is not None
    found = GFN2.relax(ammonium)  # as a neutral radical it would relax far more
    assert found.reason is None and found.drop < 5 and found.rmsd < 0.05


@installed
def test_one_atom_has_nothing_to_relax() -> None:
    mol = Chem.RWMol()
    mol.AddAtom(Chem.Atom("Xe"))
    mol.AddConformer(Chem.Conformer(1))
    assert GFN2.relax(mol.GetMol()).drop == pytest.approx(0.0, abs=1e-6)


@installed
def test_failures_have_reasons(hand_made: dict[str, Chem.Mol | None]) -> None:
    fermium = Chem.RWMol()
    fermium.AddAtom(Chem.Atom("Fm"))
    fermium.AddConformer(Chem.Conformer(1))
    assert "fails" in str(GFN2.relax(fermium.GetMol()).reason)
    collapsed = stretched(hand_made["methane"], 0.0)
    for k in range(collapsed.GetNumAtoms()):
        collapsed.GetConformer().SetAtomPosition(k, (0.0, 0.0, 1e-3 * k))
    found = GFN2.relax(collapsed)
    assert found.reason and math.isnan(found.drop) and math.isnan(found.rmsd)
    assert GFN2.relax(Chem.MolFromSmiles("C")).reason == "no valid molecule with coordinates"


@installed
def test_measured_in_processes_as_in_one(qm9: list[Record]) -> None:
    pairs = [(sample, True) for sample in samples([record.mol for record in qm9[:18]])]
    one, two = measure(pairs, GFN2), measure(pairs, GFN2, jobs=2)
    assert isinstance(one, Relaxation) and isinstance(two, Relaxation)
    assert one.drop_median().n == 18 and one.failures() == []
    assert one.drop_mean().value == pytest.approx(two.drop_mean().value, abs=1e-4)
    assert 0 < one.drop_median().value < 5  # DFT geometries are near the minima


@installed
def test_the_version_is_known() -> None:
    known = xtb.version()
    assert known is not None and known[0].isdigit() and versions()["xtb"] == known


def test_absence_is_told(
    hand_made: dict[str, Chem.Mol | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    study = Study(samples([hand_made["ethanol"]]), None, Settings(posebusters=0, relax=0))
    for name, metric in METRICS.items():
        if metric.protocol == "xtb":
            value = study.value(metric)
            assert math.isnan(value.value) and "apt install xtb" in str(value.reason), name
    assert study.failures()["xtb"] == {} and versions()["xtb"] is None
    assert GFN2.relax(stretched(hand_made["ethanol"], 0)).reason == "xtb is not installed"


def test_none_is_none(hand_made: dict[str, Chem.Mol | None]) -> None:
    assert measure([], GFN2) == "not asked for, or no molecules"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "GFN2-xTB fails: exit status 3"),
        ("echo '-1- scf: no convergence'; exit 1", "GFN2-xTB fails: scf: no convergence"),
        ("touch NOT_CONVERGED; exit 1", "not converged by GFN2-xTB"),
        ("exit 0", "GFN2-xTB fails:"),
        ("echo ':: total energy  -1.0 Eh ::'; cp in.xyz xtbopt.xyz", "lacks the energies"),
        (
            "echo ':: total energy  -1.0 Eh ::'; echo '| TOTAL ENERGY  -1.5 Eh |'\n"
            "head -n 4 in.xyz > xtbopt.xyz",
            "structure is incomplete",
        ),
        (
            "echo ':: total energy  -1.0 Eh ::'; echo '| TOTAL ENERGY  ******** Eh |'\n"
            "cp in.xyz xtbopt.xyz",
            "lacks the energies",
        ),
        ("exec sleep 30", "takes longer than 1 s"),
    ],
    ids=["status", "told", "cycles", "silent", "one energy", "cut", "stars", "slow"],
)
def test_whatever_the_program_does(
    script: str,
    reason: str,
    hand_made: dict[str, Chem.Mol | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake(tmp_path, monkeypatch, script)
    monkeypatch.setattr(xtb, "_SECONDS", 1)
    found = GFN2.relax(stretched(hand_made["ethanol"], 0.0))
    assert reason in str(found.reason) and math.isnan(found.drop)


def test_a_program_without_a_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, "exit 3")
    assert xtb.version() is None


def test_energies_are_converted(
    hand_made: dict[str, Chem.Mol | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (
        ":: total energy  -1.00 Eh ::",
        "* total energy  :  -1.01 Eh",
        "total energy gain -9 Eh",
    )
    told = "; ".join(f"echo '{line}'" for line in (*lines, "| TOTAL ENERGY  -1.02 Eh |"))
    fake(tmp_path, monkeypatch, f"{told}; cp in.xyz xtbopt.xyz")
    found = GFN2.relax(stretched(hand_made["ethanol"], 0.0))
    assert found.drop == pytest.approx(0.02 * 627.5095, abs=1e-3)
    assert found.rmsd == pytest.approx(0.0, abs=1e-8)
