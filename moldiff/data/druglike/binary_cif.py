"""Columns of a BinaryCIF file: MessagePack around arrays, each behind a chain of encodings.

Sources: D. Sehnal et al., PLoS Comput. Biol. 16 (2020) e1008247, and the specifications of
BinaryCIF and of MessagePack.  Of both, what tables of text and numbers need.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from moldiff.errors import DataError

__all__ = ["Table", "read_tables", "unpack"]

Array = npt.NDArray[Any]

# MessagePack: first byte -> format of the number that follows, or of the length that follows.
_NUMBERS = dict(zip(range(0xCA, 0xD4), (">f", ">d", *(f">{c}" for c in "BHIQbhiq")), strict=True))
_LENGTHS = {
    **{byte: (bytes, f">{c}") for byte, c in zip(range(0xC4, 0xC7), "BHI", strict=True)},
    **{byte: (str, f">{c}") for byte, c in zip(range(0xD9, 0xDC), "BHI", strict=True)},
    **{byte: (list, f">{c}") for byte, c in zip(range(0xDC, 0xDE), "HI", strict=True)},
    **{byte: (dict, f">{c}") for byte, c in zip(range(0xDE, 0xE0), "HI", strict=True)},
}
_PLAIN = {0xC0: None, 0xC2: False, 0xC3: True}

# BinaryCIF: number of a type -> NumPy's name of it.
_TYPES = {1: "<i1", 2: "<i2", 3: "<i4", 4: "<u1", 5: "<u2", 6: "<u4", 32: "<f4", 33: "<f8"}


class Table:
    """A category: columns by name, decoded when asked for."""

    def __init__(self, columns: Mapping[str, Mapping[str, Any]], rows: int) -> None:
        self._columns, self._rows = columns, rows

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, name: str) -> Array:
        """(N,) values of a column; what is `missing` has some value, too."""
        data = self._columns[name]["data"]
        return _decode(data["data"], data["encoding"])

    def missing(self, name: str) -> npt.NDArray[np.bool_]:
        """(N,) whether a value is missing ("." or "?" in the text format)."""
        mask = self._columns[name]["mask"]
        if mask is None:
            return np.zeros(self._rows, np.bool_)
        return np.asarray(_decode(mask["data"], mask["encoding"]) != 0)


def read_tables(content: bytes) -> dict[str, Table]:
    """Read the categories of the first data block; names without the leading underscore.

    Raises
    ------
    DataError
        If it is not a BinaryCIF file.
    """
    try:
        block = unpack(content)["dataBlocks"][0]
        return {
            category["name"].lstrip("_"): Table(
                {column["name"]: column for column in category["columns"]}, category["rowCount"]
            )
            for category in block["categories"]
        }
    except (struct.error, LookupError, TypeError, ValueError) as error:
        raise DataError(f"The components are not a BinaryCIF file: {error!r}.") from error


def unpack(content: bytes) -> Any:
    """Unpack a MessagePack object; ``struct.error``, ``LookupError`` or ``ValueError`` if torn."""
    value, _ = _unpack(memoryview(content), 0)
    return value


def _unpack(view: memoryview, at: int) -> tuple[Any, int]:
    """Return the object at a place, and the place after it."""
    byte, at = view[at], at + 1
    if byte < 0x80:
        return byte, at
    if byte >= 0xE0:
        return byte - 0x100, at
    if byte < 0x90:
        return _filled(dict, byte & 0x0F, view, at)
    if byte < 0xA0:
        return _filled(list, byte & 0x0F, view, at)
    if byte < 0xC0:
        return _filled(str, byte & 0x1F, view, at)
    if byte in _PLAIN:
        return _PLAIN[byte], at
    kind, number = _LENGTHS[byte] if byte in _LENGTHS else (None, _NUMBERS[byte])
    (value,) = struct.unpack_from(number, view, at)
    at += struct.calcsize(number)
    return (value, at) if kind is None else _filled(kind, value, view, at)


def _filled(kind: type, length: int, view: memoryview, at: int) -> tuple[Any, int]:
    if kind in (bytes, str):
        if at + length > len(view):
            raise ValueError("it ends too early")
        piece = bytes(view[at : at + length])
        return (piece if kind is bytes else piece.decode()), at + length
    items = []
    for _ in range(length if kind is list else 2 * length):
        item, at = _unpack(view, at)
        items.append(item)
    return (items if kind is list else dict(zip(items[::2], items[1::2], strict=True))), at


def _decode(data: Any, encodings: list[dict[str, Any]]) -> Array:
    for encoding in reversed(encodings):
        data = _DECODERS[encoding["kind"]](data, encoding)
    return np.asarray(data)


def _byte_array(data: bytes, encoding: Mapping[str, Any]) -> Array:
    return np.frombuffer(data, _TYPES[encoding["type"]])


def _fixed_point(data: Array, encoding: Mapping[str, Any]) -> Array:
    return np.asarray(data / encoding["factor"])


def _run_length(data: Array, encoding: Mapping[str, Any]) -> Array:
    return np.repeat(data[::2], data[1::2])


def _delta(data: Array, encoding: Mapping[str, Any]) -> Array:
    return np.cumsum(data, dtype=np.int64) + encoding["origin"]


def _integer_packing(data: Array, encoding: Mapping[str, Any]) -> Array:
    """Add up numbers that did not fit: each but the last of them is a limit of its type."""
    limits = np.iinfo(data.dtype)
    goes_on = data == limits.max
    if not encoding["isUnsigned"]:
        goes_on |= data == limits.min
    sums = np.cumsum(data, dtype=np.int64)[~goes_on]
    return np.diff(sums, prepend=0)


def _string_array(data: bytes, encoding: Mapping[str, Any]) -> Array:
    offsets = _decode(encoding["offsets"], encoding["offsetEncoding"]).tolist()
    text = encoding["stringData"]
    pieces = [text[a:b] for a, b in pairwise(offsets)]
    # Index -1 stands for a missing value.
    return np.array([*pieces, ""])[_decode(data, encoding["dataEncoding"])]


_DECODERS: dict[str, Callable[[Any, Mapping[str, Any]], Array]] = {
    "ByteArray": _byte_array,
    "FixedPoint": _fixed_point,
    "RunLength": _run_length,
    "Delta": _delta,
    "IntegerPacking": _integer_packing,
    "StringArray": _string_array,
}
