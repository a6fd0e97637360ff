"""The page as text: complete, harmless, self-contained, and true to the records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rdkit import Chem

import moldiff
from moldiff.errors import InputError
from moldiff.io import Record, read_molecules, write
from moldiff.view import Frame, render_html, write_html
from moldiff.view.card import describe
from moldiff.view.drawing import Drawing, drawing
from moldiff.view.trajectory import write_trajectories


class Page(HTMLParser):
    """Tags with their attributes, and the text of the data block."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._in_data = False
        self.data = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in_data = ("id", "data") in attrs

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False


def molecules(text: str) -> list[dict[str, Any]]:
    return list(json.loads(Page(text).data)["molecules"])


@pytest.fixture(scope="module")
def text(records: list[Record], trajectory: list[Frame]) -> str:
    return render_html(records, title="<b>T</b> & co", trajectories={0: trajectory})


@pytest.fixture(scope="module")
def cards(text: str) -> dict[str, dict[str, Any]]:
    return {card["name"][:7]: card for card in molecules(text)}


def test_nothing_is_loaded_from_anywhere(text: str) -> None:
    page = Page(text)
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert len(scripts) == 3
    for tag, attributes in page.elements:
        assert not {"src", "href", "action", "srcset", "poster"} & set(attributes), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert "@import" not in text and "url(" not in text.split("</style>")[0]
    policy = next(a["content"] for _, a in page.elements if "http-equiv" in a)
    assert policy and policy.startswith("default-src 'none'") and policy.count("sha256-") == 2


def test_files_as_they_are_read(tmp_path: Path) -> None:
    sample = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
    given = list(read_molecules(sample))
    assert all(card["valid"] and card["svg"] for card in molecules(render_html(given, title="")))
    for suffix in ("smi", "xyz", "json"):
        path = tmp_path / f"a.{suffix}"
        assert write(given[:20], path) == 20
        back = molecules(render_html(read_molecules(path), title=""))
        assert len(back) == 20
        assert {card["valid"] for card in back} == {None if suffix == "xyz" else True}


def test_names_and_tags_cannot_become_markup(text: str, records: list[Record]) -> None:
    page = Page(text)
    assert "img" not in [tag for tag, _ in page.elements]
    assert "<" not in page.data
    assert molecules(text)[6]["name"] == records[6].name
    assert molecules(text)[6]["tags"] == records[6].tags
    assert "<b>T</b>" not in text and "&lt;b&gt;T&lt;/b&gt; &amp; co" in text


def test_validity_and_its_reason(cards: dict[str, dict[str, Any]]) -> None:
    verdicts = {name: card["valid"] for name, card in cards.items()}
    assert verdicts == {
        "amide": True,
        "alkyne": True,
        "texas": False,
        "two": False,
        "bare": None,
        "broken": False,
        "</scrip": True,
    }
    assert cards["texas"]["reason"] == "valence: C1 has 5"
    assert cards["texas"]["problem"] == [0]
    assert cards["two"]["kind"] == "fragments"
    assert cards["broken"]["reason"] == "unreadable: atom line 7"
    assert "elements" not in cards["broken"]


def test_every_readable_molecule_is_drawn_in_2d_and_3d(cards: dict[str, dict[str, Any]]) -> None:
    for name, card in cards.items():
        if name == "broken":
            continue
        assert re.fullmatch(r"<svg [^<>]*>(<path [^<>]*/>)+</svg>", card["svg"]), name
        assert len(card["svg"]) < 6000
        assert len(card["xyz"]) == 3 * len(card["elements"])
    assert 'class="f bad"' in cards["texas"]["svg"]


def test_identity_and_properties(cards: dict[str, dict[str, Any]]) -> None:
    amide = cards["amide"]
    assert amide["smiles"] == "NC(=O)c1ccco1" and amide["formula"] == "C5H5NO2"
    assert amide["properties"]["heavy"] == 8 and 0.3 < amide["properties"]["qed"] < 0.8
    assert set(amide["bonds"][2::3]) == {1, 2}, "kekulised"
    assert cards["</scrip"]["charges"] == {"0": -1, "4": 1}
    assert "qed" not in cards["texas"]["properties"] and cards["texas"]["formula"] == "C2H7O"


def test_molecules_without_bonds_are_shown_and_not_judged(cards: dict[str, dict[str, Any]]) -> None:
    bare = cards["bare"]
    assert bare["guessed"] and bare["smiles"] is None and bare["formula"] == "C2H6O"
    assert len(bare["bonds"]) == 3 * 8


def test_the_pose_is_a_rotation_that_lays_the_molecule_flat(
    cards: dict[str, dict[str, Any]],
) -> None:
    rotation = np.reshape(cards["amide"]["pose"][:9], (3, 3))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-3)
    assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-3)
    xyz = np.reshape(cards["amide"]["xyz"], (-1, 3)) - cards["amide"]["pose"][9:]
    spread = (xyz @ rotation.T).std(axis=0)
    assert spread[0] > spread[1] > spread[2]


def test_frames_are_finite_thinned_and_delta_coded(trajectory: list[Frame]) -> None:
    long = [trajectory[0]] * 500 + [trajectory[-1]]
    record = Record(mol=None, name="", reason="none", source="", index=0, tags={})
    frames = molecules(render_html([record], title="", trajectories={0: long, 9: long}))[0][
        "frames"
    ]
    assert len(frames) == 120 and "e" in frames[0] and "e" not in frames[1]
    assert frames[-1]["e"] == list(trajectory[-1].elements) and frames[-1]["t"] == 0
    lost = Frame(("H",), np.full((1, 3), np.nan))
    page = render_html([record], title="", trajectories={0: [lost]})
    assert "frames" not in molecules(page)[0]


def test_the_verb_plays_a_denoising_from_a_file_or_from_memory(
    trajectory: list[Frame], tmp_path: Path
) -> None:
    write_trajectories(tmp_path / "t.xyz", {1: trajectory})
    mols = [Chem.MolFromSmiles("CCO"), Chem.MolFromSmiles("NC(=O)c1ccco1")]
    for given in (tmp_path / "t.xyz", str(tmp_path / "t.xyz"), {1: trajectory}):
        first, second = molecules(moldiff.view(mols, trajectory=given).html)
        assert "frames" not in first and len(second["frames"]) == len(trajectory)
    with pytest.raises(InputError, match="no denoising"):
        moldiff.view(mols, receptor="a.pdb", trajectory=tmp_path / "t.xyz")
    with pytest.raises(InputError, match="Cannot read the trajectory"):
        moldiff.view(mols, trajectory=tmp_path / "none.xyz")


def test_smiles_without_coordinates(make_record: Callable[..., Record]) -> None:
    mol = Chem.MolFromSmiles("C[N+](C)(C)CC(=O)[O-]")
    page = render_html([make_record(mol, "betaine", source="a.smi")], title="")
    card = molecules(page)[0]
    assert card["valid"] and "xyz" not in card and "<path" in card["svg"]
    assert card["formula"] == "C5H11NO2"


@pytest.mark.parametrize("smiles", ["", "[H][H]", "*", "[Na+].[Cl-]", "[2H]O[2H]", "[CH3]"])
def test_odd_molecules_are_data(smiles: str, make_record: Callable[..., Record]) -> None:
    mol = Chem.MolFromSmiles(smiles, sanitize=False)
    assert len(molecules(render_html([make_record(mol, "odd")], title=""))) == 1


def test_non_finite_coordinates_are_a_reason(make_record: Callable[..., Record]) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("C"))
    conformer = Chem.Conformer(5)
    conformer.Set3D(True)
    conformer.SetAtomPosition(0, (float("nan"), 0, 0))
    mol.AddConformer(conformer)
    card = molecules(render_html([make_record(mol, "nan")], title=""))[0]
    assert card["reason"] == "non-finite coordinates" and "xyz" not in card


def test_rendering_changes_no_molecule(records: list[Record]) -> None:
    before = [r.mol.ToBinary(Chem.PropertyPickleOptions.AllProps) for r in records if r.mol]
    render_html(records, title="")
    after = [r.mol.ToBinary(Chem.PropertyPickleOptions.AllProps) for r in records if r.mol]
    assert before == after


def test_the_limit_counts_what_it_leaves_out(records: list[Record]) -> None:
    data = json.loads(Page(render_html(iter(records), title="", limit=2)).data)
    assert len(data["molecules"]) == 2 and data["total"] == len(records)


def test_net_charge_is_the_callers_choice(make_record: Callable[..., Record]) -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("C[NH3+]"))
    record = make_record(mol, "cation")
    assert molecules(render_html([record], title=""))[0]["reason"] == "net charge +1"
    assert molecules(render_html([record], title="", net_charge=None))[0]["valid"]


def test_the_file_is_written_whole_or_not_at_all(tmp_path: Path, records: list[Record]) -> None:
    path = tmp_path / "m.html"
    write_html(path, records, title="t\udce9")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.html"]
    with pytest.raises(InputError, match="Cannot write"):
        write_html(tmp_path / "none" / "m.html", records, title="t")


def test_a_large_molecule_is_shown_without_a_drawing(
    make_record: Callable[..., Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    chains = [Chem.AddHs(Chem.MolFromSmiles("C" * k)) for k in (66, 67)]  # 200 and 203 atoms
    monkeypatch.setattr(
        "moldiff.view.card.drawing", lambda mol, problem, kept: Drawing("<svg></svg>", {})
    )
    small, large = molecules(
        render_html([make_record(mol, str(mol.GetNumAtoms())) for mol in chains], title="t")
    )
    assert small["svg"] and not small["undrawn"]
    assert large["svg"] is None and large["undrawn"] == "no drawing: 203 atoms, more than 200"


def test_the_stage_leaves_a_margin(text: str) -> None:
    factor = re.search(r"viewer\.zoomTo\(\);\s*viewer\.zoom\(([\d.]+)", text)
    assert factor is not None and float(factor[1]) < 1


def test_the_part_that_a_design_kept_is_marked() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("c1ccncc1CO"))
    kept = Record(mol, "grown", None, "", 0, {"kept_atoms": "1-6, 90"})
    card, marked = describe(kept, explicit=True, net_charge=0), drawing(mol, (), range(6))
    assert card["kept"] == [0, 1, 2, 3, 4, 5]
    assert marked is not None and card["svg"] == marked.svg and "f kept" in marked.svg
    assert describe(replace(kept, tags={}), explicit=True, net_charge=0)["kept"] == []


def test_each_file_has_an_id_of_its_own(records: list[Record]) -> None:
    """The browser keeps the favourites of a page under it."""

    def identity(shown: list[Record], title: str = "") -> str:
        return str(json.loads(Page(render_html(shown, title=title)).data)["id"])

    first = identity(records[:2])
    assert first and identity(records[:2], title="moved") == first
    others = {identity(records[2:4]), identity(records[1::-1]), identity(records[:1])}
    assert len(others) == 3 and first not in others, "stars are kept by number"
