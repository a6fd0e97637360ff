"""Small errors on purpose, and whether the tests see them: ``python tests/mutants.py``.

Each mutant is one change of one line, in a copy of the repository; the tests named beside it are
run, and it is *killed* if one fails.  A survivor is a test that is missing.  This is no part of the
test suite.

    python tests/mutants.py              all, one after the other: some ten minutes
    python tests/mutants.py heun muon    those whose name holds one of these words
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = ("moldiff", "tests", "datasets", "setup.cfg", "pyproject.toml", "README.md")


@dataclass(frozen=True)
class Mutant:
    """A small error.

    Attributes
    ----------
    name:
        What is wrong.
    file:
        Where, below the package's folder.
    before, after:
        Text that stands in the file once, and what it becomes.
    tests:
        Arguments of pytest.
    """

    name: str
    file: str
    before: str
    after: str
    tests: str


MUTANTS = (
    # Those that lived when the tests were reviewed.
    Mutant(
        "moving average of the weights never updated",
        "train/trainer.py",
        "self.average.update(self.step)",
        "pass",
        "tests/train/test_trainer.py -k moving_average",
    ),
    Mutant(
        "all processes take the first pieces of a step",
        "train/processes.py",
        "pieces[self.rank :: self.count]",
        "pieces[:: self.count]",
        "tests/train/test_processes.py -k as_one",
    ),
    Mutant(
        "Metropolis accepts what is worse",
        "docking/search.py",
        "torch.log(u) < (before - after)",
        "torch.log(u) < (after - before)",
        "tests/docking/test_search.py",
    ),
    Mutant(
        "Metropolis is asked the wrong way round",
        "docking/search.py",
        "accepts(energies, trial_energies,",
        "accepts(trial_energies, energies,",
        "tests/docking/test_search.py",
    ),
    Mutant(
        "DDPM: tau without its square",
        "diffusion/process/gaussian.py",
        "(1 - (alpha_t * sigma_s / (alpha_s * sigma_t)) ** 2)",
        "(1 - (alpha_t * sigma_s / (alpha_s * sigma_t)))",
        "tests/contracts/test_processes.py -k posterior",
    ),
    Mutant(
        "pose network: contacts do not fade",
        "nn/contacts.py",
        " * g.fade.unsqueeze(-1).to(",
        " * torch.ones_like(g.fade).unsqueeze(-1).to(",
        "tests/contracts/test_smoothness.py -k contacts",
    ),
    # Those that were prepared then and not run.
    Mutant(
        "RMSD of the worst symmetry",
        "geometry/arrays.py",
        "rmsd(relabelled, pose).min()",
        "rmsd(relabelled, pose).max()",
        "tests/chem/test_rmsd.py tests/geometry",
    ),
    Mutant(
        "self-conditioning dropped",
        "diffusion/objective/base.py",
        "return denoiser(x_t, t)",
        "return None",
        "tests/contracts/test_objectives.py",
    ),
    Mutant(
        "jump kernel: redrawn classes all alike",
        "diffusion/process/jump.py",
        "return (keep * one_hot + (1 - keep) * pi_t) * prior",
        "return (keep * one_hot + (1 - keep)) * prior",
        "tests/contracts/test_processes.py -k bayes",
    ),
    Mutant(
        "consistency: weight of a step without its length",
        "diffusion/objective/consistency.py",
        "return (distance / (self.levels * (omega_t - omega_s))).mean()",
        "return (distance / self.levels).mean()",
        "tests/contracts/test_objectives.py tests/diffusion/test_few_step.py",
    ),
    Mutant(
        "pose loss: early times count no more than late ones",
        "train/workloads/displacement.py",
        "weight = 1 / (self.early + t)",
        "weight = 1 / (self.early + 0 * t)",
        "tests/docking/model/test_training.py",
    ),
    # Across the package.
    Mutant(
        "Heun: noise is raised by half of what is asked",
        "diffusion/sampler/steppers.py",
        "level - math.log1p(gamma)",
        "level - 0.5 * math.log1p(gamma)",
        "tests/contracts/test_samplers.py -k heun",
    ),
    Mutant(
        "temperature falls with t, not with its square",
        "diffusion/guidance/temperature.py",
        "field_times(t, field).square()",
        "field_times(t, field)",
        "tests/diffusion/guidance/test_temperature.py",
    ),
    Mutant(
        "distance network: padding is attended to",
        "nn/distances.py",
        ".masked_fill(~real, -1e4)",
        "",
        "tests/docking/test_distances.py",
    ),
    Mutant(
        "conformers: mirror images count as one shape",
        "geometry/arrays.py",
        "np.where(np.linalg.det(covariance) < 0, -1, 1)",
        "1",
        "tests/geometry tests/chem/test_conformers.py",
    ),
    Mutant(
        "protonation: amidines stay neutral",
        "chem/protonate.py",
        'Rule("amidine or isothiourea", f"{_IMINE}=[CX3]([#6,SX2]){_UNACYLATED}", +1),',
        "",
        "tests/chem/test_protonate.py",
    ),
    Mutant(
        "distributions: classes weigh the same, however frequent",
        "metrics/distributions.py",
        "(self.reference.continuous[k].size, self._continuous(k))",
        "(1, self._continuous(k))",
        "tests/metrics/test_distributions.py",
    ),
    Mutant(
        "PoseBusters: a check that was not computed has failed",
        "metrics/poses.py",
        "return sum(False not in row.values() for row in self.checked)",
        "return sum(all(row.values()) for row in self.checked)",
        "tests/metrics/test_poses.py",
    ),
    Mutant(
        "histidines: a tie puts the hydrogen on ND1",
        "protein/polar.py",
        '(scores[n], n == "NE2")',
        '(scores[n], n == "ND1")',
        "tests/protein",
    ),
    Mutant(
        "interactions: hydrogen bonds count as clashes",
        "protein/interactions/search.py",
        '_SHORTEST = {"hbond": 2.1, ',
        "_SHORTEST = {",
        "tests/view/test_docking.py",
    ),
    Mutant(
        "search: chains are exchanged for worse ones",
        "docking/search.py",
        "torch.softmax(-energies.double() / spread",
        "torch.softmax(energies.double() / spread",
        "tests/docking/test_search.py",
    ),
    Mutant(
        "grid energy: the penalty outside the box is not in the gradient",
        "docking/energy/grid.py",
        ".add_(excess.sign(), alpha=SLOPE)",
        "",
        "tests/docking/test_energy.py",
    ),
    Mutant(
        "superposed onto a mirror image",
        "geometry/arrays.py",
        "u[..., -1] *= np.sign(np.linalg.det(u @ vt))[..., None]",
        "pass",
        "tests/geometry",
    ),
    Mutant(
        "split: test molecules are those for validation as well",
        "data/split.py",
        "borders = (count - validation - test, count - test, count)",
        "borders = (count - validation - test, count - validation, count)",
        "tests/data/test_molecules.py",
    ),
    Mutant(
        "rows of every shard count from the first record",
        "data/molecules.py",
        'arrays["source_index"] + records',
        'arrays["source_index"]',
        "tests/data/test_preparation.py",
    ),
    Mutant(
        "shards of another file are used again",
        "data/preparation.py",
        "json.dumps([versions, identity], sort_keys=True)",
        "json.dumps(versions)",
        "tests/data/test_preparation.py",
    ),
    Mutant(
        "learning rate decays linearly",
        "train/config.py",
        "max(0.0, min(1.0, progress)) ** 0.5",
        "max(0.0, min(1.0, progress))",
        "tests/train/test_config.py tests/train/test_optimizer.py",
    ),
    Mutant(
        "batches always hold the same molecules",
        "train/loader.py",
        "_chunks(random.permutation(bucket), self.most(n))",
        "_chunks(bucket, self.most(n))",
        "tests/train/test_loader.py",
    ),
    Mutant(
        "batches by cost all count the same",
        "train/loader.py",
        "return batch.graphs / self.mean if",
        "return 1.0 if",
        "tests/train/test_loader.py",
    ),
    Mutant(
        "larger molecules get the smaller scale",
        "diffusion/process/gaussian.py",
        "(n / self.atoms) ** self.exponent",
        "(self.atoms / n) ** self.exponent",
        "tests/train/test_statistics.py",
    ),
    Mutant(
        "the noise of a step has the scale of another size",
        "diffusion/process/gaussian.py",
        "replace(self, scale=self.scale(shape[1]))",
        "replace(self, scale=self.scale(shape[0]))",
        "tests/contracts/test_sizes.py",
    ),
    Mutant(
        "a frame is turned from the wrong side",
        "train/orientation.py",
        "matrices.unsqueeze(1) @ frames",
        "frames @ matrices.unsqueeze(1)",
        "tests/train/test_orientation.py",
    ),
    Mutant(
        "Muon takes embeddings of classes as well",
        "train/optimizer.py",
        "id(p) in inner - tables",
        "id(p) in inner",
        "tests/train/test_optimizer.py",
    ),
    Mutant(
        "evaluations do not count in the time left",
        "cli/watch.py",
        "+ judging * self.evaluations",
        "",
        "tests/cli/test_watch.py -k time_left",
    ),
    Mutant(
        "the page is written at every step",
        "cli/watch.py",
        "if waited >= (self.apart if fresh else max(_QUIET, self.apart)):",
        "if waited >= 0:",
        "tests/cli/test_watch.py -k all_the_time",
    ),
    Mutant(
        "a watched peak is thinned away",
        "report/chart.py",
        "[min(finite)[1], max(finite)[1]]",
        "[min(finite)[1]]",
        "tests/report/test_chart.py",
    ),
    Mutant(
        "a finished page reads itself again",
        "report/training.py",
        'if run.state == "running" else ""',
        'if run.state else ""',
        "tests/report/test_training.py",
    ),
    Mutant(
        "a second run cuts the log of the first",
        "cli/train.py",
        "with lock_directory(trainer.output):",
        "with contextmanager(lambda: iter([0]))():",
        "tests/cli/test_watch.py -k another_run",
    ),
    Mutant(
        "a run that is further than asked is written anew",
        "train/trainer.py",
        "if self.step > self.config.steps:",
        "if self.step < 0:",
        "tests/train/test_run.py -k stays_as_it_is",
    ),
    Mutant(
        "events of steps taken again stay",
        "train/loggers.py",
        "purge_step=step + 1",
        "purge_step=None",
        "tests/train/test_loggers.py",
    ),
    Mutant(
        "a repeated key takes the last",
        "train/notation.py",
        "if key in lines:",
        "if key in ():",
        "tests/train/test_config.py -k repeated",
    ),
    Mutant(
        "a batch of distances stays on the CPU",
        "train/workloads/distances.py",
        "x_0 = self.objective.batch(batch, rng=rng).to(self.config.device)",
        "x_0 = self.objective.batch(batch, rng=rng)",
        "tests/docking/test_distances.py -k device",
    ),
    Mutant(
        "SDF: a title of two lines is written as it is",
        "io/write.py",
        '" ".join(title.split())',
        "title",
        "tests/test_io.py",
    ),
    Mutant(
        "drug-like molecules are split one by one",
        "data/druglike/writing.py",
        "group = scaffold(smiles) or smiles",
        "group = smiles",
        "tests/data/druglike/test_build.py -k scaffold",
    ),
    Mutant(
        "drug-like molecules without rings are split together",
        "data/druglike/writing.py",
        "group = scaffold(smiles) or smiles",
        "group = scaffold(smiles)",
        "tests/data/druglike/test_build.py -k without_rings",
    ),
    Mutant(
        "one molecule more of a scaffold than allowed",
        "data/druglike/selection.py",
        "> source.of_a_scaffold",
        "> source.of_a_scaffold + 1",
        "tests/data/druglike/test_selection.py",
    ),
    Mutant(
        "results of a list's last rows are never complete",
        "data/druglike/results.py",
        "self._range(number, self._rows))",
        "range(SIZE))",
        "tests/data/druglike/test_results.py",
    ),
    Mutant(
        "what a full disk cut off stays in the file's buffer",
        "journal.py",
        "rest = rest[os.write(self._file.fileno(), rest) :]",
        "rest = rest[self._file.write(rest) :]",
        "tests/test_journal.py",
    ),
    Mutant(
        "share of rings over molecules instead of rings",
        "metrics/composition.py",
        "x[:, 0].sum() / x[:, 1].sum()",
        "x[:, 0].mean()",
        "tests/metrics/test_composition.py",
    ),
    Mutant(
        "total variation is twice what it is",
        "metrics/composition.py",
        "np.abs(total / total.sum() - data).sum() / 2",
        "np.abs(total / total.sum() - data).sum()",
        "tests/metrics/test_composition.py",
    ),
    Mutant(
        "bands take PoseBusters' rows for those of the first molecules",
        "metrics/study.py",
        'draw(range(len(self.samples)), getattr(self.settings, SLOW.get(protocol, ""), None))',
        "list(range(len(self.measurement(protocol).rows)))",
        "tests/metrics/test_bands.py -k chosen",
    ),
    Mutant(
        "a band ends before its largest size",
        "metrics/bands.py",
        "if low <= n <= high}",
        "if low <= n < high}",
        "tests/metrics/test_bands.py",
    ),
    Mutant(
        "ring systems forget what is doubly bonded to them",
        "chem/ring_systems.py",
        "elif len(inside) == 1 and bond.GetBondType() == Chem.BondType.DOUBLE:",
        "elif False:",
        "tests/chem/test_ring_systems.py",
    ),
    Mutant(
        "ring systems remember where they were substituted",
        "chem/ring_systems.py",
        "lost.SetNumExplicitHs(lost.GetNumExplicitHs() + round(bond.GetBondTypeAsDouble()))",
        "pass",
        "tests/chem/test_ring_systems.py",
    ),
    Mutant(
        "what a single molecule has is an allowed valence",
        "metrics/corrected.py",
        "if number >= _FEWEST",
        "if number",
        "tests/metrics/test_corrected.py -k ten_elements",
    ),
    Mutant(
        "corrected protocol: fragments are valid",
        "metrics/corrected.py",
        "connected = len(Chem.GetMolFrags(sample.mol)) == 1",
        "connected = True",
        "tests/metrics/test_corrected.py -k what_fails",
    ),
    Mutant(
        "torsions take the long way round",
        "metrics/internal.py",
        "np.minimum(turned, 360 - turned)",
        "turned",
        "tests/metrics/test_internal.py",
    ),
    Mutant(
        "changes of bond lengths are means of means",
        "metrics/relaxation.py",
        "float(x[:, 0].sum() / x[:, 1].sum())",
        "float((x[:, 0] / x[:, 1]).mean())",
        "tests/metrics/test_relaxation.py",
    ),
    Mutant(
        "subsets of consecutive molecules",
        "metrics/relaxation.py",
        "tuple(self.known[k::SUBSETS])",
        "tuple(self.known[k * len(self.known) // 5 : (k + 1) * len(self.known) // 5])",
        "tests/metrics/test_relaxation.py -k subsets",
    ),
    Mutant(
        "the interval of a distance lies above it",
        "metrics/value.py",
        "max(0.0, value - half)",
        "value",
        "tests/metrics/test_composition.py -k interval",
    ),
)


def applied(mutant: Mutant, root: Path) -> str:
    """Write the error into a copy of the repository; return the text that was there."""
    path = root / "moldiff" / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.before) != 1:
        raise SystemExit(
            f"'{mutant.name}': {text.count(mutant.before)} times in {mutant.file}, not once:"
            f"\n    {mutant.before}\nGive it anew in {Path(__file__).name}."
        )
    path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
    return text


@functools.cache
def passes(tests: str, root: Path) -> bool:
    """Whether tests pass as the repository is: only then does it say something that they fail."""
    return run(tests, root) == 0


def run(tests: str, root: Path) -> int:
    """Run tests in the copy; return pytest's exit status."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [*command, *tests.split()]
    return subprocess.run(words, cwd=root, env=environment, capture_output=True).returncode


def tested(mutant: Mutant, root: Path) -> str:
    """Run a mutant's tests: killed, SURVIVED, or what went wrong otherwise."""
    if not passes(mutant.tests, root):
        return "FAILS BEFORE"
    text = applied(mutant, root)
    try:
        status = run(mutant.tests, root)
    finally:
        (root / "moldiff" / mutant.file).write_text(text, encoding="utf-8")
    return {0: "SURVIVED", 1: "killed"}.get(status, f"no verdict ({status})")


def main(words: list[str]) -> int:
    """Print a table; return how many mutants were not killed."""
    chosen = [m for m in MUTANTS if not words or any(w in m.name for w in words)]
    alive = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        root = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / name, root / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, root / name)
        for mutant in MUTANTS:  # loud before the first is tested
            path = root / "moldiff" / mutant.file
            path.write_text(applied(mutant, root), encoding="utf-8")
        width = max(len(m.name) for m in chosen)
        for mutant in chosen:
            start = time.monotonic()
            verdict = tested(mutant, root)
            alive += verdict != "killed"
            seconds = time.monotonic() - start
            print(
                f"{verdict:14s} {mutant.name:{width}s}  {mutant.file}  {seconds:.0f} s", flush=True
            )
    print(f"{len(chosen) - alive} of {len(chosen)} killed")
    return alive


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
