"""The batch is a value: frozen, checked, and independent of what it was made from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest
import torch

from moldiff.diffusion.batch import (
    FIELDS,
    Batch,
    Field,
    pair_count,
    pair_indices,
    pair_selector,
    pair_table,
    register_field,
)

CPU = torch.device("cpu")


@pytest.fixture
def batch() -> Batch:
    return Batch(
        {
            "bonds": torch.zeros(2, 6, dtype=torch.long),
            "positions": torch.ones(2, 4, 3),
            "types": torch.zeros(2, 4, dtype=torch.long),
        }
    )


def test_it_is_frozen(batch: Batch) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch.fields = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        batch.fields["types"] = torch.zeros(2, 4)  # type: ignore[index]
    with pytest.raises(TypeError):
        batch["types"] = torch.zeros(2, 4)  # type: ignore[index]
    with pytest.raises(TypeError):
        FIELDS["colour"] = FIELDS["types"]  # type: ignore[index]


@pytest.mark.parametrize("wrong", [{}, {"position": torch.zeros(1, 2, 3)}])
def test_only_known_fields(wrong: Mapping[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="positions"):
        Batch(wrong)


def test_all_fields_have_the_same_number_of_graphs(batch: Batch) -> None:
    with pytest.raises(ValueError, match=r"'types': \(3, 4\)"):
        batch.replace(types=torch.zeros(3, 4, dtype=torch.long))


def test_a_field_that_is_not_held(batch: Batch) -> None:
    assert "charges" not in batch and batch.get("charges") is None
    with pytest.raises(KeyError) as caught:
        batch["charges"]
    assert str(caught.value) == (
        "There is no field 'charges' in this batch. It holds bonds, positions, types."
    )


def test_a_field_of_an_unknown_scope_is_not_registered() -> None:
    with pytest.raises(ValueError, match=r"'graph', 'rotor'.*not 'residue'"):
        register_field("dipoles", Field("residue", (3,), "dipole of each residue"))  # type: ignore[arg-type]
    assert "dipoles" not in FIELDS


def test_replace_refuses_unknown_fields(batch: Batch) -> None:
    with pytest.raises(ValueError, match="colour"):
        batch.replace(colour=torch.zeros(2, 4))


def test_the_mapping_it_was_made_from_may_change() -> None:
    fields = {"types": torch.zeros(2, 4)}
    batch = Batch(fields)
    fields["positions"] = torch.zeros(2, 4, 3)
    del fields["types"]
    assert list(batch) == ["types"] and len(batch) == 1


def test_replace_and_map_leave_the_original(batch: Batch) -> None:
    changed = batch.replace(positions=torch.zeros(2, 4, 3))
    doubled = batch.map(lambda value: 2 * value)
    assert (batch["positions"] == 1).all()
    assert (changed["positions"] == 0).all() and changed["types"] is batch["types"]
    assert (doubled["positions"] == 2).all() and set(doubled) == set(batch)
    assert batch.replace() is not batch


def test_sizes(batch: Batch) -> None:
    assert batch.graphs == 2 and batch.atoms == 4 and batch.device == CPU
    with pytest.raises(ValueError, match="atom"):
        _ = Batch({"bonds": torch.zeros(2, 6)}).atoms
    assert batch.to("cpu")["types"].device == CPU


def test_rotors() -> None:
    poses = Batch({"rotation": torch.eye(3).expand(2, 3, 3), "torsions": torch.zeros(2, 0)})
    assert poses.graphs == 2 and poses.rotors == 0
    with pytest.raises(ValueError, match="rotor"):
        _ = Batch({"rotation": torch.eye(3).expand(2, 3, 3)}).rotors


def test_it_is_a_mapping(batch: Batch) -> None:
    assert isinstance(batch, Mapping) and "types" in batch and "colour" not in batch
    assert dict(batch.items()) == dict(batch.fields)
    with pytest.raises(KeyError):
        batch["charges"]


@pytest.mark.parametrize("n", [1, 2, 3, 9, 29])
def test_pairs(n: int) -> None:
    i, j = pair_indices(n, CPU)
    assert len(i) == len(j) == pair_count(n)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == [
        (a, b) for a in range(n) for b in range(a + 1, n)
    ]


@pytest.mark.parametrize("sign", [1, -1])
def test_pair_selector(sign: int) -> None:
    n = 7
    x = torch.randn(n, 3, generator=torch.Generator().manual_seed(0))
    i, j = pair_indices(n, CPU)
    torch.testing.assert_close(pair_selector(n, CPU, sign) @ x, x[i] + sign * x[j])


def test_pair_table() -> None:
    n = 5
    i, j = pair_indices(n, CPU)
    table = pair_table(n, CPU).view(n, n)
    pairs = torch.arange(len(i))
    assert torch.equal(table[i, j], pairs)
    assert torch.equal(table[j, i], pairs)
    assert (table.diagonal() == len(i)).all()
