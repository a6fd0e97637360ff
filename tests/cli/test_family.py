"""``moldiff methods``, ``cite``, ``likelihood``, ``train --method`` and ``generate --sampler``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import moldiff
from moldiff.methods import METHODS, SAMPLERS
from moldiff.references import bibliography
from moldiff.registry import names

Run = Callable[..., Any]
SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
ENTRY = re.compile(r"^@\w+\{(\w+),$", re.M)


def test_methods_lists_the_family(run: Run) -> None:
    done = run("methods")
    assert done.status == 0
    first = {line.split()[0] for line in done.out.splitlines() if line.strip()}
    assert {*METHODS, *SAMPLERS, *names("guidance")} <= first
    assert "atoms, pairs" in done.out and "denoiser" not in done.out
    assert "1503.03585" in done.out and "DPM-Solver++(2M)" in done.out


def test_every_part_of_a_method_is_told(run: Run) -> None:
    methods = json.loads(run("methods", "--json").out)["methods"]
    listed = {one["name"]: one["parts"] for one in methods}
    assert listed["mask"] == ["rectified", "mask"] and listed["af3"] == ["plain"]
    for name in METHODS:
        told = json.loads(run("methods", name, "--json").out)["parts"]
        assert all(part["about"] for part in told)
        shown = {part["name"] for part in told} | {"mask", "marginal", "uniform"}  # kinds of noise
        assert shown >= set(listed[name])
    network = json.loads(run("methods", "dit", "--json").out)["parts"]
    assert [(one["part"], one["name"]) for one in network] == [("network", "transformer")]
    jumps = json.loads(run("methods", "uniform", "--json").out)
    assert {"part": "process", "name": "jump"}.items() <= jumps["parts"][0].items()
    assert "uniform noise" in jumps["equation"]


def test_cite_names(run: Run) -> None:
    done = run("cite", "DPM_solver", "heun")
    assert done.status == 0
    keys = ENTRY.findall(done.out)
    assert {"lu2022", "ho2020", "karras2022", "moldiff"} <= set(keys)
    assert len(keys) == len(set(keys)) and set(keys) <= set(bibliography())
    assert "% the method dpm-solver, the stepper multistep (algorithm 2)" in done.out
    assert f"version = {{{moldiff.__version__}}}" in done.out
    for other in done.out.splitlines():  # what is no entry is a comment, for BibTeX and Biber
        assert not other or other[0] in "@% }"


@pytest.mark.parametrize("name", ["aligned", "mask", "muon", "egnn", "cosine", "qm9"])
def test_cite_knows_parts_methods_and_models(run: Run, name: str) -> None:
    done = run("cite", name)
    assert done.status == 0 and len(ENTRY.findall(done.out)) >= 2


def test_cite_reads_the_training_card(run: Run, model_file: Path) -> None:
    done = run("cite", model_file)
    keys = set(ENTRY.findall(done.out))
    assert {"karras2022", "vaswani2017", "austin2021", "kohler2020"} <= keys  # its own parts
    assert {"klein2023", "loshchilov2019", "kumaraswamy1980"} <= keys  # how it was trained
    assert "song2019" not in keys


def test_cite_refuses(run: Run, tmp_path: Path) -> None:
    done = run("cite", "ddmp")
    assert done.status == 2 and "Did you mean 'ddpm'" in done.err and not done.out
    text = tmp_path / "text.safetensors"
    text.write_text("no model")
    done = run("cite", text)
    assert done.status == 2 and "not a readable safetensors file" in done.err
    assert run("cite").status == 2


def test_likelihood(run: Run, model_file: Path, tmp_path: Path) -> None:
    records = SAMPLE.read_text().split("$$$$\n")
    bad = [
        "broken\n\n\nnothing\n$$$$\n",
        "argon\n\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n"
        "    0.0000    0.0000    0.0000 Ar  0  0\nM  END\n$$$$\n",
    ]
    mixed, report = tmp_path / "mixed.sdf", tmp_path / "out.json"
    mixed.write_text("$$$$\n".join(records[:3]) + "$$$$\n" + "".join(bad))
    done = run("likelihood", mixed, "--model", model_file, "--steps", 3, "-o", report)
    assert done.status == 0, done.err
    assert "5 molecules, nats" in done.out and "mean of 3" in done.out and "No bound:" in done.out
    found = json.loads(report.read_text())
    assert found["molecules"] == 5 and found["without_bound"] == 2 and found["steps"] == 3
    good = [row for row in found["rows"] if row["elbo"] is not None]
    keys = {"name", "atoms", "elbo", "terms", "reason"}
    assert all(
        row.keys() == keys and (row["terms"] is None) != (row in good) for row in found["rows"]
    )
    assert [row["name"] for row in good] == [r.splitlines()[0] for r in records[:3]]
    for row in good:
        assert set(row["terms"]) == {"size", "positions", "types", "charges", "bonds"}
        parts = [v for terms in row["terms"].values() for v in terms.values()]
        assert math.isclose(-sum(parts), row["elbo"], rel_tol=1e-9)
        assert all(v >= 0 for f in ("size", "types", "bonds") for v in row["terms"][f].values())
    assert all(row["reason"] for row in found["rows"][3:])
    mean = found["mean"]
    assert math.isclose(-mean["elbo"], sum(v for k, v in mean.items() if k != "elbo"), rel_tol=1e-9)
    again = tmp_path / "again.json"
    run("likelihood", mixed, "--model", model_file, "--steps", 3, "-o", again)
    assert again.read_text() == report.read_text()
    run("likelihood", mixed, "--model", model_file, "--steps", 3, "--seed", 1, "-o", again)
    assert json.loads(again.read_text())["mean"] != mean


def test_likelihood_says_that_another_model_made_the_molecules(
    run: Run, model_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "made.sdf"
    assert run("generate", "-n", 2, "--model", model_file, "--steps", 2, "-o", path).status == 0
    own = run("likelihood", path, "--model", model_file, "--steps", 3)
    assert own.status == 0 and "of another model" not in own.err
    path.write_text(re.sub(r"tiny [0-9a-f]{12}", "other 0123456789ab", path.read_text(), count=1))
    done = run("likelihood", path, "--model", model_file, "--steps", 3)
    assert "1 of 2 records are by their field <model> of another model: other 0123" in done.err
    assert "the bounds are those of tiny" in done.err


def test_a_likelihood_of_nothing_is_a_failure(run: Run, model_file: Path, tmp_path: Path) -> None:
    path, report = tmp_path / "flat.smi", tmp_path / "report.json"
    path.write_text("CCO a\nCCN b\n")
    line = ("likelihood", path, "--model", model_file, "--steps", 3)
    done = run(*line, "-o", report)
    assert done.status == 1 and "None of the 2 records has a bound" in done.err
    assert "no coordinates (2)" in done.out and report.exists()
    done = run(*line, "--json")
    assert done.status == 1 and json.loads(done.out)["molecules"] == 2


def test_likelihood_refuses(run: Run, model_file: Path, tmp_path: Path) -> None:
    for words, told in {
        ("no.sdf",): "no.sdf",
        (SAMPLE, "--steps", 1): "--steps",
        (SAMPLE, "-o", tmp_path / "out.csv"): ".csv",
        (SAMPLE, "--model", "qm8"): "'qm8'",
        (SAMPLE, "--threads", 100000): "--threads",
    }.items():
        done = run("likelihood", *words)
        assert done.status == 2 and told in done.err and "Traceback" not in done.err
    flat = tmp_path / "mine.json"
    flat.write_text("{}")
    assert run("likelihood", flat, "--model", model_file, "-o", flat).status == 2


def test_train_with_a_method(run: Run, tiny_config: Path, tmp_path: Path) -> None:
    done = run("train", tiny_config, "--method", "ddim", "--steps", 2)
    assert done.status == 0, done.err
    assert "The method 'ddim' sets" in done.err and "precondition karras -> noise" in done.err
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert kept["precondition"] == "noise" and kept["network"]["width"] == 16
    keys = ENTRY.findall(run("cite", tmp_path / "run" / "model.safetensors").out)
    assert "song2021" in keys and "klein2023" not in keys  # linear_vp, independent
    again = run("train", tmp_path / "run" / "config.yaml")
    assert again.status == 0 and "is finished" in again.err
    other = run("train", tiny_config, "--method", "edm", "--steps", 4)  # the same directory
    assert other.status != 0 and "Traceback" not in other.err


def test_train_refuses(run: Run, tiny_config: Path, tmp_path: Path) -> None:
    done = run("train", tiny_config, "--method", "dpm")
    assert done.status == 2 and "Did you mean 'ddpm'" in done.err
    bad = tmp_path / "bad.yaml"
    bad.write_text(tiny_config.read_text().replace("{steps: 4}", "{steps: 4, stepper: annealed}"))
    done = run("train", bad)
    assert done.status == 2 and "'ve'" in done.err and "heun" in done.err
    assert not (tmp_path / "run").exists()  # before anything is written
    poses = tmp_path / "poses.yaml"
    poses.write_text(f"data: {tmp_path}\noutput: {tmp_path / 'run'}\ntask: poses\n")
    done = run("train", poses, "--method", "ddpm")
    assert done.status == 2 and "'poses' takes no '--method'" in done.err


def test_generate_with_a_sampler(run: Run, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.sdf"
    words = ("generate", "-n", 2, "--steps", 2, "--model", model_file, "-o", out, "--sampler")
    for name, settings in {
        "multistep": '"steps": 2',
        "heun,s_churn=0.5,churn=0": '"s_churn": 0.5',
    }.items():
        done = run(*words, name)
        assert done.status == 0, done.err
        assert f'"name": "{name.split(",")[0]}"' in out.read_text() and settings in out.read_text()
    assert "'aligned'" in done.err  # the last one is noisy
    for name, told in {
        "huen": "Did you mean 'heun'",
        "annealed": "'ve'",
        "heun,s_chrun=1": "Did you mean 's_churn'",
        "heun,s_churn": "not a setting",
    }.items():
        done = run(*words, name)
        assert done.status == 2 and told in done.err and "Traceback" not in done.err
