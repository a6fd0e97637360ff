"""Loggers of experiments: TensorBoard, Weights & Biases and MLflow, with the interface of Fabric's.

Fabric itself has a logger for TensorBoard alone; those for the other two are in Lightning, a large
dependency for a few lines, so they are here, on their own clients.  A resumed run continues the
same experiment: TensorBoard's is a directory, the names of the others are in ``loggers.json``.
"""

from __future__ import annotations

import json
import logging
import os
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from moldiff.errors import InputError
from moldiff.registry import build, register, registered
from moldiff.text import replace_text

__all__ = ["Logger", "MLflow", "TensorBoard", "WandB", "check_logger", "open_logger"]

_PROJECT = "moldiff"
_CONTEXT = ("output", "name", "step")


class Logger(ABC):
    """Sends figures of a run somewhere; constructed as ``Logger(output, name, step)``.

    ``output`` is the directory of the run, ``name`` its name, and ``step`` the number of steps it
    has done: 0 begins an experiment, others continue it.  Steps after the last checkpoint are taken
    and logged again.  The methods are those of ``lightning_fabric.loggers.Logger``.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    """Modules without which it cannot work."""

    @abstractmethod
    def __init__(self, output: Path, name: str, step: int) -> None: ...

    @abstractmethod
    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        """Log figures of a step, by name; a slash in a name divides group and name."""

    @abstractmethod
    def log_hyperparams(self, params: Mapping[str, Any]) -> None:
        """Log the configuration of the run, once and before any figures."""

    @abstractmethod
    def finalize(self, status: str) -> None:
        """Write what is left, and say how the run ended: success, aborted or failed."""


def check_logger(name: str) -> None:
    """Raise an error, before any work, if there is no such logger or its packages are missing.

    Raises
    ------
    ConfigError, InputError
        With the known names, or the command that installs what is missing.
    """
    kind: type[Logger] = registered("logger", name)
    missing = [module for module in kind.needs if find_spec(module) is None]
    if missing:
        packages = " ".join(module.replace("_", "-") for module in missing)
        raise InputError(
            f"--logger {name} needs {packages.replace(' ', ' and ')}, which is not installed.",
            fix=f"Run: pip install {packages}",
        )


def open_logger(name: str, output: Path, run: str, step: int) -> Logger:
    """Return the logger of a run, at a step.

    Raises
    ------
    ConfigError, InputError
        If there is no such logger, or it cannot log.
    """
    logger: Logger = build("logger", name, output=output, name=run, step=step)
    return logger


@register("logger", "tensorboard", context=_CONTEXT)
class TensorBoard(Logger):
    """Event files in ``OUTPUT/tensorboard``: ``tensorboard --logdir OUTPUT`` shows them."""

    needs = ("lightning_fabric", "tensorboard")

    def __init__(self, output: Path, name: str, step: int) -> None:
        fabric = import_module("lightning_fabric.loggers")
        # purge_step: TensorBoard hides events of steps that are taken again.
        self._logger = fabric.TensorBoardLogger(
            output, name="tensorboard", version="", purge_step=step + 1, flush_secs=10
        )
        self._params: Mapping[str, Any] = {}

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        if self._params:  # its table of hyperparameters has to know which metrics there are
            self._logger.log_hyperparams(dict(self._params), dict(metrics), step)
            self._params = {}
        else:
            self._logger.log_metrics(metrics, step)

    def log_hyperparams(self, params: Mapping[str, Any]) -> None:
        self._params = params

    def finalize(self, status: str) -> None:
        self._logger.finalize(status)


@register("logger", "wandb", context=_CONTEXT)
class WandB(Logger):
    """Weights & Biases: files in ``OUTPUT/wandb``, and its server unless ``WANDB_MODE=offline``."""

    needs = ("wandb",)

    def __init__(self, output: Path, name: str, step: int) -> None:
        wandb = import_module("wandb")
        known = _experiment(output, "wandb", step)
        try:
            self._run = wandb.init(
                dir=output,
                project=os.environ.get("WANDB_PROJECT", _PROJECT),
                name=name,
                id=known or uuid.uuid4().hex[:12],
                resume="allow",
                settings=wandb.Settings(console="off"),  # the progress bar is no log
            )
        except wandb.errors.Error as error:
            raise InputError(
                f"Weights & Biases does not take the run: {error}",
                fix="Log in (wandb login), or set WANDB_MODE=offline.",
            ) from error
        _remember(output, "wandb", self._run.id)
        # Its own count of steps cannot go back to a checkpoint.
        self._run.define_metric("step", hidden=True)
        self._run.define_metric("*", step_metric="step")

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self._run.log({"step": step, **metrics})

    def log_hyperparams(self, params: Mapping[str, Any]) -> None:
        self._run.config.update(dict(params), allow_val_change=True)

    def finalize(self, status: str) -> None:
        self._run.finish(exit_code=1 if status == "failed" else 0)


@register("logger", "mlflow", context=_CONTEXT)
class MLflow(Logger):
    """MLflow: at ``MLFLOW_TRACKING_URI``, or in the database ``OUTPUT/mlflow.db``."""

    needs = ("mlflow",)

    def __init__(self, output: Path, name: str, step: int) -> None:
        mlflow = import_module("mlflow")
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells how it makes its tables
        self._entities = import_module("mlflow.entities")
        self._failure = mlflow.MlflowException
        uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{output.resolve()}/mlflow.db"
        known = _experiment(output, "mlflow", step)
        try:
            self._client = mlflow.MlflowClient(tracking_uri=uri)
            if known is None:
                experiment = self._client.get_experiment_by_name(_PROJECT)
                number = (
                    self._client.create_experiment(_PROJECT)
                    if experiment is None
                    else experiment.experiment_id
                )
                known = self._client.create_run(number, run_name=name).info.run_id
            self._client.update_run(known, status="RUNNING")
        except self._failure as error:
            raise InputError(
                f"MLflow does not take the run at {uri}: {str(error).splitlines()[0]}",
                fix="Set MLFLOW_TRACKING_URI to your server; a database needs all of mlflow, not "
                "mlflow-skinny.",
            ) from error
        self._id: str = known
        _remember(output, "mlflow", known)

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        now = int(1000 * time.time())
        batch = [self._entities.Metric(key, value, now, step) for key, value in metrics.items()]
        self._client.log_batch(self._id, metrics=batch)

    def log_hyperparams(self, params: Mapping[str, Any]) -> None:
        known = self._client.get_run(self._id).data.params
        for key, value in _flat(params):
            if key not in known:
                self._client.log_param(self._id, key, value)
            elif known[key] != value:  # a run may be extended, and parameters never change
                self._client.set_tag(self._id, f"now.{key}", value)

    def finalize(self, status: str) -> None:
        ends = {"success": "FINISHED", "aborted": "KILLED", "failed": "FAILED"}
        self._client.set_terminated(self._id, ends[status])


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as (dotted name, text)."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _experiments(output: Path) -> dict[str, str]:
    path = output / "loggers.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _experiment(output: Path, logger: str, step: int) -> str | None:
    """The experiment that a run continues; None for one at its beginning."""
    return _experiments(output).get(logger) if step else None


def _remember(output: Path, logger: str, experiment: str) -> None:
    known = _experiments(output) | {logger: experiment}
    replace_text(output / "loggers.json", json.dumps(known, indent=1) + "\n")
