"""The training configuration: one YAML file, every key checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from moldiff.configuration import Range, check_fields
from moldiff.errors import ConfigError, InputError
from moldiff.precision import Precision
from moldiff.registry import configure
from moldiff.train.parts import Parts
from moldiff.train.refined import Refined

__all__ = ["Conditions", "Evaluation", "OptimizerConfig", "TrainConfig"]

_PROCESS: dict[str, Any] = {
    "positions": {"name": "gaussian", "schedule": "cosine", "space": "zero_com", "scale": "data"},
    "types": {"name": "jump", "schedule": "rectified", "noise": "marginal"},
    "charges": {"name": "jump", "schedule": "rectified", "noise": "marginal"},
    "bonds": {"name": "jump", "schedule": "rectified", "noise": "marginal"},
}


_SAMPLING: dict[str, Any] = {
    "steps": 50,
    "stepper": {"name": "ancestral", "eta": 0.0, "churn": 1.0},
    "grid": {"name": "power", "exponent": 1.5},
    "temperature": 0.7,
}


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW (Loshchilov & Hutter 2019), or Muon (Jordan 2024) for the matrices.

    The rate rises for ``warmup`` steps, stays constant, and falls as 1 - sqrt over the last
    ``decay`` steps (Hägele et al. 2024).  A finished run is extended by
    raising ``steps``: it resumes from the checkpoint saved where its decay began.
    """

    name: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    warmup: Annotated[int, Range(0)] = 300
    decay: Annotated[int, Range(0)] = 2000
    clip: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        check_fields(self, "the optimizer")
        if not (0 < self.lr < math.inf and self.clip > 0 and 0 <= self.weight_decay < math.inf):
            raise ConfigError("The optimizer needs 'lr' and 'clip' above 0, 'weight_decay' from 0.")
        if not all(0 <= share < 1 for share in (*self.betas, self.ema)):
            raise ConfigError("The optimizer's 'betas' and 'ema' must be from 0 to below 1.")

    def decay_start(self, steps: int) -> int:
        """Return the first step of the decay of a run of ``steps``."""
        return steps - max(1, min(self.decay, steps // 3))

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step (counted from 0) of a run of ``steps``."""
        # Short runs keep the shape: rise for at most a tenth of the steps, fall for a third.
        rise = min(1.0, (step + 1) / max(1, min(self.warmup, steps // 10)))
        start = self.decay_start(steps)
        progress = (step - start) / (steps - start)
        return self.lr * rise * float(1 - max(0.0, min(1.0, progress)) ** 0.5)


@dataclass(frozen=True)
class Evaluation:
    """Samples drawn and evaluated during training; ``every`` = 0 switches it off."""

    every: Annotated[int, Range(0)] = 2000
    samples: Annotated[int, Range(1)] = 200
    steps: Annotated[int, Range(1)] = 50

    def __post_init__(self) -> None:
        check_fields(self, "the evaluation")


@dataclass(frozen=True)
class Conditions:
    """The properties that a model can be conditioned on; none by default.

    Attributes
    ----------
    properties:
        Names from `moldiff.chem.properties`, or property columns of the data.
    drop:
        Share of the molecules trained on without them, so that the model also works without.
    """

    properties: tuple[str, ...] = ()
    drop: float = 0.1

    def __post_init__(self) -> None:
        check_fields(self, "the conditions")
        if not 0 <= self.drop < 1:
            raise ConfigError(
                f"The 'drop' of the conditions must be from 0 to below 1, not {self.drop}.",
                fix="Write 'conditions: {properties: [logp, tpsa], drop: 0.1}'.",
            )


def _refuse_nan(key: str, value: Any) -> None:
    """Raise ``ConfigError`` for NaN in settings that only the parts they belong to know."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse_nan(f"{key}.{name}", inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_nan(key, inner)
    elif isinstance(value, float) and math.isnan(value):
        raise ConfigError(f"In the configuration, '{key}' is not a number (nan).", fix="Give one.")


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes
    ----------
    data:
        A prepared store (``moldiff data``), or, for molecules and codecs, a file of molecules.
    output:
        Directory for the checkpoint, the log and the finished model.
    task:
        What is trained: ``molecules`` (generation), ``codec`` (latents of molecules), ``poses``
        (docking), ``distances`` and ``ranks`` (judges of docked poses), ``backbones`` (missing
        residues), ``chains`` (whole backbones) or ``sequence`` (amino acids of backbones).
    codec:
        File of the codec in whose latents the model works (`moldiff.diffusion.latent`), or None.
    steps, batch:
        Number of optimisation steps, and molecules (or complexes) per step.
    pieces:
        Parts of equal size into which the batch of a step is divided; their gradients are
        averaged.  Each has molecules of one size and random numbers of its own, so several pieces
        mix sizes in a step, take less memory, and can be shared by processes (at 1, a run that
        begins with several processes gets as many pieces).  With several pieces for each, the
        processes wait less for the one with the largest molecules.
    balance:
        ``molecules``: every step has ``batch`` of them.  ``cost``: fewer large and more small ones,
        so that steps take about the same memory and time, and ``batch`` at the mean size of the
        data; every molecule counts the same.  For molecules and codecs; see `moldiff.train.loader`.
    process:
        How each field is noised.  The ``scale`` of coordinates is a number in Å, ``data`` (the
        spread of the data) or ``size`` (a power of the number of atoms, fitted to the data; for
        broad ranges of sizes; see `moldiff.diffusion.process.PowerLaw`).
    conditions:
        Properties to condition the model on (``moldiff generate --condition``).
    parts:
        How often, and how large, a part of a molecule is given in training, so that the model can
        complete molecules (`moldiff.train.parts`); never by default.
    refined:
        Molecules of better geometry that train the low noise levels (`moldiff.train.refined`).
    precision:
        ``float32``, ``bfloat16`` (for the large products; geometry stays exact), or ``auto``: the
        faster one, by measurement at the start (`moldiff.precision`).  A run may go on in another.
    """

    data: str
    output: str
    task: str = "molecules"
    name: str = "model"
    seed: Annotated[int, Range(0)] = 0
    steps: Annotated[int, Range(1)] = 20_000
    batch: Annotated[int, Range(1)] = 64
    pieces: Annotated[int, Range(1)] = 1
    precision: Precision = "auto"
    balance: Literal["molecules", "cost"] = "molecules"
    threads: Annotated[int, Range(1)] = 1
    device: str = "cpu"
    init: str | None = None
    codec: str | None = None
    checkpoint_minutes: Annotated[float, Range(0)] = 2.0
    network: Mapping[str, Any] | str = field(default_factory=lambda: {"name": "transformer"})
    precondition: Mapping[str, Any] | str = "karras"
    process: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _PROCESS)
    objective: Mapping[str, Any] | str = field(default_factory=lambda: {"name": "denoising"})
    optimizer: OptimizerConfig = OptimizerConfig()
    evaluation: Evaluation = Evaluation()
    conditions: Conditions = Conditions()
    parts: Parts = Parts()
    refined: Refined = Refined()
    sampling: Mapping[str, Any] = field(default_factory=lambda: _SAMPLING)

    def __post_init__(self) -> None:
        check_fields(self, "the configuration")
        for key in ("data", "output"):
            if not getattr(self, key).strip():
                raise ConfigError(f"The '{key}' of the configuration is empty.", fix="Give a path.")
        for key, value in vars(self).items():
            _refuse_nan(key, value)
        if self.parts.share and self.codec is not None:
            raise ConfigError(
                "'parts' are for models without a codec: latents have no parts.",
                fix="Leave them out.",
            )
        if self.batch % self.pieces:
            raise ConfigError(
                f"A batch of {self.batch} cannot be divided into {self.pieces} equal pieces.",
                fix=f"Use a 'batch' of {self.pieces * -(-self.batch // self.pieces)}.",
            )

    @property
    def piece_size(self) -> int:
        """Molecules (or complexes) in a piece of a batch."""
        return self.batch // self.pieces

    @classmethod
    def from_yaml(cls, path: Path, **overrides: Any) -> TrainConfig:
        """Read a configuration file; ``overrides`` other than None take precedence.

        Raises
        ------
        InputError
            If the file cannot be read.
        ConfigError
            If it is not YAML, or a key is unknown or has a bad value.
        """
        from yaml import YAMLError

        from moldiff.train import notation

        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read the configuration '{path}': {error}.") from error
        try:
            values = notation.from_yaml(text)
        except YAMLError as error:
            raise ConfigError(f"'{path}' is not valid YAML: {error}") from error
        except ConfigError as error:
            raise ConfigError(f"In '{path}', {error.what}", fix=error.fix) from error
        if not isinstance(values, dict):
            raise ConfigError(f"'{path}' holds no settings.", fix="Write lines like 'steps: 1000'.")
        values |= {key: value for key, value in overrides.items() if value is not None}
        return cls.from_dict(values, where=str(path))

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], *, where: str = "the configuration"
    ) -> TrainConfig:
        """Build from plain values, checking every key and value.

        Raises
        ------
        ConfigError
            If a key is unknown or missing, or a value does not fit.
        """
        return configure(cls, values, where=where)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)
