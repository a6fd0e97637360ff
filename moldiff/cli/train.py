"""``moldiff train``: train any task; stop and resume at any time."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.failure import Interrupted
from moldiff.cli.log import Log
from moldiff.cli.options import Imports, Learned, Loggers, import_all
from moldiff.cli.output import (
    bar,
    check_processes,
    check_threads,
    commonest,
    counted,
    remark,
    shown_directory,
    tell,
)
from moldiff.cli.piping import scriptable
from moldiff.cli.progress import preparing
from moldiff.interrupts import on_signal

if TYPE_CHECKING:
    import torch

    from moldiff.train import TrainConfig, Trainer
    from moldiff.train.processes import Processes
    from moldiff.train.trainer import Progress

EXAMPLES = (
    "moldiff train my.sdf",
    "moldiff train my.sdf --output runs/my --steps 20000",
    "moldiff data qm9 && moldiff train qm9",
    "moldiff train config.yaml --device cuda",
    "moldiff train my.sdf --processes 2",
    "moldiff train my.sdf --condition gap --condition logp --output runs/gap",
    "moldiff train my.sdf --method flow-matching --output runs/flow",
    "moldiff train my.sdf --method endpoint --teacher runs/my/model.safetensors --output runs/fast",
)


@scriptable()
def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG|FILE",
            help="A configuration (.yaml), a bundled one (qm9), or molecules (.sdf, ...).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Directory of the run. [default: the configuration's]"),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="A member of the family (moldiff methods), over the configuration."),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(help="Model that a distilled method learns from, and begins with."),
    ] = None,
    conditions: Learned = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimisation steps in all.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="A prepared data set, or a file of molecules.")
    ] = None,
    codec: Annotated[
        Path | None, typer.Option(help="Work in the latents of this codec (--method latent).")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Molecules per step.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of one operation.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or mps.")] = None,
    loggers: Loggers = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Processes on this machine that share each step (a GPU each)."),
    ] = None,
    devices: Annotated[
        str | None, typer.Option(help="As in Fabric: how many, or which GPUs: 2; 0,3; auto.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Machines, each with this command.")
    ] = None,
    imports: Imports = None,
) -> None:
    """Train a model, or go on with it.

    The same command goes on from the last checkpoint; Ctrl-C saves and stops. The run's
    directory gets model.safetensors (averaged weights, ready to use), the checkpoint,
    config.yaml, log.csv, evaluation.csv and training.html, a page of their curves. Paths in a
    configuration are relative to the current directory. A run may go on with any number of
    processes that divides the pieces of its steps.
    """
    from moldiff.cpu import set_threads
    from moldiff.train.api import shared, training_config
    from moldiff.train.loggers import check_logger
    from moldiff.train.processes import Processes

    paths = {"output": output, "data": data, "codec": codec}
    places = {key: None if path is None else str(path) for key, path in paths.items()}
    numbers = {"steps": steps, "batch": batch, "threads": threads}
    settings: dict[str, Any] = {**places, **numbers, "device": device}
    parts: dict[str, Any] = {"method": method, "teacher": teacher}
    check_threads(threads)
    import_all(imports)
    for logger in loggers or []:
        check_logger(logger)
    asked = conditions or []
    config = training_config(source, conditions=asked, announce=remark, **parts, **settings)
    check_threads(config.threads, f"'threads' in {source}")
    set_threads(config.threads)
    import_options = list(chain(*(("--import", one) for one in imports or [])))
    chosen = {"processes": processes, "devices": devices, "nodes": nodes}
    several = (("--condition", asked), ("--logger", loggers or []))
    more = [word for option, values in several for one in values for word in (option, one)]
    options = {**parts, **settings, **chosen}
    resume = _resume_command(source, options, [*import_options, *more])
    advice = f"Nothing is lost but the time since the last checkpoint. To go on: {resume}"
    together = Processes(
        processes, devices=devices, nodes=nodes or 1, device=config.device, advice=advice
    )
    check_processes(together.local, config.threads)
    config = shared(config, together.count, remark if together.main else lambda text: None)
    with together:
        if not together.main:
            _follow(config, together)
            return
        _Run(config, source, resume, together, loggers or ()).train()
    if import_options:
        print(f"Its own parts are needed there, too: {shlex.join(import_options)}")


def _follow(config: TrainConfig, processes: Processes) -> None:
    """Train in a process beside the main one, without a word."""
    from moldiff.train.api import trainer, training_store

    with processes.first():
        store = training_store(config)
    run = trainer(config, store, processes=processes)
    with on_signal(run.stop):
        for _ in run.fit():
            pass


def _resume_command(
    source: str, overrides: Mapping[str, str | int | None], more: Sequence[str]
) -> str:
    """Return the command that resumes the run, ready to paste into a shell."""
    options = [(f"--{name}", str(value)) for name, value in overrides.items() if value is not None]
    return shlex.join(["moldiff", "train", source, *chain(*options), *more])


_SHOWN = 10  # kinds of rejected molecules
_COLUMNS = ("{task.completed}/{task.total}", "{task.fields[left]}", "{task.fields[note]}")


class _Run:
    """Prepares, trains, logs and reports."""

    def __init__(
        self,
        config: TrainConfig,
        source: str,
        again: str,
        processes: Processes,
        loggers: Sequence[str] = (),
    ) -> None:
        from moldiff.data.preparation import shards_folder
        from moldiff.train.api import trainer, training_store
        from moldiff.train.data import prepared_folder
        from moldiff.train.workload import task

        self.config, self.source, self.again = config, source, again
        self.stopping, self.skipped = False, 0
        self.say: Callable[[str], None] = remark
        show_in = preparing(shards_folder(prepared_folder(config)), shlex.split(again))
        with processes.first(), show_in as show:  # a file of molecules is prepared first
            jobs = os.cpu_count() or 1
            store = training_store(config, announce=remark, jobs=jobs, progress=show)
        rejected = store.meta.get("rejected")
        if rejected:
            kinds = commonest(rejected, _SHOWN)
            things = counted(2, task(config).unit).removeprefix("2 ")
            finding = f"{sum(rejected.values())} of the data's {things} cannot be used: {kinds}"
            remark(f"{finding}; all are in {store.path / 'rejected.csv'}")
        self.trainer: Trainer = trainer(config, store, judge=self.judge, processes=processes)
        self.log = Log(self.trainer, again, loggers)

    def train(self) -> None:
        """Train to the end or until a signal; then print the path of the model."""
        trainer, config = self.trainer, self.config
        self.greet()
        if trainer.step <= config.steps:  # else it stays as it is
            self.fit()
        # After the loop: leaving it has saved the state.
        if trainer.step < config.steps:
            raise Interrupted(
                f"Stopped and saved at step {trainer.step} of {config.steps}. "
                f"To go on: {self.again}"
            )
        model = trainer.output / "model.safetensors"
        print(f"The model is {model}")
        use = trainer.work.model.use.format(model=model)
        print(f"Use it: {use}")
        tell({"model": str(model), "steps": trainer.step, "use": use})

    def fit(self) -> None:
        """Train, and report each step."""
        from moldiff.train.records import lock_directory

        trainer, config = self.trainer, self.config
        trainer.output.mkdir(parents=True, exist_ok=True)
        with lock_directory(trainer.output):  # the files of a run that goes on stay as they are
            self.log.rewind()
            _write_config(config, self.source)
        with on_signal(self.stop), bar(*_COLUMNS) as shown, self.log:
            if not shown.disable:  # print above the bar
                self.say = lambda text: shown.console.print(text, markup=False, highlight=False)
            line = shown.add_task(
                "training", total=config.steps, completed=trainer.step, left="", note=""
            )
            try:
                for progress in trainer.fit():
                    note = self.log.add(progress)
                    self.report_skipped(progress)
                    left = str(self.log.left)
                    shown.update(line, completed=progress.step, left=left, note=note)
                    if shown.disable and self.log.line_due:
                        rest = f", {left}" if left else ""
                        self.say(f"step {progress.step} of {config.steps}: {note}{rest}")
            except KeyboardInterrupt:  # from self.judge, when asked to stop
                pass

    def greet(self) -> None:
        """Print whether the run starts, resumes or is finished."""
        trainer, steps = self.trainer, self.config.steps
        output = shown_directory(trainer.output)
        if trainer.step > steps:
            remark(
                f"{output} is at step {trainer.step} already and stays as it is; --steps with more "
                "takes it further."
            )
            return
        if trainer.step == steps:
            remark(f"{output} is finished: step {trainer.step}; --steps takes it further.")
        elif trainer.step:
            remark(f"Resuming {output} at step {trainer.step} of {steps}.")
        else:
            unit = trainer.work.unit
            things = counted(len(trainer.store.indices("train")), unit)
            remark(f"Training {counted(steps, 'step')} on {things} into {output}.")
        remark(f"Its curves, in a browser: {self.log.page.path}")
        if self.config.precision == "auto":
            chosen = str(trainer.precision).removeprefix("torch.")
            remark(f"Large products are in {chosen}, the faster type here (precision: auto).")

    def report_skipped(self, progress: Progress) -> None:
        """Say that a step made no update, at the first one and then in powers of two."""
        count = progress.skipped
        if count > self.skipped and not count & (count - 1):
            self.say(
                f"step {progress.step}: no update, its gradient is not finite "
                f"({counted(count, 'such step')} so far; 'skipped' in log.csv)."
            )
        self.skipped = count

    def judge(self, model: Any, rng: torch.Generator) -> dict[str, float]:
        """Evaluate the model; leave early if asked to stop."""

        def progress(amount: float) -> None:
            if self.stopping:  # between steps, so the weights can be saved
                raise KeyboardInterrupt

        with self.log.judging():
            figures = self.trainer.work.judge(model, rng, progress)
        self.log.judged(figures)
        text = ", ".join(f"{name} {value:g}" for name, value in figures.items())
        self.say(f"step {self.trainer.step}: {text}")
        return figures

    def stop(self) -> None:
        """Stop after the step; the second time at once, keeping the last checkpoint."""
        if self.trainer.processes.failed:
            raise KeyboardInterrupt  # there are no more steps; leaving says which process failed
        if self.stopping:
            self.trainer.processes.leave(KeyboardInterrupt())
            remark("Stopped at once; the last checkpoint is untouched.")
            os._exit(130)  # unwinding would save a state from the middle of a step
        self.stopping = True
        self.trainer.stop()
        self.say("Stopping after this step ...")


def _write_config(config: TrainConfig, source: str) -> None:
    """Save the configuration: ``moldiff train DIR/config.yaml`` repeats the run.

    The user's own file is left alone, because it may have comments.
    """
    from moldiff.text import replace_text
    from moldiff.train import notation

    output = Path(config.output)
    output.mkdir(parents=True, exist_ok=True)
    target = output / "config.yaml"
    if target.resolve() == Path(source).resolve():
        return
    replace_text(target, notation.to_yaml(config.to_dict()))
