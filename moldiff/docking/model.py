"""The pose model: process and network in one safetensors file, with its card.

The file is built like that of a generator (`moldiff.model`): configuration and card are JSON
in its header, so that it describes itself and loading it runs no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from moldiff.diffusion.batch import Batch
from moldiff.diffusion.process import Product
from moldiff.diffusion.sampler import Sampler
from moldiff.docking.denoiser import PoseDenoiser, to_pose
from moldiff.domain.kinematics import Kinematics, Pose
from moldiff.domain.poses import CLASSES
from moldiff.errors import ConfigError
from moldiff.nn.contacts import PoseNetwork
from moldiff.nn.inputs import LigandInput, PocketInput
from moldiff.registry import build, describe
from moldiff.storage import load_network, save_network

__all__ = ["FORMAT", "PoseModel"]

FORMAT = "moldiff-pose-model-1"
_FIELDS = ("translation", "rotation", "torsions")


@dataclass(frozen=True, eq=False)
class PoseModel:
    """Everything needed to propose poses.

    Attributes
    ----------
    process:
        Noising of translation, rotation and torsions.
    network:
        The displacement network.
    sampling:
        Sampler settings (plain mapping).
    card:
        What it was trained on, how, and what was measured (plain mapping).
    digest:
        First 12 hexadecimal digits of the SHA-256 of the weights; "" if not yet saved.
    """

    process: Product
    network: PoseNetwork
    sampling: Mapping[str, Any] = field(default_factory=dict)
    card: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def config(self) -> dict[str, Any]:
        """Return the plain configuration from which :meth:`from_config` rebuilds this."""
        return {
            "process": self.process.to_config(),
            "network": describe(self.network, omit=tuple(CLASSES)),
            "sampling": dict(self.sampling),
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], card: Mapping[str, Any] | None = None, *, seed: int = 0
    ) -> PoseModel:
        """Build an untrained model; ``seed`` decides its initial weights.

        Raises
        ------
        ConfigError
            If a part is unknown, misspelt or missing.
        """
        process = Product.from_config(config["process"])
        if tuple(process.processes) != _FIELDS:
            raise ConfigError(f"A pose model's process needs exactly {', '.join(_FIELDS)}.")
        with torch.random.fork_rng(devices=[]):  # layers draw from torch's global generator
            torch.default_generator.manual_seed(seed)
            network: PoseNetwork = build("pose_network", config["network"], **CLASSES)
        Sampler.from_config(config["sampling"])
        return cls(process, network, config["sampling"], card or {})

    def denoiser(
        self,
        kinematics: Kinematics,
        conformer: Tensor,
        ligand: LigandInput,
        pocket: PocketInput,
        *,
        precision: torch.dtype = torch.float32,
    ) -> PoseDenoiser:
        """Return the denoiser of one ligand's poses on ``conformer`` (p,) in one pocket."""
        lower = precision is not torch.float32
        with torch.autocast(conformer.device.type, dtype=precision, enabled=lower):
            state = self.network.encode(pocket)
        return PoseDenoiser(
            self.process, self.network, kinematics, conformer, ligand, state, precision
        )

    @torch.no_grad()
    def sample(
        self,
        kinematics: Kinematics,
        ligand: LigandInput,
        pocket: PocketInput,
        count: int,
        *,
        rng: torch.Generator,
        steps: int | None = None,
        precision: torch.dtype = torch.float32,
    ) -> Pose:
        """Draw ``count`` poses at absolute positions; conformers are drawn evenly."""
        conformers = len(kinematics.positions)
        order = torch.randperm(conformers, generator=rng, device=rng.device)
        conformer = order.repeat(-(-count // conformers))[:count].to(pocket.positions.device)
        denoiser = self.denoiser(kinematics, conformer, ligand, pocket, precision=precision)
        noise: Batch = self.process.prior(
            count, kinematics.atoms, kinematics.rotors, rng=rng, device=pocket.positions.device
        )
        settings = dict(self.sampling) | ({} if steps is None else {"steps": steps})
        x = Sampler.from_config(settings).sample(denoiser, noise, rng=rng)
        return to_pose(x, conformer, pocket.centre)

    def save(
        self,
        path: Path,
        *,
        card: Mapping[str, Any] | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """Write the model to one file, atomically; ``dtype`` float16 halves its size."""
        save_network(path, self, FORMAT, card=card, dtype=dtype)

    @classmethod
    def load(cls, path: Path, *, device: str = "cpu") -> PoseModel:
        """Read a model file.

        Raises
        ------
        ModelFileError
            If the file is missing, truncated, corrupt or of another format.
        """
        model, digest = load_network(path, FORMAT, cls.from_config)
        model.network.to(device)
        object.__setattr__(model, "digest", digest)
        return model
