"""From files to a report: schema, table, kinds of input, versions."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

import moldiff.metrics
from moldiff.chem.validity import canonical_smiles
from moldiff.errors import InputError
from moldiff.io import Record, read_molecules, write
from moldiff.io.seal import molecule_digest
from moldiff.metrics import METRICS, Reference, Settings, samples
from moldiff.metrics.build import with_inferred
from moldiff.metrics.comparison import Comparison
from moldiff.metrics.evaluation import Report, evaluate
from moldiff.metrics.show import title
from tests.molecules import embedded

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
SCHEMA = json.loads((Path(moldiff.metrics.__file__).parent / "schema.json").read_text("utf-8"))

_TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip


def conforms(data: object, schema: dict, path: str = "$") -> None:
    """The part of JSON Schema that our schema uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].split("/")[-1]]
    kinds = schema.get("type", list(_TYPES))
    kinds = [kinds] if isinstance(kinds, str) else kinds
    assert isinstance(data, tuple(_TYPES[k] for k in kinds)) and not isinstance(data, bool), path
    assert data in schema.get("enum", [data]), path
    if isinstance(data, int | float):
        assert data >= schema.get("minimum", data), path
    for k, item in enumerate(data if isinstance(data, list) else []):
        conforms(item, schema.get("items", {}), f"{path}[{k}]")
    if isinstance(data, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties", True)
        assert set(schema.get("required", [])) <= set(data), path
        for key, value in data.items():
            assert key in known or other is not False, f"{path}.{key}"
            conforms(
                value, known.get(key, other if isinstance(other, dict) else {}), f"{path}.{key}"
            )


@pytest.fixture(scope="module")
def report() -> Report:
    return evaluate(SAMPLE, posebusters=2, relax=12, xtb=3, bands=[(1, 4), (5, 9)])


def test_json_follows_its_schema(report: Report) -> None:
    data = json.loads(report.to_json(), parse_constant=pytest.fail)
    conforms(data, SCHEMA)
    assert set(data["metrics"]) == set(METRICS) and data["n"] == report.n > 40
    assert list(data["bands"]) == ["1-4", "5-9"]
    assert set(data["protocols"]) == {name.split(".")[0] for name in METRICS}
    assert set(data["protocols"]) == set(
        SCHEMA["properties"]["metrics"]["additionalProperties"]["properties"]["protocol"]["enum"]
    )
    assert data["settings"]["xtb"] == 3 and data["metrics"]["xtb.drop_median"]["data"]["n"] >= 100
    assert data["reference"]["name"] == "qm9" and data["versions"]["rdkit"]
    assert data["metrics"]["graph.strict_validity"]["data"]["value"] > 0.99
    assert data["sources"] == [str(SAMPLE)] and data["bonds"]["given"] == data["n"]
    assert set(SCHEMA["properties"]["metrics"]["additionalProperties"]["properties"]) == set(
        data["metrics"]["graph.validity"]
    )


def test_every_molecule_has_a_row_of_what_was_measured(report: Report) -> None:
    pytest.importorskip("posebusters", reason="PoseBusters is not installed (extra eval)")
    rows = report.molecules
    mols = [record.mol for record in read_molecules(SAMPLE)]
    assert [row["number"] for row in rows] == list(range(1, report.n + 1))
    assert [row["digest"] for row in rows] == [molecule_digest(mol) for mol in mols]
    assert sum(row["posebusters"] is not None for row in rows) == 2
    drops = [row["mmff94_drop"] for row in rows if row["mmff94_drop"] is not None]
    assert len(drops) == 12
    assert np.median(drops) == pytest.approx(
        report.values["relaxation.drop_median"].value, abs=1e-3
    )
    assert sum(row["xtb_drop"] is not None for row in rows) <= 3
    unasked = next(row for row in rows if row["posebusters"] is None)
    assert "PoseBusters: not among the molecules measured" in str(unasked["notes"])
    same = {row["number"]: canonical_smiles(mol) for row, mol in zip(rows, mols, strict=True)}
    new = len({same[row["number"]] for row in rows if row["novel"] == "yes"})
    distinct = len(set(same.values()))
    assert new / distinct == pytest.approx(report.values["graph.novelty"].value)
    assert {row["reference"] for row in rows} == {"qm9"}
    assert report.to_csv().count("\n") == report.n + 1
    assert report.to_csv().startswith("number,name,source,digest,smiles,strictly_valid,reason,")


def test_a_report_is_saved_and_is_a_data_frame(report: Report, tmp_path: Path) -> None:
    frame = report.to_frame()
    assert len(frame) == report.n and {"smiles", "strictly_valid", "reason"} <= set(frame)
    assert report.save(tmp_path / "a.csv").read_text() == report.to_csv()
    assert json.loads(report.save(tmp_path / "a.json").read_text()) == report.to_dict()
    with pytest.raises(InputError, match=r"\.csv"):
        report.save(tmp_path / "a.xlsx")


def test_rows_have_stereo_and_copies_are_compared_without() -> None:
    pair = ["C[C@@H](O)c1ccccc1", "C[C@H](O)c1ccccc1"]
    rows = evaluate([embedded(smiles) for smiles in pair], reference=None, xtb=0, relax=0).molecules
    assert [row["smiles"] for row in rows] == pair
    assert [row["copies"] for row in rows] == [2, 2]


def test_a_broken_record_has_a_row_with_its_reason() -> None:
    methanol = Chem.MolFromSmiles("CO")
    records = [
        Record(None, "lost", "line 4 is no counts line", "a.sdf", 0),
        Record(methanol, "flat", None, "a.sdf", 1),
        Record(methanol, "twice", None, "a.sdf", 2),
    ]
    report = evaluate(records, reference=None, xtb=0)
    lost, flat, twice = report.molecules
    assert (lost["digest"], lost["strictly_valid"]) == (None, "no")
    assert lost["reason"] == "line 4 is no counts line" and lost["copies"] is None
    assert flat["copies"] == twice["copies"] == 2 and flat["digest"] == twice["digest"]
    assert flat["novel"] is None and flat["mmff94_drop"] is None
    assert "MMFF94: no three-dimensional coordinates" in str(flat["notes"])


def test_a_notebook_shows_the_tables(report: Report) -> None:
    page = report._repr_html_()
    assert page.startswith("<pre>") and "strictly valid" in page and "Relaxation" in page
    assert repr(report).startswith(f"<Report of {report.n} molecules, ") and len(repr(report)) < 80


def test_subsets_stand_in_json_and_table(report: Report) -> None:
    own = report.to_dict()["details"]["relaxation"]
    assert own["drop_median.mean"]["n"] == 12 and own["angle_change.deviation"]["value"] > 0
    lines = [line for line in shown(as_if(100, report)).split("\n") if "over five subsets" in line]
    assert len(lines) == 6 and all(line.count("±") == 2 for line in lines)  # beside the data's


def as_if(n: int, report: Report) -> Report:
    """A report whose distances and MMFF94 energies are said to be of n molecules."""
    values = {
        name: replace(value, n=n) if name == "distributions.atom_count" else value
        for name, value in report.values.items()
    }
    own = {name: replace(value, n=n) for name, value in report.details["relaxation"].items()}
    details = {"relaxation": own, "distributions": report.details["distributions"]}
    return replace(report, values=values, details=details)


def test_what_few_molecules_do_not_carry_is_left_out_of_tables(report: Report) -> None:
    """Distances have no interval; five subsets need 20 molecules each."""
    distances = [m for name, m in METRICS.items() if m.protocol == "distributions"]
    labels = [f"│   {title(metric.label, metric.unit)} {'':9}" for metric in distances]
    few, many = shown(as_if(99, report)), shown(as_if(100, report))
    assert all(label in many for label in labels) and not any(label in few for label in labels)
    assert "left out" not in many and "±" in many and "±" not in few
    assert "G. Distributions (Wasserstein-1): left out of fewer than 100 molecules" in few
    assert "over five subsets: left out where these have fewer than 20 molecules" in few
    assert report.n < 100 and report.to_dict()["metrics"]["distributions.atom_count"]["n"] < 100
    pair = {"few": as_if(99, report), "many": as_if(100, report)}
    assert {row["set"] for row in Comparison(pair).rows() if "atom_count" in row["metric"]} == {
        *pair
    }
    (row,) = [row for row in Comparison(pair).table() if row[0] == "bond lengths by type, Å"]
    assert row[1] == "–" and float(row[2]) > 0
    for text in (str(Comparison(pair)), Comparison(pair)._repr_html_()):
        assert "left out of fewer than 100 molecules" in text
    assert "left out" not in str(Comparison({"many": pair["many"]}))


def test_schema_check_can_fail(report: Report) -> None:
    data = report.to_dict()
    with pytest.raises(AssertionError):
        conforms({**data, "extra": 1}, SCHEMA)
    with pytest.raises(AssertionError):
        conforms({**data, "n": "3"}, SCHEMA)


def shown(report: Report) -> str:
    from rich.console import Console

    console = Console(width=140, record=True, file=io.StringIO())
    console.print(report.table())
    return console.export_text()


def test_table_shows_every_metric_beside_the_data(report: Report) -> None:
    pytest.importorskip("posebusters", reason="PoseBusters is not installed (extra eval)")
    text = shown(as_if(100, report))
    for metric in METRICS.values():
        assert metric.label in text
    for part in (
        "F. Relaxation with GFN2-xTB",
        "A. EDM look-up",
        "B. Predicted graph",
        "data",
        "95 %",
        "rdkit",
    ):
        assert part in text


def test_xyz_has_its_bonds_inferred_and_says_so(tmp_path: Path) -> None:
    mols = [r.mol for r in read_molecules(SAMPLE) if r.mol is not None]
    write(mols, tmp_path / "a.xyz")
    report = evaluate(tmp_path / "a.xyz", posebusters=0, relax=0, xtb=0)
    assert report.bonds["inferred"] == len(mols)
    assert any("bonds: inferred" in warning for warning in report.warnings)
    assert report.values["graph.strict_validity"].value == 1.0
    both = evaluate(mols, posebusters=0, relax=0, xtb=0)
    key = "lookup.molecule_stability"
    assert report.values[key].value == pytest.approx(both.values[key].value, abs=0.05)
    assert report.values["posebusters.pass_rate"].reason
    conforms(report.to_dict(), SCHEMA)


def test_the_data_of_a_file_without_bonds_had_its_bonds_inferred(tmp_path: Path) -> None:
    mols = [r.mol for r in read_molecules(SAMPLE) if r.mol is not None][:12]
    reference = with_inferred(Reference.load("qm9"), samples(mols), Settings(0, 0, 0))
    reference.save(tmp_path)
    reference = Reference.load("qm9", tmp_path)
    write(mols, tmp_path / "a.xyz")
    off = {"posebusters": 0, "relax": 0, "xtb": 0}
    bare = evaluate(tmp_path / "a.xyz", reference=reference, **off).to_dict()
    given = evaluate(mols, reference=reference, **off).to_dict()
    name = "graph.strict_validity"
    assert bare["metrics"][name]["data"]["n"] == 12  # as in the file, and measured alike
    assert bare["metrics"][name]["data"]["value"] == bare["metrics"][name]["value"] == 1.0
    assert given["metrics"][name]["data"]["n"] == 10_000
    assert "bonds inferred" in bare["reference"]["row"]
    assert "bonds inferred" not in given["reference"]["row"]


def test_smiles_have_no_geometry(tmp_path: Path) -> None:
    pytest.importorskip("posebusters", reason="PoseBusters is not installed (extra eval)")
    (tmp_path / "a.smi").write_text("CCO a\nC1CC1 b\nnonsense c\n")
    report = evaluate([tmp_path / "a.smi"])
    assert report.n == 3 and report.values["graph.strict_validity"].value == pytest.approx(2 / 3)
    for name in ("lookup.validity", "posebusters.pass_rate", "relaxation.drop_mean"):
        assert report.values[name].reason == "no three-dimensional coordinates"
    conforms(report.to_dict(), SCHEMA)


def test_mixed_input_and_no_reference(tmp_path: Path) -> None:
    records = list(read_molecules(SAMPLE))[:5]
    report = evaluate(
        [SAMPLE, *records, records[0].mol, None], reference=None, posebusters=0, relax=0, xtb=0
    )
    assert report.n == len(list(read_molecules(SAMPLE))) + 7
    assert report.values["graph.novelty"].reason == "no reference"
    assert report.to_dict()["reference"] is None
    conforms(report.to_dict(), SCHEMA)
    text = shown(report)
    assert "D. PoseBusters" in text and "F. Relaxation with GFN2-xTB" in text
    assert METRICS["xtb.drop_median"].label not in text, "of what was not asked for, the title"
    with pytest.raises(InputError, match="no molecules to evaluate"):
        evaluate([], posebusters=0)


def test_unsanitised_bad_molecules_do_not_stop_it() -> None:
    mols = [Chem.MolFromSmiles(s, sanitize=False) for s in ("C(C)(C)(C)(C)C", "c1cccc1", "")]
    report = evaluate(mols, posebusters=None, relax=None)
    assert report.values["graph.validity"].value == 0
    assert report.failures["graph"]["valence"] == 1


def test_warns_of_another_rdkit() -> None:
    known = Reference.load("qm9")
    other = replace(known, info={**known.info, "rdkit": "2020.03.1"})
    report = evaluate(SAMPLE, reference=other, posebusters=0, relax=0, xtb=0)
    assert any("2020.03.1" in warning for warning in report.warnings)


def test_progress_and_bad_requests() -> None:
    seen: list[tuple[str, int, int]] = []
    evaluate(SAMPLE, posebusters=0, relax=2, xtb=0, progress=lambda *step: seen.append(step))
    assert {step[0] for step in seen} == {
        "look-up", "graph", "corrected valences", "relaxation", "distributions", "composition",
    }  # fmt: skip
    assert all(done <= total for _, done, total in seen)
    with pytest.raises(InputError):
        evaluate("missing.sdf")
    with pytest.raises(InputError, match="'qm8'"):
        evaluate(SAMPLE, reference="qm8")


def test_provenance_comes_from_the_tags() -> None:
    tags = {"model": "tiny 1a2b", "seed": "3", "sampling": '{"steps":4}', "SMILES": "C"}
    mol = Chem.MolFromSmiles("C")
    records = [Record(mol, "", None, "a.sdf", k, {**tags, "steps": str(k)}) for k in range(9)]
    data = evaluate([*records, mol], reference=None, posebusters=0, relax=0, xtb=0).to_dict()
    conforms(data, SCHEMA)
    assert data["provenance"] == {
        "model": ["tiny 1a2b"],
        "seed": ["3"],
        "steps": ["0", "1", "2", "3", "4"],
        "sampling": ['{"steps":4}'],
    }
    assert data["schema_version"] == 1


def test_the_processor_is_named(report: Report) -> None:
    assert report.versions["cpu"]
