"""Image files of more than eight bits: float32 OpenEXR and 16-bit PNG."""

from __future__ import annotations

import os
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from facecom.skin.band_filters import Singles

EXR_MAGIC, EXR_VERSION = 20000630, 2
EXR_FLOAT = 2
"""Pixel type of a channel: 32-bit float."""
PNG_COMPRESSION = 6
"""Level of zlib, part of the bytes of the file."""


def write_exr(path: str | os.PathLike[str], channels: dict[str, Singles]) -> None:
    """Write float32 images as one uncompressed scan-line OpenEXR file.

    Source: OpenEXR File Layout, version 2 (openexr.com).

    Parameters
    ----------
    path : file to write
    channels : (H, W) float32 each, by name

    Raises
    ------
    ValueError
        When there is no channel or the channels differ in shape.
    """
    shapes = {np.shape(image) for image in channels.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise ValueError(f"expected channels of one shape (H, W), got {sorted(shapes)}")
    height, width = next(iter(shapes))
    names = sorted(channels)
    header = _exr_header(names, height, width)
    row_bytes = 4 * width * len(names)
    first = len(header) + 8 * height
    rows = np.stack([np.asarray(channels[name], "<f4") for name in names], axis=1)
    with open(path, "wb") as file:
        file.write(header)
        file.write((first + np.arange(height, dtype="<u8") * (row_bytes + 8)).tobytes())
        for y, row in enumerate(rows):
            file.write(struct.pack("<ii", y, row_bytes) + row.tobytes())


def _exr_header(names: list[str], height: int, width: int) -> bytes:
    channel = struct.pack("<iiii", EXR_FLOAT, 0, 1, 1)
    listed = b"".join(name.encode("ascii") + b"\0" + channel for name in names) + b"\0"
    window = struct.pack("<iiii", 0, 0, width - 1, height - 1)
    attributes = (
        (b"channels", b"chlist", listed),
        (b"compression", b"compression", b"\0"),
        (b"dataWindow", b"box2i", window),
        (b"displayWindow", b"box2i", window),
        (b"lineOrder", b"lineOrder", b"\0"),
        (b"pixelAspectRatio", b"float", struct.pack("<f", 1.0)),
        (b"screenWindowCenter", b"v2f", struct.pack("<ff", 0.0, 0.0)),
        (b"screenWindowWidth", b"float", struct.pack("<f", 1.0)),
    )
    packed = (name + b"\0" + kind + b"\0" + struct.pack("<i", len(value)) + value for name, kind, value in attributes)
    return struct.pack("<ii", EXR_MAGIC, EXR_VERSION) + b"".join(packed) + b"\0"


def write_png16(path: str | os.PathLike[str], image: NDArray[np.uint16], *, text: dict[str, str] | None = None) -> None:
    """Write 16-bit samples as PNG, with text entries (W3C PNG, second edition).

    Parameters
    ----------
    path : file to write
    image : (H, W) or (H, W, 3) uint16
    text : entries by keyword

    Raises
    ------
    ValueError
        On another shape or type.
    """
    if image.dtype != np.uint16 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f"expected uint16 of shape (H, W) or (H, W, 3), got {image.dtype} {image.shape}")
    kind = 0 if image.ndim == 2 else 2
    rows = image.astype(">u2").reshape(len(image), -1).view(np.uint8)
    packed = zlib.compress(np.pad(rows, ((0, 0), (1, 0))).tobytes(), PNG_COMPRESSION)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(_chunk(b"IHDR", struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 16, kind, 0, 0, 0)))
        for key, value in (text or {}).items():
            file.write(_chunk(b"tEXt", key.encode("latin-1") + b"\0" + value.encode("latin-1")))
        file.write(_chunk(b"IDAT", packed) + _chunk(b"IEND", b""))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
