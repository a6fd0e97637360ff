"""What is particular to the tensor-product interaction: e3nn and its constants."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import e3nn
import torch
from e3nn.util.test import assert_equivariant
from torch import Tensor

from moldiff.nn import TensorProduct
from moldiff.nn.embed import Features
from moldiff.nn.tensor_product import _MIRRORED

ROOT = Path(__file__).parents[2]
SMALL = {"width": 8, "channels": 3, "pair_width": 4, "message_width": 6, "context_width": 5}


def made(tensors: int) -> TensorProduct:
    interaction = TensorProduct(**SMALL, tensors=tensors, layers=2)
    with torch.no_grad():
        for parameter in interaction.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return interaction


def features() -> Features:
    points = torch.randn(2, 5, 3, 3)
    points = points - points.mean(1, keepdim=True)
    return Features(torch.randn(2, 5, 8), torch.randn(2, 10, 4), points, torch.randn(2, 5))


def test_e3nn_is_imported_when_a_network_is_made() -> None:
    code = (
        "import sys, moldiff.nn as nn; from moldiff.registry import build, names;"
        "assert 'tensor_product' in names('interaction'); assert 'e3nn' not in sys.modules;"
        "build('interaction', 'egnn'); assert 'e3nn' not in sys.modules;"
        "build('interaction', {'name': 'tensor_product', 'layers': 1, 'width': 4, 'channels': 2});"
        "assert 'e3nn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_model_files_hold_parameters_only() -> None:
    interaction = made(2)
    assert set(interaction.state_dict()) == {name for name, _ in interaction.named_parameters()}


def test_options_of_e3nn_are_left_as_they_were() -> None:
    before = e3nn.get_optimization_defaults()
    made(2)
    assert e3nn.get_optimization_defaults() == before


def test_copies_are_independent() -> None:
    interaction, x = made(2), features()
    other = copy.deepcopy(interaction)
    assert torch.equal(interaction(x).points, other(x).points)
    with torch.no_grad():
        other.lift.add_(1.0)
    assert not torch.equal(interaction(x).points, other(x).points)


def test_mirrored_harmonics() -> None:
    layer: Any = made(2).stack[0]
    sphere, x = layer.sphere, torch.randn(10, 3)
    torch.testing.assert_close(sphere(-x), sphere(x) * torch.tensor(_MIRRORED))


def test_works_without_tensors() -> None:
    interaction, x = made(0), features()

    def function(points: Tensor) -> list[Tensor]:
        result = interaction(Features(x.atoms, x.pairs, points.view_as(x.points), x.context))
        return [result.points.flatten(1), result.atoms.flatten(1), result.pairs.flatten(1)]

    assert_equivariant(
        function,
        args_in=[x.points.flatten(1)],
        irreps_in=["15x1o"],
        irreps_out=["15x1o", "40x0e", "40x0e"],
        tolerance=2e-4,
    )
