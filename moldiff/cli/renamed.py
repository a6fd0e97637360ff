"""Options that had another name: one name means one thing in all commands.

An old name is still taken where it was, and said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from moldiff.cli.output import remark

__all__ = ["renamed"]

# command -> old option -> new one
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "dock": {"--size": "--box-size", "--chains": "--searches"},
    "prepare": {"--html": "--page", "--model": "--receptor-model"},
    "data druglike": {"--only": "--smiles-alone", "--conformers": "--conformer-folder"},
    "data complexes": {"--exclude": "--leave-out"},
    "sequence": {"--exclude": "--without"},
    "design replace": {"--keep": "--keep-atoms"},
    "benchmark gaps": {"--draws": "--ensemble"},
}
_REPORTS = ("prepare", "complete", "sequence")  # wrote --json FILE: that is --report FILE
_ALL = 1000  # as many poses as a docking reports at most


def renamed(words: Sequence[str]) -> list[str]:
    """Return the words of a command line with the present names of options."""
    given = list(words)
    command = next((c for c in (" ".join(given[:2]), *given[:1]) if c in _RENAMED), "")
    names = _RENAMED.get(command, {})
    for k, word in enumerate(given):
        if word == "--":  # behind it are no options
            break
        option, equals, value = word.partition("=")
        new = names.get(option)
        if option == "--json" and given[0] in _REPORTS:
            file = value if equals else "".join(given[k + 1 : k + 2])
            new = "--report" if PurePath(file).suffix == ".json" else None
        if command == "dock" and word == "--posebusters" and not _number(given[k + 1 : k + 2]):
            remark("Note: --posebusters of moldiff dock takes a number of poses now: all, here.")
            given[k] = f"--posebusters={_ALL}"
        if new is not None:
            remark(f"Note: {option} of moldiff {command or given[0]} is {new} now.")
            given[k] = f"{new}{equals}{value}"
    return given


def _number(words: Sequence[str]) -> bool:
    """Whether the next word of the line, if there is one, is a number."""
    return bool(words) and words[0].lstrip("-").isdigit()
