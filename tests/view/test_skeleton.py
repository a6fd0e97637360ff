"""Every kind of page is the same skeleton around a body of its own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from moldiff.cli.overwrite import check_replaceable
from moldiff.view.render import assemble

PAGES = files("moldiff.view") / "page"
BODIES = sorted(p.name for p in PAGES.iterdir() if p.name.endswith(".html"))
BODIES = [name for name in BODIES if name not in ("skeleton.html", "stage.html")]


@pytest.mark.parametrize("body", BODIES)
def test_a_page_is_whole(body: str) -> None:
    page = assemble(body, (), "<i>A</i> & B", {"text": "</script>"})
    for part in ("head", "header", "main", "footer", "dialog"):
        assert page.count(f"<{part}>") + page.count(f"<{part} ") == page.count(f"</{part}>") == 1
    assert page.count("&lt;i&gt;A&lt;/i&gt; &amp; B") == 2  # title and heading
    assert 'id="licences"' in page and "3Dmol.js" in page
    assert page.count("</script>") == 3


@pytest.mark.parametrize("body", BODIES)
def test_a_command_knows_its_page_again(body: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(assemble(body, (), "A", {}), encoding="utf-8")
    check_replaceable({path: "page"}, force=False)
