"""Generate molecules with a model given by name or already loaded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from moldiff.bundled import usual_model
from moldiff.cpu import with_threads
from moldiff.keywords import keywords_of
from moldiff.models import load
from moldiff.precision import resolve
from moldiff.verbs import verb

if TYPE_CHECKING:
    from moldiff.diffusion.sampler import Sampler, Stepper
    from moldiff.generation.given import Given
    from moldiff.generation.request import Conditions, Generated, Size
    from moldiff.model import Model
    from moldiff.precision import Precision
    from moldiff.results import Results
    from moldiff.view import Frame

__all__ = [
    "Options",
    "generate",
    "sampler_remarks",
    "stepper_of",
    "stream",
    "trajectories",
]


Guidances = float | Sequence[str | Mapping[str, Any]]
"""How sharply conditions are aimed at, or a list of guidances by name and settings."""


class Options(TypedDict, total=False):
    """Keyword arguments of :func:`stream`: those of :func:`generate`."""

    model: Model | str | Path
    device: str
    precision: Precision | None
    threads: int
    seed: int
    size: Size | str
    formula: str | None
    keep_valid: bool
    conditions: Conditions | str
    without: str | Sequence[str]
    only: str | Sequence[str]
    prompt: str | None
    steps: int | None
    temperature: float | None
    early_temperature: float | Mapping[str, float] | None
    valence: float | None
    guidance: Guidances | None
    sampler: str | Stepper | Sampler | None
    given: Given | None
    record: int
    progress: Callable[[float], None] | None


@verb
def generate(
    n: int,
    *,
    model: Model | str | Path | None = None,
    device: str = "cpu",
    precision: Precision | None = None,
    threads: int = 1,
    seed: int = 0,
    size: Size | str = None,
    formula: str | None = None,
    keep_valid: bool = False,
    conditions: Conditions | str | None = None,
    without: str | Sequence[str] = (),
    only: str | Sequence[str] = (),
    prompt: str | None = None,
    steps: int | None = None,
    temperature: float | None = None,
    early_temperature: float | Mapping[str, float] | None = None,
    valence: float | None = None,
    guidance: Guidances | None = None,
    sampler: str | Stepper | Sampler | None = None,
    given: Given | None = None,
    record: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Results[Generated]:
    """Generate ``n`` molecules: a list that can be shown, tabled, saved, and given to other verbs.

    Parameters
    ----------
    n:
        Number of molecules.
    model:
        A loaded model, the name of a bundled one (default: "druglike", with a formula
        "qm9"), or a path.
    device:
        Device for a model given by name or path.
    precision:
        Type of the network's large products: "float32", "bfloat16", or "auto", the faster one by
        measurement (`moldiff.precision`).  None takes the model's own, float32 unless replaced:
        the same seed gives the same molecules only in the same type.
    threads:
        Threads of one operation while molecules are made (default: 1).
    seed, size, formula, keep_valid, conditions, without:
        See `moldiff.generation.request.Request`.
    only:
        Symbols of the only elements that molecules may have, besides hydrogen.
        Text will do wherever the command line takes it: ``size="20..25"``,
        ``conditions="logp<3"``, ``only="C,N,O"``.
    prompt:
        What the molecules are to be, in words: ``"two aromatic rings, logP below 3, no bromine"``,
        see `moldiff.generation.prompt`; `moldiff.generation.demands.demanded` tells how it is
        understood.
    steps, temperature, early_temperature:
        Sampling steps; sharpness of the classes (below 1: more valid, less diverse), and the
        same at the start of a trajectory (above 1: more novel), for all or by field, as in
        ``{"bonds": 12.0}``; None takes the model's own.
    valence:
        The time below which the predicted bonds of an atom are made consistent with its valence,
        see `moldiff.diffusion.guidance.Valence`; 0 is never, None takes the model's own.
    guidance:
        How sharply to target the conditions (1: as the data do), or a list of registered
        guidances: ``[{"name": "valence", "below": 0.6}]``; None takes the model's own.
    sampler:
        Another sampler than the model's own: a name of `moldiff.methods.SAMPLERS` or of any
        registered stepper, with settings as in ``heun,s_churn=2`` (the churn of classes stays the
        model's); or a `Stepper`, which takes the model's steps and grid; or a
        `Sampler`.
    given:
        What is given of every molecule, as `moldiff.design` makes it; by default nothing.
    record:
        Keep the denoising trajectory of the first ``record`` molecules.
    progress:
        Called with the number of molecules' worth of work done since the last call.

    Raises
    ------
    InputError, ModelFileError
        If the request cannot be met, or the model cannot be loaded.
    ConfigError
        If a setting is wrong, or the device lacks the precision.
    """
    options = {name: value for name, value in locals().items() if name != "n" and value is not None}
    from moldiff.results import Results

    return Results(stream(n, **options))


@verb
@keywords_of(generate)
def stream(n: int, **options: Unpack[Options]) -> Iterator[Generated]:
    """Yield molecules as they are finished; otherwise as :func:`generate`.

    The threads are the consumer's own between two molecules.
    """
    remaining: dict[str, Any] = dict(options)
    return with_threads(remaining.pop("threads", 1), _stream(n, remaining))


def _stream(n: int, remaining: dict[str, Any]) -> Generator[Generated, None, None]:
    from moldiff.generation.demands import check_conditions, demanded
    from moldiff.generation.request import Request
    from moldiff.generation.run import generate as run

    model = remaining.pop("model", usual_model(remaining.get("formula")))
    device = remaining.pop("device", "cpu")
    if isinstance(model, str | Path):
        model = load(model, device)
    if (precision := remaining.pop("precision", None)) is not None:
        model = model.replace(precision=resolve(precision, model.device))
    keys = ("prompt", "conditions", "without", "only", "size")
    demands = demanded(model, **{key: remaining.pop(key) for key in keys if key in remaining})
    if (given := remaining.get("given")) is not None:
        demands = demands.around(given.elements)
    check_conditions(model, demands.conditions, remaining.get("guidance"))
    remaining |= {key: getattr(demands, key) for key in ("conditions", "without", "size")}
    settings = ("steps", "temperature", "early_temperature", "valence", "guidance")
    sampling = {key: remaining.pop(key, None) for key in settings}
    sampling = {key: value for key, value in sampling.items() if value is not None}
    if (sampler := remaining.pop("sampler", None)) is not None:
        sampling = {**_settings_of(sampler, model), **sampling}
    watch = {key: remaining.pop(key) for key in ("given", "record", "progress") if key in remaining}
    yield from run(model, Request(n, **remaining), sampling=sampling, **watch)


def _settings_of(sampler: str | Stepper | Sampler, model: Model) -> dict[str, Any]:
    """The sampling settings of a sampler given as a name, a stepper or a Sampler."""
    from moldiff.diffusion.sampler import Sampler, Stepper
    from moldiff.errors import InputError

    if isinstance(sampler, str):
        return {"stepper": stepper_of(sampler, model)}
    if isinstance(sampler, Stepper):
        return {"stepper": sampler}
    if isinstance(sampler, Sampler):
        return {key: getattr(sampler, key) for key in ("steps", "stepper", "grid")}
    raise InputError(
        f"A sampler is a name, a stepper or a Sampler, not {sampler!r}.",
        fix="Give a name (moldiff methods), or make one: Heun(s_churn=2).",
    )


def stepper_of(sampler: str, model: Model) -> dict[str, Any]:
    """Return the stepper configuration that ``NAME,key=value,...`` stands for with a model.

    Raises
    ------
    InputError
        If there is no such sampler, or a setting does not have this form.
    """
    from inspect import signature

    from moldiff.methods import parse_sampler
    from moldiff.registry import registered

    settings, default = parse_sampler(sampler), model.sampling.get("stepper", {})
    parameters = signature(registered("stepper", settings["name"])).parameters
    inherited = (
        {k: v for k, v in default.items() if k == "churn"} if isinstance(default, Mapping) else {}
    )
    return {**{k: v for k, v in inherited.items() if k in parameters}, **settings}


def sampler_remarks(sampler: str, model: Model) -> list[str]:
    """Return warnings about sampling a model so, given the training that its card records.

    Raises
    ------
    InputError, ConfigError
        If the sampler cannot be built.
    """
    from moldiff.diffusion.sampler import Sampler
    from moldiff.errors import ConfigError
    from moldiff.methods import sampler_remarks as remarks
    from moldiff.registry import build, describe

    built = Sampler.from_config({"stepper": stepper_of(sampler, model)})
    built.check(model.denoiser.process)
    try:
        objective = build("objective", model.card["training"]["objective"])
    except (KeyError, TypeError, ConfigError):  # a card may have no objective, or an unknown one
        return []
    return remarks(describe(built.stepper), describe(objective))


def trajectories(generated: Sequence[Generated], model: Model) -> dict[int, list[Frame]]:
    """Return the recorded trajectories by position in ``generated``, ready for `moldiff.view`."""
    from moldiff.chem import pair_indices
    from moldiff.generation.sampling import molecules_of
    from moldiff.view import Frame

    vocabulary = molecules_of(model).vocabulary
    elements = vocabulary.elements

    def frame(t: float, encoded: Any, end: Any) -> Frame:
        rows, columns = pair_indices(len(encoded.types))
        # A class beyond the vocabulary is the mask: an atom without element, no bond.
        bonds = tuple(
            (int(rows[e]), int(columns[e]), int(encoded.bonds[e]))
            for e in encoded.bonds.nonzero()[0]
            if encoded.bonds[e] < len(vocabulary.bonds)
        )
        symbols = tuple((*elements, "X")[k] for k in encoded.types)
        prediction = None if end is None else frame(t, end, None)
        return Frame(symbols, encoded.positions, bonds, t, prediction)

    return {
        i: [frame(moment.t, moment.molecule, moment.prediction) for moment in item.frames]
        for i, item in enumerate(generated)
        if item.frames
    }
