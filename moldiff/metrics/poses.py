"""PoseBusters: is the geometry physically plausible?

M. Buttenschoen, G. M. Morris, C. M. Deane, Chem. Sci. 15, 3130 (2024); configuration ``mol``
(chemistry, bond lengths and angles, clashes, flatness, internal energy against an ensemble of
50 conformers).  A molecule that is not strictly valid fails without being shown to it.

For some real strained molecules (a few per cent of QM9) the conformer ensemble cannot be
embedded and PoseBusters leaves the energy check open.  ``pass`` follows the usual
``bust(...).all(axis=1)``: an open check is no failure; ``pass_complete`` counts it as one.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rdkit import Chem, RDLogger, rdBase

from moldiff.interrupts import held
from moldiff.metrics.parallel import Progress, each
from moldiff.metrics.sample import Sample
from moldiff.metrics.value import Value, rate

__all__ = ["Poses", "bust", "measure"]

#: Name of a check -> passed, failed, or None for "could not be computed".
Checks = dict[str, bool | None]


@dataclass(frozen=True)
class Poses:
    """What PoseBusters said: None stands for a molecule that is not strictly valid."""

    rows: tuple[Checks | None, ...]

    @property
    def checked(self) -> list[Checks]:
        """The molecules PoseBusters saw."""
        return [row for row in self.rows if row is not None]

    def failures(self) -> list[str]:
        """Names of the failed checks, and of those left open."""
        words = {False: "failed", None: "not computed"}
        return [
            f"{name}: {words[passed]}"
            for row in self.checked
            for name, passed in row.items()
            if passed is not True
        ]

    def pass_rate(self) -> Value:
        """No check failed, over all molecules considered."""
        return rate(self._passed(), len(self.rows))

    def pass_of_valid(self) -> Value:
        """No check failed, over the strictly valid molecules considered."""
        return rate(self._passed(), len(self.checked), "no strictly valid molecules")

    def pass_complete(self) -> Value:
        """Every check was computed and passed, over all molecules considered."""
        return rate(sum(all(row.values()) for row in self.checked), len(self.rows))

    def per_check(self) -> dict[str, Value]:
        """Pass rate of each check, over the molecules for which it could be computed."""
        names = sorted({name for row in self.checked for name in row})
        results = {}
        for name in names:
            known = [row[name] for row in self.checked if row.get(name) is not None]
            results[name] = rate(sum(map(bool, known)), len(known), "never computed")
        return results

    def _passed(self) -> int:
        return sum(False not in row.values() for row in self.checked)


def measure(
    items: Sequence[tuple[Sample, bool]], *, jobs: int = 1, progress: Progress | None = None
) -> Poses | str:
    """Run PoseBusters on (sample, is it strictly valid); a string says why it cannot."""
    if not items:
        return "not asked for, or no molecules"
    if find_spec("posebusters") is None:
        return "posebusters is not installed: pip install 'moldiff[eval]'"
    if all(sample.positions is None for sample, _ in items):
        return "no three-dimensional coordinates"
    molecules = [sample.mol for sample, valid in items if valid and sample.positions is not None]
    answers = iter(each(bust, molecules, jobs=jobs, stage="PoseBusters", progress=progress))
    return Poses(
        tuple(
            next(answers) if valid and sample.positions is not None else None
            for sample, valid in items
        )
    )


def bust(
    mol: Chem.Mol,
    *,
    config: str = "mol",
    true: Chem.Mol | None = None,
    receptor: Path | None = None,
) -> Checks:
    """All checks of one strictly valid molecule, which is not changed.

    With a ``receptor`` (a PDB file) the molecule is a pose in it, and ``config`` is ``dock``,
    or ``redock`` with the ``true`` pose.
    """
    complete, without_energy, embeds = _busters(config)
    from pandas import isna

    with _silenced(), held():  # PoseBusters embeds: a Ctrl-C there would fail a check instead
        possible = embeds(Chem.Mol(mol))
        buster = complete if possible else without_energy
        row = buster.bust([Chem.Mol(mol)], true, receptor).iloc[0].to_dict()
    checks: Checks = {
        str(name): None if isna(value) else bool(value)
        for name, value in row.items()
        if name != "mol_pred_loaded"
    }
    return checks if possible else {**checks, "internal_energy": None}


@lru_cache(maxsize=3)
def _busters(name: str) -> tuple[Any, Any, Any]:
    """Build PoseBusters with and without the energy check, and a cheap test whether it can work.

    The shipped configuration lists the energy check twice; once is enough.  It is given one
    thread: the results are the same, and processes are the better way to use more cores.
    """
    with _silenced():
        from posebusters import PoseBusters
        from posebusters.modules.energy_ratio import new_conformation
        from posebusters.tools.inchi import get_inchi

        config = deepcopy(PoseBusters(config=name).config)
        energy: list[dict[str, Any]] = []
        others: list[dict[str, Any]] = []
        for module in config["modules"]:
            (energy if module["function"] == "energy_ratio" else others).append(module)
        energy = [m for m in energy if "chosen_binary_test_output" in m][:1]
        for module in energy:
            module["parameters"]["num_threads"] = 1
        complete = PoseBusters(config={**config, "modules": others + energy})
        without = PoseBusters(config={**config, "modules": others})

    def embeds(mol: Chem.Mol) -> bool:
        # PoseBusters gives up unless all 50 conformers embed, after trying each for long
        # (20 s a molecule). Its first conformer has the seed used here: if this one fails,
        # the whole check does, and 50 times the work is saved.
        try:
            new_conformation(Chem.MolFromInchi(get_inchi(mol)), 1, 1, False)
        except Exception:
            return False
        return True

    return complete, without, embeds


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep PoseBusters, and RDKit inside it, off the terminal.

    PoseBusters routes RDKit's log to Python's and switches all of its levels on; both are
    put back.
    """
    loggers = [logging.getLogger(name) for name in ("rdkit", "posebusters")]
    before = [log.disabled for log in loggers]
    rdBase.LogToPythonLogger()
    try:
        for log in loggers:
            log.disabled = True
        # Loggers below "posebusters" have no handler of their own, but inherit the root's.
        level = loggers[1].level
        loggers[1].setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        loggers[1].setLevel(level)
        for log, disabled in zip(loggers, before, strict=True):
            log.disabled = disabled
        rdBase.LogToCppStreams()
        for name in ("rdApp.debug", "rdApp.info"):
            RDLogger.DisableLog(name)
