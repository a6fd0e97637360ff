"""The papers behind a model file, a method, a sampler or any part; the parts of a configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from moldiff.bundled import bundled_models, find_model
from moldiff.errors import ConfigError, InputError, did_you_mean

__all__ = ["OTHER", "Citations", "cite", "parts"]

Citations = dict[str, list[str]]
"""Reference key -> what it is cited for."""

#: Other subjects than registered classes: optimizers by name, data sets by a word of their title,
#: a network of others.
OTHER: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "optimizer": {"adamw": ("loshchilov2019",), "muon": ("jordan2024", "loshchilov2019")},
    "data": {"qm9": ("ramakrishnan2014",)},
    # The network of moldiff.docking.judge.cnn.
    "network of gnina 1.3, all_default_to_default_1_3_1 (Apache-2.0, in rustina, MIT), named": {
        "cnn": ("mcnutt2025", "francoeur2020", "ragoza2017")
    },
}

# Keys of a configuration that differ from the kind of the part under them.
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

    citations: Citations = {}
    for word in words:
        for key, what in _of_word(word):
            subjects = citations.setdefault(key, [])
            if what not in subjects:
                subjects.append(what)
    citations.setdefault(OWN, []).append("this program")
    return citations


def _of_word(word: str) -> Iterator[tuple[str, str]]:
    if word in bundled_models() or Path(word).is_file():
        yield from _of_model(find_model(word))
        return
    references = list(_of_name(word))
    if not references:
        raise InputError(
            f"'{word}' is not a model file, method, sampler or part with a reference.",
            fix=did_you_mean(word, _all_names()),
        )
    yield from references


def _all_names() -> set[str]:
    from moldiff import registry
    from moldiff.methods import METHODS, SAMPLERS

    parts = {name for kind in registry.kinds() for name in registry.names(kind)}
    return {*parts, *METHODS, *SAMPLERS, *bundled_models()} | {
        name for entries in OTHER.values() for name in entries
    }


def _of_name(word: str) -> Iterator[tuple[str, str]]:
    """Every interpretation of a name; ``dpm_solver`` and ``DPM-solver`` are equal."""
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
    for kind, entries in OTHER.items():
        yield from ((key, f"the {kind} {name}") for key in entries.get(name, ()))


def _of_model(path: Path) -> Iterator[tuple[str, str]]:
    """The references of a model file: its parts and its training."""
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
    """The objective with its defaults filled in, if this version can build it."""
    from moldiff.registry import build, describe

    try:
        return describe(build("objective", objective))
    except ConfigError:  # the card may be older than the class: use it as it is
        return objective


def parts(config: Mapping[str, Any], kind: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield kind and name of the registered parts in a configuration, in its order, repeats too.

    The key is the kind of the part under it; ``kind`` is that of all if the keys are fields.
    """
    from moldiff import registry

    for key, value in config.items():
        if key == "process" and isinstance(value, Mapping):
            yield from parts(value, "process")
            continue
        name = value.get("name") if isinstance(value, Mapping) else value
        part_kind = kind or _KINDS.get(key, key)
        if part_kind == "network" and name not in registry.names("network"):
            part_kind = "interaction"  # a graph network has the name of its interaction
        if isinstance(name, str) and name in registry.names(part_kind):
            yield part_kind, name
        if isinstance(value, Mapping):
            yield from parts(value)


def _of_config(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The references of the parts of a configuration."""
    for kind, name in parts(config):
        yield from _of_part(kind, name)


def _of_part(kind: str, name: str) -> Iterator[tuple[str, str]]:
    from moldiff.registry import cited, word

    return ((key, f"the {word(kind)} {name} ({where})") for key, where in cited(kind, name).items())
