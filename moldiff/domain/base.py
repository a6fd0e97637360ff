"""The interface of domains, which connect the engine to a model's subject."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from moldiff.diffusion.network import Network
from moldiff.diffusion.process import Product
from moldiff.diffusion.readout import Direct, Readout
from moldiff.errors import ConfigError
from moldiff.registry import build, describe, registered, settings

__all__ = ["Domain", "domain_from_config"]


class Domain(ABC):
    """The subject of a model.

    A domain builds the network for its fields, chooses the network's input, and converts between
    its objects and batches.
    """

    noun: ClassVar[str]
    """The objects of its models, as a word for messages."""
    use: ClassVar[str]
    """The command that uses a model; ``{model}`` stands for its file."""
    readout: ClassVar[Readout] = Direct()
    """Turns a batch into the network's input, and its output into a prediction."""

    inputs: ClassVar[Mapping[str, Any]] = {}
    """Settings of its networks that no configuration has, such as numbers of classes."""

    def network(self, config: Mapping[str, Any] | str, process: Product | None) -> Network:
        """Build the network that ``config`` describes, for the fields of a process."""
        network: Network = build("network", config, **self.inputs)
        return network

    def network_config(self, network: Any) -> dict[str, Any]:
        """Return the configuration from which :meth:`network` rebuilds a network."""
        return describe(network)

    def check(self, process: Product | None, *, coded: bool = False) -> None:
        """Raise ``ConfigError`` if the process does not suit this domain.

        ``coded`` tells whether a codec sits between the process and the domain.
        """
        if process is not None:
            raise ConfigError(f"A model of {self.noun} has no process.", fix="Leave it out.")

    def knowledge(self) -> dict[str, Any]:
        """Return the domain's arguments for guidances, see `moldiff.diffusion.guidance`."""
        return {}

    def config(self) -> dict[str, Any]:
        """Return the plain mapping from which :meth:`from_config` builds an equal domain."""
        return describe(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Domain:
        """Build the domain that ``config`` describes, or raise ``ConfigError``."""
        domain: Domain = build("domain", config)
        return domain


def domain_from_config(config: Mapping[str, Any] | str) -> Domain:
    """Build the domain that a configuration names.

    Raises
    ------
    ConfigError
        If there is no such domain, or a setting is wrong.
    """
    config = settings(config)
    kind: type[Domain] = registered("domain", str(config.get("name")))
    return kind.from_config(config)
