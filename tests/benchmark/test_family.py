"""The family compared, end to end: real trainings of a fraction of a second, killed and resumed."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff.benchmark import __main__ as command
from moldiff.benchmark.family.members import Member, Setup, members
from moldiff.benchmark.family.picture import spread
from moldiff.benchmark.family.report import markdown
from moldiff.benchmark.family.sampling import counted
from moldiff.data.molecules import prepare
from moldiff.generation.request import Request
from moldiff.generation.run import generate
from moldiff.methods import METHODS
from moldiff.model import Model
from moldiff.report import picture
from moldiff.train import TrainConfig
from moldiff.train.workloads.molecules import Molecules

SAMPLE = Path(__file__).parents[2] / "datasets" / "qm9" / "sample.sdf"
MINUTES = 0.01  # 0.6 s
NETWORK = {
    "name": "transformer", "width": 16, "pair_width": 8, "message_width": 8, "layers": 1,
    "heads": 2, "channels": 2, "context_width": 8,
}  # fmt: skip
ONLY = ("ddpm", "ddim", "af3", "consistency-distillation")


@pytest.fixture(scope="session")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """A tiny recipe, the sample of QM9 and an untrained teacher."""
    folder = tmp_path_factory.mktemp("family")
    store = prepare([SAMPLE], folder / "data")
    recipe = folder / "tiny.yaml"
    recipe.write_text(
        f"data: {store.path}\noutput: {folder / 'one'}\nbatch: 4\nnetwork: {json.dumps(NETWORK)}\n"
    )
    config = TrainConfig.from_yaml(recipe)
    Molecules(config, store).model.save(folder / "teacher.safetensors")
    return Setup(
        recipe=str(recipe),
        runs=folder / "runs",
        minutes=MINUTES,
        teacher=str(folder / "teacher.safetensors"),
    )


def arguments(setup: Setup, folder: Path, *more: str) -> list[str]:
    given = ["--recipe", setup.recipe, "--runs", str(setup.runs), "--teacher", setup.teacher]
    given += ["--minutes", str(setup.minutes), "-o", str(folder / "family.json")]
    return ["family", "--quick", *given, *more]


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "family.json").read_text())
    return found


def test_members_follow_the_methods(setup: Setup) -> None:
    found = members(setup)
    assert list(found) == list(METHODS)
    made = {name: m for name, m in found.items() if isinstance(m, Member)}
    assert {name for name in found if name not in made} <= {"latent"}  # whose codec is not there
    assert all(m.config.seed == 0 and m.config.batch == 4 for m in made.values())
    taught = {name for name, m in made.items() if m.distilled}
    assert taught == {"reflow", "consistency-distillation", "endpoint"}
    assert all(made[name].config.init == setup.teacher for name in taught)
    # What differs in sampling alone is trained once, whatever else is asked for.
    assert made["ddim"].run == made["dpm-solver"].run == "ddpm"
    assert made["dit"].run != made["af3"].run == "af3"
    (alone,) = members(setup, ["ddim"]).values()
    assert isinstance(alone, Member) and alone == made["ddim"]


@pytest.mark.thorough
def test_from_training_to_table(
    setup: Setup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- family:begin -->\nstale\n<!-- family:end -->\nafter\n")
    drawn = ["--picture", str(tmp_path / "family.png")] if picture.available() else []
    words = arguments(setup, tmp_path, "--only", *ONLY, "--readme", str(readme), *drawn)
    assert command.main(words) == 0, capsys.readouterr().err
    shown = capsys.readouterr()
    document = result(tmp_path)
    rows = {row["method"]: row for row in document["rows"]}
    assert set(rows) == set(ONLY) and all(row["failure"] is None for row in rows.values())
    budget = 60 * MINUTES
    for row in rows.values():
        training = row["training"]
        assert 0.7 * budget < training["cpu_seconds"] < 3 * budget  # CI machines are noisy
        assert 0 < training["molecules"] <= 4 * training["steps"]
        assert [point["steps"] for point in row["curve"]] == [1, 2]
        assert row["default"]["request"]["n"] == row["default"]["strict"]["n"] == 8
        assert row["default"]["nfe"] == row["default"]["steps"] <= 4
        assert row["default"]["molecules_per_cpu_second"] > 0
    assert rows["ddpm"]["training"] == rows["ddim"]["training"]
    assert rows["af3"]["equivariant"] is False and rows["ddpm"]["equivariant"] is True

    table = markdown(document)
    assert table in shown.out and table in readme.read_text()
    assert "`af3` (not equivariant) ‡" in table and "`consistency-distillation` †" in table
    steps = f"{rows['ddpm']['training']['steps']:,} steps"
    assert f"| `ddpm` | {steps} |" in table and f"| `ddim` | {steps}, as `ddpm` |" in table
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    assert ("![Quality" in text) == bool(drawn)

    # Again: nothing is trained or sampled, and the figures are the same.
    files = {p: p.stat().st_mtime_ns for p in setup.runs.rglob("*.json")}
    assert command.main(arguments(setup, tmp_path, "--only", *ONLY)) == 0
    assert {p: p.stat().st_mtime_ns for p in setup.runs.rglob("*.json")} == files
    assert result(tmp_path)["rows"] == document["rows"]
    assert command.main(arguments(setup, tmp_path, "--report-only")) == 0
    shown_now = {row["method"] for row in result(tmp_path)["rows"] if row["failure"] is None}
    assert shown_now >= set(ONLY) and "edm" not in shown_now

    capsys.readouterr()
    longer = arguments(setup, tmp_path, "--only", "ddpm")
    longer[longer.index("--minutes") + 1] = "0.02"
    for words in (longer, [*longer, "--report-only"]):  # the table would say 0.02 minutes
        assert command.main(words) == 2
        assert "--runs" in capsys.readouterr().err

    other = Path(setup.recipe).with_name("other.yaml")
    other.write_text(Path(setup.recipe).read_text().replace("batch: 4", "batch: 5"))
    changed = arguments(setup, tmp_path, "--only", "ddpm")
    changed[changed.index("--recipe") + 1] = str(other)
    assert command.main(changed) == 2
    assert "another batch" in capsys.readouterr().err


def test_a_killed_run_goes_on_with_its_time(setup: Setup, tmp_path: Path) -> None:
    """The CPU time already spent is in the checkpoint: it is not spent again."""
    from moldiff.benchmark.family import training
    from moldiff.train.api import training_store

    (member,) = members(setup, ["dit"]).values()
    assert isinstance(member, Member)
    config = TrainConfig.from_dict(
        {**member.config.to_dict(), "output": str(tmp_path), "checkpoint_minutes": 0.0}
    )
    store = training_store(config)

    class Killed(BaseException):
        pass

    def kill(text: str) -> None:
        if text.startswith("  step"):  # the plan is made, its steps are to come
            raise Killed

    with pytest.raises(Killed):
        training.train(config, store, MINUTES, kill)
    plan = training.read_results(tmp_path / "plan.json")
    assert plan is not None and not (tmp_path / "training.json").exists()
    assert plan["cpu_seconds_before"] >= 0.7 * 60 * MINUTES
    done = training.train(config, store, MINUTES, lambda text: None)
    assert done["steps"] == plan["steps"] and done["cpu_seconds"] > plan["cpu_seconds_before"]
    assert training.train(config, store, MINUTES, kill) == done  # at once


def test_evaluations_are_counted(model_file: Path) -> None:
    model = Model.load(model_file)
    for stepper, each in (("ancestral", 1.0), ("heun", 2.0)):
        with counted(model.network) as count:
            list(generate(model, Request(3), sampling={"steps": 4, "stepper": stepper}))
        # The last step of a second-order stepper needs no second evaluation.
        assert 4 * each - 1 <= count.graphs / 3 <= 4 * each
    with torch.inference_mode():
        list(generate(model, Request(1), sampling={"steps": 1}))
    assert count.graphs / 3 <= 8  # no longer counted


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--only", "dpm"], "Did you mean 'ddpm'"),
        (["--minutes", "0"], "above 0"),
        (["--threads", "0"], "at least 1"),
        (["--readme", "no-such-file.md"], "no-such-file.md"),
        (["-o", "no-such-folder/family.json"], "no-such-folder"),
    ],
)
def test_bad_requests(
    more: list[str], says: str, setup: Setup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([*arguments(setup, tmp_path), *more]) == 2
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error


def test_a_readme_without_a_place_is_refused_before_any_work(
    setup: Setup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing here\n")
    assert command.main(arguments(setup, tmp_path, "--readme", str(readme))) == 2
    assert (
        "<!-- family:begin -->" in capsys.readouterr().err
        and readme.read_text() == "nothing here\n"
    )


def test_what_two_members_ask_for_is_measured_once(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moldiff.benchmark.family import study

    asked: list[Any] = []
    real = study.measure

    def counting(model: Model, sampling: Any, **rest: Any) -> Any:
        asked.append(sampling)
        return real(model, sampling, **rest)

    monkeypatch.setattr(study, "measure", counting)
    ours = Setup(**{**vars(setup), "runs": tmp_path / "runs"})
    plan = study.Plan(samples=4, steps=(1, 2), most=2)
    found = study.compare(ours, plan, ["marginal", "dit"], lambda text: None)["rows"]
    assert found[0]["run"] == found[1]["run"]
    assert found[0]["curve"] == found[1]["curve"] and len(asked) == 2


@pytest.mark.skipif(not picture.available(), reason="without matplotlib")
def test_the_picture_has_a_panel_for_each_branch(tmp_path: Path) -> None:
    from moldiff.benchmark.family.picture import draw

    def row(name: str, *quality: float) -> dict[str, Any]:
        curve = [{"steps": 2**k, "stable": {"value": q}} for k, q in enumerate(quality)]
        known = {"method": name, "kind": METHODS[name].kind, "curve": curve}
        return known | {"equivariant": name != "af3", "distilled": name == "reflow"}

    names = ["ddpm", "ddim", "af3", "reflow", "aligned", "mask", "edm"]
    rows = [row(name, 0.1, 0.2 + 0.1 * k) for k, name in enumerate(names)]
    for shown in (rows[:1], rows, [*rows, row("latent")]):
        document = {"rows": shown, "setup": {"minutes": 1.0}, "plan": {"steps": [1, 2]}}
        draw(document, tmp_path / "family.svg")
        text = (tmp_path / "family.svg").read_text()
        drawn = [r for r in shown if r["curve"]]
        assert all(f"<!-- {r['kind']} -->" in text for r in drawn)
        assert all(f"<!-- {r['method']} -->" in text for r in drawn)
        assert "<!-- latent -->" not in text


def test_nothing_measured_is_no_picture(
    setup: Setup, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not picture.available():
        pytest.skip("without matplotlib")
    drawn = tmp_path / "family.png"
    words = arguments(setup, tmp_path, "--only", "edm", "--report-only", "--picture", str(drawn))
    assert command.main(words) == 0
    assert "not drawn" in capsys.readouterr().err and not drawn.exists()


def test_labels_do_not_touch() -> None:
    values = [50.0, 50.5, 49.0, 0.0, 0.0, 97.0, 52.0]
    heights = spread(values, 4.0)
    assert max(heights) <= 100 and max(spread([99.0, 98.0, 100.0], 4.0)) <= 100
    ordered = sorted(heights)
    assert all(b - a >= 4 - 1e-9 for a, b in itertools.pairwise(ordered))
    assert heights[5] == 97.0 and min(heights) >= 0
    assert heights[2] < heights[0] < heights[1] < heights[6]  # in the order of the curves
