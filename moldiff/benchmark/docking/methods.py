"""What is compared: moldiff, its ablations, AutoDock Vina and Rustina."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.benchmark.docking.answer import Docked, Job, Posed
from moldiff.benchmark.docking.rows import label
from moldiff.errors import InputError, MissingExtraError, did_you_mean
from moldiff.report.machine import installed
from moldiff.version import __version__

if TYPE_CHECKING:
    from rdkit import Chem

    from moldiff.docking.problem import Pocket

__all__ = [
    "CHANGEABLE",
    "METHODS",
    "Method",
    "Ours",
    "Run",
    "Rustina",
    "Vina",
    "parse",
]


class Method(ABC):
    """A way to dock; ``what`` is a sentence for the report."""

    what: str
    efforts: tuple[int, ...]

    @abstractmethod
    def dock(self, mol: Chem.Mol, pocket: Pocket, effort: int | None, job: Job) -> Docked | str:
        """Dock a graph into a pocket, or say why it cannot be done."""

    @abstractmethod
    def recipe(self, effort: int | None, job: Job) -> str:
        """Return a digest of all that the poses depend on but the complex and the seed."""

    @abstractmethod
    def warm(self, job: Job) -> None:
        """Load modules and weights: a start-up that is not counted.

        Raises
        ------
        MissingExtraError, InputError, ModelFileError
            If the method cannot run here.
        """


@dataclass(frozen=True)
class Ours(Method):
    """Ours: ``overrides`` of the settings; an effort is a number of search rounds."""

    what: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    energy_only: bool = False
    efforts: tuple[int, ...] = (0, 5, 20, 80, 320)

    def dock(self, mol: Chem.Mol, pocket: Pocket, effort: int | None, job: Job) -> Docked | str:
        from moldiff.docking.judge.ranking import EVIDENCE, Ranking
        from moldiff.docking.pipeline import dock
        from moldiff.docking.problem import make_problem

        settings = self._settings(effort, job)
        problem = make_problem(mol, pocket, conformers=settings.conformers, seed=settings.seed)
        if isinstance(problem, str):
            return problem
        ranking = Ranking(power=0.0) if self.energy_only else None
        result = dock(problem, settings, ranking=ranking)
        poses = tuple(
            Posed(
                pose.mol,
                pose.energy,
                sum(map(bool, pose.checks.values())) / max(1, len(pose.checks)),
                pose.terms.get("distance_score"),
                pose.score,
                pose.confidence,
                {name: value for name, value in pose.terms.items() if name in EVIDENCE},
            )
            for pose in result.poses
        )
        box = tuple(map(float, result.box.centre))
        return Docked(problem, poses, result.seconds, result.proposals, box)

    def recipe(self, effort: int | None, job: Job) -> str:
        from moldiff.docking import bundled

        names = ("proposals", "distances", "ranks", "ranking")
        files = [bundled.bundled(name) for name in names]
        files += [None if job.model is None else Path(job.model)]
        weights = [b"" if path is None else path.read_bytes() for path in files]
        settings = self._settings(effort, Job(0, job.poses, job.model)).digest()
        words = [__version__, settings, f"{self.energy_only}"]
        return _digest([word.encode() for word in words] + weights)

    def warm(self, job: Job) -> None:
        from moldiff.docking import bundled, pipeline

        assert pipeline
        bundled.proposer(self._settings(0, job))
        bundled.judges(self._settings(0, job))
        bundled.ranking()

    def changed(self, changes: Mapping[str, int]) -> Ours:
        """Return the same with other settings of the search."""
        return replace(self, overrides={**self.overrides, **changes})

    def _settings(self, effort: int | None, job: Job) -> Any:
        from moldiff.docking.settings import Settings

        given: dict[str, Any] = {"seed": job.seed, "poses": job.poses, "model": job.model}
        if effort is not None:
            given["rounds"] = effort
        return Settings(**{**given, **self.overrides})


@dataclass(frozen=True)
class Vina(Method):
    """AutoDock Vina from ``conformers`` conformers; an effort is its exhaustiveness in all."""

    what: str
    conformers: int
    efforts: tuple[int, ...] = (1, 2, 4, 8, 16, 32)

    def dock(self, mol: Chem.Mol, pocket: Pocket, effort: int | None, job: Job) -> Docked | str:
        from moldiff.benchmark.docking.peer import dock_with_vina

        return dock_with_vina(mol, pocket, self.conformers, effort or 8, job)

    def recipe(self, effort: int | None, job: Job) -> str:
        version = _version("vina", "dock")
        words = [__version__, version, f"{self.conformers} {effort} {job.poses}", _reported()]
        return _digest([word.encode() for word in words])

    def warm(self, job: Job) -> None:
        _load("vina", "dock")


@dataclass(frozen=True)
class Rustina(Method):
    """Rustina from one conformer; an effort is its number of runs."""

    what: str
    efforts: tuple[int, ...] = (16, 32, 64)

    def dock(self, mol: Chem.Mol, pocket: Pocket, effort: int | None, job: Job) -> Docked | str:
        from moldiff.benchmark.docking.peer import dock_with_rustina

        return dock_with_rustina(mol, pocket, effort or self.efforts[0], job)

    def recipe(self, effort: int | None, job: Job) -> str:
        version = _version("rustina", "cnn")
        words = [__version__, "rustina", version, f"{effort} {job.poses}", _reported()]
        return _digest([word.encode() for word in words])

    def warm(self, job: Job) -> None:
        _load("rustina", "cnn")


#: The methods by name; the last three are the baselines.
METHODS: Mapping[str, Method] = {
    "moldiff": Ours("as it is bundled"),
    "cnn": Ours("ranked with the score of gnina's CNN too", {"rescore": "cnn"}),
    "random": Ours("the network replaced by random proposals", {"proposals": "random"}),
    "energy": Ours("ranked by the energy alone", energy_only=True),
    "unminimised": Ours(
        "proposals ranked as they are, without minimisation and search",
        {"iterations": 1, "rounds": 0, "chains": 1},  # more chains would add minimised poses
        efforts=(),
    ),
    "vina1": Vina("AutoDock Vina from one ETKDG conformer", 1),
    "vina8": Vina("AutoDock Vina from eight ETKDG conformers, the same search in all", 8),
    "rustina": Rustina("Rustina from one ETKDG conformer, put in order by gnina's network"),
}


#: Settings of ours that can be changed in a word of `parse`.
CHANGEABLE = (
    *("draws", "steps", "starts", "chains", "shortlist", "iterations", "conformers"),
    "cavities",
)


@dataclass(frozen=True)
class Run:
    """A method at an effort (None where it has none), with changes of its settings."""

    name: str
    effort: int | None
    changes: tuple[tuple[str, int], ...] = ()

    @property
    def label(self) -> str:
        """``name+setting=value@effort``."""
        words = [self.name, *(f"{name}={value}" for name, value in self.changes)]
        return label("+".join(words), self.effort)

    @property
    def method(self) -> Method:
        """What runs."""
        method = METHODS[self.name]
        return method.changed(dict(self.changes)) if isinstance(method, Ours) else method


def parse(words: Iterable[str], *, search: int, exhaustiveness: int) -> list[Run]:
    """Read ``name``, ``name@effort`` or ``name+chains=80+starts=500@effort``.

    Raises
    ------
    InputError, ConfigError
        For an unknown method, setting or a senseless effort or value.
    """
    runs = []
    for word in words:
        named, _, given = word.strip().partition("@")
        name, *changes = named.split("+")
        if name not in METHODS:
            raise InputError(f"There is no method '{name}'.", fix=did_you_mean(name, METHODS))
        method = METHODS[name]
        lowest, usual = _efforts(method, search, exhaustiveness)
        if given and not (given.isdecimal() and lowest <= int(given) <= 1000):
            raise InputError(
                f"The effort of '{word}' is no number from {lowest} to 1000.",
                fix=f"For example {name}@8.",
            )
        effort = int(given) if given else usual
        runs.append(Run(name, effort if method.efforts else None, _changes(method, changes)))
    return list(dict.fromkeys(runs))


def _efforts(method: Method, search: int, exhaustiveness: int) -> tuple[int, int]:
    """The least effort of a method, and the usual one."""
    if isinstance(method, Vina):
        return 1, exhaustiveness
    return (0, search) if isinstance(method, Ours) else (method.efforts[0], method.efforts[0])


def _changes(method: Method, words: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Read ``setting=value``; the values are those `Settings` takes."""
    from moldiff.docking.settings import Settings

    changes: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not isinstance(method, Ours) or name not in CHANGEABLE or not value.isdecimal():
            raise InputError(
                f"'{word}' changes no setting of the method.",
                fix=f"Ours take, for example, +chains=80: {', '.join(CHANGEABLE)}.",
            )
        changes[name] = int(value)
    Settings(**changes)
    return tuple(sorted(changes.items()))


def _version(program: str, extra: str) -> str:
    """The version of a baseline; ``MissingExtraError`` if it is not installed."""
    version = installed(program)
    if version is None:
        raise MissingExtraError(program, extra, "The baseline")
    return version


def _reported() -> str:
    """Which poses of a baseline are reported: those that ours would report."""
    from moldiff.docking.settings import Settings

    return f"{Settings().separation:g} {Settings().window:g}"


def _load(program: str, extra: str) -> None:
    _version(program, extra)
    from moldiff.benchmark.docking import peer

    peer.load(program)


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]
