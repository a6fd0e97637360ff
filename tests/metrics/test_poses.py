"""PoseBusters on a good and a bad geometry; silent, and without a trace in RDKit's log."""

from __future__ import annotations

import sys

import pytest
from rdkit import Chem

from moldiff.metrics import poses
from moldiff.metrics.evaluation import evaluate
from moldiff.metrics.sample import samples


@pytest.fixture(scope="module")
def bad(hand_made: dict[str, Chem.Mol | None]) -> Chem.Mol:
    """Ethanol with a C-O bond stretched by 1.5 Å, straight through its hydrogen's place."""
    mol = Chem.Mol(hand_made["ethanol"])
    conformer = mol.GetConformer()
    carbon, oxygen = conformer.GetAtomPosition(1), conformer.GetAtomPosition(2)
    conformer.SetAtomPosition(2, oxygen + (oxygen - carbon) * 1.1)
    return mol


def test_good_bad_and_invalid(
    hand_made: dict[str, Chem.Mol | None], bad: Chem.Mol, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("posebusters")
    good, stretched, invalid = samples([hand_made["ethanol"], bad, hand_made["five-valent"]])
    before = bad.ToBinary()
    result = poses.measure([(good, True), (stretched, True), (invalid, False)])
    assert isinstance(result, poses.Poses)
    first, second, third = result.rows
    assert first is not None and all(first.values()) and len(first) == 11
    assert second is not None and second["bond_lengths"] is False
    assert third is None and bad.ToBinary() == before
    assert result.pass_rate().value == pytest.approx(1 / 3)
    assert result.pass_of_valid().value == pytest.approx(1 / 2)
    assert result.pass_complete().value == pytest.approx(1 / 3)
    assert result.per_check()["bond_lengths"].value == pytest.approx(1 / 2)
    assert "bond_lengths: failed" in result.failures()
    Chem.MolFromSmiles("C(C)(C)(C)(C)C")  # RDKit still speaks as before, to the C++ stream
    out, err = capfd.readouterr()
    assert not out and err.count("\n") <= 2 and "xplicit valence" in err


def test_an_open_check_is_no_failure_but_counted() -> None:
    result = poses.Poses(({"a": True, "b": None}, {"a": True, "b": True}))
    assert result.pass_rate().value == 1.0
    assert result.pass_complete().value == 0.5
    assert result.failures() == ["b: not computed"]
    assert result.per_check()["b"].n == 1


def test_not_installed_is_a_reason(
    hand_made: dict[str, Chem.Mol | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poses, "find_spec", lambda name: None)
    answer = poses.measure([(samples([hand_made["methane"]])[0], True)])
    assert isinstance(answer, str) and "moldiff[eval]" in answer
    report = evaluate([hand_made["methane"]], posebusters=1, relax=0, xtb=0)
    assert "moldiff[eval]" in str(report)  # brackets are no markup


def test_import_of_metrics_is_light() -> None:
    import subprocess

    code = "import sys, moldiff.metrics.evaluation; print([m for m in sys.modules if m in %r])"
    heavy = ("torch", "posebusters", "pandas", "scipy", "rich", "matplotlib", "e3nn")
    done = subprocess.run(
        [sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
