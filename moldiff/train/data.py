"""The molecules of a run: a prepared store, or a file prepared into the run's directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from moldiff.data.molecules import prepare, prepared_from
from moldiff.data.skeleton import folding_advice
from moldiff.data.store import Store
from moldiff.errors import ConfigError
from moldiff.parallel import Progress
from moldiff.train.config import TrainConfig

__all__ = ["molecule_store", "prepare_molecules", "prepared_folder"]


def prepared_folder(config: TrainConfig) -> Path:
    """Return where the molecules of a run are prepared if the data is a file of them."""
    return Path(config.output) / "data"


def prepare_molecules(
    config: TrainConfig,
    say: Callable[[str], None],
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> None:
    """Prepare the molecules of a run if the data is a file of them.

    A store already prepared from a file of the same content is reused.  Where folding hydrogens
    would make training faster, ``say`` is told how.

    Parameters
    ----------
    jobs, progress:
        As for `moldiff.data.molecules.prepare`.

    Raises
    ------
    DataError, InputError
        If the file cannot be read, or no molecule can be used.
    ConfigError
        If the run was trained on other molecules.
    """
    source, destination = Path(config.data), prepared_folder(config)
    if not source.is_file():
        return
    if (destination / "store.json").is_file():
        if prepared_from(Store.open(destination), [source]):
            return
        _keep_run(config)
    say(f"Preparing {source} as {destination} ...")
    store = prepare([source], destination, jobs=jobs, progress=progress, announce=say)
    advice = folding_advice(store, Path("data") / f"{Path(config.output).resolve().name}-skeleton")
    if advice is not None:
        say(advice)


def molecule_store(config: TrainConfig) -> Store:
    """Open the molecules of a run, which are prepared.

    Raises
    ------
    DataError
        If the data is missing or damaged.
    ConfigError
        If no molecule has two atoms.
    """
    source = Path(config.data)
    store = Store.open(prepared_folder(config) if source.is_file() else source)
    if store.sizes.max(initial=0) < 2:
        raise ConfigError(f"The data of '{config.data}' holds nothing to train on.")
    return store


def _keep_run(config: TrainConfig) -> None:
    """Refuse to replace the data of a run that has a checkpoint: it could not be resumed."""
    run = Path(config.output)
    if (run / "checkpoint.safetensors").exists():
        raise ConfigError(
            f"The run '{run}' has been trained on other molecules than '{config.data}' holds now.",
            fix="Give the new run a directory of its own with --output.",
        )
