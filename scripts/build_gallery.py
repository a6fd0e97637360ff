"""Execute the notebooks, and write the pictures of docs/gallery.md.

A cell tagged ``gallery:NAME`` gives docs/gallery/NAME.png, or NAME.svg if its picture is SVG.

Usage: python scripts/build_gallery.py [NOTEBOOK ...]
"""

from __future__ import annotations

import os
import sys
import tempfile
from base64 import b64decode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
GALLERY = ROOT / "docs" / "gallery"
TAG = "gallery:"


def executed(path: Path, *, timeout: int = 600) -> Any:
    """Return a notebook with outputs, run on one core; files that it writes are thrown away."""
    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as checkout:
        place = Path(checkout, "docs", "notebooks")
        place.mkdir(parents=True)
        Path(checkout, "datasets").symlink_to(ROOT / "datasets")
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        resources = {"metadata": {"path": str(place)}}
        NotebookClient(book, timeout=timeout, resources=resources).execute(env=environment)
    return book


def pictures(book: Any) -> Iterator[tuple[str, bytes]]:
    """Yield file name and content of the last picture of every tagged cell."""
    for cell in book.cells:
        for tag in (tag for tag in cell.metadata.get("tags", ()) if tag.startswith(TAG)):
            data = [output.data for output in cell.outputs if "data" in output][-1]
            if "image/svg+xml" in data:
                yield f"{tag.removeprefix(TAG)}.svg", data["image/svg+xml"].encode()
            else:
                image, small = Image.open(BytesIO(b64decode(data["image/png"]))), BytesIO()
                image.convert("RGB").quantize(64).save(small, "png", optimize=True)
                yield f"{tag.removeprefix(TAG)}.png", small.getvalue()


if __name__ == "__main__":
    for notebook in [Path(name) for name in sys.argv[1:]] or NOTEBOOKS:
        for file, content in pictures(executed(notebook)):
            (GALLERY / file).write_bytes(content)
            print(f"{notebook.name}: {file}, {len(content) / 1000:.0f} kB")
