"""How the processes of a run come together, by Lightning Fabric.

Fabric knows the devices, the backends and the environments (torchrun, SLURM and others).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch

from moldiff.errors import InputError, MissingExtraError, MoldiffError

__all__ = ["check_nodes", "fabric", "group"]

_MEETING = timedelta(minutes=5)  # for all processes to come together
_WAITING = timedelta(days=7)  # for one another: the main process may prepare data, or judge


def fabric(processes: int | None, devices: str | None, nodes: int, device: str) -> Any:
    """Return the Fabric object of this process, before it is launched."""
    if device not in ("cpu", "cuda"):
        raise InputError(
            f"Several processes cannot use the device '{device}'.",
            fix="Use 'cpu', or 'cuda' with --devices for which GPUs: --device cuda --devices 0,1.",
        )
    if processes is not None and processes < 1:
        raise InputError(f"There cannot be {processes} processes.", fix="Try --processes 2.")
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
        from lightning_fabric.utilities.exceptions import MisconfigurationException
    except ImportError as error:
        raise MissingExtraError(
            "lightning-fabric", "train", "Training by several processes"
        ) from error
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets
    if nodes == 1:
        _stay_inside()
    try:
        return Fabric(
            accelerator=device,
            devices=devices if devices is not None else processes or 1,
            num_nodes=nodes,
            strategy=DDPStrategy(timeout=_MEETING),
        )
    except (MisconfigurationException, RuntimeError, TypeError, ValueError) as error:
        raise InputError(
            f"Fabric cannot use these devices: {' '.join(str(error).split())}",
            fix="Check --processes, --devices and --nodes.",
        ) from error


def _stay_inside() -> None:
    """Connect the processes of one machine through its loopback interface.

    By default gloo takes the interface of the machine's name, which may be unknown, or a tunnel.
    """
    if os.name == "posix":
        for _, name in socket.if_nameindex():
            if name.startswith("lo"):
                os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def check_nodes(nodes: int) -> None:
    """Raise ``InputError`` unless the environment says where the other machines are."""
    missing = [k for k in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if k not in os.environ]
    if missing:
        raise InputError(
            f"Of a run on {nodes} machines, {', '.join(missing)} is not in the environment.",
            fix="Start it on each with MASTER_ADDR=(name of the first) MASTER_PORT=29500 "
            f"NODE_RANK=(0 to {nodes - 1}), or by SLURM or torchrun.",
        )


def group(fabric: Any, port: int) -> Any:
    """Connect this process with the others, which have been started, and return their group.

    Raises
    ------
    MoldiffError
        If they do not come together: ``InputError`` if the port is in use.
    """
    try:
        with _local_rank():  # Fabric takes the processes as started
            if "LT_CLI_USED" not in os.environ:  # fabric run has connected them already
                fabric.launch()
        # A group of its own, because Fabric's gives up as soon as its meeting does.
        return torch.distributed.new_group(timeout=_WAITING)
    except RuntimeError as error:
        raise _not_met(error, fabric.world_size, port) from error


@contextmanager
def _local_rank() -> Iterator[None]:
    """Set the local rank of a process that started the others itself, which Fabric looks for."""
    missing = "LOCAL_RANK" not in os.environ
    os.environ.setdefault("LOCAL_RANK", "0")
    try:
        yield
    finally:
        if missing:  # another run that this program starts is not part of this one
            del os.environ["LOCAL_RANK"]


def _not_met(error: RuntimeError, count: int, port: int) -> MoldiffError:
    """Say why the processes have not come together."""
    if "EADDRINUSE" in str(error):
        return InputError(
            f"The port {port} of this machine, for the processes of the run, is in use.",
            fix="Choose another: MASTER_PORT=29501 moldiff train ...; without it, a free one is "
            "found.",
        )
    reason = " ".join(str(error).split("\n")[0].split())
    return MoldiffError(
        f"The {count} processes did not come together: {reason.rstrip('.')}.",
        fix="All of them are needed within "
        f"{_MEETING.total_seconds():g} s, with the same MASTER_ADDR and MASTER_PORT.",
    )
