"""The molecules of a run: a prepared store, or a file prepared into the run's directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moldiff.data.molecules import prepare, prepared_from
from moldiff.data.store import Store
from moldiff.errors import ConfigError
from moldiff.train.config import TrainConfig

__all__ = ["molecule_store"]


def molecule_store(config: TrainConfig, say: Callable[[str], None]) -> Store:
    """Open the molecules of a run; a file of them is prepared first.

    A store already prepared from a file of the same content is reused.

    Raises
    ------
    DataError, InputError
        If the data is missing or damaged, or no molecule can be used.
    ConfigError
        If the run was trained on other molecules, or no molecule has two atoms.
    """
    store = _opened(config, say)
    if store.sizes.max(initial=0) < 2:
        raise ConfigError(f"The data of '{config.data}' holds nothing to train on.")
    return store


def _opened(config: TrainConfig, say: Callable[[str], None]) -> Store:
    source = Path(config.data)
    if not source.is_file():
        return Store.open(source)
    destination = Path(config.output) / "data"
    if (destination / "store.json").is_file():
        store = Store.open(destination)
        if prepared_from(store, [source]):
            return store
        _keep_run(config)
    say(f"Preparing {source} as {destination} ...")
    return prepare([source], destination)


def _keep_run(config: TrainConfig) -> None:
    """Refuse to replace the data of a run that has a checkpoint: it could not be resumed."""
    run = Path(config.output)
    if (run / "checkpoint.safetensors").exists():
        raise ConfigError(
            f"The run '{run}' has been trained on other molecules than '{config.data}' holds now.",
            fix="Give the new run a directory of its own with --output.",
        )
