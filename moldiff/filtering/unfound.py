"""Texts that conditions look for and no record has, with what the records have instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from moldiff.chem.conditions import Condition, Text
from moldiff.errors import InputError, did_you_mean

__all__ = ["Unfound", "absent"]

_MOST = 10_000  # values that are remembered of a data field: one may be a number of each record
_SHOWN = 5
_LONGEST = 60  # characters of a value that are shown


def absent(name: str, known: Sequence[str]) -> InputError:
    """The error for a data field of a condition that no record has; the first one has others."""
    fix = did_you_mean(name, known) if known else "The first record has none."
    return InputError(f"No record has the data field '{name}' of --where.", fix=fix)


class Unfound:
    """Watches the records go by.

    Parameters
    ----------
    conditions:
        Those of which all must be true.
    """

    def __init__(self, conditions: Iterable[Condition]) -> None:
        wanted = (text for condition in conditions for text in condition.wanted())
        self._there: dict[Text, dict[str, None]] = {text: {} for text in wanted}

    def add(self, fields: Mapping[str, str]) -> None:
        """Take the data fields of a record."""
        texts = {f"<{name}>": value for name, value in fields.items()}
        for text in [text for text in self._there if text.holds({}, texts)]:
            del self._there[text]
        for text, there in self._there.items():
            if len(there) < _MOST and text.name in texts:
                there.update(dict.fromkeys(filter(None, text.candidates(texts[text.name]))))

    def notes(self) -> list[str]:
        """Return a sentence for each text that no record had, with the values nearest to it."""
        return [_note(text, there) for text, there in self._there.items() if there]


def _note(text: Text, there: Mapping[str, None]) -> str:
    by_letters = {value.casefold(): value for value in there}
    close = get_close_matches(text.text.casefold(), by_letters, n=_SHOWN, cutoff=0.0)
    shown = ", ".join(f"'{_cut(by_letters[value])}'" for value in close)
    verb = "has" if text.relation == "has" else "is"
    there_are = "there is" if len(close) == 1 else "there are"
    if len(by_letters) > len(close):
        more = "more than " if len(there) >= _MOST else ""
        there_are = f"of {more}{len(by_letters)} values there the nearest are"
    return f"No {text.name} {verb} '{text.text}'; {there_are} {shown}."


def _cut(value: str) -> str:
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"
