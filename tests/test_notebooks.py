"""The notebooks run from top to bottom, and the gallery shows what they draw."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

import nbformat

ROOT = Path(__file__).parents[1]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "build_gallery.py"))
NOTEBOOKS, GALLERY = SCRIPT["NOTEBOOKS"], SCRIPT["GALLERY"]
MOST = 400_000  # bytes of all pictures of the gallery


def tagged(book: Any) -> list[str]:
    """The names of the pictures that a notebook gives to the gallery."""
    tags = [tag for cell in book.cells for tag in cell.metadata.get("tags", ())]
    return [tag.removeprefix(SCRIPT["TAG"]) for tag in tags]


@pytest.mark.documents
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path) -> None:
    book = SCRIPT["executed"](path)
    drawn = dict(SCRIPT["pictures"](book))
    assert [Path(name).stem for name in drawn] == tagged(book) != []
    for name, content in drawn.items():
        assert content.startswith(b"\x89PNG") or b"<svg" in content[:300], name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_committed_without_outputs(path: Path) -> None:
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert not [cell.id for cell in code if cell.outputs or cell.execution_count]


def test_the_gallery_has_the_pictures_of_the_notebooks() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    files = sorted(GALLERY.iterdir())
    names = {name for path in NOTEBOOKS for name in tagged(nbformat.read(path, as_version=4))}
    assert {file.stem for file in files} == names
    assert not [path.name for path in NOTEBOOKS if f"(notebooks/{path.name})" not in page]
    assert sum(file.stat().st_size for file in files) < MOST
    for file in files:
        assert f"(gallery/{file.name})" in page, "every picture is shown"
