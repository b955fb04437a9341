"""Image files read back by hand."""

from __future__ import annotations

import struct
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.skin.image_files import write_exr, write_png16


def read_exr(data: bytes) -> SimpleNamespace:
    """Independent reader of the one kind of file that is written."""
    magic, version = struct.unpack_from("<ii", data)
    at, attributes = 8, {}
    while data[at]:
        name_end = data.index(b"\0", at)
        kind_end = data.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<i", data, kind_end + 1)
        attributes[data[at:name_end].decode()] = data[kind_end + 5 : kind_end + 5 + size]
        at = kind_end + 5 + size
    at += 1
    _, _, right, bottom = struct.unpack("<iiii", attributes["dataWindow"])
    offsets = np.frombuffer(data, "<u8", bottom + 1, at)
    rows = []
    for y, offset in enumerate(offsets):
        line, size = struct.unpack_from("<ii", data, offset)
        assert line == y
        rows.append(np.frombuffer(data, "<f4", size // 4, offset + 8))
    return SimpleNamespace(magic=magic, version=version, attributes=attributes, rows=np.array(rows), width=right + 1)


def test_exr_holds_the_floats_exactly(tmp_path):
    image = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    write_exr(tmp_path / "a.exr", {"Y": image, "A": 2 * image})
    read = read_exr((tmp_path / "a.exr").read_bytes())
    assert (read.magic, read.version, read.width) == (20000630, 2, 7)
    assert read.attributes["compression"] == b"\0"
    assert np.array_equal(read.rows[:, 7:], image) and np.array_equal(read.rows[:, :7], 2 * image)
    with pytest.raises(ValueError, match="one shape"):
        write_exr(tmp_path / "b.exr", {"Y": image, "A": image[:2]})


def test_png_refuses_other_types(tmp_path):
    with pytest.raises(ValueError, match="expected uint16"):
        write_png16(tmp_path / "a.png", np.zeros((3, 3), np.uint8))
