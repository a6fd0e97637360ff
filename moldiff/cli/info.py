"""``moldiff info``: the bundled models, or the card of one."""

from __future__ import annotations

from typing import Annotated

import typer

from moldiff.cli.options import Imports, import_all
from moldiff.cli.output import pairs, remark, table
from moldiff.cli.piping import scriptable

EXAMPLES = ("moldiff info", "moldiff info qm9", "moldiff info runs/my/model.safetensors")


@scriptable()
def command(
    model: Annotated[
        str | None, typer.Argument(help="A bundled model or a model file; none lists them.")
    ] = None,
    imports: Imports = None,
) -> None:
    """Print the card of a model.

    Network, elements, sizes, data, training, what was measured, and the hash of its weights.
    """
    import_all(imports)
    from moldiff.bundled import bundled_models
    from moldiff.models import card_rows, load

    if model is None:
        bundled = bundled_models()
        if not bundled:
            remark("No model is bundled with this installation. Train one: moldiff train --help")
        else:
            rows = [(n, f"{path.stat().st_size / 1e6:.1f} MB", path) for n, path in bundled.items()]
            table(rows, header=("model", "size", "file"))
            remark("More about one: moldiff info NAME")
        return
    sections = card_rows(load(model, domain=None))
    for section, values in sections.items():
        if values:
            table(pairs(values), title=section)
            print()
