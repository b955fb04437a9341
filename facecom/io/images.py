"""Pictures as files."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from facecom.errors import need


def png_bytes(image: NDArray[np.uint8], *, compress_level: int = 6) -> bytes:
    """Encode a picture as PNG: the same bytes for the same pixels, no time or text in it.

    Parameters
    ----------
    image : (H, W, 3) uint8
    compress_level : of zlib, 0 to 9; the pixels are the same whatever it is

    Examples
    --------
    >>> png_bytes(np.zeros((2, 2, 3), np.uint8))[1:4]
    b'PNG'
    """
    stream = io.BytesIO()
    need("PIL.Image").fromarray(image).save(stream, format="PNG", compress_level=compress_level)
    return stream.getvalue()
