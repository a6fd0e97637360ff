"""Build the denoiser and sampler from a model's sampling settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moldiff.diffusion.denoiser import Denoiser
from moldiff.diffusion.sampler import Sampler
from moldiff.errors import ConfigError
from moldiff.registry import build, settings

__all__ = ["SHORT", "guidances", "laid_over", "with_settings"]

#: Settings that stand for one setting of a guidance, in the order in which guidances are applied.
SHORT: Mapping[str, tuple[str, str]] = {
    "guidance": ("classifier_free", "weight"),
    "temperature": ("temperature", "temperature"),
    "early_temperature": ("temperature", "early"),
    "valence": ("valence", "below"),
}


def guidances(sampling: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the guidances that sampling settings name, in their order, as configurations.

    ``guidance`` may be a list of them; a short setting, such as ``temperature: 0.7``, overrides
    the matching guidance of the list.  A guidance that is off (``valence: 0``) is left out.

    Raises
    ------
    ConfigError
        If ``guidance`` is neither a number nor a list of names and settings.
    """
    parts: dict[str, dict[str, Any]] = {}
    listed = sampling.get("guidance")
    for part in listed if isinstance(listed, list | tuple) else ():
        part = settings(part)
        if not isinstance(part, Mapping) or "name" not in part:
            raise ConfigError(
                f"A guidance is a name or a mapping with the key 'name', not {part!r}.",
                fix="Write it as in guidance: [{name: temperature, temperature: 0.7}].",
            )
        name = str(part["name"])
        if name in parts:
            raise ConfigError(
                f"The guidance '{name}' is listed twice.", fix="List each guidance once."
            )
        parts[name] = dict(part)
    for short, (name, key) in SHORT.items():
        value = sampling.get(short)
        if value is not None and not isinstance(value, list | tuple):
            parts.setdefault(name, {"name": name})[key] = _number(short, value)
    off = parts.get("valence", {}).get("below")
    return [part for name, part in parts.items() if name != "valence" or off != 0]


def laid_over(own: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's own sampling settings with the changes of a request laid over them.

    A temperature without an early one is for all times.  A list of guidances replaces the model's
    own settings of the guidances it names, and leaves the others.

    Raises
    ------
    ConfigError
        If a short setting and the list set the same thing.
    """
    constant = {"early_temperature": None} if "temperature" in changes else {}
    listed = changes.get("guidance")
    if not isinstance(listed, list | tuple):
        return {**own, **constant, **changes}
    settings = {part["name"]: part for part in guidances({"guidance": listed})}
    for short in changes.keys() & SHORT.keys() - {"guidance"}:
        name, key = SHORT[short]
        if changes[short] is not None and key in settings.get(name, {}):
            raise ConfigError(
                f"'{key}' of the guidance '{name}' is set twice, the other time as '{short}'.",
                fix="Set it once.",
            )
    replaced = settings.keys()
    rest = {k: v for k, v in own.items() if k not in SHORT or SHORT[k][0] not in replaced}
    before = guidances({"guidance": rest.get("guidance")})
    kept = [part for part in before if part["name"] not in replaced]
    return {**rest, **constant, **changes, "guidance": [*kept, *listed]}


def _number(setting: str, value: Any) -> Any:
    """A number, or for ``early_temperature`` a number per field."""
    values = value.values() if isinstance(value, Mapping) else [value]
    by_field = isinstance(value, Mapping) and setting == "early_temperature"
    for one in values if by_field or not isinstance(value, Mapping) else [value]:
        if isinstance(one, bool) or not isinstance(one, int | float):
            what = "temperature" if "temperature" in setting else setting
            fix = "Try 1."
            if setting == "guidance" and isinstance(one, str):
                fix = f"Try 1, or a guidance by its name in a list: [{one!r}]."
            raise ConfigError(f"A {what} is a number, not {one!r}.", fix=fix)
    return dict(value) if by_field else float(value)


def with_settings(
    denoiser: Denoiser,
    sampling: Mapping[str, Any],
    knowledge: Mapping[str, Any] | None = None,
) -> tuple[Denoiser, Sampler]:
    """Return the guided denoiser and the sampler that a model's ``sampling`` settings describe.

    Parameters
    ----------
    denoiser, sampling:
        The model's denoiser and its sampling settings.
    knowledge:
        What the model's domain supplies to guidances: ``allowed`` valences, the number of
        ``conditions``.

    Raises
    ------
    ConfigError
        If a setting is unknown or has an impossible value, the sampler does not suit the process,
        or guidance is set for a denoiser without conditions.
    """
    sampler = Sampler.from_config({k: v for k, v in sampling.items() if k not in SHORT})
    sampler.check(denoiser.process)
    for part in guidances(sampling):
        denoiser = build("guidance", part, **{"denoiser": denoiser, **(knowledge or {})})
    return denoiser, sampler
