"""Long helps: options under headings, in place of one list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from typer.core import TyperCommand

__all__ = ["OTHER", "SECTIONS", "sectioned"]

# command -> heading -> names of parameters
SECTIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "dock": {
        "What is docked": ("receptor", "ligand", "ligands", "many"),
        "Where": ("pocket_ligand", "center", "residues", "autobox", "cavities", "size"),
        "What the receptor is": (
            *("exclude", "keep", "waters", "assembly", "receptor_model", "complete", "sequence"),
        ),
        "What the ligand is": ("ph", "enumerate_stereo", "enumerate_tautomers"),
        "The search": (
            *("seed", "draws", "starts", "chains", "rounds", "conformers", "proposals", "model"),
            *("precision", "threads"),
        ),
        "How poses are ranked and judged": (
            "judge",
            "ranker",
            "require",
            "rescore",
            "posebusters",
            "reference",
        ),
        "A library": ("shard", "jobs", "restart"),
        "What is written": ("output", "poses", "html", "force", "as_json"),
    },
}

OTHER = "Other options"
"""The heading of options that are in no section: what many commands have, and `--help`."""


def sectioned(sections: Mapping[str, Sequence[str]]) -> type[TyperCommand]:
    """Return the class of a command whose help shows its options in sections.

    Parameters
    ----------
    sections:
        Heading -> names of parameters.
    """
    heading = {name: title for title, names in sections.items() for name in names}

    class Sectioned(TyperCommand):
        """A command whose help has sections."""

        def format_options(self, ctx: Any, formatter: Any) -> None:
            lists: dict[str, list[tuple[str, str]]] = {title: [] for title in (*sections, OTHER)}
            for parameter in self.get_params(ctx):
                if (record := parameter.get_help_record(ctx)) is not None:
                    lists[heading.get(parameter.name or "", OTHER)].append(record)
            for title, records in lists.items():
                if records:
                    with formatter.section(title):
                        formatter.write_dl(records)

    return Sectioned
