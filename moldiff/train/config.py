"""The training configuration: one YAML file, every key checked."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moldiff.errors import ConfigError, InputError, did_you_mean

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

    The rate rises for ``warmup`` steps, stays, and falls as 1 - sqrt over the last
    ``decay`` steps (Hägele et al. 2024).  A finished run is extended by
    raising ``steps``: it goes on from the checkpoint kept where its decay began.
    """

    name: str = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    warmup: int = 300
    decay: int = 2000
    clip: float = 1.0
    ema: float = 0.999

    def __post_init__(self) -> None:
        if not (0 < self.lr < math.inf and self.clip > 0 and self.weight_decay >= 0):
            raise ConfigError("The optimizer needs 'lr' and 'clip' above 0, 'weight_decay' from 0.")
        shares = (*self.betas, self.ema)
        if len(self.betas) != 2 or not all(
            isinstance(x, float | int) and 0 <= x < 1 for x in shares
        ):
            raise ConfigError(
                "The optimizer's 'betas' must be two numbers and 'ema' one, from 0 to below 1."
            )

    def decay_start(self, steps: int) -> int:
        """Return the first step of the decay of a run of ``steps``."""
        return steps - max(1, min(self.decay, steps // 3))

    def rate(self, step: int, steps: int) -> float:
        """Return the learning rate of a step (counted from 0) of a run of ``steps``."""
        # Short runs keep the shape: at most a tenth of the steps to rise, a third to fall.
        rise = min(1.0, (step + 1) / max(1, min(self.warmup, steps // 10)))
        start = self.decay_start(steps)
        progress = (step - start) / (steps - start)
        return self.lr * rise * float(1 - max(0.0, min(1.0, progress)) ** 0.5)


@dataclass(frozen=True)
class Evaluation:
    """Samples drawn and judged while training; ``every`` = 0 switches it off."""

    every: int = 2000
    samples: int = 200
    steps: int = 50

    def __post_init__(self) -> None:
        if self.every < 0 or self.samples < 1 or self.steps < 1:
            raise ConfigError(
                "'evaluation' needs 'every' from 0, and 'samples' and 'steps' of at least 1.",
                fix="Set 'every: 0' to switch it off.",
            )


@dataclass(frozen=True)
class Conditions:
    """What the model learns to be asked for; nothing by default.

    Attributes
    ----------
    properties:
        Names of `moldiff.chem.properties`, or columns of the data's own.
    drop:
        Share of the molecules that are shown without them, so that the model learns both.
    """

    properties: tuple[str, ...] = ()
    drop: float = 0.1

    def __post_init__(self) -> None:
        if not 0 <= self.drop < 1 or not all(isinstance(p, str) for p in self.properties):
            raise ConfigError(
                "'conditions' needs names as 'properties', and 'drop' from 0 to below 1.",
                fix="Write 'conditions: {properties: [logp, tpsa], drop: 0.1}'.",
            )


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes
    ----------
    data:
        A prepared store (``moldiff data``), or an SDF file of the user's own molecules.
    output:
        Directory for the checkpoint, the log and the finished model.
    task:
        What is trained: ``molecules`` (generation), ``codec`` (for latents) or ``poses`` (docking).
    codec:
        File of the codec in whose latents the model works (`moldiff.diffusion.latent`), or None.
    steps, batch:
        Optimisation steps, and molecules (or complexes) per step.
    conditions:
        Properties the model learns to be asked for (``moldiff generate --condition``).
    precision:
        ``float32`` or ``bfloat16`` (for the large products; geometry stays exact).
    """

    data: str
    output: str
    task: str = "molecules"
    name: str = "model"
    seed: int = 0
    steps: int = 20_000
    batch: int = 64
    precision: str = "float32"
    threads: int = 1
    device: str = "cpu"
    init: str | None = None
    codec: str | None = None
    checkpoint_minutes: float = 2.0
    network: Mapping[str, Any] = field(default_factory=lambda: {"name": "transformer"})
    precondition: Mapping[str, Any] | str = "karras"
    process: Mapping[str, Any] = field(default_factory=lambda: _PROCESS)
    objective: Mapping[str, Any] | str = field(default_factory=lambda: {"name": "denoising"})
    optimizer: OptimizerConfig = OptimizerConfig()
    evaluation: Evaluation = Evaluation()
    conditions: Conditions = Conditions()
    sampling: Mapping[str, Any] = field(default_factory=lambda: _SAMPLING)

    def __post_init__(self) -> None:
        for key in ("steps", "batch", "threads"):
            if getattr(self, key) < 1:
                raise ConfigError(f"'{key}' must be at least 1, not {getattr(self, key)}.")
        if not all(isinstance(part, Mapping) for part in self.process.values()):
            raise ConfigError("'process' must hold settings for each field.")
        if self.conditions.properties and self.task != "molecules":
            raise ConfigError(
                f"'conditions' are for the task 'molecules', not for '{self.task}'.",
                fix="Leave them out.",
            )
        if self.precision not in ("float32", "bfloat16"):
            raise ConfigError(f"'precision' must be float32 or bfloat16, not '{self.precision}'.")

    @classmethod
    def from_yaml(cls, path: Path, **overrides: Any) -> TrainConfig:
        """Read a configuration file; ``overrides`` that are not None win.

        Raises
        ------
        InputError
            If the file cannot be read.
        ConfigError
            If it is not YAML, or a key is unknown or has a bad value.
        """
        import yaml

        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read the configuration '{path}': {error}.") from error
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise ConfigError(f"'{path}' is not valid YAML: {error}") from error
        if not isinstance(values, dict):
            raise ConfigError(f"'{path}' holds no settings.", fix="Write lines like 'steps: 1000'.")
        values |= {key: value for key, value in overrides.items() if value is not None}
        return cls.from_dict(values, where=str(path))

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], *, where: str = "the configuration"
    ) -> TrainConfig:
        """Build from plain values, checking every key."""
        nested = {"optimizer": OptimizerConfig, "evaluation": Evaluation, "conditions": Conditions}
        arguments = _checked(cls, values, where)
        for key, part in nested.items():
            if isinstance(arguments.get(key), Mapping):
                arguments[key] = part(**_checked(part, arguments[key], f"{where}, '{key}'"))
        return cls(**arguments)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return dataclasses.asdict(self)


_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "float": (int, float),
    "str": (str,),
    "str | None": (str, type(None)),
    "tuple[float, float]": (list, tuple),
    "Mapping[str, Any]": (Mapping,),
    "Mapping[str, Any] | str": (Mapping, str),
    "OptimizerConfig": (Mapping, OptimizerConfig),
    "tuple[str, ...]": (list, tuple),
    "Evaluation": (Mapping, Evaluation),
    "Conditions": (Mapping, Conditions),
}


def _checked(cls: type, values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the values with numbers converted; complain about what does not fit."""
    fields = {f.name: f for f in dataclasses.fields(cls)}
    checked: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            raise ConfigError(
                f"There is no setting '{key}' in {where}.", fix=did_you_mean(str(key), fields)
            )
        kind = str(fields[key].type)
        if kind == "float" and isinstance(value, str):  # YAML reads 1e-3 as a string
            with contextlib.suppress(ValueError):
                value = float(value)
        wanted = _TYPES.get(kind)
        if wanted and (isinstance(value, bool) or not isinstance(value, wanted)):
            raise ConfigError(f"'{key}' in {where} must be of type {kind}, not {value!r}.")
        checked[key] = tuple(value) if isinstance(value, list) else value
    required = [
        n
        for n, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    missing = [name for name in required if name not in checked]
    if missing:
        raise ConfigError(f"{where} lacks {', '.join(missing)}.", fix=f"Add '{missing[0]}: ...'.")
    return checked
