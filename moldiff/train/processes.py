"""Data parallel training: several processes share the pieces of each step.

Each process has the whole network and optimizer.  It takes every ``count``-th piece of a step, the
gradients of all are added up, and all make the same update; so the number of processes changes
nothing but the time.  Lightning Fabric sets up what connects them (gloo on CPUs, nccl on GPUs, the
environments of torchrun, SLURM and others).  Its wrapper for networks is not used: it reduces
during each backward pass, and a step has one for each piece and loss.

In a script:

    with Processes(2) as processes:
        trainer = Trainer(config, store, processes=processes)
        for progress in trainer.fit():
            if processes.main: print(progress.step)

``python script.py`` starts the script once more for each other process, from its beginning, and
these end with the block; ``torchrun`` and ``fabric run`` start all of them themselves.  What a
script writes or prints beside the trainer is for the process that is ``main``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor

from moldiff.errors import ConfigError, InputError, MoldiffError
from moldiff.train.children import Children, follow, spawned
from moldiff.train.meeting import check_nodes, fabric, group

__all__ = ["Processes", "check_share"]

T = TypeVar("T")

ADVICE = "Nothing is lost but the time since the last checkpoint: the same command goes on from it."
_EXPLAINED = 5.0  # seconds in which a lost connection is explained by the end of a process


class ConnectionLost(MoldiffError):
    """Another process has left."""


class Processes:
    """The processes that train together; by default this one alone, without any communication.

    Parameters
    ----------
    processes:
        Number of processes on this machine: on CPUs, or with a GPU each.
    devices:
        As Fabric names them: their number ("2"), which GPUs ("0,3"), or "auto".
    nodes:
        Number of machines, with the same ``processes`` on each; the data, and the directory of the
        run, have to be on all of them.
    device:
        ``cpu`` or ``cuda``.
    advice:
        What the user can do when a process has failed.

    Raises
    ------
    InputError
        If there are no such processes or devices.
    MissingExtraError
        If several processes are wanted without lightning-fabric.
    """

    def __init__(
        self,
        processes: int | None = None,
        *,
        devices: str | None = None,
        nodes: int = 1,
        device: str = "cpu",
        advice: str = ADVICE,
    ) -> None:
        self.rank, self.count, self.local = 0, 1, 1
        self.device, self.advice = device, advice
        self._follows = False
        self._children: Children | None = None
        self._group: Any = None
        if processes in (None, 1) and devices is None and nodes == 1:
            return
        self._fabric = fabric(processes, devices, nodes, device)
        self._environment: Any = self._fabric.strategy.cluster_environment
        self.rank, self.count = self._fabric.global_rank, self._fabric.world_size
        self.local = self.count // nodes
        self.device = str(self._fabric.device)
        if processes not in (None, self.local):
            raise InputError(
                f"--processes {processes} and --devices {devices} do not agree.",
                fix="Give one of them.",
            )
        if nodes > 1 and not self._environment.creates_processes_externally:
            check_nodes(nodes)

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes files and talks to the user."""
        return self.rank == 0

    def __enter__(self) -> Processes:
        """Start the others on this machine, and wait until all have come together."""
        if self.count > 1:
            try:
                self._join()
            except BaseException as error:
                self.leave(error)
                raise
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """End the others; if the block failed because one of them did, raise its error."""
        self.leave(error)

    def _join(self) -> None:
        environment, first = self._environment, self.rank - self._fabric.local_rank
        if spawned():
            self._follows = True
            follow(self.advice, speaks=self.rank == first + 1)
        elif not environment.creates_processes_externally:
            address = {
                "MASTER_ADDR": environment.main_address,
                "MASTER_PORT": str(environment.main_port),
                "NODE_RANK": str(environment.node_rank()),
            }
            ranks = {local: first + local for local in range(1, self.local)}
            self._children = Children(ranks, address, self.advice)
            self._children.wait()
        self._group = group(self._fabric, environment.main_port)

    def leave(self, error: BaseException | None = None) -> None:
        """End the other processes of this machine; raise the error of one that has failed."""
        if self._follows and error is None:
            threading.Event().wait()  # for the parent, which may have files to write
        if self._children is not None:
            self._dismiss(self._children, error)
        if error is None and torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def _dismiss(self, children: Children, error: BaseException | None) -> None:
        try:
            lost = isinstance(error, ConnectionLost)
            failure = children.explain(_EXPLAINED if lost else 0.0)
            children.dismiss()
        except KeyboardInterrupt:  # that a child has failed became known just now
            failure = children.failure
            children.dismiss()
        if failure is not None and error is not None and error is not failure:
            raise failure

    @property
    def failed(self) -> bool:
        """Whether another process of this machine has failed."""
        return self._children is not None and self._children.failure is not None

    def share(self, pieces: range) -> range:
        """Return the pieces of a step that this process takes."""
        return pieces[self.rank :: self.count]

    def sum(self, parameters: Sequence[Tensor], values: Sequence[float]) -> list[float]:
        """Add up the gradients of ``parameters``, in place, and ``values`` over all processes.

        One message.  A parameter that has a gradient in no process keeps none, as in one process.
        """
        if self.count == 1:
            return list(values)
        present = [p.grad is not None for p in parameters]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        numbers = gradients[0].new_tensor([*present, *values])
        self.add_up([*gradients, numbers])
        summed: list[float] = numbers.tolist()
        for p, gradient, count in zip(parameters, gradients, summed, strict=False):
            p.grad = gradient if count else None
        return summed[len(present) :]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes; one message."""
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        self._reduce(flat)
        parts = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(
            list(tensors), [part.view_as(t) for part, t in zip(parts, tensors, strict=True)]
        )

    def from_main(self, make: Callable[[], T]) -> T:
        """Return what ``make`` returns in the main process; the others do not call it."""
        if self.count == 1:
            return make()
        box: list[Any] = [make() if self.main else None]
        with self._connected():
            torch.distributed.broadcast_object_list(box, src=0, group=self._group)
        value: T = box[0]
        return value

    def check_same(self, make: Callable[[], object]) -> None:
        """Raise ``MoldiffError`` unless ``make`` returns the same in all processes."""
        if self.count == 1:
            return
        values: list[object] = [None] * self.count
        with self._connected():
            torch.distributed.all_gather_object(values, make(), group=self._group)
        if len({repr(v) for v in values}) > 1:
            raise MoldiffError(
                f"The processes do not begin with the same weights at the same step: {values}.",
                fix="All of them need the same configuration, data and directory of the run.",
            )

    @contextmanager
    def first(self) -> Iterator[None]:
        """Run a block in the main process, then in the others, which may read what it wrote."""
        if not self.main:
            self._wait()
        yield
        if self.main:
            self._wait()

    def _wait(self) -> None:
        """Wait for all processes."""
        if self.count > 1:
            self._reduce(torch.zeros(1, device=self.device))

    def _reduce(self, tensor: Tensor) -> None:
        with self._connected():
            torch.distributed.all_reduce(tensor, group=self._group)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        assert self._group is not None, "several processes begin with a 'with' block"
        try:
            yield
        except RuntimeError as error:
            if self._follows:  # the end of the parent is the end of this process
                time.sleep(_EXPLAINED)
            raise ConnectionLost(
                "Another process of the run has ended.", fix=self.advice
            ) from error


def check_share(pieces: int, count: int) -> None:
    """Raise ``ConfigError`` unless ``count`` processes can share the pieces of a step equally."""
    if pieces % count:
        works = ", ".join(str(k) for k in range(1, pieces + 1) if not pieces % k)
        raise ConfigError(
            f"{count} processes cannot share the {pieces} pieces of a step equally.",
            fix=f"Numbers of processes that can: {works}; or begin a run of its own with "
            f"'pieces: {count}'.",
        )
