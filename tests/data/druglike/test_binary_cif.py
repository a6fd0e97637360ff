"""BinaryCIF: what was written by hand is read."""

from __future__ import annotations

import numpy as np
import pytest

from moldiff.data.druglike.binary_cif import read_tables, unpack
from moldiff.errors import DataError
from tests.data.druglike.packing import binary_cif, floats, numbers, pack, texts


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, 127, -1, -32, -33, 128, 70_000, -(2**40), 1.5, "", "ä" * 20),
        *(b"", b"\x00\xff" * 300, [], [1, [2, "x"]], list(range(100)), {}, {"a": {"b": [None]}}),
        {str(k): k for k in range(20)},
    ],
)
def test_messagepack_is_read(value: object) -> None:
    assert unpack(pack(value)) == value


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\xcc\xff", 255),
        (b"\xcd\x01\x00", 256),
        (b"\xcf" + bytes(7) + b"\x05", 5),
        (b"\xd0\x80", -128),
        (b"\xd1\xff\x00", -256),
        (b"\xd2\xff\xff\xff\x00", -256),
        (b"\xca\x3f\xc0\x00\x00", 1.5),
        (b"\xc4\x01a", b"a"),
        (b"\xc5\x00\x01a", b"a"),
        (b"\xd9\x01a", "a"),
        (b"\xda\x00\x01a", "a"),
        (b"\xdc\x00\x01\x07", [7]),
        (b"\xde\x00\x01\x07\x08", {7: 8}),
    ],
)
def test_all_widths(content: bytes, value: object) -> None:
    assert unpack(content) == value


def test_columns_are_decoded() -> None:
    packed = {
        "data": bytes([255, 45, 7, 255, 0]),
        "encoding": [
            {"kind": "IntegerPacking", "byteCount": 1, "isUnsigned": True, "srcSize": 3},
            {"kind": "ByteArray", "type": 4},
        ],
    }
    signed = {
        "data": np.array([127, 3, -128, -2, -5, 0], "<i1").tobytes(),
        "encoding": [
            {"kind": "IntegerPacking", "byteCount": 1, "isUnsigned": False, "srcSize": 4},
            {"kind": "ByteArray", "type": 1},
        ],
    }
    runs = {
        "data": numbers([5, 2, -1, 3])["data"],
        "encoding": [{"kind": "RunLength", "srcSize": 5}, {"kind": "ByteArray", "type": 3}],
    }
    content = binary_cif(
        {
            "t": {
                "packed": packed,
                "signed": signed,
                "runs": runs,
                "floats": (floats([1.25, -0.5, 3.0]), numbers([0, 2, 0], 4)),
                "texts": texts(["C1", "", "C1"]),
            }
        }
    )
    table = read_tables(content)["t"]
    assert len(table) == 3
    assert table["packed"].tolist() == [300, 7, 255]
    assert table["signed"].tolist() == [130, -130, -5, 0]
    assert table["runs"].tolist() == [5, 5, -1, -1, -1]
    assert table["floats"].tolist() == [1.25, -0.5, 3.0]
    assert table.missing("floats").tolist() == [False, True, False]
    assert table["texts"].tolist() == ["C1", "", "C1"] and not table.missing("texts").any()


@pytest.mark.parametrize(
    "content", [b"", b"\xc1", b"\xdb\x00\x00\x00\x09abc", pack({"a": 1}), b"x"]
)
def test_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="not a BinaryCIF"):
        read_tables(content)
