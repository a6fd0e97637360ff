"""Running something once on the device ``meta``, whose tensors have shapes and no values.

It needs no other hardware and finds tensors that were made, or left, on the CPU.  As torch lets
some operations mix devices there that fail on a GPU (matrix products, embeddings), every operation
is watched; and code that reads values is given zeros.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

__all__ = ["META", "on_meta", "watched"]

META = "meta"
_MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}
# What needs values is given zeros.
_READS = {
    torch.ops.aten._local_scalar_dense.default,
    torch.ops.aten.nonzero.default,
    torch.ops.aten._unique2.default,
}
# A GPU's tensors may be indexed by those of the CPU.
_INDEXING = {torch.ops.aten.index.Tensor, torch.ops.aten.index_put_.default}


class _NoAutocast(torch.autocast):
    """There is none on ``meta``; precision is no matter of devices."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: Any) -> None:
        pass


class _Watch(TorchDispatchMode):
    """Refuses what a GPU refuses: operations on tensors (numbers aside) of several devices."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = args[:1] if func in _INDEXING else (args, kwargs)
        tensors = [v for v in tree_leaves(given) if isinstance(v, Tensor) and v.ndim > 0]
        if len({v.device.type for v in tensors}) > 1 and func not in _MOVES:
            where = ", ".join(f"{v.device.type} {tuple(v.shape)}" for v in tensors)
            raise AssertionError(f"{func} of tensors on several devices: {where}")
        if func in _READS or (func in _MOVES and _leaves(kwargs.get("device"))):
            return _on_zeros(func, args, kwargs)
        return func(*args, **kwargs)


def _leaves(device: Any) -> bool:
    """Whether a tensor moved to ``device`` leaves ``meta``, where it has no values."""
    return device is not None and torch.device(device).type != META


def _on_zeros(func: Any, args: Any, kwargs: Any) -> Any:
    """The result for zeros in place of what is on ``meta``, on the device it would be on."""
    if not any(isinstance(v, Tensor) and v.device.type == META for v in tree_leaves(args)):
        return func(*args, **kwargs)
    zeros = tree_map_only(Tensor, lambda v: torch.zeros(v.shape, dtype=v.dtype), args)
    result = func(*zeros, **kwargs)
    return result if func in _MOVES else tree_map_only(Tensor, lambda v: v.to(META), result)


@contextmanager
def watched() -> Iterator[None]:
    """Fail at the first operation on tensors of several devices."""
    with mock.patch.object(torch, "autocast", _NoAutocast), _Watch():
        yield


def on_meta(*values: Any) -> bool:
    """Whether all tensors in nested values are on ``meta``."""
    found = [v for v in tree_leaves(values) if isinstance(v, Tensor)]
    assert found
    return all(v.device.type == META for v in found)
