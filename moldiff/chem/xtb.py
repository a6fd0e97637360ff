"""GFN2-xTB, a semi-empirical quantum method, by running the program ``xtb``.

C. Bannwarth, S. Ehlert, S. Grimme, J. Chem. Theory Comput. 15, 1652 (2019).  The program is no
Python package and not required; where it is not on PATH, `lacking` says so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rdkit import Chem

from moldiff.chem.minimum import Minimum

__all__ = ["lacking", "optimise", "version"]

_PROGRAM = "xtb"
_KCAL = 627.509474  # kcal/mol in one Hartree
_SECONDS = 120  # for one molecule: drug-like ones take about ten
# One thread: molecules are small, and processes (--jobs) are the better way to use more cores.
_ENVIRONMENT = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# The summaries of the first and of the last single point; the lines of each cycle have a colon.
_ENERGY = re.compile(r"\btotal energy\s+(-?\d+\.\d+)\s+Eh\b", re.IGNORECASE)
_COMPLAINT = re.compile(r"^-\d+- (.+)$", re.MULTILINE)


def version() -> str | None:
    """Version of the program on PATH; None without one (or if it does not say)."""
    program = shutil.which(_PROGRAM)
    if program is None:
        return None
    try:
        process = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"version (\d\S*)", process.stdout)
    return match[1] if match else None


def lacking() -> str | None:
    """Say why the program cannot be used; None where it can."""
    if shutil.which(_PROGRAM) is not None:
        return None
    return "xtb is not installed: conda install -c conda-forge xtb, or apt install xtb"


def optimise(mol: Chem.Mol, level: str = "normal") -> Minimum | str:
    """Minimise one molecule as the closed-shell species of its formal charge in vacuum.

    Parameters
    ----------
    mol:
        With all hydrogens and a conformer; unchanged.
    level:
        The program's name for its thresholds, from "crude" (changes of the energy below 5e-4
        Hartree) over "normal" (5e-6) to "extreme".

    Returns
    -------
    Minimum or str
        Or the reason why there is none.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        return "xtb is not installed"
    charge = str(Chem.GetFormalCharge(mol))
    command = [program, "in.xyz", "--gfn", "2", "--opt", level, "--chrg", charge, "--uhf", "0"]
    try:
        # The program leaves a dozen files, and reads some if they lie where it runs.
        with TemporaryDirectory(prefix="moldiff-xtb-", ignore_cleanup_errors=True) as folder:
            place = Path(folder)
            (place / "in.xyz").write_text(_xyz(mol), encoding="ascii")
            process = subprocess.run(
                command,
                cwd=place,
                env={**os.environ, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
            )
            if process.returncode:
                return _complaint(process, converged=not (place / "NOT_CONVERGED").exists())
            return _minimum(process.stdout, (place / "xtbopt.xyz").read_text(encoding="ascii"))
    except subprocess.TimeoutExpired:
        return f"GFN2-xTB takes longer than {_SECONDS} s"
    except (OSError, ValueError, IndexError) as error:
        return f"GFN2-xTB fails: {error}"


def _complaint(process: subprocess.CompletedProcess[str], *, converged: bool) -> str:
    if not converged:
        return "not converged by GFN2-xTB"
    errors = _COMPLAINT.findall(process.stdout)
    return f"GFN2-xTB fails: {errors[-1] if errors else f'exit status {process.returncode}'}"


def _xyz(mol: Chem.Mol) -> str:
    positions = mol.GetConformer().GetPositions().tolist()
    atoms = zip((atom.GetSymbol() for atom in mol.GetAtoms()), positions, strict=True)
    lines = [f"{symbol} {x:.10f} {y:.10f} {z:.10f}" for symbol, (x, y, z) in atoms]
    return "\n".join([str(len(lines)), "", *lines]) + "\n"


def _minimum(output: str, optimised: str) -> Minimum:
    """Read the program's report and ``xtbopt.xyz``; ``ValueError`` if they are not as expected."""
    energies = [float(energy) for energy in _ENERGY.findall(output)]
    if len(energies) < 2:
        raise ValueError("the output lacks the energies before and after")
    lines = optimised.splitlines()
    number = int(lines[0])
    positions = np.array([line.split()[1:4] for line in lines[2 : 2 + number]], dtype=np.float64)
    if positions.shape != (number, 3):
        raise ValueError("the optimised structure is incomplete")
    return Minimum((energies[0] - energies[-1]) * _KCAL, positions)
