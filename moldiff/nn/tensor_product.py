r"""Tensor-product message passing: atoms carry scalars, vectors and l = 2 tensors.

The state of an atom is :math:`h_i` = width x 0e + channels x 1o + tensors x 2e; its
vectors are the coordinate channels X themselves.  Per layer, with pair features p:

.. math::

    m_{ij} &= \mathrm{SiLU}(A h_i^{0e} + A h_j^{0e} + P p_{ij}
        + D \log(1 + \lVert X_i - X_j \rVert^2_c)) \\
    A_i &= \tfrac{1}{\sqrt n} \textstyle\sum_j (S h_j) \otimes_{R(m_{ij})} Y(\hat r_{ij}),
        \qquad r_{ij} = \textstyle\sum_c a_c (X_i - X_j)_c \\
    h_i &\leftarrow h_i + W\, \mathrm{gate}(V h_i + U A_i
        + \tfrac{1}{\sqrt n} \textstyle\sum_j M m_{ij}),
        \qquad p_{ij} \leftarrow p_{ij} + Q m_{ij}

R(m) gives every path (l_in, l_Y -> l_out) of every channel a weight, from the distances
and the pair's features.  All paths conserve parity, so reflections are respected.

Sources: Thomas et al., "Tensor Field Networks" (2018); weighted paths and gate, Batzner
et al., NequIP (2022); Geiger & Smidt, "e3nn" (2022).  e3nn is imported when a
network is built, so other models do not pay for the import.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from moldiff.diffusion.batch import pair_selector
from moldiff.diffusion.network import Symmetry
from moldiff.nn.embed import Features, pair_differences
from moldiff.nn.interaction import Interaction
from moldiff.precision import exact
from moldiff.registry import register

__all__ = ["TensorProduct"]

_SPHERE = "1x0e + 1x1o + 1x2e"
_MIRRORED = (1.0, *(-1.0,) * 3, *(1.0,) * 5)
"""Factors of the spherical harmonics of a difference when i and j are exchanged."""
_CORE = 0.1
"""Distance, in units of the coordinates' scale, below which directions fade to zero: the
direction between coincident atoms is undefined, so nothing may depend on it."""


@contextlib.contextmanager
def _eager() -> Iterator[None]:
    """Make e3nn build plain modules: scripted ones recompile for each molecule size."""
    import e3nn

    before = e3nn.get_optimization_defaults()
    e3nn.set_optimization_defaults(jit_script_fx=False)
    try:
        yield
    finally:
        e3nn.set_optimization_defaults(**before)


def _without_constants(module: nn.Module) -> nn.Module:
    """Keep the tables that e3nn computes at construction out of model files."""
    for part in module.modules():
        for name, buffer in list(part.named_buffers(recurse=False)):
            part.register_buffer(name, buffer, persistent=False)
    return module


def _irreps(scalars: int, vectors: int, tensors: int) -> Any:
    from e3nn import o3

    parts = [(scalars, "0e"), (vectors, "1o"), (tensors, "2e")]
    return o3.Irreps([(mul, ir) for mul, ir in parts if mul])


def _product(inputs: Any, outputs: Any) -> Any:
    """Return the channel-wise product of ``inputs`` with a sphere, restricted to ``outputs``."""
    from e3nn import o3

    sphere = o3.Irreps(_SPHERE)
    paths = [
        (i, j, mul, ir)
        for i, (mul, left) in enumerate(inputs)
        for j, (_, right) in enumerate(sphere)
        for ir in left * right
        if ir in outputs
    ]
    irreps, place, _ = o3.Irreps([(mul, ir) for _, _, mul, ir in paths]).sort()
    instructions = [(i, j, place[k], "uvu", True) for k, (i, j, _, _) in enumerate(paths)]
    return o3.TensorProduct(
        inputs, sphere, irreps, instructions, internal_weights=False, shared_weights=False
    )


class _Layer(nn.Module):
    """One refinement; ``tensors`` are the numbers of l = 2 tensors before and after it."""

    owner: Tensor
    mirrored: Tensor

    def __init__(
        self,
        width: int,
        pair_width: int,
        message_width: int,
        channels: int,
        tensors: tuple[int, int],
        context_width: int,
    ) -> None:
        from e3nn import o3

        super().__init__()
        before, after = (_irreps(0, channels, count) for count in tensors)
        self.modulate = nn.Linear(context_width, 2 * width)
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.sum_atoms = nn.Linear(width, message_width, bias=False)
        self.message = nn.Linear(pair_width, message_width)
        self.metric = nn.Linear(channels, message_width, bias=False)
        self.pair_update = nn.Linear(message_width, pair_width)
        self.direction = nn.Parameter(torch.randn(channels) / channels**0.5)
        self.sphere = o3.SphericalHarmonics(_SPHERE, normalize=False, normalization="component")
        self.send_scalars = nn.Linear(width, channels, bias=False)
        self.send = o3.Linear(before, before)
        outputs = o3.Irreps("0e") + after
        self.product = _product(_irreps(channels, channels, tensors[0]), outputs)
        self.spread = nn.Linear(message_width, int(self.product.weight_numel))
        received = self.product.irreps_out.simplify()
        self.received = received.count("0e")  # sorted, so the scalars come first
        self.scalars = nn.Linear(
            width + message_width + self.received, width + channels + tensors[1]
        )
        self.keep = o3.Linear(before, after)
        self.receive = o3.Linear(o3.Irreps([part for part in received if part.ir.l]), after)
        self.out_scalars = nn.Linear(width, width)
        self.out = o3.Linear(after, after)
        owner = torch.arange(channels + tensors[1])
        sizes = torch.tensor([3] * channels + [5] * tensors[1])
        self.register_buffer("owner", owner.repeat_interleave(sizes), persistent=False)
        self.register_buffer("mirrored", torch.tensor(_MIRRORED), persistent=False)
        zeroed = (self.modulate, self.out_scalars)
        for weight in (*(m.weight for m in zeroed), *(m.bias for m in zeroed), self.out.weight):
            nn.init.zeros_(weight)

    def forward(self, x: Features, tensors: Tensor) -> tuple[Features, Tensor]:
        shift, scale = self.modulate(x.context).unsqueeze(1).chunk(2, -1)
        h = self.norm(x.atoms) * (1 + scale) + shift
        n = h.shape[1]
        both, differences = pair_selector(n, h.device, 1), pair_differences(x.points)
        with exact(h):
            metric = self.metric(differences.square().sum(-1).log1p())
        m = F.silu(both @ self.sum_atoms(h) + self.message(x.pairs) + metric)
        inputs, weights = self.send_scalars(h), self.spread(m)
        # Vectors stay in 32 bits: rounding their components would break the equivariance.
        with exact(h):
            vectors = torch.cat([_bounded(x.points.flatten(2)), _bounded(tensors)], -1)
            inputs = torch.cat([inputs.float(), self.send(vectors)], -1)
            received = self._exchange(inputs, differences, weights.float())
        scalars = [h, both.T @ m / n**0.5, received[..., : self.received].to(m.dtype)]
        hidden = self.scalars(torch.cat([part.to(m.dtype) for part in scalars], -1))
        hidden, gates = hidden.split((h.shape[-1], hidden.shape[-1] - h.shape[-1]), -1)
        with exact(h):
            vector_update = self.keep(vectors) + self.receive(received[..., self.received :])
            vector_update = self.out(vector_update * gates.float().sigmoid()[..., self.owner])
            displacements = vector_update[..., : x.points[0, 0].numel()].view_as(x.points)
            points = x.points + displacements - displacements.mean(1, keepdim=True)
            tensor_update = vector_update[..., x.points[0, 0].numel() :]
        refined = dataclasses.replace(
            x,
            atoms=x.atoms + self.out_scalars(F.silu(hidden)),
            pairs=x.pairs + self.pair_update(m),
            points=points,
        )
        return refined, tensors[..., : tensor_update.shape[-1]] + tensor_update

    def _exchange(self, inputs: Tensor, differences: Tensor, weights: Tensor) -> Tensor:
        """Sum the messages from all j to atom i along every path, (b, n, ...).

        ``weights`` (b, e, paths) apply to both directions of a pair.
        """
        n = inputs.shape[1]
        both, signs = (pair_selector(n, inputs.device, sign) for sign in (1, -1))
        first, second = (both + signs) / 2, (both - signs) / 2
        differences = (differences * self.direction.unsqueeze(-1)).sum(2)
        sphere = self.sphere(
            differences / (differences.square().sum(-1, keepdim=True) + _CORE**2).sqrt()
        )
        messages = self.product(
            torch.cat([second, first]) @ inputs,
            torch.cat([sphere, sphere * self.mirrored], 1),
            torch.cat([weights, weights], 1),
        )
        received: Tensor = torch.cat([first, second]).T @ messages / n**0.5
        return received


def _bounded(vectors: Tensor) -> Tensor:
    """Bound the joint length of an atom's vectors, (b, n, components)."""
    return vectors / (1 + vectors.square().sum(-1, keepdim=True) / max(vectors.shape[-1], 1)).sqrt()


@register(
    "interaction",
    "tensor_product",
    cites={"thomas2018": "the layer", "batzner2022": "the convolution", "geiger2022": "e3nn"},
)
class TensorProduct(Interaction):
    """Layers of tensor-product message passing.

    Parameters
    ----------
    width, channels, tensors:
        Scalars (0e), vectors (1o, the coordinate channels) and l = 2 tensors (2e, may be
        zero) per atom.
    pair_width, message_width:
        Features per pair, and width of the network that weights the paths.
    layers:
        Depth.
    context_width:
        Features of the whole graph.
    """

    symmetry: ClassVar[Symmetry] = Symmetry.E3

    def __init__(
        self,
        *,
        width: int = 128,
        channels: int = 16,
        tensors: int = 8,
        pair_width: int = 32,
        message_width: int = 64,
        layers: int = 4,
        context_width: int = 64,
    ) -> None:
        super().__init__()
        self.width, self.channels, self.tensors = width, channels, tensors
        self.pair_width, self.message_width = pair_width, message_width
        self.layers, self.context_width = layers, context_width
        self.lift = nn.Parameter(torch.randn(channels, tensors) / channels**0.5)
        with _eager():
            from e3nn import o3

            self.sphere = o3.SphericalHarmonics("2e", normalize=False, normalization="component")
            # Nothing reads tensors after the last layer, so it produces none.
            after = [tensors] * (layers - 1) + [0]
            self.stack = nn.ModuleList(
                _Layer(width, pair_width, message_width, channels, (tensors, k), context_width)
                for k in after
            )
        _without_constants(self)

    def forward(self, x: Features) -> Features:
        with exact(x.points):
            lengths = (1 + x.points.square().sum(-1, keepdim=True)).sqrt()
            tensors = self.lift.T @ self.sphere(x.points / lengths)
        tensors = tensors.flatten(2)
        for layer in self.stack:
            x, tensors = layer(x, tensors)
        return x
