"""Motifs: what a contig says, and that what is given stays where it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import moldiff
from moldiff.backbones.contig import motif_of
from moldiff.backbones.joining import joined
from moldiff.backbones.sampling import Given, draw
from moldiff.bundled import bundled_models
from moldiff.cli import main
from moldiff.diffusion.time import batch_times
from moldiff.domain.chains import chain_batch
from moldiff.errors import InputError
from moldiff.model import Model
from moldiff.protein.read import read_contents
from moldiff.protein.secondary import HIDDEN
from moldiff.seeds import generator
from moldiff.train.parts import Parts
from moldiff.train.workloads.chains import motif
from moldiff.train.workloads.frame_aligned import FrameAligned
from tests.backbones import backbone
from tests.proteins import pdb_lines

DESIGNER = "sequence" in bundled_models()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain of 32 residues, numbered from 1, of which 7 has a side chain, and a short one."""
    lines = pdb_lines(backbone(32, seed=4)).splitlines()
    last = max(k for k, line in enumerate(lines) if line[22:26].strip() == "7")
    place = f"{lines[last][:30]}{1.25:8.3f}{-2.5:8.3f}{30.125:8.3f}{lines[last][54:]}"
    lines.insert(last + 1, f"{place[:13]}CB {place[16:76]} C")
    lines += ["TER", *pdb_lines(backbone(5, seed=5), name="B").splitlines(), "TER", "END"]
    path = tmp_path_factory.mktemp("motif") / "given.pdb"
    path.write_text("\n".join(lines) + "\n")
    return path


def _coordinates(path: Path, chain: str = "A") -> dict[tuple[int, str], tuple[str, str]]:
    """Number and atom -> its coordinates as they are written, and the residue's name."""
    return {
        (int(line[22:26]), line[12:16].strip()): (line[30:54], line[17:20])
        for line in path.read_text().splitlines()
        if line.startswith("ATOM") and line[21] == chain
    }


def angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The angle at b, in degrees."""
    u, v = ((x - b) / np.linalg.norm(x - b, axis=-1, keepdims=True) for x in (a, c))
    return np.degrees(np.arccos((u * v).sum(-1)))


@pytest.mark.skipif(not DESIGNER, reason="needs the model of sequences")
@pytest.mark.thorough
def test_a_motif_is_written_where_it_was_to_the_last_digit(
    model: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "around"
    contig = "6-9/A5-9/8-10/A:20-24/0-3"
    line = ["backbone", "-n", "3", "--motif", str(file), "--contig", contig, "--model", str(model)]
    assert main([*line, "--seed", "2", "-o", str(folder)]) == 0, capsys.readouterr().err
    given = _coordinates(file)
    again = moldiff.backbone(3, motif=file, contig=contig, model=model, seed=2)
    starts = set()
    for fold in again:
        pieces = [piece.split("=") for piece in fold.kept.split()]
        assert [old for _, old in pieces] == ["A:5-9", "A:20-24"]
        written = _coordinates(folder / f"backbone-{fold.number}.pdb")
        for new, old in pieces:
            first, shift = int(new.split("-")[0]), int(old[2:].split("-")[0])
            starts.add(first)
            own = {(n - shift + first, a): x for (n, a), x in given.items() if 0 <= n - shift < 5}
            assert len(own) == 20 + (shift == 5)
            turned = (first + 4, "O")  # the last O of a piece is in the plane of a new peptide
            assert own.items() - {(turned, own[turned])} <= written.items()
            assert all(n not in range(first, first + 5) or (n, a) in own for n, a in written)
        names = [written[n + 1, "CA"][1] for n in range(len(fold))]
        kept = fold.layout >= 0
        assert [names[n] for n in np.flatnonzero(kept)] == [
            given[n, "CA"][1] for n in (*range(5, 10), *range(20, 25))
        ]
        assert f"motif {fold.kept.split()[0]} of given.pdb" in fold.to_pdb()
        assert f"# motif {fold.kept.split()[1]} of given.pdb" in fold.to_cif()
        n, c, o = (fold.atoms[:, k] for k in (0, 2, 3))
        at_c = angle(o[:-1], c[:-1], n[1:])[~(kept[1:] & kept[:-1])]
        assert np.abs(at_c - 122.5).max() < 6  # where a piece ends, too
        assert fold.quality.joined > 0.9 and fold.moved > 0
    assert len(starts) > 2  # lengths are drawn
    assert "the model was not trained around motifs." in again.notes
    read = again.save(tmp_path / "cif", "cif") / "backbone-1.cif"
    found = read_contents(read).structure
    assert np.abs(found.positions[4:8] - again[0].atoms[1]).max() < 1e-3
    first = int(np.flatnonzero(again[0].layout == 0)[0])
    assert found.residues[first].name == given[5, "CA"][1]
    assert "motif" in again.rows()[0] and f'"motif":"{again[0].kept}"' in again.to_html()


@pytest.mark.thorough
def test_lengths_and_secondary_structure_around_a_motif(model: Path, file: Path) -> None:
    def drawn(contig: str, **more):  # type: ignore[no-untyped-def]
        settings = {"sequences": 0, "steps": 1, "model": model, "motif": file}
        return moldiff.backbone(4, contig=contig, **settings, **more)

    assert {len(fold) for fold in drawn("5-40/A5-9/5-40", length="24-26")} <= {24, 25, 26}
    (fold, *_) = drawn("10/A1-6/10", structure="H" * 26)
    assert fold.wanted == 10 * "H" + 6 * "?" + 10 * "H"  # nothing is asked of the motif
    for more in ({}, {"structure": "free"}):
        (fold, *_) = drawn("10/A1-6/10", **more)
        assert fold.wanted == 26 * "?" and fold.obeyed is None
    (whole, *_) = drawn("0-1/A1-31", length="32")
    assert len(whole) == 32  # one is new at least
    for words, contig, more in (
        ("26 letters, the contig 27", "11/A1-6/10", {"structure": "H" * 26}),
        ("says how many residues are new", "9-11/A1-6/10", {"structure": "H" * 26}),
        ("chains of 26 residues, not of 30 to 40", "10/A1-6/10", {"length": "30-40"}),
    ):
        with pytest.raises(InputError, match=words):
            drawn(contig, **more)


def test_a_chain_is_drawn_where_the_motif_is(model: Path, file: Path) -> None:
    """Also its new residues: the draw itself is in the frame of the file, before it is joined."""
    given = motif_of(file, "12/A20-24/7")
    layout = given.layout(24, 24, rng=generator(0))
    made = draw(
        Model.load(model, domain="chains"),
        np.full((2, 24), HIDDEN),
        rng=torch.Generator().manual_seed(0),
        given=Given.motifs(given.atoms.astype(np.float32), np.stack([layout] * 2)),
    )
    centre = given.atoms[:, 1].mean(0)
    assert np.linalg.norm(centre) > 10  # far from where chains are drawn
    for chain in made:
        assert np.abs(chain[layout >= 0, 1] - given.atoms[:, 1]).max() < 1e-3
        assert np.linalg.norm(chain[:, 1].mean(0) - centre) < 15


@pytest.mark.parametrize(
    ("contig", "words"),
    [
        ("", "names no residue"),
        ("10-20", "names no residue"),
        ("A5-9", "has no new residues"),
        ("20-10/A5-9", "ends before it begins"),
        ("10/A9-5", "Write A5-9"),
        ("10/A5-99", "no protein residue A:99"),
        ("10/C5-9", "no protein chain 'C'"),
        ("10/A5-9/0/A20-24", "chains are not broken"),
        ("10/A5-9/A20-24", "Nothing is between A:9"),
        ("10/A5-9/10/A7-12", "A:7 .* twice"),
        ("10/A5-6/1/A30-32", "cannot span the"),
        ("10/@/10", "'@' is no part"),
        ("10/AA5-9/10", "AA:12-30"),
        ("150/A5-9/150", "chains of 305 residues"),
        ("2/A5-9/2", "chains of 9 residues"),
    ],
)
def test_contigs_that_cannot_be(model: Path, file: Path, contig: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        moldiff.backbone(1, motif=file, contig=contig, model=model)


def test_a_motif_needs_a_file_and_a_contig_and_nothing_else(model: Path, file: Path) -> None:
    for more, words in (
        ({"motif": file}, "no contig"),
        ({"contig": "10/A5-9"}, "no file"),
        ({"motif": file, "contig": "10/A5-9/9", "like": file}, "cannot both"),
    ):
        with pytest.raises(InputError, match=words):
            moldiff.backbone(1, model=model, **more)  # type: ignore[arg-type]


def test_new_residues_that_cannot_span_the_way_are_not_drawn(file: Path) -> None:
    found = motif_of(file, "3/2/A5-6/1-30/A30-32")
    assert found.spans[0] == (5, 5) and found.spans[1] == 2 and found.spans[3] == 3
    low, high = found.spans[2]  # type: ignore[misc]
    apart = np.linalg.norm(found.atoms[1, 1] - found.atoms[2, 1])
    assert high == 30 and 3.4 * low < apart <= 3.4 * (low + 1)
    sizes = {len(found.layout(20, 200, rng=generator(k))) for k in range(40)}
    assert min(sizes) >= max(20, 10 + low) and len(sizes) > 5


def test_residues_that_are_fixed_stay_when_others_are_joined() -> None:
    true = backbone(24).atoms[:, :3].astype(float)
    fixed = np.zeros((1, 24), bool)
    fixed[0, 8:14] = True
    rng = np.random.default_rng(0)
    off = true + rng.normal(scale=0.4, size=(24, 1, 3))
    chain = joined(off[None], fixed)[0]
    assert (chain[8:14] == off[8:14]).all()
    bonds = np.linalg.norm(chain[1:, 0] - chain[:-1, 2], axis=-1)
    inside = np.zeros(23, bool)
    inside[8:13] = True
    assert np.abs(bonds[~inside] - 1.329).max() < 0.02 < np.abs(bonds[inside] - 1.329).max()


def test_motifs_of_training_are_segments_within_the_shares() -> None:
    parts, rng = Parts(share=1.0, two=0.5, smallest=0.1, largest=0.5), np.random.default_rng(0)
    counts = []
    for _ in range(200):
        mask = motif(50, parts, rng)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask, [0]])))
        segments = edges.reshape(-1, 2)
        counts.append(len(segments))
        assert 5 <= mask.sum() <= 25
    assert {1, 2, 3, 4} == set(counts) and 60 < counts.count(1) < 140


def test_a_motif_is_centred_clean_and_left_out_of_the_loss(model: Path) -> None:
    denoiser = Model.load(model, domain="chains").denoiser
    atoms, mask = backbone(40, seed=2).atoms, np.zeros((2, 40), bool)
    mask[0, 5:15], mask[1, 20:32] = True, True
    x_0 = chain_batch([atoms] * 2, np.full((2, 40), HIDDEN), mask)
    for k in range(2):
        assert x_0["trace"][k, mask[k]].mean(0).abs().max() < 1e-4
    rng = torch.Generator().manual_seed(0)
    x = denoiser.process.start(x_0, rng=rng)
    with torch.no_grad():
        hat = denoiser(x, batch_times(x, torch.ones(2)))
    clean = torch.from_numpy(mask)
    for field in ("trace", "frames"):
        for values in (x[field], hat[field]):
            assert torch.equal(values[clean], x_0[field][clean])
            assert not torch.isclose(values[~clean], x_0[field][~clean]).all()
    # What is drawn is 1 Å off: so says the error, however much is given.
    true = x_0.replace(positions=x_0["trace"])
    off = true.replace(
        positions=true["positions"] + (~clean).unsqueeze(-1) * torch.ones(3) / 3**0.5
    )
    for given, error in ((clean, 1.0), (None, 29 / 40)):
        _, parts = FrameAligned(levels=1).compare(off, true, None, torch.tensor([0.5, 0.5]), given)
        assert float(parts["error"]) == pytest.approx(error, abs=0.02)


@pytest.mark.skipif("chains" not in bundled_models(), reason="the model is not bundled")
@pytest.mark.thorough
def test_the_bundled_model_builds_around_a_motif(tmp_path: Path) -> None:
    """Around two strands of a hairpin drawn by itself: chains close, and are compact."""
    wanted = "CC" + 8 * "E" + "CCCC" + 8 * "E" + "CCCC" + 16 * "H" + "CC"
    (whole,) = moldiff.backbone(1, structure=wanted, sequences=0, steps=30, seed=3)
    path = tmp_path / "whole.pdb"
    path.write_text(whole.to_pdb())
    drawn = moldiff.backbone(
        4, motif=path, contig="20-24/A3-10/3-6/A15-22/4", sequences=0, steps=30
    )
    assert not any("not trained" in note for note in drawn.notes)
    assert all(fold.quality.joined == 1 for fold in drawn)
    good = [fold for fold in drawn if fold.moved < 1.0 and fold.quality.clashes < 6]
    assert len(good) >= 3 and all(fold.quality.size < 1.5 for fold in good)
