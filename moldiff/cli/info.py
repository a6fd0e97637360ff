"""``moldiff info``: the bundled models, or the card of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from moldiff.cli.options import Imports, import_all
from moldiff.cli.output import pairs, remark, table
from moldiff.cli.piping import scriptable

if TYPE_CHECKING:
    from moldiff.model import Model

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
            size = {name: path.stat().st_size for name, path in bundled.items()}
            table(
                [(name, f"{size[name] / 1e6:.1f} MB", path) for name, path in bundled.items()],
                header=("model", "size", "file"),
                data={
                    "models": [
                        {"model": name, "bytes": size[name], "file": str(path)}
                        for name, path in bundled.items()
                    ]
                },
            )
            remark("More about one: moldiff info NAME")
        return
    loaded = load(model, domain=None)
    sections = card_rows(loaded)
    data: dict[str, Any] = {"codec": {}, "sampling": {}, **sections}
    data |= {"conditions": {c["name"]: c for c in _conditions(loaded)}}
    for section, values in sections.items():
        if values:
            table(pairs(values), title=section, data=data)
            print()


def _conditions(model: Model) -> list[dict[str, Any]]:
    """The conditions of a model as its file has them, with their numbers."""
    return list(model.config()["domain"].get("conditions", ()))
