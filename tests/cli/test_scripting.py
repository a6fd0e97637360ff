"""Commands in scripts and at a prompt: what is overwritten, stdout, JSON, help, one method."""

from __future__ import annotations

import gzip
import inspect
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest

from moldiff.cli import progress
from moldiff.cli.failure import Interrupted
from moldiff.cli.output import table
from moldiff.cli.overwrite import check_replaceable
from moldiff.cli.piping import scriptable
from moldiff.cli.renamed import renamed
from moldiff.cli.sections import OTHER
from moldiff.errors import InputError
from moldiff.io import read_molecules
from tests.cli.test_bad_lines import commands, parameters

Run = Callable[..., Any]
SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
COMPLEX = Path(__file__).parents[2] / "datasets" / "docking" / "1m2z"
QUICK_DOCKING = (
    *("--draws", 2, "--searches", 2, "--starts", 4, "--rounds", 0, "--conformers", 1),
    *("--proposals", "random", "--no-html"),
)
QUICK = ("--reference", "none", "--posebusters", 0, "--relax", 0, "--xtb", 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    blocks = SAMPLE.read_text(encoding="utf-8").split("$$$$\n")[:3]
    (tmp_path / "good.sdf").write_text("".join(f"{block}$$$$\n" for block in blocks))
    return tmp_path


@pytest.fixture
def generate(model_file: Path) -> tuple[Any, ...]:
    return ("generate", "--model", model_file, "-n", 2)


def test_what_a_command_made_it_may_replace_and_nothing_else(
    run: Run, folder: Path, generate: tuple[Any, ...]
) -> None:
    lines = {
        "new.sdf": (*generate, "-o", "new.sdf"),
        "new.smi": (*generate, "-o", "new.smi"),
        "t.xyz": (*generate, "-o", "new.xyz", "--trajectory", "t.xyz"),
        "new.csv": (*generate, "-o", "new.json", "--where", "mw>0"),
        "r.json": ("evaluate", "good.sdf", *QUICK, "-o", "r.json"),
        "f.csv": ("evaluate", "good.sdf", *QUICK, "--table", "f.csv"),
        "p.html": ("view", "good.sdf", "-o", "p.html"),
        "kept.sdf": ("filter", "good.sdf", "--where", "mw>0", "-o", "kept.sdf"),
        "kept.csv": ("filter", "good.sdf", "--where", "mw>0", "-o", "kept.sdf"),
        "s.svg": ("methods", "ddpm", "-o", "s.svg"),
    }
    for name, line in lines.items():
        for suffix in (".sdf", ".json", ".csv", ".html", ".xyz"):  # those beside it, of earlier
            Path(name).with_suffix(suffix).unlink(missing_ok=True)
        assert run(*line).status == 0, line
        assert run(*line).status == 0, "its own file"
        Path(name).write_text("mine: a list\n")
        refused = run(*line)
        assert refused.status == 2 and "--force" in refused.err and name in refused.err
        assert Path(name).read_text() == "mine: a list\n"
        assert run(*line, "--force").status == 0
        assert Path(name).read_text() != "mine: a list\n"


def test_kinds_are_known_by_their_files(folder: Path) -> None:
    for name, text, kind in [
        ("poses.sdf", "a\n\n\n...\n>  <receptor_sha256>\nabc\n", "poses"),
        ("poses.json", '{\n  "schema": "moldiff.docking",', "docking"),
        ("poses.interactions.csv", "rank,kind,role,residue,chain\n", "interactions"),
        ("hits.csv", "row,name,status,reason,place,energy_kcal_mol,confidence\n", "library"),
        ("gaps.csv", "chain,start,residues,closed,seconds,n\n", "gaps"),
        ("compared.csv", "method,chain,start,residues,closed,seconds,n\n", "gaps"),
        ("nothing.csv", "", "gaps"),
    ]:
        Path(name).write_text(text)
        check_replaceable({Path(name): kind}, force=False)
        Path(name).write_text("my own notes\n")
        with pytest.raises(InputError, match="did not make it"):
            check_replaceable({Path(name): kind}, force=False)


def told(err: str) -> list[str]:
    return [line for line in err.splitlines() if "earlier run" in line]


def test_what_an_earlier_run_made_is_told_before_it_is_lost(
    run: Run, folder: Path, generate: tuple[Any, ...]
) -> None:
    keeping = ("filter", "good.sdf", "--where", "mw>0", "-o", "kept.sdf")
    lines = {
        "m.sdf (2 records)": (*generate, "-o", "m.sdf"),
        "m.json": (*generate, "-o", "m.json"),
        "kept.sdf (3 records), kept.json, kept.csv and 1 more": keeping,
        "r.json, f.csv": ("evaluate", "good.sdf", *QUICK, "-o", "r.json", "--table", "f.csv"),
    }
    for files, line in lines.items():
        assert told(run(*line).err) == [], "nothing was there"
        assert told(run(*line).err) == [f"Note: {files} of an earlier run will be replaced."]
        assert told(run(*line, "--force").err) == [], "it was asked for"
    again = run(*keeping, "--json")
    assert json.loads(again.out)["kept"] == 3 and len(told(again.err)) == 1
    assert told(run(*keeping[:-1], "-").err) == [], "a pipe replaces nothing"
    Path("m.sdf").write_text("mine: a list\n")
    assert told(run(*generate, "-o", "m.sdf").err) == [], "it is refused"


def test_records_are_counted_only_where_that_is_certain_and_quick(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file was told as one of no records; counting one of gigabytes took minutes."""
    text = Path("good.sdf").read_bytes().replace(b"$$$$", b">  <moldiff_version>\n0.2.0\n\n$$$$")
    Path("m.sdf").write_bytes(text)
    packed = gzip.compress(text)
    Path("m.sdf.gz").write_bytes(packed[: len(packed) // 2])

    def note(path: str) -> str:
        check_replaceable({Path(path): "molecules"}, force=False)
        return capsys.readouterr().err.strip()

    ending = " of an earlier run will be replaced."
    assert note("m.sdf") == f"Note: m.sdf (3 records){ending}"
    monkeypatch.setattr("moldiff.cli.overwrite._of_kind", lambda *_: True)
    assert note("m.sdf.gz") == f"Note: m.sdf.gz{ending}"
    monkeypatch.setattr("moldiff.cli.overwrite._COUNTED", len(text) - 1)
    assert note("m.sdf") == f"Note: m.sdf{ending}"


def test_a_library_that_goes_on_replaces_nothing(run: Run, folder: Path) -> None:
    Path("lib.csv").write_text("smiles\nCCO\n")
    line = ("dock", "-r", COMPLEX / "receptor.pdb", *QUICK_DOCKING, "-o", "hits.sdf")
    line += ("--pocket-ligand", COMPLEX / "ligand.sdf", "--ligands", "lib.csv")
    assert told(run(*line).err) == []
    again = run(*line).err
    assert told(again) == [] and "Going on: 1 of 1 row" in again
    note = "Note: hits.sdf (1 record), hits.csv of an earlier run will be replaced."
    assert told(run(*line, "--restart").err) == [note]


def test_what_another_command_made_is_not_replaced(
    run: Run, folder: Path, generate: tuple[Any, ...]
) -> None:
    record = "moldiff-0-1\n\n\n...\n>  <moldiff_version>\n0.2.0\n"
    of = {
        "molecules": record,
        "grown": f"{record}>  <part_kept>\nyes\n",
        "poses": f"{record}>  <receptor_sha256>\nabc\n",
        "scored": f"{record}>  <receptor_sha256>\nabc\n>  <scored_by>\nmoldiff\n",
    }
    for kind, text in of.items():
        Path(f"{kind}.sdf").write_text(text)
        check_replaceable({Path(f"{kind}.sdf"): kind}, force=False)
    for kind, file in [
        *(("molecules", other) for other in ("grown", "poses", "scored")),
        *(("grown", other) for other in ("molecules", "poses")),
        *(("poses", other) for other in ("molecules", "grown")),
        *(("scored", other) for other in ("molecules", "poses")),
    ]:
        with pytest.raises(InputError, match="did not make it"):
            check_replaceable({Path(f"{file}.sdf"): kind}, force=False)
    refused = run(*generate, "-o", "poses.sdf")
    assert refused.status == 2 and Path("poses.sdf").read_text() == of["poses"]


def test_stdout_is_what_was_asked_for(run: Run, folder: Path, generate: tuple[Any, ...]) -> None:
    made = run(*generate, "-o", "-")
    (folder / "piped.sdf").write_text(made.out)
    assert made.status == 0 and len(list(read_molecules("piped.sdf"))) == 2
    assert "strictly valid" in made.err
    report = json.loads(run("evaluate", "good.sdf", *QUICK, "-o", "-").out)
    assert report["schema"] == "moldiff.evaluation"
    assert run("view", "good.sdf", "-o", "-").out.startswith("<!DOCTYPE html>")
    assert run("filter", "good.sdf", "--where", "mw>0", "-o", "-").out.count("$$$$") == 3
    assert sorted(path.name for path in folder.iterdir()) == ["good.sdf", "piped.sdf"]


def test_files_that_are_judged_together_are_said_to_be(run: Run, folder: Path) -> None:
    Path("other.sdf").write_bytes(Path("good.sdf").read_bytes())
    line = ("evaluate", *QUICK, "--json")
    assert "together" not in run(*line, "good.sdf").err
    both = run(*line, "good.sdf", "other.sdf")
    assert json.loads(both.out)["n"] == 6
    call = 'moldiff.compare({"good": "good.sdf", "other": "other.sdf"})'
    assert f"the 2 files are judged together, as one set; to compare them, in Python: {call}" in (
        both.err
    )
    three = run(*line, "good.sdf", folder / "good.sdf", "other.sdf").err
    assert f'{{"good.sdf": "good.sdf", "{folder}/good.sdf": "{folder}/good.sdf", ...}}' in three


def test_json_is_the_closing_table(run: Run, folder: Path, generate: tuple[Any, ...]) -> None:
    told = json.loads(run(*generate, "--json").out)
    assert told["molecules"] == 2 and told["strictly_valid"].keys() == {"count", "percent"}
    assert json.loads(run("filter", "good.sdf", "--where", "mw>0", "--json").out)["records"] == 3
    assert json.loads(run("evaluate", "good.sdf", *QUICK, "--json").out)["n"] == 3
    card = json.loads(run("info", "qm9-fast", "--json").out)
    assert card["model"]["name"] == "qm9-fast"
    methods = json.loads(run("methods", "--json").out)
    assert methods.keys() == {"methods", "samplers", "guidances"}
    assert {"ddpm"} <= {row["name"] for row in methods["methods"]}


def test_sizes_of_few_molecules_are_shown_if_they_are_asked_for(run: Run, folder: Path) -> None:
    Path("few.smi").write_text("CCCCCCCCCCCC\nCCCCCCCCCCCCCCCCCCCC\n")
    Path("many.smi").write_text("CCCCCCCCCCCC\nCCCCCCCCCCCCCCCCCCCC\n" * 20)
    head = "By number of heavy atoms"
    assert head not in run("evaluate", "few.smi", *QUICK).out
    assert head in run("evaluate", "few.smi", *QUICK, "--bands", "10..18,19..26").out
    assert head in run("evaluate", "many.smi", *QUICK).out
    assert json.loads(run("evaluate", "few.smi", *QUICK, "--json").out)["bands"].keys() >= {"10-18"}


def test_references_are_told_to_programs(run: Run) -> None:
    told = json.loads(run("cite", "ddpm", "--json").out)["references"]
    assert told[0]["bibtex"].startswith("@") and {"key", "for"} < told[0].keys()


def test_every_command_has_an_answer_for_programs() -> None:
    silent = {
        name
        for name, command in commands()
        if "as_json" not in inspect.signature(command).parameters
    }
    assert silent == set()


def test_the_keys_of_json_do_not_depend_on_the_data(
    run: Run, folder: Path, generate: tuple[Any, ...]
) -> None:
    plain = json.loads(run(*generate, "--json").out)
    filtered = json.loads(run(*generate, "--where", "mw>9999", "--json", "-o", "f.sdf").out)
    assert plain.keys() == filtered.keys() and plain["passed"] is None
    assert filtered["passed"] == {"count": 0, "percent": 0} and filtered["files"][0] == "f.sdf"
    assert isinstance(plain["seconds"], float) and plain["conditions"] == []
    all_pass = json.loads(run("filter", "good.sdf", "--where", "mw>0", "--json").out)
    none = json.loads(run("filter", "good.sdf", "--where", "mw>999", "--pick", 1, "--json").out)
    assert all_pass.keys() == none.keys() and none["kept"] == 0
    assert none["filters"] == [{"filter": "not mw > 999", "rejected": {"count": 3, "percent": 100}}]
    for name in ("ddpm", "mask", "endpoint"):
        told = json.loads(run("methods", name, "--json").out)
        assert told.keys() >= {"name", "about", "equation", "cites", "parts", "settings"}
    assert isinstance(told["settings"], dict)
    shown = json.loads(run("view", "good.sdf", "-o", "v.html", "--json").out)
    assert shown["records"] == 3 and shown["page"] == "v.html" and shown["bytes"] > 1000


def test_poses_are_told_as_numbers(run: Run, folder: Path) -> None:
    line = ("dock", "-r", COMPLEX / "receptor.pdb", *QUICK_DOCKING)
    line += ("--pocket-ligand", COMPLEX / "ligand.sdf")
    told = json.loads(run(*line, "-l", "CCO", "--json").out)
    with_reference = run(*line, "-l", "CCO", "--reference", COMPLEX / "ligand.sdf", "--json")
    other = json.loads(with_reference.out)
    pose = told["poses"][0]
    assert told.keys() == other.keys() and pose.keys() == other["poses"][0].keys()
    assert told["ligand"] == "ligand" and pose["rank"] == 1 and pose["energy_kcal_mol"] < 0
    assert 0 < pose["confidence"] < 1 and pose["cnn_score"] is None and pose["required"] is None
    assert told["cpu_seconds"] > 0 and told["files"][0] == "poses.sdf"
    Path("lib.csv").write_text("smiles\nCCO\nC1CC\n")
    library = json.loads(run(*line, "--ligands", "lib.csv", "-o", "hits.sdf", "--json").out)
    assert (library["rows"], library["docked"], library["refused"]) == (2, 1, 1)
    assert library["best"]["energy_kcal_mol"] < 0 and library["reasons"][0]["count"] == 1
    Path("bad.csv").write_text("smiles\nC1CC\n")
    failed = run(*line, "--ligands", "bad.csv", "-o", "none.sdf", "--json")
    assert failed.status == 1 and json.loads(failed.out).keys() == library.keys()
    assert run(*line, "--ligands", "no.csv", "-o", "none.sdf", "--json").out == ""


def test_what_goes_to_stdout_leaves_no_trace(run: Run, folder: Path) -> None:
    line = ("dock", "-r", COMPLEX / "receptor.pdb", *QUICK_DOCKING, "-o", "-")
    line += ("--pocket-ligand", COMPLEX / "ligand.sdf")
    one = run(*line, "-l", "CCO")
    assert one.status == 0 and "$$$$" in one.out
    assert one.err.split("files")[1].split() == ["stdout"], "no file that is gone, and no page"
    Path("lib.csv").write_text("smiles\nCCO\nC1CC\n")
    library = run(*line, "--ligands", "lib.csv")
    assert library.err.split("files")[1].split() == ["stdout"] and "$$$$" in library.out
    part = run(*line, "--ligands", "lib.csv", "--shard", "1/2")
    assert part.status == 0 and part.out.count("$$$$") == 1
    refused = run("filter", "good.sdf", "--where", "mw>999", "-o", "-")
    assert "stdout is empty" in refused.err
    assert "page       stdout" in run("view", "good.sdf", "-o", "-").err
    assert {path.name for path in folder.iterdir()} == {"good.sdf", "lib.csv"}


@pytest.mark.thorough
def test_accounts_of_structures_are_json_too(run: Run, folder: Path) -> None:
    receptor = COMPLEX / "receptor.pdb"
    line = ("prepare", receptor, "-o", "p.pdb", "--report", "p.json")
    told = json.loads(run(*line, "--json").out)
    assert told["files"] == ["p.pdb", "p.json"] and told.pop("files")
    assert told == json.loads(Path("p.json").read_text())
    assert run("prepare", receptor, "-o", "-").out == Path("p.pdb").read_text()
    line = ("complete", receptor, "--rebuild", "A:586-587", "--ensemble", "2")
    told = json.loads(run(*line, "-o", "f.pdb", "--no-html", "--json").out)
    assert len(told["built"]) == 1 and told["files"] == ["f.pdb"]
    piped = run(*line, "-o", "-")
    assert piped.out == Path("f.pdb").read_text() and not list(folder.glob("*.html"))
    line = ("sequence", "p.pdb", "-n", "2", "--steps", "2")
    told = json.loads(run(*line, "-o", "s.fasta", "--json").out)
    assert told["schema"] == "moldiff.sequence 1" and told["files"] == ["s.fasta"]
    assert run(*line, "-o", "-").out == Path("s.fasta").read_text()


@pytest.mark.thorough
def test_backbones_are_told_as_numbers(run: Run, folder: Path) -> None:
    line = ("backbone", "-n", "2", "--length", "40", "--steps", "5", "--sequences", "0")
    told = json.loads(run(*line, "-o", "drawn", "--json").out)
    assert told.keys() == {"folder", "notes", "backbones"} and told["folder"] == "drawn"
    assert [row["residues"] for row in told["backbones"]] == [40, 40]


def test_the_help_of_docking_is_in_sections(run: Run) -> None:
    shown = run("dock", "--help").out
    assert "\nOptions:" not in shown
    sections = re.findall(r"^(\w[^\n]*):\n((?:  .*\n)+)", shown, re.M)
    named = {
        title: set(re.findall(r"^  (?:-\w, )?(--[\w-]+)", text, re.M)) for title, text in sections
    }
    assert named["Where"] == {
        *("--pocket-ligand", "--center", "--box-size", "--residues", "--autobox", "--cavities")
    }
    assert named[OTHER] == {"--help"} | ({"-h"} & named[OTHER]), "an option without a section"
    assert sum(map(len, named.values())) == len(set.union(*named.values())) > 40


def test_an_old_name_is_taken_and_said(run: Run, folder: Path) -> None:
    where = ("--pocket-ligand", COMPLEX / "ligand.sdf", "--no-html")
    line = ("dock", "-r", COMPLEX / "receptor.pdb", "-l", "CCO", *where, *QUICK_DOCKING[:2])
    line += ("--starts", 4, "--rounds", 0, "--conformers", 1, "--proposals", "random")
    done = run(*line, "--chains", 2, "--size=18")
    assert done.status == 0 and "--size of moldiff dock is --box-size now" in done.err
    assert "--chains of moldiff dock is --searches now" in done.err
    record = next(iter(read_molecules("poses.sdf")))
    assert record.tags["box_size"] == "18.000 18.000 18.000"
    done = run("prepare", COMPLEX / "receptor.pdb", "--json", "a.json", "--html", "a.html")
    assert done.status == 0 and Path("a.json").is_file() and Path("a.html").is_file()
    new = ["data", "druglike", "--smiles-alone", "--conformer-folder=c"]
    assert renamed(["data", "druglike", "--only", "--conformers=c"]) == new
    assert renamed(["data", "complexes", "--exclude", "x"])[2] == "--leave-out"
    assert renamed(["sequence", "a.pdb", "--exclude=CYS"])[-1] == "--without=CYS"
    assert renamed(["design", "replace", "--keep", "1"])[2] == "--keep-atoms"
    assert renamed(["benchmark", "gaps", "d", "--draws", "2"])[3] == "--ensemble"
    assert renamed(["generate", "--size", "9"]) == ["generate", "--size", "9"]
    assert renamed(["dock", "--posebusters", "-n", "3"])[1] == "--posebusters=1000", "it was a flag"
    assert renamed(["dock", "--posebusters", "3"]) == ["dock", "--posebusters", "3"]
    assert renamed(["dock", "--", "--size"]) == ["dock", "--", "--size"]
    assert renamed(["prepare", "a.pdb", "--json"])[-1] == "--json", "no file: it is the flag"


def test_an_option_has_one_kind_of_value_in_all_commands() -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    sizes = set()
    for _, command in commands():
        signature = inspect.signature(command, eval_str=True).parameters
        for parameter in parameters(command):
            kind = parameter.kind.removesuffix(" range")
            if parameter.option:
                kinds[parameter.option].add({"path": "text", "choice": "text"}.get(kind, kind))
            if parameter.option == "--size":
                sizes.add(get_args(signature[parameter.name].annotation)[1].help)
    assert not {option for option, found in kinds.items() if len(found) > 1}
    assert len(sizes) == 1 and "Atoms of each molecule" in sizes.pop()


@pytest.mark.parametrize("words", [(), ("generate",), ("design", "grow"), ("data", "info")])
def test_help_tells_the_exit_status(run: Run, words: tuple[str, ...]) -> None:
    shown = " ".join(run(*words, "--help").out.split())
    assert "Exit status: 0 success, 1 failure, 2 an unusable request" in shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("generate", "--filter", "stric"), "Did you mean 'strict'?"),
        (("generate", "--filter", "zzz"), ""),
        (("generate", "--filter", "nonsense"), ""),
        (("generate", "--siz", "9"), "There is no option --siz. Did you mean '--size'?"),
        (("generate", "--nope", "9"), ""),
        (("filter", "a.sdf", "--no-htlm"), "Did you mean '--no-html'?"),
        (("generat",), "Did you mean 'generate'?"),
        (("zzz",), ""),
        (("methods", "edn"), "Did you mean 'edm'?"),
    ],
)
def test_a_near_miss_is_named_and_a_far_one_is_not(
    run: Run, words: tuple[str, ...], meant: str
) -> None:
    told = run(*words).err
    assert meant in told and ("Did you mean" in told) == bool(meant)
    assert "Value error" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("generate", "-n", "many"), "--number must be a whole number, not 'many'. See: moldiff g"),
        (("generate", "-n", "1.5"), "--number must be a whole number, not '1.5'."),
        (("generate", "-n", "-7"), "--number must be 1 or more, not -7."),
        (("generate", "--valence", "7"), "--valence must be 1 or less, not 7."),
        (("dock", "--ph", "acid"), "--ph must be a number, not 'acid'."),
        (("filter", "a.sdf", "--jobs", "9" * 30), "--jobs must be 1000 or less, not 999999"),
        (("generate", "-n"), "See: moldiff generate --help"),
    ],
)
def test_wrong_values_are_told_in_our_words(run: Run, words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert done.status == 2 and told in done.err and "Input should" not in done.err


def test_a_log_is_not_silent_for_long(
    run: Run, folder: Path, generate: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `scripts/quickstart` runs: generate, view, evaluate."""
    assert progress.BRIEF < 8, "Python needs some time to start"
    monkeypatch.setattr(progress, "_SILENT", 0.0)
    assert "generating: 2 of 2 (100 %)" in run(*generate).err
    monkeypatch.setattr(progress, "BRIEF", 0.001)
    assert "drawing the page: 0 s so far" in run("view", "good.sdf").err
    assert "0 s so far" in run("evaluate", "good.sdf", *QUICK).err


def test_one_method_is_explained(run: Run, folder: Path) -> None:
    told = run("methods", "ddpm", "-o", "schedule.svg").out
    assert "x_t = alpha(t) x_0 + sigma(t) z" in told and "beta(t)" in told
    assert "sampling.steps" in told and "1000" in told and "t = 0 (data)" in told
    picture = ElementTree.parse(folder / "schedule.svg").getroot()
    lines = [one for one in picture.iter() if one.tag.endswith("polyline")]
    ends = [line.get("points", "").split()[0].split(",")[1] for line in lines]
    assert ends == ["30.0", "230.0"], "all signal and no noise at the data"
    kept = run("methods", "mask").out
    assert "kept with probability alpha(t)" in kept and "redrawn" in kept
    assert "teacher" in run("methods", "endpoint").err
    assert "algorithm 2" in run("methods", "heun").out
    assert "stepper" in run("methods").out


def test_a_shell_completes_commands() -> None:
    words = {"COMP_WORDS": "moldiff eval", "COMP_CWORD": "1", "_MOLDIFF_COMPLETE": "complete_bash"}
    code = "from moldiff.cli import main; raise SystemExit(main([]))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **words}, capture_output=True, text=True
    )
    assert done.stdout.split() == ["evaluate"], done.stderr


def test_sizes_beyond_the_models_are_said(
    run: Run, folder: Path, generate: tuple[Any, ...]
) -> None:
    told = run(*generate, "--steps", 1, "--size", "5..900").err
    assert "Sizes 5..900: the model makes molecules of" in told
    assert "Sizes" not in run(*generate, "--steps", 1, "--size", "5..9").err


def test_what_was_told_before_an_interruption_is_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    @scriptable()
    def command() -> None:
        table([("a", "b")], header=["one", "two"], title="Told of 3", key="told")
        raise Interrupted("enough")

    with pytest.raises(Interrupted):
        command(as_json=True)
    assert json.loads(capsys.readouterr().out) == {"told": [{"one": "a", "two": "b"}]}
