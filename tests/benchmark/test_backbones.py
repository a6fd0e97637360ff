"""The benchmark of whole backbones: what is native-like, and what its table says."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from moldiff.backbones.natives import natives
from moldiff.backbones.sampling import hesitation
from moldiff.benchmark.backbones import ASKED, HEADER, KINDS, Judged, judged, recorded, row
from moldiff.benchmark.mpnn import mpnn_entropies
from moldiff.bundled import bundled_models
from moldiff.cli import main
from moldiff.errors import MoldiffError
from moldiff.model import Model
from moldiff.models import load
from tests.backbones import backbone, figures_of, of_torsions, write_backbones
from tests.contracts.conftest import DOMAINS


def model_of(domain: str) -> Model:
    settings = {**DOMAINS[domain], "domain": domain, "precondition": "clean"}
    return Model.from_config(settings | {"sampling": {"steps": 2}}, seed=1)


@pytest.mark.thorough
def test_all_kinds_are_made_of_the_same_natives(tmp_path: Path) -> None:
    groups = [[backbone(24, seed=k) for k in range(2)], [backbone(30, seed=9)]]
    runs = judged(model_of("chains"), model_of("sequences"), groups)
    done = list(recorded(runs, tmp_path / "table.csv"))
    assert [one.kind for one in done[:14:2]] == list(KINDS) and len(done) == 3 * len(KINDS)
    assert [one.residues for one in done] == [24] * 14 + [30] * 7
    of = {kind: [one for one in done if one.kind == kind] for kind in KINDS}
    for native, mirrored, off in zip(of["native"], of["mirrored"], of["1 Å off"], strict=True):
        assert native.quality.left == pytest.approx(1 - mirrored.quality.left)
        assert native.quality.contacts == mirrored.quality.contacts
        assert off.quality.joined == 1 and off.quality != native.quality
    assert all(0 <= one.obeyed <= 1 for one in (*of["as told"], *of["drawn"]))
    assert all(np.isnan(one.obeyed) for one in (*of["free"], *of["around"]))
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [r["kind"] for r in rows] == [one.kind for one in done]
    assert float(rows[-1]["nats"]) == pytest.approx(done[-1].nats, abs=1e-3)


def made(kind: str, **changed: float) -> Judged:
    """A backbone as natives are in the mean, but for what is changed."""
    means = {name: (band.low + band.high) / 2 for name, band in natives().items()}
    plain = replace(
        figures_of(of_torsions([(-63.0, -42.0)] * 40)),
        **{k: means[k] for k in ("contacts", "size", "left", "clashes", "joined")},
        helix=means["regular"],
        strand=0.0,
    )
    nats = changed.pop("nats", means["hesitation"])
    mpnn = changed.pop("mpnn", float("nan"))
    return Judged(kind, 40, replace(plain, **changed), 0.5, nats, mpnn, 1.0)


def test_native_like_is_what_lies_among_nine_in_ten_natives() -> None:
    done = [
        made("free"),
        made("free", contacts=0.02),
        made("free", left=0.9),
        made("free", nats=2.6),
        made("free", clashes=5.0),
        made("free", size=2.0),
        made("free", helix=0.0),
        made("free", joined=0.9),
    ]
    assert [one.native_like for one in done] == [True] + 7 * [False]
    cells = dict(zip(HEADER, row("free", done), strict=True))
    assert cells["count"] == "8" and cells["native-like"].startswith("12 % (0 to ")
    assert cells["as told"] == "50.0 %" and "ProteinMPNN" not in cells
    assert row("as told", done) == ()
    asked = row("free", [made("free", mpnn=2.0), made("free", mpnn=2.5)])
    assert dict(zip((*HEADER, ASKED), asked, strict=True))["ProteinMPNN"] == "2.25"


FAKE = f"""#!{sys.executable}
import json, sys
from pathlib import Path
import numpy as np
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
assert options["--unconditional-probs-only"] == "1"
folder = Path(options["--out-folder"], "unconditional_probs_only")
folder.mkdir()
for line in Path(options["--jsonl-path"]).read_text().splitlines():
    chain = json.loads(line)
    letters = 2 + int(chain["name"])
    assert len(chain["coords_chain_A"]["O_chain_A"]) == len(chain["seq_chain_A"])
    log_p = np.full((1, len(chain["seq_chain_A"]), 21), -100.0)
    log_p[..., :letters] = -np.log(letters)
    np.savez(folder / chain["name"], log_p=log_p)
"""


def test_proteinmpnn_is_asked_in_its_own_python(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(FAKE)
    python.chmod(0o755)
    chains = [backbone(n, seed=n).atoms for n in (20, 24)]
    np.testing.assert_allclose(mpnn_entropies(str(python), chains), np.log([2, 3]), atol=1e-5)
    groups = [[backbone(24, seed=k) for k in range(2)]]
    models = model_of("chains"), model_of("sequences")
    kinds = ("native", "mirrored")
    done = list(
        recorded(judged(*models, groups, kinds=kinds, python=str(python)), tmp_path / "t.csv")
    )
    assert [one.mpnn for one in done] == pytest.approx(2 * [np.log(2), np.log(3)])
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert float(rows[1]["mpnn"]) == pytest.approx(np.log(3), abs=1e-4)
    python.write_text(f"#!{sys.executable}\n")
    with pytest.raises(MoldiffError, match="ProteinMPNN wrote nothing of backbone 1"):
        mpnn_entropies(str(python), chains)


def test_who_knows_nothing_hesitates_among_all() -> None:
    chains = np.stack([backbone(20, seed=k).atoms for k in range(3)])
    clueless = model_of("sequences")
    with torch.no_grad():
        clueless.network.letters.weight.zero_()  # type: ignore[union-attr]
        clueless.network.letters.bias.zero_()  # type: ignore[union-attr]
    np.testing.assert_allclose(hesitation(clueless, chains), np.log(20), atol=1e-5)


@pytest.mark.skipif("sequence" not in bundled_models(), reason="needs the model of sequences")
@pytest.mark.thorough
def test_the_command_says_how_like_natives_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, path = write_backbones(tmp_path / "data"), tmp_path / "model.safetensors"
    model_of("chains").save(path)
    table = tmp_path / "out.csv"
    line = ["benchmark", "backbones", str(store.path), "--model", str(path), "-n", "3"]
    assert main([*line, "-o", str(table)]) == 0
    out = capsys.readouterr().out
    assert all(kind in out for kind in KINDS) and "hesitation" in out
    assert len(table.read_text().splitlines()) == 1 + 3 * len(KINDS)
    designer = load("sequence", domain="sequences")
    helix = of_torsions([(-63.0, -42.0)] * 40)
    assert hesitation(designer, helix[None])[0] < 2.9
    table.write_text("mine")
    assert main([*line, "-o", str(table)]) == 2 and table.read_text() == "mine"
