"""Wheels: found, given, refused, and what is said where there is no network."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from moldiff.data.druglike.wheels import COMPONENTS, MOSES, cache_folder
from moldiff.errors import DataError, InputError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no package index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    return tmp_path / "cache" / "moldiff"


def wheel(path: Path, member: str = MOSES.member) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, b"content")
    return path


def test_a_given_wheel_is_read_where_it_is(tmp_path: Path) -> None:
    given = wheel(tmp_path / "any.whl")
    assert MOSES.wheel(given, pytest.fail) == given and MOSES.read(given) == b"content"
    assert not cache_folder().exists()


def test_the_cache_is_looked_at_first(cache: Path) -> None:
    kept = wheel(cache / "molsets-0.3.1-py3-none-any.whl")
    wheel(cache / "molsets-0.3.0-py3-none-any.whl")
    assert MOSES.wheel(None, pytest.fail) == kept


def test_pip_fetches_into_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wheel(tmp_path / "links" / "molsets-0.3.1-py3-none-any.whl")
    with zipfile.ZipFile(made, "a") as archive:
        metadata = "Metadata-Version: 2.1\nName: molsets\nVersion: 0.3.1\nRequires-Dist: nothing\n"
        archive.writestr("molsets-0.3.1.dist-info/METADATA", metadata)
        archive.writestr("molsets-0.3.1.dist-info/WHEEL", "Wheel-Version: 1.0\n")
    monkeypatch.setenv("PIP_FIND_LINKS", str(made.parent))
    told: list[str] = []
    found = MOSES.wheel(None, told.append)
    assert found == cache / made.name and found.read_bytes() == made.read_bytes()
    assert len(told) == 1 and "molsets==0.3.1 (52 MB)" in told[0]
    assert [path.name for path in cache.iterdir()] == [made.name]


def test_without_a_network_it_says_what_to_do(cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        COMPONENTS.wheel(None, lambda text: None)
    text = caught.value.line
    assert "pip cannot fetch biotite 1.6.0: " in text and "No matching" not in text.split(";")[0]
    assert "pip download --no-deps biotite==1.6.0; then give --components WHEEL" in text
    assert "--smiles FILE --smiles-alone" in text and list(cache.iterdir()) == []


def test_what_is_no_such_wheel_is_refused(tmp_path: Path) -> None:
    other = wheel(tmp_path / "other.whl", "something/else")
    (tmp_path / "text.whl").write_text("no archive")
    for path in (other, tmp_path / "text.whl", tmp_path / "missing.whl"):
        with pytest.raises(InputError, match=r"is not a wheel of molsets.*pip download"):
            MOSES.wheel(path, pytest.fail)
    with pytest.raises(InputError, match="cannot be read"):
        MOSES.read(tmp_path / "text.whl")
