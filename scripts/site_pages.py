"""Pages of the site that live outside of docs/: the README as its index, data sets, contributing.

A hook of mkdocs (``mkdocs.yml``).  Links between documents are those of the repository, where
docs/ is a folder; on the site it is the root.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
OUTSIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "CITATION.cff")
INDEX = "index.md"


def on_files(files: Any, config: Any) -> Any:
    """Add the documents outside of docs/, and the files that documents link to."""
    files.append(_file(config, INDEX, ROOT / "README.md"))
    datasets = sorted(path.relative_to(ROOT) for path in (ROOT / "datasets").rglob("*.md"))
    for path in (*OUTSIDE, *map(str, datasets)):
        files.append(_file(config, path, ROOT / path))
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / path for path in datasets)]
    linked = {
        str((page.parent / link).resolve().relative_to(ROOT))
        for page in pages
        for link in re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text(encoding="utf-8"))
    }
    present = set(files.src_uris)
    for path in sorted(path for path in linked - present if not path.startswith("docs/")):
        files.append(_file(config, path, ROOT / path))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Make links to and from docs/ links within the site."""
    up = "../" * page.file.src_uri.count("/")
    markdown = re.sub(r"\]\((?:\.\./)*docs/", f"]({up}", markdown)
    if (ROOT / "docs" / page.file.src_uri).is_file():
        markdown = markdown.replace("](../", "](")
    return markdown.replace(f"]({up}README.md", f"]({up}{INDEX}")


def _file(config: Any, path: str, source: Path) -> File:
    return File.generated(config, path, content=source.read_bytes())
