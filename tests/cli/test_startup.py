"""What starting leaves out stays out, and is there for whoever uses it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from moldiff.cli import application, startup

ROOT = Path(__file__).parents[2]
COMPLEX = ROOT / "datasets" / "docking" / "1m2z"
# Module -> why neither generating nor docking may load it, and CPU-seconds it takes (2026).
UNWANTED = {
    "torch._dynamo": "torch's compiler, 1 s: RoMa and e3nn ask for it when they are imported",
    "torch._inductor": "the same",
    "sympy": "only the compiler needs it, 0.3 s",
    "e3nn": "one network of several, and it loads the compiler",
    "torch_geometric": "for graphs that users take elsewhere",
    "posebusters": "only where its checks are asked for; it loads pandas",
    "pandas": "0.3 s, for tables nobody reads here",
    "matplotlib": "for pictures of benchmarks",
    "scipy.stats": "0.3 s",
    "scipy.optimize": "for training (couplings)",
}
# The same, in the versions of torch whose import is known.
PUT_OFF = {
    "torch._meta_registrations": "shapes of operations, 0.3 s with what it loads",
    "torch._refs": "operations written again in Python, for the compiler",
    "torch.ao.quantization": "quantisation",
    "torch.distributions": "nothing here draws from them",
    "torch.export": "programs for elsewhere",
    "numpy.f2py.crackfortran": "a compiler of Fortran, woken by SciPy",
}
LOADED = "[n for n, m in sys.modules.items() if type(m).__name__ != '_Later']"


def fresh(code: str, *words: object, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own."""
    command = [sys.executable, "-c", code, *(str(word) for word in words)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def tried() -> bool:
    return startup._version().startswith(tuple(f"{v}." for v in startup.TRIED))


@pytest.mark.parametrize("name", ["generate", "dock"])
def test_commands_load_nothing_that_is_not_used(
    name: str, model_file: Path, tmp_path: Path
) -> None:
    words: dict[str, list[object]] = {
        "generate": ["generate", "-n", "2", "--model", model_file, "-o", "out.sdf"],
        "dock": [
            *("dock", "--receptor", COMPLEX / "receptor.pdb", "--ligand", "CCO"),
            *("--pocket-ligand", COMPLEX / "ligand.sdf", "--reference", COMPLEX / "ligand.sdf"),
            *("--draws", 2, "--starts", 5, "--searches", 2, "--rounds", 1, "--conformers", 1),
        ],
    }
    code = (
        "import sys; from moldiff.cli import main; assert main(sys.argv[1:]) == 0; "
        f"print('LOADED', *{LOADED})"
    )
    done = fresh(code, *words[name], folder=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split("LOADED")[1].split())
    assert "torch" in loaded
    unwanted = UNWANTED | (PUT_OFF if tried() else {})
    assert not {module: unwanted[module] for module in unwanted if module in loaded}


def test_the_pinned_torch_was_tried() -> None:
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert any(f"\ntorch=={version}." in f"\n{pinned}" for version in startup.TRIED), (
        "try the new torch with startup.LATER put off, then add its version to startup.TRIED"
    )


@pytest.mark.parametrize(
    "use",
    [
        "assert torch.empty(3, device='meta').softmax(0).shape == (3,)",
        "assert torch.distributions.Normal(0.0, 1.0).mean == 0",
        "x = torch.ones(3); assert torch.compile(torch.sin, backend='eager')(x).equal(x.sin())",
        "import torch.utils.checkpoint, torch._refs",
        "import torch._refs, torch._decomp; torch._refs.add",
        "import torch._prims; assert torch.rand(2, generator=torch.Generator()).sum() > 0",
        "from torch.utils.data import DataLoader",
        "import torch.ao.quantization as q; q.QConfig; torch.export.export",
        "import torch._dynamo, torch._inductor",
        "import numpy.f2py; numpy.f2py.run_main",
        "from e3nn import o3; assert o3.Irreps('1o').dim == 3",
    ],
)
def test_what_is_put_off_is_there_when_used(use: str) -> None:
    code = f"from moldiff.cli.startup import load_torch; load_torch(); import torch\n{use}"
    done = fresh(code)
    assert done.returncode == 0, done.stderr


def test_a_torch_that_was_not_tried_is_imported_as_it_comes() -> None:
    code = (
        "import sys; from moldiff.cli import startup; startup.TRIED = ('0.0',); "
        f"startup.load_torch(); assert 'torch' not in sys.modules; import torch; print(*{LOADED})"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr
    assert "torch._meta_registrations" in done.stdout.split()


def test_a_process_ends_with_its_status_its_output_and_its_handlers() -> None:
    code = (
        "import atexit; from moldiff.cli.startup import process\n"
        "atexit.register(print, 'handled', flush=False)\n"
        "process(lambda: print('done') or 3)"
    )
    done = fresh(code)
    assert (done.returncode, done.stdout.split()) == (3, ["done", "handled"]), done.stderr


def test_a_process_waits_for_its_threads() -> None:
    code = (
        "import threading, time; from moldiff.cli.startup import process\n"
        "def late():\n    time.sleep(0.3); print('late')\n"
        "process(lambda: threading.Thread(target=late).start() or 0)"
    )
    done = fresh(code)
    assert (done.returncode, done.stdout.strip()) == (0, "late"), done.stderr


def test_one_command_is_read_where_one_is_asked_for() -> None:
    code = (
        "import sys; from moldiff.cli import main; main(['info', '--help']); "
        "assert 'moldiff.cli.train' not in sys.modules; assert main(['inf']) == 2; "
        "assert 'moldiff.cli.train' in sys.modules"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr
    assert len(application(("info",)).registered_commands) == 1


def test_rotations_come_without_the_compiler() -> None:
    code = (
        "import sys, torch; from moldiff.geometry.roma import roma\n"
        "x = torch.randn(4, 3, 3, requires_grad=True)\n"
        "r = roma.special_procrustes(x); r.sum().backward()\n"
        "assert torch.allclose(r @ r.mT, torch.eye(3), atol=1e-5) and x.grad.isfinite().all()\n"
        "assert 'torch._dynamo' not in sys.modules and '_dynamo' not in vars(torch)\n"
        "late = roma.mappings._procrustes_apply_eager(x, True, 1e-5)[0]\n"
        "assert 'torch._dynamo' in sys.modules and torch.allclose(late, r, atol=1e-5)\n"
    )
    done = fresh(code)
    assert done.returncode == 0, done.stderr
