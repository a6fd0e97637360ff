"""Trajectory files: what is written is read back; what is broken is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from moldiff.errors import InputError
from moldiff.view import Frame, read_trajectories, write_trajectories


def test_round_trip(tmp_path: Path) -> None:
    bonded = Frame(("C", "O"), np.array([[0.0, 0, 0], [0, 0, 1.2]]), ((0, 1, 2),), t=0.25)
    bare = Frame(("H",), np.array([[1.0, -2, 3]]))
    path = tmp_path / "t.xyz"
    write_trajectories(path, {0: [bonded], 4: [bare, bonded]})
    back = read_trajectories(path)
    assert list(back) == [0, 4] and len(back[4]) == 2
    assert back[0][0].bonds == bonded.bonds and back[0][0].t == 0.25
    assert back[4][0].t is None and back[4][0].elements == ("H",)
    np.testing.assert_allclose(back[4][0].positions, bare.positions)


def test_plain_xyz_of_another_program_is_molecule_zero(tmp_path: Path) -> None:
    path = tmp_path / "t.xyz"
    path.write_text("1\nstep 1\nH 0 0 0\n\n1\nstep 2\nH 0 0 1 0.1 0.2\n")
    frames = read_trajectories(path)[0]
    assert [frame.positions[0, 2] for frame in frames] == [0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no frame"),
        ("x\n\n", "line 1"),
        ("1\n\nH 0 0 0\n2\n\nH 0 0 0\n", "line 4"),
        ("1\n\nH 0 0 zero\n", "line 1"),
        ("1\nbonds=0-5-1\nH 0 0 0\n", "not there"),
        ("-3\n\n", "line 1"),
        ("99999999999\n\n", "line 1"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "t.xyz"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_trajectories(path)
    assert "t.xyz" in str(caught.value)


def test_a_missing_file_and_an_unwritable_place_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Cannot read"):
        read_trajectories(tmp_path / "none.xyz")
    with pytest.raises(InputError, match="Cannot write"):
        write_trajectories(tmp_path / "none" / "t.xyz", {})


def test_positions_must_match_the_elements() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        Frame(("H", "H"), np.zeros((1, 3)))


def test_predictions_are_read_back_with_their_states(tmp_path: Path) -> None:
    end = Frame(("C", "O"), np.array([[0.0, 0, 0], [0, 0, 1.2]]), ((0, 1, 2),))
    noise = [Frame(("C", "C"), np.full((2, 3), float(k)), (), t) for k, t in ((9, 1.0), (5, 0.5))]
    states = [replace(noise[0], prediction=end), noise[1], replace(end, t=0.0)]
    path = tmp_path / "t.xyz"
    write_trajectories(path, {2: states})
    lines = path.read_text().splitlines()
    assert [line for line in lines if "shows" in line] == [
        "molecule=2 t=1.0000 shows=x_0 bonds=0-1-2"
    ]
    assert lines.index("molecule=2 t=0.0000 bonds=0-1-2") < len(lines) - 4, "states come first"
    first, second, third = read_trajectories(path)[2]
    assert first.prediction is not None and first.prediction.bonds == end.bonds
    np.testing.assert_allclose(first.prediction.positions, end.positions)
    assert second.prediction is None and third.prediction is None
