"""The type of large products: what a setting stands for, and that ``auto`` is the faster one."""

from __future__ import annotations

import pytest
import torch

from moldiff import precision
from moldiff.errors import ConfigError
from moldiff.precision import resolve, speeds

CPU = torch.device("cpu")


def test_a_type_by_name() -> None:
    assert resolve("float32") is torch.float32
    assert resolve("bfloat16") is torch.bfloat16


def test_an_unknown_name() -> None:
    with pytest.raises(ConfigError, match=r"no precision 'float16'.*auto, float32, bfloat16"):
        resolve("float16")


def test_a_device_without_bfloat16() -> None:
    with pytest.raises(ConfigError, match=r"'mps' has no bfloat16.*auto"):
        resolve("bfloat16", "mps")
    assert resolve("auto", "mps") is torch.float32


def test_auto_is_the_faster_type(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measured again at ten times the size, where the choice must still be right."""
    chosen = resolve("auto")
    monkeypatch.setattr(precision, "_ROWS", 4096)
    speeds.cache_clear()
    seconds = speeds(CPU)
    speeds.cache_clear()
    ratio = seconds[torch.float32] / seconds[torch.bfloat16]
    if chosen is torch.bfloat16:
        assert ratio > 1.0
    else:
        assert ratio < 1.6


def measured(monkeypatch: pytest.MonkeyPatch, ratio: float) -> None:
    """Let bfloat16 be so many times as fast."""
    seconds = {torch.float32: ratio, torch.bfloat16: 1.0}
    monkeypatch.setattr(precision, "speeds", lambda device: seconds)


def test_a_tie_goes_to_float32_and_a_clear_gain_to_bfloat16(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for ratio, expected in ((1.05, torch.float32), (0.1, torch.float32), (1.5, torch.bfloat16)):
        measured(monkeypatch, ratio)
        assert resolve("auto") is expected


def test_what_goes_on_keeps_its_type_unless_the_other_is_much_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    f, b = torch.float32, torch.bfloat16
    for ratio, after_f, after_b in ((1.3, f, b), (0.9, f, b), (1.7, b, b), (0.4, f, f)):
        measured(monkeypatch, ratio)
        assert resolve("auto", before="float32") is after_f
        assert resolve("auto", before="bfloat16") is after_b
    assert resolve("float32", before="bfloat16") is f


def test_large_products_have_the_type_and_others_not() -> None:
    a = torch.ones(4, 4)
    with precision.products(torch.bfloat16, CPU):
        assert (a @ a).dtype is torch.bfloat16
    with precision.products(torch.float32, CPU):
        assert (a @ a).dtype is torch.float32


def test_measuring_takes_no_random_numbers_and_works_in_inference() -> None:
    before = torch.random.get_rng_state()
    with torch.inference_mode():
        seconds = speeds(CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert sum(seconds.values()) < 1.0
