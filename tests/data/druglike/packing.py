"""MessagePack and BinaryCIF written by hand, for what the package only reads."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def pack(value: Any) -> bytes:
    """An object as MessagePack."""
    if value is None or isinstance(value, bool):
        return {None: b"\xc0", False: b"\xc2", True: b"\xc3"}[value]
    if isinstance(value, int):
        if -32 <= value < 128:
            return struct.pack(">b", value)
        return (b"\xd3" + struct.pack(">q", value)) if value < 0 else b"\xce" + word(value)
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, bytes):
        return b"\xc6" + word(len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        short = bytes([0xA0 + len(text)]) if len(text) < 32 else b"\xdb" + word(len(text))
        return short + text
    if isinstance(value, dict):
        short = bytes([0x80 + len(value)]) if len(value) < 16 else b"\xdf" + word(len(value))
        return short + b"".join(pack(key) + pack(item) for key, item in value.items())
    short = bytes([0x90 + len(value)]) if len(value) < 16 else b"\xdd" + word(len(value))
    return short + b"".join(map(pack, value))


def word(value: int) -> bytes:
    """Four bytes, the highest first."""
    return struct.pack(">I", value)


def numbers(values: Sequence[int], kind: int = 3) -> dict[str, Any]:
    """A column of numbers behind one encoding."""
    data = np.array(values, {1: "<i1", 3: "<i4", 4: "<u1"}[kind]).tobytes()
    return {"data": data, "encoding": [{"kind": "ByteArray", "type": kind}]}


def floats(values: Sequence[float]) -> dict[str, Any]:
    """Numbers with three decimals, as differences."""
    whole = np.round(1000 * np.array(values)).astype(int)
    data = numbers(np.diff(whole, prepend=0).tolist())
    fixed = [{"kind": "FixedPoint", "factor": 1000}, {"kind": "Delta", "origin": 0}]
    return {"data": data["data"], "encoding": fixed + data["encoding"]}


def texts(values: Sequence[str]) -> dict[str, Any]:
    """A column of texts, each different one stored once."""
    known = list(dict.fromkeys(values))
    offsets = numbers(np.cumsum([0, *map(len, known)]).tolist())
    places = numbers([known.index(value) for value in values])
    return {
        "data": places["data"],
        "encoding": [
            {
                "kind": "StringArray",
                "dataEncoding": places["encoding"],
                "stringData": "".join(known),
                "offsets": offsets["data"],
                "offsetEncoding": offsets["encoding"],
            }
        ],
    }


def binary_cif(tables: Mapping[str, Mapping[str, Any]]) -> bytes:
    """A file of tables: name -> column -> its data, or (data, mask)."""
    categories = []
    for name, columns in tables.items():
        parts = {k: v if isinstance(v, tuple) else (v, None) for k, v in columns.items()}
        listed = [{"name": k, "data": data, "mask": mask} for k, (data, mask) in parts.items()]
        rows = 3  # not looked at, but for columns without a mask
        categories.append({"name": f"_{name}", "rowCount": rows, "columns": listed})
    return pack({"version": "0.3.0", "dataBlocks": [{"header": "x", "categories": categories}]})
