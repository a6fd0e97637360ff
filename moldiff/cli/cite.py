"""``moldiff cite``: the papers behind a model or a method, as BibTeX."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from moldiff.cli.output import tell
from moldiff.cli.piping import scriptable

EXAMPLES = (
    "moldiff cite qm9 > references.bib",
    "moldiff cite ddpm heun",
    "moldiff cite my.safetensors",
)


@scriptable()
def command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL|METHOD...",
            help="Bundled models, model files, or names of methods, samplers and other parts.",
        ),
    ],
) -> None:
    """Print the BibTeX of the papers behind models and methods, and of moldiff itself.

    Before each entry a comment says what it is cited for, and where in the paper that is.
    """
    from moldiff.citing import cite
    from moldiff.references import bibtex

    reasons = cite(words)
    tell({"references": [{"key": k, "for": r, "bibtex": bibtex([k])} for k, r in reasons.items()]})
    for number, key in enumerate(reasons):
        comment = textwrap.fill(
            ", ".join(reasons[key]), 100, initial_indent="% ", subsequent_indent="% "
        )
        print(f"{chr(10) if number else ''}{comment}\n{bibtex([key])}")
