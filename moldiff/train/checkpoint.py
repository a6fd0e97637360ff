"""The checkpoint of a run: one file with what going on needs, tensors and some numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import Tensor

from moldiff.errors import ModelFileError
from moldiff.methods import changes
from moldiff.precision import named
from moldiff.storage import read_tensors, write_tensors
from moldiff.train.config import TrainConfig
from moldiff.train.records import completed

__all__ = ["FORMAT", "check_network", "identity_of", "precision_of", "read", "undamaged", "write"]

FORMAT = "moldiff-checkpoint-1"
_SHORT = 30  # characters of a setting's value in a message
_ABSENT = {"cpu_seconds": "0", "samples": "0", "skipped": "0"}  # in older checkpoints
_COUNTS = ("step", "judged", "samples", "skipped")
_SECONDS = ("seconds", "cpu_seconds")

Parts = Mapping[str, Mapping[str, Tensor]]
"""Named tensors by what they belong to: network, optimizer, average."""


def write(path: Path, parts: Parts, run: Any, identity: Mapping[str, Any]) -> None:
    """Write the tensors and the numbers of a run (attributes of ``run``), atomically."""
    config: TrainConfig = run.config
    header = {
        "format": FORMAT,
        "identity": json.dumps(identity),
        "steps": str(config.steps),
        "decay_start": str(config.optimizer.decay_start(config.steps)),
        "precision": named(run.precision),
        **{name: repr(getattr(run, name)) for name in (*_COUNTS, *_SECONDS)},
    }
    tensors = {f"{part}.{k}": v for part, named in parts.items() for k, v in named.items()}
    write_tensors(path, tensors, header)


def read(
    path: Path, before_decay: Path, config: TrainConfig, identity: Mapping[str, Any]
) -> tuple[dict[str, Any], Parts]:
    """Return the numbers of a run by name, and its tensors.

    A run that is extended goes on from where its learning rate began to fall; if that was at its
    beginning, there are no numbers, and it begins anew.

    Raises
    ------
    ModelFileError
        If the checkpoint is damaged or belongs to another run.
    """
    with undamaged(path):
        header, tensors = read_tensors(path, FORMAT)
        extended = int(header["decay_start"]) < int(header["step"])
        extended &= int(header["steps"]) < config.steps
        if extended and before_decay.exists():
            header, tensors = read_tensors(before_decay, FORMAT)
        saved = completed(json.loads(header["identity"]))
        differences: dict[str, str] = {}  # the first of each group of settings
        now = {**dict.fromkeys(saved), **identity}  # what a run had and this one lacks differs, too
        for key, values in changes(saved, now):
            differences.setdefault(key.partition(".")[0], _difference(key, values))
        anew = extended and int(header["decay_start"]) == 0  # all of it was decay
        header = _ABSENT | header
        numbers: dict[str, Any] = {name: int(header[name]) for name in _COUNTS}
        numbers |= {name: float(header[name]) for name in _SECONDS}
        parts: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "average": {}}
        for key, value in tensors.items():
            part, name = key.split(".", 1)
            parts[part][name] = value
    if differences:
        raise ModelFileError(
            f"'{path}' belongs to another run: different {', '.join(differences.values())}.",
            fix=_fix(path),
        )
    return ({} if anew else numbers), parts


def check_network(path: Path, saved: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> None:
    """Raise ``ModelFileError`` if saved weights do not have the shapes of those of a network."""
    for name, value in here.items():
        stored = saved.get(name)
        if stored is None or stored.shape != value.shape:
            was = "nothing" if stored is None else f"the shape {tuple(stored.shape)}"
            fix = _fix(path)
            raise ModelFileError(
                f"'{path}' is of another network: '{name}' has the shape {tuple(value.shape)} here "
                f"and {was} there.",
                fix=f"Train with the code that wrote it, or {fix[0].lower()}{fix[1:]}",
            )


def _difference(key: str, values: tuple[Any, Any]) -> str:
    """A setting that differs, (there, here): with its values if they are short."""
    if any(not isinstance(v, str | int | float) or len(str(v)) > _SHORT for v in values):
        return key.partition(".")[0]
    return "{} ({} there, {} here)".format(key, *values)


@contextmanager
def undamaged(path: Path) -> Iterator[None]:
    """Report what goes wrong with the content of a checkpoint as ``ModelFileError``."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(error.what, fix=_fix(path)) from error
    except (KeyError, RuntimeError, ValueError) as error:
        raise ModelFileError(f"'{path}' is damaged: {error}", fix=_fix(path)) from error


def _fix(path: Path) -> str:
    return f"Choose another 'output', or delete '{path}' to start again."


def identity_of(path: Path) -> dict[str, Any] | None:
    """Return the settings that a run keeps, or None if it has no readable checkpoint."""
    try:
        identity: dict[str, Any] = json.loads(_header(path)["identity"])
    except (KeyError, ValueError):
        return None
    return completed(identity)


def precision_of(path: Path) -> str | None:
    """Return the precision that a run was in, or None if it has no checkpoint that says so."""
    return _header(path).get("precision")


def _header(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}
