"""The whole comparison: what is left to dock, the docking, and the files that come of it."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moldiff.benchmark.docking.answer import Job
from moldiff.benchmark.docking.complexes import Case
from moldiff.benchmark.docking.confidence import draw
from moldiff.benchmark.docking.curve import draw_curves, drawable
from moldiff.benchmark.docking.document import document
from moldiff.benchmark.docking.methods import METHODS, Run, parse
from moldiff.benchmark.docking.report import markdown
from moldiff.benchmark.docking.rows import Row, RowFile, plain
from moldiff.benchmark.docking.schedule import execute
from moldiff.benchmark.docking.worker import Task
from moldiff.docking.judge.ranking import EVIDENCE
from moldiff.errors import InputError, MissingExtraError

__all__ = ["CURVE", "Plan", "Study", "curve_runs", "read_similarity"]

#: Methods of which the curve is drawn, each at all of its efforts.
CURVE = ("moldiff", "random", "vina1", "vina8")
_BOX = "jitter2"  # the usual box, which recipes need not name
_EVIDENCE = tuple(name for name in EVIDENCE if name not in ("energy", "distance_score"))
_COLUMNS = (
    *("complex", "group", "set", "id", "seed", "rank", "rmsd", "energy", "distance_score"),
    *("fraction", "atoms", "torsions", "score", "confidence", "valid", "failed"),
    *_EVIDENCE,
)


@dataclass(frozen=True)
class Plan:
    """What is compared.

    Attributes
    ----------
    runs:
        Methods with their efforts.
    seeds:
        Each draws other boxes, conformers and proposals.
    poses:
        Reported by each method at most.
    busted:
        Of them judged by PoseBusters at most.
    limit:
        CPU-seconds for a docking, and again for judging it.
    model:
        A docking model in place of the bundled one.
    box:
        Where the boxes are, one of `moldiff.benchmark.docking.complexes.BOXES`.
    """

    runs: tuple[Run, ...]
    seeds: tuple[int, ...] = (0,)
    poses: int = 9
    busted: int = 9
    limit: int = 1200
    model: str | None = None
    box: str = _BOX

    def job(self, seed: int) -> Job:
        """Return what a method is told."""
        return Job(seed, self.poses, self.model)

    def recipe(self, run: Run) -> str:
        """Return a digest of all that the poses of a method depend on but complex and seed."""
        recipe = run.method.recipe(run.effort, self.job(0))
        return recipe if self.box == _BOX else f"{recipe} {self.box}"

    def recipes(self) -> dict[str, str]:
        """Return the digests of the methods by label."""
        return {run.label: self.recipe(run) for run in self.runs}


def curve_runs() -> list[Run]:
    """Return all points of the curve."""
    return [Run(name, effort) for name in CURVE for effort in METHODS[name].efforts]


def read_similarity(path: Path) -> dict[str, float]:
    """Read a table with the columns set, id, max_sim: ``set/id`` -> similarity.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            return {
                f"{row['set']}/{row['id']}": float(row["max_sim"]) for row in csv.DictReader(file)
            }
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"'{path}' is no table of similarities: {error}.",
            fix="It needs the columns set, id, max_sim.",
        ) from error


class Study:
    """A comparison in a folder: runs the dockings and writes the files; see `Study.open`.

    Parameters
    ----------
    cases:
        In the order in which they are docked.
    plan:
        With what.
    output:
        The folder.
    similarity:
        ``set/id`` -> similarity to the training set, for the splits.
    file:
        The rows that are done.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        plan: Plan,
        output: Path,
        similarity: dict[str, float],
        file: RowFile,
    ) -> None:
        self.cases, self.plan, self.output = list(cases), plan, output
        self.similarity, self._file = similarity, file
        self._recipes = plan.recipes()

    @classmethod
    @contextmanager
    def open(
        cls,
        cases: Sequence[Case],
        plan: Plan,
        output: Path,
        similarity: dict[str, float] | None = None,
    ) -> Iterator[Study]:
        """Open a comparison for the length of a ``with`` block.

        Its ``rows.jsonl`` is where an interrupted run goes on.

        Raises
        ------
        InputError, MissingExtraError, ModelFileError
            If a method cannot run here, or the folder cannot be written.
        """
        plan.recipes()  # before the folder is made: what cannot run leaves nothing behind
        with RowFile.open(output / "rows.jsonl") as file:
            yield cls(cases, plan, output, similarity or {}, file)

    @property
    def total(self) -> int:
        """Dockings planned."""
        return len(self.cases) * len(self.plan.runs) * len(self.plan.seeds)

    @property
    def stale(self) -> int:
        """Rows made with other settings, weights or versions: they do not count."""
        return sum(not self._current(row) for row in self._file.rows.values())

    def open_tasks(self) -> list[Task]:
        """Return what is not done: all methods of a complex in turn, one seed after the other."""
        every = (
            Task(
                case,
                run,
                self.plan.job(seed),
                self._recipes[run.label],
                self.plan.limit,
                self.plan.busted,
                self.plan.box,
            )
            for seed in self.plan.seeds
            for case in self.cases
            for run in self.plan.runs
        )
        return [task for task in every if not self._done(task)]

    def work(self, jobs: int = 1, progress: Callable[[Row], object] | None = None) -> None:
        """Dock what is left; every row is safe before ``progress`` is told of it."""
        for run in self.plan.runs:  # what cannot run is refused before anything does
            run.method.warm(self.plan.job(0))
        with closing(_generator(execute(self.open_tasks(), jobs))) as rows:
            for row in rows:
                self._file.append(row)
                if progress is not None:
                    progress(row)

    def rows(self) -> list[Row]:
        """Return the finished rows of these complexes that are up to date, of any method."""
        keys = {case.key for case in self.cases}
        return [
            row for row in self._file.rows.values() if row.complex in keys and self._current(row)
        ]

    def write(self, before: Sequence[Row] = ()) -> tuple[dict[str, Any], list[Path]]:
        """Write ``report.json``, ``report.md``, the curve and a table of poses a method.

        Parameters
        ----------
        before:
            Rows of an earlier comparison, to compare with.

        Returns
        -------
        tuple
            The document, and the files.
        """
        rows = self.rows()
        sets = [case.set for case in self.cases]
        planned = {name: sets.count(name) for name in dict.fromkeys(sets)}
        box = self.plan.box
        result = document(rows, planned, self.similarity, box=box, before=before)
        files = [self._text("report.json", json.dumps(plain(result), indent=1) + "\n")]
        why, picture = drawable(result["curves"]), self.output / "curve.svg"
        text, sure = markdown(result), self.output / "confidence.svg"
        if why:
            picture.unlink(missing_ok=True)
        else:
            draw_curves(result["curves"], picture)
            text += f"\n![Success against CPU-seconds]({picture.name})\n"
            files.append(picture)
        result["no_curve"] = why
        if draw({name: part["confidence"] for name, part in result["sets"].items()}, sure):
            text += f"\n![Confidence of first poses against their share within 2 Å]({sure.name})\n"
            files.append(sure)
        else:
            sure.unlink(missing_ok=True)
        files.insert(0, self._text("report.md", text))
        for label in dict.fromkeys(row.method for row in rows):
            mine = [row for row in rows if row.method == label]
            files.append(self._text(f"poses-{label}.csv", poses_table(mine)))
        return result, files

    def _text(self, name: str, text: str) -> Path:
        from moldiff.text import replace_text

        replace_text(self.output / name, text)
        return self.output / name

    def _done(self, task: Task) -> bool:
        row = self._file.rows.get(task.row.key)
        return row is not None and row.recipe == task.recipe

    def _current(self, row: Row) -> bool:
        """Whether a row was made as it would be made now."""
        if (row.recipe.partition(" ")[2] or _BOX) != self.plan.box:
            return False
        if row.method not in self._recipes:
            try:
                run = parse([row.method], search=0, exhaustiveness=1)[0]
                self._recipes[row.method] = self.plan.recipe(run)
            except MissingExtraError:  # cannot be made now: it is taken as it is
                self._recipes[row.method] = row.recipe
            except InputError:
                self._recipes[row.method] = ""
        return row.recipe == self._recipes[row.method]


def poses_table(rows: Sequence[Row]) -> str:
    """Return all poses of a method as CSV, as `moldiff.docking.judge.dockings` reads it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in rows:
        for rank, pose in enumerate(row.poses, start=1):
            if not math.isfinite(pose.rmsd):
                continue
            measured = (pose.rmsd, pose.energy, pose.distance_score, pose.fraction)
            rest = (pose.score, pose.confidence, pose.valid, " ".join(pose.failed))
            name = f"{row.complex}#{row.seed}"
            place = (name, row.complex, row.set, row.id, row.seed, rank)
            evidence = (pose.evidence.get(name) for name in _EVIDENCE)
            values = (*place, *measured, row.atoms, row.torsions, *rest, *evidence)
            writer.writerow(["" if value is None else value for value in values])
    return text.getvalue()


def _generator(rows: Iterator[Row]) -> Any:
    """An iterator that can be closed, as generators can."""
    return rows
