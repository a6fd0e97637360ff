"""The family of diffusion methods, each a few settings of the same parts.

A *method* is a fragment of a training configuration, which `moldiff.methods.apply` merges into one;
a *sampler* is a stepper with settings, which can sample any trained model.  Both are data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moldiff.bundled import SMALL

__all__ = ["METHODS", "SAMPLERS", "Method", "SamplerChoice"]


@dataclass(frozen=True)
class Method:
    """A member of the family.

    Attributes
    ----------
    kind:
        The branch of the family under which figures show it.
    line:
        One-line description.
    cites:
        Keys of `moldiff.references`; the first is the method's main paper.
    config:
        Its settings in a training configuration.
    whole:
        Its keys that replace the configuration's; other keys are merged into them.
    """

    kind: str
    line: str
    cites: tuple[str, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    whole: tuple[str, ...] = ()

    @property
    def taught(self) -> bool:
        """Whether it learns from a trained teacher."""
        return "teacher" in self.config.get("objective", {})


@dataclass(frozen=True)
class SamplerChoice:
    """A way to sample any trained model: one line, and the stepper it stands for."""

    line: str
    stepper: Mapping[str, Any]


def _denoising(coupling: str, times: Mapping[str, Any] | None = None) -> dict[str, Any]:
    uniform = {"name": "kumaraswamy", "a": 1.0, "b": 1.0}
    return {"name": "denoising", "coupling": coupling, "times": times or uniform}


def _sampling(steps: int, stepper: str, exponent: float = 1.0, **settings: Any) -> dict[str, Any]:
    # Classes are resampled from the prediction (churn 1) unless a method sets its own kernel:
    # this is exact too, and corrects early choices when there are few steps.
    return {
        "steps": steps,
        "stepper": {"name": stepper, "churn": 1.0, **settings},
        "grid": {"name": "power", "exponent": exponent},
    }


def _coordinates(
    schedule: str | Mapping[str, Any], precondition: str, coupling: str = "independent"
) -> dict[str, Any]:
    # Latent models also have features; `apply` drops the fields a configuration lacks.
    part = {"name": "gaussian", "schedule": schedule}
    return {
        "process": {"positions": part, "features": part},
        "precondition": precondition,
        "objective": _denoising(coupling),
    }


def _kernel(noise: str) -> dict[str, Any]:
    jump = {"name": "jump", "schedule": "rectified", "noise": noise}
    return {"process": dict.fromkeys(("types", "charges", "bonds"), jump)}


_DATA = {"name": "gaussian", "schedule": "cosine", "scale": "data"}
_DDPM = _coordinates("linear_vp", "noise")
# Exponent of the grid for few steps with this schedule: DDIM's quadratic sequence (appendix D.2).
_QUADRATIC = 2.0
_FLOW = _coordinates("rectified", "velocity")
_VE = {"name": "ve", "sigma_min": 0.005, "sigma_max": 20.0}
# The paper's range of noise, in units of the data's spread (0.5 in the paper).  The times make
# ln sigma close to normal with mean -1.2 and standard deviation 1.5, as AlphaFold 3 draws it for
# atoms (supplement, section 3.7.1).  For skeletons (spread 1.14 angstrom) a fifth of the levels is
# then below 0.1 angstrom.  With EDM's values for images, ln(e^-1.2 / 0.5) and 1.2, it is a
# twentieth, and fewer molecules were stable (datasets/qm9/experiments.md).
_EDM = _coordinates({"name": "ve", "sigma_min": 0.004, "sigma_max": 160.0}, "karras") | {
    "objective": _denoising("independent", {"name": "logit_normal", "mean": -0.38, "std": 0.6})
}
# Distilled models keep the process of their teacher.
_FEW = {"evaluation": {"steps": 4}}

METHODS: Mapping[str, Method] = {
    "aligned": Method(
        "flows",
        "the default: flow from noise permuted and rotated onto the data; few, straight steps",
        ("klein2023", "song2023equifm", "karras2022"),
        _coordinates("cosine", "karras", "aligned") | {"sampling": _sampling(50, "ancestral", 1.5)},
    ),
    "thermodynamics": Method(
        "denoising",
        "a fixed noising reversed step by step; its bound is what `moldiff likelihood` gives",
        ("sohldickstein2015",),
        _coordinates("linear_vp", "clean") | {"sampling": _sampling(1000, "ancestral", eta=1.0)},
    ),
    "ddpm": Method(
        "denoising",
        "predicts the noise, L_simple, 1000 random steps back, linear schedule",
        ("ho2020",),
        _DDPM | {"sampling": _sampling(1000, "ancestral", eta=1.0)},
    ),
    "ddpm-cosine": Method(
        "denoising",
        "DDPM with the cosine schedule",
        ("nichol2021", "ho2020"),
        _coordinates("cosine", "noise") | {"sampling": _sampling(1000, "ancestral", eta=1.0)},
    ),
    "ddim": Method(
        "denoising",
        "DDPM's model, sampled without randomness in any number of steps",
        ("song2021ddim", "ho2020"),
        _DDPM | {"sampling": _sampling(50, "ancestral", _QUADRATIC, eta=0.0)},
    ),
    "score-matching": Method(
        "scores",
        "denoising score matching on a ladder of noise, annealed Langevin dynamics",
        ("song2019",),
        _coordinates(_VE, "noise") | {"sampling": _sampling(50, "annealed")},
    ),
    "score-sde-vp": Method(
        "scores",
        "variance-preserving SDE, predictor and Langevin corrector",
        ("song2021",),
        _DDPM | {"sampling": _sampling(250, "langevin")},
    ),
    "score-sde-ve": Method(
        "scores",
        "variance-exploding SDE, predictor and Langevin corrector",
        ("song2021", "song2019"),
        _coordinates(_VE, "noise") | {"sampling": _sampling(250, "langevin")},
    ),
    "probability-flow": Method(
        "scores",
        "the ODE with the marginals of the variance-preserving SDE, second order",
        ("song2021",),
        _DDPM | {"sampling": _sampling(25, "midpoint", _QUADRATIC)},
    ),
    "edm": Method(
        "scores",
        "preconditioning, log-normal noise levels (AlphaFold 3's), Heun (s_churn > 0: random)",
        ("karras2022", "abramson2024"),
        _EDM | {"sampling": _sampling(25, "heun")},
    ),
    "dpm-solver": Method(
        "denoising",
        "DDPM's model, second-order multistep solver in log-SNR: DPM-Solver++(2M)",
        ("lu2022", "ho2020"),
        _DDPM | {"sampling": _sampling(20, "multistep", _QUADRATIC)},
    ),
    "flow-matching": Method(
        "flows",
        "velocity of straight paths from noise permuted and rotated onto the data, Euler steps",
        ("lipman2023", "klein2023", "song2023equifm"),
        _coordinates("rectified", "velocity", "aligned")
        | {"sampling": _sampling(50, "ancestral", eta=0.0)},
    ),
    "rectified-flow": Method(
        "flows",
        "velocity of straight paths between independent noise and data, Euler steps",
        ("liu2023", "lipman2023"),
        _FLOW | {"sampling": _sampling(50, "ancestral", eta=0.0)},
    ),
    "reflow": Method(
        "few steps",
        "rectified again, on pairs that a teacher made: straighter paths, fewer steps",
        ("liu2023",),
        _FEW
        | {
            "objective": {"name": "reflow", "teacher": SMALL},
            "sampling": _sampling(8, "ancestral", eta=0.0),
        },
    ),
    "consistency-distillation": Method(
        "few steps",
        "every point of a teacher's trajectory predicts its end: 1 to 4 steps",
        ("song2023", "songdhariwal2024"),
        _FEW
        | {
            "precondition": "consistency",
            "objective": {"name": "consistency", "teacher": SMALL},
            "sampling": _sampling(4, "ancestral", 2.5, eta=0.0),
        },
    ),
    "consistency-training": Method(
        "few steps",
        "the same without a teacher: neighbouring noise levels agree",
        ("song2023", "songdhariwal2024"),
        _FEW
        | {
            "precondition": "consistency",
            "objective": {"name": "consistency", "coupling": "independent"},
            "sampling": {
                "steps": 4,
                "stepper": "consistency",
                "grid": {"name": "power", "exponent": 3.0},
            },
        },
    ),
    "endpoint": Method(
        "few steps",
        "predicts where a teacher ends from states the student reached itself: a few steps",
        ("salimans2022", "luhman2021", "ross2011"),
        _FEW
        | {
            "objective": {"name": "endpoint", "teacher": SMALL},
            "sampling": _sampling(4, "ancestral", 1.5, eta=0.0),
        },
    ),
    "uniform": Method(
        "classes",
        "classes jump to any other with equal probability",
        ("austin2021", "campbell2022"),
        _kernel("uniform"),
    ),
    "marginal": Method(
        "classes",
        "classes jump to others as frequent as in the data (the default for classes)",
        ("vignac2023", "austin2021", "campbell2022"),
        _kernel("marginal"),
    ),
    "mask": Method(
        "classes",
        "classes are masked one by one, and unmasked in sampling",
        ("austin2021", "campbell2022", "campbell2024"),
        _kernel("mask"),
    ),
    "dit": Method(
        "networks and spaces",
        "diffusion transformer: adaptive layer norm, attention biased by pairs, equivariant",
        ("peebles2023",),
        {"network": {"name": "transformer"}},
    ),
    "af3": Method(
        "networks and spaces",
        "NOT EQUIVARIANT: transformer on plain coordinates as in AlphaFold 3, which sees every "
        "molecule in random orientations",
        ("abramson2024", "peebles2023"),
        {"network": {"name": "plain"}},
    ),
    "latent": Method(
        "networks and spaces",
        "flow in the latents of a codec: points and features per atom; any other method goes there",
        ("xu2023", "rombach2022"),
        {
            "codec": "runs/qm9-codec/model.safetensors",
            "process": {
                "positions": {**_DATA, "space": "zero_com"},
                "features": {**_DATA, "space": "vectors"},
            },
            "precondition": "karras",
            "objective": _denoising("aligned"),
            "sampling": _sampling(50, "ancestral", 1.5, eta=0.0),
        },
        whole=("process", "sampling"),
    ),
    "classifier-free": Method(
        "networks and spaces",
        "conditions that training leaves out now and then; sampling goes beyond what they change",
        ("ho2022",),
        {
            "conditions": {"properties": ["logp"], "drop": 0.1},
            "sampling": {"guidance": 2.0},
        },
    ),
}

SAMPLERS: Mapping[str, SamplerChoice] = {
    "ancestral": SamplerChoice("DDPM: random steps back", {"name": "ancestral", "eta": 1.0}),
    "ddim": SamplerChoice("no randomness, first order", {"name": "ancestral", "eta": 0.0}),
    "midpoint": SamplerChoice("second order, two evaluations a step", {"name": "midpoint"}),
    "heun": SamplerChoice(
        "second order, two evaluations a step; s_churn > 0: random", {"name": "heun"}
    ),
    "multistep": SamplerChoice(
        "second order, one evaluation a step: DPM-Solver++(2M)", {"name": "multistep"}
    ),
    "langevin": SamplerChoice("ancestral steps with Langevin corrections", {"name": "langevin"}),
    "annealed": SamplerChoice(
        "Langevin steps down a ladder of noise; needs the schedule ve", {"name": "annealed"}
    ),
    "consistency": SamplerChoice(
        "predict and noise afresh, 1 to 4 steps; needs a consistency model",
        {"name": "consistency"},
    ),
}
