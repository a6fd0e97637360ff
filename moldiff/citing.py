"""Which papers are behind a model file, a method, a sampler or any registered part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from moldiff.bundled import bundled_models, find_model
from moldiff.errors import ConfigError, InputError, did_you_mean

__all__ = ["OTHER", "Citations", "cite"]

Citations = dict[str, list[str]]
"""Key of a reference -> what it is cited for."""

#: What is no registered class: optimizers by name, data sets by a word of their title.
OTHER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "optimizer": {"adamw": ("loshchilov2019",), "muon": ("jordan2024", "loshchilov2019")},
    "data": {"qm9": ("ramakrishnan2014",)},
}

# Keys of a configuration that are not the kind of what stands under them.
_KINDS = {"encoder": "interaction", "decoder": "interaction"}


def cite(words: Iterable[str]) -> Citations:
    """Return the references of models, methods, samplers and parts, and of this package.

    Parameters
    ----------
    words:
        Names of bundled models, model files, or names: of a method, a sampler, a registered
        class of any kind, an optimizer.

    Raises
    ------
    InputError
        If a word is none of these.
    ModelFileError
        If a model file is damaged.
    """
    from moldiff.references import OWN

    found: Citations = {}
    for word in words:
        for key, what in _of_word(word):
            told = found.setdefault(key, [])
            if what not in told:
                told.append(what)
    found.setdefault(OWN, []).append("this program")
    return found


def _of_word(word: str) -> Iterator[tuple[str, str]]:
    if word in bundled_models() or Path(word).is_file():
        yield from _of_model(find_model(word))
        return
    named = list(_of_name(word))
    if not named:
        raise InputError(
            f"'{word}' is no model file, method, sampler or part with a reference.",
            fix=did_you_mean(word, _all_names()),
        )
    yield from named


def _all_names() -> set[str]:
    from moldiff import registry
    from moldiff.methods import METHODS, SAMPLERS

    parts = {name for kind in registry.kinds() for name in registry.names(kind)}
    return {*parts, *METHODS, *SAMPLERS, *OTHER["optimizer"], *OTHER["data"], *bundled_models()}


def _of_name(word: str) -> Iterator[tuple[str, str]]:
    """Every reading of a name; ``dpm_solver`` and ``DPM-solver`` are the same."""
    from moldiff import registry
    from moldiff.methods import METHODS, SAMPLERS

    dashed, name = word.lower().replace("_", "-"), word.lower().replace("-", "_")
    if dashed in METHODS:
        method = METHODS[dashed]
        yield from ((key, f"the method {dashed}") for key in method.cites)
        yield from _of_config(method.config)
    if dashed in SAMPLERS:
        yield from _of_config({"stepper": SAMPLERS[dashed].stepper})
    for kind in registry.kinds():
        if name in registry.names(kind):
            yield from _of_part(kind, name)
    for kind, known in OTHER.items():
        yield from ((key, f"the {kind} {name}") for key in known.get(name, ()))


def _of_model(path: Path) -> Iterator[tuple[str, str]]:
    """The references of a model file: its parts, and how it was trained."""
    from moldiff.methods import METHODS
    from moldiff.model import read_header

    config, card = read_header(path)
    training = card.get("training", {})
    yield from _of_config({k: v for k, v in config.items() if k != "domain"})
    if config["domain"].get("conditions"):
        yield from ((key, "the conditions") for key in METHODS["classifier-free"].cites)
    yield from _of_config({"objective": _complete(training.get("objective", {}))})
    optimizer = training.get("optimizer", {}).get("name")
    yield from (
        (key, f"the optimizer {optimizer}") for key in OTHER["optimizer"].get(optimizer, ())
    )
    for name, keys in OTHER["data"].items():
        if name in str(card.get("data", "")).lower():
            yield from ((key, f"the data {name}") for key in keys)


def _complete(objective: Mapping[str, Any]) -> Mapping[str, Any]:
    """The objective with its defaults written out, where this version can build it."""
    from moldiff.registry import build, describe

    try:
        return describe(build("objective", objective))
    except ConfigError:  # a card may be older than the class: what it says is all there is
        return objective


def _of_config(config: Mapping[str, Any], kind: str | None = None) -> Iterator[tuple[str, str]]:
    """Walk a configuration: what stands under the name of a kind is a class of that kind.

    ``kind`` is that of all values, where the keys are fields.
    """
    from moldiff import registry

    for key, value in config.items():
        if key == "process":
            yield from _of_config(value, "process")
            continue
        name = value.get("name") if isinstance(value, Mapping) else value
        own = kind or _KINDS.get(key, key)
        if own == "network" and name not in registry.names("network"):
            own = "interaction"  # a graph network is called what its interaction is
        if isinstance(name, str) and name in registry.names(own):
            yield from _of_part(own, name)
        if isinstance(value, Mapping):
            yield from _of_config(value)


def _of_part(kind: str, name: str) -> Iterator[tuple[str, str]]:
    from moldiff.registry import cited, word

    return ((key, f"the {word(kind)} {name} ({where})") for key, where in cited(kind, name).items())
