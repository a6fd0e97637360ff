"""The model file: what is saved is loaded, and nothing else is taken for a model."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from moldiff.citing import cite
from moldiff.errors import ConfigError, ModelFileError, MoldiffError
from moldiff.model import FORMAT, Model, read_header
from moldiff.storage import read_tensors, write_tensors

CONFIG: dict[str, Any] = {
    "process": {
        "positions": {"name": "gaussian", "schedule": "cosine", "space": "zero_com", "scale": 1.4},
        **{
            name: {
                "name": "jump",
                "schedule": "rectified",
                "space": {"name": "categorical", "probabilities": probabilities},
            }
            for name, probabilities in {
                "types": [0.5, 0.3, 0.2],
                "charges": [0.1, 0.8, 0.1],
                "bonds": [0.7, 0.2, 0.07, 0.03],
            }.items()
        },
    },
    "precondition": "karras",
    "network": {
        "name": "transformer",
        "width": 16,
        "pair_width": 8,
        "message_width": 8,
        "layers": 2,
        "heads": 2,
        "channels": 2,
        "context_width": 8,
    },
    "domain": {
        "name": "molecules",
        "vocabulary": {"elements": ["H", "C", "O"], "charges": [-1, 0, 1]},
        "sizes": {"3": 0.25, "5": 0.75},
    },
    "sampling": {"steps": 12},
}


def built(seed: int = 0) -> Model:
    model = Model.from_config(CONFIG, {"name": "tiny", "numbers": [1, 2.5, None], "å": "ü"})
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng) * 0.3)
    return model


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    built().save(path)
    return path


def test_round_trip_is_exact(path: Path) -> None:
    model, loaded = built(), Model.load(path)
    assert loaded.config() == model.config()
    assert loaded.card == model.card and loaded.domain.config() == model.domain.config()
    assert loaded.domain.sizes == {3: 0.25, 5: 0.75} and loaded.sampling == {"steps": 12}
    rng = torch.Generator().manual_seed(1)
    x_t, t = model.process.prior(4, 5, rng=rng), torch.tensor([0.001, 0.3, 0.7, 1.0])
    # As the loaded one: torch multiplies otherwise where a gradient may be asked for.
    model.network.eval().requires_grad_(False)
    for previous in (None, loaded.denoiser(x_t, t)):
        with torch.no_grad():
            ours, theirs = model.denoiser(x_t, t, previous), loaded.denoiser(x_t, t, previous)
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_saving_again_gives_the_same_file(path: Path, tmp_path: Path) -> None:
    model = Model.load(path)
    model.save(tmp_path / "again.safetensors")
    again = Model.load(tmp_path / "again.safetensors")
    state, other = model.network.state_dict(), again.network.state_dict()
    assert all(torch.equal(state[k], other[k]) for k in state)
    assert again.digest == model.digest and len(model.digest) == 12


def test_digest_tells_weights_apart(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    built(seed=1).save(other)
    assert Model.load(other).digest != Model.load(path).digest


def test_a_loaded_model_is_ready_to_use(path: Path) -> None:
    network = Model.load(path).network
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())


def test_the_header_describes_the_model(path: Path) -> None:
    header = read_tensors(path, FORMAT)[0]
    assert json.loads(header["config"]) == built().config()
    assert json.loads(header["card"])["name"] == "tiny"
    built().save(path, card={"name": "renamed"})
    assert Model.load(path).card == {"name": "renamed"}


def test_saving_replaces_the_file_at_once(path: Path, tmp_path: Path, monkeypatch: Any) -> None:
    before = path.read_bytes()

    def broken(*arguments: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(MoldiffError, match="disk full"):
        built(seed=1).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_model_can_be_read_by_those_who_may_read_new_files(path: Path, tmp_path: Path) -> None:
    made = tmp_path / "model.safetensors"
    before = os.umask(0o027)
    try:
        Model.load(path).save(made)
    finally:
        os.umask(before)
    assert made.stat().st_mode & 0o777 == 0o640


def test_half_precision_is_read_as_single(path: Path, tmp_path: Path) -> None:
    model = Model.load(path)
    model.save(tmp_path / "half.safetensors", dtype=torch.float16)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.7 * path.stat().st_size
    half = Model.load(tmp_path / "half.safetensors")
    for ours, theirs in zip(model.network.parameters(), half.network.parameters(), strict=True):
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


class Bomb:
    """Unpickling it would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os._exit, (42,))


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def header_only(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def garbled(path: Path) -> None:
    path.write_bytes(b"\xff" * 4096)


def prefixed(path: Path) -> None:
    path.write_bytes(b"\0" + path.read_bytes())


def a_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb()))


def a_torch_file(path: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, path)


def a_text(path: Path) -> None:
    path.write_text("C 0 0 0\n")


def missing(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def without_header(path: Path) -> None:
    write_tensors(path, {"a": torch.zeros(3)}, {})


def another_format(path: Path) -> None:
    write_tensors(path, {"a": torch.zeros(3)}, {"format": "moldiff-checkpoint-1"})


def without_config(path: Path) -> None:
    write_tensors(path, {"a": torch.zeros(3)}, {"format": FORMAT})


def without_weights(path: Path) -> None:
    write_tensors(path, {"a": torch.zeros(3)}, read_tensors(path, FORMAT)[0])


def config_is(text: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        tensors = dict(built().network.state_dict())
        write_tensors(path, tensors, {"format": FORMAT, "config": text, "card": "{}"})

    return damage


DAMAGES: dict[str, Callable[[Path], None]] = {
    **{
        f.__name__: f
        for f in (
            shortened,
            header_only,
            emptied,
            garbled,
            prefixed,
            a_pickle,
            a_torch_file,
            a_text,
            missing,
            a_folder,
            without_header,
            another_format,
            without_config,
            without_weights,
        )
    },
    "config is not JSON": config_is("{"),
    "config is a list": config_is("[]"),
    "config is empty": config_is("{}"),
    "config of another network": config_is(
        json.dumps({**CONFIG, "network": {**CONFIG["network"], "width": 32}})
    ),
    "config of the future": config_is(json.dumps({**CONFIG, "network": {"name": "unheard-of"}})),
    "network is no mapping": config_is(json.dumps({**CONFIG, "network": 5})),
    "process is a list": config_is(json.dumps({**CONFIG, "process": []})),
    "sizes are no numbers": config_is(
        json.dumps({**CONFIG, "domain": {**CONFIG["domain"], "sizes": {"many": 1}}})
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_no_model_is_refused(path: Path, damage: str) -> None:
    DAMAGES[damage](path)
    with pytest.raises(ModelFileError) as caught:
        Model.load(path)
    assert str(path) in caught.value.what and caught.value.fix


#: What only those see who build the network.
DEEP = {
    "without_weights",
    *("config of another network", "config of the future", "network is no mapping"),
    *("process is a list", "sizes are no numbers"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_header_that_tells_nothing_is_refused(path: Path, damage: str) -> None:
    DAMAGES[damage](path)
    if damage in DEEP:
        assert read_header(path)[0]["domain"]["name"] == "molecules"
        assert cite([str(path)])
        return
    with pytest.raises(ModelFileError) as caught:
        read_header(path)
    assert str(path) in caught.value.what and caught.value.fix


def test_a_header_is_read_without_the_weights(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "clone", None)  # as every weight is that is read
    config, card = read_header(path)
    assert config["network"]["width"] == 16 and card["name"] == "tiny"


def test_changed_weights_are_noticed(path: Path) -> None:
    """A flipped bit leaves a readable file; the model must not come out different in silence."""
    content = bytearray(path.read_bytes())
    content[-1000] ^= 0x40
    path.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match="checksum"):
        Model.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"precondition": "karas"},
        {"network": {"name": "transformer", "widht": 16}},
        {"network": {}},
        {"network": "unheard-of"},
        {"process": {"positions": {"name": "gaussian", "schedule": "cosines"}}},
    ],
    ids=str,
)
def test_a_wrong_config_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Model.from_config({**CONFIG, **change})


@pytest.mark.parametrize("key", CONFIG)
def test_every_part_is_needed(key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        Model.from_config({k: v for k, v in CONFIG.items() if k != key})


def test_a_model_is_printed_in_a_line(path: Path) -> None:
    model = Model.load(path)
    size = sum(parameter.numel() for parameter in model.network.parameters())
    assert model.digest in repr(model)
    assert repr(model).endswith(f"{model.digest} of molecules, {size:,} parameters>")
