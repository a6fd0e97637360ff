"""From user input to a trainer: configuration, data, checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moldiff.errors import ConfigError, InputError, did_you_mean
from moldiff.models import bundled_configs, check_device, find_model

if TYPE_CHECKING:
    import torch

    from moldiff.parallel import Progress
    from moldiff.train import TrainConfig, Trainer
    from moldiff.train.processes import Processes
    from moldiff.train.workload import Data

__all__ = ["shared", "trainer", "training_config", "training_store"]

_CONFIG_SUFFIXES = (".yaml", ".yml")
_STUDENT_RATE = (
    5e-4  # a student would lose its initial weights at the rates of training from scratch
)


def training_config(
    source: str,
    *,
    method: str | None = None,
    teacher: str | None = None,
    conditions: Sequence[str] = (),
    announce: Callable[[str], None] | None = None,
    **overrides: Any,
) -> TrainConfig:
    """Return the configuration of a run, with all checks that need no data.

    Parameters
    ----------
    source:
        A YAML file, the name of a bundled configuration, a file of molecules or a prepared
        store; files and stores use the bundled configuration ``default``.
    method:
        Name of a method (`moldiff.methods`) whose settings override the configuration.
    teacher:
        Model (bundled, or a file) that a distilled method learns from; None takes the
        configuration's, or the default model.  Training starts from its weights if the networks
        are the same; without a ``teacher`` here, the configuration's ``init`` takes precedence.
        A student with initial weights trains at a rate of at most 5e-4.
    conditions:
        Properties that the model can be asked for, in place of those of the configuration and of
        the method: names of `moldiff.chem.properties`, or fields of the data.
    announce:
        Called with the settings a method changes, and with warnings about doubtful combinations.
    overrides:
        Settings that replace the configuration's; None leaves a setting unchanged.

    Raises
    ------
    InputError, ConfigError
        If ``source`` is none of these, a setting is wrong, or settings are incompatible.
    """
    from moldiff.io import READABLE, molecule_stem
    from moldiff.methods import METHODS
    from moldiff.train import TrainConfig

    path, bundled = Path(source), bundled_configs()
    molecules = [s for s in path.suffixes if s.lower() in READABLE]
    if source in bundled:
        path = bundled[source]
    elif path.is_dir() or (path.is_file() and molecules):
        stem = path.resolve().name if path.is_dir() else molecule_stem(path)
        defaults = {"data": source, "output": str(Path("runs") / stem), "name": stem}
        overrides = defaults | {key: value for key, value in overrides.items() if value is not None}
        path = bundled["default"]
    elif path.suffix.lower() not in _CONFIG_SUFFIXES or not path.is_file():
        raise InputError(
            f"There is no configuration, molecule file or data store '{source}'.",
            fix=f"Give a path, or a bundled configuration. {did_you_mean(source, bundled)}",
        )
    config = TrainConfig.from_yaml(path, **overrides)
    say = announce or (lambda text: None)
    if method is not None:
        config = _with_method(config, method, say)
    if conditions:
        properties = tuple(conditions)
        config = replace(config, conditions=replace(config.conditions, properties=properties))
        say(f"The model learns to be asked for {', '.join(properties)}.")
    if teacher is not None or (method is not None and METHODS[method].taught):
        config = _with_teacher(config, teacher, say)
    if method is not None and METHODS[method].taught and config.init is not None:
        config = _at_student_rate(config, say)
    from moldiff.train.workload import task

    for remark in task(config).check(config):
        say(remark)
    return config


def _with_method(config: TrainConfig, method: str, say: Callable[[str], None]) -> TrainConfig:
    """Apply a method to a configuration, and report the settings it changes."""
    from moldiff.methods import apply
    from moldiff.train import TrainConfig
    from moldiff.train.workload import require

    require(config, "method", "--method")
    values, changes = apply(method, config.to_dict())
    settings = [
        f"{key} {_text(before)} -> {_text(after)}" for key, (before, after) in changes.items()
    ]
    say(f"The method '{method}' sets {', '.join(settings) or 'nothing that was not so before'}.")
    return TrainConfig.from_dict(values)


def _with_teacher(
    config: TrainConfig, teacher: str | None, say: Callable[[str], None]
) -> TrainConfig:
    """Set the teacher (None: the configuration's), and start from its weights if they fit."""
    from moldiff.methods import METHODS
    from moldiff.model import read_header
    from moldiff.registry import build, describe, registered, settings
    from moldiff.train.workload import require

    require(config, "method", "--teacher")
    objective = settings(config.objective)
    parameters = fields(registered("objective", objective["name"]))
    if "teacher" not in {parameter.name for parameter in parameters}:
        distilled = ", ".join(name for name, method in METHODS.items() if method.taught)
        raise ConfigError(
            "What is to be trained does not learn from a teacher.",
            fix=f"Leave out --teacher, or choose a --method that has one: {distilled}.",
        )
    name = objective["teacher"] if teacher is None else teacher
    networks = config.network, read_header(find_model(name))[0]["network"]
    first = config.init
    if teacher is not None or first is None:
        # Built, because a file from before a setting existed lacks it.
        own, its = (describe(build("interaction", network)) for network in networks)
        first = name if own == its else None
    beginning = "at random: its network is another" if first is None else f"with '{first}'"
    say(f"It learns from '{name}', and begins {beginning}.")
    return replace(config, objective={**objective, "teacher": name}, init=first)


def _at_student_rate(config: TrainConfig, say: Callable[[str], None]) -> TrainConfig:
    """Lower the learning rate to at most that of a student."""
    if config.optimizer.lr <= _STUDENT_RATE:
        return config
    say(f"It learns at the rate {_STUDENT_RATE:g} for what it begins with to be kept.")
    return replace(config, optimizer=replace(config.optimizer, lr=_STUDENT_RATE))


def _text(value: Any) -> str:
    return "default" if value is None else str(value)


def training_store(
    config: TrainConfig,
    *,
    announce: Callable[[str], None] | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Data:
    """Open the data of a run with its task; a file of molecules is prepared first.

    Parameters
    ----------
    announce:
        Called with remarks.
    jobs:
        Number of processes that prepare.
    progress:
        Called as ``progress(stage, done, total)`` while data are prepared.

    Raises
    ------
    DataError, InputError
        If the data is missing, damaged or unusable, or the device is not available.
    ConfigError
        If there is no such task, or the run was trained on different data.
    """
    from moldiff.train.workload import task

    check_device(config.device)  # preparing data may take an hour
    work, say = task(config), announce or (lambda text: None)
    work.prepare(config, say, jobs=jobs, progress=progress)
    return work.open(config, say)


def shared(config: TrainConfig, processes: int, announce: Callable[[str], None]) -> TrainConfig:
    """Return a configuration whose steps have pieces for several processes.

    A run keeps the pieces that it began with.  A new one whose ``pieces`` are left at 1 gets as
    many as there are processes.

    Raises
    ------
    ConfigError
        If the processes cannot share the pieces, or the batch cannot be divided into them.
    """
    from moldiff.train import checkpoint
    from moldiff.train.processes import check_share

    if config.pieces == 1:
        kept = checkpoint.identity_of(Path(config.output) / "checkpoint.safetensors")
        pieces = processes if kept is None else kept["pieces"]
        if kept is None or not config.batch % pieces:  # else it is the checkpoint of another run
            config = replace(config, pieces=pieces)
        if config.pieces > 1:
            why = "for as many processes" if kept is None else "as before in this run"
            announce(f"The batch of a step is divided into {config.pieces} pieces, {why}.")
    check_share(config.pieces, processes)
    return config


def trainer(
    config: TrainConfig,
    store: Data,
    *,
    judge: Callable[[Any, torch.Generator], dict[str, float]] | None = None,
    processes: Processes | None = None,
) -> Trainer:
    """Return the trainer of a run, resumed from its checkpoint if there is one.

    Raises
    ------
    ConfigError, ModelFileError, InputError
        If the settings, the checkpoint or the device cannot be used.
    """
    from moldiff.train import Trainer

    check_device(config.device)
    if not len(store.indices("train")):
        raise ConfigError(f"The data of '{config.data}' holds nothing to train on.")
    return Trainer(config, store, judge=judge, processes=processes)
