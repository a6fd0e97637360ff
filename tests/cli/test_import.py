"""``--import``: parts of the user's own, from a file or a module, on the command line."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from moldiff import catalogue
from moldiff.cli import generate, info, likelihood, train, verify
from moldiff.io import read_molecules

Run = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("registry_kept")

STEPPER = """
from __future__ import annotations

from dataclasses import dataclass

from moldiff.diffusion.sampler import Ancestral, Stepper
from moldiff.registry import register


@register("stepper", "{name}")
@dataclass(frozen=True)
class Mine(Stepper):
    x: float = 1.0

    def step(self, denoiser, state, s, *, rng):
        return Ancestral(churn=1.0).step(denoiser, state, s, rng=rng)
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file with a stepper called ``mine``."""
    path = tmp_path / "my.py"
    path.write_text(STEPPER.format(name="mine"))
    return path


def sampling(path: Path) -> dict[str, Any]:
    """The sampling settings in the first record of a file."""
    settings: dict[str, Any] = json.loads(next(iter(read_molecules(path))).tags["sampling"])
    return settings


@pytest.mark.parametrize("module", [generate, train, likelihood, info, verify])
def test_the_commands_that_build_models_take_it(run: Run, module: Any) -> None:
    done = run(module.__name__.rpartition(".")[2], "--help")
    assert done.status == 0 and "--import" in done.out and "repeatable" in done.out


def test_a_stepper_of_ones_own_samples(run: Run, model_file: Path, mine: Path) -> None:
    out = mine.with_name("out.sdf")
    words = ("generate", "-n", 2, "--steps", 2, "--model", model_file, "-o", out)
    done = run(*words, "--import", mine, "--sampler", "mine,x=2")
    assert done.status == 0, done.err
    assert sampling(out)["stepper"] == {"name": "mine", "x": 2}
    for sampler, told in {
        "mine,y=2": "There is no setting 'y' in the stepper 'mine'",
        "mien": "Did you mean 'mine'",
    }.items():
        done = run(*words, "--import", mine, "--sampler", sampler)
        assert done.status == 2 and told in done.err, done.err


def test_what_it_drew_is_verified_with_it(run: Run, model_file: Path, mine: Path) -> None:
    out = mine.with_name("out.sdf")
    words = ("generate", "-n", 2, "--steps", 2, "--model", model_file, "-o", out)
    assert run(*words, "--import", mine, "--sampler", "mine,x=2").status == 0
    check = ("verify", out, "--model", model_file, "--strict")
    del catalogue._REGISTRY["stepper"]["mine"]  # as in another process
    unknown = run(*check)
    words_of_it = " ".join(unknown.out.split())
    assert unknown.status == 1 and "no stepper called 'mine'" in words_of_it
    assert "--import FILE" in words_of_it and "import_source" not in words_of_it
    done = run(*check, "--import", mine)
    assert done.status == 0, done.out + done.err


def test_designs_are_drawn_by_it(run: Run, mine: Path) -> None:
    out = mine.with_name("out.sdf")
    words = ("design", "grow", "--scaffold", "c1ccc([*:1])cc1", "--add", "5..6", "-n", 1)
    done = run(*words, "--steps", 2, "--import", mine, "--sampler", "mine,x=2", "-o", out)
    assert done.status == 0, done.err
    assert sampling(out)["stepper"] == {"name": "mine", "x": 2}


def test_any_registered_stepper_is_a_sampler(run: Run, model_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.sdf"
    words = ("generate", "-n", 1, "--steps", 2, "--model", model_file, "-o", out)
    done = run(*words, "--sampler", "ancestral,eta=0.5")
    assert done.status == 0, done.err
    assert sampling(out)["stepper"] == {"name": "ancestral", "eta": 0.5}


def test_files_and_modules_are_imported_in_their_order(
    run: Run, model_file: Path, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = mine.with_name("elsewhere") / "parts_of_mine"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "steps.py").write_text(STEPPER.format(name="dotted"))
    monkeypatch.syspath_prepend(package.parent)
    more = mine.with_name("more.py")  # uses the file beside it, and is of another name
    more.write_text(STEPPER.format(name="more") + "\nimport beside\n")
    mine.with_name("beside.py").write_text("")
    out = mine.with_name("out.sdf")
    words = ("generate", "-n", 1, "--steps", 2, "--model", model_file, "-o", out)
    imports = ("--import", mine, "--import", "parts_of_mine.steps", "--import", more)
    for name in ("mine", "dotted", "more"):
        done = run(*words, *imports, "--sampler", name)
        assert done.status == 0, done.err
        assert sampling(out)["stepper"] == {"name": name}
    twice = run(*words, "--import", mine, "--import", mine, "--sampler", "mine")
    assert twice.status == 0, twice.err


def test_a_run_with_ones_own_parts_trains_goes_on_and_samples(
    run: Run, tiny_config: Path, mine: Path
) -> None:
    config, folder = tiny_config, tiny_config.parent
    settings = "{steps: 4, stepper: {name: mine, x: 1e-3}}"
    config.write_text(config.read_text().replace("{steps: 4}", settings))
    unknown = run("train", config)
    assert unknown.status == 2 and "no stepper called 'mine'" in unknown.err
    assert "--import FILE" in unknown.err and not (folder / "run").exists()
    done = run("train", config, "--import", mine)
    assert done.status == 0, done.err
    assert f"there, too: {shlex.join(['--import', str(mine)])}" in done.out
    kept = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert kept["sampling"]["stepper"] == {"name": "mine", "x": 1e-3}
    again = run("train", folder / "run" / "config.yaml", "--import", mine)
    assert again.status == 0 and "is finished" in again.err
    model, out = folder / "run" / "model.safetensors", folder / "out.sdf"
    words = ("generate", "-n", 1, "--model", model, "-o", out)
    assert run(*words, "--import", mine).status == 0
    assert sampling(out)["stepper"]["name"] == "mine"
    assert run("info", model, "--import", mine).status == 0
    del catalogue._REGISTRY["stepper"]["mine"]  # as in another process
    done = run(*words)
    assert done.status == 2 and "no stepper called 'mine'" in done.err, done.err


# name of what is imported, its text (None: there is no such file), words of the error
BAD = {
    "missing": ("no.py", None, "There is no file 'no.py' to import. Check the path."),
    "syntax": ("bad.py", "x = 1\ndef f(:\n", "Cannot import 'bad.py', line 2: SyntaxError"),
    "error": ("bad.py", "x = 1\n\n1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
    "deep": (
        "bad.py", "import json\ndef f():\n    json.loads('{')\nf()\n",
        "'bad.py', line 3: JSONDecodeError: Expecting",
    ),
    "several lines": ("bad.py", "raise ValueError('one\\ntwo')", "line 1: ValueError: one."),
    "silent": ("bad.py", "raise KeyError", "line 1: KeyError. Correct the code"),
    "leaves": ("bad.py", "import sys; sys.exit(3)", "line 1: SystemExit: 3"),
    "needs": ("bad.py", "import nosuchthing", "No module named 'nosuchthing'. Install the"),
    "taken": ("bad.py", STEPPER.format(name="heun"), "there is a stepper called 'heun' already"),
    "no code": ("bad.txt", "x", "it is not a Python file (.py)"),
    "module": ("nosuchthing.parts", None, "Cannot import 'nosuchthing.parts': ModuleNotFoundError"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_imported_is_one_clear_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    name, text, told = BAD[case]
    if text is not None:
        (tmp_path / name).write_text(text)
    for words in (("generate", "-o", "out.sdf"), ("train", "qm9")):
        done = run(*words, "--import", name)
        assert done.status == 2 and told in done.err, done.err
        assert len(done.err.splitlines()) == 1 and "Traceback" not in done.err
    assert not (tmp_path / "out.sdf").exists()


GUIDANCE = """
from dataclasses import dataclass

from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.guidance import Guidance
from moldiff.registry import register


@register("guidance", "wrong", context=("denoiser",))
@dataclass(frozen=True, eq=False)
class Wrong(Guidance):
    denoiser: Denoiser

    def __call__(self, x_t, t, previous=None):
        prediction = self.denoiser(x_t, t, previous)
        return prediction.replace(positions=prediction["points"])
"""


def test_a_guidance_that_asks_for_another_field(run: Run, model_file: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "wrong.py", tmp_path / "out.sdf"
    path.write_text(GUIDANCE)
    words = ("generate", "-n", 2, "--model", model_file, "-o", out, "--import", path)
    done = run(*words, "--guidance", "wrong")
    assert done.status == 2 and not out.exists()
    assert "There is no field 'points' in this batch. It holds positions, types" in done.err
