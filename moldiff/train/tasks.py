"""The tasks a configuration can name."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from moldiff.errors import ConfigError, did_you_mean
from moldiff.train.config import TrainConfig
from moldiff.train.workloads.base import Workload

__all__ = ["TASKS", "Task", "workload"]


@dataclass(frozen=True)
class Task:
    """A task by its words, and where its workload is.

    Attributes
    ----------
    workload:
        Module and class, imported when named: generation needs nothing of docking, nor the
        other way round.
    unit, samples:
        What a data set holds (one of it), and what is counted per second.
    use:
        The command that uses the model.
    """

    workload: tuple[str, str]
    unit: str
    samples: str
    use: str


TASKS = {
    "molecules": Task(
        ("moldiff.train.workloads.base", "Molecules"),
        "molecule",
        "molecules",
        "moldiff generate -n 32 --model {model} -o molecules.sdf",
    ),
    "codec": Task(
        ("moldiff.train.workloads.codecs", "Codecs"),
        "molecule",
        "molecules",
        "moldiff train CONFIG --method latent --codec {model}",
    ),
    "poses": Task(
        ("moldiff.train.workloads.poses", "Poses"),
        "complex",
        "poses",
        "moldiff dock --model {model} --receptor protein.pdb --ligand ligand.sdf",
    ),
    "likelihood": Task(
        ("moldiff.train.workloads.distances", "Likelihoods"),
        "complex",
        "complexes",
        "cp {model} moldiff/weights/docking/likelihood.safetensors",
    ),
}


def workload(config: TrainConfig, store: Any) -> Workload:
    """Return the workload of a run on its data.

    Raises
    ------
    ConfigError
        If there is no such task.
    """
    if config.task not in TASKS:
        raise ConfigError(
            f"There is no task '{config.task}'.", fix=did_you_mean(config.task, TASKS)
        )
    module, name = TASKS[config.task].workload
    made: Workload = getattr(import_module(module), name)(config, store)
    return made
