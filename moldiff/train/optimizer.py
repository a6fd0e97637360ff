"""Optimizers, their state as named tensors, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from moldiff.errors import ConfigError, MoldiffError, did_you_mean
from moldiff.train.config import OptimizerConfig
from moldiff.train.muon import Muon, Sharing

__all__ = ["Average", "Optimizers"]

_PATIENCE = 20  # steps in a row without an update that end a run
_LARGE = 32
"""Smallest number of rows and columns of a matrix that Muon optimises."""


class Optimizers:
    """One or two torch optimizers that together update a network.

    ``muon`` orthogonalises the updates of the inner weight matrices of the network, which may be
    wrapped (`moldiff.diffusion.network.Network.matrices`); AdamW updates the embeddings, heads,
    biases and scales.  Processes that train together divide the work of ``muon``.

    Raises
    ------
    ConfigError
        If there is no such optimizer, or no matrix is large enough for ``muon``.
    """

    def __init__(
        self, network: nn.Module, config: OptimizerConfig, sharing: Sharing | None = None
    ) -> None:
        if config.name not in ("adamw", "muon"):
            raise ConfigError(
                f"There is no optimizer '{config.name}'.",
                fix=did_you_mean(config.name, ("adamw", "muon")),
            )
        hidden = _matrices(network) if config.name == "muon" else []
        chosen = {id(p) for p in hidden}
        rest = [p for p in network.parameters() if id(p) not in chosen]
        self.clip = config.clip
        self._skipped = 0  # steps in a row
        self.parameters: list[Tensor] = [*hidden, *rest]
        decay = config.weight_decay
        # Fused: on a CPU the other implementations loop over the parameters in Python.
        adamw = torch.optim.AdamW(
            rest, lr=config.lr, betas=config.betas, weight_decay=decay, fused=True
        )
        self.parts: list[torch.optim.Optimizer] = [adamw]
        if hidden:
            self.parts.append(Muon(hidden, lr=config.lr, weight_decay=decay, sharing=sharing))

    def step(self, rate: float) -> float:
        """Clip, update at a learning rate, clear the gradients; return the gradient norm."""
        norm = nn.utils.clip_grad_norm_(self.parameters, self.clip)
        # A step on a non-finite gradient would ruin the run: skip it and go on with the next batch.
        if torch.isfinite(norm):
            for part in self.parts:
                for group in part.param_groups:
                    group["lr"] = rate
                part.step()
        for part in self.parts:
            part.zero_grad(set_to_none=True)
        return float(norm)

    def updated(self, norm: float, step: int) -> bool:
        """Return whether a step with a gradient of this norm made an update.

        Raises
        ------
        MoldiffError
            If 20 in a row did not, or the weights are not finite numbers any more.
        """
        if not math.isfinite(norm):
            self._skipped += 1
            if self._skipped < _PATIENCE:
                return False
            raise MoldiffError(
                f"The loss was not finite in {_PATIENCE} steps in a row, at step {step}.",
                fix="Lower 'lr' of the optimizer; the last checkpoint is untouched.",
            )
        self._skipped = 0
        if not torch.stack(torch._foreach_norm(self.parameters)).isfinite().all():
            raise MoldiffError(
                f"The update of step {step} made weights that are not finite numbers.",
                fix="The last checkpoint is untouched: the same command goes on from it, with a "
                "lower 'lr' if this happens again.",
            )
        return True

    def state(self) -> dict[str, Tensor]:
        """Return the state as a flat mapping of tensors."""
        return {
            f"{k}.{i}.{name}": torch.as_tensor(value)
            for k, part in enumerate(self.parts)
            for i, entries in part.state_dict()["state"].items()
            for name, value in entries.items()
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Restore what :meth:`state` returned.

        Raises
        ------
        ValueError
            If the state belongs to another optimizer or network.
        """
        mismatch = ValueError("the state belongs to another optimizer or network")
        if any(int(key.split(".")[0]) >= len(self.parts) for key in state):
            raise mismatch
        for k, part in enumerate(self.parts):
            parameters = [p for group in part.param_groups for p in group["params"]]
            full = part.state_dict()
            full["state"] = {}
            for key, value in state.items():
                index, i, name = key.split(".", 2)
                if int(index) == k:
                    like = parameters[int(i)] if int(i) < len(parameters) else None
                    if like is None or (value.ndim and value.shape != like.shape):
                        raise mismatch
                    full["state"].setdefault(int(i), {})[name] = value
            part.load_state_dict(full)


def _matrices(network: nn.Module) -> list[nn.Parameter]:
    """Return the large matrices among the inner parameters of a network, in the network's order."""
    inner = {id(p) for p in _unwrapped(network).matrices()}
    tables = {id(m.weight) for m in network.modules() if isinstance(m, nn.Embedding)}
    matrices = [
        p
        for p in network.parameters()
        if p.ndim == 2 and min(p.shape) >= _LARGE and id(p) in inner - tables
    ]
    if not matrices:
        raise ConfigError(
            f"The optimizer 'muon' finds no matrix of {_LARGE} x {_LARGE} or more in the network.",
            fix="Use 'adamw' (optimizer: {name: adamw}), or a wider network.",
        )
    return matrices


def _unwrapped(module: Any) -> Any:
    """Return the network inside wrappers (data parallel, torch.compile)."""
    while not hasattr(module, "matrices"):
        inner = getattr(module, "module", getattr(module, "_orig_mod", None))
        if inner is None:
            raise ConfigError(
                f"The optimizer 'muon' does not know the matrices of '{type(module).__name__}'.",
                fix="Give it a method 'matrices', or use 'adamw'.",
            )
        module = inner
    return module


class Average:
    """Exponential moving average of parameters, faster at the start.

    Source: Polyak & Juditsky (1992); the warm-up min(decay, (1 + k)/(10 + k)) makes
    the average useful in short runs too.
    """

    def __init__(self, parameters: Iterable[Tensor], decay: float) -> None:
        self.decay = decay
        self.live = list(parameters)
        self.values = [p.detach().clone() for p in self.live]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the live parameters after a step (counted from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, self.live, 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange averaged and live parameters; call it twice to undo."""
        for value, live in zip(self.values, self.live, strict=True):
            copy = live.detach().clone()
            live.copy_(value)
            value.copy_(copy)
