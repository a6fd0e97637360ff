"""What every domain promises: a model's subject, between the engine and the world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from moldiff.diffusion.network import Network
from moldiff.diffusion.process import Product
from moldiff.diffusion.readout import Direct, Readout
from moldiff.errors import ConfigError
from moldiff.registry import build, describe, registered

__all__ = ["Domain", "domain_from_config"]


class Domain(ABC):
    """What a model is about.

    A domain knows how to build a network for its fields, what a network is shown of them, and how
    its objects become batches and batches its objects.
    """

    noun: ClassVar[str]
    """What its models are of, in messages."""
    use: ClassVar[str]
    """The command that uses a model; ``{model}`` stands for its file."""
    readout: ClassVar[Readout] = Direct()
    """What a network is shown of a batch, and how its output is read."""

    @abstractmethod
    def network(self, config: Mapping[str, Any] | str, process: Product | None) -> Network:
        """Build the network that ``config`` describes, for the fields of a process."""

    def network_config(self, network: Any) -> dict[str, Any]:
        """Return the configuration from which :meth:`network` builds a network again."""
        return describe(network)

    def check(self, process: Product | None, *, coded: bool = False) -> None:
        """Refuse a process that is not about this domain (``ConfigError``).

        ``coded`` says whether a codec stands between the process and the domain.
        """
        if process is not None:
            raise ConfigError(f"A model of {self.noun} has no process.", fix="Leave it out.")

    def knowledge(self) -> dict[str, Any]:
        """Return what guidances are told: see `moldiff.diffusion.guidance`."""
        return {}

    def config(self) -> dict[str, Any]:
        """Return the plain mapping from which :meth:`from_config` makes an equal domain."""
        return describe(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Domain:
        """Make the domain that ``config`` describes (``ConfigError`` if it cannot be)."""
        made: Domain = build("domain", config)
        return made


def domain_from_config(config: Mapping[str, Any] | str) -> Domain:
    """Make the domain a configuration names.

    Raises
    ------
    ConfigError
        If there is no such domain, or a setting is wrong.
    """
    config = {"name": config} if isinstance(config, str) else config
    kind: type[Domain] = registered("domain", str(config.get("name")))
    return kind.from_config(config)
