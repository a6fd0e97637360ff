"""Turn the name of a method or a sampler into settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from moldiff.configuration import parameters
from moldiff.errors import ConfigError, InputError, did_you_mean
from moldiff.methods.table import METHODS, SAMPLERS
from moldiff.plugins import remedy

__all__ = ["apply", "changes", "parse_guidance", "parse_sampler", "sampler_remarks"]


def parse_sampler(text: str) -> dict[str, Any]:
    """Return the stepper's configuration for ``NAME`` or ``NAME,key=value,...``.

    The name is a sampler of the family or any registered stepper.

    Raises
    ------
    InputError
        If there is no such sampler, or a setting does not have this form.
    """
    name, *settings = (part.strip() for part in text.split(","))
    return _stepper(name) | _settings(f"the sampler '{name}'", settings, "heun,s_churn=2")


def parse_guidance(texts: Sequence[str]) -> float | list[dict[str, Any]] | None:
    """Return what guidances on a command line stand for; None without any.

    One number is the weight of classifier-free guidance; ``NAME,key=value,...`` is a registered
    guidance with settings.

    Raises
    ------
    InputError
        If there is no such guidance, or a setting is not of this form.
    """
    weights = [_weight(text) for text in texts]
    if len(texts) == 1 and weights[0] is not None:
        return weights[0]
    listed = [
        _guidance(text) if weight is None else {"name": "classifier_free", "weight": weight}
        for text, weight in zip(texts, weights, strict=True)
    ]
    return listed or None


def _weight(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _guidance(text: str) -> dict[str, Any]:
    from moldiff.registry import names, registered

    name, *settings = (part.strip() for part in text.split(","))
    if name not in names("guidance"):
        raise InputError(f"There is no guidance '{name}'.", fix=remedy(name, names("guidance")))
    declared = parameters(registered("guidance", name))
    words = {key for key, parameter in declared.items() if parameter.annotation is str}
    what, example = f"the guidance '{name}'", "valence,below=0.6"
    return {"name": name, **_settings(what, settings, example, words)}


def _settings(
    what: str, settings: Sequence[str], example: str, words: Collection[str] = ()
) -> dict[str, Any]:
    """Read ``key=value`` texts with numbers as values, or with ``words`` for some keys."""
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = (part.strip() for part in setting.partition("="))
        if not (equals and key and value) or key == "name":
            raise InputError(
                f"'{setting}' is not a setting of {what}.", fix=f"Write it as in {example}."
            )
        if key in values:
            raise InputError(f"'{key}' of {what} is set twice.", fix="Set it once.")
        values[key] = value if key in words else _number(what, key, value)
    return values


def _stepper(name: str) -> dict[str, Any]:
    from moldiff.registry import names

    if name in SAMPLERS:
        return dict(SAMPLERS[name].stepper)
    if name in names("stepper"):
        return {"name": name}
    candidates = {*SAMPLERS, *names("stepper")}
    raise InputError(f"There is no sampler '{name}'.", fix=remedy(name, candidates))


def _number(what: str, key: str, text: str) -> int | float:
    for kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            continue
        if value == value:  # not NaN
            return value
    raise InputError(f"'{key}' of {what} must be a number, not '{text}'.")


def sampler_remarks(stepper: Mapping[str, Any], objective: Mapping[str, Any]) -> list[str]:
    """Return warnings where a sampler does not suit models trained with an objective.

    Both are plain mappings, as `moldiff.registry.describe` returns them.
    """
    remarks = []
    inner = objective.get("objective", objective)  # endpoint and reflow have theirs inside
    coupling = inner.get("coupling", {"name": "independent"})["name"]
    if coupling != "independent" and _stochastic(stepper):
        deterministic = [
            name for name, choice in SAMPLERS.items() if not _stochastic(choice.stepper)
        ]
        remarks.append(
            f"Fresh noise in the coordinates is wrong for the coupling '{coupling}': the "
            "samples will not follow the distribution of the data. Use a sampler without it "
            f"({', '.join(deterministic)}), or a model trained with the coupling 'independent'."
        )
    name = objective["name"]
    if stepper["name"] == "consistency" and name != "consistency":
        remarks.append(
            f"The stepper 'consistency' is for models trained with the objective 'consistency': "
            f"one trained with '{name}' predicts means, not where trajectories end."
        )
    return remarks


def _stochastic(stepper: Mapping[str, Any]) -> bool:
    """Whether a stepper draws fresh noise for the coordinates."""
    from moldiff.registry import build

    return bool(build("stepper", stepper).stochastic)


def apply(
    name: str, config: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, tuple[Any, Any]]]:
    """Merge a method into a complete training configuration (plain values).

    Returns
    -------
    tuple
        The new configuration, and the changes: dotted key -> (before, after).

    Raises
    ------
    ConfigError
        If there is no such method, or it sets no field that the configuration has.
    """
    if name not in METHODS:
        raise ConfigError(f"There is no method '{name}'.", fix=did_you_mean(name, METHODS))
    settings, whole = dict(METHODS[name].config), METHODS[name].whole
    fields = {f: p for f, p in settings.get("process", {}).items() if f in config["process"]}
    if "process" in settings and "process" not in whole:
        if not fields:
            raise ConfigError(
                f"The method '{name}' sets {', '.join(settings['process'])}; the configuration's "
                f"process has only {', '.join(config['process'])}.",
                fix="Add such a field to 'process', or choose another method: moldiff methods.",
            )
        settings["process"] = fields
    merged = _merged(config, settings) | {key: settings[key] for key in whole}
    return merged, dict(changes(config, merged))


# The configuration's own choice of these wins over a method's.
_RETAINED = ("teacher", "properties", "codec")


def _merged(base: Any, over: Any) -> Any:
    """Merge ``over`` into ``base``; a part of another class replaces the whole part."""
    if not isinstance(over, Mapping):
        return over if not isinstance(base, Mapping) or base != {"name": over} else base
    base = {"name": base} if isinstance(base, str) else base
    if not isinstance(base, Mapping) or over.get("name", base.get("name")) != base.get("name"):
        return dict(over)
    retained = {key: base[key] for key in _RETAINED if base.get(key)}
    return {**base, **{k: _merged(base.get(k), v) for k, v in over.items()}, **retained}


def changes(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield the settings in which plain values differ: dotted key, (before, after).

    Of parts with different names only those are compared.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        same = before.get("name") == after.get("name")
        for key in after if same else ():
            yield from changes(before.get(key), after[key], f"{path}.{key}" if path else key)
        if same:
            return
    if _plain(before) != _plain(after):
        yield path, (_summary(before), _summary(after))


def _plain(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _summary(value: Any) -> Any:
    return value["name"] if isinstance(value, Mapping) and "name" in value else value
