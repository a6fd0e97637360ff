"""Which residues are missing, by the sequences of chains."""

from __future__ import annotations

from pathlib import Path

import pytest

from moldiff.errors import InputError
from moldiff.protein.absent import Gaps, absent_residues
from moldiff.protein.read import contents_of
from moldiff.protein.rebuilt import chosen_residues
from moldiff.protein.records import sniff
from moldiff.protein.sequence import ChainSequence, fasta_sequences, file_sequences
from moldiff.protein.trace import trace
from tests.backbones import backbone
from tests.proteins import names_of, pdb_lines, seqres

CHAIN = backbone(40, seed=3)
NAMES = names_of(CHAIN)
PATH = Path("a.pdb")


def gaps(text: str, sequences: dict[str, ChainSequence] | None = None) -> Gaps:
    content = text.encode()
    contents = contents_of(content, PATH)
    if sequences is None:
        sequences = file_sequences(content, sniff(content, PATH), PATH)
    structure = contents.structure
    return absent_residues(structure, trace(structure), sequences, contents.missing)


def test_gaps_are_what_the_sequence_says() -> None:
    text = seqres(NAMES) + pdb_lines(CHAIN, without={0, 10, 11, 12, 25, 39})
    found = gaps(text)
    assert [str(one) for one in found.absent] == ["A:11-13", "A:26"]
    assert found.absent[0].names == tuple(NAMES[10:13]) and found.absent[0].place == 10
    assert not found.refused
    assert found.notes == ("missing ends of chains are left out: A (1 before, 1 behind)",)


def test_numbers_that_jump_are_no_gaps() -> None:
    labels = [(k + 1 if k < 20 else k + 60, "") for k in range(39)] + [(98, "A")]
    found = gaps(seqres(NAMES) + pdb_lines(CHAIN, labels=labels))
    assert not found.absent and not found.refused and not found.notes


def test_missing_residues_get_the_numbers_there_are_and_then_codes() -> None:
    labels = [(k + 1, "") for k in range(40)]
    for k in range(14, 40):
        labels[k] = (k - 1, "")  # 12 residues after the gap of 4 is number 13
    text = seqres(NAMES) + pdb_lines(CHAIN, labels=labels, without=range(10, 14))
    (one,) = gaps(text).absent
    assert one.labels == ((11, ""), (12, ""), (12, "A"), (12, "B"))


def test_the_file_may_say_the_numbers() -> None:
    listed = "".join(
        f"REMARK 465     {NAMES[k]} A  {number:4d}{code} \n"
        for k, number, code in ((10, 10, "A"), (11, 10, "B"), (12, 12, " "))
    )
    labels = [(k + 1 if k != 13 else 14, "") for k in range(40)]
    text = listed + seqres(NAMES) + pdb_lines(CHAIN, labels=labels, without=range(10, 13))
    (one,) = gaps(text).absent
    assert one.labels == ((10, "A"), (10, "B"), (12, ""))


def test_where_a_sequence_repeats_the_numbers_decide() -> None:
    names = ["GLY"] * 40
    text = pdb_lines(CHAIN, without=range(20, 25))
    for name in set(NAMES):
        text = text.replace(f" {name} A", " GLY A")
    (one,) = gaps(seqres(names) + text).absent
    assert str(one) == "A:21-25"


def test_what_cannot_be_known_is_said() -> None:
    cut = pdb_lines(CHAIN, without=range(20, 25))
    (unknown,) = gaps(cut).refused
    assert (unknown.where, unknown.residues) == ("A:21-25", 5) and "sequence" in unknown.reason
    other = ChainSequence(tuple(reversed(NAMES)))
    (unfit,) = gaps(cut, {"A": other}).refused
    assert unfit.where == "chain A" and "does not fit" in unfit.reason
    (short,) = gaps(cut, {"A": ChainSequence(tuple(NAMES[:9]))}).refused
    assert "9 residues, 35 are there" in short.reason


def test_mutations_fit_and_are_named() -> None:
    names, cut = list(NAMES), pdb_lines(CHAIN, without={20, 21})
    names[3] = "TRP" if names[3] != "TRP" else "ALA"
    done = gaps(seqres(names) + cut)
    assert [str(one) for one in done.absent] == ["A:21-22"]
    said = f"residues that differ from the sequence, and stay as they are: A:4 {NAMES[3]}"
    assert done.differing == (f"{said} ({names[3]})",)
    assert gaps(seqres(NAMES) + cut).differing == ()


@pytest.mark.parametrize(
    "title", ["A", "A the first", "1abc_A", "1ABC:A", "1ABC_1|Chains A, C|x|y", "1ABC_1|Chain A|x"]
)
def test_records_are_named_by_chain(tmp_path: Path, title: str) -> None:
    path = tmp_path / "a.fasta"
    path.write_text(f">{title}\nACD\nEF\n")
    assert fasta_sequences(path, ["A", "B"])[0]["A"].letters == "ACDEF"


def test_sequences_that_are_no_use(tmp_path: Path) -> None:
    path = tmp_path / "a.fasta"
    for text, chains, message in (
        (">Q\nACD\n", ["A", "B"], "named after no chain"),
        (">A\nAC1\n", ["A"], "is no protein"),
        ("", ["A"], "holds no sequence"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            fasta_sequences(path, chains)
    with pytest.raises(InputError, match="cannot be read"):
        fasta_sequences(tmp_path / "none", ["A"])


def test_a_record_of_another_name_is_that_of_a_single_chain_and_this_is_said(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.fasta"
    path.write_text(">Z\nACD\n")
    sequences, notes = fasta_sequences(path, ["A"])
    assert sequences["A"].letters == "ACD"
    assert notes == ["the record '>Z' is taken for the only chain, A"]
    path.write_text(">A\nACD\n")
    assert fasta_sequences(path, ["A"])[1] == []


SCHEME = """data_x
loop_
_pdbx_poly_seq_scheme.asym_id
_pdbx_poly_seq_scheme.seq_id
_pdbx_poly_seq_scheme.mon_id
_pdbx_poly_seq_scheme.pdb_seq_num
_pdbx_poly_seq_scheme.pdb_strand_id
_pdbx_poly_seq_scheme.pdb_ins_code
A 1 GLY 5 B .
A 2 MSE 6 B A
#
"""
ENTITY = """data_x
loop_
_entity_poly_seq.entity_id
_entity_poly_seq.num
_entity_poly_seq.mon_id
1 1 GLY
1 2 MSE
#
loop_
_atom_site.auth_asym_id
_atom_site.label_entity_id
B 1
#
"""


def test_sequences_of_mmcif() -> None:
    found = file_sequences(SCHEME.encode(), "cif", PATH)["B"]
    assert found.names == ("GLY", "MSE") and found.labels == ((5, ""), (6, "A"))
    assert found.letters == "GM"
    assert file_sequences(ENTITY.encode(), "cif", PATH)["B"].names == ("GLY", "MSE")


def test_nucleic_acids_are_told_from_proteins() -> None:
    sequence = ChainSequence(("DA", "DG", "DC"))
    assert sequence.nucleic and not ChainSequence(("ALA", "GLY")).nucleic


def test_residues_to_build_anew() -> None:
    structure = contents_of(pdb_lines(CHAIN).encode(), PATH).structure
    none = gaps(pdb_lines(CHAIN))
    (one,) = chosen_residues(structure, trace(structure), ["A:11-14"], none).absent
    assert (one.before, one.after, one.replaced) == (9, 14, (10, 11, 12, 13))
    assert chosen_residues(structure, trace(structure), ["A:11..14"], none).absent == [one]
    for text, message in (
        ("11-14", "no range"),
        ("A:1-4", "begins or ends where its chain does"),
        ("A:14-11", "ends before it begins in chain A. Write A:11-14"),
        ("A:14-99", "no residue A:99"),
        ("B:3", "no residue B:3"),
    ):
        with pytest.raises(InputError, match=message):
            chosen_residues(structure, trace(structure), [text], none)
    with pytest.raises(InputError, match="overlap or touch"):
        chosen_residues(structure, trace(structure), ["A:11-14", "A:15-17"], none)


def test_what_is_built_anew_may_have_a_gap_within() -> None:
    cut = pdb_lines(CHAIN, without={11, 12})
    structure = contents_of(cut.encode(), PATH).structure
    found = gaps(seqres(NAMES) + cut)
    (one,) = chosen_residues(structure, trace(structure), ["A:11-14"], found).absent
    assert one.names == tuple(NAMES[10:14]) and one.replaced == (10, 11)
    assert one.labels == ((11, ""), (12, ""), (13, ""), (14, "")) and one.place == 10
    with pytest.raises(InputError, match="does not say what is missing"):
        chosen_residues(structure, trace(structure), ["A:11-14"], gaps(cut))


def test_a_broken_chain_that_the_sequence_calls_whole_is_refused() -> None:
    text = pdb_lines(CHAIN, without={10, 11, 12})
    whole = ChainSequence(tuple(n for k, n in enumerate(NAMES) if k not in {10, 11, 12}))
    (refused,) = gaps(text, {"A": whole}).refused
    assert refused.where == "A:11-13" and "the chain is broken" in refused.reason


def test_records_of_other_chains_are_passed_over_and_two_of_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.fasta"
    path.write_text(">1abc_A\nACDE\n>1abc_B\nMKV\n", encoding="ascii")
    assert list(fasta_sequences(path, ["A"])[0]) == ["A"]
    with pytest.raises(InputError, match="1abc_A"):
        fasta_sequences(path, ["C"])
    path.write_text(">A\nACDE\n>A\nMKV\n", encoding="ascii")
    with pytest.raises(InputError, match="several sequences of chain A"):
        fasta_sequences(path, ["A"])
