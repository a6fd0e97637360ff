"""Checks of the processes of latents, the fields that a codec makes of molecules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moldiff.diffusion.process.gaussian import Gaussian
from moldiff.diffusion.process.product import Product
from moldiff.diffusion.space import Vectors, ZeroCoM
from moldiff.errors import ConfigError

__all__ = ["check_classless", "check_latent"]


def check_latent(process: Product, *, coded: bool) -> None:
    """Check that a model has a codec if and only if its process has latent fields.

    Raises
    ------
    ConfigError
        If a model with a codec (``coded``) has other fields than points and features in their
        spaces, or a model without a codec has features.
    """
    if not coded:
        for name in process.vectors():
            raise ConfigError(
                f"The field '{name}' needs a codec, and none is named.",
                fix="Set 'codec' to the file of one (moldiff train qm9-codec makes it).",
            )
        return
    latent_spaces = {"positions": ("zero_com", ZeroCoM), "features": ("vectors", Vectors)}
    if set(process.processes) != set(latent_spaces):
        raise ConfigError(
            f"The latents of a codec are {' and '.join(latent_spaces)}; the process has "
            f"{', '.join(process.processes)}.",
            fix="Give 'process' these two fields (--method latent does), or leave out 'codec'.",
        )
    for name, (space, kind) in latent_spaces.items():
        part = process[name]
        if not isinstance(part, Gaussian) or not isinstance(part.space, kind):
            raise ConfigError(
                f"The latent field '{name}' needs the process 'gaussian' in the space '{space}'.",
                fix=f"Write {name}: {{name: gaussian, schedule: cosine, space: {space}, "
                "scale: data}.",
            )


def check_classless(process: Product, sampling: Mapping[str, Any]) -> None:
    """Check that a model of latents sets no temperature or valence guidance: it has no classes.

    Raises
    ------
    ConfigError
        If the ``sampling`` settings of a process of latents set one.
    """
    for key in ("temperature", "early_temperature", "valence"):
        if process.vectors() and sampling.get(key):  # a valence of 0 is "never"
            raise ConfigError(
                f"'{key}' applies to classes, and latents have none.",
                fix="Leave it out, or use a model of the molecules themselves.",
            )
