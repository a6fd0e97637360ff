"""The members: every method laid over one recipe, and which of them share a training.

All start from the same seed and see the same molecules in the same order.  Methods that have a
teacher begin with its weights (and then with smaller steps).  Methods that differ in sampling
alone (DDPM and DDIM, say) are trained once.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moldiff.bundled import SMALL, find_model
from moldiff.errors import InputError, MoldiffError, did_you_mean
from moldiff.methods import METHODS
from moldiff.train import TrainConfig
from moldiff.train.api import training_config

__all__ = ["Member", "Setup", "members", "trained_by"]

#: Pairs that reflow's teacher makes, per minute of training: about a third of the time.
_PAIRS = 250
# What does not change the weights.
_APART = ("name", "output", "sampling", "evaluation", "steps", "checkpoint_minutes", "threads")


@dataclass(frozen=True)
class Setup:
    """What all members have in common.

    Attributes
    ----------
    recipe, data, runs:
        Training configuration (a bundled one's name or a file), prepared data (None: the
        recipe's), and directory of the results.
    minutes:
        CPU time each member is trained for.
    teacher:
        Model of which the distilled members are made, and with whose weights they begin.
    codec:
        Codec of the latent members; None: the method's own.
    threads:
        Of one operation.
    """

    recipe: str = "family"
    data: str | None = None
    runs: Path = Path("runs/family")
    minutes: float = 15.0
    teacher: str = SMALL
    codec: str | None = None
    threads: int = 1


@dataclass(frozen=True)
class Member:
    """A method, its configuration, and the name of the training it shares with others."""

    name: str
    config: TrainConfig
    run: str

    @property
    def distilled(self) -> bool:
        """Whether it begins with a trained model's weights."""
        return self.config.init is not None


def members(setup: Setup, only: Sequence[str] = ()) -> dict[str, Member | str]:
    """Return the members by name, or why one cannot be; all of them, or ``only`` some.

    Raises
    ------
    InputError
        If there is no such method.
    """
    for name in only:
        if name not in METHODS:
            raise InputError(f"There is no method '{name}'.", fix=did_you_mean(name, METHODS))
    first: dict[str, str] = {}
    by_name: dict[str, Member | str] = {}
    for name in METHODS:  # all of them: the name of a run must not depend on what is asked for
        try:
            config = _config(name, setup)
        except MoldiffError as error:
            by_name[name] = error.line
            continue
        run = first.setdefault(json.dumps(trained_by(config), sort_keys=True), name)
        output = str(setup.runs / run)
        by_name[name] = Member(
            name, TrainConfig.from_dict(config.to_dict() | {"output": output}), run
        )
    return {name: member for name, member in by_name.items() if not only or name in only}


def trained_by(config: TrainConfig) -> dict[str, Any]:
    """Return the settings that decide what the training makes."""
    return {k: v for k, v in config.to_dict().items() if k not in _APART}


def _config(name: str, setup: Setup) -> TrainConfig:
    config = training_config(
        setup.recipe,
        method=name,
        teacher=setup.teacher if METHODS[name].taught else None,
        data=setup.data,
        name=name,
        threads=setup.threads,
    )
    values = config.to_dict() | {"evaluation": {"every": 0}}
    if name == "reflow":
        pairs = max(values["batch"], round(_PAIRS * setup.minutes))
        values["objective"] = {**values["objective"], "pairs": pairs}
    if values.get("codec") is not None:  # a missing one is told now, not when it is its turn
        values["codec"] = str(find_model(setup.codec or values["codec"]))
    return TrainConfig.from_dict(values)
