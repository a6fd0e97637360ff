"""Gaps built by other programs: how they are run, and how what they build is judged."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path
from shutil import which

import numpy as np
import pytest

from moldiff.benchmark.gaps import peers
from moldiff.benchmark.gaps.identity import GROUPS, closest, covering, group_of
from moldiff.benchmark.gaps.judge import Chain, Judged, judge
from moldiff.benchmark.gaps.methods import Attempt, Settings, attempts
from moldiff.benchmark.gaps.peers import PEERS, names_of
from moldiff.benchmark.gaps.report import HEADER, failures, recorded, rows
from moldiff.cli import main
from moldiff.completion.trials import Cut, Trial
from moldiff.data.backbones import BackboneStore
from moldiff.errors import InputError, MoldiffError
from moldiff.model import Model
from moldiff.protein.backbone import LETTERS, UNKNOWN, Backbone
from moldiff.protein.write import SideAtom, backbone_pdb
from tests.backbones import HELIX, of_torsions, placed, write_backbones
from tests.contracts.conftest import DOMAINS

START, LENGTH = 20, 4
FIXER = PEERS["pdbfixer"]


def cut_of(*, cis: tuple[int, ...] = (), letters: str = "A" * 40) -> Cut:
    """A gap in a helix, whose residues follow a cis bond where told."""
    atoms = of_torsions([HELIX] * len(letters), cis=cis)
    types = np.array([LETTERS.find(one) if one != "X" else UNKNOWN for one in letters], np.int8)
    return Cut(7, Backbone(atoms, types, np.ones(len(letters), bool)), START, LENGTH)


def betas(cut: Cut, turned: tuple[int, ...] = ()) -> np.ndarray:
    """C-beta of all residues by their torsion N-C-CA-CB, which has the other sign in D ones."""
    atoms = cut.chain.atoms.astype(float)
    return np.array(
        [
            placed(n, c, ca, 1.53, 110.1, -122.5 if k in turned else 122.5)
            for k, (n, ca, c, _) in enumerate(atoms)
        ]
    )


def chain_of(cut: Cut, turned: tuple[int, ...] = ()) -> Chain:
    return Chain(cut.chain.atoms.astype(float), betas(cut, turned))


def answer(cut: Cut, path: Path, turned: tuple[int, ...] = ()) -> Path:
    """A PDB file of the whole chain, as a program would write it."""
    beta = betas(cut, turned)
    sides = {k: [SideAtom("CB", "C", tuple(x))] for k, x in enumerate(beta.tolist())}
    path.write_text(backbone_pdb(cut.chain.atoms, names_of(cut), sides=sides))
    return path


def python(path: Path, body: str) -> str:
    """A fake interpreter, which runs ``body`` where it is given a gap."""
    head = "import sys, time\nfrom pathlib import Path\n"
    head += "if len(sys.argv) < 3:\n    raise SystemExit(0)\n"
    head += "source, output, sequence = sys.argv[2:5]\n"
    path.write_text(f"#!{sys.executable}\n{head}{body}\n")
    path.chmod(0o755)
    return str(path)


def copying(answer: Path) -> str:
    return f"Path(output).write_text(Path({str(answer)!r}).read_text())"


def test_the_structure_itself_has_no_fault() -> None:
    cut = cut_of()
    found = judge(chain_of(cut), cut)
    assert found.rmsd == 0 and found.closed and found.bond < 1e-4
    assert (found.turned, found.handed, found.cis, found.peptides) == (0, 4, 0, 5)
    assert (found.clashes, found.moved) == (0, 0)


def test_d_residues_are_counted_where_there_is_a_c_beta() -> None:
    cut = cut_of(letters="A" * 21 + "G" + "A" * 18)
    turned = (3, 20, 21, 22)  # 3 was given, and 21 is a glycine
    found = judge(chain_of(cut, turned), cut)
    assert (found.turned, found.handed) == (2, 3)
    beta = betas(cut, turned)
    beta[20] = np.nan
    found = judge(Chain(cut.chain.atoms.astype(float), beta), cut)
    assert (found.turned, found.handed) == (1, 2)


@pytest.mark.parametrize(("place", "count"), [(20, 1), (22, 1), (24, 1), (25, 0), (19, 0)])
def test_cis_peptides_are_counted_from_anchor_to_anchor(place: int, count: int) -> None:
    cut = cut_of(cis=(place,))
    assert judge(chain_of(cut), cut).cis == count
    proline = cut_of(cis=(place,), letters="A" * place + "P" + "A" * (39 - place))
    found = judge(chain_of(proline), proline)
    assert found.cis == 0 and found.peptides == 5 - count


def test_distance_bonds_and_what_moved() -> None:
    cut = cut_of()
    built = chain_of(cut)
    built.atoms[cut.inside, :, 0] += 1.0
    found = judge(built, cut)
    assert found.rmsd == pytest.approx(1) and found.moved == 0
    assert found.bond > 0.1 and not found.closed
    built = chain_of(cut, (19, 30))
    built.atoms[19, 3] += [0.2, 0, 0]
    built.atoms[30, 3] += [0.05, 0, 0]
    found = judge(built, cut)
    assert (found.rmsd, found.moved) == (0, 1)
    assert (found.turned, found.handed) == (1, 5), "what moved was built, too"


def test_a_pair_of_atoms_clashes_once() -> None:
    cut = cut_of()
    built = chain_of(cut)
    built.atoms[20, 3] = built.atoms[23, 3] + [0, 0, 100.0]
    built.atoms[23, 3] += [0, 0, 100.0]  # both of them new, and far from all else
    assert judge(built, cut).clashes == 1
    built.atoms[23, 3] += [0, 0, 100.0]
    assert judge(built, cut).clashes == 0
    built.atoms[23, 3] = built.atoms[21, 3] = built.atoms[0, 1]
    assert judge(built, cut).clashes > 1


def test_a_program_is_given_the_chain_without_the_gap(tmp_path: Path) -> None:
    cut = cut_of(letters="ARNDCQEGHILKMFPSTWYVX" + "A" * 19)
    body = f"""lines = Path(source).read_text().splitlines()
Path({str(tmp_path / "seen")!r}).write_text("\\n".join([sequence, *lines]))
raise SystemExit("seen enough.")"""
    assert FIXER.build(python(tmp_path / "python", body), cut) == "seen enough"
    sequence, *lines = (tmp_path / "seen").read_text().splitlines()
    assert sequence == "ARNDCQEGHILKMFPSTWYV" + "A" * 20
    names = [name for line in lines if line.startswith("SEQRES") for name in line[19:].split()]
    assert names == names_of(cut) and names[20] == "ALA" and len(names) == 40
    numbers = [int(line[22:26]) for line in lines if line.startswith("ATOM")]
    assert sorted(set(numbers)) == [k + 1 for k in range(40) if not 20 <= k < 24]
    assert len(numbers) == 4 * 36


def test_what_a_program_writes_is_read_and_judged(tmp_path: Path) -> None:
    cut = cut_of(cis=(22,))
    file = answer(cut, tmp_path / "answer.pdb", turned=(21, 23))
    there = python(tmp_path / "python", copying(file))
    FIXER.check(there)
    (attempt,) = attempts(["pdbfixer"], [cut], Settings(None, {"pdbfixer": there}))  # type: ignore[arg-type]
    assert attempt.reason == "" and attempt.seconds > 0
    assert (attempt.method, attempt.chain, attempt.start, attempt.length) == ("pdbfixer", 7, 20, 4)
    found = attempt.judged
    assert found is not None and found.rmsd < 1e-3 and found.closed and found.moved == 0
    assert (found.turned, found.handed, found.cis, found.peptides) == (2, 4, 1, 5)


def test_the_seconds_are_those_of_the_process(tmp_path: Path) -> None:
    body = "while time.process_time() < 0.5:\n    pass\nraise SystemExit('tired')"
    there = python(tmp_path / "python", body)
    (one,) = attempts(["pdbfixer"], [cut_of()], Settings(None, {"pdbfixer": there}))  # type: ignore[arg-type]
    assert one.seconds >= 0.5 and one.judged is None and one.reason == "tired"


SHORT = "Path(output).write_text(''.join(Path(source).read_text().splitlines(keepends=True)))"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise ValueError('no template for UNK.')", "ValueError: no template for UNK"),
        ("raise SystemExit(3)", "no message"),
        ("pass", "no structure that can be read"),
        ("Path(output).write_text('HELLO')", "0 residues written, not 40"),
        (SHORT, "36 residues written, not 40"),
        ("time.sleep(60)", "not done in 2 s"),
    ],
)
def test_failures_are_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, reason: str
) -> None:
    monkeypatch.setattr(peers, "_PATIENCE", 2.0 if "sleep" in body else 60.0)
    found = FIXER.build(python(tmp_path / "python", body), cut_of())
    assert isinstance(found, str) and reason in found


def test_a_chain_without_some_atoms_is_no_answer(tmp_path: Path) -> None:
    file = answer(cut_of(), tmp_path / "answer.pdb")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(x for x in lines if x[12:26].split() != ["O", "ALA", "A", "22"]))
    found = FIXER.build(python(tmp_path / "python", copying(file)), cut_of())
    assert found == "atoms of the backbone are missing"


def test_atoms_that_lie_on_each_other_are_all_read(tmp_path: Path) -> None:
    cut = cut_of()
    cut.chain.atoms[22, 1] = cut.chain.atoms[10, 1]
    file = answer(cut, tmp_path / "answer.pdb")
    found = FIXER.build(python(tmp_path / "python", copying(file)), cut)
    assert isinstance(found, Chain)
    np.testing.assert_allclose(found.atoms, cut.chain.atoms, atol=1e-3)
    assert judge(found, cut).clashes > 0


def test_an_interpreter_without_the_program_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be run"):
        FIXER.check(str(tmp_path / "none"))
    bare = tmp_path / "bare"
    bare.write_text(f"#!{sys.executable}\nraise SystemExit('No module named pdbfixer')\n")
    bare.chmod(0o755)
    with pytest.raises(MoldiffError, match="No module named pdbfixer"):
        FIXER.check(str(bare))
    assert FIXER.build(str(tmp_path / "none"), cut_of()).endswith("No such file or directory")  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def model() -> Model:
    settings = {**DOMAINS["backbones"], "domain": "backbones", "precondition": "clean"}
    return Model.from_config(settings | {"sampling": {"steps": 2}}, seed=1)


def test_our_methods(model: Model) -> None:
    cut = cut_of()
    settings = Settings(model, {}, draws=3, steps=2, seed=1)
    drawn, completed, crystal = attempts(["moldiff", "complete", "crystal"], [cut], settings)
    assert drawn.judged is not None and drawn.trial is not None
    assert drawn.judged.rmsd == pytest.approx(drawn.trial.rmsd[0], abs=1e-4)
    assert drawn.judged.closed and (drawn.judged.turned, drawn.judged.handed) == (0, 4)
    assert (completed.judged is None) != (completed.reason == "")
    if completed.judged is not None:
        assert completed.judged.clashes == completed.judged.turned == 0 and completed.judged.closed
    assert crystal.judged is not None
    assert (crystal.judged.rmsd, crystal.judged.handed, crystal.judged.peptides) == (0, 0, 5)


JUDGED = Judged(1.0, 0.01, 1, 4, 0, 5, 2, 0)
MADE = [
    Attempt("moldiff", 0, 3, 4, 1.0, JUDGED),
    Attempt("pdbfixer", 0, 3, 4, 3.0, replace(JUDGED, rmsd=3.0, bond=0.3, cis=1, moved=1)),
    Attempt("moldiff", 1, 5, 4, 3.0, replace(JUDGED, rmsd=2.5)),
    Attempt("pdbfixer", 1, 5, 4, 5.0, None, "nothing, but words"),
    Attempt("promod3", 1, 5, 8, 5.0, None, "nothing, but words"),
]


def test_rows() -> None:
    ours, theirs, other = (dict(zip(HEADER, row, strict=True)) for row in rows(MADE))
    assert ours == {
        "method": "moldiff", "residues": "4", "built": "2 of 2", "off, Å": "1.75 (1.00 to 2.50)",
        "< 2 Å": "1", "closed": "2", "C-N, Å": "0.01", "D": "2 of 8", "cis": "0 of 10",
        "clashes": "4", "moved": "0", "CPU-s": "2.0",
    }  # fmt: skip
    assert (theirs["built"], theirs["closed"], theirs["C-N, Å"]) == ("1 of 2", "0", "0.30")
    assert (theirs["cis"], theirs["moved"], theirs["CPU-s"]) == ("1 of 5", "1", "4.0")
    assert (other["residues"], other["built"], other["off, Å"]) == ("8", "0 of 1", "–")
    assert list(failures(MADE)) == [
        "pdbfixer, 1: nothing, but words",
        "promod3, 1: nothing, but words",
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> BackboneStore:
    return write_backbones(tmp_path_factory.mktemp("data") / "backbones")


def test_what_is_done_is_written_at_once(store: BackboneStore, tmp_path: Path) -> None:
    path = tmp_path / "gaps.csv"
    errors, closed = np.array([1.0, 1.5]), np.ones(2, bool)
    drawn = Trial(0, 3, 4, errors, closed, 1.0, 0.9, np.zeros((4, 4, 3), np.float32))
    made = [replace(MADE[0], trial=drawn), *MADE[1:]]
    for k, _ in enumerate(recorded(made, store, path, draws=2)):
        with path.open(encoding="utf-8") as file:
            written = list(csv.DictReader(file))
        assert len(written) == k + 1
    ours = {"method": "moldiff", "chain": "chain0", "start": "3", "residues": "4", "closed": "2"}
    ours |= {"spread": "0.900", "turned": "1", "bond": "0.010", "rmsd_2": "1.500", "reason": ""}
    assert written[0] | ours == written[0]
    assert written[1] | {"closed": "0", "rmsd_1": "3.000", "rmsd_2": ""} == written[1]
    failed = {"method": "pdbfixer", "seconds": "5.00", "reason": "nothing, but words", "rmsd_1": ""}
    assert written[3] | failed == written[3]


def test_programs_on_the_command_line(
    model: Model, store: BackboneStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model.save(tmp_path / "model.safetensors")
    words = ["benchmark", "gaps", str(store.path), "--model", str(tmp_path / "model.safetensors")]
    words += ["--gaps", "2", "--ensemble", "2", "--lengths", "3", "-o", str(tmp_path / "gaps.csv")]
    there = python(tmp_path / "python", "raise SystemExit('too hard')")
    asked = [*words, "--methods", "moldiff,pdbfixer,crystal"]
    assert main([*asked, "--python", f"pdbfixer={there}"]) == 0
    told = capfd.readouterr()
    assert "Not built: pdbfixer, 2: too hard." in told.out and "0 of 2" in told.out
    with (tmp_path / "gaps.csv").open(encoding="utf-8") as file:
        methods = [row["method"] for row in csv.DictReader(file)]
    assert methods == ["moldiff", "pdbfixer", "crystal"] * 2
    assert main([*words[:-1], "-"]) == 0
    piped = capfd.readouterr()
    assert [row["method"] for row in csv.DictReader(piped.out.splitlines())] == ["moldiff"] * 2
    assert "Written: stdout" in piped.err
    asked.append("--force")
    for wrong, status, message in (
        ([], 2, "--python pdbfixer=PATH"),
        (["--python", there], 2, "is not a program and the Python that has it"),
        (["--python", f"modeller={there}"], 2, "is not a program"),
        (["--python", "pdbfixer="], 2, "is not a program"),
        (["--python", f"pdbfixer={tmp_path / 'none'}"], 2, "pip install pdbfixer"),
        (["--methods", "pdbfixr"], 2, "pdbfixer"),
        (["--methods", "promod3-mc"], 2, "promod3 runs in an interpreter of its own"),
    ):
        assert main([*asked, *wrong]) == status
        assert message in capfd.readouterr().err


def test_the_closest_chain_covers_the_gap() -> None:
    cut = cut_of()
    assert covering([cut], []) == {7: 0.0}
    ends = START + LENGTH
    hits = [(7, 0.4, START, ends), (7, 0.35, 0, 40), (7, 0.9, START + 1, 40), (7, 0.9, 0, ends - 1)]
    assert covering([cut], hits) == {7: 0.4}
    bounds = [group_of(x) for x in (0.0, 0.299, 0.3, 0.899, 0.9, 1.0)]
    assert bounds == [name for name in GROUPS for _ in range(2)]


def test_places_of_a_match_count_from_one_in_the_programs_table(
    store: BackboneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = cut_of()
    first, last = str(START + 1), str(START + LENGTH)  # just the gap
    beside = str(START + 2)
    for row, found in (([first, last], 0.4), ([beside, last], 0.0)):
        table = [[str(cut.index), "0.4", *row]]
        monkeypatch.setattr("moldiff.benchmark.gaps.identity.matches", lambda *_, t=table: t)
        assert closest([cut], store) == {cut.index: found}


def test_mmseqs_finds_what_was_trained_on(
    model: Model, store: BackboneStore, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    if which("mmseqs") is None:
        pytest.skip("the program mmseqs (mmseqs2) is not installed")
    known, strange = int(store.indices("train")[0]), int(store.indices("validation")[0])
    cuts = [Cut(k, store[k], 20, 4) for k in (known, strange)]
    assert closest(cuts, store) == {known: 1.0, strange: 0.0}
    model.save(tmp_path / "model.safetensors")
    words = ["benchmark", "gaps", str(store.path), "--model", str(tmp_path / "model.safetensors")]
    words += ["--gaps", "2", "--ensemble", "2", "--lengths", "3", "-o", str(tmp_path / "gaps.csv")]
    assert main([*words, "--trained-on", str(store.path)]) == 0
    printed = capfd.readouterr()
    assert "closest chain trained on: < 30 %" in printed.out and "by mmseqs ..." in printed.err
    with (tmp_path / "gaps.csv").open(encoding="utf-8") as file:
        assert [row["identity"] for row in csv.DictReader(file)] == ["0.000"] * 2


def test_without_mmseqs_it_is_said(
    store: BackboneStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MoldiffError, match="mmseqs") as caught:
        closest([cut_of()], store)
    assert "mmseqs2" in caught.value.fix
