"""Random generators as functions of integers."""

from __future__ import annotations

import itertools

import torch

from moldiff.seeds import generator


def first(*key: int) -> int:
    return int(torch.randint(2**62, (), generator=generator(*key)))


def test_a_generator_is_a_function_of_its_key() -> None:
    assert first(3, 1, 7) == first(3, 1, 7)
    assert generator(3).device.type == "cpu"


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first(1, 2, 3)
    assert torch.equal(before, torch.random.get_rng_state())


def test_different_keys_differ() -> None:
    keys = [
        k
        for length in (2, 3)
        for k in itertools.product((0, 1, 2, -1, 2**32, 2**40), repeat=length)
    ]
    assert len({first(*key) for key in keys}) == len(keys)


def test_neighbouring_steps_are_unrelated() -> None:
    draws = torch.stack([torch.randn(200, generator=generator(0, 1, step)) for step in range(50)])
    correlation = torch.corrcoef(draws) - torch.eye(50)
    assert correlation.abs().max() < 6 / 200**0.5
