"""Reading anybody's files, broken ones too; writing without half files."""

from __future__ import annotations

import errno
import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from moldiff.chem import reason_kind
from moldiff.errors import InputError
from moldiff.io import (
    READABLE,
    WRITABLE,
    Writer,
    molecule_stem,
    read_chunks,
    read_molecules,
    record_of,
    write,
)
from tests.molecules import embedded

SAMPLE = Path(__file__).parents[1] / "datasets" / "qm9" / "sample.sdf"

WATER = """water
  test

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1173 O   0  0
    0.0000    0.7572   -0.4692 H   0  0
    0.0000   -0.7572   -0.4692 H   0  0
  1  2  1  0
  1  3  1  0
M  END
>  <energy>
-76.4

>  <note>
two
lines

$$$$
"""
BROKEN = "broken\n\n\n  9  9  0\n rubbish\n$$$$\n"


def methyl() -> Chem.Mol:
    mol = Chem.RWMol(embedded("C"))
    mol.RemoveAtom(4)
    for atom in mol.GetAtoms():
        atom.SetNoImplicit(True)
    return mol.GetMol()


def put(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_sdf_keeps_hydrogens_names_and_tags(tmp_path: Path) -> None:
    (record,) = read_molecules(put(tmp_path / "a.sdf", WATER))
    assert record.mol is not None and record.mol.GetNumAtoms() == 3
    assert record.name == "water" and record.index == 0 and record.reason is None
    assert record.tags == {"energy": "-76.4", "note": "two\nlines"}
    assert record.source == str(tmp_path / "a.sdf")


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_sdf_newlines(tmp_path: Path, newline: str) -> None:
    text = (WATER * 2).replace("\n", newline)
    records = list(read_molecules(put(tmp_path / "a.sdf", text)))
    assert [r.name for r in records] == ["water", "water"]
    assert all(r.mol is not None and r.tags["energy"] == "-76.4" for r in records)


def test_broken_record_in_the_middle(tmp_path: Path) -> None:
    records = list(read_molecules(put(tmp_path / "a.sdf", WATER + BROKEN + WATER)))
    assert [r.mol is None for r in records] == [False, True, False]
    assert [r.index for r in records] == [0, 1, 2]
    assert records[1].name == "broken" and "9 atoms" in str(records[1].reason)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        ("a\n$$$$\n", "fewer than 4 lines"),
        ("a\n\n\nhello\n$$$$\n", "no counts line"),
        (WATER.replace("    0.0000    0.7572", "       nan    0.7572"), "non-finite"),
        (WATER.replace(" O ", " Qq"), "unknown element: atom 1"),
        (WATER.replace("  1  2  1", "  1  7  1"), "cannot parse"),
        (WATER.replace("$$$$\n", "") + WATER, "$$$$"),
    ],
)
def test_reasons(tmp_path: Path, block: str, reason: str) -> None:
    records = list(read_molecules(put(tmp_path / "a.sdf", block + WATER)))
    assert any(reason in str(r.reason) for r in records)
    assert records[-1].mol is not None


def test_binary_garbage_and_truncation_are_records(tmp_path: Path) -> None:
    garbage = os.urandom(4096).replace(b"$", b"#")
    (record,) = read_molecules(put(tmp_path / "g.sdf", b"x" + garbage))
    assert record.mol is None and record.reason
    first, second = read_molecules(put(tmp_path / "t.sdf", WATER + WATER[:150]))
    assert first.mol is not None and second.mol is None


def test_gzip_whole_truncated_and_false(tmp_path: Path) -> None:
    packed = gzip.compress((WATER * 200 + "x" * 5000).encode(), 0)
    whole = put(tmp_path / "a.sdf.gz", gzip.compress(WATER.encode()))
    assert len(list(read_molecules(whole))) == 1
    records = list(read_molecules(put(tmp_path / "b.sdf.gz", packed[: len(packed) // 2])))
    assert records[0].mol is not None and "gzip" in str(records[-1].reason)
    with pytest.raises(InputError, match="not a gzip"):
        read_molecules(put(tmp_path / "c.sdf.gz", WATER))


@pytest.mark.parametrize("suffix", READABLE)
def test_empty_files(tmp_path: Path, suffix: str) -> None:
    if suffix == ".json":
        (record,) = read_molecules(put(tmp_path / "a.json", ""))
        assert record.mol is None
        return
    with pytest.raises(InputError, match="no molecules"):
        list(read_molecules(put(tmp_path / f"a{suffix}", "\n \n")))


def test_tables_of_smiles(tmp_path: Path) -> None:
    text = '\ufeffID;Smiles;gap;note\nm 1;CCO;7;"two\nlines; here"\n\n;C1CC(;;\n;;;\nlast;C'
    records = list(read_molecules(put(tmp_path / "a.csv", text)))
    assert [r.name for r in records] == ["m 1", "", "", "last"]
    assert records[0].tags == {"gap": "7", "note": "two\nlines; here"}
    assert [r.reason for r in records] == [
        None,
        "not SMILES: 'C1CC('",
        "no SMILES in this row",
        None,
    ]
    assert records[0].mol is not None and records[0].mol.GetNumAtoms() == 9
    with pytest.raises(InputError, match=r"b\.csv.*no column 'smiles'; its columns are: a, b"):
        list(read_molecules(put(tmp_path / "b.csv", "a,b\n1,2\n")))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "Catalog ID\tgap\tSMILES\nÉthanol 1\t7\tCCO\n"),
        ("a.smi", "SMILES gap name\n# none\nCCO 7 Éthanol 1\n"),
        ("a.txt", "smiles;gap;idnumber\nCCO;7;Éthanol 1\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_tables_of_other_programs(tmp_path: Path, name: str, text: str, encoding: str) -> None:
    (tmp_path / name).write_bytes(text.encode(encoding))
    (record,) = read_molecules(tmp_path / name)
    assert record.mol is not None and record.name == "Éthanol 1" and record.tags == {"gap": "7"}
    assert set(record.cells.values()) == {"CCO", "7", "Éthanol 1"}


def test_what_only_looks_like_a_table(tmp_path: Path) -> None:
    records = list(read_molecules(put(tmp_path / "a.smi", "CCO structure\nCC(O)F |o1:1| x y\n")))
    assert [r.name for r in records] == ["structure", "x y"]
    mol = records[1].mol
    assert mol is not None and mol.GetNumAtoms() == 9
    rows = list(read_molecules(put(tmp_path / "a.csv", 'smiles,name\nCCO,2"-x\nCCN,y\n')))
    assert [r.name for r in rows] == ['2"-x', "y"]  # a mark within a value opens none
    (bad,) = read_molecules(put(tmp_path / "b.csv", f"smiles,name\nC,{'x' * 200_000}\n"))
    assert bad.mol is None and "not a row" in str(bad.reason)


def test_request_errors_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        read_molecules(tmp_path / "missing.sdf")
    with pytest.raises(InputError, match="Did you mean"):
        read_molecules(put(tmp_path / "a.sdff", WATER))
    (tmp_path / "d.sdf").mkdir()
    with pytest.raises(InputError, match="not a file"):
        read_molecules(tmp_path / "d.sdf")


def test_xyz_frames(tmp_path: Path) -> None:
    frame = "3\nwater\nO 0 0 0.117\nh 0 0.757 -0.469\n1 0 -0.757 -0.469\n"
    wrong = "4\nshort\nO 0 0 0\nH 0 0 1\n"
    more = "1\nlong\nO 0 0 0\nH 0 0 1\n"
    bad = "1\nelement\nXx 0 0 0\n1\nnumber\nO 0 0 zero\n1\nnan\nO nan 0 0\n"
    path = put(tmp_path / "a.xyz", frame + wrong + "\n" + more + frame + bad + "\njunk\n" + frame)
    records = list(read_molecules(path))
    names = [r.name for r in records]
    assert names == ["water", "short", "long", "water", "element", "number", "nan", "", "water"]
    good = {k for k, record in enumerate(records) if record.mol is not None}
    assert good == {0, 3, 6, 8}
    mol = records[0].mol
    assert mol is not None and mol.GetNumBonds() == 0 and mol.GetConformer().Is3D()
    assert [a.GetSymbol() for a in mol.GetAtoms()] == ["O", "H", "H"]


def test_xyz_with_absurd_numbers(tmp_path: Path) -> None:
    digits, frame = "1" * 5000, "1\ngood\nO 0 0 0\n"
    path = put(tmp_path / "a.xyz", f"{digits}\nx\nO 0 0 0\n{frame}1\nbad\n{digits} 0 0 0\n{frame}")
    records = list(read_molecules(path))
    assert [r.mol is None for r in records] == [True, False, True, False]
    assert "atom count" in str(records[0].reason) and "unknown element" in str(records[2].reason)


def test_smiles(tmp_path: Path) -> None:
    text = "SMILES name\nCCO ethanol here\n\n# comment\nnot_smiles x\nC(C)(C)(C)(C)C bad\n"
    good, broken, invalid = read_molecules(put(tmp_path / "a.smi", text))
    assert good.name == "ethanol here" and good.mol is not None and good.mol.GetNumAtoms() == 9
    assert broken.mol is None and "SMILES" in str(broken.reason)
    assert invalid.mol is not None  # a molecule to be judged, not a broken record


def test_mol2(tmp_path: Path) -> None:
    block = (
        "@<TRIPOS>MOLECULE\nwater\n 3 2 1 0 0\nSMALL\nNO_CHARGES\n\n@<TRIPOS>ATOM\n"
        " 1 O 0.0 0.0 0.117 O.3 1 W 0.0\n 2 H1 0.0 0.757 -0.469 H 1 W 0.0\n"
        " 3 H2 0.0 -0.757 -0.469 H 1 W 0.0\n@<TRIPOS>BOND\n 1 1 2 1\n 2 1 3 1\n"
    )
    broken = "@<TRIPOS>MOLECULE\nrubbish\n"
    records = list(read_molecules(put(tmp_path / "a.mol2", block + broken + block)))
    assert [r.name for r in records] == ["water", "rubbish", "water"]
    assert [r.mol is None for r in records] == [False, True, False]


@pytest.mark.parametrize("suffix", WRITABLE)
def test_write_and_read_back(tmp_path: Path, suffix: str) -> None:
    mols = [r.mol for r in read_molecules(SAMPLE) if r.mol is not None]
    mols += [embedded("C[N+](C)(C)CC(=O)[O-]"), embedded("c1ccc2[nH]ccc2c1")]
    path = tmp_path / f"out{suffix}"
    before, tags = [m.ToBinary() for m in mols], {"seed": 3, "<a>": "x\n\ny"}
    assert write([record_of(m, tags=tags) for m in mols], path) == len(mols)
    assert [m.ToBinary() for m in mols] == before
    again = [r.mol for r in read_molecules(path)]
    assert [m is not None and m.GetNumAtoms() for m in again] == [m.GetNumAtoms() for m in mols]
    if suffix in (".sdf", ".json"):
        record = next(iter(read_molecules(path)))
        assert record.tags["seed"] == "3"
        for a, b in zip(mols, again, strict=True):
            assert b is not None
            assert Chem.MolToSmiles(Chem.RemoveHs(clean(a))) == Chem.MolToSmiles(
                Chem.RemoveHs(clean(b))
            )
            gap = a.GetConformer().GetPositions() - b.GetConformer().GetPositions()
            assert np.abs(gap).max() < 1e-4


def clean(mol: Chem.Mol) -> Chem.Mol:
    copy = Chem.Mol(mol)
    Chem.SanitizeMol(copy)
    Chem.RemoveStereochemistry(copy)
    return copy


def hopeless() -> dict[str, Chem.Mol]:
    nan = embedded("C")
    nan.GetConformer().SetAtomPosition(0, (math.nan, 0.0, 0.0))
    over = Chem.RWMol(embedded("C"))
    over.AddBond(1, 2, Chem.BondType.TRIPLE)
    ring = Chem.MolFromSmiles("c1cccc1", sanitize=False)
    return {
        "empty": Chem.Mol(),
        "nan": nan,
        "over": over.GetMol(),
        "aromatic": ring,
        "radical": methyl(),
    }


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize("kind", list(hopeless()))
def test_hopeless_molecules_can_be_written(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"out{suffix}"
    assert write([hopeless()[kind], embedded("O")], path) == 2
    if suffix != ".smi":  # an empty molecule has an empty SMILES
        assert len(list(read_molecules(path))) == 2


def test_a_radical_stays_one_in_sdf(tmp_path: Path) -> None:
    write(methyl(), tmp_path / "a.sdf")
    (record,) = read_molecules(tmp_path / "a.sdf")
    assert record.mol is not None
    copy = Chem.Mol(record.mol)
    Chem.SanitizeMol(copy)
    assert copy.GetAtomWithIdx(0).GetTotalNumHs(includeNeighbors=True) == 3


def test_json_is_strict_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write(record_of(hopeless()["nan"], tags={"k": "v"}), path)
    (entry,) = json.loads(path.read_text(), parse_constant=pytest.fail)
    keys = {"name", "smiles", "elements", "charges", "bonds", "positions", "tags"}
    assert set(entry) == keys and entry["positions"][0][0] is None
    write([], path)
    assert json.loads(path.read_text()) == []


def test_half_a_surrogate_pair_in_json_can_be_written(tmp_path: Path) -> None:
    molecule = {"elements": ["O"], "charges": [0], "bonds": []}
    entry = {**molecule, "name": "a\ud800b", "tags": {"\udfff": "\ud800", "emoji": "\ud83d\ude00"}}
    (record,) = read_molecules(put(tmp_path / "a.json", json.dumps(entry)))
    assert record.name == "a?b" and record.tags == {"?": "?", "emoji": "\U0001f600"}
    for suffix in WRITABLE:
        assert write(record, tmp_path / f"out{suffix}") == 1


def test_bad_json(tmp_path: Path) -> None:
    for text in (
        "{",
        "[1]",
        '[{"elements": ["C"]}]',
        '[{"elements": ["C"], "bonds": [[0, 9, 1]]}]',
        '[{"elements": ["C", "C"], "charges": [0], "bonds": []}]',
        '[{"elements": ["C"], "charges": [0], "bonds": [], "tags": [1]}]',
        '[{"elements": ["C", "C"], "charges": [0, 0], "bonds": [[0, 1, -1]]}]',
        f"[{'9' * 5000}]",
        "[" * 200_000 + "]" * 200_000,
    ):
        (record,) = read_molecules(put(tmp_path / "a.json", text))
        assert record.mol is None and record.reason


@pytest.mark.parametrize(
    "changes",
    [
        {"bonds": [[0, 0, 1]]},
        {"bonds": [[0, 1, 1], [1, 0, 2]]},
        {"bonds": [[0, 2, 1]]},
        {"bonds": [[0.0, 1, 1]]},
        {"elements": ["C", "Qq"]},
        {"elements": [-6, "C"]},
        {"elements": "CC"},
        {"charges": [0, 1000]},
        {"positions": [[0, 0, 0], [1, 0]]},
    ],
)
def test_bad_json_never_reaches_rdkit(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], changes: dict[str, list[object]]
) -> None:
    entry = {"elements": ["C", "C"], "charges": [0, 0], "bonds": [[0, 1, 1]]} | changes
    (record,) = read_molecules(put(tmp_path / "a.json", json.dumps([entry])))
    assert record.mol is None and "not a molecule" in str(record.reason)
    assert capfd.readouterr().err == ""


def test_a_report_is_no_molecule_file(tmp_path: Path) -> None:
    (record,) = read_molecules(put(tmp_path / "a.json", '{"schema": "moldiff.evaluation"}'))
    assert record.mol is None and "this is a report" in str(record.reason)


def test_reasons_can_be_counted_and_printed(tmp_path: Path) -> None:
    evil = "\x1b]0;evil\x07"
    xyz = f"1\na\n{evil} 0 0 0\n2\nb\nO 0 0 0\n1\nc\nO 0 {evil} 0\n\n{evil}\n"
    reasons = [str(r.reason) for r in read_molecules(put(tmp_path / "a.xyz", xyz))]
    reasons += [str(r.reason) for r in read_molecules(put(tmp_path / "a.smi", f"{evil} x\n"))]
    kinds = [reason_kind(reason) for reason in reasons]
    assert kinds == [
        "unknown element",
        "wrong atom count",
        "bad coordinates",
        "not XYZ",
        "not SMILES",
    ]
    assert all(reason.isprintable() and reason.isascii() for reason in reasons)


def test_only_the_format_is_cut_from_a_name() -> None:
    cases = {"my.1.sdf": "my.1", "d/my.2.SDF.gz": "my.2", "my.sdf": "my", ".sdf": ".sdf"}
    assert {path: molecule_stem(path) for path in cases} == cases


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="shorter name"):
        write([], tmp_path / ("x" * 245 + ".sdf"))


def test_write_refuses(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown format"):
        write([], tmp_path / "a.pdb")
    with pytest.raises(InputError, match="regular file"):
        write([], tmp_path, "sdf")
    with pytest.raises(InputError, match="nowhere"):
        write(embedded("C"), tmp_path / "nowhere" / "a.sdf")
    with pytest.raises(InputError, match="regular file"):
        write([], "/dev/full", "sdf")


def test_failure_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = put(tmp_path / "a.sdf", "old")

    def molecules():
        yield embedded("C")
        raise RuntimeError("model fell over")

    with pytest.raises(RuntimeError):
        write(molecules(), path)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.sdf"]


@pytest.mark.parametrize("suffix", WRITABLE)
def test_ctrl_c_keeps_what_is_complete(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(KeyboardInterrupt), Writer(path) as writer:
        for smiles in ("C", "CC"):
            writer.write(embedded(smiles), name=smiles)
        raise KeyboardInterrupt
    assert len(list(read_molecules(path))) == 2 and os.listdir(tmp_path) == [path.name]
    with pytest.raises(KeyboardInterrupt), Writer(tmp_path / f"none{suffix}"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".sdf", ".json"])
def test_full_disk_keeps_what_is_complete(tmp_path: Path, suffix: str, monkeypatch) -> None:
    path = tmp_path / f"a{suffix}"
    with pytest.raises(InputError, match=r"No space left.*2 molecules"), Writer(path) as writer:
        writer.write(embedded("C"))
        writer.write(embedded("CC"))
        real = writer._stream
        state = {"full": True}

        class Full:
            def __getattr__(self, name):
                return getattr(real, name)

            def write(self, data):
                if state.pop("full", False):
                    real.write(bytes(data)[:10])
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real.write(data)

        writer._stream = Full()
        writer.write(embedded("CCC"))
    assert [r.mol is not None for r in read_molecules(path)] == [True, True]
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", WRITABLE)
def test_a_name_of_several_lines_becomes_one(tmp_path: Path, suffix: str) -> None:
    with Writer(tmp_path / f"a{suffix}") as writer:
        writer.write(embedded("CO"), name="two\nlines\t of it")
    (record,) = read_molecules(tmp_path / f"a{suffix}")
    assert record.mol is not None and record.mol.GetNumAtoms() == 6
    assert record.name in ("two lines of it", "")  # some formats keep no names


def test_links_are_followed(tmp_path: Path) -> None:
    target = put(tmp_path / "real.sdf", "old")
    (tmp_path / "link.sdf").symlink_to(target)
    write(embedded("C"), tmp_path / "link.sdf")
    assert (tmp_path / "link.sdf").is_symlink() and "M  END" in target.read_text()


@pytest.mark.parametrize("records", [1, 2, 7])
def test_chunks_hold_the_same_records(tmp_path: Path, records: int) -> None:
    """Parsed apart, in whatever chunks: what `read_molecules` gives, the damage at the end too."""
    text = (WATER + BROKEN + WATER.replace("$$$$\n", "") + WATER) * 5
    packed = gzip.compress((text + "x" * 5000).encode(), 0)
    for path in (
        put(tmp_path / "a.sdf", text),
        put(tmp_path / "b.sdf.gz", gzip.compress(text.encode())),
        put(tmp_path / "c.sdf.gz", packed[: len(packed) // 2]),
        put(tmp_path / "d.xyz", "1\nhelium\nHe 0 0 0\nrubbish\nmore\n1\nneon\nNe 0 0 0\n"),
    ):
        whole = [(r.name, r.reason, r.tags) for r in read_molecules(path)]
        chunks = list(read_chunks(path, records))
        apart = [(p.name, p.reason, p.tags) for chunk in chunks for p in chunk.parse()]
        assert apart == whole
        assert all(len(chunk.blocks) == records for chunk in chunks[:-1])
        assert sum(chunk.size for chunk in chunks) == path.stat().st_size
