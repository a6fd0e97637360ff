"""The type of the large matrix products: the fastest on this machine, by measurement.

A processor without bfloat16 arithmetic emulates it, many times slower than float32; one with it
is faster in bfloat16 only for products that are large enough.  Neither the name of a processor nor
its instruction sets tell which case it is, so a small piece of a network is timed.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from moldiff.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = [
    "PRECISIONS",
    "Precision",
    "exact",
    "fastest",
    "named",
    "products",
    "recorded",
    "resolve",
    "speeds",
]

Precision = Literal["auto", "float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = ("auto", "float32", "bfloat16")

_ROWS, _WIDTH = 1024, 64  # a block of this size costs a millisecond or two
_TURNS = 5
# By the precision before: bfloat16 must be this much faster. A tie goes to the exacter type.
_WORTH: dict[str | None, float] = {None: 1.15, "float32": 1.5, "bfloat16": 1 / 1.5}


def resolve(
    precision: str, device: str | torch.device = "cpu", *, before: str | None = None
) -> torch.dtype:
    """Return the type that a ``precision`` stands for on a device.

    Parameters
    ----------
    before:
        The precision of what goes on, which ``auto`` keeps unless the other is faster by half:
        where they are close, a busy machine measures now this and now that.

    Raises
    ------
    ConfigError
        If there is no such precision or device, or the device lacks the precision.
    """
    import torch

    if precision not in PRECISIONS:
        raise ConfigError(
            f"There is no precision '{precision}'.", fix=f"Known: {', '.join(PRECISIONS)}."
        )
    try:
        device = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(
            f"There is no device '{device}'.", fix="Use 'cpu', or 'cuda' where torch finds a GPU."
        ) from error
    if precision == "auto":
        return fastest(device, before)
    if precision == "bfloat16" and not _has_bfloat16(device):
        raise ConfigError(f"The device '{device}' has no bfloat16.", fix="Use auto, or float32.")
    dtype: torch.dtype = getattr(torch, precision)
    return dtype


def named(dtype: torch.dtype) -> Precision:
    """Return the precision that stands for a type on every machine."""
    import torch

    return "bfloat16" if dtype is torch.bfloat16 else "float32"


def products(dtype: torch.dtype, device: torch.device) -> torch.autocast:
    """Return a context in which the large products on a device have a type."""
    import torch

    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)


def exact(x: torch.Tensor) -> torch.autocast:
    """Return a context that keeps geometry on the device of x in full precision."""
    import torch

    return torch.autocast(x.device.type, enabled=False)


def recorded(dtype: torch.dtype) -> str:
    """Return a type's name for the record of a result; empty for float32, the usual one."""
    name = named(dtype)
    return "" if name == "float32" else name


def fastest(device: torch.device, before: str | None = None) -> torch.dtype:
    """Return float32, or bfloat16 if it is clearly faster; see `resolve` for ``before``."""
    import torch

    if not _has_bfloat16(device):
        return torch.float32
    seconds = speeds(device)
    gain = seconds[torch.float32] / seconds[torch.bfloat16]
    return torch.bfloat16 if gain > _WORTH.get(before, _WORTH[None]) else torch.float32


@functools.cache
def speeds(device: torch.device) -> dict[torch.dtype, float]:
    """Return the seconds that a step of a small network takes in each type, the best of some.

    Measured once per process.
    """
    import torch

    blocks = {dtype: _block(dtype, device) for dtype in (torch.float32, torch.bfloat16)}
    best = dict.fromkeys(blocks, float("inf"))
    for turn in range(_TURNS + 1):
        for dtype, block in blocks.items():
            seconds = _seconds(block, device)
            if turn:  # the first one also allocates
                best[dtype] = min(best[dtype], seconds)
    return best


def _block(dtype: torch.dtype, device: torch.device) -> Callable[[], None]:
    """A step of a feed-forward block, with its gradient."""
    import torch
    from torch import nn

    with torch.random.fork_rng(devices=[]), torch.inference_mode(False):
        net = nn.Sequential(
            nn.Linear(_WIDTH, 3 * _WIDTH), nn.SiLU(), nn.Linear(3 * _WIDTH, _WIDTH)
        ).to(device)
        x = torch.ones(_ROWS, _WIDTH, device=device)

    def step() -> None:
        with torch.inference_mode(False), torch.enable_grad():
            with products(dtype, device):
                y = net(x)
            y.float().square().mean().backward()

    return step


def _seconds(step: Callable[[], None], device: torch.device) -> float:
    """CPU seconds of a step on a CPU, which other processes disturb least; else its duration."""
    import torch

    clock = time.process_time if device.type == "cpu" else time.perf_counter
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start = clock()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - start


def _has_bfloat16(device: torch.device) -> bool:
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu"
