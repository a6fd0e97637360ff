"""The page's search for substructures finds what RDKit finds, or says why it does not search."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
from rdkit import Chem

from moldiff.errors import InputError
from moldiff.io import Record, read_molecules, records_of
from moldiff.view.card import describe
from moldiff.view.substructure import matches, pattern_of
from tests.view import webdriver
from tests.view.webdriver import Browser

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
REASON = webdriver.missing()

MOLECULES = """
C12C3C4C1C5C2C3C45 CN1CC[C@]23[C@@H]4[C@H]1CC5=C2C(=C(C=C5)O)O[C@H]3[C@H](C=C4)O C1CN2CCC1CC2
C1Cc2ccc(cc2)CCc2ccc1cc2 C[N+](C)(C)CC(=O)[O-] c1ccc2c(c1)-c1ccccc1-2 [2H]OC C[13CH3] c1cc[nH]c1
O=[N+]([O-])c1ccccc1 CS(=O)(=O)N [Na+].[Cl-] OP(=O)(O)O Cn1cnc2c1c(=O)n(C)c(=O)n2C Clc1ccc(Br)cc1
[H][H] C=C/C=C/C#N B(O)(O)c1ccccc1 N=CC(=O)Nc1ccc(F)nc1 CC1(C)SC2C(NC(=O)Cc3ccccc3)C(=O)N2C1C(=O)O
""".split()

PATTERNS = """
c1ccccc1 c1ccncc1 C [#6] C(=O)N [NX3;H2] [NX3;H2,H1;!$(NC=O)] [OX2H] [CX4] [R2] [r5] [r6] [!r6]
[D3] [D4] * a A [C,N] [c,n] [!#6;!#1] [#7;+] [N+](=O)[O-] [O-] [-] [+] C=O C#N c:c c-c c~c C@C
C!@C *!@* *@* C-,=C C=,#C [R] [R0] [x2] [x3] [x] [v4] [v3] [v5] [Cl,Br] [#17] c1ccc2ccccc2c1
C1CC1 C12CCC(CC1)C2 N.O c.c C%10CC%10 [CH3] [CH] [C@@H](N)C C/C=C [nH] [nH0] S(=O)(=O)
[#16X4](=[OX1])=[OX1] [$([NX3H2,NX3H1]);!$(NC=O)] [$([CX3]=[OX1]),$([CX3+]-[OX1-])] [13C] [2H]
[C:1](=[O:2])[N:3] CC(C)(C)C n1cccc1 [H] C1=CC=CC=C1 [C;!R]=O [CX3](=O)[OX2H1] [r] [r0] [r3] [R1]
[#6H] [#6X3] [X1] [D1] [D] [a;!c] [N;!$(N=*);!$(N#*)] [#6]~[#7] [B] [Na+] [N+1] [C;D3;H1]
[C&D3&H1] [C&!R] [F,Cl,Br,I] O=C1NC=CC=C1
""".split()

BROKEN = ["C1CC", "C(", "C)", "[C", "[Q]", "C=", "=C", "[C&]", "[,C]", "[$C]", "C%1", "C11", "[!]"]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    pentavalent = Chem.MolFromSmiles("C(C)(C)(C)(C)C", sanitize=False)
    return [*read_molecules(SAMPLE), *records_of(MOLECULES), *records_of([pentavalent])]


@pytest.mark.browser
@pytest.mark.skipif(REASON is not None, reason=str(REASON))
def test_the_page_finds_what_rdkit_finds(
    browser: Browser, records: list[Record], tmp_path: Path
) -> None:
    explicit = [record.source == str(SAMPLE) for record in records]
    cards = [
        describe(record, explicit=given, net_charge=0)
        for record, given in zip(records, explicit, strict=True)
    ]
    folder = files("moldiff.view") / "page"
    code = "\n".join((folder / n).read_text("utf-8") for n in ("smarts.js", "match.js"))
    data = json.dumps(cards).replace("<", "\\u003c")
    tried = (
        "const found = (text) => { const query = parsePattern(text); return cards.map((m) => {"
        " const g = graphOf(m); return g && findMatches(g, query); }); };"
        "const refused = (text) => { try { parsePattern(text); } catch (error) {"
        " return error instanceof PatternError && error.message; } };"
    )
    page = tmp_path / "search.html"
    page.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><body data-ready="true">'
        f"<script>{code}\nconst cards = {data};{tried}</script>",
        encoding="utf-8",
    )
    browser.open(page)
    told = 0
    for pattern in PATTERNS:
        expected = matches(records, pattern_of(pattern))
        answers = browser.run(f"found({json.dumps(pattern)})")
        for card, found, known in zip(cards, answers, expected, strict=True):
            sets = [
                None if x is None else {frozenset(match) for match in x} for x in (found, known)
            ]
            assert sets[0] == sets[1], (pattern, card["smiles"])
            told += bool(known)
    assert told > 2000, "patterns that match nothing prove nothing"
    for text in BROKEN:
        with pytest.raises(InputError):
            pattern_of(text)
        assert "at character" in browser.run(f"refused({json.dumps(text)})"), text
    for text in ("[^2]", "[h1]", "C>>N"):  # SMARTS that the page does not know
        assert "at character" in browser.run(f"refused({json.dumps(text)})"), text


def test_matches_name_the_atoms_of_the_file() -> None:
    mol = Chem.AddHs(Chem.MolFromSmiles("OCc1ccncc1"))
    order = list(range(mol.GetNumAtoms()))[::-1]  # hydrogens first
    turned = Chem.RenumberAtoms(mol, order)
    [[match]] = matches([Record(turned, "", None, "", 0)], pattern_of("c1ccncc1")) or [[]]
    symbols = [turned.GetAtomWithIdx(index).GetSymbol() for index in match]
    assert symbols == ["C", "C", "C", "N", "C", "C"]


@pytest.mark.parametrize("text", ["", "  ", "C1CC", "c1ccncc"])
def test_what_is_no_pattern_is_said(text: str) -> None:
    with pytest.raises(InputError, match="no SMARTS"):
        pattern_of(text)
