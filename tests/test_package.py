"""The package as it is installed: what importing costs, its version, and what a wheel carries."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import moldiff

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "rdkit", "numpy", "scipy", "e3nn", "torch_geometric", "posebusters"}


def python(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def median_seconds(*arguments: str) -> float:
    """Median of three runs of a fresh interpreter with these arguments."""

    def once() -> float:
        start = time.perf_counter()
        command = [sys.executable, *arguments]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - start

    return statistics.median(once() for _ in range(3))


def test_import_is_light() -> None:
    loaded = python("import moldiff, sys; print(*sys.modules)").split()
    assert not HEAVY & set(loaded)


def test_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "moldiff"]
    version = subprocess.run([*command, "--version"], cwd=ROOT, capture_output=True, text=True)
    assert (version.returncode, version.stdout) == (0, f"moldiff {moldiff.__version__}\n")
    refused = subprocess.run([*command, "nothing"], cwd=ROOT, capture_output=True, text=True)
    assert refused.returncode == 2 and "nothing" in refused.stderr


def test_help_is_light() -> None:
    code = (
        "import sys; from moldiff.cli import main; main(['--help']); print('LOADED', *sys.modules)"
    )
    loaded = python(code).split("LOADED")[-1].split()
    assert not HEAVY & set(loaded)


def test_help_answers_at_once() -> None:
    """Under half a second; on a slow or busy machine, 25 starts of the bare interpreter."""
    bare = median_seconds("-c", "pass")
    code = "import sys; from moldiff.cli import main; sys.exit(main(['--help']))"
    assert median_seconds("-c", code) < max(0.5, 25 * bare)


@pytest.mark.parametrize("name", sorted(set(moldiff.__all__) - {"__version__"}))
def test_public_names(name: str) -> None:
    """Every public name is there, whatever modules were imported before (those of design)."""
    verb = "design.grow" if name == "design" else name
    public = python(
        "import importlib, moldiff\n"
        f"try: importlib.import_module('moldiff.{name}')\n"
        "except ModuleNotFoundError: pass\n"
        f"print(callable(moldiff.{verb}), '{name}' in dir(moldiff))"
    )
    assert public.split() == ["True", "True"]


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        _ = moldiff.generat  # type: ignore[attr-defined]


def test_version_is_the_same_everywhere() -> None:
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M)
    changes = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    image = re.search(r'image\.version="(\S+)"', (ROOT / "Dockerfile").read_text("utf-8"))
    assert citation and changes and image
    assert citation[1] == changes[1] == image[1] == moldiff.__version__


def test_every_requirement_is_pinned() -> None:
    """constraints.txt holds one exact version of all that setup.cfg asks for."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    blocks = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    lines = [line.split(";")[0].strip() for block in blocks for line in block.splitlines() if line]
    wanted = {canonical(re.split(r"[<>=\[]", line)[0]) for line in lines} - {"moldiff"}
    pins = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    exact = {canonical(line.split("==")[0]) for line in pins if "==" in line}
    assert not wanted - exact
    assert not [line for line in pins if line and not re.match(r"#|[\w.-]+==[\w.]+$", line)]


def canonical(name: str) -> str:
    """A distribution's name as package indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the files in a wheel that is built from a copy of the sources."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    shutil.copytree(
        ROOT / "moldiff", source / "moldiff", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(out)], cwd=source, check=True, capture_output=True
    )
    with zipfile.ZipFile(next(out.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_wheel_carries_everything(wheel: set[str]) -> None:
    sources = {
        str(path.relative_to(ROOT).as_posix())
        for path in (ROOT / "moldiff").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".partial"
    }
    assert not sorted(sources - wheel)


def test_wheel_carries_the_weights_and_the_type_marker(wheel: set[str]) -> None:
    assert "moldiff/py.typed" in wheel
    assert [name for name in wheel if re.fullmatch(r"moldiff/weights/.+\.safetensors", name)]


def test_wheel_carries_nothing_else(wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel}
    assert tops == {"moldiff", f"moldiff-{moldiff.__version__}.dist-info"}


def test_the_dockerfile_has_no_faults() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint is not installed: the Dockerfile is not checked")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
