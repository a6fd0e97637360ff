"""One method explained: its equation, its parts and settings, and a picture of its schedule."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from inspect import getdoc
from pathlib import Path
from typing import Any

from moldiff.cli.output import files_line, pairs, remark, table
from moldiff.errors import InputError, did_you_mean
from moldiff.methods import METHODS, SAMPLERS

__all__ = ["explain"]

_WIDTH, _HEIGHT = 61, 13  # characters of the picture
_POINTS = 121  # of the drawn curves
# Kinds of parts, in the order in which they are told.
_KINDS = (
    *("process", "space", "schedule", "precondition", "coupling", "times", "objective"),
    *("network", "interaction", "stepper", "grid"),
)

_GAUSSIAN = "x_t = alpha(t) x_0 + sigma(t) z,  z ~ N(0, 1),  t from 0 (data) to 1 (noise)"
_JUMP = "a class is kept with probability alpha(t), and else drawn from the {noise} noise"

Curves = tuple[Sequence[float], Sequence[float]]


def explain(name: str, output: Path | None) -> None:
    """Print what a method, sampler or guidance is; write its schedule as SVG to ``output``.

    Raises
    ------
    InputError
        If there is nothing of that name, or it has no schedule to draw.
    """
    from moldiff.registry import names, registered

    guidances = names("guidance")
    if name not in {*METHODS, *SAMPLERS, *guidances}:
        known = {*METHODS, *SAMPLERS, *guidances}  # a method and a sampler may share a name
        raise InputError(
            f"There is no method, sampler or guidance '{name}'.", fix=did_you_mean(name, known)
        )
    if name in METHODS:
        _method(name, output)
        return
    if output is not None:
        raise InputError(
            f"'{name}' has no schedule of its own to draw: it goes with any model.",
            fix=f"Name a method: {', '.join(METHODS)}.",
        )
    if name in SAMPLERS:
        choice = SAMPLERS[name]
        table(
            [("sampler", name), ("what it is", choice.line), *pairs(choice.stepper)],
            data={
                "name": name,
                "kind": "sampler",
                "about": choice.line,
                "settings": choice.stepper,
            },
        )
        kind = registered("stepper", choice.stepper["name"])
    else:
        kind = registered("guidance", name)
        about = {"name": name, "kind": "guidance", "about": _line(kind), "settings": None}
        table([("guidance", name)], data=about)
    print(getdoc(kind))


def _method(name: str, output: Path | None) -> None:
    from moldiff.references import reference

    method = METHODS[name]
    papers = ", ".join(reference(key).short for key in method.cites)
    rows = [("method", name), ("what it is", method.line), ("kind", method.kind)]
    equations, parts = dict(_equations(method.config)), list(_parts(method.config))
    settings = _without_repeats(method.config)
    data = {
        "name": name,
        "kind": method.kind,
        "about": method.line,
        "equation": equations.get("equation"),
        "schedule": equations.get("with"),
        "cites": list(method.cites),
        "parts": [{"part": kind, "name": part, "about": line} for kind, part, line in parts],
        "settings": settings,
    }
    table([*rows, *equations.items(), ("papers", papers)], data=data)
    if parts:
        table(parts, header=("part", "name", "what it is"), data=data)
    table(pairs(settings), title="settings in a configuration", data=data)
    schedule = _schedule(method.config)
    if schedule is None:
        source = "its teacher's" if method.taught else "that of the configuration"
        remark(f"Its schedule is {source}.")
        if output is not None:
            raise InputError(f"'{name}' has no schedule of its own to draw.", fix="Leave out -o.")
        return
    jump = _first(method.config).get("name") == "jump"
    curves = _curves(schedule, jump=jump)
    print(_drawn(curves))
    print(
        "a: share of classes that are kept, alpha; s: of those redrawn, 1 - alpha"
        if jump
        else "shares of signal (a), alpha/r, and noise (s), sigma/r, with r² = alpha² + sigma²"
    )
    if output is not None:
        from moldiff.text import replace_text

        replace_text(output, _svg(name, curves))
        remark(f"The picture is {files_line([output])}.")


def _first(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The process of a method's first field."""
    return next(iter(config.get("process", {}).values()), {})


def _schedule(config: Mapping[str, Any]) -> Any:
    return _first(config).get("schedule")


def _equations(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from moldiff.registry import registered

    process, schedule = _first(config), _schedule(config)
    if schedule is None:
        return
    jump = process.get("name") == "jump"
    yield "equation", _JUMP.format(noise=process.get("noise")) if jump else _GAUSSIAN
    name = schedule if isinstance(schedule, str) else schedule["name"]
    yield "with", _line(registered("schedule", name))


def _parts(config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The parts that a method sets: kind, name, and first line of their description."""
    from moldiff.citing import parts
    from moldiff.registry import registered

    unique = dict.fromkeys(parts(config))
    for kind in _KINDS:
        for name in (name for other, name in unique if other == kind):
            key = "network" if kind == "interaction" else kind  # as configurations have it
            yield key, name, _line(registered(kind, name))


def _line(part: type) -> str:
    return " ".join((getdoc(part) or "").partition("\n\n")[0].split())


def _without_repeats(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, with the fields that share one process told together."""
    process: dict[str, Any] = {}
    for field, part in config.get("process", {}).items():
        same = next((key for key, other in process.items() if other == part), None)
        if same is not None:
            process[f"{same}, {field}"] = process.pop(same)
        else:
            process[field] = part
    return {**config, **({"process": process} if process else {})}


def _curves(schedule: Any, *, jump: bool) -> Curves:
    """Shares of signal and noise at even times; of a jump process those of classes."""
    import torch

    from moldiff.registry import build

    built = build("schedule", schedule)
    t = torch.linspace(0, 1, _POINTS, dtype=torch.float64)
    alpha, sigma = built.alpha(t), built.sigma(t)
    if jump:
        return alpha.tolist(), (1 - alpha).tolist()
    whole = torch.hypot(alpha, sigma)
    return (alpha / whole).tolist(), (sigma / whole).tolist()


def _drawn(curves: Curves) -> str:
    """Both curves in characters; where they meet stands an x."""
    rows = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for letter, values in zip("as", curves, strict=True):
        for column in range(_WIDTH):
            value = values[round(column * (_POINTS - 1) / (_WIDTH - 1))]
            row = round((1 - min(1.0, max(0.0, value))) * (_HEIGHT - 1))
            rows[row][column] = letter if rows[row][column] == " " else "x"
    labels = {0: "1.0", _HEIGHT // 2: "0.5", _HEIGHT - 1: "0.0"}
    lines = [f"{labels.get(k, ''):>4} |{''.join(row)}".rstrip() for k, row in enumerate(rows)]
    ends = f"{'':6}t = 0 (data){'t = 1 (noise)':>{_WIDTH - 12}}"
    return "\n".join([*lines, f"{'':5}+{'-' * _WIDTH}", ends])


def _svg(name: str, curves: Curves) -> str:
    lines = []
    drawn = (("#2f62d9", "signal"), ("#c2570c", "noise"))
    for (colour, label), values in zip(drawn, curves, strict=True):
        points = " ".join(
            f"{40 + 400 * k / (_POINTS - 1):.1f},{230 - 200 * value:.1f}"
            for k, value in enumerate(values)
        )
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
        lines.append(
            f'<text x="446" y="{234 - 200 * values[-1]:.1f}" fill="{colour}">{label}</text>'
        )
    title = html.escape(f"The schedule of {name}")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 510 270" width="510" '
        f'font-family="sans-serif" font-size="12"><title>{title}</title>'
        '<rect width="100%" height="100%" fill="#fff"/>'
        '<path d="M40 30V230H440" fill="none" stroke="#5d6878"/>'
        f'<text x="40" y="18">{title}</text><text x="14" y="34">1</text>'
        '<text x="14" y="234">0</text><text x="40" y="250">t = 0, data</text>'
        f'<text x="440" y="250" text-anchor="end">t = 1, noise</text>{"".join(lines)}</svg>\n'
    )
