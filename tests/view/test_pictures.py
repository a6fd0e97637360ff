"""The GIF and the strip of a trajectory: moments in order, predictions beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from moldiff.errors import InputError
from moldiff.view import Frame
from moldiff.view.pictures import final_frame, write_gif, write_strip
from tests.molecules import embedded


def painted(image: Image.Image) -> int:
    """Pixels that are not white."""
    return int((np.asarray(image.convert("RGB")).min(-1) < 245).sum())


def test_the_gif_goes_from_noise_to_the_molecule(trajectory: list[Frame], tmp_path: Path) -> None:
    path = tmp_path / "t.gif"
    last = final_frame(embedded("NC(=O)c1ccco1"))
    assert last is not None and len(last.bonds) == 13
    write_gif(path, trajectory, last)
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames, gif.size) == ("GIF", 11, (300, 326))  # type: ignore[attr-defined]
        assert gif.info["loop"] == 0
        pauses, frames = [], []
        for index in range(11):
            gif.seek(index)
            pauses.append(gif.info["duration"])
            frames.append(gif.convert("RGB").copy())
    assert pauses[-1] > 10 * pauses[0] and len(set(pauses[:-1])) == 1
    assert all(painted(frame) > 2000 for frame in frames)
    assert all(frames[k] != frames[k + 1] for k in range(10))


def test_predictions_stand_beside(trajectory: list[Frame], tmp_path: Path) -> None:
    end = trajectory[-1]
    frames = [replace(frame, prediction=end) for frame in trajectory[:-1]] + [end]
    write_gif(tmp_path / "t.gif", frames)
    with Image.open(tmp_path / "t.gif") as gif:
        assert gif.size == (600, 326)
        first = gif.convert("RGB").copy()
        gif.seek(10)
        final = gif.convert("RGB").copy()
    # the right half of the first frame already shows the molecule, as the left of the last does
    right, left = first.crop((300, 26, 600, 326)), final.crop((0, 26, 300, 326))
    difference = np.abs(np.asarray(right, dtype=float) - np.asarray(left, dtype=float))
    assert np.mean(difference.max(-1) > 60) < 0.01
    write_strip(tmp_path / "t.png", frames)
    with Image.open(tmp_path / "t.png") as strip:
        assert strip.size == (1800, 652)
        assert all(painted(strip.crop((300 * k, 352, 300 * k + 300, 652))) > 2000 for k in range(6))


def test_a_strip_has_one_row_without_predictions(trajectory: list[Frame], tmp_path: Path) -> None:
    write_strip(tmp_path / "t.png", trajectory)
    with Image.open(tmp_path / "t.png") as strip:
        assert strip.size == (1800, 326)


def test_atoms_far_away_and_not_finite_are_no_trouble(tmp_path: Path) -> None:
    far = Frame(("C", "X", "Xe"), np.array([[0.0, 0, 0], [1.4, 0, 0], [5e4, 0, 0]]), t=1.0)
    lost = Frame(("C",), np.full((1, 3), np.nan))
    near = Frame(("C", "O", "H"), np.array([[0.0, 0, 0], [1.4, 0, 0], [2, 1, 0]]), t=0.0)
    write_strip(tmp_path / "t.png", [replace(far, prediction=lost), lost, near])
    with Image.open(tmp_path / "t.png") as strip:
        assert strip.size == (600, 326)
    with pytest.raises(InputError, match="no frame with finite"):
        write_gif(tmp_path / "t.gif", [lost])
    with pytest.raises(InputError, match="Cannot write"):
        write_gif(tmp_path / "none" / "t.gif", [near])
