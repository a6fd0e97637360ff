"""``moldiff view --gif --strip``: what it tells programs, and the options that it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moldiff
from moldiff.errors import InputError
from moldiff.view import Frame
from moldiff.view.trajectory import write_trajectories

Run = Callable[..., Any]


@pytest.fixture
def denoising(tmp_path: Path) -> Path:
    """Three frames of each of two molecules."""
    points = np.array([[0.0, 0, 0], [1.4, 0, 0]])
    frames = [Frame(("C", "O"), points * (1 + t), t=t) for t in (1.0, 0.5, 0.0)]
    path = tmp_path / "denoising.xyz"
    write_trajectories(path, {1: frames, 4: frames})
    return path


def test_pictures_are_told_to_programs(run: Run, denoising: Path) -> None:
    gif, strip = denoising.with_suffix(".gif"), denoising.with_suffix(".png")
    done = run("view", denoising, "--gif", gif, "--strip", strip, "--json")
    assert done.status == 0, done.err
    told = json.loads(done.out)
    expected = {"molecule": 2, "recorded": 2, "frames": 3, "files": [str(gif), str(strip)]}
    assert {key: told[key] for key in expected} == expected
    assert "picture" not in told
    shown = run("view", denoising, "--gif", gif)
    assert "2, the first of 2" in shown.out


@pytest.mark.parametrize(
    "words",
    [
        ("--figures", "f.csv"),
        ("--highlight", "C"),
        ("--open",),
        ("--limit", "3"),
        ("--output", "t.html"),
        ("--receptor", "a.pdb"),
    ],
)
def test_options_of_a_page_are_refused(run: Run, denoising: Path, words: tuple[str, ...]) -> None:
    gif = denoising.with_suffix(".gif")
    done = run("view", denoising, "--gif", gif, *words)
    assert done.status == 2 and words[0] in done.err, done.err
    assert "no page" in done.err and not gif.exists()


def test_moments_of_a_denoising_are_no_molecules(
    run: Run, denoising: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(denoising.parent)
    done = run("view", denoising.name, "-o", "page.html")
    assert done.status == 2 and f"--trajectory {denoising.name}" in done.err
    assert "--gif" in done.err and not Path("page.html").exists()
    with pytest.raises(InputError, match="is the denoising of a molecule"):
        moldiff.view(denoising)
    Path("methane.xyz").write_text("1\na molecule, t=300 K\nC 0 0 0\n")
    assert run("view", "methane.xyz").status == 0, "other words in a comment are nothing"
